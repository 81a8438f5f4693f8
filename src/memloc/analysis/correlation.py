"""Correlations whose unit of resampling is the task (method 4: 48 points of four models are twelve tasks).

A resample is told by how often each point occurs in it, so that thousands of them are a few matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from memloc.errors import MemlocError

METHODS = ("pearson", "spearman")
LEAST = 3  # points a correlation needs
TASKS_FOR_INTERVAL = 3
UNDEFINED = 0.05  # share of draws without a value from which on there is no interval


def task_draws(tasks: Sequence[str] | np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each point occurs when tasks are drawn with replacement, with all their points: int64 [R, n].

    Args:
        tasks: the task of each point, [n].
    """
    names, place = np.unique(np.asarray(tasks), return_inverse=True)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)[:, place]


def task_interval(
    tasks: Sequence[str] | np.ndarray,
    value: Callable[[np.ndarray], np.ndarray],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of a number when tasks are drawn anew; NaN with fewer than ``TASKS_FOR_INTERVAL`` of them.

    Args:
        tasks: the task of each point, [n].
        value: the number in every sample [R], from how often each point occurs in it [R, n].
    """
    if len(set(tasks)) < TASKS_FOR_INTERVAL:
        return np.nan, np.nan
    return percentiles(value(task_draws(tasks, resamples, np.random.default_rng(seed))))


def weighted_mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of values [n] in samples that hold them ``counts`` [R, n] times: [R]."""
    return counts @ values / counts.sum(axis=1)


def ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks of values [n] in samples that hold them ``counts`` [R, n] times; ties share their mean rank. [R, n].

    Cost: R n^2 multiplications.
    """
    below = (values[:, None] < values[None, :]).astype(float)  # [j, i]: j lies below i
    equal = (values[:, None] == values[None, :]).astype(float)
    return counts @ below + (counts @ equal + 1) / 2


def correlation(first: np.ndarray, second: np.ndarray, method: str, counts: np.ndarray | None = None) -> np.ndarray:
    """Correlation of two values [n] in every sample.

    Args:
        method: ``pearson`` or ``spearman``.
        counts: how often a sample holds each point, [R, n]; by default one sample with every point once.

    Returns:
        float64 [R]; NaN where a value does not vary or a sample holds fewer than three points.

    Raises:
        MemlocError: for an unknown method.
    """
    if method not in METHODS:
        raise MemlocError("method of correlation", method, METHODS)
    counts = np.ones((1, len(first)), int) if counts is None else counts
    if method == "spearman":
        x, y = ranks(first, counts), ranks(second, counts)
    else:  # centred, or the digits of large values that hardly differ would be lost
        x, y = ((v - v.mean() if len(v) else v)[None] for v in (first, second))
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (v - (counts * v).sum(axis=1, keepdims=True) / total for v in (x, y))
        product, *squares = ((counts * a * b).sum(axis=1) for a, b in ((x, y), (x, x), (y, y)))
        varies = np.all([_spread(v, counts) for v in (first, second)], axis=0)
        found = product / np.sqrt(squares[0] * squares[1])
    return np.where(varies & (total[:, 0] >= LEAST), np.clip(found, -1, 1), np.nan)


def _spread(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Whether the values of each sample differ at all, bool [R]: rounding must not make a constant vary."""
    if not len(values):
        return np.zeros(len(counts), bool)
    low = np.where(counts > 0, values, np.inf).min(axis=1)
    return low < np.where(counts > 0, values, -np.inf).max(axis=1)


def percentiles(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The middle ``level`` of the draws that have a value; NaN where more than ``UNDEFINED`` of them have none.

    Draws without a value are not without it by chance: a correlation has none where the few tasks that differ were not
    drawn. What is left then lies to one side, and its middle need not even hold the number itself.
    """
    known = draws[np.isfinite(draws)]
    if len(known) < (1 - UNDEFINED) * len(draws) or not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
