"""The part of probing that follows the model: training the probes on states that both sides are given."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Sides
from benchmarks.probing import SEEDS, SETTINGS, plain_probing
from benchmarks.world import World
from memloc.techniques.probing import device_states, targets, train_all


def sides(world: World) -> Sides:
    """Probes of every layer and seed; the difference is the share of test predictions that differ."""
    states, target = device_states(world.perturbed, world.data), targets(world.data, world.classes)[0]
    return Sides(
        plain=lambda: plain_probing(list(states), target, SEEDS, SETTINGS),
        ours=lambda: train_all(states, target, SEEDS, SETTINGS).predicted,
        difference=lambda a, b: float(np.mean(a != b)),
    )
