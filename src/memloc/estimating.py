"""How long a profile will take on this device and how much it will store, from a few real steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memloc.arms import ARMS, CONTROL_ARMS, arm_of, followed
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId, Experiment
from memloc.running import tell
from memloc.techniques.base import get_technique, settings_of

STEPS = 3  # timed steps, after one that warms up


@dataclass(frozen=True)
class Estimate:
    """Of one (task, model), all seeds: hours of computing at most, gigabytes in the store, and tokens per example."""

    task: str
    model: str
    hours: float
    gigabytes: float
    mean_tokens: float


def estimate(experiment: Experiment, say: Callable[[str], None] = tell) -> list[Estimate]:
    """Time real training and evaluation steps for every (task, model) of the profile.

    Hours are those of training, swapping and maps, the other techniques come on top; of training they are an upper
    bound where the profile stops early, for they assume that every epoch is run. Nothing is trained to the end and no
    checkpoint is stored; data sets are, since every run needs them.

    Args:
        experiment: the profile on this machine.
        say: gets a line for each (task, model).
    """
    experiment.check()
    results = []
    for task in experiment.profile.tasks:
        for model in experiment.profile.models:
            results.append(_one(experiment, task, model))
            r = results[-1]
            say(f"{task} {model}: {r.hours:.2f} h, {r.gigabytes:.2f} GB, {r.mean_tokens:.0f} tokens an example")
    return results


def _one(experiment: Experiment, task: str, model_name: str) -> Estimate:
    from memloc.training.batches import training_order
    from memloc.training.loop import Plan, Trainer, trained_parts

    run = experiment.profile.models[model_name]
    cells = [CellId(task, model_name, seed) for seed in run.seeds]
    train, validation = experiment.encoded(cells[0], "train"), experiment.encoded(cells[0], "validation")
    model = experiment.fresh(cells[0])
    parts = trained_parts(model)
    trainer = Trainer(model, train, validation, run.training, run.seeds[0], Plan(parts, train.given))
    batches = training_order(train.lengths, run.training.batch_size, run.seeds[0], 1)
    per_token = _timed(experiment, lambda rows: trainer.step(rows), batches, train.lengths)
    forward = _timed(
        experiment, lambda rows: model.eval()(*train.tensors(rows, experiment.torch_device)), batches, train.lengths
    )

    arms = [arm for cell in cells for arm in wanted_arms(experiment, cell) if arm != "bag_of_words"]
    epoch = per_token * train.lengths.sum() + forward * (train.lengths.sum() + validation.lengths.sum())
    training = epoch * run.training.epochs * len(arms)
    if joint := sum(arm in CONTROL_ARMS for arm in arms):  # these train the second task beside
        auxiliary = experiment.encoded(cells[0]._replace(task=experiment.control(cells[0]).auxiliary), "train")
        training += per_token * auxiliary.lengths.sum() * run.training.epochs * joint
    layers = get_model(model_name).layers
    # the share of the plain cost of one window after another that the swapping engine pays, see its docstring
    engine = layers + layers * (layers + 1) / 2 + (layers - 1) * layers * (layers + 1) / 6
    found = sum("swapping" in experiment.techniques(setting) for cell in cells for setting in experiment.settings(cell))
    swapping = forward * train.lengths.sum() * engine / layers * found
    maps = _ensembles(experiment, per_token, forward) * train.lengths.sum() * len(cells)
    bytes_ = sum(t.nbytes for t in model.part_state(parts).values()) * 2 * len(arms)
    return Estimate(task, model_name, (training + swapping + maps) / 3600, bytes_ / 1e9, float(train.lengths.mean()))


def _ensembles(experiment: Experiment, per_token: float, forward: float) -> float:
    """Seconds per token of the training set that a cell's half-data ensemble takes, one member after the other."""
    if "maps" not in experiment.profile.techniques:
        return 0.0
    settings = settings_of(get_technique("maps"), experiment.profile.techniques["maps"])
    return float(settings["members"] * (settings["epochs"] * settings["share"] * per_token + forward))


def wanted_arms(experiment: Experiment, cell: CellId) -> list[str]:
    """The arms that the profile trains for a cell: its techniques', in every setting, and those they follow."""
    named = set(experiment.profile.extra_arms)
    for setting in experiment.settings(cell):
        for name in experiment.techniques(setting):
            technique = get_technique(name)
            asked = {*technique.arms, *technique.optional} - {"pretrained"}
            named |= {arm_of(setting, arm) for arm in asked}
    named |= {leader for arm in named for leader in followed(arm)}
    return [arm for arm in (*ARMS, *CONTROL_ARMS) if arm in named]


def _timed(
    experiment: Experiment, step: Callable[[np.ndarray], object], batches: list[np.ndarray], lengths: np.ndarray
) -> float:
    """Seconds per token of a few real batches, the first one (which warms up) left out."""
    import torch

    chosen = batches[: STEPS + 1] if len(batches) > STEPS else batches * (STEPS + 1)
    seconds, tokens = 0.0, 0
    for number, rows in enumerate(chosen[: STEPS + 1]):
        began = time.perf_counter()
        step(rows)
        if experiment.torch_device.type == "cuda":
            torch.cuda.synchronize()
        if number:
            seconds += time.perf_counter() - began
            tokens += int(lengths[rows].sum())
    return seconds / tokens
