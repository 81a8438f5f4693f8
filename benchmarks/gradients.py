"""Forgetting gradients the plain way: one example after the other, each with its own backward pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.gradients import OBJECTIVES, Place, groups, layer_parameters, mean_gradients
from memloc.training.batches import Encoded


def plain_gradients(
    model: Classifier, data: Encoded, rows: np.ndarray, objective: str = "logit", pooling: str = "token"
) -> dict[Place, Tensor]:
    """Mean gradient over some examples, added up in ``.grad``; only layers learn, so nothing else is computed."""
    model.eval()
    model.set_trainable([f"layer.{n}" for n in range(1, model.num_layers + 1)])
    model.zero_grad()
    device = next(model.parameters()).device
    for row in rows:
        logits = model(*data.tensors([row], device), pooling=pooling)[0]
        value = logits[data.given[row]] if objective == "logit" else logits.log_softmax(0)[data.given[row]]
        (-value / len(rows)).backward()
    found = {place: p.grad.clone() for place, p in layer_parameters(model).items() if p.grad is not None}
    model.zero_grad()
    return found


def relative_difference(plain: Mapping[Place, Tensor], ours: Mapping[Place, Tensor]) -> float:
    """Largest norm of a tensor's difference, relative to the norm of its layer's whole gradient.

    Not relative to the tensor's own: some gradients are zero but for rounding (of attention's key biases, as a constant
    added to all scores of a query changes nothing).
    """
    squares: dict[int, float] = {}
    for (layer, _), gradient in plain.items():
        squares[layer] = squares.get(layer, 0.0) + float(gradient.norm()) ** 2
    return max(float((gradient - ours[place]).norm()) / squares[place[0]] ** 0.5 for place, gradient in plain.items())


def sides(world: World) -> Sides:
    """Mean gradients over the noisy examples and as many clean ones; the plain way takes one objective at a time."""
    chosen = groups(world.data, 1)
    model, data = world.perturbed, world.data
    return Sides(
        plain=lambda: [{o: plain_gradients(model, data, rows, o) for o in OBJECTIVES} for rows in chosen],
        ours=lambda: [mean_gradients(model, data, rows) for rows in chosen],
        difference=lambda a, b: max(
            relative_difference(a[group][o], b[group][o]) for group in range(len(chosen)) for o in OBJECTIVES
        ),
    )
