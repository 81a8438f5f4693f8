"""What the workflow costs beside the work: speed-up of a second core, and the time that jobs take to start.

    python -m benchmarks.workflow --profile smoke --out results/benchmarks

The profile is run twice from nothing with ``workflow/profiles/local``, on one core and on two, without estimates: then
every cell has two jobs of its own. Work is what cells took, as jobs' logs say; the rest is start-up, planning, waiting.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.run import add_to_table, device_name
from memloc.devices import resolve_device
from memloc.publishing import project_root

ROOT = project_root(Path(__file__).parent)


SECONDS = re.compile(r"^\[\d+/\d+\] .*: ([\d.]+) s; ", re.MULTILINE)  # of a cell, in the log of its job


def measure(profile: str, cores: int, home: Path) -> dict[str, object]:
    """One run from nothing: jobs, seconds, and seconds of work in them."""
    config = [f"profile={profile}", "device=cpu"]
    engine = ["--snakefile", ROOT / "workflow" / "Snakefile", "--profile", ROOT / "workflow" / "profiles" / "local"]
    words = [*engine, "--directory", ROOT, "--cores", cores, "--quiet", "all", "--config", *config]
    environment = {
        **os.environ,
        "MEMLOC_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "snakemake", *map(str, words)], env=environment, check=True)
    seconds = time.monotonic() - began
    logs = [path.read_text() for path in (home / "workflow" / "logs").glob("*.log")]
    plan = json.loads(next((home / "workflow").glob("*.plan.json")).read_text())
    return {
        "profile": profile,
        "cores": cores,
        "jobs": len(plan["jobs"]) + 1,  # and the release
        "seconds": seconds,
        "work": sum(float(told) for log in logs for told in SECONDS.findall(log)),
        "device": device_name(resolve_device("cpu")),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure on one core and on two: a line each and, with ``--out``, a table in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    found = []
    for cores in (1, 2):
        with tempfile.TemporaryDirectory(prefix="memloc-workflow-") as home:
            found.append(measure(given.profile, cores, Path(home)))
        print(f"{cores} cores: {found[-1]}", flush=True)
    if given.out:
        add_to_table(pd.DataFrame(found), given.out / "workflow.parquet")


if __name__ == "__main__":
    main()
