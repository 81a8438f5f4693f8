"""Activations of feed-forward units the plain way: batches of eight, and what each layer's units do in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import Sides
from benchmarks.plain_units import downs, eights, relative
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.activations import mean_activity
from memloc.techniques.gradients import groups
from memloc.training.batches import Encoded


@torch.inference_mode()
def plain_activity(model: Classifier, data: Encoded, rows: np.ndarray) -> np.ndarray:
    """Mean over examples of the mean over real tokens of each unit's absolute activation, [L, F]."""
    device, seen = next(model.parameters()).device, list[Tensor]()

    def keep(_module: Any, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0])

    hooks = [down.register_forward_pre_hook(keep) for down in downs(model)]
    total: Any = 0
    for ids, mask, _ in eights(data, rows, device):
        seen.clear()
        model(ids, mask)
        activity = torch.stack([states.view(*ids.shape, -1).abs() for states in seen])  # [L, B, T, F]
        means = (activity * mask[..., None]).sum(dim=2) / mask.sum(dim=1)[:, None]
        total = total + means.sum(dim=1).double()
    for hook in hooks:
        hook.remove()
    return (total / len(rows)).cpu().numpy()


def sides(world: World) -> Sides:
    """Of the noisy examples, and of as many clean ones."""
    chosen = groups(world.data, 1)
    return Sides(
        plain=lambda: np.stack([plain_activity(world.perturbed, world.data, rows) for rows in chosen]),
        ours=lambda: np.stack([mean_activity(world.perturbed, world.data, rows) for rows in chosen]),
        difference=relative,
    )
