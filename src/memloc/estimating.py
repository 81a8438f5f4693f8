"""How long a profile will take on this device and how much it will store, from a few real steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from memloc.arms import CONTROL_ARMS, scored
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId, Experiment
from memloc.provenance import peak_memory
from memloc.running import tell
from memloc.scale.costs import swapped_layers
from memloc.techniques.base import get_technique, settings_of
from memloc.techniques.retraining import chosen_windows

CONTEXT = 600_000_000  # bytes that CUDA takes for each process, beside what torch sees
STEPS = 3  # timed steps, after one that warms up


@dataclass(frozen=True)
class Estimate:
    """Of one (task, model), all seeds.

    Attributes:
        hours: of computing, at most.
        gigabytes: in the store.
        mean_tokens: per example.
        training: the part of ``hours`` that trains arms.
        memory: gigabytes that the process has held so far, so also those of what was estimated before it.
        device_memory: gigabytes on a CUDA device, with what the device's driver takes; 0 elsewhere.
    """

    task: str
    model: str
    hours: float
    gigabytes: float
    mean_tokens: float
    training: float = 0.0
    memory: float = 0.0
    device_memory: float = 0.0


def estimate(experiment: Experiment, say: Callable[[str], None] = tell) -> list[Estimate]:
    """Time real training and evaluation steps for every (task, model) of the profile.

    Hours are those of training, swapping, retraining and maps; the other techniques come on top. They are an upper
    bound: every epoch is counted, also where the profile stops early, and a retrained window as much as the whole
    model. Nothing is trained to the end and no checkpoint is stored; data sets are, since every run needs them.

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


def _one(experiment: Experiment, task: str, model: str) -> Estimate:
    import torch

    cells = [CellId(task, model, seed) for seed in experiment.profile.models[model].seeds]
    on_cuda = experiment.torch_device.type == "cuda"
    if on_cuda:
        torch.cuda.reset_peak_memory_stats(experiment.torch_device)
    step, forward, size = _measured(experiment, cells[0])
    held = torch.cuda.max_memory_reserved(experiment.torch_device) + CONTEXT if on_cuda else 0
    training, analyses = _training(experiment, cells, step, forward), _analyses(experiment, cells, step, forward)
    arms = sum(len(_trained(experiment, cell)) for cell in cells)
    return Estimate(
        task,
        model,
        hours=(training + analyses) / 3600,
        gigabytes=size * 2 * arms / 1e9,
        mean_tokens=float(experiment.encoded(cells[0], "train").lengths.mean()),
        training=training / 3600,
        memory=peak_memory() / 1e9,
        device_memory=held / 1e9,
    )


def _measured(experiment: Experiment, cell: CellId) -> tuple[float, float, int]:
    """Seconds per token of a training step and of a forward pass, and bytes of the parts that training changes."""
    from memloc.training.batches import training_order
    from memloc.training.loop import Plan, Trainer, trained_parts

    run = experiment.profile.models[cell.model]
    train, validation = experiment.encoded(cell, "train"), experiment.encoded(cell, "validation")
    model = experiment.fresh(cell)
    parts = trained_parts(model)
    trainer = Trainer(model, train, validation, run.training, cell.seed, Plan(parts, train.given))
    batches = training_order(train.lengths, run.training.batch_size, cell.seed, 1)
    step = _timed(experiment, lambda rows: trainer.step(rows), batches, train.lengths)
    forward = _timed(
        experiment, lambda rows: model.eval()(*train.tensors(rows, experiment.torch_device)), batches, train.lengths
    )
    return step, forward, sum(t.nbytes for t in model.part_state(parts).values())


def _trained(experiment: Experiment, cell: CellId) -> list[str]:
    return [arm for arm in experiment.arms(cell) if arm != "bag_of_words"]


def _training(experiment: Experiment, cells: list[CellId], step: float, forward: float) -> float:
    """Seconds of all trainings of these cells, from seconds per token."""
    train, validation = (experiment.encoded(cells[0], split).lengths.sum() for split in ("train", "validation"))
    epochs = experiment.profile.models[cells[0].model].training.epochs
    arms = [arm for cell in cells for arm in _trained(experiment, cell)]
    scored_epochs = sum(epochs if scored(arm) == "each" else 1 for arm in arms)
    seconds = step * train * epochs * len(arms) + forward * (train + validation) * scored_epochs
    if joint := sum(arm in CONTROL_ARMS for arm in arms):  # these train the second task beside
        auxiliary = experiment.encoded(cells[0]._replace(task=experiment.control(cells[0]).auxiliary), "train")
        seconds += step * auxiliary.lengths.sum() * epochs * joint
    return float(seconds)


def _analyses(experiment: Experiment, cells: list[CellId], step: float, forward: float) -> float:
    """Seconds of the long analyses of these cells, from seconds per token."""
    layers = get_model(cells[0].model).layers
    asked = [name for cell in cells for at in experiment.settings(cell) for name in experiment.techniques(at)]
    seconds = forward * swapped_layers(layers) / layers * asked.count("swapping")
    seconds += step * _retrainings(experiment, layers) * asked.count("retraining")
    seconds += _ensembles(experiment, step, forward) * len(cells)
    return float(seconds * experiment.encoded(cells[0], "train").lengths.sum())


def _retrainings(experiment: Experiment, layers: int) -> int:
    """Epochs of retraining of a cell, over all windows."""
    if "retraining" not in experiment.profile.techniques:
        return 0
    settings = settings_of(get_technique("retraining"), experiment.profile.techniques["retraining"])
    return int(settings["epochs"]) * len(chosen_windows(layers, settings["lengths"]))


def _ensembles(experiment: Experiment, per_token: float, forward: float) -> float:
    """Seconds per token of the training set that a cell's half-data ensemble takes, one member after the other."""
    if "maps" not in experiment.profile.techniques:
        return 0.0
    settings = settings_of(get_technique("maps"), experiment.profile.techniques["maps"])
    return float(settings["members"] * (settings["epochs"] * settings["share"] * per_token + forward))


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
