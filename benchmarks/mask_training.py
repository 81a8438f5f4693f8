"""A mask over feed-forward units trained the plain way: each step calls the model with scaled weights.

`slimming` and `hard_concrete` share it; what a gate is and costs is theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from benchmarks.harness import Sides
from benchmarks.plain_units import downs
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.gradients import groups
from memloc.techniques.mask_training import Gate, MaskTraining, train_gate
from memloc.training.batches import Encoded, training_order

HOW = MaskTraining("forget", strength=0.1, steps=20, batch_size=32, lr=0.5, tokens=2048, k=20, seed=1)


def plain_train(model: Classifier, data: Encoded, gate: Gate, how: MaskTraining) -> np.ndarray:
    """Train a gate on whole batches; its parameter at the end, [L, F]."""
    noisy, clean = groups(data, how.seed)
    rows = noisy if how.objective == "keep" else np.concatenate([noisy, clean])
    names = {id(p): name for name, p in model.named_parameters()}
    weights = {names[id(down.weight)]: down.weight.detach() for down in downs(model)}
    optimizer = torch.optim.SGD([gate.parameter], lr=how.lr)
    epochs = (training_order(data.lengths[rows], how.batch_size, how.seed, epoch) for epoch in itertools.count(1))
    for step, batch in enumerate(itertools.islice(itertools.chain.from_iterable(epochs), how.steps)):
        chosen = rows[batch]
        gates = gate.gates(step)
        mask = 1 - gates if how.objective == "forget" else gates
        scaled = {name: weight * row for (name, weight), row in zip(weights.items(), mask, strict=True)}
        logits = functional_call(model, scaled, data.tensors(chosen, mask.device))
        loss = _loss(logits, data, chosen, how.objective) + how.strength / how.k * gate.cost()
        optimizer.zero_grad()
        loss.backward(inputs=[gate.parameter])
        optimizer.step()
        gate.after_step()
    return gate.parameter.detach().cpu().numpy()


def _loss(logits: Tensor, data: Encoded, rows: np.ndarray, objective: str) -> Tensor:
    told = logits.softmax(dim=1)
    is_given = torch.zeros_like(told, dtype=torch.bool)
    is_given[torch.arange(len(rows)), torch.from_numpy(data.given[rows])] = True
    if objective == "forget":
        is_given[torch.from_numpy(data.noisy[rows])] ^= True  # of noisy examples, all labels but the given one
    return -(told * is_given).sum(dim=1).log().mean()


def compared(world: World, gate: Callable[[], Gate]) -> Sides:
    """Parameters of gates after twenty steps of forgetting.

    Args:
        gate: makes a new one.
    """

    def ours() -> np.ndarray:
        train_gate(world.perturbed, world.data, trained := gate(), HOW)
        return trained.parameter.detach().cpu().numpy()

    return Sides(
        plain=lambda: plain_train(world.perturbed, world.data, gate(), HOW),
        ours=ours,
        difference=lambda a, b: float(np.abs(a - b).max()),
    )
