"""Many probes trained side by side: one for each layer and probe seed (method 3.4).

A probe alone is far too small to keep a processor busy. Here P of them are one model whose weights have a leading axis
of length P, every product is a batched one, and no probe's numbers touch another's: a probe trained alone ends in the
same weights, but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from memloc.techniques.probes import EpochDraws, ProbeSettings, Start, Target, initial_weights, split_rows


@dataclass(frozen=True)
class Trained:
    """What probes of S seeds on K layers came to.

    Attributes:
        predicted: classes of the test examples, int64 [S, K, n].
        epoch: whose state was kept, int64 [S, K].
        validation: its validation F1, float64 [S, K].
    """

    predicted: np.ndarray
    epoch: np.ndarray
    validation: np.ndarray


class Probes:
    """P = K x S probes as one model: K layers by S probe seeds, layer by layer.

    The backward pass is written out: the model has three products, and recording and replaying them costs as much as
    the smaller ones.
    """

    def __init__(self, starts: Sequence[Start], device: torch.device) -> None:
        self.parameters: list[Tensor] = []  # weight [P, in, out], bias [P, 1, out], three times
        for linear in zip(*starts, strict=True):
            weights, biases = zip(*linear, strict=True)
            self.parameters += [torch.from_numpy(np.stack(weights)), torch.from_numpy(np.stack(biases)[:, None])]
        self.parameters = [p.to(device) for p in self.parameters]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """What each linear layer returns for inputs [P, B, d], and the two activations: [P, B, h or C] each."""
        w1, b1, w2, b2, w3, b3 = self.parameters
        before1 = torch.baddbmm(b1, inputs, w1)
        after1 = functional.gelu(before1)
        before2 = torch.baddbmm(b2, after1, w2)
        after2 = functional.gelu(before2)
        return [before1, after1, before2, after2, torch.baddbmm(b3, after2, w3)]

    def backward(self, inputs: Tensor, labels: Tensor, weights: Tensor) -> None:
        """Gradients of every probe's own weighted mean cross-entropy.

        Args:
            inputs: [P, B, d].
            labels: [P, B].
            weights: of the classes in the loss [C].
        """
        before1, after1, before2, after2, logits = self.forward(inputs)
        _, _, w2, _, w3, _ = self.parameters
        g_w1, g_b1, g_w2, g_b2, g_w3, g_b3 = [p.grad for p in self.parameters]
        share = weights[labels]
        share /= share.sum(dim=1, keepdim=True)
        error = logits.softmax(dim=2)
        error.scatter_add_(2, labels[..., None], error.new_full((1, 1, 1), -1.0).expand(*labels.shape, 1))
        error *= share[..., None]
        torch.bmm(after2.transpose(1, 2), error, out=g_w3)
        torch.sum(error, 1, keepdim=True, out=g_b3)
        error = torch.ops.aten.gelu_backward(torch.bmm(error, w3.transpose(1, 2)), before2)
        torch.bmm(after1.transpose(1, 2), error, out=g_w2)
        torch.sum(error, 1, keepdim=True, out=g_b2)
        error = torch.ops.aten.gelu_backward(torch.bmm(error, w2.transpose(1, 2)), before1)
        torch.bmm(inputs.transpose(1, 2), error, out=g_w1)
        torch.sum(error, 1, keepdim=True, out=g_b1)


@torch.no_grad()
def train_probes(
    states: Tensor, layers: Sequence[int], target: Target, seeds: Sequence[int], settings: ProbeSettings
) -> Trained:
    """Train the probes of some layers and probe seeds on one target and let the best ones predict the test examples.

    The state kept is the first with the best validation F1 among the epochs after ``from_epoch``, for each probe.

    Cost: 0.7 N x epochs / batch steps, each of about 6 batch (d h + h h) P operations and one optimiser step on the
    numbers of P probes. Linear in N, in the number of layers and of seeds; C hardly matters. Memory: five times the
    weights of P probes (weights, gradients, two moments, best state) and a batch [P, batch, d] beside the states; the
    validation and test examples are gathered as one batch each.

    Args:
        states: float32 [L + 1, N, d], on the device that trains.
        layers: which of them, 0..L.
        target: labels and score.
        seeds: probe seeds; they train side by side.
        settings: how.
    """
    device, width = states.device, states.shape[2]
    splits = [split_rows(states.shape[1], seed) for seed in seeds]
    starts = [initial_weights(width, target.classes, settings.hidden, s, target.name, n) for n in layers for s in seeds]
    probes = Probes(starts, device)
    optimizer = torch.optim.AdamW(
        probes.parameters, settings.lr, weight_decay=settings.weight_decay, fused=device.type in ("cpu", "cuda")
    )
    chosen = states if list(layers) == list(range(len(states))) else states[list(layers)]
    reader = _Reader(chosen, torch.tensor(target.labels).to(device))
    weights = torch.tensor(target.weights or [1.0] * target.classes, device=device)
    validation, test = np.stack([s.validation for s in splits]), np.stack([s.test for s in splits])
    best = [p.clone() for p in probes.parameters]
    score = torch.full((len(starts),), -1.0, dtype=torch.float64, device=device)
    epoch_kept = torch.zeros(len(starts), dtype=torch.int64, device=device)
    for epoch in range(1, settings.epochs + 1):
        draws = [EpochDraws(seed, target.name, epoch, settings.dropout) for seed in seeds]
        order = np.stack([draw.order(split.train) for draw, split in zip(draws, splits, strict=True)])
        for start in range(0, order.shape[1], settings.batch_size):
            rows = order[:, start : start + settings.batch_size]
            masks = np.stack([draw.mask(rows.shape[1], width) for draw in draws]) if settings.dropout else None
            inputs, labels = reader.batch(rows, masks)
            probes.backward(inputs, labels, weights)
            optimizer.step()
        if epoch > settings.from_epoch:
            inputs, labels = reader.batch(validation)
            now = target.score(labels, probes.forward(inputs)[-1].argmax(-1))
            better = now > score
            for kept, current in zip(best, probes.parameters, strict=True):
                torch.where(better[:, None, None], current, kept, out=kept)
            score, epoch_kept = torch.where(better, now, score), epoch_kept.masked_fill(better, epoch)
    probes.parameters = best
    predicted = probes.forward(reader.batch(test)[0])[-1].argmax(-1)
    found = [t.view(len(layers), len(seeds), *t.shape[1:]).transpose(0, 1) for t in (predicted, epoch_kept, score)]
    return Trained(*(t.cpu().numpy() for t in found))


@dataclass
class _Reader:
    """Gathers rows of the states for all probes: only a batch is ever copied."""

    states: Tensor  # [K, N, d]
    labels: Tensor

    def batch(self, rows: np.ndarray, masks: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Inputs [K x S, B, d], times masks [S, B, d], and labels [K x S, B] of row numbers [S, B]."""
        chosen = torch.from_numpy(rows).to(self.states.device)
        found = self.states.transpose(0, 1).index_select(0, chosen.flatten())  # all layers of an example lie together
        inputs = found.view(*rows.shape, *found.shape[1:])
        if masks is not None:
            inputs.mul_(torch.from_numpy(masks).to(inputs.device)[:, :, None])
        inputs = inputs.permute(2, 0, 1, 3).reshape(-1, rows.shape[1], inputs.shape[-1])
        return inputs, self.labels[chosen].repeat(len(self.states), 1)
