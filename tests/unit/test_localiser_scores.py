"""Scores against slow, obvious references on small random tables, and the cases whose score is known."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest

from memloc.errors import MemlocError
from memloc.planted.answers import attainable
from memloc.planted.places import Place, truth
from memloc.planted.scores import SCORES, chance, distances, entropy, flatter, pair_scores, recall_at

DEPTH = 5
NAMES = ("layer:1", "layer:4", "band:2-3", "band:1-4")
TRUTH = np.stack([truth(Place.parse(name), DEPTH) for name in NAMES])
ONES = np.ones(len(NAMES))


def some_answers() -> np.ndarray:
    """Random answers, some with ties, some one-hot, one flat."""
    rng = np.random.default_rng(0)
    tied = rng.integers(0, 3, (6, DEPTH)) + np.eye(DEPTH)[rng.integers(0, DEPTH, 6)]
    weights = np.concatenate([rng.dirichlet(np.ones(DEPTH), 4), tied, np.eye(DEPTH), np.ones((1, DEPTH))])
    return weights / weights.sum(axis=1, keepdims=True)


def slowly(weight: np.ndarray, share: np.ndarray) -> dict[str, float]:
    """All orders of the layers that agree with the weights, one after the other."""
    true = {layer for layer in range(DEPTH) if share[layer] > 0}
    orders = [order for order in permutations(range(DEPTH)) if all(weight[a] >= weight[b] for a, b in pairwise(order))]
    return {
        "top_1": float(np.mean([order[0] in true for order in orders])),
        "reciprocal_rank": float(np.mean([1 / (1 + min(order.index(t) for t in true)) for order in orders])),
        "distance": sum(weight[n] * min(abs(n - t) for t in true) for n in range(DEPTH)) / (DEPTH - 1),
        "top_distance": float(np.mean([min(abs(order[0] - t) for t in true) for order in orders])) / (DEPTH - 1),
        "mass": float(sum(weight[t] for t in true)),
    }


def test_each_score_equals_the_slow_one_in_every_pair() -> None:
    weights = some_answers()
    found = pair_scores(weights, TRUTH, ONES)
    assert tuple(found) == SCORES
    for i, weight in enumerate(weights):
        for j, share in enumerate(TRUTH):
            expected = slowly(weight, share)
            assert {name: found[name][i, j] for name in SCORES} == pytest.approx(expected), (weight, NAMES[j])


def test_a_perfect_answer_scores_one_everywhere() -> None:
    found = pair_scores(TRUTH, TRUTH, ONES)
    for name in SCORES:
        np.testing.assert_allclose(np.diag(found[name]), 0 if "distance" in name else 1)


def test_mass_is_relative_to_what_can_be_reached() -> None:
    from memloc.planted.answers import answers, ideal_rows

    perfect = np.stack([answers(ideal_rows(share))["windows"] for share in TRUTH])
    reach = np.array([attainable("windows", share) for share in TRUTH])
    assert (reach < 0.95).all()
    np.testing.assert_allclose(np.diag(pair_scores(perfect, TRUTH, reach)["mass"]), 1)


def test_chance_is_what_random_answers_score_in_the_mean() -> None:
    expected = chance(TRUTH, ONES)
    random = np.random.default_rng(1).dirichlet(np.ones(DEPTH), 4000)
    for name, scores in pair_scores(random, TRUTH, ONES).items():
        np.testing.assert_allclose(scores.mean(axis=0), expected[name], atol=0.02)
    np.testing.assert_allclose(expected["top_1"], (TRUTH > 0).mean(axis=1))
    np.testing.assert_allclose(expected["reciprocal_rank"][:2], sum(1 / n for n in range(1, 6)) / 5)


def test_distances() -> None:
    np.testing.assert_allclose(distances(TRUTH)[1] * (DEPTH - 1), [3, 2, 1, 0, 1])
    np.testing.assert_allclose(distances(TRUTH)[2] * (DEPTH - 1), [1, 0, 0, 1, 2])
    np.testing.assert_allclose(distances(np.ones((1, 1))), 0)


def test_entropy_orders_answers_from_sharp_to_flat() -> None:
    weights = np.array([[1, 0, 0, 0], [0.7, 0.3, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(entropy(weights), [0, 0.4406, 0.5, 1], atol=1e-4)
    assert flatter(entropy(weights))[3].tolist() == [1, 1, 1, 0.5]
    alike = np.array([[0.1, 0.2, 0.7], [0.7, 0.1, 0.2]])
    assert flatter(entropy(alike)).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_recall_of_units() -> None:
    true = np.array([True, False, True, False, False])
    assert recall_at(np.array([5, 1, 4, 2, 3.0]), true) == 1
    assert recall_at(np.array([1, 5, 2, 4, 3.0]), true) == 0
    assert recall_at(np.array([5, 1, 2, 4, 3.0]), true) == 0.5
    assert recall_at(np.array([5, 1, 2, 4, 3.0]), true, k=4) == 1
    assert recall_at(np.zeros(5), true) == pytest.approx(2 / 5), "ties: k of U by chance"
    with pytest.raises(MemlocError, match="a finite number"):
        recall_at(np.array([5, np.nan, 2, 4, 3.0]), true)
