"""Localisation techniques. Importing this package registers the built-in ones."""

from memloc.techniques import centroids, gradients, maps, probing, retraining, swapping
from memloc.techniques.base import Cell, Result, get_technique, register_technique, technique_names

__all__ = [
    "Cell",
    "Result",
    "centroids",
    "get_technique",
    "gradients",
    "maps",
    "probing",
    "register_technique",
    "retraining",
    "swapping",
    "technique_names",
]
