"""Slimming the plain way: see `benchmarks.mask_training`."""

from __future__ import annotations

from benchmarks.harness import Sides
from benchmarks.mask_training import compared
from benchmarks.world import World
from memloc.techniques.ff_units import unit_shape
from memloc.techniques.slimming import L1Gate


def sides(world: World) -> Sides:
    """Gates."""
    return compared(world, lambda: L1Gate(unit_shape(world.perturbed), 0.0, world.device))
