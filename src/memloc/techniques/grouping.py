"""Which windows learn side by side: as many as fit into the memory allowed (method 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from memloc.devices import autocast
from memloc.memory import kept_bytes
from memloc.models.classifier import Classifier
from memloc.techniques.layerwise import apply_layer
from memloc.techniques.prefix import Shell, frozen_copy
from memloc.techniques.swapping import Window
from memloc.techniques.trainees import Retraining
from memloc.training.batches import Encoded

BYTES_PER_PARAMETER = 16  # fp32: value, gradient, two moments


def grouped(order: list[Window], most: float, cost: Callable[[Window], float]) -> Iterator[list[Window]]:
    """Cut windows with one start into groups that cost at most ``most`` together (one window at least).

    Groups depend on what is asked for alone, never on what is done already: a resumed run must add up the same way.
    """
    group: list[Window] = []
    for window in order:
        if group and (window[0] != group[0][0] or sum(map(cost, group)) + cost(window) > most):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def window_bytes(
    perturbed: Classifier, data: Encoded, learnt: np.ndarray, how: Retraining
) -> Callable[[Window], float]:
    """How much memory a window takes while it learns, at most: what is its own, and what a step on the longest batch
    keeps for the backward pass. The latter is measured on the first layer, once frozen and once learning.

    Args:
        learnt: rows of the examples that are learnt.
    """
    longest = learnt[np.argsort(data.lengths[learnt], kind="stable")[-how.batch_size :]]
    device = next(perturbed.parameters()).device
    ids, mask = data.tensors(longest, device)
    recording = Shell(perturbed, ids, mask).record(ids, mask)
    model = frozen_copy(perturbed).train(how.frozen_dropout)

    def forward() -> Tensor:
        with autocast(device, how.precision):
            return apply_layer(model, 1, recording.inputs[0].detach().requires_grad_(), recording)

    frozen = kept_bytes(model, forward)
    model.layer(1).train().requires_grad_(True)
    own = sum(p.numel() for p in model.layer(1).parameters()) * BYTES_PER_PARAMETER + kept_bytes(model, forward)

    def cost(window: Window) -> float:
        start, length = window
        return length * own + (perturbed.num_layers + 1 - start - length) * frozen

    return cost
