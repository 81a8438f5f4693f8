"""The status of a cell, against numbers worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from memloc.analysis.status import CellStatus, cell_status, last_score, majority_rate, p_above
from memloc.errors import MemlocError

LABELS = pd.Series([0] * 6 + [1] * 4)


def trace(noisy: float = 1.0, clean: float = 1.0, validation: float = 0.9, n: int = 10) -> pd.DataFrame:
    """Two epochs: nothing in the first, these accuracies in the second; rows out of order."""
    scores = [("train", "noisy", noisy, 5), ("train", "clean", clean, 30), ("validation", "all", validation, n)]
    rows = [
        (epoch, split, group, "accuracy", value if epoch == 2 else 0.0, count)
        for epoch in (2, 1)
        for split, group, value, count in scores
    ]
    return pd.DataFrame(rows, columns=["epoch", "split", "group", "metric", "value", "n"])


def judged(perturbed: pd.DataFrame, normal: pd.DataFrame, labels: pd.Series) -> CellStatus:
    return cell_status(perturbed, normal, len(labels), majority_rate(labels))


def test_last_score_is_that_of_the_last_epoch_wherever_it_stands() -> None:
    assert last_score(trace(noisy=0.7), "train", "noisy") == (0.7, 5)
    with pytest.raises(MemlocError, match="macro_f1 of noisy in train"):
        last_score(trace(), "train", "noisy", "macro_f1")


def test_majority_rate() -> None:
    assert majority_rate([0, 1, 1, 2]) == 0.5
    assert majority_rate(LABELS) == 0.6
    with pytest.raises(MemlocError, match="labels"):
        majority_rate([])


@pytest.mark.parametrize(
    ("accuracy", "n", "rate", "p"),
    [
        (1.0, 3, 0.5, 0.125),  # all three of three: 1 / 8
        (0.75, 4, 0.5, 5 / 16),  # three or four of four: (4 + 1) / 16
        (0.0, 4, 0.5, 1.0),
        (1.0, 4, 1.0, 1.0),  # one class only: nothing beats a constant
    ],
)
def test_p_value_is_the_binomial_tail(accuracy: float, n: int, rate: float, p: float) -> None:
    assert p_above(accuracy, n, rate) == pytest.approx(p)


@pytest.mark.parametrize(("noisy", "memorised"), [(0.95, True), (0.949, False)])
def test_memorised_from_the_threshold_on(noisy: float, memorised: bool) -> None:
    assert judged(trace(noisy), trace(), LABELS).memorised is memorised


def test_learnt_asks_the_normal_arm_and_compares_with_the_majority() -> None:
    even = pd.Series([0, 1] * 5)
    right, chance = trace(validation=1.0), trace(validation=0.5)
    assert judged(chance, right, even).learnt, "10 of 10 where one in two is chance: p = 1 / 1024"
    assert not judged(right, chance, even).learnt, "what the perturbed arm does is of no account"
    assert not judged(chance, right, LABELS.map({0: 0, 1: 0})).learnt, "a constant answer does as well"
    assert not judged(chance, trace(validation=0.8), LABELS).learnt, "8 of 10 against .6: p = .17"


def test_fields_come_from_the_right_arm() -> None:
    status = judged(trace(0.96, 0.99, 0.7), trace(0.1, 1.0, 0.8), LABELS)
    assert (status.epochs, status.noisy, status.clean, status.validation) == (2, 0.96, 0.99, 0.7)
    assert (status.normal, status.majority) == (0.8, 0.6)


def test_arms_with_other_validation_examples_are_refused() -> None:
    with pytest.raises(MemlocError, match=r"validation examples.*\(10, 9, 10\)"):
        judged(trace(), trace(n=9), LABELS)
