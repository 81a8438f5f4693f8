"""Events against loops over their definitions, planted curves, and the conventions at both ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.events import (
    centroid_events,
    crossing,
    initiation,
    largest_step,
    probing_events,
    probing_initiation,
    probing_memorisation,
)
from memloc.errors import MemlocError


@pytest.mark.parametrize(
    ("position", "layer"),
    [
        ([0.9, 0.7, 0.4, 0.1], 3),
        ([0.9, 0.4, 0.6, 0.1], 4),  # the last of two
        ([0.4, 0.3, 0.2, 0.1], 0),  # below from the start
        ([0.4, 0.6, 0.2, 0.1], 3),  # starts below, but comes from above later
        ([0.9, 0.8, 0.7, 0.6], 5),  # ends above
        ([0.9, 0.4, 0.3, 0.6], 5),  # came back
        ([0.4, 0.4, 0.4, 0.6], 5),
        ([0.9, 0.5, 0.5, 0.4], 4),  # at .5 not yet below
        ([0.9, 0.8, 0.7, 0.5], 5),
        ([0.1], 0),
        ([0.9], 2),
    ],
)
def test_crossing(position: list[float], layer: int) -> None:
    assert crossing(np.array(position)) == layer


def test_crossing_initiation_and_probing_equal_loops_over_layers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = int(rng.integers(2, 8))
        t, low, high = rng.random((3, size))
        last = 0
        for layer in range(2, size + 1):
            if t[layer - 2] >= 0.5 > t[layer - 1]:
                last = layer
        assert crossing(t) == (size + 1 if t[-1] >= 0.5 else last)
        first = size + 1
        for layer in range(size, 0, -1):
            if not low[layer - 1] < high[layer - 1]:
                break
            first = layer
        assert initiation(low, high) == first
        known = [layer for layer in range(1, size + 1) if low[layer - 1] > high[layer - 1] + 0.1]
        assert probing_memorisation(low, high) == (known[0] if known else size + 1)
        rand = 0.2
        if max(t) > rand:
            begun = [layer for layer in range(1, size + 1) if (t[layer - 1] - rand) / (max(t) - rand) > 0.9]
            assert probing_initiation(t, rand) == begun[0]


def test_initiation_means_apart_from_there_to_the_end() -> None:
    assert initiation(np.array([0.1, 0.9, 0.2, 0.1]), np.array([0.5, 0.5, 0.5, 0.5])) == 3
    assert initiation(np.array([0.1, 0.1]), np.array([0.5, 0.5])) == 1
    assert initiation(np.array([0.1, 0.9]), np.array([0.5, 0.5])) == 3, "L + 1 where they end mixed"
    assert initiation(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 3, "touching is not apart"


def test_probing_that_never_beats_chance_never_begins() -> None:
    assert probing_initiation(np.array([0.2, 0.3]), 0.3) == 3
    assert probing_initiation(np.array([0.3, 0.8, 0.81]), 0.3) == 2


def test_largest_step_is_a_share_of_the_whole_way() -> None:
    assert largest_step(np.array([0.9, 0.8, 0.4, 0.1])) == pytest.approx(0.5)
    assert largest_step(np.array([0.9, 1.0, 0.1])) == pytest.approx(0.9 / 0.8), "a detour makes a step beyond the way"
    assert np.isnan(largest_step(np.array([0.1, 0.0, 0.2])))
    assert np.isnan(largest_step(np.array([0.1])))


def rows(technique: str, curves: dict[tuple[str, str, str | None], list[float]], first: int = 1) -> pd.DataFrame:
    """Tidy rows of curves by (arm, metric, group)."""
    made = [
        (arm, metric, group, first + place, value)
        for (arm, metric, group), values in curves.items()
        for place, value in enumerate(values)
    ]
    frame = pd.DataFrame(made, columns=["arm", "metric", "group", "layer", "value"])
    return frame.assign(technique=technique, seed=1).sample(frac=1, random_state=0)


CENTROIDS = {
    ("perturbed", "noisy_mean", "noisy"): [0.95, 0.6, 0.2],
    ("perturbed", "given_p87.5", "clean"): [0.7, 0.3, 0.1],
    ("perturbed", "original_p12.5", "clean"): [0.4, 0.4, 0.9],
    ("perturbed", "given_p87.5_left_out", "clean"): [0.7, 0.5, 0.1],
    ("perturbed", "original_p12.5_left_out", "clean"): [0.4, 0.4, 0.9],
}


def test_centroid_events_by_hand() -> None:
    halves = {
        ("upper_from_normal", "noisy_mean", "noisy"): [0.95, 0.6, 0.3],
        ("lower_from_normal", "noisy_mean", "noisy"): [0.95, 0.9, 0.8],
    }
    found = centroid_events(rows("centroids", CENTROIDS | halves))
    assert found == pytest.approx(
        {
            "crossing": 3,
            "initiation": 2,
            "noisy_start_position": 0.95,
            "noisy_end_position": 0.2,
            "noisy_largest_step": 0.4 / 0.75,
            "noisy_end_position_upper_from_normal": 0.3,
            "noisy_end_position_lower_from_normal": 0.8,
        }
    )
    assert centroid_events(rows("centroids", CENTROIDS), left_out=True)["initiation"] == 3
    assert "noisy_end_position_upper_from_normal" not in centroid_events(rows("centroids", CENTROIDS))


def test_the_embeddings_are_not_looked_at() -> None:
    with_zero = {key: [5.0, *values] for key, values in CENTROIDS.items()}
    assert centroid_events(rows("centroids", with_zero, first=0)) == centroid_events(rows("centroids", CENTROIDS))


PROBING = {
    ("perturbed", "f1_given", "noisy"): [0.1, 0.3, 0.6, 0.9],
    ("perturbed", "f1_original", "noisy"): [0.5, 0.4, 0.45, 0.1],
    ("perturbed", "f1_original", "clean"): [0.3, 0.5, 0.88, 0.9],
    ("perturbed", "f1_original_shuffled", "clean"): [0.25, 0.25, 0.25, 0.25],
    ("perturbed", "f1_original_shuffled", "noisy"): [0.9, 0.9, 0.9, 0.9],
    ("frozen", "f1_given", "noisy"): [0.9, 0.9, 0.9, 0.9],
}


def test_probing_events_by_hand() -> None:
    assert probing_events(rows("probing", PROBING)) == {"probing_memorisation": 3, "probing_initiation": 3}
    told_once = {key: values for key, values in PROBING.items() if "shuffled" not in key[1]}
    told_once["perturbed", "f1_original_shuffled", None] = [0.25]
    assert probing_events(rows("probing", told_once))["probing_initiation"] == 3


def test_missing_rows_are_named() -> None:
    centroids, probing = rows("centroids", CENTROIDS), rows("probing", PROBING)
    with pytest.raises(MemlocError, match=r"layers of centroids noisy_mean of perturbed noisy: '\[2\] missing'"):
        centroid_events(centroids[~((centroids["layer"] == 2) & (centroids["metric"] == "noisy_mean"))])
    with pytest.raises(MemlocError, match=r"given_p87.5 of perturbed clean: '\[3\] missing'"):
        centroid_events(centroids[~((centroids["layer"] == 3) & (centroids["metric"] == "given_p87.5"))])
    with pytest.raises(MemlocError, match="f1_original_shuffled"):
        probing_events(probing[probing["metric"] != "f1_original_shuffled"])
    with pytest.raises(MemlocError, match="technique of rows"):
        probing_events(centroids)
    with pytest.raises(MemlocError, match="arms of rows"):
        centroid_events(centroids.assign(arm="frozen"))
