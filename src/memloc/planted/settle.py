"""Let a planted model settle: all layers go on training on clean examples while the wrong labels stay learnt.

An injection is easy to undo by anybody who has the start. After settling nobody has it: every weight but the
embeddings' has moved. What is asked then is whether the memory is still where it was put.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.planted.holding import holding, put_back
from memloc.planted.inject import Planted
from memloc.planted.places import Place
from memloc.planted.rules import Rules
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
    """Go on with the clean examples, at most ``config.epochs`` epochs, and see what restoring the place would forget.

    Ends before the first epoch after which fewer wrong labels are left than the rules ask for; a model that loses them
    in its first epoch did not settle, and keeps the weights it came with. Then the place gets its weights of the start
    back: the settled model has ground truth if that takes away at least ``rules.forgets`` of what was planted.

    Cost: 3 forward passes for each clean example and epoch, one for each example and epoch to see what is left. Memory:
    the model three times, gradients and two moments.

    Args:
        injected, start: the model with the planted labels, and what it was made of; neither is changed.
        config: as in training.
        seed: the model seed.

    Returns:
        The tensors of all parts but the embeddings, and what is told: ``noisy_``, ``clean_`` of ``settled`` and
        ``restored``, ``epochs_settled``, ``has_truth_blind``.
    """
    model, parts = injected.twin(), trained_parts(injected)
    model.dropout.p = config.dropout
    member = Member(np.flatnonzero(~data.noisy), derived_seed("settling", seed))
    learner = member_learner(model, data, member, config)
    kept, epochs = _copy(model, parts), 0
    noisy, clean = accuracies(model, data, config.pooling)
    with tqdm(total=config.epochs, desc=label, unit="epoch", leave=False, disable=None) as bar:
        for epoch in range(1, config.epochs + 1):
            train_epoch(learner, member, epoch)
            found = accuracies(model, data, config.pooling)
            bar.update()
            bar.set_postfix(noisy=f"{found[0]:.2f}", clean=f"{found[1]:.2f}")
            if found[0] < rules.still_learnt:
                break
            (noisy, clean), epochs, kept = found, epoch, _copy(model, parts)
    told: dict[str, Any] = {"noisy_settled": noisy, "clean_settled": clean, "epochs_settled": epochs}
    model.load_parts(kept)
    put_back(model, start.part_state(parts), holding(model, place, seed))
    restored, told["clean_restored"] = accuracies(model, data, config.pooling)
    before, _ = accuracies(start, data, config.pooling)
    told |= {"noisy_restored": restored, "has_truth_blind": bool(epochs) and fell(noisy, restored, before, rules)}
    return Planted(kept, told)


def fell(settled: float, restored: float, start: float, rules: Rules) -> bool:
    """Whether restoring the place took away enough of what was planted, of the accuracies on wrong labels."""
    return settled > start and (settled - restored) / (settled - start) >= rules.forgets


def _copy(model: Classifier, parts: list[str]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.part_state(parts).items()}
