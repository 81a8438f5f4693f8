"""What the benchmark counts by: a cell with an amount of wrong labels, and with the place they are planted into."""

from __future__ import annotations

from typing import NamedTuple

from memloc.config import derived_seed
from memloc.configurations import CellId
from memloc.planted.places import Place


class Amount(NamedTuple):
    """A cell with a share of wrong labels: what a start is trained for."""

    cell: CellId
    noise: float

    @property
    def seed(self) -> int:
        """Of what is drawn while labels are planted: another one for every task and model, or all would share units."""
        return derived_seed("planted", self.cell.task, self.cell.model, self.cell.seed)

    def __str__(self) -> str:
        return f"{self.cell} noise {self.noise:g}"


class PlantedCell(NamedTuple):
    """A cell, a share of wrong labels, and where they are planted."""

    cell: CellId
    noise: float
    place: Place

    def __str__(self) -> str:
        return f"{self.amount} {self.place}"

    @property
    def amount(self) -> Amount:
        return Amount(self.cell, self.noise)
