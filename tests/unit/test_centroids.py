"""Centroid positions against the plain definition, planted geometry, and half-replaced models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.centroids import difference, of_pair, our_centroids, plain_centroids
from tiny import CLASSES, FAMILIES, classifier, encoded, pair, shake, spec

from memloc import tables
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier, build_classifier
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.techniques.centroids import analyse, layer_positions, pooled_pairs
from memloc.techniques.states import layer_states, mixed_model
from memloc.training.batches import Encoded


def planted(label: list[int], given: list[int]) -> Encoded:
    n, y, g = len(label), np.array(label), np.array(given)
    return Encoded([[1]] * n, np.arange(n) + 100, y, g, y != g, 0)


def run(arms: dict[str, Classifier], data: Encoded, **settings: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    technique = get_technique("centroids")
    cell = Cell("key", "task", spec().name, 1, CLASSES, data, lambda arm: arms[arm], tuple(arms))
    result = technique.run(cell, settings_of(technique, settings))
    tables.validate(result.details["positions"], tables.POSITIONS, "positions")
    return result.rows, result.details["positions"]


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_of_the_stock_model(family: str) -> None:
    model, data = classifier(family), encoded(9)
    got = layer_states(model, data, tokens=30)
    assert (got.dtype, got.shape) == (np.float32, (4, 9, 16))
    with torch.inference_mode():
        for i in range(len(data)):
            ids, mask = data.tensors([i])
            stock = model.backbone(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            token = 0 if family in ("bert", "roberta") else -1
            expected = torch.stack([layer[0, token] for layer in stock])
            torch.testing.assert_close(torch.from_numpy(got[:, i]), expected, atol=1e-5, rtol=1e-5)


def test_states_leave_the_model_as_it_was() -> None:
    model = classifier().train()
    layer_states(model, encoded(3))
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_states_that_are_no_numbers_are_refused_by_example() -> None:
    model, data = classifier("opt"), encoded(5)
    with torch.no_grad():
        model.backbone.get_submodule("decoder.embed_tokens").weight[data.ids[3][-1]] = float("nan")  # type: ignore[index, operator]
    with pytest.raises(MemlocError, match="hidden states of example: 30"):
        layer_states(model, data)


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox"])
@pytest.mark.parametrize(("layers", "reuse"), [(2, False), (12, True)])
def test_equals_the_plain_version(family: str, layers: int, reuse: bool) -> None:
    # shaken less than elsewhere: twelve layers far from their start make all states alike, and t is a difference
    model = shake(build_classifier(spec(family, layers, hidden=32), {"main": CLASSES}), 0, by=0.1)
    data = encoded(40)
    expected = plain_centroids(model, data, CLASSES, reuse_states=reuse)
    assert {layer for layer, _, _ in expected} == set(range(model.num_layers + 1))
    assert difference(expected, our_centroids(model, data, CLASSES), data) < 1e-5


def test_the_centroids_themselves_are_at_0_and_1_and_what_is_planted_is_found() -> None:
    # p_0 = (1, 0), p_1 = (5, 0); the noisy ones at a quarter and at all of the way, off the line
    states = np.array([[1, 0], [0, 1], [2, -1], [5, 0], [5, 7], [5, -7], [2, 3], [5, -4]], np.float32)
    data = planted([0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 0, 0])
    found = layer_positions(states, data, 2)
    groups = of_pair(found, data, 0, 1)
    np.testing.assert_allclose(groups["noisy"], [0.25, 1.0])
    np.testing.assert_allclose(groups["given"], [0, -0.25, 0.25], atol=1e-12)
    np.testing.assert_allclose(groups["original"], [1, 1, 1])
    # without the second of A: p_0 = (1.5, -.5), line (3.5, .5), h - p_0 = (-1.5, 1.5)
    np.testing.assert_allclose(groups["given_left_out"][1], (-1.5 * 3.5 + 1.5 * 0.5) / (3.5**2 + 0.5**2))


def test_the_other_direction_of_a_pair_mirrors_the_line() -> None:
    states = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    data = encoded(60)
    found = layer_positions(states, data, CLASSES)
    there, back = of_pair(found, data, 0, 2), of_pair(found, data, 2, 0)
    np.testing.assert_allclose(there["given"], 1 - back["original"], atol=1e-12)
    np.testing.assert_allclose(there["given"].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(there["original"].mean(), 1, atol=1e-12)


def test_leaving_out_equals_centroids_computed_anew() -> None:
    rng = np.random.default_rng(1)
    states = (rng.normal(size=(40, 6)) + 100).astype(np.float32)  # far from the origin, as real states are
    data = encoded(40)
    found = layer_positions(states, data, CLASSES)
    clean = np.flatnonzero(~data.noisy)
    for place, row in enumerate(clean):
        k = data.label[row]
        others = clean[(data.label[clean] == k) & (clean != row)]
        p_k = states[others].astype(np.float64).mean(axis=0)
        for j in set(range(CLASSES)) - {k}:
            line = states[clean[data.label[clean] == j]].astype(np.float64).mean(axis=0) - p_k
            expected = (states[row] - p_k) @ line / (line @ line)
            assert found.left_out[place, j] == pytest.approx(expected, rel=1e-9)


def test_rows_pool_the_pairs_with_enough_noisy_examples_and_no_other() -> None:
    #  pair (0, 1): three noisy; pair (1, 0): one; class 2 has no noisy examples
    data = planted([0, 0, 1, 1, 2, 2, 1, 1, 1, 0], [0, 0, 1, 1, 2, 2, 0, 0, 0, 1])
    states = np.random.default_rng(2).normal(size=(2, 10, 4)).astype(np.float32)
    result = analyse(states, data, 3, least=3, members=0)
    rows = result.rows[result.rows.layer == 1].set_index("metric")
    groups = of_pair(layer_positions(states[1], data, 3), data, 0, 1)
    for name, group in (("noisy", "noisy"), ("given", "clean"), ("original", "clean")):
        assert rows.loc[f"{name}_mean", "value"] == pytest.approx(groups[name].mean(), abs=1e-12)
        assert rows.loc[f"{name}_p87.5", "value"] == pytest.approx(np.percentile(groups[name], 87.5))
        assert rows.loc[f"{name}_mean", "n"] == len(groups[name])
        assert rows.loc[f"{name}_mean", "group"] == group
    left_out = groups["original_left_out"]
    assert rows.loc["original_p50_left_out", "value"] == pytest.approx(np.median(left_out))
    assert len(rows) == 5 * 4
    noisy = result.details["positions"]
    assert set(zip(noisy.given_class, noisy.original_class, strict=True)) == {(0, 1), (1, 0)}, "few are shown too"
    assert analyse(states, data, 3, least=1, members=0).rows.iloc[0]["n"] == 4


def test_too_few_noisy_examples_are_refused_with_what_would_do() -> None:
    with pytest.raises(MemlocError, match="largest of 2 ordered class pairs: 2; accepted: 3 or more: more training"):
        pooled_pairs(planted([0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0]), 2, 3)


def test_a_class_without_clean_examples_has_no_pairs() -> None:
    data = planted([0, 0, 1, 1, 1, 1, 2], [0, 0, 1, 1, 0, 0, 0])
    assert pooled_pairs(data, 3, 1).nonzero() == (np.array([0]), np.array([1]))
    states = np.random.default_rng(3).normal(size=(1, 7, 4)).astype(np.float32)
    result = analyse(states, data, 3, least=1, members=10)
    assert np.isfinite(result.rows["value"]).all()
    assert set(result.details["positions"]["original_class"]) == {0, 1}


def test_equal_centroids_give_no_rows_instead_of_noise() -> None:
    # BERT's [CLS] has the same state for all before the first layer
    model, data = classifier("bert"), encoded(30)
    for ids in data.ids:
        ids[0] = 2
    rows, positions = run({"perturbed": model}, data)
    assert set(rows["layer"]) == set(positions["layer"]) == {1, 2, 3}


def test_members_are_told_for_a_seeded_sample() -> None:
    arms, data = {"perturbed": classifier("opt", layers=2)}, encoded(60)
    rows, positions = run(arms, data, members=7)
    counts = positions.groupby("member")["idx"].agg(["size", "nunique"])
    assert counts.loc["given"].tolist() == [7 * 2 * 3, 7]
    assert counts.loc["noisy"].tolist() == [20 * 3, 20]
    again = run(arms, data, members=7)
    pd.testing.assert_frame_equal(rows, again[0])
    pd.testing.assert_frame_equal(positions, again[1])
    everyone = run(arms, data, members=1000)[1]
    pooled = everyone.given_class == (everyone.original_class + 1) % CLASSES  # where the noisy examples are
    mine = everyone[pooled & (everyone.layer == 1) & (everyone.member == "given")]
    got = rows[(rows.layer == 1) & (rows.metric == "given_p12.5_left_out")]["value"].item()
    assert got == pytest.approx(np.percentile(mine["t_left_out"], 12.5))


def test_halves_come_from_the_normal_model() -> None:
    perturbed, normal = pair("gpt_neox", layers=4)
    before = {name: tensor.clone() for name, tensor in perturbed.state_dict().items()}
    data = encoded(40)
    rows, _ = run({"perturbed": perturbed, "normal": normal}, data)
    for arm, numbers in (("lower_from_normal", [1, 2]), ("upper_from_normal", [3, 4])):
        twin = perturbed.twin()
        twin.load_parts(normal.part_state([f"layer.{n}" for n in numbers]))
        expected = analyse(layer_states(twin, data), data, CLASSES, 3, 0).rows
        np.testing.assert_allclose(rows[rows.arm == arm]["value"], expected["value"], rtol=1e-5, atol=1e-6)
    same = rows.pivot(index=["layer", "metric"], columns="arm", values="value")
    unlike = (same["upper_from_normal"] - same["perturbed"]).abs().groupby("layer").max()
    assert (unlike[[0, 1, 2]] == 0).all()
    assert (unlike[[3, 4]] > 1e-3).all()
    assert all(torch.equal(before[name], tensor) for name, tensor in perturbed.state_dict().items())


@pytest.mark.parametrize("family", ["bert", "gpt_neo"])
def test_a_half_replaced_by_itself_changes_nothing(family: str) -> None:
    model = classifier(family, layers=3)
    rows, _ = run({"perturbed": model, "normal": model.twin().eval()}, encoded(40))
    values = rows.pivot(index=["layer", "metric"], columns="arm", values="value")
    assert set(values.columns) == {"perturbed", "lower_from_normal", "upper_from_normal"}
    for arm in values.columns:
        np.testing.assert_array_equal(values[arm], values["perturbed"])


def test_a_mixture_is_not_a_way_to_change_the_models_it_is_made_of() -> None:
    base, other = pair("bert", layers=2)
    mixed = mixed_model(base, other, [1])
    mixed.train()
    mixed.layer(1).register_forward_hook(lambda *_: None)
    assert not any((base.training, other.training, other.layer(1).training))
    assert not other.layer(1)._forward_hooks
    shared = {p.data_ptr() for model in (base, other) for p in model.parameters()}
    assert all(p.data_ptr() in shared for p in mixed.parameters())
    with pytest.raises(MemlocError, match="layers of the other model: 3; accepted: 2"):
        mixed_model(base, build_classifier(spec(layers=3), {"main": CLASSES}), [1])


@pytest.mark.parametrize("name", ["tokens", "min_noisy", "members"])
def test_settings_out_of_range(name: str) -> None:
    with pytest.raises(MemlocError, match=f"centroids.{name}: -1"):
        run({"perturbed": classifier()}, encoded(30), **{name: -1})
