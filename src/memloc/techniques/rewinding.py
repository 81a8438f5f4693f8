"""Rewinding (after Maini et al. 2023): what does the model forget when one layer goes back to where it came from?

They set one layer at a time back to an earlier epoch's weights and keep all others. Checkpoints of earlier epochs are
not kept here, so a layer goes back all the way, to the pretrained start. This is layer swapping with windows of length
1 and the start in place of the normal arm; it runs on the same engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell
from memloc.techniques.gradients import groups
from memloc.techniques.localiser import localiser
from memloc.techniques.swapping import swap_predictions
from memloc.training.batches import Encoded
from memloc.training.evaluate import predict


@localiser("rewinding", arms=("perturbed", "pretrained"), defaults={"tokens": 1024})
def rewinding(cell: Cell, settings: Mapping[str, Any]) -> np.ndarray:
    """``max(0, noisy accuracy lost - clean accuracy lost)`` on the given labels, by layer; float64 [L].

    A layer that serves all examples alike is not one that memorises. Where the start is the model itself, nothing is
    lost and no layer has any weight.

    Cost: L (L + 3) / 2 applications of a layer to all N examples (90 for L = 12). Memory: (L + 1) x ``tokens`` x d
    numbers.

    Raises:
        MemlocError: if a group is empty, or the two arms differ in their number of layers.
    """
    groups(cell.train, cell.seed)  # both must be there
    perturbed, start = cell.load("perturbed"), cell.load("pretrained")
    label = f"rewinding {cell.task} {cell.model} {cell.seed}"
    lost = accuracy_lost(perturbed, start, cell.train, settings["tokens"], cell.pooling, label)
    return np.maximum(0, lost[0] - lost[1])


def accuracy_lost(
    perturbed: Classifier,
    start: Classifier,
    data: Encoded,
    tokens: int = 1024,
    pooling: str = "token",
    label: str = "rewinding",
) -> np.ndarray:
    """Accuracy on the given labels before minus after, of the noisy and of the clean examples, by layer: [2, L]."""
    before = predict(perturbed, data, data.given, pooling).predicted == data.given
    after = swap_predictions(perturbed, start, data, tokens, pooling, label, longest=1) == data.given
    lost = before.astype(float) - after
    return np.stack([lost[:, data.noisy].mean(axis=1), lost[:, ~data.noisy].mean(axis=1)])
