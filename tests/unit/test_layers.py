"""From windows to layers against the definitions, written out as loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.layers import (
    attainable_range,
    centre_of_gravity,
    cover,
    layer_weight,
    layers_of,
    memorisation_error,
    window_accuracy,
)
from memloc.errors import MemlocError
from memloc.techniques.swapping import windows


def slow_error(accuracy: dict[tuple[int, int], float], num_layers: int) -> list[list[float]]:
    """E[k, l] as method section 4 writes it."""
    table = []
    for k in range(1, num_layers + 1):
        row = []
        for layer in range(1, num_layers + 1):
            held = [acc for (start, length), acc in accuracy.items() if length == k and start <= layer < start + length]
            row.append(1 - sum(held) / len(held))
        table.append(row)
    return table


@pytest.mark.parametrize("num_layers", [1, 2, 5, 12])
def test_error_weight_and_centre_equal_the_loops(num_layers: int) -> None:
    rng = np.random.default_rng(num_layers)
    order = windows(num_layers)
    accuracy = rng.random((3, len(order)))
    errors = memorisation_error(accuracy, order, num_layers)
    assert errors.shape == (3, num_layers, num_layers)
    for given, error in zip(accuracy, errors, strict=True):
        expected = slow_error(dict(zip(order, given, strict=True)), num_layers)
        np.testing.assert_allclose(error, expected, atol=1e-12)
        weight = [sum(row[i] for row in expected) / num_layers for i in range(num_layers)]
        np.testing.assert_allclose(layer_weight(error), weight, atol=1e-12)
        centre = sum(layer * w for layer, w in enumerate(weight, start=1)) / sum(weight)
        assert centre_of_gravity(layer_weight(error)) == pytest.approx(centre)


def test_the_order_of_windows_does_not_matter() -> None:
    order, rng = windows(4), np.random.default_rng(0)
    accuracy, shuffle = rng.random(len(order)), rng.permutation(len(order))
    there = memorisation_error(accuracy, order, 4)
    again = memorisation_error(accuracy[shuffle], [order[i] for i in shuffle], 4)
    np.testing.assert_allclose(there, again)


def test_attainable_range_of_twelve_layers_is_the_published_one() -> None:
    low, high = attainable_range(windows(12), 12)
    assert (round(low, 2), round(high, 2)) == (4.29, 8.71)
    assert low + high == pytest.approx(13)


@pytest.mark.parametrize("layer", [1, 4, 12])
def test_memory_in_one_layer_is_found_there_by_single_layers_and_blurred_by_windows(layer: int) -> None:
    order = windows(12)
    accuracy = np.array([0.0 if start <= layer < start + length else 1.0 for start, length in order])
    error = memorisation_error(accuracy, order, 12)
    assert error[0].tolist() == [float(n == layer) for n in range(1, 13)]
    weight = layer_weight(error)
    assert weight.argmax() + 1 == layer
    assert 0.12 <= weight[layer - 1] / weight.sum() <= 0.29
    assert centre_of_gravity(error[0]) == layer
    low, high = attainable_range(order, 12)
    assert low - 1e-9 <= centre_of_gravity(weight) <= high + 1e-9


def test_even_memory_has_its_centre_in_the_middle_and_none_has_no_centre() -> None:
    order = windows(12)
    assert centre_of_gravity(layer_weight(memorisation_error(np.zeros(78), order, 12))) == pytest.approx(6.5)
    assert np.isnan(centre_of_gravity(layer_weight(memorisation_error(np.ones(78), order, 12))))


def test_missing_windows_are_refused() -> None:
    with pytest.raises(MemlocError, match="none of length 2 that holds layer 1"):
        cover([w for w in windows(3) if w[1] != 2], 3)


def rows(seeds: tuple[int, ...] = (1,)) -> pd.DataFrame:
    order = windows(3)
    frames = [
        pd.DataFrame(order, columns=["window_start", "window_length"]).assign(
            seed=seed, group=group, metric="accuracy", value=np.arange(6) / 10 + (group == "clean")
        )
        for seed in seeds
        for group in ("noisy", "clean")
    ]
    return pd.concat(frames).sample(frac=1, random_state=0)


def test_windows_and_accuracies_of_one_cell() -> None:
    order, accuracy = window_accuracy(rows())
    assert order == windows(3)
    assert layers_of(order) == 3
    np.testing.assert_allclose(accuracy, np.arange(6) / 10)
    np.testing.assert_allclose(window_accuracy(rows(), "clean")[1], np.arange(6) / 10 + 1)


def test_rows_of_two_seeds_are_refused() -> None:
    with pytest.raises(MemlocError, match=r"12 rows for 6 windows.; accepted: the rows of one cell"):
        window_accuracy(rows((1, 2)))
