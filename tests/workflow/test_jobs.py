"""Which jobs a profile becomes, what makes one run again, and what a job leaves behind."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from memloc.cluster.doing import do, release_plan
from memloc.cluster.jobs import Packing, Work, works
from memloc.cluster.plan import Plan, read_plan, settle, stamp_of
from memloc.cluster.sizes import Size, read_sizes, save
from memloc.errors import MemlocError
from memloc.estimating import Estimate
from memloc.pipeline import Experiment
from memloc.profiles.loading import parse_profile
from memloc.released import read_release
from memloc.store import Store

TASKS, MODELS = ("gen-cue-2a", "gen-comp-2a"), ("micro-bert", "micro-opt")
TINY: dict[str, Any] = {
    "purpose": "tests",
    "source": "generated",
    "tasks": list(TASKS),
    "models": {model: {} for model in MODELS},
    "seeds": [1, 2],
    "data": {"cap": 40, "validation_cap": 20, "test_cap": 20},
    "training": {"epochs": 1, "batch_size": 16, "lr": 1e-3, "max_length": 32},
    "techniques": {"swapping": {}},
    "resamples": 10,
}


def experiment(home: Path, **changes: Any) -> Experiment:
    return Experiment(parse_profile("tiny", {**TINY, **changes}), Store(home), "cpu")


def sizes(training: float, analyses: float, device: int = 0) -> dict[tuple[str, str], Size]:
    return {(task, model): Size(training, analyses, 500, device) for task in TASKS for model in MODELS}


def planned(home: Path, **changes: Any) -> tuple[Path, Plan]:
    """A plan in its file, all cells of a task in one job."""
    made = experiment(home, **changes)
    plan = Plan(made.profile, "cpu", None, tuple(works(made, sizes(1, 1), Packing())))
    path = home / "workflow" / "tiny.plan.json"
    plan.write(path)
    return path, plan


def told(found: list[Work]) -> list[tuple[str, int, int]]:
    return [(work.stage, len(work.cells), work.side) for work in found]


def test_a_long_cell_gets_two_jobs_and_its_analyses_wait(tmp_path: Path) -> None:
    found = works(experiment(tmp_path, seeds=[1], models={"micro-bert": {}}), sizes(400, 500), Packing(300))
    assert told(found) == [("train", 1, 1), ("analyse", 1, 1)] * 2
    assert found[1].needs == (found[0].name,)
    assert [work.seconds for work in found[:2]] == [400, 500]
    assert {kind for kind, _ in found[0].makes} == {"checkpoint"}
    assert {kind for kind, _ in found[1].makes} == {"rows"}


def test_unknown_cells_stand_alone(tmp_path: Path) -> None:
    found = works(experiment(tmp_path), {}, Packing())
    assert told(found) == [("train", 1, 1), ("analyse", 1, 1)] * 8
    assert {work.memory for work in found} == {None}


@pytest.mark.parametrize(
    ("seconds", "packs"), [(10, [4, 4]), (75, [2, 2, 2, 2]), (50, [4, 4]), (140, [1] * 8)]
)  # at least 300 s where a task has so much to do
def test_short_cells_of_a_task_share_a_job(tmp_path: Path, seconds: float, packs: list[int]) -> None:
    found = works(experiment(tmp_path), sizes(seconds, seconds + 25), Packing(300))
    assert [len(work.cells) for work in found] == packs
    assert {work.stage for work in found} == {"all"}
    assert all(len({cell.task for cell in work.cells}) == 1 for work in found)


def test_cells_fill_a_device_by_memory(tmp_path: Path) -> None:
    found = works(experiment(tmp_path), sizes(1000, 1000, device=3000), Packing(300, device_memory=10_000))
    assert told(found) == [("all", 3, 3), ("train", 1, 1), ("analyse", 1, 1)] * 2
    assert found[0].device_memory == 9000
    assert found[0].memory == 1500
    assert found[0].seconds == pytest.approx(2000)


def test_a_raised_version_changes_the_jobs_that_depend_on_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import memloc.configurations as configurations
    from memloc.data.catalogue import get_task
    from memloc.techniques.swapping import Swapping

    def names() -> dict[str, list[str]]:
        made = experiment(tmp_path, seeds=[1], models={"micro-bert": {}})
        found = works(made, sizes(400, 400), Packing(300))
        return {f"{work.stage} {work.cells[0].task}": [work.name, *work.needs] for work in found}

    before = names()
    with monkeypatch.context() as patch:
        newer = dataclasses.replace(get_task(TASKS[0]), version=get_task(TASKS[0]).version + 1)
        patch.setattr(configurations, "get_task", lambda name: newer if name == TASKS[0] else get_task(name))
        after = names()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"train {TASKS[0]}", f"analyse {TASKS[0]}"}
    with monkeypatch.context() as patch:
        patch.setattr(Swapping, "version", Swapping.version + 1)
        after = names()
    assert {name for name in before if before[name] != after[name]} == {f"analyse {task}" for task in TASKS}


def test_estimates_come_back_from_their_file(tmp_path: Path) -> None:
    profile = experiment(tmp_path).profile
    made = [Estimate(TASKS[0], "micro-bert", 3.0, 1.0, 9.0, training=1.0, memory=0.5, device_memory=2.0)]
    save(made, profile, tmp_path / "sizes.json")
    assert read_sizes(tmp_path / "sizes.json", profile) == {(TASKS[0], "micro-bert"): Size(1800, 3600, 500, 2000)}
    (tmp_path / "sizes.json").write_text('{"format": 0}')
    with pytest.raises(MemlocError, match="a file of memloc estimate --save"):
        read_sizes(tmp_path / "sizes.json", profile)


def test_a_plan_comes_back_from_its_file_and_is_not_written_twice(tmp_path: Path) -> None:
    path, plan = planned(tmp_path)
    assert read_plan(path) == plan
    before = path.stat().st_mtime_ns
    plan.write(path)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(MemlocError, match="unknown job of the plan of profile tiny"):
        plan.work("all.gen")
    path.write_text("{}")
    with pytest.raises(MemlocError, match="a file of memloc cluster plan"):
        read_plan(path)


def test_jobs_fill_the_store_and_stamps_say_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path))
    path, plan = planned(tmp_path, seeds=[1])
    assert settle(tmp_path, plan) == list(plan.works)
    first = plan.works[0]
    assert do(path, first.name, say=lambda _: None)
    assert json.loads(stamp_of(tmp_path, first.name).read_text())["job"] == first.name
    assert settle(tmp_path, plan) == list(plan.works[1:])
    stamp_of(tmp_path, first.name).unlink()
    assert settle(tmp_path, plan) == list(plan.works[1:]), "what memloc run made counts"
    assert stamp_of(tmp_path, first.name).exists()
    kind, key = first.makes[-1]
    shutil.rmtree(tmp_path / "store" / "v1" / kind / key)
    assert settle(tmp_path, plan) == list(plan.works)
    assert not stamp_of(tmp_path, first.name).exists()


def test_a_failing_cell_stops_no_other_and_the_release_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path))
    path, plan = planned(tmp_path, seeds=[1])
    analyse = Experiment.analyse_cell

    def fails(self: Experiment, cell: Any) -> None:
        if cell.task == TASKS[0] and cell.model == "micro-bert":
            raise ValueError("no luck")
        analyse(self, cell)

    monkeypatch.setattr(Experiment, "analyse_cell", fails)
    lines: list[str] = []
    assert [do(path, work.name, say=lines.append) for work in plan.works] == [False, True]
    alone = f"memloc run --profile tiny --tasks {TASKS[0]} --models micro-bert --seeds 1"
    assert any("ValueError: no luck" in line and line.endswith(alone) for line in lines)
    assert not release_plan(path, tmp_path / "out", lines.append)
    assert f"missing: {TASKS[0]} micro-bert seed 1" in lines
    released = read_release(tmp_path / "out")
    assert [str(cell) for cell in released.missing] == [f"{TASKS[0]} micro-bert seed 1"]
    assert len(released.cells()) == 3
    monkeypatch.setattr(Experiment, "analyse_cell", analyse)
    assert do(path, plan.works[0].name, say=lines.append)
    assert release_plan(path, tmp_path / "out", lines.append)
    assert stamp_of(tmp_path, f"release.tiny.{plan.key}").exists()
