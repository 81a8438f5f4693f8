"""What a chapter calls to get memorisation maps, and the depths they are to be compared with, by task and model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from memloc.analysis.intervals import Interval, Localisation, share_interval
from memloc.analysis.relation import relation
from memloc.analysis.summary import summary
from memloc.errors import MemlocError
from memloc.publishing.reading import CELL, AnyStudy, ByPlace, Place, read_swapping
from memloc.publishing.reading_techniques import WEIGHING, asked_for

DEPTHS = (*WEIGHING, "centroids")  # the techniques that tell a depth, in the order of all tables
EXPERIMENT_DEPTHS = ("swapping", "centroids")  # those asked of an experiment whose profile does not name them


@dataclass(frozen=True)
class Mapped(ByPlace):
    """Memorisation maps of a study, and layer swapping of the same cells.

    Attributes:
        study, status: as in ``ByPlace``.
        places: (task, model) to where it memorises by swapping, of those that memorised their wrong labels.
        maps: the map (``tables.MAP``) of every (task, model): a map needs no model that memorised.
    """

    study: AnyStudy
    status: pd.DataFrame
    places: dict[Place, Localisation]
    maps: Mapping[Place, pd.DataFrame]

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        maps = [frame.assign(task=task, model=model) for (task, model), frame in self.maps.items()]
        return {"depths-and-scores": self.summary, **({"maps": pd.concat(maps, ignore_index=True)} if maps else {})}

    def mean(self, place: Place, column: str, group: str) -> Interval:
        """Mean of a column of the map over the examples of a group, with Wilson's interval over examples."""
        frame = self.maps[place]
        values = frame.loc[frame["group"] == group, column].dropna().to_numpy()
        if not len(values):
            raise MemlocError(f"map of {place}", f"no {group} example with {column}", "one or more")
        value = float(values.mean())
        return Interval(*(np.array(number) for number in (value, *share_interval(value, len(values)))))

    @cached_property
    def majority(self) -> pd.Series:
        """Share of the most frequent label among validation examples, by (task, model)."""
        return self.status.groupby(["task", "model"])["majority"].mean()

    @cached_property
    def summary(self) -> pd.DataFrame:
        """What ``analysis.relation`` takes, of the cells that memorised; learnt or not, as the claims ask."""
        asked = self.study.profile.techniques
        chosen = [n for n in DEPTHS if n in asked] or [n for n in EXPERIMENT_DEPTHS if asked_for(self.study, n)]
        table = summary(self.study.numbers, [*chosen, "maps"])
        kept = self.status.loc[self.status["memorised"], CELL]
        return table.merge(kept, on=CELL)

    @cached_property
    def relation(self) -> pd.DataFrame:
        """Every depth with every score of how well a task generalises (``analysis.relation``)."""
        return relation(self.summary, resamples=self.study.profile.resamples)


def read_maps(study: AnyStudy) -> Mapped:
    """Maps and swapping of every cell; what the store of an experiment lacks is computed now.

    Raises:
        MemlocError: if a released run does not have maps.
    """
    if not asked_for(study, "maps"):
        raise MemlocError("technique of the released run", "maps", list(study.profile.techniques))
    numbers = study.numbers
    found: dict[Place, list[pd.DataFrame]] = {}
    for cell in numbers.cells():
        found.setdefault((cell.task, cell.model), []).append(numbers.detail(cell, "maps", "map"))
    swapping = read_swapping(study)
    return Mapped(study, swapping.status, swapping.places, {place: together(maps) for place, maps in found.items()})


def together(maps: list[pd.DataFrame]) -> pd.DataFrame:
    """The maps of several seeds as that of one ensemble with all their members."""
    parts = []
    for frame in maps:
        inside, outside = (
            frame[column].fillna(0) * frame[count]
            for column, count in (("memorisation", "models_in"), ("generalisation", "models_out"))
        )
        parts.append(frame.assign(memorisation=inside, generalisation=outside))
    columns = ["memorisation", "generalisation", "models_in", "models_out"]
    sums = pd.concat(parts).groupby(["idx", "group"], sort=False)[columns].sum().reset_index()
    for column, count in (("memorisation", "models_in"), ("generalisation", "models_out")):
        sums[column] = sums[column] / sums[count].replace(0, np.nan)
    counterfactual = (sums["memorisation"] - sums["generalisation"]).clip(lower=0)
    return sums.assign(counterfactual=counterfactual)[maps[0].columns]
