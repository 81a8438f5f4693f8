"""Faults in the middle of a run: the same command then ends in the same bytes, and nothing is left behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import faults
from benchmarks.faults import FAULTS, possible
from benchmarks.survival import CELL, World, attempt, undisturbed

SMALL = {
    **CELL,
    "data": {"cap": 60, "validation_cap": 30, "test_cap": 30},
    "techniques": {"swapping": {}, "probing": {}},
}
SMALL["training"] = {**CELL["training"], "epochs": 4}
EXPECTED = {
    "worker_killed": "status 1, told|finished before",
    "read_only": "home: (refused|nothing to write); results: refused",
    "full_disk": "told|space enough",
    "no_memory": "went on with less at a time|training stopped and said what to lower|not reached",
    "two_runs": "one killed, the other ended with status 0|ended with status 0 and 0",
    "two_users": r"the second user's run ended with status 0; files are of [12] users",
}
KILLS = 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder that other users can enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="memloc-survival-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def whole(scratch: Path) -> tuple[World, float]:
    return undisturbed(scratch / "whole", SMALL)


def tried(name: str, number: int, whole: tuple[World, float], scratch: Path) -> str:
    """What happened; the end was checked."""
    if reason := possible(name):
        pytest.skip(reason)
    outcome = attempt(name, number, *whole, scratch / f"{name}-{number}")
    said = (scratch / f"{name}-{number}" / "told").read_text()
    assert outcome.equal, f"{outcome}\n{said}"
    assert outcome.orphans == outcome.undone == 0, f"{outcome}\n{said}"
    return outcome.told


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_a_random_moment(number: int, whole: tuple[World, float], scratch: Path) -> None:
    tried("killed", number, whole, scratch)


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"killed"}))
def test_other_faults(name: str, whole: tuple[World, float], scratch: Path) -> None:
    told = tried(name, 0, whole, scratch)
    assert re.fullmatch(EXPECTED.get(name, ".*times of all files changed"), told)


def test_loss_would_be_seen(whole: tuple[World, float], scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def harm(world: World, *_: object) -> str:
        shutil.copytree(whole[0].home, world.home)
        table = next((world.home / "store").rglob("trace.parquet"))
        (world.home / "store" / "v1" / "rows" / "0.partial").mkdir()
        os.truncate(table, 10)
        return "harmed"

    monkeypatch.setitem(faults.FAULTS, "harm", harm)
    outcome = attempt("harm", 0, *whole, scratch / "harm")
    assert (outcome.equal, outcome.found, outcome.undone, outcome.orphans) == (True, 2, 0, 0), "the doctor mended it"

    def lie(world: World, *_: object) -> str:
        harm(world)
        (world.home / "store" / "notes.tmp").touch()  # where the doctor does not look
        return "lied"

    monkeypatch.setitem(faults.FAULTS, "harm", lie)
    outcome = attempt("harm", 1, *whole, scratch / "lie")
    assert not outcome.equal
    assert outcome.orphans
