"""A profile's work as jobs with calculated seconds: without its data, its models, or a store.

What there is to do comes from the profile as `memloc run` reads it; how jobs are cut comes from `memloc.cluster`, or,
as a question, more finely: one job an arm and one a technique.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import NamedTuple

from memloc.arms import CONTROL_ARMS, arm_of, followed, scored, target_layers
from memloc.cluster.jobs import Packing, works
from memloc.cluster.sizes import Size
from memloc.configurations import CellId, Key
from memloc.declared import declared, settings_of
from memloc.errors import MemlocError
from memloc.memory import TOGETHER_BYTES
from memloc.models.catalogue import get_model
from memloc.pipeline import Experiment
from memloc.scale.costs import Cost, Shape, cost_of, partial_training, stored_training, training
from memloc.scale.machine import LEARNT, Machine, ModelShape
from memloc.scale.schedule import Job

DROP_OUT = ("bert", "roberta", "opt")  # families whose checkpoints drop states out


class TaskSize(NamedTuple):
    """What a task's cost depends on: training and validation examples, noisy ones, classes, mean tokens."""

    rows: int
    validation: int
    noisy: int
    classes: int
    tokens: float


class Sketch(Experiment):
    """An experiment whose artefacts have names in words: nothing is looked up, neither data nor models."""

    def makes(self, cell: CellId, stage: str = "all") -> list[Key]:
        found: list[Key] = []
        if stage != "analyse":
            found += [("checkpoint", f"{cell} {arm}") for arm in self.arms(cell)]
        if stage != "train":
            asked = [(setting, name) for setting in self.settings(cell) for name in self.techniques(setting)]
            found += [("rows", f"{cell} {setting} {name}") for setting, name in asked]
        return found


@dataclass(frozen=True)
class Piece:
    """The smallest job: one arm of a cell, or one technique in one setting.

    Attributes:
        artefact: what it makes, as `Sketch.makes` names it.
        kind: ``training``, or the technique.
        needs: names of artefacts that come first.
    """

    artefact: Key
    kind: str
    cost: Cost
    shape: Shape
    needs: tuple[str, ...] = ()


def shape_of(model: str) -> ModelShape:
    """The sizes of a model of the catalogue."""
    spec = get_model(model)
    return ModelShape(spec.layers, spec.hidden, spec.architecture.name in DROP_OUT)


def pieces(sketch: Sketch, cell: CellId, tasks: Mapping[str, TaskSize], model: ModelShape | None = None) -> list[Piece]:
    """All work of a cell, in the order in which a run does it.

    Args:
        tasks: sizes by task.
        model: its sizes; by default those of the cell's model in the catalogue.

    Raises:
        MemlocError: for a task whose sizes are not known.
    """
    model = model or shape_of(cell.model)
    shape = _shape(cell.task, tasks, model)
    found = [
        Piece(
            ("checkpoint", f"{cell} {arm}"),
            "training",
            arm_cost(sketch, cell, arm, tasks, model),
            shape,
            tuple(f"{cell} {leader}" for leader in followed(arm)),
        )
        for arm in sketch.arms(cell)
    ]
    for setting in sketch.settings(cell):
        for name in sketch.techniques(setting):
            technique = declared(name)
            how = settings_of(technique, sketch.profile.techniques.get(name))
            if name == "maps" and not how["together"]:
                how |= {"together": max(1, int(TOGETHER_BYTES // (LEARNT * model.body)))}  # as on a GPU
            arms = [arm_of(setting, arm) for arm in (*technique.arms, *technique.optional) if arm != "pretrained"]
            needs = tuple(f"{cell} {arm}" for arm in arms)
            found.append(Piece(("rows", f"{cell} {setting} {name}"), name, cost_of(name, shape, how), shape, needs))
    return found


def _shape(task: str, tasks: Mapping[str, TaskSize], model: ModelShape) -> Shape:
    if task not in tasks:
        raise MemlocError("task with known sizes", task, tuple(tasks))
    size = tasks[task]
    own = (size.classes, model.hidden, size.tokens, size.validation)
    return Shape(size.rows, model.layers, *own, noise=size.noisy / size.rows)


def arm_cost(sketch: Sketch, cell: CellId, arm: str, tasks: Mapping[str, TaskSize], model: ModelShape) -> Cost:
    """What training an arm costs: the layers it changes, and the control's second task beside it."""
    shape, last = _shape(cell.task, tasks, model), model.layers
    how = asdict(sketch.profile.models[cell.model].training)
    if arm == "frozen":
        return partial_training(shape, how, last + 1) if model.drops_out else stored_training(shape, how)
    if arm == "bag_of_words":
        return Cost(0, 0)  # no layers
    if arm not in CONTROL_ARMS:
        return training(shape, how) if scored(arm) == "each" else partial_training(shape, how, scored_epochs=1)
    own = partial_training(shape, how, last + 1)
    if arm != "control_frozen":
        targets = target_layers(arm.removesuffix("_normal"), last)
        own = partial_training(shape, how, targets[0], len(targets))
    second = tasks[sketch.control(cell).auxiliary]
    examples = 3 * last * how["epochs"] * second.rows  # its scores are not taken
    calls = 3 * last * how["epochs"] * -(-second.rows // how["batch_size"])
    return Cost(own.applications + examples * second.tokens / shape.tokens, own.calls + calls)


def cell_jobs(sketch: Sketch, tasks: Mapping[str, TaskSize], machine: Machine, start: float = 0.0) -> list[Job]:
    """The jobs that `memloc cluster plan` would make, one cell at a time on a device.

    Args:
        start: seconds that each job takes beside its work.
    """
    seconds: dict[str, float] = {}
    stages: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for cell in sketch.cells():
        own = {piece.artefact: machine.seconds(piece.cost, piece.shape) for piece in pieces(sketch, cell, tasks)}
        seconds |= {name: taken for (_, name), taken in own.items()}
        parts = [sum(taken for (kind, _), taken in own.items() if kind == wanted) for wanted in ("checkpoint", "rows")]
        stages.setdefault((cell.task, cell.model), []).append((parts[0], parts[1]))
    # a planner knows the mean of a model's seeds: `memloc estimate` counts them together
    means = {place: [fmean(part) for part in zip(*own, strict=True)] for place, own in stages.items()}
    sizes = {place: Size(training, analyses, 0, 0) for place, (training, analyses) in means.items()}
    return [
        Job(work.name, start + sum(seconds[name] for _, name in work.makes), work.needs)
        for work in works(sketch, sizes, Packing())
    ]


def piece_jobs(sketch: Sketch, tasks: Mapping[str, TaskSize], machine: Machine, start: float = 0.0) -> list[Job]:
    """One job an arm and one a technique: maps wait for nothing, a technique for its own arms alone."""
    found: Iterable[Piece] = (piece for cell in sketch.cells() for piece in pieces(sketch, cell, tasks))
    return [Job(p.artefact[1], start + machine.seconds(p.cost, p.shape), p.needs) for p in found]
