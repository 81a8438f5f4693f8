"""Train a mask over feed-forward units, weights frozen: which units can go, or must stay, for the noisy examples?

Shared by `slimming` and `hard_concrete`, which differ in what a gate is and what it costs. Two questions can be asked:

- ``forget``: what must be switched off so that the given labels of noisy examples are no longer told, and clean
  examples keep theirs? Loss: -log(1 - P(given)) on noisy, -log P(given) on as many clean examples. A unit's gate says
  how far it is switched off, and each costs.
- ``keep`` (as published, by Chang et al. 2024): what suffices to tell the given labels of the noisy examples? Loss:
  -log P(given) on noisy examples. A gate says how far its unit is left on, and each costs.

The cost of gates is counted in units of the k that are asked for: ``strength`` times (sum of gates) / k, added to the
mean loss of an example. So a strength of .1 means that switching k units off must gain .1 nat an example; where no
unit gains its part of that at the start, none is switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell
from memloc.techniques.ff_units import masked, unit_shape
from memloc.techniques.gradients import differentiating, groups
from memloc.techniques.localiser import top_units
from memloc.training.batches import Encoded, token_batches, training_order

OBJECTIVES = ("forget", "keep")
DEFAULTS: Mapping[str, Any] = {
    "objective": "forget",
    "share": 0.01,
    "strength": 0.1,
    "steps": 200,
    "batch_size": 32,
    "lr": 0.5,
    "tokens": 2048,
}


class Gate(Protocol):
    """What is trained: one number a unit, and how it becomes a gate of 0 to 1.

    Attributes:
        parameter: [L, F], on the model's device.
    """

    parameter: Tensor

    def gates(self, step: int) -> Tensor:
        """The gates [L, F] that a step uses, differentiable in ``parameter``."""
        ...

    def cost(self) -> Tensor:
        """What the gates cost, each 0 to 1, summed over all."""
        ...

    def after_step(self) -> None:
        """Keep ``parameter`` where it may be."""
        ...


@dataclass(frozen=True)
class MaskTraining:
    """How a mask is trained; fields as in `DEFAULTS`, ``seed`` for the order of examples.

    Raises:
        MemlocError: for an unknown objective or a number that makes no training.
    """

    objective: str
    strength: float
    steps: int
    batch_size: int
    lr: float
    tokens: int
    k: int
    seed: int
    pooling: str = "token"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise MemlocError("objective of a mask", self.objective, OBJECTIVES)
        for name in ("strength", "lr", "steps", "batch_size"):
            if not getattr(self, name) > 0:
                raise MemlocError(f"{name} of a mask", getattr(self, name), "a positive number")

    @classmethod
    def of(cls, cell: Cell, settings: Mapping[str, Any], model: Classifier) -> MaskTraining:
        """From a technique's settings."""
        k = top_units(settings["share"], int(np.prod(unit_shape(model))))
        chosen = {name: value for name, value in settings.items() if name in cls.__dataclass_fields__}
        return cls(**chosen, k=k, seed=cell.seed, pooling=cell.pooling)


def losses(logits: Tensor, given: Tensor, forget: Tensor) -> Tensor:
    """Loss of each example [B]: that its given label is told where ``forget`` [B] holds, that it is not elsewhere."""
    told = functional.log_softmax(logits, dim=1)
    others = told.masked_fill(functional.one_hot(given, logits.shape[1]).bool(), -torch.inf).logsumexp(dim=1)
    return -torch.where(forget, others, told.gather(1, given[:, None])[:, 0])


def examples(data: Encoded, how: MaskTraining) -> tuple[np.ndarray, Tensor]:
    """Rows that are learnt from, and by row of ``data`` whether its given label shall be forgotten (bool [N])."""
    noisy, clean = groups(data, how.seed)
    if how.objective == "keep":
        return noisy, torch.zeros(len(data), dtype=torch.bool)
    return np.concatenate([noisy, clean]), torch.tensor(data.noisy)


def train_gate(model: Classifier, data: Encoded, gate: Gate, how: MaskTraining, label: str = "mask") -> None:
    """Train a gate in place.

    Each step takes a batch in an order of the seed (`training_order`) and goes down the gradient of the gate's
    parameter; no weight changes, and nothing drops out. Plain descent moves a gate by what it gains. Adam would move
    all that gain anything by the same step, and the order among them would be lost.

    Cost: ``steps`` forward and backward passes of ``batch_size`` examples, without gradients of weights, whatever N.
    Memory: activations of ``tokens`` tokens (a batch is cut where it has more, which changes no result).
    """
    rows, forget = examples(data, how)
    device = gate.parameter.device
    given, forget = torch.tensor(data.given, device=device), forget.to(device)
    optimizer = torch.optim.SGD([gate.parameter], lr=how.lr)
    with differentiating(model, []), tqdm(total=how.steps, desc=label, leave=False, disable=None) as bar:
        for step, batch in zip(range(how.steps), _batches(data.lengths[rows], how), strict=False):
            gates = gate.gates(step)
            leaf = gates.detach().requires_grad_(True)
            for part in token_batches(data.lengths[rows[batch]], how.tokens):
                chosen = rows[batch[part]]
                with masked(model, 1 - leaf if how.objective == "forget" else leaf):
                    logits = model(*data.tensors(chosen, device), pooling=how.pooling)
                places = torch.from_numpy(chosen).to(device)
                (losses(logits, given[places], forget[places]).sum() / len(batch)).backward()
            optimizer.zero_grad()
            gates.backward(leaf.grad)
            (gate.cost() * how.strength / how.k).backward()
            optimizer.step()
            gate.after_step()
            bar.update()


def _batches(lengths: np.ndarray, how: MaskTraining) -> Iterator[np.ndarray]:
    epoch = 0
    while True:
        epoch += 1
        yield from training_order(lengths, how.batch_size, how.seed, epoch)
