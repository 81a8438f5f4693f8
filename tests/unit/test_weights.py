"""Layer weights of every technique: planted rows with a known answer, and loops straight from the formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.curves import trained_arm
from memloc.analysis.layers import attainable_range, lengths_of
from memloc.analysis.weights import LayerWeights, layer_weights, variants
from memloc.errors import MemlocError
from memloc.techniques.swapping import windows

LAYERS = 4


def frame(technique: str, values: list[dict[str, Any]], seed: int = 1) -> pd.DataFrame:
    """Tidy rows of one cell."""
    fixed = {"run_key": f"k{seed}", "task": "trec", "model": "m", "seed": seed, "technique": technique, "n": 20}
    empty = {"layer": None, "window_start": None, "window_length": None, "group": None, "arm": "perturbed"}
    return pd.DataFrame([{**fixed, **empty, **row} for row in values])


def window_rows(technique: str, accuracy: dict[tuple[int, int], float], seed: int = 1) -> pd.DataFrame:
    return frame(
        technique,
        [
            {
                "window_start": s,
                "window_length": k,
                "group": g,
                "metric": "accuracy",
                "value": a if g == "noisy" else 0.9,
            }
            for (s, k), a in accuracy.items()
            for g in ("noisy", "clean")
        ],
        seed,
    )


def layer_rows(
    technique: str, curves: dict[tuple[str, str], list[float]], first: int = 1, seed: int = 1
) -> pd.DataFrame:
    """Rows of curves by (arm, metric)."""
    return frame(
        technique,
        [
            {"arm": arm, "metric": metric, "layer": first + place, "value": value}
            for (arm, metric), values in curves.items()
            for place, value in enumerate(values)
        ],
        seed,
    )


def slow_window_weight(accuracy: dict[tuple[int, int], float], num_layers: int) -> list[float]:
    """w_l as method 4 writes it, over the window lengths that are there."""
    lengths = sorted({k for _, k in accuracy})
    weight = []
    for layer in range(1, num_layers + 1):
        errors = []
        for k in lengths:
            held = [a for (start, length), a in accuracy.items() if length == k and start <= layer < start + length]
            errors.append(1 - sum(held) / len(held))
        weight.append(sum(errors) / len(lengths))
    return weight


def centre(weight: Any) -> float:
    return sum(layer * w for layer, w in enumerate(weight, start=1)) / sum(weight)


def random_accuracy(seed: int, lengths: tuple[int, ...] = (1, 2, 3, 4)) -> dict[tuple[int, int], float]:
    rng = np.random.default_rng(seed)
    return {window: float(rng.random()) for window in windows(LAYERS) if window[1] in lengths}


@pytest.mark.parametrize("lengths", [(1, 2, 3, 4), (1, 4), (2, 4), (1,)])
def test_swapping_equals_the_loops_with_all_and_with_chosen_window_lengths(lengths: tuple[int, ...]) -> None:
    accuracy = random_accuracy(0, lengths)
    found = layer_weights(window_rows("swapping", accuracy).sample(frac=1, random_state=0))
    expected = slow_window_weight(accuracy, LAYERS)
    np.testing.assert_allclose(found.weight, expected)
    assert found.mcog == pytest.approx(centre(expected))
    assert found.lengths == lengths
    assert found.error is not None
    assert found.error.shape == (len(lengths), LAYERS)
    ends = []
    for layer in (1, LAYERS):  # memory wholly in one layer
        there = {(s, k): 0.0 if s <= layer < s + k else 1.0 for s, k in accuracy}
        ends.append(centre(slow_window_weight(there, LAYERS)))
    assert found.bounds == pytest.approx(tuple(ends))
    if lengths == (1,):
        assert found.bounds == (1, LAYERS)
    if 1 in lengths:
        np.testing.assert_allclose(found.single, [1 - accuracy[layer, 1] for layer in range(1, LAYERS + 1)])
    else:
        assert found.single is None


def test_all_window_lengths_have_the_range_of_before() -> None:
    assert layer_weights(window_rows("swapping", random_accuracy(1))).bounds == attainable_range(
        windows(LAYERS), LAYERS
    )


def test_retraining_is_rescaled_by_what_is_left_when_all_layers_are_retrained() -> None:
    accuracy = random_accuracy(2)
    floor = accuracy[1, LAYERS]
    found = layer_weights(window_rows("retraining", accuracy))
    expected = slow_window_weight({w: (a - floor) / (1 - floor) for w, a in accuracy.items()}, LAYERS)
    np.testing.assert_allclose(found.weight, expected)
    assert found.error is not None
    np.testing.assert_allclose(found.error[-1], 1)  # the window of all layers forgets all there is to forget


def test_local_memory_that_is_guessed_at_chance_reaches_the_end_of_the_range() -> None:
    accuracy = {(s, k): 0.25 if s <= 1 else 1.0 for s, k in windows(LAYERS)}
    found = layer_weights(window_rows("retraining", accuracy))
    assert found.mcog == pytest.approx(found.bounds[0])
    assert found.relative == pytest.approx(0)


def test_seeds_are_averaged_after_rescaling_and_before_the_weight() -> None:
    first, second = random_accuracy(3), random_accuracy(4)
    for technique in ("swapping", "retraining"):
        both = [window_rows(technique, a, seed) for seed, a in ((1, first), (2, second))]
        one_each = [layer_weights(rows).error for rows in both]
        found = layer_weights(both)
        np.testing.assert_allclose(found.error, np.mean(one_each, axis=0))
        assert found.seeds == 2
        assert layer_weights(pd.concat(both)).mcog == found.mcog, "one frame of all seeds is the same"


def test_retraining_that_forgets_nothing_has_no_centre_and_says_why() -> None:
    found = layer_weights(window_rows("retraining", dict.fromkeys(windows(LAYERS), 1.0)))
    assert np.isnan(found.mcog)
    assert "m = 1" in found.reason


def test_nothing_forgotten_has_no_centre_and_says_why() -> None:
    found = layer_weights(window_rows("swapping", dict.fromkeys(windows(LAYERS), 1.0)))
    assert found.weight.tolist() == [0] * LAYERS
    assert np.isnan(found.mcog)
    assert found.reason == "no layer has any weight"


def test_gradients_by_hand() -> None:
    curves = {("perturbed", "logit_l1_difference"): [8, 4, 6, 2], ("frozen", "logit_l1_difference"): [4, 4, 2, 1]}
    found = layer_weights(layer_rows("gradients", curves))
    assert found.variant == "logit_l1_difference_frozen"
    np.testing.assert_allclose(found.weight, np.array([2, 1, 3, 2]) / 8)
    assert found.mcog == pytest.approx((2 + 2 + 9 + 8) / 8)
    assert found.bounds == (1, LAYERS)
    without = layer_weights(layer_rows("gradients", curves), "logit_l1_difference_none")
    np.testing.assert_allclose(without.weight, np.array([8, 4, 6, 2]) / 20)
    alone = layer_weights(layer_rows("gradients", {k: v for k, v in curves.items() if k[0] == "perturbed"}))
    assert alone.variant == "logit_l1_difference_none"
    np.testing.assert_allclose(alone.weight, without.weight)


@pytest.mark.parametrize("variant", variants("gradients"))
def test_every_gradient_variant_reads_its_own_rows(variant: str) -> None:
    rng = np.random.default_rng(5)
    metrics = {name.rsplit("_", 1)[0] for name in variants("gradients")}
    curves = {(arm, m): rng.random(LAYERS).tolist() for arm in ("perturbed", "frozen") for m in sorted(metrics)}
    metric, baseline = variant.rsplit("_", 1)
    ratios = []
    for layer in range(LAYERS):
        less = curves["frozen", metric][layer] if baseline == "frozen" else 1
        ratios.append(curves["perturbed", metric][layer] / less)
    found = layer_weights(layer_rows("gradients", curves), variant)
    np.testing.assert_allclose(found.weight, [r / sum(ratios) for r in ratios])


def test_gradients_of_seeds_are_averaged_before_the_ratio() -> None:
    name = "logit_l1_difference"
    seeds = [
        layer_rows("gradients", {("perturbed", name): [8, 4], ("frozen", name): [2, 4]}, seed=1),
        layer_rows("gradients", {("perturbed", name): [4, 4]}, seed=2),
    ]
    found = layer_weights(seeds)  # the frozen arm of one seed serves both: (6, 4) / (2, 4)
    np.testing.assert_allclose(found.weight, [0.75, 0.25])


def test_gradients_without_their_baseline() -> None:
    rows = layer_rows("gradients", {("perturbed", "nll_l2_noisy"): [1, 2]})
    with pytest.raises(MemlocError, match="no frozen arm"):
        layer_weights(rows, "nll_l2_noisy_frozen")
    zero = layer_rows("gradients", {("perturbed", "nll_l2_noisy"): [1, 2], ("frozen", "nll_l2_noisy"): [1, 0]})
    found = layer_weights(zero, "nll_l2_noisy_frozen")
    assert np.isnan(found.mcog)
    assert found.reason == "layer 2 of the frozen arm has no gradient"
    short = layer_rows("gradients", {("perturbed", "nll_l2_noisy"): [1, 2], ("frozen", "nll_l2_noisy"): [1]})
    with pytest.raises(MemlocError, match=r"\[2\] missing"):
        layer_weights(short, "nll_l2_noisy_frozen")


def test_probing_by_hand() -> None:
    f1 = [0.0, 0.2, 0.1, 0.5, 0.6]
    found = layer_weights(layer_rows("probing", {("perturbed", "f1_noise"): f1}, first=0))
    np.testing.assert_allclose(found.weight, [0.2, 0, 0.4, 0.1], atol=1e-12)
    assert "layer 0" in found.baseline
    frozen = {("perturbed", "f1_noise"): f1, ("frozen", "f1_noise"): [0.9, 0.15, 0.9, 0.9, 0.9]}
    found = layer_weights(layer_rows("probing", frozen, first=0))
    np.testing.assert_allclose(found.weight, [0.05, 0, 0.4, 0.1], atol=1e-12)
    assert found.baseline == "layer 1 of the frozen arm"
    assert found.mcog == pytest.approx((0.05 + 1.2 + 0.4) / 0.55)
    below = {("perturbed", "f1_noise"): f1, ("frozen", "f1_noise"): [0.0, 0.3, 0, 0, 0]}
    assert layer_weights(layer_rows("probing", below, first=0)).weight[0] == 0, "never below zero"


def test_probing_by_given_labels_reads_noisy_examples_alone() -> None:
    noise = layer_rows("probing", {("perturbed", "f1_noise"): [0, 1, 0, 0], ("frozen", "f1_noise"): [0, 1, 1, 1]}, 0)
    seeds = []
    for seed, values in ((1, [0.0, 0.4, 0.0, 0.2]), (2, [0.2, 0.0, 0.4, 0.2])):
        noisy = layer_rows("probing", {("perturbed", "f1_given"): values}, 0, seed).assign(group="noisy")
        clean = layer_rows("probing", {("perturbed", "f1_given"): [9.0, 0, 9, 0]}, 0, seed).assign(group="clean")
        seeds.append(pd.concat([noise.assign(seed=seed), noisy, clean]))
    found = layer_weights(seeds, "rise_of_given")
    np.testing.assert_allclose(found.weight, [0.1, 0, 0], atol=1e-12)  # of the means .1, .2, .2, .2
    assert "layer 0" in found.baseline
    with pytest.raises(MemlocError, match="f1_given"):
        layer_weights(noise, "rise_of_given")


def test_probing_takes_the_rise_of_the_mean_over_seeds_not_the_mean_rise() -> None:
    seeds = [
        layer_rows("probing", {("perturbed", "f1_noise"): values}, first=0, seed=seed)
        for seed, values in ((1, [0, 0.4, 0.0]), (2, [0, 0.0, 0.4]))
    ]
    np.testing.assert_allclose(layer_weights(seeds).weight, [0.2, 0])
    by_seed = [
        layer_rows("probing", {("perturbed", "rise_noise_by_seed"): values}, seed=seed)
        for seed, values in ((1, [0.4, 0.0]), (2, [0.0, 0.4]))
    ]
    np.testing.assert_allclose(layer_weights(by_seed, "rise_by_seed").weight, [0.2, 0.2])


def test_a_technique_of_ones_own_tells_its_weights() -> None:
    found = layer_weights(layer_rows("mine", {("perturbed", "layer_weight"): [1, 0, 0, 3]}))
    assert found.mcog == pytest.approx(13 / 4)
    assert found.bounds == (1, LAYERS)
    with pytest.raises(MemlocError, match="variant of mine"):
        layer_weights(layer_rows("mine", {("perturbed", "layer_weight"): [1, 2]}), "other")


def test_rows_of_a_control_setting_are_read_by_its_name() -> None:
    curves = {("control_first", "logit_l1_difference"): [3, 1], ("frozen", "logit_l1_difference"): [1, 1]}
    rows = layer_rows("gradients", curves)
    assert trained_arm(rows) == "control_first"
    np.testing.assert_allclose(layer_weights(rows).weight, [0.75, 0.25])


def refused(rows: pd.DataFrame | list[pd.DataFrame], words: str, **more: Any) -> None:
    with pytest.raises(MemlocError, match=words):
        layer_weights(rows, **more)


def test_what_has_no_layer_weight_says_what_it_has() -> None:
    refused(layer_rows("centroids", {("perturbed", "noisy_mean"): [1, 0]}), "crossing and initiation")
    refused(layer_rows("maps", {("perturbed", "generalisation_mean"): [1]}), "generalisation scores")


def test_bad_rows_are_refused_by_name() -> None:
    good = window_rows("swapping", random_accuracy(6))
    refused([], "rows: 'none'")
    refused(good.iloc[:0], "rows: 'none'")
    refused(good.drop(columns="arm"), r"missing columns of rows: \['arm'\]")
    refused(pd.concat([good, good.assign(technique="retraining")]), "technique of rows")
    refused(pd.concat([good, good.assign(task="rte")]), "task of rows")
    refused(pd.concat([good, good.assign(arm="control_last")]), "arms of rows")
    refused(pd.concat([good, good]), "the rows of one cell")
    refused(good[good["window_start"] != 2], "windows of length 1: 'none from layer 2'")
    refused(good.assign(value=np.nan), r"accuracy of window \(1, 1\): 'nan'")
    refused(good, "rows of all 5 layers", num_layers=5)
    refused(good, "variant of swapping", variant="l1")
    other = window_rows("swapping", random_accuracy(6, (1, 2)), seed=2)
    refused([good, other], "the same ones in every seed")
    part = {w: a for w, a in random_accuracy(6).items() if w != (1, LAYERS)}
    refused(window_rows("retraining", part), "none of all 4 layers")


def test_bad_curves_are_refused_by_name() -> None:
    f1 = {("perturbed", "f1_noise"): [0.1, 0.2, 0.3]}
    good = layer_rows("probing", f1, first=0)
    refused(good[good["layer"] != 1], r"layers of probing f1_noise of perturbed: '\[1\] missing'")
    refused(layer_rows("probing", f1), r"\[0\] missing")
    refused(pd.concat([good, good]), "layer 0 twice")
    refused(good.assign(value=[0.1, np.nan, 0.3]), "probing f1_noise of perturbed at layer 1: 'nan'")
    refused(good.assign(metric="f1_given"), "rows of probing f1_noise of perturbed: 'none'")
    refused([good, layer_rows("probing", {("perturbed", "f1_noise"): [0, 1]}, 0, seed=2)], "in every seed")
    refused(good, "did you mean rise_by_seed", variant="rise_by_sed")


def test_lengths_are_told_in_order() -> None:
    assert lengths_of([(1, 2), (1, 1), (2, 1)]) == (1, 2)


def test_one_layer_has_no_relative_depth() -> None:
    found = layer_weights(window_rows("swapping", {(1, 1): 0.2}))
    assert isinstance(found, LayerWeights)
    assert found.mcog == 1
    assert np.isnan(found.relative)
