"""What the plain versions of techniques over feed-forward units share: batches of eight, and weights in place of masks.

Scaling unit u is the same as scaling column u of the down projection: the plain ways touch weights and know no masks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded

BATCH = 8


def eights(data: Encoded, rows: np.ndarray, device: torch.device) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Ids, mask and given labels of batches of eight, in the order of the rows."""
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        yield *data.tensors(chosen, device), torch.from_numpy(data.given[chosen]).to(device)


def downs(model: Classifier) -> list[nn.Linear]:
    """The down projections of layers 1..L; their weights are [d, F]."""
    path = model.family.feed_forward[-1]
    return [model.layer(n).get_submodule(path) for n in range(1, model.num_layers + 1)]  # type: ignore[misc]


def relative(plain: np.ndarray, ours: np.ndarray) -> float:
    """Largest difference, relative to the largest number."""
    return float(np.abs(plain - ours).max() / np.abs(plain).max())
