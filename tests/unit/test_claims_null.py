"""Where there is nothing to find, "holds" appears in at most 5 % of 1,000 tables, for every part of every claim.

Each tested part in turn is put under its own null (tasks permuted, signs flipped, passes drawn at the share of chance)
while all other parts of the claim stay as in the world where the finding is true: the hardest case for a conjunction.
Tolerance: with a true rate of 5 %, more than 73 of 1,000 happens once in a thousand tests (binomial).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from claims_world import MODELS, TASKS, table, true_world
from scipy import stats

from memloc.claims import judge, load_claims
from memloc.claims.rules import RULES, Draw
from memloc.claims.values import Sample, eligible, extract
from memloc.claims.verdict import combine, measure

DRAWS = 1000
AT_MOST = int(stats.binom.ppf(0.999, DRAWS, 0.05))
CLAIMS = load_claims()
# 999 drawn permutations instead of 9,999: the level is exact for any number, and the test is quick
SETTINGS = dataclasses.replace(CLAIMS.settings, resamples=999)
CASES = [(c.id, i) for c in CLAIMS.claims for i, part in enumerate(c.parts) if part.test != "none"]


def under_null(part, sample: Sample, rng: np.random.Generator) -> Sample:
    """The sample with what the part looks for destroyed, and nothing else."""
    arrays, n = dict(sample.arrays), len(sample.units)
    if part.statistic == "share_of_units":
        passing, failing = (1, -1) if part.passes in ("above", "at_least") else (-1, 1)
        passed = rng.random((n, 1)) < part.chance
        arrays["value"] = part.bound + np.where(passed, passing, failing).astype(float)
    elif part.statistic == "mean_over_units":
        sizes = np.abs(arrays["value"] - part.chance) + rng.random((n, 1))
        arrays["value"] = part.chance + rng.choice((-1.0, 1.0), (n, 1)) * sizes
    elif part.statistic == "difference_between_groups":
        return dataclasses.replace(sample, in_group=rng.permutation(sample.in_group))
    elif part.statistic == "correlation_over_units":
        arrays["other"] = rng.permutation(arrays["other"], axis=0)
    elif part.statistic == "agreement_between_models":  # all models but one keep their common order
        arrays["value"] = arrays["value"].copy()
        arrays["value"][:, 0] = rng.permutation(arrays["value"][:, 0])
    else:  # the two correlations exchange their roles, task by task (their ranks: their units are not the same)
        arrays = {name: stats.rankdata(values, axis=0) for name, values in arrays.items()}
        swapped = rng.random((n, 1)) < 0.5
        for one, two in (("value", "second_value"), ("other", "second_other")):
            a, b = arrays[one], arrays[two]
            arrays[one], arrays[two] = np.where(swapped, b, a), np.where(swapped, a, b)
    return dataclasses.replace(sample, arrays=arrays)


@pytest.mark.parametrize(("claim_id", "index"), CASES, ids=[f"{c}-{i}" for c, i in CASES])
def test_holds_is_rare_under_the_null_of_each_part(claim_id, index):
    claim = dataclasses.replace(CLAIMS[claim_id], settings=SETTINGS)
    rows = eligible(claim, table(true_world(), only=claim.needs))
    samples = [extract(part, rows, claim) for part in claim.parts]
    results = [measure(part, sample, claim) for part, sample in zip(claim.parts, samples, strict=True)]
    assert combine(claim, results).verdict == "holds"
    rng = np.random.default_rng(index)
    held = 0
    for _ in range(DRAWS):
        results[index] = measure(claim.parts[index], under_null(claim.parts[index], samples[index], rng), claim)
        held += combine(claim, results).verdict == "holds"
    assert held <= AT_MOST


def test_holds_is_rare_when_whole_tables_are_permuted():
    """The same from the table on: the tasks' names are dealt anew for the values the claim compares."""
    claim = dataclasses.replace(CLAIMS["C12"], settings=SETTINGS)
    summary = table(true_world(), tasks=TASKS, models=MODELS[:2], seeds=(1,), only=claim.needs)
    dealt = summary["metric"].isin(["mcog", "crossing"])
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        names = dict(zip(TASKS, rng.permutation(TASKS), strict=True))
        permuted = summary.assign(task=summary["task"].where(~dealt, summary["task"].map(names)))
        held += judge(claim, permuted).verdict == "holds"
    assert held <= int(stats.binom.ppf(0.999, 60, 0.05))


def _sample(**arrays: np.ndarray) -> Sample:
    n = len(arrays["value"])
    return Sample(arrays, tuple(map(str, range(n))), np.arange(n) < n // 2, (), (), 1)


def _normal(rng, n, rho):
    """Two columns of n normal values that correlate with rho."""
    x, e = rng.standard_normal((2, n, 1))
    return x, rho * x + np.sqrt(1 - rho**2) * e


@pytest.mark.parametrize("n", [8, 12])
@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_equal_correlations_are_seldom_called_different(n, rho):
    """Not a permutation of one table but fresh normal tables with two equal true correlations."""
    part, rng, rejected = CLAIMS["C14"].parts[1], np.random.default_rng(n), 0
    for _ in range(DRAWS):
        (a, b), (c, d) = _normal(rng, n, rho), _normal(rng, n, rho)
        sample = _sample(value=a, other=b, second_value=c, second_other=d)
        rejected += RULES[part.statistic](part, sample, Draw(999, 0, 0.05)).p <= 0.05
    assert rejected <= AT_MOST


def _at_threshold(part, rng, n) -> Sample:
    """Values whose true number is just the part's threshold."""
    t = part.threshold
    if part.statistic == "share_of_units":
        sign = 1 if part.passes in ("above", "at_least") else -1
        return _sample(value=part.bound + sign * np.where(rng.random((n, 1)) < t, 1.0, -1.0))
    if part.statistic == "correlation_over_units":
        x, y = _normal(rng, n, t)
        return _sample(value=x, other=y)
    x = rng.standard_normal((n, 1))
    return _sample(value=x + t if part.statistic == "mean_over_units" else x)


@pytest.mark.parametrize("n", [6, 12])
@pytest.mark.parametrize(("claim_id", "index"), [("C01", 0), ("C03", 0), ("C05", 1), ("C08", 0), ("C12", 0)])
def test_does_not_hold_is_rare_where_the_threshold_is_just_met(claim_id, index, n):
    part, rng, refuted = CLAIMS[claim_id].parts[index], np.random.default_rng(n), 0
    for _ in range(DRAWS):
        estimate = RULES[part.statistic](part, _at_threshold(part, rng, n), Draw(99, 0, 0.05))
        refuted += estimate.interval[1] < part.threshold
    assert refuted <= AT_MOST
