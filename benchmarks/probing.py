"""Probing the plain way: for each layer its states, for each probe seed one small network trained on them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.probes import EpochDraws, ProbeSettings, Target, initial_weights, split_rows
from memloc.techniques.probing import device_states, targets, train_all
from memloc.training.batches import Encoded
from memloc.training.evaluate import macro_f1

BATCH = 8
SETTINGS = ProbeSettings()
SEEDS = range(5)


@torch.inference_mode()
def plain_states(model: Classifier, data: Encoded, layer: int) -> Tensor:
    """States [N, d] after one layer (0: before the first), as stock models return them, eight rows at a time."""
    device = next(model.parameters()).device
    found = []
    for start in range(0, len(data), BATCH):
        ids, mask = data.tensors(range(start, min(start + BATCH, len(data))), device)
        out = model.backbone(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        found.append(model.pool(out.hidden_states[layer], mask))
    return torch.cat(found)


class PlainProbe(nn.Sequential):
    """One probe, starting where the package's probe of the same layer and seed starts."""

    def __init__(self, width: int, target: Target, layer: int, seed: int, hidden: int) -> None:
        linears = []
        for weight, bias in initial_weights(width, target.classes, hidden, seed, target.name, layer):
            linear = nn.Linear(*weight.shape)
            linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
            linears.append(linear)
        super().__init__(linears[0], nn.GELU(), linears[1], nn.GELU(), linears[2])


def score(target: Target, true: np.ndarray, predicted: np.ndarray) -> float:
    """Binary F1 of the positive class, or macro F1."""
    if target.positive is None:
        return macro_f1(true, predicted)
    hits = int(((true == target.positive) & (predicted == target.positive)).sum())
    said, there = int((predicted == target.positive).sum()), int((true == target.positive).sum())
    return 2 * hits / (said + there) if said + there else 0.0


def plain_probe(states: Tensor, layer: int, target: Target, seed: int, settings: ProbeSettings) -> Tensor:
    """Test logits [n, C] of one probe, in the package's order of examples and with its dropout masks."""
    split = split_rows(len(states), seed)
    labels = torch.from_numpy(target.labels).to(states.device)
    probe = PlainProbe(states.shape[1], target, layer, seed, settings.hidden).to(states.device)
    loss = nn.CrossEntropyLoss(weight=torch.tensor(target.weights, device=states.device) if target.weights else None)
    optimizer = torch.optim.AdamW(probe.parameters(), settings.lr, weight_decay=settings.weight_decay)
    best, kept = -1.0, probe.state_dict()
    for epoch in range(1, settings.epochs + 1):
        draws = EpochDraws(seed, target.name, epoch, settings.dropout)
        order = torch.from_numpy(draws.order(split.train))
        for rows in order.split(settings.batch_size):
            inputs = states[rows]
            if settings.dropout:
                inputs = inputs * torch.from_numpy(draws.mask(len(rows), states.shape[1])).to(states.device)
            optimizer.zero_grad()
            loss(probe(inputs), labels[rows]).backward()
            optimizer.step()
        if epoch > settings.from_epoch:
            with torch.inference_mode():
                predicted = probe(states[split.validation]).argmax(1).cpu().numpy()
            now = score(target, target.labels[split.validation], predicted)
            if now > best:
                best, kept = now, copy.deepcopy(probe.state_dict())
    probe.load_state_dict(kept)
    with torch.inference_mode():
        return probe(states[split.test])


def plain_probing(
    states: Sequence[Tensor], target: Target, seeds: Sequence[int], settings: ProbeSettings
) -> np.ndarray:
    """Predicted classes [S, L + 1, n] of the test examples, one layer and one probe after the other."""
    found = [
        [plain_probe(own, layer, target, seed, settings).argmax(1).cpu().numpy() for seed in seeds]
        for layer, own in enumerate(states)
    ]
    return np.array(found).swapaxes(0, 1)


def plain_experiment(
    model: Classifier, data: Encoded, target: Target, seeds: Sequence[int], settings: ProbeSettings
) -> np.ndarray:
    """Predicted classes [S, L + 1, n], each probe with the states of its layer got for it alone."""
    return np.array(
        [
            [
                plain_probe(plain_states(model, data, layer), layer, target, seed, settings).argmax(1).cpu().numpy()
                for layer in range(model.num_layers + 1)
            ]
            for seed in seeds
        ]
    )


def sides(world: World) -> Sides:
    """Probes that tell noisy from clean examples, in every layer, for five seeds, from token ids to test predictions.

    The plain way reuses nothing: each probe runs the model for the states of its layer. `benchmarks.probe_training`
    leaves the states out. The difference is the share of test predictions that differ: states agree within rounding,
    and a hundred epochs of training make more of it.
    """
    model, data, target = world.perturbed, world.data, targets(world.data, world.classes)[0]
    return Sides(
        plain=lambda: plain_experiment(model, data, target, SEEDS, SETTINGS),
        ours=lambda: train_all(device_states(model, data), target, SEEDS, SETTINGS).predicted,
        difference=lambda a, b: float(np.mean(a != b)),
    )
