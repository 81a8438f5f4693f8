"""From windows to layers: memorisation error, layer weight, centre of gravity and its attainable range (method 4).

Everything here is arithmetic on accuracies: no model, no texts. The batch axis in front lets a bootstrap compute a
thousand resamples at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memloc.errors import MemlocError
from memloc.windows import Window


def lengths_of(windows: Sequence[Window]) -> tuple[int, ...]:
    """The window lengths that were measured, in order.

    Raises:
        MemlocError: if one of them lacks a window: its row of E would average over other windows than it says.
    """
    num_layers = layers_of(windows)
    for length in sorted({k for _, k in windows}):
        starts = {s for s, k in windows if k == length}
        if missing := sorted(set(range(1, num_layers - length + 2)) - starts):
            accepted = f"all {num_layers - length + 1} windows of a length, from layer 1 on"
            raise MemlocError(f"windows of length {length}", f"none from layer {missing[0]}", accepted)
    return tuple(sorted({k for _, k in windows}))


def cover(windows: Sequence[Window], num_layers: int, lengths: Sequence[int] | None = None) -> np.ndarray:
    """Which windows E[k, l] averages over, as weights [K, L, W]: 1 / count for windows of length k that hold layer l.

    Layers near the edges lie in fewer windows of a length, so their cells average over fewer (method 7, row 9).

    Args:
        lengths: the K window lengths E has a row for; all of 1..L by default.

    Raises:
        MemlocError: if some cell has no window.
    """
    start, length = np.array(windows).T
    layers = np.arange(1, num_layers + 1)
    rows = layers if lengths is None else np.asarray(lengths)
    holds = (start[None] <= layers[:, None]) & (layers[:, None] < start[None] + length[None])  # [L, W]
    chosen = holds[None] & (length[None, None] == rows[:, None, None])  # [k, l, W]
    count = chosen.sum(axis=2, keepdims=True)
    if (count == 0).any():
        k, layer, _ = np.argwhere(count == 0)[0]
        raise MemlocError("windows", f"none of length {rows[k]} that holds layer {layer + 1}", "all contiguous windows")
    return chosen / count


def memorisation_error(
    accuracy: np.ndarray, windows: Sequence[Window], num_layers: int, lengths: Sequence[int] | None = None
) -> np.ndarray:
    """E[k, l] = 1 - mean accuracy on noisy examples over windows of length k that hold layer l.

    Args:
        accuracy: accuracy on noisy examples by window, [..., W].
        lengths: as in ``cover``.

    Returns:
        [..., K, L], window length first, then layer, both from 1 where all lengths are there (K = L).
    """
    return 1 - np.einsum("...w,klw->...kl", accuracy, cover(windows, num_layers, lengths))


def rescaled(accuracy: np.ndarray, windows: Sequence[Window], num_layers: int) -> np.ndarray:
    """Retraining's a' = (a - m) / (1 - m), m = accuracy after all layers were retrained: what any start guesses right.

    Args:
        accuracy: accuracy on noisy examples by window, [..., W].

    Returns:
        [..., W]; NaN where m = 1: examples that no retraining forgets have no place.

    Raises:
        MemlocError: if the window of all layers was not measured.
    """
    if (1, num_layers) not in windows:
        raise MemlocError("windows of retraining", f"none of all {num_layers} layers", "it too: it is what m is")
    whole = accuracy[..., list(windows).index((1, num_layers)), None]
    room = np.where(whole < 1, 1 - whole, np.nan)
    return (accuracy - whole) / room


def layer_weight(error: np.ndarray) -> np.ndarray:
    """w_l = mean over k of E[k, l]: each window length counts the same. [..., K, L] -> [..., L]."""
    return error.mean(axis=-2)


def centre_of_gravity(weight: np.ndarray) -> np.ndarray:
    """M-CoG = sum l w_l / sum w_l, layers from 1; NaN where all weights are 0. [..., L] -> [...]."""
    layers = np.arange(1, weight.shape[-1] + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weight * layers).sum(axis=-1) / weight.sum(axis=-1)


def attainable_range(
    windows: Sequence[Window], num_layers: int, lengths: Sequence[int] | None = None
) -> tuple[float, float]:
    """The M-CoG of memory that sits wholly in layer 1, and wholly in layer L.

    Averaging over windows pulls every layer's weight to the middle: with 12 layers the two are 4.29 and 8.71, and no
    M-CoG can be read without them. With chosen window lengths they are others.
    """
    start, length = np.array(windows).T
    ends = []
    for layer in (1, num_layers):
        forgets = (start <= layer) & (layer < start + length)
        error = memorisation_error(1.0 - forgets, windows, num_layers, lengths)
        ends.append(float(centre_of_gravity(layer_weight(error))))
    return ends[0], ends[1]


def relative_depth(mcog: np.ndarray | float, bounds: tuple[float, float]) -> np.ndarray:
    """An M-CoG along its attainable range: 0 is memory wholly in layer 1, 1 wholly in layer L, whatever L is.

    NaN where the range is a point: windows of all layers alone tell nothing of depth.
    """
    width = bounds[1] - bounds[0]
    return (np.asarray(mcog) - bounds[0]) / (width if width > 0 else np.nan)


def layer_share(mcog: np.ndarray | float, num_layers: int) -> np.ndarray:
    """The share of the layers that lies below an M-CoG; layer l of L covers from (l - 1) / L to l / L.

    Memory spread in one way over the same share of a deeper model has nearly the same one, and not the same relative
    depth: that begins at the middle of the first layer, which is a smaller part of a deeper model.
    """
    return (np.asarray(mcog) - 0.5) / num_layers


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
