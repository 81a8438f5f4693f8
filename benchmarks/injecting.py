"""Planting wrong labels the plain way: every batch through the whole model, all else copied back after every step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.planted.inject import Injector
from memloc.planted.places import Place, drawn_units
from memloc.training.batches import Encoded

CONFIG = TrainConfig(epochs=2, batch_size=8, lr=1e-3)


def plain_entries(model: Classifier, place: Place, seed: int) -> dict[str, Tensor]:
    """Which entries of which parameters a place is made of, by the parameters' names in the classifier."""
    names = {id(p): name for name, p in model.named_parameters()}
    found = {}
    if place.kind == "units":
        up, down = (model.family.feed_forward[0], model.family.feed_forward[-1])
        width = len(model.layer(1).get_submodule(up).weight)
        for number, unit in drawn_units(place, model.num_layers, width, seed):
            layer = model.layer(int(number))
            for path in model.family.feed_forward[:-1]:
                for parameter in layer.get_submodule(path).parameters():
                    found.setdefault(names[id(parameter)], torch.zeros_like(parameter, dtype=torch.bool))[unit] = True
            weight = layer.get_submodule(down).weight
            found.setdefault(names[id(weight)], torch.zeros_like(weight, dtype=torch.bool))[:, unit] = True
        return found
    for number in place.layers(model.num_layers):
        norms = [m for m in model.layer(number).modules() if type(m).__name__.endswith("Norm")]
        frozen = {id(p) for norm in norms for p in norm.parameters()}
        for parameter in model.layer(number).parameters():
            if id(parameter) not in frozen:
                found[names[id(parameter)]] = torch.ones_like(parameter, dtype=torch.bool)
    return found


def plain_inject(
    start: Classifier,
    data: Encoded,
    place: Place,
    config: TrainConfig,
    seed: int,
    turns: list[list[tuple[int | None, np.ndarray]]],
) -> Classifier:
    """The model after all epochs.

    Args:
        turns: of each epoch: the layer that may change in a step (None: the whole place), and the step's rows.
    """
    model = start.twin().eval()
    entries = plain_entries(model, place, seed)
    parameters = dict(model.named_parameters())
    layer_of = {id(p): n for n in range(1, model.num_layers + 1) for p in model.layer(n).parameters()}
    model.requires_grad_(False)
    learning = {name: parameters[name].requires_grad_(True) for name in entries}
    optimizer = torch.optim.AdamW(learning.values(), lr=config.lr, weight_decay=config.weight_decay)
    device = next(model.parameters()).device
    given = torch.tensor(data.given, device=device)
    total = config.epochs * len(turns[0])
    warm = int(config.warmup * total)
    for step, (layer, rows) in enumerate(turn for epoch in turns for turn in epoch):
        before = {name: p.detach().clone() for name, p in learning.items()}
        for group in optimizer.param_groups:
            group["lr"] = config.lr * (step / warm if step < warm else (total - step) / max(1, total - warm))
        optimizer.zero_grad()
        logits = model(*data.tensors(rows, device), pooling=config.pooling)
        functional.cross_entropy(logits, given[torch.from_numpy(rows)]).backward()
        for name, p in learning.items():
            if layer is not None and layer_of[id(p)] != layer:
                p.grad = None  # AdamW leaves alone what has none
            else:
                p.grad *= entries[name]  # type: ignore[operator]
        torch.nn.utils.clip_grad_norm_(learning.values(), config.clip_norm)
        optimizer.step()
        with torch.no_grad():
            for name, p in learning.items():
                p.copy_(torch.where(entries[name], p, before[name]))
    return model


def sides(world: World) -> Sides:
    """Both ways of two epochs in the middle layer."""
    place = Place.parse(f"layer:{world.normal.num_layers // 2}")
    injector = Injector(world.normal, world.data, place, CONFIG, seed=1)
    turns = [injector.turns(epoch) for epoch in range(1, CONFIG.epochs + 1)]

    def ours() -> Classifier:
        made = Injector(world.normal, world.data, place, CONFIG, seed=1)
        for epoch in range(1, CONFIG.epochs + 1):
            made.epoch(epoch)
        return made.model

    return Sides(
        lambda: plain_inject(world.normal, world.data, place, CONFIG, 1, turns),
        ours,
        lambda plain, made: difference(plain, made, world.data),
    )


@torch.inference_mode()
def difference(plain: Classifier, ours: Classifier, data: Encoded) -> float:
    """The largest difference of any logit: biases that no logit depends on are moved by rounding alone."""
    ids, mask = data.tensors(range(len(data)), next(plain.parameters()).device)
    return float((plain(ids, mask) - ours(ids, mask)).abs().max())
