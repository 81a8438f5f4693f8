"""From windows to layers: memorisation error, layer weight, centre of gravity and its attainable range (method 4).

Everything here is arithmetic on accuracies: no model, no texts. The batch axis in front lets a bootstrap compute a
thousand resamples at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memloc.errors import MemlocError

Window = tuple[int, int]


def cover(windows: Sequence[Window], num_layers: int) -> np.ndarray:
    """Which windows E[k, l] averages over, as weights [L, L, W]: 1 / count for windows of length k that hold layer l.

    Layers near the edges lie in fewer windows of a length, so their cells average over fewer (method 7, row 9).

    Raises:
        MemlocError: if some cell has no window.
    """
    start, length = np.array(windows).T
    layers = np.arange(1, num_layers + 1)
    holds = (start[None] <= layers[:, None]) & (layers[:, None] < start[None] + length[None])  # [L, W]
    chosen = holds[None] & (length[None, None] == layers[:, None, None])  # [k, l, W]
    count = chosen.sum(axis=2, keepdims=True)
    if (count == 0).any():
        k, layer, _ = np.argwhere(count == 0)[0] + 1
        raise MemlocError("windows", f"none of length {k} that holds layer {layer}", "all contiguous windows")
    return chosen / count


def memorisation_error(accuracy: np.ndarray, windows: Sequence[Window], num_layers: int) -> np.ndarray:
    """E[k, l] = 1 - mean accuracy on noisy examples over windows of length k that hold layer l.

    Args:
        accuracy: accuracy on noisy examples by window, [..., W].

    Returns:
        [..., L, L], window length first, then layer, both from 1.
    """
    return 1 - np.einsum("...w,klw->...kl", accuracy, cover(windows, num_layers))


def layer_weight(error: np.ndarray) -> np.ndarray:
    """w_l = mean over k of E[k, l]: each window length counts the same. [..., L, L] -> [..., L]."""
    return error.mean(axis=-2)


def centre_of_gravity(weight: np.ndarray) -> np.ndarray:
    """M-CoG = sum l w_l / sum w_l, layers from 1; NaN where all weights are 0. [..., L] -> [...]."""
    layers = np.arange(1, weight.shape[-1] + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weight * layers).sum(axis=-1) / weight.sum(axis=-1)


def attainable_range(windows: Sequence[Window], num_layers: int) -> tuple[float, float]:
    """The M-CoG of memory that sits wholly in layer 1, and wholly in layer L.

    Averaging over windows pulls every layer's weight to the middle: with 12 layers the two are 4.29 and 8.71, and no
    M-CoG can be read without them.
    """
    start, length = np.array(windows).T
    ends = []
    for layer in (1, num_layers):
        forgets = (start <= layer) & (layer < start + length)
        error = memorisation_error(1.0 - forgets, windows, num_layers)
        ends.append(float(centre_of_gravity(layer_weight(error))))
    return ends[0], ends[1]


def relative_depth(mcog: np.ndarray | float, bounds: tuple[float, float]) -> np.ndarray:
    """An M-CoG along its attainable range: 0 is memory wholly in layer 1, 1 wholly in layer L, whatever L is."""
    return (np.asarray(mcog) - bounds[0]) / (bounds[1] - bounds[0])


def window_accuracy(rows: pd.DataFrame, group: str = "noisy") -> tuple[list[Window], np.ndarray]:
    """Windows and their accuracies [W] from the tidy rows of one cell.

    Raises:
        MemlocError: if a window occurs twice: rows of several cells or seeds are mixed.
    """
    chosen = rows[(rows["metric"] == "accuracy") & (rows["group"] == group)]
    chosen = chosen.sort_values(["window_start", "window_length"])
    windows = list(zip(chosen["window_start"].astype(int), chosen["window_length"].astype(int), strict=True))
    if len(set(windows)) != len(windows):
        raise MemlocError("rows", f"{len(windows)} rows for {len(set(windows))} windows", "the rows of one cell")
    return windows, chosen["value"].to_numpy(float)


def layers_of(windows: Sequence[Window]) -> int:
    """L, from the windows themselves."""
    return max(start + length - 1 for start, length in windows)
