"""Releases on disk whose truth is known: which layer holds which wrong label, and where noisy examples cross."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tiny import profile

from memloc.data.catalogue import get_task
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId
from memloc.profiles import Profile
from memloc.profiles.loading import profile_content
from memloc.released import FILES
from memloc.releasing import put
from memloc.windows import windows

VALIDATION = 40
Held = Callable[[str, str], list[int]]  # task and model to the layer of every noisy example; none: not memorised
Events = Callable[[str, str], tuple[int, int]]  # task and model to crossing and initiation


def write_release(folder: Path, run: Profile, held: Held, events: Events, not_learnt: tuple[str, ...] = ()) -> Path:
    """A release of every cell of a profile.

    Args:
        held: an empty list for a cell that did not memorise.
        not_learnt: tasks.
    """
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in FILES}
    cells = [CellId(t, m, s) for t in run.tasks for m, of in run.models.items() for s in of.seeds]
    for cell in cells:
        layers = held(cell.task, cell.model) or [1]
        last, whose = get_model(cell.model).layers, cell._asdict()
        outcomes = _outcomes(layers, last)
        frames["outcomes.parquet"].append(outcomes.assign(**whose, technique="swapping"))
        rows = [_swapping(outcomes)]
        if "centroids" in run.techniques:
            rows.append(_centroids(last, *events(cell.task, cell.model)))
        frames["rows.parquet"].append(pd.concat(rows).assign(**whose, run_key=f"{cell}", n=len(layers)))
        memorised, learnt = bool(held(cell.task, cell.model)), cell.task not in not_learnt
        frames["traces.parquet"].append(_traces(memorised, learnt).assign(**whose))
    manifest = {
        "profile_name": run.name,
        "profile": profile_content(run),
        "cells": [_entry(cell, run.techniques) for cell in cells],
        "missing": [],
    }
    joined = {name: pd.concat(found, ignore_index=True)[FILES[name].names] for name, found in frames.items()}
    put(folder, manifest, joined, FILES)
    return folder


def run_of(name: str, tasks: Any, models: list[str], **changes: Any) -> Profile:
    """A profile of swapping and centroids under a name."""
    own = {"techniques": {"swapping": {}, "centroids": {}}, "resamples": 50} | changes
    made = profile(tasks=tasks, models={model: {} for model in models}, **own)
    return Profile(**{**made.__dict__, "name": name})


def _entry(cell: CellId, techniques: Mapping[str, Any]) -> dict[str, Any]:
    told = {"classes": len(get_task(cell.task).labels), "train": 40, "noisy": 4}
    made = {name: {"key": f"{cell}-{name}", "settings": {}, "made": {}} for name in techniques}
    held_out = {"rows": VALIDATION, "majority": 0.25}
    return {**cell._asdict(), "checkpoints": {}, "rows": made, "dataset": {"key": "d", **told, "validation": held_out}}


def _outcomes(layers: list[int], last: int) -> pd.DataFrame:
    """A noisy example is forgotten when its layer is swapped; a clean one never."""
    rows = [
        (start, length, idx, "noisy", not start <= layer < start + length)
        for start, length in windows(last)
        for idx, layer in enumerate(layers)
    ]
    rows += [(start, length, 99, "clean", True) for start, length in windows(last)]
    return pd.DataFrame(rows, columns=["window_start", "window_length", "idx", "group", "correct"])


def _swapping(outcomes: pd.DataFrame) -> pd.DataFrame:
    means = outcomes.groupby(["window_start", "window_length", "group"])["correct"].mean().rename("value").reset_index()
    return means.assign(arm="perturbed", technique="swapping", metric="accuracy", layer=None)


def _centroids(last: int, crossing: int, initiation: int) -> pd.DataFrame:
    """Noisy examples are below one half from the crossing on; the bands of clean ones are apart from the initiation."""
    layer = np.arange(1, last + 1)
    noisy = np.where(layer >= crossing, 0.1, 0.9)
    apart = layer >= initiation
    curves = {("noisy_mean", "noisy"): noisy}
    for tail in ("", "_left_out"):
        curves[f"given_p87.5{tail}", "clean"] = np.where(apart, 0.2, 0.6)
        curves[f"original_p12.5{tail}", "clean"] = np.where(apart, 0.8, 0.4)
    rows = [
        {"metric": metric, "group": group, "layer": int(at), "value": float(value)}
        for (metric, group), values in curves.items()
        for at, value in zip(layer, values, strict=True)
    ]
    empty = {"window_start": None, "window_length": None, "arm": "perturbed", "technique": "centroids"}
    return pd.DataFrame(rows).assign(**empty)


def _traces(memorised: bool, learnt: bool) -> pd.DataFrame:
    scores = {
        ("train", "noisy"): 1.0 if memorised else 0.5,
        ("train", "clean"): 1.0,
        ("validation", "all"): 0.9 if learnt else 0.25,
    }
    rows = [
        {"arm": arm, "epoch": 1, "split": split, "group": group, "metric": metric, "value": value, "n": VALIDATION}
        for arm in ("perturbed", "normal")
        for (split, group), value in scores.items()
        for metric in ("accuracy", "macro_f1")
    ]
    return pd.DataFrame(rows)
