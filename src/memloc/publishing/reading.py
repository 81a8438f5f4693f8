"""What a chapter calls to get its data: a study from its parameters, then training or swapping of all its cells.

What a study is says ``studies.py``; what follows does not care which kind it gets.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from memloc.analysis.intervals import Localisation, localise
from memloc.analysis.status import cell_status
from memloc.claims import load_claims
from memloc.claims.schema import Claims
from memloc.config import program
from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile, load_profile
from memloc.profiles.loading import GENERATED
from memloc.publishing import project_root
from memloc.publishing.recomputing import made_afresh
from memloc.publishing.studies import (
    RENEW,
    AnyStudy,
    ReleasedStudy,
    Study,
    leaves_out,
    names_of,
    numbers_of,
    reads_released,
    recomputes,
)
from memloc.publishing.style import sort_models, sort_tasks
from memloc.released import read_release

CELL = ["task", "model", "seed"]
Place = tuple[str, str]  # a task and a model: a panel of a figure


@functools.cache
def rules() -> Claims:
    """The rules of the claims. To read and check them takes a fifth of a second, and a page asks at every finding."""
    return load_claims()


def open_release(name: str = "small") -> ReleasedStudy | None:
    """The released run of that name in ``results/`` of the book's folder; None if there is none.

    Where released runs are to be computed afresh it is this run made anew (``recomputing``).

    Raises:
        MemlocError: if it is there but altered, incomplete, or of another version.
    """
    root = project_root()
    folder = root / "results" / name
    if not folder.exists():
        return None
    if recomputes():
        folder = made_afresh(folder)
    return ReleasedStudy(read_release(folder), os.path.relpath(folder, root))


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
        MemlocError: for an unknown profile, source, task or model; or if released tables are to be shown and there are
            none of this run.
    """
    chosen_tasks, chosen_models, chosen_seeds = names_of(tasks), names_of(models), numbers_of(seeds)
    whole = load_profile(profile)
    narrowed = whole.narrowed(chosen_tasks, chosen_models, chosen_seeds, source)
    given = {
        "source": source,
        "tasks": ",".join(chosen_tasks or ()),
        "models": ",".join(chosen_models or ()),
        "seeds": ",".join(map(str, chosen_seeds or ())),
        "device": device if device != "auto" else None,
    }
    command = " ".join([f"{program()} run --profile {profile}", *(f"--{k} {v}" for k, v in given.items() if v)])
    experiment = Experiment(narrowed, device=device)
    released = _release_of(experiment, whole) if reads_released() else None
    return Study(experiment, command, leaves_out(), released)


def _release_of(experiment: Experiment, whole: Profile) -> ReleasedStudy:
    """The released numbers of an experiment's cells. Texts are not released, so they must be generated ones.

    Args:
        whole: the profile that the experiment is a part of.
    """
    found = open_release(whole.name) if experiment.profile.source == GENERATED else None
    if found is None:
        raise MemlocError("profile to read", whole.name, "one of generated tasks that lies in results/")
    if replace(found.release.profile, purpose=whole.purpose) != whole:
        raise MemlocError(f"settings of {found.folder}", "not those of the profile", f"a release of it: {RENEW}")
    cells = experiment.cells()
    part = found.release.narrowed(lambda cell: cell in cells)
    if not part.cells():
        raise MemlocError("cells to read", list(map(str, cells)), list(map(str, found.release.cells())))
    return replace(found, release=part)


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

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        """How cells ended, and the last epoch of every arm."""
        arm = self.traces.groupby([*CELL, "arm"])["epoch"]
        return {"status": self.status, "ends": self.traces[self.traces["epoch"] == arm.transform("max")]}


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

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        """The rows that its numbers are computed from, by name."""
        return {"status": self.status, **self._own_rows()}

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        return {}

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

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        return {self.technique: self.rows}


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
