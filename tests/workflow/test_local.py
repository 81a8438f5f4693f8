"""The workflow on one machine: from nothing, again, after a change, and with a cell that fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from engine import TASKS, World, broken_model, needs_snakemake, store, tables

pytestmark = needs_snakemake


def jobs(told: str) -> set[str]:
    """The jobs of cells that a call did or would do, by stage and task."""
    return {name.rsplit(".", 3)[0] for name in re.findall(r"wildcards: job=(\S+)", told)}


@pytest.mark.slow
def test_from_nothing_again_and_after_a_new_version_of_a_task(tmp_path: Path) -> None:
    world = World(tmp_path)
    status, told = world.snakemake("local", estimates=world.estimates(1))
    assert status == 0, told
    assert jobs(told) == {f"all.{task}" for task in TASKS}
    world.memloc("run", home=tmp_path / "plain")
    assert store(world.home) == store(tmp_path / "plain")
    world.memloc("results", "--release", str(tmp_path / "numbers"), home=tmp_path / "plain")
    assert tables(world.release) == tables(tmp_path / "numbers")
    assert len(tables(world.release)) == 3

    status, told = world.snakemake("local", estimates=world.estimates(1))
    assert status == 0, told
    assert "Nothing to be done" in told

    world.catalogue({TASKS[1]: 2})
    status, told = world.snakemake("local", "--dry-run", estimates=world.estimates(1))
    assert status == 0, told
    assert jobs(told) == {f"all.{TASKS[1]}"}


@pytest.mark.slow
def test_a_failing_cell_stops_no_other_and_is_reported_with_its_log(tmp_path: Path) -> None:
    broken = broken_model(tmp_path / "broken")
    world = World(tmp_path, models={"micro-bert": {}, str(broken): {}}, tasks=[TASKS[0]])
    status, told = world.snakemake("local")
    assert status == 1
    assert re.search(r"failed: one \S*broken seed 1: ", told), "its log is shown"
    assert "missing: one " in told
    found = json.loads((world.release / "manifest.json").read_text())
    assert [cell["model"] for cell in found["cells"]] == ["micro-bert"]
    assert [(cell["model"], cell["lacks"]) for cell in found["missing"]] == [
        (str(broken), ["normal", "perturbed", "swapping"])
    ]


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    status, told = World(tmp_path).snakemake("local", shortes=3)
    assert status != 0
    assert "memloc: error: option of the workflow: 'shortes'; accepted: profile, tasks" in told
