"""How long techniques will take on a user's own model: a few real steps, timed, times how many there will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from memloc.own.job import Job, Planned, open_job, plan

STEPS = 4  # timed, after one that warms up


@dataclass
class OwnEstimate:
    """Seconds by technique that can run; None where nothing is known of the technique's cost.

    Attributes:
        lacking: techniques that cannot run, and why.
        device: for which this holds.
    """

    seconds: dict[str, float | None]
    lacking: dict[str, str]
    device: str

    def lines(self) -> list[str]:
        """What is printed."""
        told = [f"{name}: {duration(seconds)}" for name, seconds in self.seconds.items()]
        told += [f"{name}: cannot run: {why}" for name, why in self.lacking.items()]
        known = sum(seconds for seconds in self.seconds.values() if seconds is not None)
        return [*told, f"together: {duration(known)} on {self.device}, about"]


def duration(seconds: float | None) -> str:
    """Seconds for people."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass
class _Measured:
    """Seconds a padded token of this job's own batches.

    Attributes:
        forward: one pass without gradients, large batches.
        step: forward, and backward to all layers, eight examples at a time.
        small: forward alone, eight examples at a time.
    """

    forward: float
    step: float
    small: float


def estimate(
    technique: str,
    model: str | Path,
    data: str | Path,
    normal: str | Path | None = None,
    pretrained: str | Path | None = None,
    frozen: str | Path | None = None,
    device: str = "auto",
    max_length: int | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> OwnEstimate:
    """Time a few real steps of this model on this table; runs no technique and writes nothing.

    Args: as of `memloc.localise`.

    Raises:
        MemlocError: as `memloc.localise` would.
    """
    job = open_job(model, data, normal, pretrained, frozen, device, max_length)
    planned = plan(job, technique, settings)
    can = [one for one in planned if not one.lacks]
    measured = _measure(job)
    seconds = {one.name: COSTS[one.name](job, one, measured) if one.name in COSTS else None for one in can}
    return OwnEstimate(seconds, {one.name: one.lacks for one in planned if one.lacks}, str(job.device))


def _measure(job: Job) -> _Measured:
    import torch
    from torch.nn import functional

    from memloc.training.batches import token_batches

    model, data = job.load("perturbed"), job.encoded.data
    labels = torch.from_numpy(data.given).to(job.device)

    @torch.inference_mode()
    def forward(rows: np.ndarray) -> None:
        model(*data.tensors(rows, job.device))

    def step(rows: np.ndarray) -> None:
        logits = model(*data.tensors(rows, job.device))
        functional.cross_entropy(logits, labels[torch.from_numpy(rows)]).backward()
        model.zero_grad(set_to_none=True)

    model.set_trainable([f"layer.{n}" for n in range(1, model.num_layers + 1)] + ["head.main"])
    order = np.random.default_rng(0).permutation(len(data))
    eights = [order[i : i + 8] for i in range(0, len(order), 8)]
    large = list(token_batches(data.lengths, 1024))
    timed = [_timed(job, run, batches) for run, batches in ((forward, large), (step, eights), (forward, eights))]
    return _Measured(*timed)


def _timed(job: Job, run: Callable[[np.ndarray], None], batches: list[np.ndarray]) -> float:
    """Seconds a real token: middle batches and a few others, the first (which warms up) left out."""
    import torch

    places = np.linspace(0, len(batches) - 1, STEPS + 1).round().astype(int)
    seconds, tokens = 0.0, 0
    for number, place in enumerate([places[len(places) // 2], *places]):
        began = time.perf_counter()
        run(batches[place])
        if job.device.type == "cuda":
            torch.cuda.synchronize()
        if number:
            seconds += time.perf_counter() - began
            tokens += int(job.encoded.data.lengths[batches[place]].sum())
    return seconds / tokens


def _tokens(job: Job, rows: np.ndarray | slice = slice(None)) -> float:
    return float(job.encoded.data.lengths[rows].sum())


def _layers(job: Job) -> int:
    return int(job.model.config.num_hidden_layers)


def _swapping(job: Job, one: Planned, measured: _Measured) -> float:
    """Applications of a layer a token: see `swap_predictions`."""
    n = _layers(job)
    return measured.forward * _tokens(job) * (n + n * (n + 1) / 2 + (n - 1) * n * (n + 1) / 6) / n


def _retraining(job: Job, one: Planned, measured: _Measured) -> float:
    """2 (L - s + 1) + k applications a token and epoch for k layers from layer s; one pass over those asked about."""
    from memloc.techniques.retraining import chosen_windows

    n, noisy = _layers(job), float(job.encoded.data.noisy.mean())
    learnt, asked = _tokens(job) * (1 - 2 * noisy), _tokens(job) * 2 * noisy
    windows = chosen_windows(n, one.settings["lengths"])
    # a step over all layers is 3 n applications, as measured
    trained = sum(2 * (n - s + 1) + k for s, k in windows) / (3 * n) * measured.step * learnt * one.settings["epochs"]
    return trained + sum(n - s + 1 for s, _ in windows) / n * measured.small * asked + measured.forward * _tokens(job)


def _gradients(job: Job, one: Planned, measured: _Measured) -> float:
    """Both objectives share a forward pass; two groups of equal size, an arm or two."""
    arms = 1 + ("frozen" in job.arms)
    group = _tokens(job, job.encoded.data.noisy)
    return arms * 2 * group * (2 * measured.step - measured.small)


def _centroids(job: Job, one: Planned, measured: _Measured) -> float:
    """One pass an arm, half-replaced models included."""
    return (3 if "normal" in job.arms else 1) * measured.forward * _tokens(job)


def _probing(job: Job, one: Planned, measured: _Measured) -> float:
    """States once an arm; then epochs of probes, one of which is trained here, on states that are noise."""
    import torch

    from memloc.techniques.probe_training import train_probes
    from memloc.techniques.probing import probe_settings, targets

    asked, seeds = targets(job.encoded.data, job.classes), range(one.settings["seeds"])
    how = replace(probe_settings(one.settings), epochs=1, from_epoch=0)
    together = list(seeds) if job.device.type == "cuda" else [0]  # as probing does
    shape = (_layers(job) + 1, len(job.encoded.data), int(job.model.config.hidden_size))
    states = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(job.device)
    for _ in range(2):  # the first one warms up
        began = time.perf_counter()
        train_probes(states, range(len(states)), asked[0], together, how)
        seconds = time.perf_counter() - began
    arms = 1 + ("frozen" in job.arms)
    trained = seconds * one.settings["epochs"] * len(seeds) / len(together) * (len(asked) + arms - 1)
    return trained + arms * measured.forward * _tokens(job)


COSTS: dict[str, Callable[[Job, Planned, _Measured], float]] = {
    "swapping": _swapping,
    "retraining": _retraining,
    "gradients": _gradients,
    "probing": _probing,
    "centroids": _centroids,
}
