"""Rewinding the plain way: set one layer back, run all examples, put it in place again."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.harness import Sides
from benchmarks.plain_units import eights
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.rewinding import accuracy_lost
from memloc.training.batches import Encoded


@torch.inference_mode()
def plain_accuracy_lost(perturbed: Classifier, start: Classifier, data: Encoded) -> np.ndarray:
    """Accuracy on the given labels before minus after, of the noisy and of the clean examples, by layer: [2, L]."""
    model = perturbed.twin().eval()
    before, lost = _right(model, data), []
    for n in range(1, model.num_layers + 1):
        model.load_parts(start.part_state([f"layer.{n}"]))
        after = _right(model, data)
        model.load_parts(perturbed.part_state([f"layer.{n}"]))
        lost.append([before[group].mean() - after[group].mean() for group in (data.noisy, ~data.noisy)])
    return np.array(lost).T


def _right(model: Classifier, data: Encoded) -> np.ndarray:
    device = next(model.parameters()).device
    right = [model(ids, mask).argmax(dim=1) == given for ids, mask, given in eights(data, np.arange(len(data)), device)]
    return torch.cat(right).cpu().numpy()


def sides(world: World) -> Sides:
    """Back to the untrained start."""
    return Sides(
        plain=lambda: plain_accuracy_lost(world.perturbed, world.pretrained, world.data),
        ours=lambda: accuracy_lost(world.perturbed, world.pretrained, world.data),
        difference=lambda a, b: float(np.abs(a - b).max()),
    )
