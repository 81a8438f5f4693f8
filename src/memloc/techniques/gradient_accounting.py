"""Gradient accounting (after Maini et al. 2023, section on gradients): whose gradients does a layer get?

They add up, over all epochs of training, the norm of the gradient of each layer that comes from mislabelled and from
clean examples, relative to the square root of its number of parameters. Checkpoints of all epochs are not kept here, so
we look at one state: the first at which the wrong labels were memorised, or else the last. There

    r_l = |g_noisy,l|_2 / |g_clean,l|_2,   w_l = r_l / sum r,

g being the mean gradient of the training loss (cross-entropy of the given label) over the noisy examples, and over as
many clean ones. Numbers of parameters cancel in the ratio. Where noisy and clean examples are alike, all layers weigh
the same. What training did before that state, when most of it was learnt, is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell
from memloc.techniques.gradients import check_finite, groups, mean_gradients
from memloc.techniques.localiser import localiser
from memloc.training.batches import Encoded


@localiser("gradient_accounting", defaults={"tokens": 512})
def gradient_accounting(cell: Cell, settings: Mapping[str, Any]) -> np.ndarray:
    """The noisy examples' gradient norm by layer, relative to the clean ones'; float64 [L].

    Cost: one forward and backward pass over twice the noisy examples; memory: two arrays of all layers' parameters.

    Raises:
        MemlocError: if a group is empty, weights are not finite, or a layer gets no gradient from clean examples.
    """
    model = cell.load("perturbed", True)
    check_finite(model, "perturbed")
    label = f"gradient_accounting {cell.task} {cell.model} {cell.seed}"
    noisy, clean = (
        gradient_norms(model, cell.train, rows, settings["tokens"], cell.pooling, label)
        for rows in groups(cell.train, cell.seed)
    )
    if not clean.all():
        accepted = "a gradient to compare with"
        raise MemlocError(f"gradient of clean examples in layer {int(np.argmin(clean)) + 1}", 0.0, accepted)
    return noisy / clean


def gradient_norms(
    model: Classifier, data: Encoded, rows: np.ndarray, tokens: int = 512, pooling: str = "token", label: str = ""
) -> np.ndarray:
    """L2 norm of the mean gradient of the loss over some examples, all parameters of a layer together: float64 [L]."""
    gradients = mean_gradients(model, data, rows, ("nll",), tokens, pooling, label)["nll"]
    squares = np.zeros(model.num_layers)
    for (layer, _), gradient in gradients.items():
        squares[layer - 1] += float(gradient.double().square().sum())
    return np.sqrt(squares)
