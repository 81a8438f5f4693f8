"""The statistics that ``claims.yml`` names: each gives an estimate, a one-sided p value and an interval.

All are exact or permutation tests over units (tasks), so that "holds" appears in at most ``alpha`` of all runs in which
there is nothing to find, however few units there are. ``p`` is the probability, under the part's null, of an estimate
at least as far in the stated direction; ``interval`` has the given one-sided error on either side.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from memloc.claims.schema import Part
from memloc.claims.values import Sample

EPSILON = 1e-9  # arrangements that differ from the observed one only by rounding count as equal to it


class Estimate(NamedTuple):
    """One part's number, its p value (NaN where untested) and its interval."""

    value: float
    p: float
    interval: tuple[float, float]


class Draw(NamedTuple):
    """How arrangements are drawn (``resamples``, ``seed``) and the one-sided error of the interval."""

    resamples: int
    seed: int
    error: float

    @property
    def arrangements(self) -> tuple[int, int]:
        """What the drawn arrangements depend on."""
        return self.resamples, self.seed


def share_of_units(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """Share of units whose value passes ``bound``; exact binomial test of the share ``chance``; Clopper-Pearson."""
    x = sample.arrays["value"].mean(axis=1)
    tolerance = EPSILON * max(1.0, abs(part.bound))
    passed = {
        "above": x > part.bound + tolerance,
        "at_least": x >= part.bound - tolerance,
        "at_most": x <= part.bound + tolerance,
        "below": x < part.bound - tolerance,
    }[part.passes]
    k, n = int(passed.sum()), len(x)
    low = stats.beta.ppf(draw.error, k, n - k + 1) if k else 0.0
    high = stats.beta.ppf(1 - draw.error, k + 1, n - k) if k < n else 1.0
    return Estimate(k / n, float(stats.binom.sf(k - 1, n, part.chance)), (float(low), float(high)))


def mean_over_units(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """Mean over units; sign-flip test of values symmetric about ``chance``; Student's t interval."""
    x = sample.arrays["value"].mean(axis=1)
    deviations = _sign(part) * (x - part.chance)
    p = (
        float("nan")
        if part.test == "none"
        else _p(_flips(len(x), *draw.arrangements) @ deviations, deviations.sum(), draw)
    )
    half = _half(_t(len(x) - 1, draw), x.std(ddof=1) / math.sqrt(len(x)), 0.5 ** len(x), draw)
    return Estimate(float(x.mean()), p, (float(x.mean() - half), float(x.mean() + half)))


def difference_between_groups(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """Mean of the group's units minus mean of the others; units permuted between the two; Welch's t interval."""
    x, inside = sample.arrays["value"].mean(axis=1), sample.in_group
    a, b = x[inside], x[~inside]
    memberships = _memberships(len(x), len(a), *draw.arrangements)
    within = memberships @ x
    differences = within / len(a) - (x.sum() - within) / len(b)
    observed = a.mean() - b.mean()
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)) if va + vb > 0 else 1.0
    half = _half(_t(freedom, draw), math.sqrt(va + vb), 1 / math.comb(len(x), len(a)), draw)
    p = _p(_sign(part) * (differences - part.chance), _sign(part) * (observed - part.chance), draw)
    return Estimate(float(observed), p, (float(observed - half), float(observed + half)))


def correlation_over_units(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """Correlation of two values, over pooled points or averaged over models; units permuted, all models together.

    The interval is Fisher's with as many points as there are units, not (unit, model) pairs.
    """
    x, y = (_standard(sample.arrays[name], part) for name in ("value", "other"))
    n = len(x)
    products = x @ y.T / x.size
    observed = float(np.trace(products))
    p = float("nan")
    if part.test != "none":
        orders = _orders(n, *draw.arrangements)
        p = _p(_sign(part) * products[np.arange(n), orders].sum(axis=1), _sign(part) * observed, draw)
    return Estimate(observed, p, _fisher(observed, n, draw.error, part.method))


def agreement_between_models(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """Smallest Spearman correlation of any two models; each model's units permuted against the others' mean order.

    The p value is the largest over models, so one model that goes its own way is enough for no agreement.
    """
    z = _standard(sample.arrays["value"], part, within=True) / math.sqrt(len(sample.units))
    n, m = z.shape
    pairs = (z.T @ z)[np.triu_indices(m, 1)]
    orders = _orders(n, *draw.arrangements)
    worst = 0.0
    for model in range(m):
        others = np.delete(z, model, axis=1).mean(axis=1)
        worst = max(worst, _p(others[orders] @ z[:, model], float(others @ z[:, model]), draw))
    smallest = float(pairs.min())
    return Estimate(smallest, worst, _fisher(smallest, n, draw.error / len(pairs), "spearman"))


def difference_of_correlations(part: Part, sample: Sample, draw: Draw) -> Estimate:
    """First correlation minus second; the pairs of ranks of the two exchanged unit by unit.

    The interval joins the two Fisher intervals (Zou 2007), taking the correlations as independent.
    """
    names = ("value", "other", "second_value", "second_other")
    a, b, c, d = (_standard(sample.arrays[name], part, within=True).mean(axis=1) for name in names)
    first, second = _row_correlations(a, b).item(), _row_correlations(c, d).item()
    kept = _flips(len(a), *draw.arrangements) > 0
    one = _row_correlations(np.where(kept, a, c), np.where(kept, b, d))
    two = _row_correlations(np.where(kept, c, a), np.where(kept, d, b))
    p = _p(_sign(part) * (one - two), _sign(part) * (first - second), draw)
    low1, high1 = _fisher(first, len(a), draw.error, part.method)
    low2, high2 = _fisher(second, len(a), draw.error, part.method)
    low = first - second - math.hypot(first - low1, high2 - second)
    high = first - second + math.hypot(high1 - first, second - low2)
    return Estimate(first - second, p, (low, high))


RULES: dict[str, Callable[[Part, Sample, Draw], Estimate]] = {
    rule.__name__: rule
    for rule in (
        share_of_units,
        mean_over_units,
        difference_between_groups,
        correlation_over_units,
        agreement_between_models,
        difference_of_correlations,
    )
}


def _sign(part: Part) -> float:
    return 1.0 if part.direction == "above" else -1.0


def _p(arranged: np.ndarray, observed: float, draw: Draw) -> float:
    """Share of arrangements at least as extreme; drawn ones (as many as ``resamples``) count the observed one too."""
    extreme = int((arranged >= observed - EPSILON).sum())
    drawn = len(arranged) == draw.resamples
    return (extreme + 1) / (len(arranged) + 1) if drawn else extreme / len(arranged)


def _t(freedom: float, draw: Draw) -> float:
    return float(stats.t.ppf(1 - draw.error, freedom))


def _half(quantile: float, error: float, least: float, draw: Draw) -> float:
    """Half of a t interval.

    Units that tie, as scores in twelfths do, have no spread to take one from. They count as sure where the exact test
    can be sure of so many at all (``least``, its smallest p), and else there are no limits.
    """
    if error > EPSILON:
        return quantile * error
    return 0.0 if least <= draw.error else math.inf


def _standard(values: np.ndarray, part: Part, within: bool = False) -> np.ndarray:
    """Ranks (Spearman) or values (Pearson) with mean 0 and variance 1, in each column or over all points."""
    axis = 0 if within or part.points == "within_models" else None
    if part.method == "spearman":
        values = stats.rankdata(values, axis=axis).reshape(values.shape)
    centred = values - values.mean(axis=axis)
    spread = np.asarray(centred.std(axis=axis))
    return centred / np.where(spread > EPSILON, spread, np.inf)  # constant values correlate with nothing


def _row_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row of x with the same row of y; 0 where one is constant."""
    x, y = (np.atleast_2d(v) - np.atleast_2d(v).mean(axis=1, keepdims=True) for v in (x, y))
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return (x * y).sum(axis=1) / np.where(spread > EPSILON, spread, np.inf)


def _fisher(r: float, n: int, error: float, method: str) -> tuple[float, float]:
    """Fisher's interval of a correlation over n units; without limits below four units."""
    if n < 4:
        return -1.0, 1.0
    spread = math.sqrt((1.06 if method == "spearman" else 1.0) / (n - 3))  # 1.06: Fieller and others 1957
    # a few points in perfect order do not show that the correlation is 1: no closer to it than 1 / n^2
    limit = 1 - 1 / n**2
    centre, half = math.atanh(min(max(r, -limit), limit)), float(stats.norm.ppf(1 - error)) * spread
    return min(r, math.tanh(centre - half)), max(r, math.tanh(centre + half))


# Arrangements depend on sizes and the seed alone: kept, so that judging a thousand tables draws them once.
@functools.lru_cache(maxsize=32)
def _flips(n: int, resamples: int, seed: int) -> np.ndarray:
    """(arrangements, n) of -1 and 1: all of them, or ``resamples`` drawn."""
    if 2**n < resamples:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return np.random.default_rng(seed).choice((1.0, -1.0), (resamples, n))


@functools.lru_cache(maxsize=32)
def _memberships(n: int, k: int, resamples: int, seed: int) -> np.ndarray:
    """(arrangements, n) of 0 and 1 with k ones a row."""
    if math.comb(n, k) < resamples:
        chosen = np.array(list(itertools.combinations(range(n), k)))
    else:
        chosen = _orders(n, resamples, seed)[:, :k]
    memberships = np.zeros((len(chosen), n))
    np.put_along_axis(memberships, chosen, 1.0, axis=1)
    return memberships


@functools.lru_cache(maxsize=32)
def _orders(n: int, resamples: int, seed: int) -> np.ndarray:
    """(arrangements, n) permutations of 0..n-1."""
    if math.factorial(n) < resamples:
        return np.array(list(itertools.permutations(range(n))))
    return np.random.default_rng(seed).permuted(np.tile(np.arange(n), (resamples, 1)), axis=1)
