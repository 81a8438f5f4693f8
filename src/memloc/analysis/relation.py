"""Does memory sit deeper in tasks that generalise better? (Method 4, "Relation with generalisation".)

Spearman correlation of {crossing, probing event, M-CoG of each technique} with {generalisation score, normalised
validation score}, over all (model, task) points and in each model. Both the interval and the test resample tasks, all
models of a task together: models share a task's texts and its wrong labels, so 48 points are twelve tasks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from memloc.analysis.agreement import layers_by_model, means_over_seeds
from memloc.analysis.correlation import LEAST, correlation, percentiles, ranks, task_draws
from memloc.errors import MemlocError

EVENTS = (("centroids", "crossing"), ("probing", "probing_memorisation"))
SCORES = (("maps", "generalisation_score"), ("training", "validation_score_normalised"))
ALL = "all"  # models together
RELATIVE = "mcog_relative"
COLUMNS = ["technique", "metric", "score", "model", "value", "low", "high", "p_value", "arrangements", "n", "tasks"]
SAME = 1e-12  # correlations that differ by rounding


class Related(NamedTuple):
    """A correlation, its 95 % interval, two-sided p value, how many arrangements that counts, points and tasks."""

    value: float
    low: float
    high: float
    p_value: float
    arrangements: int
    n: int
    tasks: int


def relation(table: pd.DataFrame, resamples: int = 9999, seed: int = 0) -> pd.DataFrame:
    """Every depth with every score that the table has, over all models and in each.

    Models of different depth are put on one scale: M-CoG along its attainable range, events as a share of L + 1. Within
    a model neither changes a rank.

    Args:
        table: in the vocabulary of the claims' summary; several seeds are averaged first.
        resamples: of the bootstrap; and of the permutations, where there are more arrangements of tasks than that
            (with fewer, all are counted).

    Returns:
        ``technique, metric, score, model`` (``all`` or a name), ``value, low, high, p_value``, the ``arrangements`` the
        test counts, ``n`` points of ``tasks`` tasks; NaN with fewer than three points.

    Raises:
        MemlocError: if the table lacks a column, tells a thing twice, or not how many layers models have.
    """
    means, made = means_over_seeds(table), []
    for (technique, metric), depth in _depths(means):
        for of, score in SCORES:
            values = _grid(means, of, score)
            models = [model for model in depth if model in values]
            if models:
                tasks = depth.index.intersection(values.index)
                both = depth.loc[tasks, models].to_numpy(float), values.loc[tasks, models].to_numpy(float)
                sides = [(ALL, both)] + [(m, (both[0][:, [i]], both[1][:, [i]])) for i, m in enumerate(models)]
                for model, (x, y) in sides:
                    made.append((technique, metric, score, model, *related(x, y, resamples, seed)))
    return pd.DataFrame(made, columns=COLUMNS)


def related(depth: np.ndarray, score: np.ndarray, resamples: int = 9999, seed: int = 0) -> Related:
    """Spearman correlation over the points both sides have, with tasks as the unit.

    The test exchanges the scores of tasks, with all models of a task; where tasks differ in the models they have, only
    tasks with the same ones are exchanged. It is two-sided and counts the arrangement at hand.

    Cost: resamples x n^2 multiplications, n <= T x M points, for the interval; resamples x n for the test.

    Args:
        depth, score: float64 [T, M] (task, model), NaN where there is none.
    """
    there = np.isfinite(depth) & np.isfinite(score)
    n, tasks = int(there.sum()), int(there.any(axis=1).sum())
    nothing = float("nan")
    if n < LEAST:
        return Related(nothing, nothing, nothing, nothing, 0, n, tasks)
    x, y, rng = depth[there], score[there], np.random.default_rng(seed)
    value = float(correlation(x, y, "spearman")[0])
    if math.isnan(value):
        return Related(nothing, nothing, nothing, nothing, 0, n, tasks)
    draws = task_draws(np.nonzero(there)[0], resamples, rng)
    low, high = percentiles(correlation(x, y, "spearman", draws))
    orders, exact = arrangements([tuple(row) for row in there], resamples, rng)
    ranked = np.zeros(there.shape)
    ranked[there] = ranks(y, np.ones((1, n)))[0]
    first = ranks(x, np.ones((1, n)))[0]
    first = (first - first.mean()) / first.std()
    # an exchange moves the ranks about; their mean and spread stay
    second = (ranked[orders][:, there] - ranked[there].mean()) / ranked[there].std()
    extreme = int((np.abs(second @ first) / n >= abs(value) - SAME).sum())
    p_value = extreme / len(orders) if exact else (extreme + 1) / (len(orders) + 1)
    return Related(value, low, high, p_value, len(orders), n, tasks)


def arrangements(patterns: list[tuple[bool, ...]], resamples: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Orders of tasks [R, T] that exchange tasks of the same pattern only, and whether these are all there are.

    Args:
        patterns: which models each task has; tasks without any stay where they are.
        resamples: random orders are drawn where there are more than this many.
    """
    groups = [np.array([i for i, p in enumerate(patterns) if p == kind]) for kind in sorted(set(patterns)) if any(kind)]
    count = math.prod(math.factorial(len(group)) for group in groups)
    if count <= resamples:
        orders = np.tile(np.arange(len(patterns)), (count, 1))
        choices = itertools.product(*(itertools.permutations(group) for group in groups))
        for order, choice in zip(orders, choices, strict=True):
            for group, places in zip(groups, choice, strict=True):
                order[group] = places
        return orders, True
    orders = np.tile(np.arange(len(patterns)), (resamples, 1))
    for group in groups:
        orders[:, group] = rng.permuted(np.tile(group, (resamples, 1)), axis=1)
    return orders, False


def _depths(means: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Every depth there is, as a grid of tasks and models: events as shares of L + 1, M-CoG along its range."""
    for technique, metric in EVENTS:
        grid = _grid(means, technique, metric)
        if len(grid):
            layers = layers_by_model(means, list(grid.columns))
            yield (technique, metric), grid / (pd.Series(layers)[grid.columns] + 1)
    for technique in dict.fromkeys(means.loc[means["metric"] == RELATIVE, "technique"]):
        yield (technique, RELATIVE), _grid(means, technique, RELATIVE)


def _grid(means: pd.DataFrame, technique: str, metric: str) -> pd.DataFrame:
    chosen = means[(means["technique"] == technique) & (means["metric"] == metric)]
    if chosen["layer"].notna().any():
        raise MemlocError(f"{technique} {metric}", "a value for every layer", "one number a task and model")
    return chosen.pivot(index="task", columns="model", values="value")
