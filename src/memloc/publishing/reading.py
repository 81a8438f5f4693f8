"""What a chapter calls to get its data: a study from its parameters, then training or swapping of all its cells.

A study is an experiment (found in the store, or computed once and kept there) or a released run. What follows does not
care which.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from memloc.analysis.intervals import Localisation, localise
from memloc.analysis.numbers import Computed, Numbers
from memloc.analysis.status import cell_status
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile, load_profile
from memloc.publishing import project_root
from memloc.publishing.style import sort_models, sort_tasks
from memloc.released import MANIFEST, Release, read_release

FINISHED = "MEMLOC_FINISHED"  # set: chapters leave out cells that are not finished
CELL = ["task", "model", "seed"]
Place = tuple[str, str]  # a task and a model: a panel of a figure


class AnyRun(ABC):
    """What was run and what it is, from its profile."""

    @property
    @abstractmethod
    def profile(self) -> Profile:
        """What was run."""

    @property
    def generated(self) -> bool:
        """Whether the texts are generated."""
        return self.profile.source == "generated"

    @property
    def random_models(self) -> list[str]:
        """The models that start from random weights."""
        return [name for name in self.profile.models if not get_model(name).pretrained]

    @property
    def evidence(self) -> bool:
        """Whether results say something about natural language and pre-trained models."""
        return not self.generated and not self.random_models

    @property
    def origin(self) -> str:
        """Where the results come from, in one sentence for captions and prose."""
        texts = "Generated tasks" if self.generated else f"Real tasks (source: {self.profile.source})"
        models, random = self.profile.models, self.random_models
        kinds = {0: "pre-trained models", len(models): "models with random initial weights"}
        return f"{texts}; {kinds.get(len(random), 'some models with random initial weights')}."

    @property
    def mark(self) -> str:
        """A mark for prose (HTML) where something is generated or random; empty for real data and models."""
        words = ["generated tasks"] * self.generated + ["random initial weights"] * bool(self.random_models)
        return f'<span class="memloc-generated">{", ".join(words)}</span>' if words else ""


class AnyStudy(AnyRun):
    """A run of cells and techniques; the two kinds of study below say where its numbers come from."""

    @property
    @abstractmethod
    def numbers(self) -> Numbers:
        """Where all numbers come from."""

    @property
    def profile(self) -> Profile:
        """What was run."""
        return self.numbers.profile


def _with_cells(run: Profile, cells: Sequence[CellId]) -> Profile:
    """A profile without the tasks and models that have no cell among these."""
    tasks, models = {cell.task for cell in cells}, {cell.model for cell in cells}
    kept = {model: of for model, of in run.models.items() if model in models}
    return replace(run, tasks=tuple(task for task in run.tasks if task in tasks), models=kept)


@dataclass(frozen=True)
class Study(AnyStudy):
    """An experiment and the command that computes the same.

    Attributes:
        experiment: where all data come from.
        command: fills the store with everything the chapters show.
        finished: show what the store has, and compute nothing.
    """

    experiment: Experiment
    command: str
    finished: bool = False

    @property
    def numbers(self) -> Numbers:
        return Computed(self.experiment, self.finished)

    @cached_property
    def profile(self) -> Profile:
        """What was run."""
        run = self.experiment.profile
        return _with_cells(run, self.numbers.cells()) if self.finished else run

    @cached_property
    def missing(self) -> list[CellId]:
        """The cells that are left out because something of them is not in the store."""
        shown = self.numbers.cells()
        return [cell for cell in self.experiment.cells() if cell not in shown]

    def made(self, label: str) -> str:
        """For the end of a caption: origin, command, and where the keys are; ``label`` is that section's."""
        return f"**{self.origin}** Data: `{self.command}`; keys: {{ref}}`{label}`."


@dataclass(frozen=True)
class ReleasedStudy(AnyStudy):
    """A released run, read without data, models or store.

    Attributes:
        release: where all numbers come from.
        folder: its folder, as seen from the root of the book.
    """

    release: Release
    folder: str

    @property
    def numbers(self) -> Numbers:
        return self.release

    @cached_property
    def profile(self) -> Profile:
        """What was run, without tasks and models of which no cell is finished: figures would show empty panels."""
        return _with_cells(self.release.profile, self.release.cells())

    @property
    def command(self) -> str:
        """Makes the same, where data and models are."""
        run = f"--profile {self.profile.name}"
        return f"memloc run {run} && memloc results {run} --release {self.folder}"

    @property
    def made(self) -> str:
        """For the end of a caption: origin, command, and where the keys are."""
        return f"**{self.origin}** Data: `{self.command}`; keys: `{self.folder}/{MANIFEST}`."


def open_release(name: str = "small") -> ReleasedStudy | None:
    """The released run of that name in ``results/`` of the book's folder; None if there is none.

    Raises:
        MemlocError: if it is there but altered, incomplete, or of another version.
    """
    folder = project_root() / "results" / name
    return ReleasedStudy(read_release(folder), f"results/{name}") if folder.exists() else None


def open_study(
    profile: str = "mini",
    source: str | None = None,
    tasks: Sequence[str] | str | None = None,
    models: Sequence[str] | str | None = None,
    seeds: Sequence[int] | int | str | None = None,
    device: str = "auto",
) -> Study:
    """The study that a chapter's parameters ask for; lists of names may be given as ``"trec,rte"``.

    Raises:
        MemlocError: for an unknown profile, source, task or model.
    """
    chosen_tasks, chosen_models, chosen_seeds = _names(tasks), _names(models), _numbers(seeds)
    narrowed = load_profile(profile).narrowed(chosen_tasks, chosen_models, chosen_seeds, source)
    given = {
        "source": source,
        "tasks": ",".join(chosen_tasks or ()),
        "models": ",".join(chosen_models or ()),
        "seeds": ",".join(map(str, chosen_seeds or ())),
        "device": device if device != "auto" else None,
    }
    command = " ".join([f"memloc run --profile {profile}", *(f"--{k} {v}" for k, v in given.items() if v)])
    return Study(Experiment(narrowed, device=device), command, bool(os.environ.get(FINISHED)))


def _names(names: Sequence[str] | str | None) -> list[str] | None:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names) if names else None


def _numbers(seeds: Sequence[int] | int | str | None) -> list[int] | None:
    if seeds is None or isinstance(seeds, int):
        return None if seeds is None else [seeds]
    try:
        return [int(seed) for seed in (seeds.split(",") if isinstance(seeds, str) else seeds)] or None
    except ValueError as error:
        raise MemlocError("seeds", seeds, "whole numbers") from error


@dataclass(frozen=True)
class Training:
    """How all cells of a study were trained.

    Attributes:
        study: the study.
        traces: ``task, model, seed, arm`` and the columns of ``tables.TRACE``.
        status: one row a cell: ``task, model, seed``, the fields of ``CellStatus``, ``memorised`` and ``learnt``.
    """

    study: AnyStudy
    traces: pd.DataFrame
    status: pd.DataFrame


def read_training(study: AnyStudy, arms: Sequence[str] | None = None) -> Training:
    """Traces and status of every cell; what the store of an experiment lacks is trained now.

    Args:
        arms: beside ``perturbed`` and ``normal``; the profile's extra arms by default.
    """
    numbers, traces, status = study.numbers, [], []
    wanted = dict.fromkeys(("perturbed", "normal", *(study.profile.extra_arms if arms is None else arms)))
    for cell in numbers.cells():
        found = {arm: numbers.trace(cell, arm) for arm in wanted}
        traces += [trace.assign(arm=arm, **cell._asdict()) for arm, trace in found.items()]
        now = cell_status(found["perturbed"], found["normal"], *numbers.held_out(cell))
        status.append({**cell._asdict(), **asdict(now), "memorised": now.memorised, "learnt": now.learnt})
    return Training(study, pd.concat(traces, ignore_index=True), _in_order(pd.DataFrame(status)))


def _in_order(status: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of all figures and tables."""
    tasks = {name: place for place, name in enumerate(sort_tasks(set(status["task"])))}
    models = {name: place for place, name in enumerate(sort_models(set(status["model"])))}
    keys = status.assign(task=status["task"].map(tasks), model=status["model"].map(models))[CELL]
    return status.loc[keys.sort_values(CELL).index].reset_index(drop=True)


class ByPlace:
    """What was found for every (task, model), from the seeds that memorised their wrong labels.

    Attributes:
        study: the study.
        status: as in ``Training``.
        places: (task, model) to what was found; without a seed that memorised, it is not there.
    """

    study: AnyStudy
    status: pd.DataFrame
    places: Mapping[Place, Any]

    @cached_property
    def all_places(self) -> list[Place]:
        """Every (task, model) of the study, memorised or not, in the order of all figures and tables."""
        return list(dict.fromkeys(zip(self.status["task"], self.status["model"], strict=True)))

    @cached_property
    def counted(self) -> list[Place]:
        """The places conclusions rest on: memorised, and the task learnt by every seed used."""
        used = self.status[self.status["memorised"]]
        learnt = used.groupby(["task", "model"])["learnt"].all()
        return [place for place in self.all_places if place in self.places and learnt[place]]


@dataclass(frozen=True)
class Swapping(ByPlace):
    """Layer swapping, or layer retraining, of all cells of a study.

    Attributes:
        study, status, places: as in ``ByPlace``; places hold where it memorises.
        rows: tidy rows (``tables.ROWS``) of all cells.
        technique: ``swapping`` or ``retraining``.
    """

    study: AnyStudy
    status: pd.DataFrame
    rows: pd.DataFrame
    places: dict[Place, Localisation]
    technique: str = "swapping"


def read_swapping(study: AnyStudy, technique: str = "swapping", status: pd.DataFrame | None = None) -> Swapping:
    """Swapping (or retraining) of every cell, localised; what the store of an experiment lacks is computed now.

    Cells are asked for from the last. The chapter on training goes from the first: two chapters that start together
    share the work, where two that go the same way would wait for one another.

    Args:
        study: the study.
        technique: ``swapping`` or ``retraining``.
        status: of the same cells, if it is known already (``read_training``).
    """
    numbers = study.numbers
    rows = [numbers.rows(cell, technique) for cell in reversed(numbers.cells())]
    status = read_training(study, arms=()).status if status is None else status
    outcomes: dict[Place, dict[int, pd.DataFrame]] = {}
    for task, model, seed in status.loc[status["memorised"], CELL].itertuples(index=False):
        of_cell = numbers.outcomes(CellId(task, model, seed), technique)
        outcomes.setdefault((task, model), {})[seed] = of_cell
    draws = study.profile.resamples
    places = {place: localise(seeds, draws, technique=technique) for place, seeds in outcomes.items()}
    return Swapping(study, status, pd.concat(rows, ignore_index=True), places, technique)
