"""A run that is killed in the middle and started again ends in the same bytes and leaves no orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_cli import OWN, written
from test_pipeline import files

# as `memloc run`, but with a resume point after every epoch
COMMAND = "import sys, memloc.training.loop as l, memloc.cli as c; l.RESUME_EVERY = -1; sys.exit(c.main(sys.argv[1:]))"


def start(home: Path, profile: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", "--profile", profile, "--device", "cpu"],
        env={**os.environ, "MEMLOC_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )


def killed_when(running: subprocess.Popen[bytes], home: Path, pattern: str) -> None:
    """Kill the process as soon as a file of this name is there."""
    deadline = time.monotonic() + 120
    while not list(home.rglob(pattern)):
        assert running.poll() is None, f"it ended before there was a {pattern}"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()


@pytest.mark.slow
def test_killed_and_started_again(tmp_path: Path) -> None:
    training = {**OWN["training"], "epochs": 40}
    profile = written(tmp_path / "own.yml", {**OWN, "training": training})
    undisturbed = start(tmp_path / "whole", profile)
    assert undisturbed.wait() == 0
    home = tmp_path / "killed"
    killed_when(start(home, profile), home, "facts.json")  # while the data set is made, or just after
    killed_when(start(home, profile), home, "point.safetensors")  # in the first training
    left = {p.name for p in home.rglob("*")}
    assert "point.safetensors" in left
    assert start(home, profile).wait() == 0
    assert files(home) == files(tmp_path / "whole")
    assert not [p for p in home.rglob("*") if p.suffix in (".lock", ".partial", ".tmp")]
