"""A localiser as a reader would write it: the chapter on planted memorisation shows these lines and runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memloc.techniques.base import Cell
from memloc.techniques.localiser import localiser


@localiser("distance_moved", arms=("perturbed", "normal"))
def distance_moved(cell: Cell, settings: Mapping[str, Any]) -> list[float]:
    """How far the weights of each layer lie from those of the model without wrong labels."""
    after, before = cell.load("perturbed"), cell.load("normal")
    moved = []
    for n in range(1, after.num_layers + 1):
        pairs = zip(after.layer(n).parameters(), before.layer(n).parameters(), strict=True)
        moved.append(sum(float((a - b).detach().norm()) for a, b in pairs))
    return moved
