"""Activations (Chang et al. 2024, after Geva et al. 2022): which feed-forward units speak up on noisy examples?

A unit's score is its mean absolute activation times the norm of its column of the down projection: how much it writes.
They average over the positions of the memorised text; here it is over the tokens of an example (``positions="all"``) or
its classified token alone (``"token"``), then over examples. What it writes on clean examples as well is subtracted,
which they, with one text at a time, do not do (``against_clean=False``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell
from memloc.techniques.ff_units import noisy_beyond_clean, outgoing, reading, unit_shape
from memloc.techniques.localiser import Located, localiser, located_by_units
from memloc.training.batches import Encoded, token_batches

POSITIONS = ("all", "token")


@localiser("activations", defaults={"share": 0.01, "positions": "all", "against_clean": True, "tokens": 1024})
def activations(cell: Cell, settings: Mapping[str, Any]) -> Located:
    """Scores of units [L, F], and of layers what the best ``share`` of all units add up to.

    Cost: one forward pass over twice the noisy examples. Memory: activations of ``tokens`` tokens in one layer.

    Raises:
        MemlocError: if the family names no units, a group is empty, or a setting is unknown.
    """
    if settings["positions"] not in POSITIONS:
        raise MemlocError("activations.positions", settings["positions"], POSITIONS)
    model, data = cell.load("perturbed"), cell.train

    def score(rows: np.ndarray) -> np.ndarray:
        return mean_activity(model, data, rows, settings["positions"], settings["tokens"], cell.pooling)

    activity = noisy_beyond_clean(score, data, cell.seed, settings["against_clean"])
    return located_by_units(activity * written_norms(model), settings["share"])


def written_norms(model: Classifier) -> np.ndarray:
    """Norm of what each unit writes per unit of activation, float64 [L, F]."""
    norms = [outgoing(model, n).detach().double().norm(dim=1).cpu().numpy() for n in range(1, model.num_layers + 1)]
    return np.stack(norms)


@torch.inference_mode()
def mean_activity(
    model: Classifier,
    data: Encoded,
    rows: np.ndarray,
    positions: str = "all",
    tokens: int = 1024,
    pooling: str = "token",
) -> np.ndarray:
    """Mean over examples of the mean over tokens of the absolute activation of each unit, float64 [L, F]."""
    total = np.zeros(unit_shape(model))
    device = next(model.parameters()).device
    for batch in token_batches(data.lengths[rows], tokens):
        ids, mask = data.tensors(rows[batch], device)
        share = mask / mask.sum(dim=1, keepdim=True)  # [B, T]: of each token in its example's mean
        if positions == "token":
            share = torch.zeros_like(share).scatter_(1, model.pooled_token(mask, pooling)[:, None], 1.0)

        def see(number: int, found: Tensor, share: Tensor = share) -> None:
            total[number - 1] += (share.reshape(-1) @ found.reshape(share.numel(), -1).abs()).double().cpu().numpy()

        with reading(model, see):
            model.hidden(ids, mask)
    return total / len(rows)
