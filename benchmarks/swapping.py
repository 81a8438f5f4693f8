"""Layer swapping the plain way: build every mixed model and run it on all examples."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.swapping import swap_logits, windows
from memloc.training.batches import Encoded, token_batches

BATCH = 8


@torch.inference_mode()
def plain_swapping(perturbed: Classifier, normal: Classifier, data: Encoded) -> np.ndarray:
    """Logits [W, N, C] from one mixed model after the other, in batches of eight in the order of the examples."""
    device = next(perturbed.parameters()).device
    mixed = perturbed.twin()
    result = []
    for start, length in windows(perturbed.num_layers):
        mixed.load_parts(perturbed.part_state(mixed.parts()))
        mixed.load_parts(normal.part_state([f"layer.{n}" for n in range(start, start + length)]))
        rows = np.arange(len(data))
        batches = [data.tensors(rows[i : i + BATCH], device) for i in range(0, len(rows), BATCH)]
        result.append(torch.cat([mixed(ids, mask) for ids, mask in batches]).float().cpu().numpy())
    return np.stack(result)


def our_swapping(perturbed: Classifier, normal: Classifier, data: Encoded, tokens: int) -> np.ndarray:
    """The same logits from the package's engine, in the order of the examples."""
    device = next(perturbed.parameters()).device
    result, order = [], []
    for rows in token_batches(data.lengths, tokens):
        result.append(swap_logits(perturbed, normal, *data.tensors(rows, device)).float().cpu().numpy())
        order.append(rows)
    return np.concatenate(result, axis=1)[:, np.argsort(np.concatenate(order))]


def sides(world: World) -> Sides:
    """Logits of both ways on all windows."""
    return Sides(
        plain=lambda: plain_swapping(world.perturbed, world.normal, world.data),
        ours=lambda: our_swapping(world.perturbed, world.normal, world.data, 1024),
        difference=lambda a, b: float(np.abs(a - b).max()),
    )
