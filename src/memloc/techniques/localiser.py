"""A technique from one function: ``@localiser("name")`` on a function from a cell to weights over layers.

    @localiser("moved", arms=("perturbed", "pretrained"), defaults={"power": 2.0})
    def moved(cell, settings):
        after, before = cell.load("perturbed"), cell.load("pretrained")
        return [distance(after.layer(n), before.layer(n), settings["power"]) for n in range(1, after.num_layers + 1)]

is all that a new entry needs: the pipeline, ``memloc localise`` and the benchmark with planted memorisation know it by
its name from then on. Nothing is run that a profile, or a user, does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from memloc.errors import MemlocError
from memloc.techniques.base import Cell, Result, register_technique


@dataclass(frozen=True)
class Located:
    """What a localiser says.

    Attributes:
        weights: of layers 1..L, [L], each 0 or more; their sum does not matter. All 0: it found nothing.
        units: scores of the feed-forward units, [L, F], higher for those pointed to, of any sign; or None.
    """

    weights: np.ndarray
    units: np.ndarray | None = None


Find = Callable[[Cell, Mapping[str, Any]], "Located | np.ndarray | Sequence[float]"]
F = TypeVar("F", bound=Find)


class _Localiser:
    """A function as a technique; see `localiser`."""

    name: ClassVar[str]
    version: ClassVar[int]
    arms: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]]
    defaults: ClassVar[Mapping[str, Any]]
    find: ClassVar[Find]

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        return told(self.name, type(self).find(cell, settings), len(cell.train))


def localiser(
    name: str,
    *,
    version: int = 1,
    arms: Sequence[str] = ("perturbed",),
    optional: Sequence[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Decorator: make a technique of a function ``(cell, settings) -> weights of the layers`` (or a `Located`).

    Args:
        name, version, arms, optional, defaults: as in `memloc.techniques.base.Technique`.

    Returns:
        The function as it was, so that it can be called and tested by itself.

    Raises:
        MemlocError: if the name is no text, or taken by another technique.
    """
    if not isinstance(name, str) or not name:
        raise MemlocError("name of a localiser", name, 'a text, as in @localiser("moved")')

    def register(find: F) -> F:
        told_by = {"name": name, "version": version, "arms": tuple(arms), "optional": tuple(optional)}
        made = type(name, (_Localiser,), {**told_by, "defaults": dict(defaults), "find": staticmethod(find)})
        made.__module__ = find.__module__
        made.__qualname__ = f"{find.__module__}.{find.__qualname__}"  # another function of that name is refused
        made.__doc__ = find.__doc__
        register_technique(made)
        return find

    return register


def told(name: str, found: Located | np.ndarray | Sequence[float], n: int) -> Result:
    """Rows and details of what a localiser found: weights that sum to 1, or are all 0 where it found nothing.

    Nothing found stays that: equal weights would say that memory is spread over all layers.

    Raises:
        MemlocError: for weights or scores of another shape than [L] and [L, F], or that are negative or not finite.
    """
    located = found if isinstance(found, Located) else Located(np.asarray(found))
    weights = np.asarray(located.weights, dtype=np.float64)
    if weights.ndim != 1 or not len(weights):
        raise MemlocError(f"layer weights of {name}", f"shape {weights.shape}", "one number for each layer")
    for layer, weight in enumerate(weights, 1):
        if not weight >= 0 or np.isinf(weight):
            raise MemlocError(f"weight of layer {layer} of {name}", float(weight), "a finite number, 0 or more")
    rows = pd.DataFrame({"layer": np.arange(1, len(weights) + 1), "value": weights / (weights.sum() or 1.0)})
    rows = rows.assign(arm="perturbed", metric="layer_weight", n=n)
    return Result(rows, {} if located.units is None else {"units": _units(name, np.asarray(located.units), weights)})


def _units(name: str, scores: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    if scores.ndim != 2 or len(scores) != len(weights):
        raise MemlocError(f"unit scores of {name}", f"shape {scores.shape}", f"{len(weights)} layers by F units")
    if not np.isfinite(scores).all():
        layer, unit = np.argwhere(~np.isfinite(scores))[0]
        raise MemlocError(f"score of unit {unit} in layer {layer + 1} of {name}", "not finite", "finite numbers")
    layers, units = np.indices(scores.shape)
    columns = {"layer": layers.ravel() + 1, "unit": units.ravel(), "score": scores.ravel().astype(np.float64)}
    return pd.DataFrame(columns).assign(arm="perturbed")


def top_units(share: float, units: int) -> int:
    """How many units a share of them is: one at least.

    Raises:
        MemlocError: for a share that is none.
    """
    if not 0 < share <= 1:
        raise MemlocError("share of the units", share, "more than 0, at most 1")
    return max(1, round(share * units))


def located_by_units(scores: np.ndarray, share: float) -> Located:
    """Layer weights from the scores of units: what the k best add up to in each layer, k = ``share`` of all units.

    Units that are level for the last places share them, so that no layer gains by standing first. A unit whose score is
    not positive is never counted.

    Args:
        scores: [L, F].
    """
    k = top_units(share, scores.size)
    last = np.partition(scores, scores.size - k, axis=None)[scores.size - k]  # the k-th best
    above, level = scores > last, scores == last
    part = (k - above.sum()) / level.sum()
    counted = np.maximum(scores, 0) * (above + part * level)
    return Located(counted.sum(axis=1), scores)
