"""A small made-up world in which all fifteen findings are true, and the tables it would give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

# from shallow to deep in this world; the position in the list is the task's depth 0..11
TASKS = (
    *("rte", "wic", "mrpc", "boolq", "cola"),
    *("sst5", "stormfront", "sst2", "trec", "implicithate", "reuters", "emotion"),
)
NLU, DEEP = TASKS[:5], TASKS[8:]
MULTICLASS = ("sst5", "emotion", "implicithate", "reuters", "trec")
MODELS = ("bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m")
LARGER = "opt-1.3b"
SEEDS = (1, 2, 3)
MIXED = (5, 0, 9, 3, 11, 6, 1, 8, 2, 10, 4, 7)  # an order that has nothing to do with depth

Cell = Callable[[str, str, int], float]
World = dict[tuple[str, str], Cell]


def depth(task: str) -> int:
    """0 (shallowest) to 11; a variant is as deep as its task."""
    return TASKS.index(task.removesuffix("v2"))


def _mcog(task: str, model: str, seed: int) -> float:
    return 5.4 + 0.08 * depth(task) - (0.6 if model == "pythia-160m" else 0.0) + 0.001 * seed


def _wobble(task: str, model: str) -> float:
    return ((7 * depth(task) + 5 * (len(model) + 1)) % 11 - 5) / 5


def _initiation(task: str, model: str, seed: int) -> float:
    return 12 + MIXED[depth(task)] if model == LARGER else 8 - 0.2 * depth(task)


def true_world() -> World:
    """(technique, metric) to the value of a cell (task, model, seed)."""
    return {
        ("training", "accuracy_noisy"): lambda t, m, s: 0.99,
        ("training", "control_accuracy_noisy"): lambda t, m, s: 0.97,
        ("swapping", "window_coverage"): lambda t, m, s: 1.0,
        ("retraining", "window_coverage"): lambda t, m, s: 1.0,
        ("swapping", "accuracy_at_1"): lambda t, m, s: 1.0,
        ("retraining", "accuracy_at_1"): lambda t, m, s: 0.98,
        ("gradients", "accuracy_at_1"): lambda t, m, s: 0.65 + 0.05 * _wobble(t, m),
        ("probing", "accuracy_at_1"): lambda t, m, s: 0.6 + 0.05 * _wobble(t, m),
        ("swapping", "acc_clean_mean_window"): lambda t, m, s: 0.997,
        ("swapping", "acc_clean_min_window"): lambda t, m, s: 0.985,
        ("swapping", "acc_noisy_single_layer_min"): lambda t, m, s: 0.8,
        ("swapping", "smallest_window_forgetting_90"): lambda t, m, s: 5.0,
        ("swapping", "mcog"): _mcog,
        ("swapping", "mcog_relative"): lambda t, m, s: (_mcog(t, m, s) - 4.3) / 4.4,
        ("swapping", "mcog_centred"): lambda t, m, s: (_mcog(t, m, s) - 6.5) / 12,
        ("retraining", "mcog"): lambda t, m, s: 1.2 * _mcog(t, m, s) - 1,
        ("gradients", "mcog"): lambda t, m, s: _mcog(t, m, s) + 0.2 * _wobble(t, m),
        ("probing", "mcog"): lambda t, m, s: _mcog(t, m, s) + 0.4 * _wobble(t, m),
        ("centroids", "noisy_start_position"): lambda t, m, s: 0.9,
        ("centroids", "noisy_end_position"): lambda t, m, s: 0.05,
        ("centroids", "noisy_largest_step"): lambda t, m, s: 0.3,
        ("centroids", "crossing"): lambda t, m, s: 3 + 0.8 * depth(t),
        ("centroids", "initiation"): _initiation,
        ("centroids", "noisy_end_position_upper_from_normal"): lambda t, m, s: 0.3,
        ("centroids", "noisy_end_position_lower_from_normal"): lambda t, m, s: 0.9,
        ("maps", "generalisation_score"): lambda t, m, s: 0.4 + 0.04 * depth(t),
    }


def table(
    world: World,
    tasks: Iterable[str] = (*TASKS, *(f"{t}v2" for t in MULTICLASS)),
    models: Iterable[str] = (*MODELS, LARGER),
    seeds: Iterable[int] = SEEDS,
    weight: Callable[[str, int], float] = lambda task, layer: 0.7 - 0.02 * layer,
    only: Iterable[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """The summary of the world; ``only`` restricts it to some (technique, metric)."""
    wanted = None if only is None else set(only)
    cells = [(task, model, seed) for task in tasks for model in models for seed in seeds]
    rows = [
        (*cell, technique, metric, np.nan, value(*cell))
        for (technique, metric), value in world.items()
        if wanted is None or (technique, metric) in wanted
        for cell in cells
    ]
    if wanted is None or ("swapping", "layer_weight") in wanted:
        rows += [
            (*cell, "swapping", "layer_weight", float(layer), weight(cell[0], layer))
            for cell in cells
            for layer in range(1, 5)
        ]
    frame = pd.DataFrame(rows, columns=["task", "model", "seed", "technique", "metric", "layer", "value"])
    return frame.assign(run="made-up", n=100)
