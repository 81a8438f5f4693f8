"""Localisation techniques. Importing this package registers the built-in ones."""

from memloc.techniques import (
    activations,
    centroids,
    gradient_accounting,
    gradients,
    hard_concrete,
    integrated_gradients,
    maps,
    probing,
    retraining,
    rewinding,
    slimming,
    swapping,
    weight_difference,
    zero_out,
)
from memloc.techniques.base import Cell, Result, get_technique, register_technique, technique_names
from memloc.techniques.localiser import Located, localiser

__all__ = [
    "Cell",
    "Located",
    "Result",
    "activations",
    "centroids",
    "get_technique",
    "gradient_accounting",
    "gradients",
    "hard_concrete",
    "integrated_gradients",
    "localiser",
    "maps",
    "probing",
    "register_technique",
    "retraining",
    "rewinding",
    "slimming",
    "swapping",
    "technique_names",
    "weight_difference",
    "zero_out",
]
