"""Hard concrete gates the plain way: see `benchmarks.mask_training`."""

from __future__ import annotations

from benchmarks.harness import Sides
from benchmarks.mask_training import HOW, compared
from benchmarks.world import World
from memloc.techniques.ff_units import unit_shape
from memloc.techniques.hard_concrete import START, HardConcreteGate


def sides(world: World) -> Sides:
    """log a of the gates."""
    return compared(world, lambda: HardConcreteGate(unit_shape(world.perturbed), -START, world.device, HOW.seed))
