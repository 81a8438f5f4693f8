"""Accuracy@1 and @2 on control settings: by hand, under ties, and what needs no model to reach."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from memloc.analysis.control import best_constant, control_score, control_table, hits
from memloc.arms import CONTROLS, target_layers
from memloc.errors import MemlocError


def peaks(*layers: int, num_layers: int = 12) -> np.ndarray:
    """Weights whose top layers are these, in this order."""
    weight = np.linspace(0.1, 0, num_layers)
    weight[[layer - 1 for layer in layers]] = np.arange(len(layers), 0, -1)
    return weight


def test_by_hand() -> None:
    weights = {"control_first": peaks(2, 1), "control_middle": peaks(7, 8), "control_last": peaks(3, 12)}
    score = control_score(weights)
    assert score.at_1 == pytest.approx(2 / 3)
    assert score.at_2 == pytest.approx((2 / 2 + 1 / 2 + 1 / 2) / 3)
    assert score.chance == pytest.approx(2 / 12)
    assert (score.num_layers, score.settings) == (12, CONTROLS)


def test_the_best_constant_answer_is_a_third_with_three_places_that_do_not_overlap() -> None:
    for num_layers in (6, 12, 24):
        for rank in (1, 2):
            found = best_constant(CONTROLS, num_layers, rank)
            assert found.score == pytest.approx(1 / 3)
            assert all(found.score >= np.mean([len({n} & set(target_layers(c, num_layers))) for c in CONTROLS])
                       for n in range(1, num_layers + 1))  # fmt: skip
    assert best_constant(CONTROLS, 12, 1).layers == (1,)
    assert best_constant(CONTROLS, 12, 2).layers == (1, 2)
    assert best_constant(CONTROLS[:2], 12, 1).score == pytest.approx(1 / 2)
    # with three layers the places overlap: {1, 2}, {1, 2}, {2, 3}
    assert best_constant(CONTROLS, 3, 1) == ((2,), 1.0)
    assert best_constant(CONTROLS, 3, 2).layers == (1, 2)
    assert best_constant(CONTROLS, 3, 2).score == pytest.approx((1 + 1 + 0.5) / 3)


def test_always_the_same_layer_scores_the_constant() -> None:
    always = {control: peaks(6, 7) for control in CONTROLS}
    score = control_score(always)
    assert (score.at_1, score.at_2) == (score.constant_1, score.constant_2) == pytest.approx((1 / 3, 1 / 3))


@pytest.mark.parametrize("rank", [1, 2])
def test_equal_weights_share_their_places(rank: int) -> None:
    rng = np.random.default_rng(rank)
    for _ in range(30):
        weight, targets = rng.integers(0, 3, 6).astype(float), [1, 2]
        # every order of the layers, stably sorted by weight: all orders of equal ones are equally frequent
        expected = [
            len(set(sorted(order, key=lambda n: -weight[n - 1])[:rank]) & set(targets)) / rank
            for order in permutations(range(1, 7))
        ]
        assert hits(weight, targets, rank) == pytest.approx(np.mean(expected))
    assert hits(np.ones(12), [1, 2], rank) == pytest.approx(2 / 12)


def test_scale_and_sign_do_not_matter() -> None:
    weight = np.random.default_rng(0).normal(size=12)
    for rank in (1, 2):
        assert hits(weight, [6, 7], rank) == hits(weight * 1e-9 - 5, [6, 7], rank)


def test_table() -> None:
    good = {control: peaks(*target_layers(control, 12)) for control in CONTROLS}
    table = control_table({("swapping", "bert", "trec"): good, ("probing", "bert", "trec"): {"control_last": peaks(1)}})
    assert table["accuracy_at_1"].tolist() == [1.0, 0.0]
    assert table["settings"].tolist() == [3, 1]
    assert table["constant_at_1"].tolist() == pytest.approx([1 / 3, 1])
    assert table["constant_pair"].tolist() == ["1, 2", "11, 12"]
    assert control_table({}).empty


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "layer weights of control settings"),
        ({"main": peaks(1)}, "unknown control setting: 'main'"),
        ({"control_frist": peaks(1)}, "did you mean control_first"),
        ({"control_first": peaks(1), "control_last": peaks(1, num_layers=6)}, "L alike"),
        ({"control_first": np.array([1.0, np.nan])}, "weight of layer 2: nan; accepted: a finite number"),
        ({"control_first": np.ones((2, 2))}, "layer weights"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        control_score(weights)


def test_wrong_targets_are_refused() -> None:
    with pytest.raises(MemlocError, match="target layers"):
        hits(np.ones(3), [3, 4], 1)
    with pytest.raises(MemlocError, match="2 or more"):
        hits(np.ones(1), [1], 2)
