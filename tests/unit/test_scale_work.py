"""A profile as calculated jobs: the same work as a real run's, cut in two ways."""

from __future__ import annotations

from typing import Any

import pytest

from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.profiles import load_profile
from memloc.profiles.loading import parse_profile
from memloc.scale.costs import Cost, Shape
from memloc.scale.machine import LEARNT, Machine, ModelShape, memory
from memloc.scale.schedule import schedule
from memloc.scale.work import Sketch, TaskSize, cell_jobs, piece_jobs, pieces, shape_of

TASKS = {"wic": TaskSize(1000, 100, 150, 2, 20.0), "rte": TaskSize(400, 50, 60, 2, 70.0)}
MACHINE = Machine(1e12)
PROFILE: dict[str, Any] = {
    "purpose": "tests",
    "source": "hub",
    "tasks": list(TASKS),
    "models": {"bert-base-cased": {}, "gpt-neo-125m": {}},
    "seeds": [1, 2],
    "training": {"epochs": 4, "batch_size": 8},
    "extra_arms": ["frozen"],
    "techniques": {"swapping": {}, "gradients": {}, "maps": {}},
    "control": {"auxiliary": "rte", "techniques": ["swapping", "gradients"], "seeds": [1]},
}


def sketch(**changed: Any) -> Sketch:
    return Sketch(parse_profile("tiny", {**PROFILE, **changed}))


def seconds(made: Sketch) -> float:
    return sum(MACHINE.seconds(p.cost, p.shape) for cell in made.cells() for p in pieces(made, cell, TASKS))


def test_pieces_are_what_a_cell_makes() -> None:
    made = sketch()
    for cell in made.cells():
        assert [piece.artefact for piece in pieces(made, cell, TASKS)] == made.makes(cell)
    first, second = (len(made.makes(cell)) for cell in made.cells()[:2])
    assert first == second + 7 + 3 * 2, "the control's arms and settings"


def test_both_cuts_do_the_same_work() -> None:
    made = sketch()
    cells, single = cell_jobs(made, TASKS, MACHINE, 10.0), piece_jobs(made, TASKS, MACHINE, 10.0)
    assert sum(job.seconds - 10 for job in cells) == pytest.approx(seconds(made))
    assert sum(job.seconds - 10 for job in single) == pytest.approx(seconds(made))
    assert schedule(single, 10_000).makespan < schedule(cells, 10_000).makespan
    waits = {job.name: job.needs for job in single}
    assert waits["wic bert-base-cased seed 1 main maps"] == ()
    assert waits["wic bert-base-cased seed 1 normal"] == ("wic bert-base-cased seed 1 perturbed",)
    assert set(waits["wic bert-base-cased seed 1 control_last swapping"]) == {
        "wic bert-base-cased seed 1 control_last",
        "wic bert-base-cased seed 1 control_last_normal",
    }


def test_a_frozen_arm_is_cheap_where_nothing_drops_out() -> None:
    made = sketch()
    found = {cell.model: pieces(made, cell, TASKS) for cell in made.cells() if cell.task == "rte" and cell.seed == 2}
    frozen = {m: [p.cost.applications for p in own if p.artefact[1].endswith("frozen")] for m, own in found.items()}
    assert frozen["gpt-neo-125m"] == [12 * 450]
    assert frozen["bert-base-cased"] == [4 * 12 * (400 + 450)]


def test_a_control_trains_the_second_task_beside() -> None:
    made = sketch()
    own = {p.artefact[1]: p.cost.applications for p in pieces(made, made.cells()[0], TASKS)}
    second = 3 * 12 * 4 * 400 * 70 / 20
    start = "wic bert-base-cased seed 1 control"
    assert own[f"{start}_last"] == pytest.approx(4 * ((12 + 2 + 2) * 1000 + 12 * 1100) + second)
    assert own[f"{start}_first_normal"] - own[f"{start}_last_normal"] == pytest.approx(4 * 10 * 1000)
    assert own[f"{start}_frozen"] == pytest.approx(4 * (12 * 1000 + 12 * 1100) + second)


def test_the_study_needs_neither_data_nor_models() -> None:
    made = Sketch(load_profile("paper"))
    tasks = dict.fromkeys(made.profile.tasks, TASKS["wic"])
    jobs = cell_jobs(made, tasks, MACHINE)
    assert len(made.cells()) == 144
    assert len(jobs) == 288
    assert sum(len(pieces(made, cell, tasks)) for cell in made.cells()) == len(piece_jobs(made, tasks, MACHINE))
    with pytest.raises(MemlocError, match="task with known sizes: 'wic'"):
        pieces(made, made.cells()[0], {})


def test_a_machine_computes_or_waits_for_calls() -> None:
    shape = Shape(1, 1, hidden=8, tokens=1)
    assert Machine(10.0, 1.0).seconds(Cost(0, 3, 200), shape) == 20
    assert Machine(10.0, 10.0).seconds(Cost(0, 3, 200), shape) == 30
    for speed, call in ((0, 0), (1, -1), (float("nan"), 0)):
        with pytest.raises(MemlocError, match="speed of a machine"):
            Machine(speed, call)


def test_memory_of_a_model() -> None:
    model = ModelShape(2, 10, vocabulary=100)
    assert model.body == 2 * (12 * 100 + 130)
    assert model.weights == model.body + 1000
    found = memory(model, 8, 16)
    kept = 18 * 2 * 10 * 4 * 8 * 16
    assert found["training"] == 4 * 1000 + LEARNT * model.body + kept
    assert found["swapping"] == 8 * model.weights + 4 * 1024 * 40
    assert found["retraining all layers"] - found["retraining one layer"] == LEARNT * model.body / 2
    assert memory(ModelShape(32, 4096), 8, 512)["training"] > 80e9
    assert memory(ModelShape(24, 2048), 8, 512)["training"] < 80e9


def test_shapes_come_from_the_catalogue() -> None:
    assert shape_of("opt-1.3b") == ModelShape(24, 2048, True)
    assert not shape_of("pythia-160m").drops_out
    assert TrainConfig().batch_size == 8, "what the chapter says of calls"
