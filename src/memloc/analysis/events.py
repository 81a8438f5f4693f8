"""At which layer does it happen? Events of the centroid analysis and of probing, from the rows of one cell (method 4).

Layers 1 to L are looked at; layer 0, the embeddings' output, is no layer and in some models the same for all examples.
Every event is a layer, or a number beyond: 0 where it lay before layer 1, L + 1 where it never came.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.analysis.curves import HALVES, curve, trained_arm
from memloc.errors import MemlocError

MIDDLE = 0.5  # between the centroid of the original class (1) and that of the wrong label's (0)
MARGIN = 0.1  # by which the given label's F1 must exceed the original's
SHARE = 0.9  # of the largest F1, from chance on


def crossing(position: np.ndarray) -> int:
    """The last layer at which the mean position of noisy examples has come from above to below .5.

    Args:
        position: mean t of noisy examples at layers 1..L, float64 [L]; at exactly .5 it is not yet below.

    Returns:
        1..L (the first of the two layers below .5); 0 if it is below from the start on, L + 1 if it ends above.
    """
    below = position < MIDDLE
    if not below[-1]:
        return len(position) + 1
    falls = np.flatnonzero(below[1:] & ~below[:-1])
    return int(falls[-1]) + 2 if len(falls) else 0


def initiation(given: np.ndarray, original: np.ndarray) -> int:
    """The first layer from which on two classes stay apart; L + 1 if there is none.

    Args:
        given: 87.5th percentile of the wrong label's class (A) at layers 1..L, [L].
        original: 12.5th percentile of the original class (B), [L].
    """
    mixed = np.flatnonzero(~(given < original))
    return int(mixed[-1]) + 2 if len(mixed) else 1


def largest_step(position: np.ndarray) -> float:
    """The largest fall between neighbouring layers as a share of the whole way; NaN where there is no way down."""
    way = position[0] - position[-1]
    return float(-np.diff(position).min() / way) if way > 0 else float("nan")


def probing_memorisation(given: np.ndarray, original: np.ndarray) -> int:
    """The first layer with F1(given label | noisy) > F1(original label | noisy) + .1; L + 1 if there is none."""
    known = np.flatnonzero(given > original + MARGIN)
    return int(known[0]) + 1 if len(known) else len(given) + 1


def probing_initiation(original: np.ndarray, chance: float) -> int:
    """The first layer with (F1(original label | clean) - chance) / (max F1 - chance) > .9; L + 1 if there is none.

    Where no layer does better than chance nothing was learnt that could begin, and that is none too.
    """
    room = original.max() - chance
    reached = np.flatnonzero((original - chance > SHARE * room) & (room > 0))
    return int(reached[0]) + 1 if len(reached) else len(original) + 1


def centroid_events(rows: pd.DataFrame, left_out: bool = False) -> dict[str, float]:
    """Events and positions of the centroid analysis of one cell, by the metrics' names in the claims.

    Args:
        left_out: initiation from positions that leave each example out of its own centroid.

    Returns:
        ``crossing``, ``initiation``, ``noisy_start_position``, ``noisy_end_position``, ``noisy_largest_step``; where
        half-replaced models were looked at, ``noisy_end_position_upper_from_normal`` and ``..._lower_from_normal``.

    Raises:
        MemlocError: if a layer or a metric is missing, or the rows are of several cells.
    """
    _of(rows, "centroids")
    arm, suffix = trained_arm(rows), "_left_out" if left_out else ""
    noisy = curve(rows, arm, "noisy_mean", "noisy")
    given, original = (
        curve(rows, arm, f"{metric}{suffix}", "clean", num_layers=len(noisy))
        for metric in ("given_p87.5", "original_p12.5")
    )
    found = {
        "crossing": float(crossing(noisy)),
        "initiation": float(initiation(given, original)),
        "noisy_start_position": float(noisy[0]),
        "noisy_end_position": float(noisy[-1]),
        "noisy_largest_step": largest_step(noisy),
    }
    for half in HALVES:
        last = rows[(rows["arm"] == half) & (rows["metric"] == "noisy_mean") & (rows["layer"] == len(noisy))]
        if len(last) > 1:
            raise MemlocError(f"rows of centroids noisy_mean of {half} at layer {len(noisy)}", len(last), "one")
        if len(last):
            found[f"noisy_end_position_{half}"] = float(last["value"].iloc[0])
    return found


def probing_events(rows: pd.DataFrame) -> dict[str, float]:
    """``probing_memorisation`` and ``probing_initiation`` of one cell.

    Chance is the mean of ``f1_original_shuffled`` over layers and over the groups it was told for, clean ones first.

    Raises:
        MemlocError: if a layer or a metric is missing, or the rows are of several cells.
    """
    _of(rows, "probing")
    arm = trained_arm(rows)
    given = curve(rows, arm, "f1_given", "noisy")
    noisy, clean = (curve(rows, arm, "f1_original", group, num_layers=len(given)) for group in ("noisy", "clean"))
    shuffled = rows[(rows["metric"] == "f1_original_shuffled") & (rows["arm"] == arm)]
    if (shuffled["group"] == "clean").any():
        shuffled = shuffled[shuffled["group"] == "clean"]
    chance = float(shuffled["value"].mean())
    if not np.isfinite(chance):
        raise MemlocError("rows of probing f1_original_shuffled", "none", "the score of shuffled labels")
    return {
        "probing_memorisation": float(probing_memorisation(given, noisy)),
        "probing_initiation": float(probing_initiation(clean, chance)),
    }


def _of(rows: pd.DataFrame, technique: str) -> None:
    found = sorted(set(rows["technique"]))
    if found != [technique]:
        raise MemlocError("technique of rows", found, technique)
