"""What the chapter on the number of classes calls: tasks beside their variants of two classes, from a released run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.intervals import Interval
from memloc.analysis.orders import mean_over_tasks, same_order
from memloc.analysis.weights import LayerWeights
from memloc.data.catalogue import get_task
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.publishing.figures_centroids import EVENTS, events_of
from memloc.publishing.reading import AnyStudy, ByPlace, Place, open_release
from memloc.publishing.reading_techniques import WEIGHING, Beside, Told, asked_for, read_beside, read_told
from memloc.publishing.style import sort_models, sort_tasks

RUN = "binarised"  # the profile, and the folder of its release
CENTRE = "M-CoG"
FORMS = ("multi", "two")  # columns: of a task, and of its variant


@dataclass(frozen=True)
class Binarised(ByPlace):
    """Tasks of many classes and their variants, as one run has both.

    Attributes:
        study, status: as in ``ByPlace``.
        places: (task, model) to layer weights by technique, of variants too.
        beside: the techniques that weigh layers.
        centroids: the centroid analysis, where the run has it.
    """

    study: AnyStudy
    status: pd.DataFrame
    places: dict[Place, dict[str, LayerWeights]]
    beside: Beside
    centroids: Told | None

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Tasks and their variants, of those that the run has both of, in the order of all figures."""
        tasks = self.study.profile.tasks
        found = {base: name for name in tasks if (base := get_task(name).binarised_from) in tasks and base}
        return [(base, found[base]) for base in sort_tasks(found)]

    @property
    def models(self) -> list[str]:
        """Models in the order of all figures."""
        return sort_models(self.study.profile.models)

    @cached_property
    def values(self) -> pd.DataFrame:
        """One row a measure, task and model for which both forms are known.

        Columns ``technique, metric, task, model``; ``multi, two`` (in layers); ``multi_along, two_along``, the same on
        a scale that models of all depths share: M-CoG along its attainable range, events as shares of L + 1.
        """
        rows = [row for row in self._rows() if np.isfinite([row[form] for form in FORMS]).all()]
        names = ["technique", "metric", "task", "model", *FORMS, *(f"{form}_along" for form in FORMS)]
        return pd.DataFrame(rows, columns=names)

    def _rows(self) -> Iterator[dict[str, Any]]:
        events = _events(self.centroids)
        for base, variant in self.pairs:
            for model in self.models:
                forms = dict(zip(FORMS, ((base, model), (variant, model)), strict=True))
                start = {"task": base, "model": model}
                for technique in self.beside.told if all(place in self.places for place in forms.values()) else ():
                    found = {form: self.places[place][technique] for form, place in forms.items()}
                    own = {form: weights.mcog for form, weights in found.items()}
                    along = {f"{form}_along": weights.relative for form, weights in found.items()}
                    yield {"technique": technique, "metric": CENTRE, **start, **own, **along}
                for event in EVENTS["centroids"] if all(place in events for place in forms.values()) else ():
                    own = {form: events[place][event] for form, place in forms.items()}
                    along = {f"{form}_along": value / (get_model(model).layers + 1) for form, value in own.items()}
                    yield {"technique": "centroids", "metric": event, **start, **own, **along}

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Do tasks keep their order with two classes? By measure, over all models and in each (``analysis.orders``)."""
        made = []
        for (technique, metric), part in self.values.groupby(["technique", "metric"], sort=False):
            many, two = (part.pivot(index="task", columns="model", values=f"{form}_along") for form in FORMS)
            own = [model for model in self.models if model in many]
            found = same_order(many[own], two[own], self.study.profile.resamples)
            made.append(found.assign(technique=str(technique), metric=str(metric)))
        return pd.concat(made, ignore_index=True) if made else pd.DataFrame(columns=["technique", "metric", "model"])

    def difference(self, technique: str, metric: str = CENTRE, absolute: bool = False) -> Interval:
        """Two classes less many, in layers: the mean over tasks of means over models; whole tasks are resampled."""
        part = self.values[(self.values["technique"] == technique) & (self.values["metric"] == metric)]
        change = part["two"] - part["multi"]
        means = (change.abs() if absolute else change).groupby(part["task"]).mean()
        return mean_over_tasks(means, self.study.profile.resamples)


def _events(centroids: Told | None) -> dict[Place, dict[Any, Any]]:
    """Events of the centroid analysis by (task, model)."""
    found = events_of(centroids).to_dict("records") if centroids else []
    return {(row["task"], row["model"]): row for row in found}


def open_binarised(name: str = RUN) -> Binarised | None:
    """The released run with tasks in both forms; None if this copy has none."""
    study = open_release(name)
    return read_binarised(study) if study else None


def read_binarised(study: AnyStudy) -> Binarised:
    """A run with tasks in both forms.

    Raises:
        MemlocError: if it has no task in both forms, or no technique that weighs layers.
    """
    weighing = [name for name in WEIGHING if asked_for(study, name)]
    if not weighing:
        raise MemlocError("techniques of the binarised run", list(study.profile.techniques), WEIGHING)
    beside = read_beside(study, weighing)
    told = read_told(study, "centroids", beside.status) if asked_for(study, "centroids") else None
    found = Binarised(study, beside.status, beside.places, beside, told)
    if not found.pairs:
        raise MemlocError(
            "tasks of the binarised run", list(study.profile.tasks), "a task and its variant, as trec, trecv2"
        )
    return found
