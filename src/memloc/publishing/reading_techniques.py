"""What a chapter calls to get the rows of any technique, by task and model, and the layer weights they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from memloc.analysis.curves import trained_arm
from memloc.analysis.intervals import WINDOWED, Interval, centre_over_seeds
from memloc.analysis.summary import weight_metrics
from memloc.analysis.weights import LayerWeights, layer_weights
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId
from memloc.publishing.reading import CELL, AnyStudy, ByPlace, Place, read_swapping, read_training

WEIGHING = ("swapping", "retraining", "gradients", "probing")  # those that weigh layers, in the order of all figures


@dataclass(frozen=True)
class Told(ByPlace):
    """What one technique told of all cells of a study.

    Attributes:
        study, status: as in ``ByPlace``.
        technique: its name.
        places: (task, model) to tidy rows, one frame a seed that memorised.
    """

    study: AnyStudy
    status: pd.DataFrame
    technique: str
    places: dict[Place, list[pd.DataFrame]]
    _known: dict[tuple[Place, str | None], LayerWeights] = field(default_factory=dict, compare=False, repr=False)

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        rows = [frame for seeds in self.places.values() for frame in seeds]
        return {self.technique: pd.concat(rows, ignore_index=True)} if rows else {}

    @cached_property
    def weights(self) -> dict[Place, LayerWeights]:
        """Layer weights by the technique's default rule."""
        return {place: self.weights_of(place, seeds) for place, seeds in self.places.items()}

    def weights_of(self, place: Place, seeds: list[pd.DataFrame], variant: str | None = None) -> LayerWeights:
        """Layer weights of some seeds of a place by one of the rules of ``analysis.weights.variants``."""
        if seeds is not self.places[place]:
            return layer_weights(seeds, variant, num_layers=get_model(place[1]).layers)
        if (place, variant) not in self._known:  # a page asks for those of all seeds again and again
            self._known[place, variant] = layer_weights(seeds, variant, num_layers=get_model(place[1]).layers)
        return self._known[place, variant]

    def centre(self, place: Place) -> Interval:
        """M-CoG by the default rule, with an interval over seeds where there are enough."""
        return centre_over_seeds(self.places[place], resamples=self.study.profile.resamples)

    def mean(self, place: Place, metric: str, group: str | None = None, first: int = 1, arm: str = "") -> np.ndarray:
        """A metric by layer, the mean over seeds, float64 [L + 1 - first]; NaN at layers that a seed does not tell.

        Args:
            arm: by default the one that memorised.
        """
        last = get_model(place[1]).layers
        seeds = [_by_layer(rows, arm or trained_arm(rows), metric, group, first, last) for rows in self.places[place]]
        return np.mean(seeds, axis=0)

    def seeds(self, place: Place) -> int:
        """Number of seeds that memorised."""
        return len(self.places[place])

    def has_arm(self, place: Place, arm: str) -> bool:
        """Whether every seed has rows of an arm; without a name, of the one that memorised, which they always have."""
        return not arm or all((rows["arm"] == arm).any() for rows in self.places[place])


def _by_layer(rows: pd.DataFrame, arm: str, metric: str, group: str | None, first: int, last: int) -> np.ndarray:
    chosen = rows[(rows["arm"] == arm) & (rows["metric"] == metric) & rows["layer"].notna()]
    chosen = chosen[chosen["group"].isna() if group is None else chosen["group"] == group]
    return chosen.set_index(chosen["layer"].astype(int))["value"].reindex(range(first, last + 1)).to_numpy(float)


def asked_for(study: AnyStudy, technique: str) -> bool:
    """Whether a study can tell of a technique: an experiment computes what it lacks, a released run cannot."""
    return study.computes or technique in study.profile.techniques


def read_told(study: AnyStudy, technique: str, status: pd.DataFrame | None = None) -> Told:
    """The rows of a technique on every cell; what the store of an experiment lacks is computed now.

    Args:
        study: the study.
        technique: its name.
        status: of the same cells, if it is known already (``read_training``).

    Raises:
        MemlocError: if a released run does not have the technique.
    """
    if not asked_for(study, technique):
        raise MemlocError("technique of the released run", technique, list(study.profile.techniques))
    numbers = study.numbers
    rows = {cell: numbers.rows(cell, technique) for cell in reversed(numbers.cells())}
    status = read_training(study, arms=()).status if status is None else status
    places: dict[Place, list[pd.DataFrame]] = {}
    for task, model, seed in status.loc[status["memorised"], CELL].itertuples(index=False):
        places.setdefault((task, model), []).append(rows[CellId(task, model, seed)])
    return Told(study, status, technique, places)


@dataclass(frozen=True)
class Beside(ByPlace):
    """The techniques of a study side by side.

    Attributes:
        study, status: as in ``ByPlace``.
        told: technique to what it told, in the order of all figures.
        missing: techniques that the study does not have.
        places: (task, model) to layer weights by technique.
        centres: (task, model) to M-CoG with intervals by technique.
    """

    study: AnyStudy
    status: pd.DataFrame
    told: Mapping[str, Told]
    missing: tuple[str, ...]
    places: dict[Place, dict[str, LayerWeights]]
    centres: dict[Place, dict[str, Interval]]

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        return {name: rows for told in self.told.values() for name, rows in told._own_rows().items()}

    def table(self) -> pd.DataFrame:
        """Layer weights and M-CoG of the places that count, as ``analysis.agreement`` takes them (seeds averaged)."""
        rows = [
            (*place, technique, *metric)
            for place in self.counted
            for technique, weights in self.places[place].items()
            for metric in weight_metrics(weights)
        ]
        columns = ["task", "model", "technique", "metric", "layer", "value"]
        return pd.DataFrame(rows, columns=columns).astype({"layer": "Float64", "value": float})


def read_beside(study: AnyStudy, techniques: Sequence[str] = WEIGHING) -> Beside:
    """All techniques that weigh layers, as far as the study has them."""
    told = {name: read_told(study, name) for name in techniques if asked_for(study, name)}
    status = next(iter(told.values())).status
    found = next(iter(told.values())).places
    places = {place: {name: of.weights[place] for name, of in told.items()} for place in found}
    windowed = {name: read_swapping(study, name).places for name in told if name in WINDOWED}
    centres = {
        place: {name: windowed[name][place].mcog if name in windowed else of.centre(place) for name, of in told.items()}
        for place in found
    }
    return Beside(study, status, told, tuple(name for name in techniques if name not in told), places, centres)
