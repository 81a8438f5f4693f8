"""The same windows weighed in other ways: how much of an M-CoG is the choice of windows (method 7, row 9).

The study's weight of a layer is a mean over window lengths, each of them a mean over the windows of that length that
hold the layer. Windows at the ends are fewer and many are expensive to retrain, so both could be chosen otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memloc.analysis.layers import (
    Window,
    attainable_range,
    centre_of_gravity,
    cover,
    layer_weight,
    layers_of,
    lengths_of,
    memorisation_error,
    relative_depth,
)

USUAL, ONCE, SINGLE = "all lengths alike", "every window once", "single layers"


class Choice(NamedTuple):
    """An M-CoG by one way of weighing windows, what it could be, and where it lies in between (0 to 1)."""

    mcog: float
    bounds: tuple[float, float]
    depth: float


def chosen_lengths(lengths: Sequence[int]) -> str:
    """How a choice of window lengths is called."""
    return f"lengths {', '.join(map(str, lengths))}"


def choices(accuracy: np.ndarray, windows: Sequence[Window], lengths: Sequence[int] = ()) -> dict[str, Choice]:
    """One cell's M-CoG by several ways of weighing its windows.

    Args:
        accuracy: accuracy on noisy examples by window, [W].
        windows: the W windows, all of those of every length that there is.
        lengths: a choice of lengths to look at too, if all of them were measured and there are more.

    Returns:
        By name: every length alike, every window once, the chosen lengths, and single layers where they were measured.
    """
    num_layers, there = layers_of(windows), lengths_of(windows)
    found = {USUAL: _alike(accuracy, windows, num_layers, there), ONCE: _once(accuracy, windows, num_layers, there)}
    if lengths and set(lengths) < set(there):
        found[chosen_lengths(lengths)] = _alike(accuracy, windows, num_layers, lengths)
    if there[0] == 1 and len(there) > 1:
        found[SINGLE] = _alike(accuracy, windows, num_layers, (1,))
    return found


def _alike(accuracy: np.ndarray, windows: Sequence[Window], num_layers: int, lengths: Sequence[int]) -> Choice:
    weight = layer_weight(memorisation_error(accuracy, windows, num_layers, lengths))
    return _choice(float(centre_of_gravity(weight)), attainable_range(windows, num_layers, lengths))


def _once(accuracy: np.ndarray, windows: Sequence[Window], num_layers: int, lengths: Sequence[int]) -> Choice:
    """A layer's weight is the mean error of all windows that hold it, whatever their lengths."""
    counts = (cover(windows, num_layers, lengths) > 0).sum(axis=2)

    def centre(values: np.ndarray) -> float:
        error = memorisation_error(values, windows, num_layers, lengths)
        return float(centre_of_gravity(np.average(error, axis=0, weights=counts)))

    kept = [np.array([not start <= layer < start + k for start, k in windows], float) for layer in (1, num_layers)]
    return _choice(centre(accuracy), (centre(kept[0]), centre(kept[1])))


def _choice(mcog: float, bounds: tuple[float, float]) -> Choice:
    return Choice(mcog, bounds, float(relative_depth(mcog, bounds)))
