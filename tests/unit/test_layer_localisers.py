"""Weight difference, gradient accounting and rewinding: plain versions, nothing to find, and a planted layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.gradient_accounting import plain_gradient_norms
from benchmarks.rewinding import plain_accuracy_lost
from benchmarks.weight_difference import plain_weight_difference
from planted_world import cell, planted_layer, planted_units
from tiny import FAMILIES, classifier, encoded, pair, shake

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import get_technique, settings_of
from memloc.techniques.gradient_accounting import gradient_norms
from memloc.techniques.rewinding import accuracy_lost
from memloc.techniques.swapping import swap_logits, windows
from memloc.techniques.weight_difference import relative_difference
from memloc.training.batches import Encoded

AGAINST = {"weight_difference": "normal", "weight_difference_pretrained": "pretrained", "rewinding": "pretrained"}


def weights(name: str, arms: dict[str, Classifier], data: Encoded) -> np.ndarray:
    technique = get_technique(name)
    assert set(technique.arms) == set(arms), "a technique asks for the arms that it uses, and no others"
    rows = technique.run(cell(arms, data), settings_of(technique, {})).rows
    assert set(rows["metric"]) == {"layer_weight"}
    assert rows["layer"].tolist() == list(range(1, len(rows) + 1))
    return rows["value"].to_numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_their_plain_versions(family: str) -> None:
    (perturbed, other), data = pair(family, layers=4), encoded(n=17)
    np.testing.assert_allclose(
        relative_difference(perturbed, other), plain_weight_difference(perturbed, other), rtol=1e-6
    )
    rows = np.array([0, 3, 4, 6, 8])
    expected = plain_gradient_norms(perturbed, data, rows)
    np.testing.assert_allclose(gradient_norms(perturbed, data, rows, tokens=25), expected, rtol=1e-5)
    assert len(set(expected.round(6))) == 4, "every layer is a case of its own"
    expected = plain_accuracy_lost(perturbed, other, data)
    np.testing.assert_allclose(accuracy_lost(perturbed, other, data, tokens=40), expected, atol=1e-12)
    assert expected.any()


@pytest.mark.parametrize(("longest", "count"), [(1, 4), (2, 7), (4, 10)])
def test_the_engine_runs_windows_of_some_lengths_alone(longest: int, count: int) -> None:
    (perturbed, other), data = pair("gpt_neo", layers=4), encoded()
    batch = data.tensors(range(len(data)))
    chosen = windows(4, longest)
    assert len(chosen) == count
    assert max(length for _, length in chosen) == longest
    everything = dict(zip(windows(4), swap_logits(perturbed, other, *batch), strict=True))
    found = swap_logits(perturbed, other, *batch, longest=longest)
    torch.testing.assert_close(found, torch.stack([everything[window] for window in chosen]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", list(AGAINST))
def test_where_two_arms_are_one_no_layer_has_any_weight(name: str) -> None:
    model = classifier()
    np.testing.assert_array_equal(weights(name, {"perturbed": model, AGAINST[name]: model.twin()}, encoded()), 0)


def test_where_noisy_examples_are_like_clean_ones_all_layers_weigh_the_same() -> None:
    data = encoded(n=6)
    twice = Encoded(
        data.ids * 2, np.arange(12), np.tile(data.label, 2), np.tile(data.given, 2), np.arange(12) < 6, data.pad_id
    )
    found = weights("gradient_accounting", {"perturbed": classifier(layers=4)}, twice)
    np.testing.assert_allclose(found, 0.25, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("layers", "planted"), [(2, 1), (2, 2), (4, 3)])
@pytest.mark.parametrize("name", list(AGAINST))
def test_a_planted_layer_is_found_alone(name: str, family: str, layers: int, planted: int) -> None:
    perturbed, normal, data = planted_layer(family, layers, planted)
    found = weights(name, {"perturbed": perturbed, AGAINST[name]: normal}, data)
    # all wrong labels come from it and no right one: the whole weight is its own
    np.testing.assert_array_equal(found, np.eye(layers)[planted - 1])


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_accounting_finds_the_layer_whose_units_fire_on_noisy_examples(family: str) -> None:
    perturbed, _, data = planted_units(family, 2, 1)
    assert int(np.argmax(weights("gradient_accounting", {"perturbed": perturbed}, data))) == 0


def test_rewinding_takes_off_what_clean_examples_lose_too() -> None:
    perturbed, start, data = planted_layer("bert", 2, 2)
    lost = accuracy_lost(perturbed, start, replace(data, given=np.where(data.noisy, data.given, data.label)))
    assert lost[:, 0].tolist() == [0.0, 0.0]
    assert lost[:, 1].tolist() == [1.0, 0.0]
    # the other way round, clean examples alone lose by it: not a layer that memorises
    turned = replace(data, noisy=~data.noisy)
    np.testing.assert_array_equal(weights("rewinding", {"perturbed": perturbed, "pretrained": start}, turned), 0)


def test_bad_input_is_named() -> None:
    with pytest.raises(MemlocError, match="layers to compare: '2 layers'; accepted: the 3 of the model"):
        relative_difference(classifier(layers=3), classifier(layers=2))
    empty = classifier(layers=2)
    for parameter in empty.layer(2).parameters():
        torch.nn.init.zeros_(parameter)
    with pytest.raises(MemlocError, match="weights of layer 2: 'all 0'"):
        relative_difference(classifier(layers=2), empty)
    data = encoded(n=4)
    with pytest.raises(MemlocError, match="noisy training examples: 0"):
        weights("rewinding", {"perturbed": empty, "pretrained": empty}, replace(data, noisy=np.zeros(4, bool)))
    broken = shake(classifier(layers=2), 1)
    broken.layer(1).get_parameter("output.dense.weight").data[0, 0] = torch.nan
    with pytest.raises(MemlocError, match=r"perturbed arm: layer\.1/0/output\.dense\.weight"):
        weights("gradient_accounting", {"perturbed": broken}, data)
