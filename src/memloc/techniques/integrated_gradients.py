"""Integrated gradients over feed-forward units (Sundararajan et al. 2017; Dai et al. 2022; Chang et al. 2024).

All units are scaled together by alpha from 0 to 1; a unit's score is the integral over alpha of the derivative, with
respect to its own scale, of the probability of the given label:

    s[l, u] = integral_0^1  d P(given | x; m) / d m[l, u]  at m = alpha  d alpha,

the midpoint rule with ``steps`` points. Over all units it adds up to P with all units minus P with none, which tests
check. Dai et al. and Chang et al. scale one layer (or one unit) at a time and so need L times as many passes. What
units do on clean examples as well is subtracted (``against_clean=False`` leaves that out).
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
from memloc.techniques.ff_units import Objective, mask_gradient, noisy_beyond_clean, unit_shape
from memloc.techniques.localiser import Located, localiser, located_by_units
from memloc.training.batches import Encoded


def _probability(logits: Tensor, given: Tensor) -> Tensor:
    return logits.softmax(dim=1).gather(1, given[:, None]).sum()


def _logit(logits: Tensor, given: Tensor) -> Tensor:
    return logits.gather(1, given[:, None]).sum()


OBJECTIVES: dict[str, Objective] = {"probability": _probability, "logit": _logit}


@localiser(
    "integrated_gradients",
    defaults={"share": 0.01, "steps": 16, "objective": "probability", "against_clean": True, "tokens": 1024},
)
def integrated_gradients(cell: Cell, settings: Mapping[str, Any]) -> Located:
    """Scores of units [L, F], and of layers what the best ``share`` of all units add up to.

    Cost: ``steps`` forward and backward passes over twice the noisy examples. Memory: activations of ``tokens`` tokens.

    Raises:
        MemlocError: if the family names no units, a group is empty, or a setting is unknown.
    """
    if settings["objective"] not in OBJECTIVES:
        raise MemlocError("integrated_gradients.objective", settings["objective"], OBJECTIVES)
    if settings["steps"] < 1:
        raise MemlocError("integrated_gradients.steps", settings["steps"], "1 or more")
    model, data = cell.load("perturbed"), cell.train

    def score(rows: np.ndarray) -> np.ndarray:
        return attributions(
            model, data, rows, settings["steps"], settings["objective"], settings["tokens"], cell.pooling
        )

    return located_by_units(noisy_beyond_clean(score, data, cell.seed, settings["against_clean"]), settings["share"])


def attributions(
    model: Classifier,
    data: Encoded,
    rows: np.ndarray,
    steps: int = 16,
    objective: str = "probability",
    tokens: int = 1024,
    pooling: str = "token",
) -> np.ndarray:
    """Mean over examples of each unit's integrated gradient, float64 [L, F]."""
    shape = unit_shape(model)
    device = next(model.parameters()).device
    total = np.zeros(shape)
    for step in range(steps):
        mask = torch.full(shape, (step + 0.5) / steps, device=device)
        label = f"integrated_gradients step {step + 1} of {steps}"
        total += mask_gradient(model, data, rows, OBJECTIVES[objective], mask, tokens, pooling, label)
    return total / steps
