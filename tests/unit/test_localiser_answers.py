"""Rows of every technique as one answer over the layers, constants and random answers, and what windows blur."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from memloc import tables
from memloc.errors import MemlocError
from memloc.planted.answers import answers, attainable, baselines, displacement, distribution, found_rows, ideal_rows
from memloc.planted.places import Place, truth

CELL = {"task": "trec", "model": "m", "seed": 1}


def rows(technique: str, values: dict[str, list[float]], group: str | None = None, first: int = 1) -> pd.DataFrame:
    """Rows by layer of metrics."""
    frames = [
        pd.DataFrame({"layer": range(first, first + len(v)), "metric": metric, "value": v, "group": group})
        for metric, v in values.items()
    ]
    return pd.concat(frames).assign(technique=technique, arm="perturbed", **CELL)


def test_weights_become_a_distribution() -> None:
    np.testing.assert_allclose(distribution(np.array([1, -2, 3.0])), [0.25, 0, 0.75])
    for nothing in ([0, 0, 0.0], [-1, 0, -2.0], [np.nan, 1, 2]):
        np.testing.assert_allclose(distribution(np.array(nothing)), [1 / 3] * 3)
    with pytest.raises(MemlocError, match="one for each layer"):
        distribution(np.array([]))


@pytest.mark.parametrize("technique", ["swapping", "retraining"])
def test_windows_are_read_alone_and_together(technique: str) -> None:
    told = answers(ideal_rows(np.array([0, 0, 1, 0.0]), technique))
    assert list(told) == ["single", "windows"]
    np.testing.assert_allclose(told["single"], [0, 0, 1, 0])
    assert told["windows"].argmax() == 2
    assert 0.25 < told["windows"][2] < 1, "windows of several layers blur even a perfect answer"
    assert all(weight.sum() == pytest.approx(1) for weight in told.values())


def test_windows_of_some_lengths_are_read_alone_only() -> None:
    whole = ideal_rows(np.array([0, 1, 0, 0.0]), "retraining")
    told = answers(whole[whole["window_length"].isin([1, 4])])
    assert list(told) == ["single"]
    np.testing.assert_allclose(told["single"], [0, 1, 0, 0])
    with pytest.raises(MemlocError, match="length 1 among them, or all lengths"):
        answers(whole[whole["window_length"].isin([2, 4])])


def test_what_retraining_all_layers_does_not_forget_says_nothing() -> None:
    whole = ideal_rows(np.array([0, 1, 0.0]), "retraining").assign(value=1.0)
    np.testing.assert_allclose(answers(whole)["single"], [1 / 3] * 3)


def test_single_layers_of_a_band_share_it() -> None:
    told = answers(ideal_rows(truth(Place.parse("band:2-3"), 5)))
    np.testing.assert_allclose(told["single"], [0, 0.5, 0.5, 0, 0])


def test_own_weights_and_the_default_rules() -> None:
    told = answers(rows("mine", {"layer_weight": [1.0, 3.0]}))
    assert list(told) == [""]
    np.testing.assert_allclose(told[""], [0.25, 0.75])
    told = answers(rows("probing", {"f1_noise": [0.1, 0.1, 0.6, 0.5]}, first=0))
    assert list(told) == ["rise_of_means"]
    np.testing.assert_allclose(told["rise_of_means"], [0, 1, 0])
    given = rows("probing", {"f1_given": [0.1, 0.2, 0.2, 0.5]}, "noisy", first=0)
    clean = rows("probing", {"f1_given": [0.1, 0.9, 0.2, 0.5]}, "clean", first=0)
    noise = rows("probing", {"f1_noise": [0.1, 0.1, 0.6, 0.5]}, first=0)
    told = answers(pd.concat([noise, given, clean]))
    assert list(told) == ["rise_of_means", "rise_of_given"], "removal goes by the first"
    np.testing.assert_allclose(told["rise_of_given"], [0.25, 0, 0.75])
    with pytest.raises(MemlocError, match="layers"):
        answers(rows("mine", {"layer_weight": [1.0, 3.0]}), num_layers=3)
    with pytest.raises(MemlocError, match="generalisation scores"):
        answers(rows("maps", {"generalisation_mean": [1.0]}))


def positions(noisy: list[float], clean: list[float], first: int) -> pd.DataFrame:
    return pd.concat(
        [
            rows("centroids", {"noisy_mean": noisy}, "noisy", first),
            rows("centroids", {"original_mean_left_out": clean}, "clean", first),
            rows("centroids", {"noisy_mean": [9.0] * len(noisy)}, "noisy", first).assign(arm="lower_from_normal"),
        ]
    )


def test_displacement_by_hand() -> None:
    # before any layer both are at .5; layer 1 parts the classes for both, layer 2 moves the noisy ones back
    moved = positions([0.5, 0.8, 0.2, 0.1], [0.5, 0.9, 0.95, 0.95], 0)
    np.testing.assert_allclose(displacement(moved), [0.1, 0.65, 0.1])
    np.testing.assert_allclose(answers(moved)["displacement"], np.array([0.1, 0.65, 0.1]) / 0.85)


def test_displacement_where_nothing_is_told_before_the_first_layer() -> None:
    np.testing.assert_allclose(displacement(positions([0.7, 0.2], [0.9, 0.9], 1)), [0.2, 0.5])


def test_displacement_of_examples_that_stay_is_nothing() -> None:
    still = positions([0.8, 0.8, 0.9], [0.8, 0.8, 0.9], 0)
    assert not displacement(still).any()
    np.testing.assert_allclose(answers(still)["displacement"], [0.5, 0.5])


def test_found_rows_are_a_valid_table() -> None:
    frame = found_rows(ideal_rows(np.array([0, 1.0])).assign(**CELL), 0.15, "layer:2", "blind", 2)
    tables.validate(frame, tables.FOUND, "found")
    assert frame.groupby("variant")["weight"].sum().to_dict() == pytest.approx({"single": 1, "windows": 1})
    assert frame[["task", "place", "regime"]].drop_duplicates().to_numpy().tolist() == [["trec", "layer:2", "blind"]]


def test_baselines_look_at_nothing_and_are_the_same_each_time() -> None:
    cells = pd.DataFrame([{**CELL, "noise": 0.1, "place": p, "regime": "blind", "layers": 3} for p in "ab"])
    first, second = baselines(cells), baselines(cells)
    tables.validate(first, tables.FOUND, "found")
    pd.testing.assert_frame_equal(first, second)
    constant = first[first["technique"] == "always"].groupby("variant")["weight"].apply(list)
    assert constant["layer 2"] == [0, 1, 0] * 2
    random = first[first["technique"] == "random"].groupby("place")["weight"].apply(np.array)
    assert not np.allclose(random["a"], random["b"])
    assert random["a"].sum() == pytest.approx(1)
    assert baselines(cells[:0]).empty


def test_attainable_mass() -> None:
    shares = [truth(Place.parse(name), 12) for name in ("layer:1", "layer:6", "band:4-6", "spread")]
    blurred = [attainable("windows", share) for share in shares]
    # the share of true layers that the method itself states for single layers
    assert blurred[0] == pytest.approx(0.29, abs=0.01)
    assert blurred[1] == pytest.approx(0.12, abs=0.01)
    assert blurred[1] < blurred[2] < blurred[3] == pytest.approx(1)
    assert [attainable("single", share) for share in shares] == [1] * 4
