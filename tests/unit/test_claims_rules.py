"""The statistics against independent implementations, and against what they promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from memloc.claims import rules
from memloc.claims.rules import Draw
from memloc.claims.schema import Part, Value
from memloc.claims.values import Sample

EXACT = Draw(resamples=10**6, seed=0, error=0.05)
VALUE = Value("mcog", ("swapping",))


def _part(statistic, **fields):
    return Part(**{"name": "p", "statistic": statistic, "value": VALUE, "threshold": 0.0, "chance": 0.0, **fields})


def _sample(in_group=(), **arrays):
    arrays = {name: np.asarray(values, float).reshape(len(values), -1) for name, values in arrays.items()}
    n = len(arrays["value"])
    return Sample(arrays, tuple(map(str, range(n))), np.array(in_group or [False] * n), (), (), 1)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize(("passes", "k"), [("above", 3), ("at_least", 5), ("at_most", 7), ("below", 5)])
def test_share_counts_ties_as_its_words_say(passes, k):
    sample = _sample(value=[1, 2, 3, 4, 5, 5, 6, 7, 8, 4.0][:10])
    estimate = rules.share_of_units(_part("share_of_units", passes=passes, bound=5, chance=0.5), sample, EXACT)
    test = stats.binomtest(k, 10, 0.5, alternative="greater")
    assert estimate.value == k / 10
    assert estimate.p == pytest.approx(test.pvalue)
    assert estimate.interval[0] == pytest.approx(test.proportion_ci(0.95).low)


@pytest.mark.parametrize("direction", ["above", "below"])
def test_mean_is_the_exact_sign_flip_test(rng, direction):
    x = rng.standard_normal(9) + 0.4
    estimate = rules.mean_over_units(_part("mean_over_units", direction=direction, chance=0.1), _sample(value=x), EXACT)
    alternative = {"above": "greater", "below": "less"}[direction]
    oracle = stats.permutation_test(
        (x - 0.1,), np.sum, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    )
    interval = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert estimate.p == pytest.approx(oracle.pvalue)
    assert estimate.interval == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("direction", ["above", "below"])
def test_group_difference_is_the_exact_permutation_test(rng, direction):
    x, inside = rng.standard_normal(10), [True] * 4 + [False] * 6
    part = _part("difference_between_groups", direction=direction)
    estimate = rules.difference_between_groups(part, _sample(inside, value=x), EXACT)
    oracle = stats.permutation_test(
        (x[:4], x[4:]),
        lambda a, b: a.mean() - b.mean(),
        alternative={"above": "greater", "below": "less"}[direction],
        n_resamples=np.inf,
    )
    welch = stats.ttest_ind(x[:4], x[4:], equal_var=False).confidence_interval(0.9)
    assert estimate.p == pytest.approx(oracle.pvalue)
    assert estimate.interval == pytest.approx((welch.low, welch.high))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlation_of_one_model_is_the_exact_permutation_test(rng, method):
    x, y = rng.standard_normal((2, 6))
    part = _part("correlation_over_units", method=method, points="within_models")
    estimate = rules.correlation_over_units(part, _sample(value=x, other=y), EXACT)
    function = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method]
    oracle = stats.permutation_test(
        (x,), lambda v: function(v, y)[0], permutation_type="pairings", alternative="greater", n_resamples=np.inf
    )
    assert estimate.value == pytest.approx(function(x, y)[0])
    assert estimate.p == pytest.approx(oracle.pvalue)
    if method == "pearson":
        interval = stats.pearsonr(x, y).confidence_interval(0.9)
        assert estimate.interval == pytest.approx((interval.low, interval.high))


def test_pooled_points_and_points_within_models_differ_by_the_models_means(rng):
    """Models far apart correlate when pooled, whatever the tasks do; the permutation of tasks is not taken in by it."""
    apart = np.array([0.0, 10, 20, 30])
    x, y = rng.standard_normal((2, 8, 4)) + apart
    sample = _sample(value=x, other=y)
    pooled = rules.correlation_over_units(_part("c", method="pearson", points="pooled"), sample, EXACT)
    within = rules.correlation_over_units(_part("c", method="pearson", points="within_models"), sample, EXACT)
    assert pooled.value == pytest.approx(stats.pearsonr(x.ravel(), y.ravel())[0])
    assert within.value == pytest.approx(np.mean([stats.pearsonr(x[:, m], y[:, m])[0] for m in range(4)]))
    assert pooled.value > 0.9
    assert pooled.p > 0.05
    assert pooled.p == pytest.approx(within.p, abs=0.3)


def test_agreement_is_the_smallest_pair_and_the_loneliest_model():
    order = np.arange(8.0)
    alone = np.array([3, 7, 0, 4, 6, 1, 5, 2.0])
    part = _part("agreement_between_models")
    together = rules.agreement_between_models(part, _sample(value=np.stack([order, order**2, order**3], 1)), EXACT)
    apart = rules.agreement_between_models(part, _sample(value=np.stack([order, order**2, alone], 1)), EXACT)
    assert (together.value, together.p) == (pytest.approx(1), pytest.approx(1 / 40320))
    assert apart.value == pytest.approx(stats.spearmanr(order, alone)[0])
    assert apart.p > 0.3


def test_difference_of_correlations_exchanges_ranks_unit_by_unit():
    a = np.arange(7.0)
    c = np.array([3, 0, 4, 6, 1, 5, 2.0])
    sample = _sample(value=a, other=10 * a, second_value=a[::-1] - 50, second_other=c)
    estimate = rules.difference_of_correlations(_part("d", method="spearman"), sample, EXACT)

    def difference(kept):  # the definition, one arrangement at a time
        ranks = [stats.rankdata(v) for v in (a, a, a[::-1], c)]
        one, two = np.where(kept, ranks[:2], ranks[2:]), np.where(kept, ranks[2:], ranks[:2])
        return stats.pearsonr(*one)[0] - stats.pearsonr(*two)[0]

    arranged = [difference(np.array(kept)) for kept in itertools.product([True, False], repeat=7)]
    assert estimate.value == pytest.approx(difference(np.full(7, True)))
    assert estimate.p == pytest.approx(np.mean(np.array(arranged) >= estimate.value - 1e-9))
    assert estimate.interval[0] < estimate.value < estimate.interval[1]


def test_constant_values_correlate_with_nothing_and_break_nothing():
    part = _part("correlation_over_units", method="spearman", points="pooled")
    estimate = rules.correlation_over_units(part, _sample(value=[1.0] * 6, other=range(6)), EXACT)
    assert (estimate.value, estimate.p) == (0, 1)


def test_perfect_order_of_few_units_keeps_an_honest_interval():
    part = _part("correlation_over_units", method="spearman", points="pooled")
    low, high = rules.correlation_over_units(part, _sample(value=range(5), other=range(5)), EXACT).interval
    assert 0.4 < low < 0.8
    assert high == pytest.approx(1)


def test_drawn_permutations_follow_the_seed_and_never_give_zero():
    x = np.arange(30.0)
    part = _part("correlation_over_units", method="pearson", points="pooled")
    estimates = [
        rules.correlation_over_units(part, _sample(value=x, other=x + 9 * np.sin(7 * x)), Draw(199, s, 0.05)).p
        for s in (1, 1)
    ]
    assert estimates[0] == estimates[1] == 1 / 200
