"""The draws of data preparation: wrong labels, exactly as many and as uniform as asked for, and stratified caps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from memloc.config import DataConfig
from memloc.data.sampling import cap_counts, generator, perturb
from memloc.errors import MemlocError

SIZES = {"a": 200, "b": 60, "c": 30}


def perturbed(sizes: list[int], config: DataConfig | None = None) -> pd.DataFrame:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    rows = pd.DataFrame({"label": np.random.default_rng(0).permutation(labels)})
    return perturb(rows, tuple(SIZES), "mine", config or DataConfig())


@pytest.mark.parametrize("rate", [0.15, 0.1, 0.5])
def test_each_class_has_exactly_its_share_of_wrong_labels(rate: float) -> None:
    train = perturbed(list(SIZES.values()), DataConfig(noise_rate=rate))
    for label, size in enumerate(SIZES.values()):
        of_class = train[train["label"] == label]
        assert len(of_class) == size
        assert (of_class["group"] == "noisy").sum() == int(rate * size)
    noisy = train["group"] == "noisy"
    assert (train["given"] != train["label"]).equals(noisy)


def test_wrong_labels_are_uniform_over_the_other_classes() -> None:
    train = perturbed([40000, 40000, 40000])
    noisy = train[train["group"] == "noisy"]
    for label in range(3):
        given = noisy.loc[noisy["label"] == label, "given"].value_counts()
        assert label not in given.index
        assert len(given) == 2
        assert chisquare(given).pvalue > 0.001


def test_chosen_rows_are_spread_over_the_class() -> None:
    train = perturbed([4000, 4000, 4000])
    place = train.index[train["group"] == "noisy"] / len(train)
    assert chisquare(np.histogram(place, bins=10, range=(0, 1))[0]).pvalue > 0.001


def test_a_class_too_small_to_perturb_is_told() -> None:
    with pytest.raises(MemlocError, match=r"class 'c' of task mine: 6; accepted: 7 or more"):
        perturbed([40, 40, 6])
    assert (perturbed([40, 40, 7]).query("label == 2")["group"] == "noisy").sum() == 1


def test_a_class_is_perturbed_alike_whatever_the_others_are() -> None:
    one, other = perturbed([200, 60, 30]), perturbed([200, 90, 45])
    noisy = [(t[t["label"] == 0].reset_index()["group"] == "noisy").tolist() for t in (one, other)]
    assert noisy[0] == noisy[1]


def test_a_negative_seed_is_told() -> None:
    with pytest.raises(MemlocError, match="seed"):
        generator(-1, 1)


@pytest.mark.parametrize(
    ("counts", "cap", "floor", "kept"),
    [
        ([200, 60, 30], 0, 20, [200, 60, 30]),
        ([200, 60, 30], 290, 20, [200, 60, 30]),
        ([200, 60, 30], 29, 0, [20, 6, 3]),
        ([200, 60, 30], 100, 20, [60, 20, 20]),
        ([200, 60, 5], 100, 20, [73, 22, 5]),
        ([200, 60, 30], 10, 20, [20, 20, 20]),
    ],
)
def test_cap_counts(counts: list[int], cap: int, floor: int, kept: list[int]) -> None:
    assert cap_counts(counts, cap, floor) == kept


def test_a_larger_cap_never_takes_a_row_from_a_class() -> None:
    counts, before = [97, 41, 23, 8], [0, 0, 0, 0]
    for cap in range(1, sum(counts) + 1):
        kept = cap_counts(counts, cap, 3)
        assert sum(kept) == max(cap, 12)
        assert all(a >= b for a, b in zip(kept, before, strict=True))
        before = kept
