"""Zero-out the plain way: take one unit's column of weights away, run the examples, put it back."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.plain_units import downs, eights, relative
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.gradients import groups
from memloc.techniques.zero_out import exact_rise
from memloc.training.batches import Encoded


@torch.inference_mode()
def plain_rise(model: Classifier, data: Encoded, rows: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Rise of the mean cross-entropy without each of the units (layer from 1, number), [K]."""
    before, risen = _loss(model, data, rows), []
    for layer, unit in units:
        weight = downs(model)[layer - 1].weight
        column = weight[:, unit].clone()
        weight[:, unit] = 0
        risen.append(_loss(model, data, rows) - before)
        weight[:, unit] = column
    return np.array(risen)


def _loss(model: Classifier, data: Encoded, rows: np.ndarray) -> float:
    device = next(model.parameters()).device
    losses = [
        functional.cross_entropy(model(ids, mask).double(), given, reduction="sum")
        for ids, mask, given in eights(data, rows, device)
    ]
    return float(torch.stack(losses).sum()) / len(rows)


def all_units(model: Classifier) -> np.ndarray:
    """Layer (from 1) and number of every unit, int64 [L F, 2]."""
    layers, units = np.indices((model.num_layers, downs(model)[0].in_features))
    return np.column_stack([layers.ravel() + 1, units.ravel()])


def sides(world: World) -> Sides:
    """Of a hundredth of all units, spread over all layers, on the noisy examples."""
    rows, _ = groups(world.data, 1)
    units = all_units(world.perturbed)[::100]
    return Sides(
        plain=lambda: plain_rise(world.perturbed, world.data, rows, units),
        ours=lambda: exact_rise(world.perturbed, world.data, rows, units),
        difference=relative,
    )
