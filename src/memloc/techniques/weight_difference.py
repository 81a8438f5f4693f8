"""Weight difference: how far apart are two arms, layer by layer?

The cheapest answer to where training on wrong labels left its mark, and a yardstick: it looks at no example, so a
technique that does not do better has learnt nothing from them. Against the model that an injection started from it
tells the place by definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell
from memloc.techniques.gradients import layer_parameters
from memloc.techniques.localiser import localiser


@localiser("weight_difference", arms=("perturbed", "normal"))
def weight_difference(cell: Cell, settings: Mapping[str, Any]) -> np.ndarray:
    """Against the normal arm: the twin that never saw the wrong labels."""
    return relative_difference(cell.load("perturbed"), cell.load("normal"))


@localiser("weight_difference_pretrained", arms=("perturbed", "pretrained"))
def weight_difference_pretrained(cell: Cell, settings: Mapping[str, Any]) -> np.ndarray:
    """Against the pretrained start: how far training moved each layer, for whatever reason."""
    return relative_difference(cell.load("perturbed"), cell.load("pretrained"))


@torch.no_grad()
def relative_difference(model: Classifier, other: Classifier) -> np.ndarray:
    """``|theta_l - theta'_l|_2 / |theta'_l|_2`` over all parameters of layer l, for layers 1..L.

    Cost: one pass over the weights of the layers, whatever N. Two equal models give 0 everywhere.

    Args:
        other: what it is measured against, of the same shape.

    Returns:
        float64 [L].

    Raises:
        MemlocError: if the models differ in shape, or a layer of ``other`` is all 0.
    """
    mine, theirs = layer_parameters(model), layer_parameters(other)
    shapes = [{place: tuple(p.shape) for place, p in both.items()} for both in (mine, theirs)]
    if shapes[0] != shapes[1]:
        raise MemlocError("layers to compare", f"{other.num_layers} layers", f"the {model.num_layers} of the model")
    squares = np.zeros((2, model.num_layers))
    for (layer, name), parameter in theirs.items():
        reference = parameter.double().cpu()
        moved = mine[layer, name].double().cpu() - reference
        squares[:, layer - 1] += float(moved.square().sum()), float(reference.square().sum())
    if not squares[1].all():
        raise MemlocError(f"weights of layer {int(np.argmin(squares[1])) + 1}", "all 0", "weights to compare with")
    return np.sqrt(squares[0] / squares[1])
