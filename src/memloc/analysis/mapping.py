"""A memorisation map from what many models say. Arithmetic alone, no models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc import tables


def map_of(idx: np.ndarray, noisy: np.ndarray, probability: np.ndarray, seen: np.ndarray) -> pd.DataFrame:
    """The map (``tables.MAP``) of N examples by M models; NaN where nobody was, or everybody was, trained on one.

    Args:
        idx: row numbers of the examples in their task, int64 [N].
        noisy: whether the given label is wrong, bool [N].
        probability: of the given label, float64 [M, N].
        seen: who was trained on what, bool [M, N].
    """
    inside, outside = seen.sum(axis=0), (~seen).sum(axis=0)
    with np.errstate(invalid="ignore"):
        memorisation = np.where(seen, probability, 0).sum(axis=0) / inside
        generalisation = np.where(seen, 0, probability).sum(axis=0) / outside
    frame = pd.DataFrame(
        {
            "idx": idx,
            "group": np.where(noisy, "noisy", "clean"),
            "memorisation": memorisation,
            "generalisation": generalisation,
            "counterfactual": np.maximum(0, memorisation - generalisation),
            "models_in": inside,
            "models_out": outside,
        }
    )
    return frame[tables.MAP.names]
