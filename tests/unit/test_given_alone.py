"""What the given label alone tells about noise."""

from itertools import chain, combinations

import numpy as np
import pytest

from memloc.analysis.given_alone import noisy_f1_of_given_alone
from memloc.errors import MemlocError


def slow(counts: list[int], rate: float) -> float:
    """All sets of labels that could be called noisy."""
    classes, found = range(len(counts)), []
    moved = [[rate * counts[a] / (len(counts) - 1) if a != b else 0.0 for b in classes] for a in classes]
    for chosen in chain.from_iterable(combinations(classes, size) for size in range(1, len(counts) + 1)):
        hits = sum(moved[a][b] for a in classes for b in chosen)
        false_alarms = sum((1 - rate) * counts[b] for b in chosen)
        missed = rate * sum(counts) - hits
        found.append(2 * hits / (2 * hits + false_alarms + missed))
    return max(found)


@pytest.mark.parametrize("seed", range(8))
def test_no_set_of_labels_is_better(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 200, int(rng.integers(2, 8))).tolist()
    for rate in (0.05, 0.15, 0.4):
        assert noisy_f1_of_given_alone(counts, rate) == pytest.approx(slow(counts, rate))


def test_classes_of_one_size_tell_nothing():
    assert noisy_f1_of_given_alone([70, 70, 70], 0.15) == pytest.approx(2 * 0.15 / 1.15)


def test_a_rare_class_by_hand():
    # of 900 and 100: the rare label is wrong 90 times and right 90 times; 10 wrong labels are missed
    assert noisy_f1_of_given_alone([900, 100], 0.1) == pytest.approx(2 * 90 / (2 * 90 + 90 + 10))


@pytest.mark.parametrize(("counts", "rate"), [([5], 0.1), ([5, 0], 0.1), ([5, 5], 0.0), ([5, 5], 1.0)])
def test_what_cannot_be_asked(counts, rate):
    with pytest.raises(MemlocError):
        noisy_f1_of_given_alone(counts, rate)
