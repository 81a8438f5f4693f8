"""The workflow on a real Slurm of one node: daemon killed, job preempted, job over its time, failing cell."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine import ROOT, TASKS, World, broken_model, needs_snakemake, store, tables

START = ROOT / "workflow" / "slurm" / "start.sh"
QUICK = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5")
LACKING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]

pytestmark = [
    needs_snakemake,
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"no {', '.join(LACKING)}: apt-get install slurm-wlm munge"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the daemons of Slurm are started as root"),
]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """The folder of a running Slurm; a short name, as there are sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="memloc-slurm-"))
    started = subprocess.run([START, "start", folder], capture_output=True, text=True, timeout=90)
    try:
        if started.returncode:
            pytest.skip(f"no Slurm here: {started.stderr.strip()}")
        yield folder
    finally:
        subprocess.run([START, "stop", folder], timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def told(command: str) -> str:
    """What a command of Slurm says; nothing while its daemon does not answer."""
    return subprocess.run(command.split(), capture_output=True, text=True, timeout=60).stdout


def until(what: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def running() -> list[str]:
    """The ids of running jobs."""
    return told("squeue -h -t RUNNING -o %i").split()


def test_slurmd_killed_and_started_again_and_a_job_preempted(slurm: Path, tmp_path: Path) -> None:
    training = {"epochs": 500, "batch_size": 16, "lr": 1e-3, "max_length": 32}
    world = World(tmp_path, training=training, tasks=[TASKS[0]])
    command = world.command("slurm", *QUICK, config={"estimates": world.estimates(20), "mem_mb": 1000})
    log = (tmp_path / "told").open("w")
    call = subprocess.Popen(command, env=world.environment(), stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: bool(list(world.home.glob("store/v1/checkpoint/*.partial"))))
        (job,) = running()
        os.kill(int((slurm / "slurmd.pid").read_text()), signal.SIGKILL)
        time.sleep(1)
        subprocess.run([START, "node", slurm], check=True, timeout=30)
        until(lambda: told("sinfo -h -p main -o %t").strip() in ("alloc", "mix"))
        assert running() == [job], "it went on without its daemon"
        subprocess.run(["sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3"], check=True)
        until(lambda: "Restarts=1" in told(f"scontrol show job {job}"))
        assert call.wait(400) == 0, (tmp_path / "told").read_text()
    finally:
        call.kill()
        log.close()
    world.memloc("run", home=tmp_path / "plain")
    assert store(world.home) == store(tmp_path / "plain"), "no byte differs, no orphan"
    world.memloc("results", "--release", str(tmp_path / "numbers"), home=tmp_path / "plain")
    assert tables(world.release) == tables(tmp_path / "numbers")
    status, said = world.snakemake("slurm", *QUICK, estimates=world.estimates(20))
    assert status == 0
    assert "Nothing to be done" in said


def process(job: str) -> int:
    """The process of a job whose name begins so."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"do" in words and any(word.startswith(job.encode()) for word in words):
            return int(path.parent.name)
    raise AssertionError(f"no process does {job}")


def test_a_job_over_its_time_goes_on_and_a_failing_cell_stops_no_other(slurm: Path, tmp_path: Path) -> None:
    broken = broken_model(tmp_path / "broken")
    training = {"epochs": 200, "batch_size": 16, "lr": 1e-3, "max_length": 32}
    world = World(tmp_path, training=training, tasks=[TASKS[0]], models={"micro-bert": {}, str(broken): {}})
    command = world.command("slurm", *QUICK, "--retries", "1", config={"runtime": 0.5, "mem_mb": 900})
    log = (tmp_path / "told").open("w")
    call = subprocess.Popen(command, env=world.environment(), stdout=log, stderr=subprocess.STDOUT)
    try:
        started = "store/v1/checkpoint/*.partial/config.json"
        until(lambda: any('"micro-bert"' in path.read_text() for path in world.home.glob(started)))
        os.kill(process("train.one.micro-bert"), signal.SIGSTOP)  # it would end before its minute is over
        assert call.wait(400) == 1
    finally:
        call.kill()
        log.close()
    said = (tmp_path / "told").read_text()
    assert "SLURM status is: 'TIMEOUT'" in said
    assert re.search(r"failed: one \S*broken seed 1: ", said), "its log is shown"
    found = json.loads((world.release / "manifest.json").read_text())
    assert [cell["model"] for cell in found["cells"]] == ["micro-bert"]
    assert [cell["model"] for cell in found["missing"]] == [str(broken)]
    assert not [path for path in world.home.rglob("*") if path.suffix in (".partial", ".lock", ".tmp")]
