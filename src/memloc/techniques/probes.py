"""What a probe is (method 3.4): its settings, what it learns, on which examples, where it starts and what it draws.

A probe is dropout on its input, Linear(d, h), GELU, Linear(h, h), GELU, Linear(h, C). ``probe_training`` trains them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from memloc.training.batches import derived_seed

Start = list[tuple[np.ndarray, np.ndarray]]  # a probe's weights and biases, layer by layer


@dataclass(frozen=True)
class ProbeSettings:
    """How probes train; the defaults are the method's.

    Attributes:
        epochs: passes over a probe's training examples.
        from_epoch: states of later epochs than this may be kept.
        hidden: width h.
        dropout: share of the input's entries set to zero in training.
    """

    epochs: int = 100
    from_epoch: int = 25
    hidden: int = 128
    lr: float = 2e-4
    weight_decay: float = 1e-5
    batch_size: int = 32
    dropout: float = 0.1


@dataclass(frozen=True)
class Target:
    """What probes learn to tell.

    Attributes:
        name: ``noise``, ``given`` or ``original``.
        labels: int64 [N], in 0..classes - 1.
        classes: number of classes C.
        weights: of the classes in the loss; empty weighs all alike.
        positive: the class whose F1 is the score; None takes the macro F1.
    """

    name: str
    labels: np.ndarray
    classes: int
    weights: tuple[float, ...] = ()
    positive: int | None = None

    def score(self, true: Tensor, predicted: Tensor) -> Tensor:
        """F1 [...] of labels and predictions [..., n]; 0 where nothing is or is said to be of the class."""
        return f1(true, predicted, self.classes, self.positive)


@dataclass(frozen=True)
class Split:
    """Row numbers of a probe seed's training, validation and test examples: 70/10/20 %, the same in every layer."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(n: int, seed: int) -> Split:
    """The split of a probe seed: a seeded shuffle, cut at 70 % and 80 %, whatever the labels (method 3.4)."""
    order = np.random.default_rng(derived_seed("probe split", seed)).permutation(n)
    first, second = int(0.7 * n), int(0.7 * n) + int(0.1 * n)
    return Split(order[:first], order[first:second], order[second:])


def f1(true: Tensor, predicted: Tensor, classes: int, positive: int | None = None) -> Tensor:
    """F1 of one class, or the mean over the classes that occur in either (macro F1), for many predictions at once.

    Args:
        true, predicted: [..., n].

    Returns:
        float64 [...]; a class (or a set of examples) with nothing in it scores 0.
    """
    wanted = range(classes) if positive is None else [positive]
    hits = torch.stack([((true == c) & (predicted == c)).sum(-1) for c in wanted], -1).double()
    sizes = torch.stack([(true == c).sum(-1) + (predicted == c).sum(-1) for c in wanted], -1)
    values = 2 * hits / sizes.clamp(min=1)
    return values.sum(-1) / (sizes > 0).sum(-1).clamp(min=1)


def initial_weights(width: int, classes: int, hidden: int, seed: int, target: str, layer: int) -> Start:
    """Weights [inputs, outputs] and biases [outputs] of one probe's three linear layers, drawn from what names
    the probe: uniform within 1 / sqrt(inputs), as stock linear layers start."""
    rng = np.random.default_rng(derived_seed("probe start", seed, target, layer))
    found = []
    for inputs, outputs in ((width, hidden), (hidden, hidden), (hidden, classes)):
        bound = inputs**-0.5
        weight, bias = rng.uniform(-bound, bound, (inputs, outputs)), rng.uniform(-bound, bound, outputs)
        found.append((weight.astype(np.float32), bias.astype(np.float32)))
    return found


class EpochDraws:
    """Order and dropout of one epoch, the same in every layer: from (probe seed, target, epoch) alone."""

    def __init__(self, seed: int, target: str, epoch: int, dropout: float) -> None:
        self._rng = np.random.default_rng(derived_seed("probe epoch", seed, target, epoch))
        self.dropout = dropout

    def order(self, rows: np.ndarray) -> np.ndarray:
        """The training rows in this epoch's order; drawn before any mask."""
        return self._rng.permutation(rows)

    def mask(self, size: int, width: int) -> np.ndarray:
        """What the inputs of the next batch are multiplied with, float32 [size, width]: 0 or 1 / (1 - dropout)."""
        kept = self._rng.random((size, width), dtype=np.float32) >= self.dropout
        return kept * np.float32(1 / (1 - self.dropout))
