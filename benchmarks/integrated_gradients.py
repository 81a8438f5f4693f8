"""Integrated gradients over feed-forward units the plain way: weights scaled, and the gradient of the weights.

With W' = alpha W, the derivative with respect to the scale of unit u is the sum over d of dP/dW'[d, u] times W[d, u].
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.harness import Sides
from benchmarks.plain_units import downs, eights, relative
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.gradients import groups
from memloc.techniques.integrated_gradients import attributions
from memloc.training.batches import Encoded


def plain_attributions(model: Classifier, data: Encoded, rows: np.ndarray, steps: int) -> np.ndarray:
    """Mean over examples of each unit's integrated gradient of the given label's probability, [L, F]."""
    model = model.twin().eval().requires_grad_(False)
    weights = [down.weight.requires_grad_(True) for down in downs(model)]
    whole = [weight.detach().clone() for weight in weights]
    total = np.zeros((len(weights), whole[0].shape[1]))
    for step in range(steps):
        with torch.no_grad():
            for weight, full in zip(weights, whole, strict=True):
                weight.copy_(full * (step + 0.5) / steps)
        for ids, mask, given in eights(data, rows, whole[0].device):
            told = model(ids, mask).softmax(dim=1)[torch.arange(len(given)), given].sum()
            gradients = torch.autograd.grad(told, weights)
            total += np.stack([(g * w).sum(dim=0).cpu().numpy() for g, w in zip(gradients, whole, strict=True)])
    return total / len(rows) / steps


STEPS = 16


def sides(world: World) -> Sides:
    """Of the noisy examples."""
    rows, _ = groups(world.data, 1)
    return Sides(
        plain=lambda: plain_attributions(world.perturbed, world.data, rows, STEPS),
        ours=lambda: attributions(world.perturbed, world.data, rows, STEPS),
        difference=relative,
    )
