"""Gradient accounting the plain way: one example after the other, each with its own backward pass."""

from __future__ import annotations

import numpy as np

from benchmarks.gradients import plain_gradients
from benchmarks.harness import Sides
from benchmarks.plain_units import relative
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.gradient_accounting import gradient_norms
from memloc.techniques.gradients import groups
from memloc.training.batches import Encoded


def plain_gradient_norms(model: Classifier, data: Encoded, rows: np.ndarray, pooling: str = "token") -> np.ndarray:
    """L2 norm of the mean gradient of the cross-entropy over some examples, by layer: [L]."""
    gradients = plain_gradients(model, data, rows, "nll", pooling)
    squares = [
        sum(float(g.double().norm()) ** 2 for (layer, _), g in gradients.items() if layer == n)
        for n in range(1, model.num_layers + 1)
    ]
    return np.sqrt(squares)


def sides(world: World) -> Sides:
    """Of the noisy examples, and of as many clean ones."""
    chosen = groups(world.data, 1)
    return Sides(
        plain=lambda: np.stack([plain_gradient_norms(world.perturbed, world.data, rows) for rows in chosen]),
        ours=lambda: np.stack([gradient_norms(world.perturbed, world.data, rows) for rows in chosen]),
        difference=relative,
    )
