"""Layer retraining the plain way: one window after the other, each a model of its own that trains whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.retraining import Split, chosen_windows, retrain, split
from memloc.techniques.swapping import Window
from memloc.techniques.trainees import Retraining
from memloc.training.batches import Encoded, derived_seed

Batches = Callable[[np.ndarray, int, int, int], list[np.ndarray]]  # of `training_order`: lengths, size, seed, epoch


def shuffled(lengths: np.ndarray, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Batches in random order, whatever the lengths."""
    order = np.random.default_rng(derived_seed("plain", seed, epoch)).permutation(len(lengths))
    return [order[i : i + size] for i in range(0, len(order), size)]


def plain_window(
    perturbed: Classifier,
    pretrained: Classifier,
    data: Encoded,
    chosen: Split,
    window: Window,
    how: Retraining,
    batches: Batches = shuffled,
) -> np.ndarray:
    """Logits [M, C] of the examples asked about, after one window was retrained."""
    device = next(perturbed.parameters()).device
    start, length = window
    layers = [f"layer.{n}" for n in range(start, start + length)]
    model = perturbed.twin()
    model.dropout.p = how.dropout
    model.load_parts(pretrained.part_state(layers))
    model.set_trainable([*layers, "final", "head.main"])
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=how.lr, weight_decay=how.weight_decay)
    model.train(how.frozen_dropout)
    model.dropout.train()
    model.heads.train()
    for number in range(start, start + length):
        model.layer(number).train()

    given = torch.tensor(data.given, device=device)
    steps = how.epochs * -(-len(chosen.learnt) // how.batch_size)
    warm = int(how.warmup * steps)
    step = 0
    for epoch in range(1, how.epochs + 1):
        for picked in batches(data.lengths[chosen.learnt], how.batch_size, how.seed, epoch):
            rows = chosen.learnt[picked]
            torch.manual_seed(derived_seed("retraining", how.seed, start, length, step))
            rate = how.lr * step / warm if step < warm else how.lr * (steps - step) / (steps - warm)
            optimizer.param_groups[0]["lr"] = rate
            logits = model(*data.tensors(rows, device), pooling=how.pooling)
            functional.cross_entropy(logits, given[rows]).backward()
            torch.nn.utils.clip_grad_norm_(learning, how.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            step += 1

    model.eval()
    size = how.batch_size
    asked = [chosen.asked[i : i + size] for i in range(0, len(chosen.asked), size)]
    with torch.inference_mode():
        answers = [model(*data.tensors(rows, device), pooling=how.pooling) for rows in asked]
    return torch.cat(answers).float().cpu().numpy()


def plain_retraining(
    perturbed: Classifier,
    pretrained: Classifier,
    data: Encoded,
    chosen: Split,
    order: list[Window],
    how: Retraining,
    batches: Batches = shuffled,
) -> np.ndarray:
    """Logits [W, M, C]; dropout's seeds are the package's, and with ``batches=training_order`` the batches too, so that
    the two can be compared.
    """
    with torch.random.fork_rng():
        return np.stack([plain_window(perturbed, pretrained, data, chosen, window, how, batches) for window in order])


def sides(world: World) -> Sides:
    """Logits of both ways: windows of one layer, of half of the layers and of all, one epoch.

    The difference is that of the accuracies on the given labels, the largest over windows and groups: the orders of the
    batches differ, so the weights do; the tests compare logits under one order.
    """
    layers = world.perturbed.num_layers
    order, how = chosen_windows(layers, [1, max(1, layers // 2), layers]), Retraining(epochs=1)
    chosen = split(world.data, how.seed)
    return Sides(
        plain=lambda: plain_retraining(world.perturbed, world.pretrained, world.data, chosen, order, how),
        ours=lambda: retrain(world.perturbed, world.pretrained, world.data, chosen, order, how),
        difference=lambda a, b: float(
            np.abs(_accuracies(a, world.data, chosen) - _accuracies(b, world.data, chosen)).max()
        ),
    )


def _accuracies(logits: np.ndarray, data: Encoded, chosen: Split) -> np.ndarray:
    """Accuracy on the given labels [W, 2]: of noisy and of held-out clean examples."""
    right = logits.argmax(axis=-1) == data.given[chosen.asked]
    noisy = data.noisy[chosen.asked]
    return np.stack([right[:, noisy].mean(axis=1), right[:, ~noisy].mean(axis=1)], axis=1)
