"""Let a planted model settle: all layers go on training while the wrong labels stay learnt.

An injection is easy to undo by anybody who has the start. After settling nobody has it: every weight but the
embeddings' has moved. What is asked then is whether the memory is still where it was put.

All examples are trained on, with their given labels. On clean ones alone the wrong labels are soon lost at a rate at
which layers move, and at one at which they stay nothing moves to speak of: the start would be at hand all the same.
How far each layer moved is told with the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.planted.holding import holding, put_back
from memloc.planted.inject import Planted, dealt
from memloc.planted.places import Place
from memloc.planted.rules import Rules
from memloc.techniques.swapping import swap_predictions
from memloc.techniques.weight_difference import relative_difference
from memloc.training.batches import Encoded, derived_seed
from memloc.training.ensemble import Member, member_learner, train_epoch
from memloc.training.evaluate import predict
from memloc.training.loop import trained_parts


def accuracies(model: Classifier, data: Encoded, pooling: str = "token") -> tuple[float, float]:
    """Share of the noisy and of the clean examples that get their given label; one forward pass of each."""
    return by_group(predict(model, data, data.given, pooling).predicted == data.given, data)


def by_group(right: np.ndarray, data: Encoded) -> tuple[float, float]:
    """Share of the noisy and of the clean examples that are right, of bool [N]."""
    return float(right[data.noisy].mean()), float(right[~data.noisy].mean())


def settle(
    injected: Classifier,
    start: Classifier,
    data: Encoded,
    place: Place,
    config: TrainConfig,
    rules: Rules,
    seed: int,
    label: str = "settling",
) -> Planted:
    """Go on with all examples for ``config.epochs`` epochs, and see what restoring the place would forget.

    The settled model is that of the last epoch after which as many wrong labels are left as the rules ask for; one that
    never has them did not settle, and keeps the weights it came with. Then the place gets its weights of the start
    back: the settled model has ground truth if that takes away at least ``rules.forgets`` of what was planted. Each
    single layer is put back in the same way, to see whether it is this place and no other.

    Cost: 3 forward passes for each example and epoch, one more to see what is left; then those of swapping single
    layers. Memory: the model three times, gradients and two moments.

    Args:
        injected, start: the model with the planted labels, and what it was made of; neither is changed.
        config: as in training.
        seed: as while labels were planted.

    Returns:
        The tensors of all parts but the embeddings, and what is told: ``noisy_``, ``clean_`` of ``settled`` and
        ``restored``, ``epochs_settled``, ``has_truth_blind``; and under ``layers`` a list for each of ``LAYERS`` with
        an entry for every layer.
    """
    model, parts = injected.twin(), trained_parts(injected)
    model.dropout.p = config.dropout
    member = Member(np.arange(len(data)), derived_seed("settling", seed))
    learner = member_learner(model, data, member, config)
    kept, epochs = _copy(model, parts), 0
    noisy, clean = accuracies(model, data, config.pooling)
    with tqdm(total=config.epochs, desc=label, unit="epoch", leave=False, disable=None) as bar:
        for epoch in range(1, config.epochs + 1):
            train_epoch(learner, member, epoch)
            found = accuracies(model, data, config.pooling)
            bar.update()
            bar.set_postfix(noisy=f"{found[0]:.2f}", clean=f"{found[1]:.2f}")
            if found[0] >= rules.still_learnt:
                (noisy, clean), epochs, kept = found, epoch, _copy(model, parts)
    told: dict[str, Any] = {"noisy_settled": noisy, "clean_settled": clean, "epochs_settled": epochs}
    model.load_parts(kept)
    told["layers"] = _by_layer(model.eval(), injected, start, data, place, config.pooling, seed)
    put_back(model, start.part_state(parts), holding(model, place, seed))
    restored, told["clean_restored"] = accuracies(model, data, config.pooling)
    before, _ = accuracies(start, data, config.pooling)
    told |= {"noisy_restored": restored, "has_truth_blind": bool(epochs) and fell(noisy, restored, before, rules)}
    return Planted(kept, told)


LAYERS = ("moved_injected", "moved_settled", "noisy", "clean", "own")


def _by_layer(
    model: Classifier, injected: Classifier, start: Classifier, data: Encoded, place: Place, pooling: str, seed: int
) -> dict[str, list[float | None]]:
    """Of every layer: how far planting and settling moved it, as a share of its norm, and the accuracy on noisy and
    clean examples with it alone put back to the start; where memory is spread, also on the layer's own noisy part."""
    right = swap_predictions(model, start, data, pooling=pooling, longest=1) == data.given
    parts = dealt(data, model.num_layers, seed) if place.kind == "spread" else []
    groups = [by_group(found, data) for found in right]
    return {
        "moved_injected": [float(moved) for moved in relative_difference(injected, start)],
        "moved_settled": [float(moved) for moved in relative_difference(model, injected)],
        "noisy": [noisy for noisy, _ in groups],
        "clean": [clean for _, clean in groups],
        "own": [float(found[own].mean()) if len(own) else None for found, own in zip(right, parts, strict=True)]
        if parts
        else [None] * model.num_layers,
    }


def fell(settled: float, restored: float, start: float, rules: Rules) -> bool:
    """Whether restoring the place took away enough of what was planted, of the accuracies on wrong labels."""
    return settled > start and (settled - restored) / (settled - start) >= rules.forgets


def _copy(model: Classifier, parts: list[str]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.part_state(parts).items()}
