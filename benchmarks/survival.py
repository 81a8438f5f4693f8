"""What a run survives: killed, with a jumping clock, without space, without memory, beside another user.

    python -m benchmarks.survival --faults killed --times 100 --out results/benchmarks

Every try takes a home of its own, lets one fault happen while a small profile is run and released, has the doctor look
at what is left, runs the same command to its end, and compares all bytes with those of an undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from tqdm import tqdm

import memloc
from benchmarks.run import add_to_table, device_name
from memloc.devices import resolve_device
from memloc.doctor import examine

CELL: dict[str, Any] = {
    "purpose": "a cell of about fifteen seconds that is disturbed",
    "source": "generated",
    "tasks": ["gen-cue-2a"],
    "models": {"micro-bert": {}},
    "seeds": [1],
    "data": {"cap": 200, "validation_cap": 60, "test_cap": 60},
    "training": {"epochs": 12, "batch_size": 16, "lr": 1e-3, "max_length": 32},
    "techniques": {"swapping": {}, "retraining": {"lengths": [1, 2], "epochs": 3}, "gradients": {}, "probing": {}},
    "resamples": 50,
}
# a run and its release in one process, as `memloc run` and `memloc results --release` do it
RUN = """
import sys
{before}
import memloc.cli as cli
asked = ["--profile", sys.argv[1], "--device", "cpu"]
status = cli.main(["run", *asked, "--threads", "1"])
sys.exit(status or cli.main(["results", *asked, "--release", sys.argv[2]]))
"""
EVERY_EPOCH = "import memloc.training.loop as loop; loop.RESUME_EVERY = -1"  # resume points after every epoch


@dataclass
class World:
    """A folder with a profile, a home and a release.

    Attributes:
        folder: where all of it lies.
        profile: the profile's file, the same in every world.
    """

    folder: Path
    profile: Path

    @property
    def home(self) -> Path:
        """Where artefacts go."""
        return self.folder / "home"

    @property
    def release(self) -> Path:
        """Where numbers go."""
        return self.folder / "results" / "run"

    def command(self, before: str = "") -> list[str]:
        """Run and release; ``before`` is executed first."""
        return [sys.executable, "-c", RUN.format(before=before), str(self.profile), str(self.release)]

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command on this home; what it says goes into ``told``."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.release.parent.mkdir(parents=True, exist_ok=True)
        said = (self.folder / "told").open("a")
        with said:
            environment = {"MEMLOC_HOME": str(self.home), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
            return subprocess.Popen(
                command, text=True, stdout=said, stderr=subprocess.STDOUT, env={**inherited(), **environment}, **options
            )

    def run(self, before: str = "") -> int:
        """Run and release, to the end."""
        return self.start(self.command(before)).wait()

    def told(self) -> str:
        """What commands said so far."""
        return (self.folder / "told").read_text()

    def contents(self) -> dict[str, bytes]:
        """All that must be equal: the store but its sidecars, and the released tables."""
        files = [path for path in (self.home / "store").rglob("*") if path.is_file() and path.name != "run.json"]
        files += self.release.glob("*.parquet")
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}

    def orphans(self) -> list[str]:
        """Files and folders that no finished run leaves."""
        every = [*self.home.rglob("*"), *self.release.parent.iterdir()]
        return [p.name for p in every if p.suffix in (".partial", ".lock", ".tmp", ".old") or p.name.startswith(".")]


@dataclass
class Outcome:
    """How one try ended.

    Attributes:
        fault: its name.
        number: of the try, from 0; with the fault it decides all that is random.
        told: what happened at the fault, such as what was at work.
        equal: whether store and tables are those of the undisturbed run in the end.
        found: how many things the doctor found after the fault.
        undone: how many of them it left to a person.
        orphans: how many files and folders were left in the end, and what the doctor then found.
        seconds: from the beginning of the try to its end.
    """

    fault: str
    number: int
    told: str = ""
    equal: bool = False
    found: int = 0
    undone: int = 0
    orphans: int = 0
    seconds: float = 0.0
    doctor: list[str] = field(default_factory=list)


def inherited() -> dict[str, str]:
    """The environment of commands, with this package."""
    source = str(Path(memloc.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


def undisturbed(folder: Path, cell: dict[str, Any] | None = None) -> tuple[World, float]:
    """A world whose run nothing disturbs, and its seconds."""
    folder.mkdir(parents=True)
    profile = folder / "disturbed.yml"
    profile.write_text(yaml.safe_dump(cell or CELL))
    world, began = World(folder, profile), time.monotonic()
    if world.run():
        raise RuntimeError(f"the undisturbed run failed:\n{world.told()}")
    return world, time.monotonic() - began


def attempt(name: str, number: int, whole: World, seconds: float, folder: Path) -> Outcome:
    """One fault in a fresh home, and what came of it.

    Args:
        name: of the fault, a key of ``FAULTS``.
        number: of the try.
        whole: the undisturbed run.
        seconds: that it took.
        folder: for this try; must not exist.
    """
    from benchmarks.faults import FAULTS

    folder.mkdir(parents=True)
    world, began = World(folder, whole.profile), time.monotonic()
    outcome = Outcome(name, number)
    outcome.told = FAULTS[name](world, random.Random(f"{name} {number}"), seconds)
    found = examine(world.home, folder)
    outcome.found, outcome.undone = len(found), sum(not one.done for one in found)
    outcome.doctor = [str(one) for one in found]
    status = world.run()
    outcome.equal = status == 0 and world.contents() == whole.contents()
    left = examine(world.home, folder)
    outcome.orphans = len(world.orphans()) + len(left)
    outcome.doctor += [str(one) for one in left]
    outcome.seconds = time.monotonic() - began
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Try faults, a line each; with ``--out`` a table in the folder."""
    from benchmarks.faults import FAULTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first try")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="memloc-survival-") as scratch:
        Path(scratch).chmod(0o755)  # other users have to get in
        whole, seconds = undisturbed(Path(scratch) / "whole")
        print(f"undisturbed: {seconds:.1f} s")
        for name in given.faults.split(","):
            tries = []
            for number in tqdm(range(given.first, given.first + given.times), desc=name, disable=None):
                tries.append(attempt(name, number, whole, seconds, Path(scratch) / "try"))
                if not tries[-1].equal or tries[-1].orphans or tries[-1].undone:
                    bad += 1
                    print(f"{tries[-1]}\n{(Path(scratch) / 'try' / 'told').read_text()}", flush=True)
                shutil.rmtree(Path(scratch) / "try")
            print(f"{name}: {sum(t.equal for t in tries)} of {len(tries)} equal; {Counter(t.told for t in tries)}")
            if given.out:
                rows = [{k: v for k, v in asdict(t).items() if k != "doctor"} for t in tries]
                more = {"whole_seconds": seconds, "device": device_name(resolve_device("cpu"))}
                add_to_table(pd.DataFrame(rows).assign(**more), given.out / "survival.parquet")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
