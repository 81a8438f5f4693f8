"""Weight difference the plain way: every layer as one long vector."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector

from benchmarks.harness import Sides
from benchmarks.plain_units import relative
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.weight_difference import relative_difference


@torch.no_grad()
def plain_weight_difference(model: Classifier, other: Classifier) -> np.ndarray:
    """Norm of each layer's difference over the norm of the other's layer, [L]."""
    found = []
    for n in range(1, model.num_layers + 1):
        mine, theirs = (parameters_to_vector(m.layer(n).parameters()).double() for m in (model, other))
        found.append(float((mine - theirs).norm() / theirs.norm()))
    return np.array(found)


def sides(world: World) -> Sides:
    """Against the normal arm."""
    return Sides(
        plain=lambda: plain_weight_difference(world.perturbed, world.normal),
        ours=lambda: relative_difference(world.perturbed, world.normal),
        difference=relative,
    )
