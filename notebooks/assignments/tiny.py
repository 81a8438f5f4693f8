"""A tiny transformer that learns in a second; the notebook reaches everything here through ``kit``.

Layers count from 1 wherever you see a number: ``model.layers[0]`` is layer 1.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

torch.set_num_threads(1)  # models this small lose more to threads than they gain
WORDS = 128  # rows of the embedding table; the tasks know a few less


class Layer(nn.Module):
    """Attention and a feed-forward part; both add to what comes in."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, width] to the same."""
        n, t, width = x.shape
        query, key, value = self.mix(self.norm1(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class Model(nn.Module):
    """A classifier of sentences: embeddings, ``layers``, a norm, and a linear head on the state of [CLS].

    With ``second`` classes there is a second head, for a second task.
    """

    def __init__(self, layers: int, width: int, classes: int, second: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(WORDS, width), nn.Embedding(16, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        if second:
            self.second_head = nn.Linear(width, second)

    def states(self, ids: Tensor) -> Tensor:
        """The state of [CLS] before layer 1 and after every layer, [L + 1, N, width]."""
        x = self.embed(ids) + self.place(torch.arange(ids.shape[1]))
        found = [x[:, 0]]
        for layer in self.layers:
            x = layer(x)
            found.append(x[:, 0])
        return torch.stack(found)

    def forward(self, ids: Tensor, head: str = "head") -> Tensor:
        """Logits, [N, C]."""
        return getattr(self, head)(self.norm(self.states(ids)[-1]))


def model(seed: int = 0, layers: int = 6, width: int = 32, classes: int = 3, second: int = 0) -> Model:
    """A model with random weights; the same numbers always give the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Model(layers, width, classes, second)
        for table in (made.embed, made.place):
            nn.init.normal_(table.weight, std=0.3)
    return made.eval()


@dataclass(frozen=True)
class Second:
    """A second task to learn on the way, through ``second_head``; its steps change only the names in ``only``."""

    ids: Tensor
    labels: np.ndarray
    only: Collection[str]


def train(
    start: Model,
    ids: Tensor,
    labels: Sequence[int] | np.ndarray,
    steps: int = 60,
    only: Collection[str] | None = None,
    second: Second | None = None,
    fast: int | None = None,
) -> Model:
    """A copy of ``start`` that has learnt these labels; ``start`` itself stays as it is.

    Args:
        steps: passes over all examples.
        only: names of the parameters that may change (as in ``start.named_parameters()``); default: all.
        second: another task, a step of which follows each step of the first.
        fast: a layer, from 1, that learns ten times as fast as all other parameters do.
    """
    learner = copy.deepcopy(start).train()
    parameters = dict(learner.named_parameters())
    jobs = [("head", ids, labels, parameters if only is None else only)]
    if second is not None:
        jobs.append(("second_head", second.ids, second.labels, second.only))
    for name in sorted({name for *_, names in jobs for name in names} - parameters.keys()):
        raise ValueError(f"{name!r} is no parameter of this model; it has {', '.join(parameters)}")
    ready = []
    for head, texts, targets, names in jobs:
        chosen = [parameters[name] for name in parameters if name in set(names)]
        speed = 3e-3 if head == "head" else 2e-4  # the second task is there to move layers, not to push the first out
        optimiser = _optimiser(learner, chosen, fast, speed) if chosen else None
        ready.append((head, texts, torch.as_tensor(np.asarray(targets)), chosen, optimiser))
    for _ in range(steps):
        for head, texts, targets, chosen, optimiser in ready:
            if optimiser is not None:
                loss = nn.functional.cross_entropy(learner(texts, head), targets)
                gradients = torch.autograd.grad(loss, chosen, allow_unused=True)
                for parameter, gradient in zip(chosen, gradients, strict=True):
                    parameter.grad = gradient
                optimiser.step()
    for parameter in learner.parameters():
        parameter.grad = None
    return learner.eval()


def _optimiser(learner: Model, chosen: list[nn.Parameter], fast: int | None, speed: float) -> torch.optim.Optimizer:
    if fast is None:
        return torch.optim.AdamW(chosen, lr=speed, weight_decay=0.0)
    quick = {id(parameter) for parameter in learner.layers[fast - 1].parameters()}
    groups = [
        {"params": [p for p in chosen if id(p) in quick], "lr": 4e-3},
        {"params": [p for p in chosen if id(p) not in quick], "lr": 4e-4},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.0)


def logits(model: Model, ids: Any) -> np.ndarray:
    """What a model says of these examples, [N, C], as numbers."""
    with torch.no_grad():
        return model(torch.as_tensor(ids)).numpy()


def states(model: Model, ids: Any) -> np.ndarray:
    """The state of [CLS] before layer 1 and after every layer, [L + 1, N, width], as numbers."""
    with torch.no_grad():
        return model.states(torch.as_tensor(ids)).numpy()


def weights(model: Model) -> dict[str, np.ndarray]:
    """All parameters by name, as copies."""
    return {name: tensor.detach().numpy().copy() for name, tensor in model.named_parameters()}
