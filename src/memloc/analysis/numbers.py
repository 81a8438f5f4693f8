"""The numbers of finished cells, wherever they lie: computed here, or read from a released run.

Figures, tables and claims ask for numbers through this one door and cannot tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pandas as pd

from memloc import tables
from memloc.analysis.status import majority_rate
from memloc.arms import ARMS
from memloc.config import config_key
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile


class HeldOut(NamedTuple):
    """The validation examples of a task: how many, and the share of their most frequent class."""

    rows: int
    majority: float


class Numbers(Protocol):
    """What both ways can tell."""

    @property
    def profile(self) -> Profile:
        """What was run."""

    def cells(self) -> list[CellId]:
        """The cells there are numbers of."""

    def trace(self, cell: CellId, arm: str) -> pd.DataFrame:
        """How an arm was trained (``tables.TRACE``)."""

    def settings(self, cell: CellId) -> tuple[str, ...]:
        """``main``, and the control settings the cell has numbers in (``memloc.arms``)."""

    def rows(self, cell: CellId, technique: str, setting: str = "main") -> pd.DataFrame:
        """The tidy rows of a technique in a setting (``tables.ROWS``)."""

    def outcomes(self, cell: CellId, technique: str) -> pd.DataFrame:
        """Right or wrong, by window and example (``tables.OUTCOMES``)."""

    def detail(self, cell: CellId, technique: str, name: str) -> pd.DataFrame:
        """A table that a technique tells beside its rows (``tables.DETAILS``); released runs keep outcomes and maps."""

    def held_out(self, cell: CellId) -> HeldOut:
        """The validation examples."""

    def classes(self, cell: CellId) -> int:
        """Number of classes C of the task."""

    def key(self, cell: CellId, name: str) -> str:
        """The key of what a number comes from: ``dataset``, an arm, or a technique in its main setting."""

    def asked(self, cell: CellId, technique: str) -> dict[str, Any]:
        """The settings of a technique that stand in its key."""


@dataclass(frozen=True)
class Computed:
    """The numbers of an experiment: what the store lacks is trained and measured now.

    Attributes:
        experiment: what is asked.
        finished: leave out the cells of which the store lacks anything, instead.
    """

    experiment: Experiment
    finished: bool = False

    @property
    def profile(self) -> Profile:
        return self.experiment.profile

    def cells(self) -> list[CellId]:
        every = self.experiment.cells()
        return [cell for cell in every if self.experiment.has(cell)] if self.finished else every

    def trace(self, cell: CellId, arm: str) -> pd.DataFrame:
        return tables.read(self.experiment.checkpoint(cell, arm).file("trace.parquet"), tables.TRACE)

    def settings(self, cell: CellId) -> tuple[str, ...]:
        return self.experiment.settings(cell)

    def rows(self, cell: CellId, technique: str, setting: str = "main") -> pd.DataFrame:
        return tables.read(self.experiment.rows(cell, technique, setting).file("rows.parquet"), tables.ROWS)

    def outcomes(self, cell: CellId, technique: str) -> pd.DataFrame:
        return self.detail(cell, technique, "outcomes")

    def detail(self, cell: CellId, technique: str, name: str) -> pd.DataFrame:
        return tables.read(self.experiment.rows(cell, technique).file(f"{name}.parquet"), tables.DETAILS[name])

    def held_out(self, cell: CellId) -> HeldOut:
        labels = self.experiment.dataset(cell.task).validation["label"]
        return HeldOut(len(labels), majority_rate(labels))

    def classes(self, cell: CellId) -> int:
        return len(self.experiment.dataset(cell.task).labels)

    def key(self, cell: CellId, name: str) -> str:
        if name == "dataset":
            return config_key(self.experiment.dataset_config(cell.task))
        config = self.experiment.checkpoint_config if name in ARMS else self.experiment.technique_config
        return config_key(config(cell, name))

    def asked(self, cell: CellId, technique: str) -> dict[str, Any]:
        return dict(self.experiment.technique_config(cell, technique)["settings"])
