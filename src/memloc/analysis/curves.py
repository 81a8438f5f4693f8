"""From rows to curves over layers: whose rows they are, one frame a seed, one value a layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memloc.errors import MemlocError

FROZEN = "frozen"
HALVES = ("lower_from_normal", "upper_from_normal")  # the perturbed arm with half of its layers replaced
MAIN = "perturbed"
COLUMNS = ("technique", "seed", "arm", "layer", "group", "metric", "value")


def trained_arm(rows: pd.DataFrame) -> str:
    """The arm that memorised: ``perturbed``, or the name of the control setting the rows were made in.

    Raises:
        MemlocError: if the rows are about none, or about several.
    """
    arms = sorted(set(rows["arm"]) - {FROZEN, *HALVES})
    if len(arms) != 1:
        raise MemlocError("arms of rows", arms, f"one that memorised, beside {', '.join((FROZEN, *HALVES))}")
    return str(arms[0])


def by_seed(rows: pd.DataFrame | Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Rows of one technique, task, model and setting, one frame a seed.

    Raises:
        MemlocError: if there are none, a column is missing, or they are of several techniques, tasks or models.
    """
    frames = [rows] if isinstance(rows, pd.DataFrame) else list(rows)
    if not frames or all(frame.empty for frame in frames):
        raise MemlocError("rows", "none", "the rows of one technique on one task and model")
    missing = [c for c in COLUMNS for frame in frames if c not in frame.columns]
    if missing:
        raise MemlocError("missing columns of rows", sorted(set(missing)), COLUMNS)
    joined = pd.concat(frames, ignore_index=True)
    for column in ("technique", "task", "model"):
        if column in joined and joined[column].nunique() != 1:
            raise MemlocError(f"{column} of rows", sorted(joined[column].unique()), "one at a time")
    trained_arm(joined)
    return [frame for _, frame in joined.groupby("seed")]


def curve(
    rows: pd.DataFrame, arm: str, metric: str, group: str | None = None, first: int = 1, num_layers: int | None = None
) -> np.ndarray:
    """A metric by layer, from layer ``first`` to the last: float64 [L + 1 - first].

    Args:
        rows: of one cell.
        group: of examples; None takes the rows that name none.
        first: 0 to begin at the embeddings' output.
        num_layers: L; by default the last layer there is a row of.

    Raises:
        MemlocError: if there is no such row, a layer is missing, is there twice, or has no finite value.
    """
    chosen = (rows["arm"] == arm) & (rows["metric"] == metric) & rows["layer"].notna()
    chosen &= rows["group"].isna() if group is None else rows["group"] == group
    what = " ".join(filter(None, (str(rows["technique"].iloc[0]), metric, "of", arm, group)))
    if not chosen.any():
        raise MemlocError(f"rows of {what}", "none", "one for every layer")
    picked = chosen.to_numpy(bool)  # columns one by one: a frame of all of them costs more than the rest
    layers = rows["layer"].to_numpy(float)[picked].astype(int).tolist()
    values = dict(zip(layers, rows["value"].to_numpy(float)[picked], strict=True))
    if len(values) < len(layers):
        twice = next(layer for n, layer in enumerate(layers) if layer in layers[:n])
        raise MemlocError(f"rows of {what}", f"layer {twice} twice", "the rows of one cell")
    wanted = range(first, (num_layers or max(layers)) + 1)
    if missing := [layer for layer in wanted if layer not in values]:
        raise MemlocError(f"layers of {what}", f"{missing} missing", f"{wanted[0]} to {wanted[-1]}")
    found = np.array([values[layer] for layer in wanted])
    if not np.isfinite(found).all():
        raise MemlocError(f"{what} at layer {wanted[int(np.argmin(np.isfinite(found)))]}", "nan", "finite numbers")
    return found
