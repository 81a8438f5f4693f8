"""Training one epoch the plain way: random batches of eight, AdamW as PyTorch gives it, embeddings left out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, derived_seed
from memloc.training.loop import Plan, Trainer, trained_parts

BATCH = 8
CONFIG = TrainConfig(epochs=1, batch_size=BATCH, lr=1e-4, dropout=0.0)
SEED = 1


@dataclass
class Trained:
    """What one run ends in.

    Attributes:
        weights: tensors of the trained parts.
        loss, accuracy: mean over the training examples after each epoch, on the given labels.
    """

    weights: dict[str, Tensor]
    loss: list[float]
    accuracy: list[float]


def plain_training(
    start: Classifier,
    train: Encoded,
    validation: Encoded,
    config: TrainConfig = CONFIG,
    seed: int = SEED,
    orders: Sequence[list[np.ndarray]] | None = None,
    as_published: bool = True,
) -> Trained:
    """The loop as a careful person would write it from the method.

    Batches in random order are padded to their longest example. After each epoch training and validation examples are
    scored in batches of eight. Texts are tokenised beforehand.

    Args:
        start: the untrained model; it stays as it is.
        orders: batches of each epoch, instead of random ones.
        as_published: frozen embeddings are only left out of the optimiser and get gradients all the same (method 7,
            row 8).
    """
    model = start.twin()
    device = next(model.parameters()).device
    parts = trained_parts(model)
    model.set_trainable(parts)
    learning = [p for p in model.parameters() if p.requires_grad]
    if as_published:
        model.requires_grad_(True)
    model.dropout.p = config.dropout
    optimizer = torch.optim.AdamW(learning, lr=config.lr, weight_decay=config.weight_decay)
    total = config.epochs * -(-len(train) // config.batch_size)
    warm = int(config.warmup * total)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: n / max(1, warm) if n < warm else (total - n) / max(1, total - warm)
    )
    result = Trained({}, [], [])
    for epoch in range(1, config.epochs + 1):
        rng = np.random.default_rng(derived_seed("plain", seed, epoch))
        torch.manual_seed(derived_seed("dropout", seed, epoch))
        model.train()
        for rows in orders[epoch - 1] if orders else _in_batches(rng.permutation(len(train)), config.batch_size):
            ids, mask = train.tensors(rows, device)
            loss = functional.cross_entropy(model(ids, mask), torch.tensor(train.given[rows], device=device))
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, config.clip_norm)
            optimizer.step()
            schedule.step()
        loss_now, accuracy = _score(model, train, train.given)
        _score(model, validation, validation.label)
        result.loss.append(loss_now)
        result.accuracy.append(accuracy)
    model.zero_grad()  # the embeddings are shared with the start
    model.requires_grad_(False)
    result.weights = {name: tensor.detach().cpu() for name, tensor in model.part_state(parts).items()}
    return result


def _in_batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


@torch.inference_mode()
def _score(model: Classifier, data: Encoded, labels: np.ndarray) -> tuple[float, float]:
    """Mean loss and accuracy, in batches of eight in the order of the examples."""
    model.eval()
    device = next(model.parameters()).device
    loss, right = 0.0, 0
    for rows in _in_batches(np.arange(len(data)), BATCH):
        ids, mask = data.tensors(rows, device)
        logits = model(ids, mask).float().cpu()
        target = torch.tensor(labels[rows])
        loss += float(functional.cross_entropy(logits, target, reduction="sum"))
        right += int((logits.argmax(dim=1) == target).sum())
    return loss / len(data), right / len(data)


def our_training(
    start: Classifier, train: Encoded, validation: Encoded, config: TrainConfig = CONFIG, seed: int = SEED
) -> Trained:
    """The same settings through the package's loop, checkpoints written and all."""
    model = start.twin()
    trainer = Trainer(model, train, validation, config, seed, Plan(trained_parts(model), train.given))
    with tempfile.TemporaryDirectory() as folder:
        trainer.run(Path(folder), Path(folder) / "resume", "training")
    scored = [
        frame[(frame["split"] == "train") & (frame["group"] == "all")].set_index("metric")["value"]
        for frame in trainer.state.trace
    ]
    weights = {name: tensor.detach().cpu() for name, tensor in model.part_state(trained_parts(model)).items()}
    return Trained(weights, [float(s["loss"]) for s in scored], [float(s["accuracy"]) for s in scored])


def sides(world: World) -> Sides:
    """One epoch with its scores. The difference is that of the mean training losses after it: the orders differ, so the
    weights do; the tests compare weights under one order.
    """
    validation = part(world.data, len(world.data) // 4)
    return Sides(
        plain=lambda: plain_training(world.pretrained, world.data, validation),
        ours=lambda: our_training(world.pretrained, world.data, validation),
        difference=lambda a, b: float(np.abs(np.array(a.loss) - np.array(b.loss)).max()),
    )


def part(data: Encoded, n: int) -> Encoded:
    """The first n examples."""
    return Encoded(data.ids[:n], data.idx[:n], data.label[:n], data.given[:n], data.noisy[:n], data.pad_id)
