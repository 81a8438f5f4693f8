"""Ensembles of half-data models (method 3.6): short trainings from one start, each on its own part of the examples.

A member is trained as any run is (AdamW, linear warm-up and decay, clipping, an order and dropout from its seed); only
the rows it sees and the start of its head are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, derived_seed, training_order
from memloc.training.evaluate import predict
from memloc.training.loop import trained_parts
from memloc.training.streams import Learner, Stream


@dataclass(frozen=True)
class Member:
    """One model of an ensemble.

    Attributes:
        rows: the examples it is trained on, ascending, int64.
        seed: of its head, order and dropout.
    """

    rows: np.ndarray
    seed: int


def members(n: int, count: int, seed: int, share: float = 0.5, balanced: bool = False) -> list[Member]:
    """The members of an ensemble; the first ones are the same whatever ``count`` is.

    Args:
        n: number of examples N.
        count: number of members.
        seed: the model seed.
        share: part of the examples that each sees, rounded.
        balanced: members come in pairs whose rows are complements, so that every example is seen by half of them.

    Raises:
        MemlocError: if nobody would see, or everybody, or a balanced ensemble is not of halves and pairs.
    """
    size = round(share * n)
    if count < 1:
        raise MemlocError("members of an ensemble", count, "1 or more")
    if not 0 < size < n:
        raise MemlocError("share of an ensemble", share, f"one that leaves some of {n} examples in and some out")
    if balanced and (share != 0.5 or count % 2):
        raise MemlocError("balanced ensemble", f"{count} members, share {share}", "an even number and a share of 0.5")
    found = []
    for number in range(count):
        half = number // 2 if balanced else number
        order = np.random.default_rng(derived_seed("half", seed, half)).permutation(n)
        rows = order[size:] if balanced and number % 2 else order[:size]
        found.append(Member(np.sort(rows), derived_seed("member", seed, number)))
    return found


def epoch_order(member: Member, lengths: np.ndarray, batch_size: int, epoch: int) -> list[np.ndarray]:
    """A member's batches of one epoch as row numbers of all examples."""
    return [member.rows[chosen] for chosen in training_order(lengths[member.rows], batch_size, member.seed, epoch)]


def fresh_head(model: Classifier, seed: int) -> dict[str, Tensor]:
    """The tensors of a head as `Classifier` would start it with this seed."""
    head = model.heads["main"]
    drawn = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(seed)) * 0.02  # type: ignore[arg-type]
    return {"head.main/0/weight": drawn, "head.main/0/bias": torch.zeros(len(drawn))}


def start_of(model: Classifier) -> dict[str, Tensor]:
    """A copy of everything that training may change."""
    return {name: tensor.detach().clone() for name, tensor in model.part_state(trained_parts(model)).items()}


def train_member(
    model: Classifier, start: Mapping[str, Tensor], data: Encoded, member: Member, config: TrainConfig
) -> None:
    """Train one member in place, on the given labels.

    Cost: 3 x epochs x rows forward passes; memory: weights, gradients and two moments of what learns.

    Args:
        model: any classifier of the right shape; it is put at the start first.
        start: from `start_of`.
    """
    model.load_parts(start)
    model.load_parts(fresh_head(model, derived_seed("head", member.seed)))
    model.dropout.p = config.dropout
    learner = member_learner(model, data, member, config)
    for epoch in range(1, config.epochs + 1):
        train_epoch(learner, member, epoch)
    model.eval()


def member_learner(model: Classifier, data: Encoded, member: Member, config: TrainConfig) -> Learner:
    """What learns a member's rows, with the given labels, in all parts that training may change."""
    learner = Learner(model, Stream(data, data.given, trained_parts(model), config.lr), config)
    learner.steps_per_epoch = -(-len(member.rows) // config.batch_size)  # of its rows, not of all examples
    return learner


def train_epoch(learner: Learner, member: Member, epoch: int) -> None:
    """One epoch, counted from 1, of a member's rows; order and dropout come from its seed and the epoch alone."""
    device, config = learner.device, learner.config
    step = (epoch - 1) * learner.steps_per_epoch
    with torch.random.fork_rng([device] if device.type == "cuda" else []):  # stock dropout draws from the global ones
        torch.manual_seed(derived_seed("dropout", member.seed, epoch))
        learner.model.train()
        for rows in epoch_order(member, learner.stream.data.lengths, config.batch_size, epoch):
            learner.set_rate(step)
            learner.step(rows)
            step += 1


def given_probability(model: Classifier, data: Encoded, pooling: str = "token") -> np.ndarray:
    """Softmax probability of each example's given label, float64 [N]; one forward pass of each."""
    return np.exp(-predict(model, data, data.given, pooling).loss)
