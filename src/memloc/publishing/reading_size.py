"""What the chapter on size calls: models of several depths and widths on the same tasks, whichever run has them.

Released runs differ in models, tasks and techniques. Each model is taken from the first run that has what is asked, so
that one model is never a mixture of two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd

from memloc.analysis.intervals import Interval, Localisation
from memloc.analysis.layers import attainable_range, layer_share, relative_depth
from memloc.analysis.orders import between_columns
from memloc.analysis.study import event_by_task, published
from memloc.data.catalogue import get_task
from memloc.models.catalogue import get_model
from memloc.publishing.figures_centroids import EVENTS, events_of
from memloc.publishing.reading import AnyStudy, Place, ReleasedStudy, Swapping, open_release, read_swapping
from memloc.publishing.reading_atlas import narrowed
from memloc.publishing.reading_scale import Calculated, calculate
from memloc.publishing.reading_techniques import Told, asked_for, read_told
from memloc.publishing.sources import PACKAGE
from memloc.publishing.style import sort_models, sort_tasks
from memloc.publishing.tabulate_depth import depth
from memloc.publishing.tabulate_speed import FOLDER
from memloc.sealed import MANIFEST
from memloc.windows import windows

RUNS = ("small", "techniques", "maps", "nano")  # released runs that may hold models, in this order
CENTRE = "M-CoG"
READINGS = ("share", "depth")  # of an M-CoG: share of the layers below it, and its place along the attainable range
LARGER, SAME_FAMILY = "opt-1.3b", "opt-125m"  # of the study: its larger model, and the smaller one of that family
SMALLER = ("bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m")
MEAN = "mean of the study's four"
RESAMPLES = 1000
CALCULATED = "larger"  # the profile that would run the larger model
COST_FILES = (PACKAGE / "profiles" / f"{CALCULATED}.yml", f"{FOLDER}/tokens.parquet", f"{FOLDER}/steps.parquet")
T = TypeVar("T", Swapping, Told)


@dataclass(frozen=True)
class Sized:
    """Models of several sizes.

    Attributes:
        swapping: by released run, layer swapping of the models that are taken from it.
        centroids: the same of the centroid analysis.
    """

    swapping: dict[str, Swapping]
    centroids: dict[str, Told]

    @cached_property
    def places(self) -> dict[Place, Localisation]:
        """(task, model) to where it memorises by swapping, of those that memorised their wrong labels."""
        return {place: found for part in self.swapping.values() for place, found in part.places.items()}

    @cached_property
    def counted(self) -> set[Place]:
        """The places conclusions rest on."""
        return {place for part in self.swapping.values() for place in part.counted}

    @cached_property
    def all_places(self) -> list[Place]:
        """Every (task, model), memorised or not, a task after the other."""
        found = {place for part in self.swapping.values() for place in part.all_places}
        return [(task, model) for task in self.tasks for model in self.models if (task, model) in found]

    @cached_property
    def models(self) -> list[str]:
        """From the fewest layers to the most, of one depth from the narrowest; then in the catalogue's order."""
        names = sort_models({model for part in self.swapping.values() for model in part.study.profile.models})
        return sorted(names, key=lambda name: (get_model(name).layers, get_model(name).hidden))

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks of any model, in the order of all figures."""
        return sort_tasks({task for part in self.swapping.values() for task in part.study.profile.tasks})

    def run_of(self, model: str) -> str:
        """The run that a model's swapping is taken from."""
        return next(run for run, part in self.swapping.items() if model in part.study.profile.models)

    def centres(self, reading: str) -> pd.DataFrame:
        """The M-CoG by swapping in one of ``READINGS``, tasks by models; NaN where nothing was memorised."""
        return self._grid({place: float(read_off(of.mcog, of, reading).value) for place, of in self.places.items()})

    def events(self, event: str) -> pd.DataFrame:
        """An event of the centroid analysis as a share of L + 1, tasks by models."""
        found = {}
        for part in self.centroids.values():
            for row in events_of(part).to_dict("records"):
                found[row["task"], row["model"]] = row[event] / (get_model(row["model"]).layers + 1)
        return self._grid(found)

    def _grid(self, found: dict[Place, float]) -> pd.DataFrame:
        values = [[found.get((task, model), np.nan) for model in self.models] for task in self.tasks]
        grid = pd.DataFrame(values, index=self.tasks, columns=self.models, dtype=float)
        return grid.loc[:, grid.notna().any()]

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Do every two models put the tasks in the same order? By measure: M-CoG by swapping, and both events.

        Within a model every reading of the M-CoG has the same order.
        """
        grids = {CENTRE: self.centres(READINGS[0]), **{event: self.events(event) for event in EVENTS["centroids"]}}
        made = [between_columns(grid, RESAMPLES).assign(measure=name) for name, grid in grids.items()]
        return pd.concat(made, ignore_index=True)

    @property
    def studies(self) -> dict[str, ReleasedStudy]:
        """The runs that anything is taken from, by name, narrowed to that."""
        found = {run: part.study for run, part in (*self.swapping.items(), *self.centroids.items())}
        return {run: study for run, study in found.items() if isinstance(study, ReleasedStudy)}

    @property
    def folders(self) -> list[str]:
        """Of these releases, as seen from the root of the book."""
        return [study.folder for study in self.studies.values()]

    def made(self, technique: str) -> str:
        """For the end of a caption: where the numbers of swapping, or of the centroid analysis, are from."""
        found = self.swapping if technique == "swapping" else self.centroids
        studies = [part.study for part in found.values() if isinstance(part.study, ReleasedStudy)]
        if not studies:
            return "No released run is in this copy of the book."
        origins = " ".join(dict.fromkeys(f"**{study.origin}**" for study in studies))
        commands = "; ".join(f"`memloc run --profile {study.profile.name}`" for study in studies)
        keys = ", ".join(f"`{study.folder}/{MANIFEST}`" for study in studies)
        return f"{origins} Data: {commands}; keys: {keys}."


def open_size(runs: Sequence[str] = RUNS) -> Sized:
    """Models of all sizes in the released runs of these names, as far as there are any."""
    return read_size({run: study for run in runs if (study := open_release(run))})


def read_size(studies: dict[str, ReleasedStudy]) -> Sized:
    """Each model from the first run that has swapping of it, and from the first that has its centroid analysis.

    Models with random weights are left out: what they have not read is not a matter of size.
    """
    swapping = _first(studies, "swapping", read_swapping)
    return Sized(swapping, _first(studies, "centroids", lambda study: read_told(study, "centroids")))


def _first(studies: dict[str, ReleasedStudy], technique: str, read: Callable[[AnyStudy], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    taken: set[str] = set()
    for run, study in studies.items():
        if asked_for(study, technique):
            own = {model for model in study.profile.models if get_model(model).pretrained} - taken
            if part := _part(study, own):
                found[run] = read(part)
                taken |= own
    return found


def _part(study: ReleasedStudy, models: set[str]) -> ReleasedStudy | None:
    """A run's cells of some models; variants of two classes are another chapter's."""
    return narrowed(study, lambda cell: cell.model in models and get_task(cell.task).binarised_from is None)


def read_off(mcog: Interval, of: Localisation, reading: str) -> Interval:
    """An M-CoG with its interval in one of ``READINGS``."""
    if reading == READINGS[1]:
        return depth(mcog, of.bounds)
    return Interval(*(layer_share(value, len(of.weight.value)) for value in (mcog.value, mcog.low, mcog.high)))


def study_centres(reading: str, models: Sequence[str] = (*SMALLER, LARGER)) -> pd.DataFrame:
    """The study's M-CoG by swapping in one of ``READINGS``, tasks by models."""
    found = {}
    for of in (published(model=model) for model in models):
        bounds = attainable_range(windows(of.layers), of.layers)
        values = np.array(list(of.tasks.values()), float)
        read = layer_share(values, of.layers) if reading == READINGS[0] else relative_depth(values, bounds)
        found[of.model] = pd.Series(read, index=list(of.tasks))
    grid = pd.DataFrame(found)
    return grid.loc[sort_tasks(grid.index)]


def study_events(event: str) -> pd.DataFrame:
    """The study's event as a share of L + 1 by task: the mean of its smaller models, and its larger model's.

    Crossings of the smaller models are known by model, their initiation as means over models, of ten tasks.
    """
    large = published("centroids", event, LARGER)
    if event == "crossing":
        known = [published("centroids", event, model) for model in SMALLER]
        small = pd.DataFrame({of.model: pd.Series(of.tasks) / (of.layers + 1) for of in known}).mean(axis=1)
    else:
        layers = {task: layer for task, (layer, _) in event_by_task(event).items()}
        small = pd.Series(layers) / (get_model(SMALLER[0]).layers + 1)
    grid = pd.DataFrame({MEAN: small, LARGER: pd.Series(large.tasks) / (large.layers + 1)}).dropna()
    return grid.loc[sort_tasks(grid.index)]


def read_cost(tflops: Sequence[float], call_ms: float) -> Calculated:
    """What the study's larger model would take: one seed of its twelve tasks, two arms, swapping and centroids.

    Args:
        tflops, call_ms: as for ``reading_scale.calculate``.
    """
    return calculate(tflops, call_ms, CALCULATED)
