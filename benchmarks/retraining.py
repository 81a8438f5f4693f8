"""Layer retraining the plain way: one window after the other, each a model of its own that trains whole."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.retraining import Split, chosen_windows, retrain, split
from memloc.techniques.swapping import Window
from memloc.techniques.trainees import Retraining
from memloc.training.batches import Encoded, derived_seed, training_order


def plain_window(
    perturbed: Classifier, pretrained: Classifier, data: Encoded, chosen: Split, window: Window, how: Retraining
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
        for picked in training_order(data.lengths[chosen.learnt], how.batch_size, how.seed, epoch):
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
    batches = [chosen.asked[i : i + size] for i in range(0, len(chosen.asked), size)]
    with torch.inference_mode():
        answers = [model(*data.tensors(rows, device), pooling=how.pooling) for rows in batches]
    return torch.cat(answers).float().cpu().numpy()


def plain_retraining(
    perturbed: Classifier, pretrained: Classifier, data: Encoded, chosen: Split, order: list[Window], how: Retraining
) -> np.ndarray:
    """Logits [W, M, C]; batches in the package's order and the package's seeds, so that the two can be compared."""
    with torch.random.fork_rng():
        return np.stack([plain_window(perturbed, pretrained, data, chosen, window, how) for window in order])


def sides(world: World) -> Sides:
    """Logits of both ways: windows of one layer, of half of the layers and of all, one epoch."""
    layers = world.perturbed.num_layers
    order, how = chosen_windows(layers, [1, max(1, layers // 2), layers]), Retraining(epochs=1)
    chosen = split(world.data, how.seed)
    return Sides(
        plain=lambda: plain_retraining(world.perturbed, world.pretrained, world.data, chosen, order, how),
        ours=lambda: retrain(world.perturbed, world.pretrained, world.data, chosen, order, how),
        difference=lambda a, b: float(np.abs(a - b).max()),
    )
