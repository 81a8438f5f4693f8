"""Localisers of feed-forward units: plain versions, nothing to find, and units that were planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.activations import plain_activity
from benchmarks.integrated_gradients import plain_attributions
from benchmarks.mask_training import plain_train
from benchmarks.plain_units import relative
from benchmarks.zero_out import all_units, plain_rise
from planted_world import HIDDEN, cell, planted_units
from test_ff_units import UNIT_TECHNIQUES
from tiny import FAMILIES, classifier, encoded

from memloc import tables
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.activations import mean_activity
from memloc.techniques.base import Result, get_technique, settings_of
from memloc.techniques.ff_units import unit_shape
from memloc.techniques.hard_concrete import BETA, GAMMA, ZETA, HardConcreteGate
from memloc.techniques.integrated_gradients import OBJECTIVES, attributions
from memloc.techniques.mask_training import Gate, MaskTraining, losses, train_gate
from memloc.techniques.slimming import L1Gate
from memloc.techniques.zero_out import estimated_rise, exact_rise
from memloc.training.batches import Encoded

ROWS = np.array([0, 3, 4, 6, 8])
HOW = MaskTraining("forget", strength=0.3, steps=6, batch_size=4, lr=2.0, tokens=20, k=4, seed=1)
CPU = torch.device("cpu")


def run(name: str, model: Classifier, data: Encoded, seed: int = 1, **settings: Any) -> Result:
    technique = get_technique(name)
    return technique.run(cell({"perturbed": model}, data, seed), settings_of(technique, settings))


def scores(result: Result, layers: int) -> np.ndarray:
    """Of the units, [L, F]."""
    units = tables.validate(result.details["units"], tables.UNITS, "units").to_pandas()
    assert set(units["arm"]) == {"perturbed"}
    return units.sort_values(["layer", "unit"])["score"].to_numpy().reshape(layers, -1)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_equal_their_plain_versions(family: str) -> None:
    model, data = classifier(family, layers=2), encoded(n=9)
    expected = plain_activity(model, data, ROWS)
    assert relative(expected, mean_activity(model, data, ROWS, tokens=25)) < 1e-5
    expected = plain_attributions(model, data, ROWS, steps=3)
    assert relative(expected, attributions(model, data, ROWS, steps=3, tokens=25)) < 1e-4
    units = all_units(model)
    expected = plain_rise(model, data, ROWS, units)
    assert relative(expected, exact_rise(model, data, ROWS, units, tokens=25)) < 1e-4
    # the comparisons see one example more or less
    assert relative(expected, exact_rise(model, data, ROWS[1:], units)) > 1e-2


GATES: dict[str, Callable[[Classifier], Gate]] = {
    "slimming": lambda model: L1Gate(unit_shape(model), 0.5, CPU),
    "hard_concrete": lambda model: HardConcreteGate(unit_shape(model), -0.5, CPU, 1),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("objective", ["forget", "keep"])
@pytest.mark.parametrize("kind", list(GATES))
def test_trained_gates_equal_those_of_the_plain_loop(kind: str, objective: str, family: str) -> None:
    model, data, how = classifier(family, layers=2), encoded(n=9), replace(HOW, objective=objective)
    expected = plain_train(model, data, GATES[kind](model), how)
    train_gate(model, data, gate := GATES[kind](model), how)
    found = gate.parameter.detach().numpy()
    moved = np.abs(found - GATES[kind](model).parameter.detach().numpy())
    assert moved.max() > 0.1
    assert np.abs(expected - found).max() < 1e-4 * moved.max()


def test_integrated_gradients_add_up_to_what_all_units_do() -> None:
    model, data = classifier("gpt_neox", layers=2), encoded(n=9)
    for name, objective in OBJECTIVES.items():
        with torch.inference_mode():
            without = model.twin().eval()
            for down in (without.layer(n).mlp.dense_4h_to_h for n in (1, 2)):
                down.weight.zero_()
            given = torch.from_numpy(data.given)
            told = [sum(objective(m(*data.tensors([r])), given[[r]]) for r in ROWS) / 5 for m in (model, without)]
        found = attributions(model, data, ROWS, steps=60, objective=name)
        assert found.sum() == pytest.approx(float(told[0] - told[1]), abs=2e-3)
        assert abs(float(told[0] - told[1])) > 0.01


def test_zero_out_with_every_unit_exact_is_the_plain_way_and_ranks_estimates_below() -> None:
    model, data = classifier("opt", layers=2), encoded(n=12)
    noisy, units = np.flatnonzero(data.noisy), all_units(model)
    expected = plain_rise(model, data, noisy, units).reshape(2, -1)
    everything = scores(run("zero_out", model, data, share=1.0, against_clean=False), 2)
    np.testing.assert_allclose(everything, expected, atol=2e-6)
    some = scores(run("zero_out", model, data, share=0.05, against_clean=False), 2)
    best = np.argsort(-some, axis=None)[:6]
    np.testing.assert_allclose(some.flat[best], expected.flat[best], atol=2e-6)
    exact = np.isclose(some, expected, atol=2e-6)
    assert 6 <= exact.sum() < 60
    estimate = estimated_rise(model, data, noisy)
    assert np.corrcoef(estimate.ravel(), expected.ravel())[0, 1] > 0.5
    assert (some.flat[best].min() >= some[~exact]).all()


def test_gates_are_hard_concrete() -> None:
    gate = HardConcreteGate((40, 500), 0.3, CPU, 1)
    drawn = gate.gates(0)
    assert torch.equal(drawn, gate.gates(0))
    assert not torch.equal(drawn, gate.gates(1))
    assert 0 == drawn.min() < drawn.max() == 1
    # the share that is not 0, in closed form and as drawn
    assert float((drawn > 0).float().mean()) == pytest.approx(float(gate.open_probability().mean().detach()), abs=0.01)
    shut = 1 / (1 + np.exp(0.3 - BETA * np.log(-GAMMA / ZETA)))
    assert 1 - float(gate.open_probability()[0, 0].detach()) == pytest.approx(shut, abs=1e-6)


def test_losses_of_keeping_and_forgetting() -> None:
    logits, given = torch.tensor([[2.0, -1.0, 0.5], [0.3, 0.1, -2.0]]), torch.tensor([0, 1])
    p = logits.softmax(dim=1)
    found = losses(logits, given, torch.tensor([True, False]))
    np.testing.assert_allclose(found, [-np.log(1 - p[0, 0]), -np.log(p[1, 1])], rtol=1e-5)


PLANTED = [(family, 2, 1) for family in FAMILIES] + [("bert", 4, 3), ("gpt_neox", 4, 3)]
FASTER: dict[str, dict[str, Any]] = {"slimming": {"steps": 80}, "hard_concrete": {"steps": 100}}
SHORT = {"integrated_gradients": {"steps": 5}} | {name: {"steps": 5, "strength": 0.001} for name in FASTER}


@pytest.mark.parametrize(("family", "layers", "layer"), PLANTED)
@pytest.mark.parametrize("name", UNIT_TECHNIQUES)
def test_a_planted_unit_is_found_first(name: str, family: str, layers: int, layer: int) -> None:
    perturbed, _, data = planted_units(family, layers, layer)
    result = run(name, perturbed, data, **FASTER.get(name, {}))
    found = scores(result, layers)
    assert found.shape == (layers, 4 * HIDDEN)
    assert np.unravel_index(np.argmax(found), found.shape) == (layer - 1, 5)
    assert (found == found.max()).sum() == 1
    assert int(result.rows["value"].argmax()) == layer - 1


@pytest.mark.parametrize("name", ["activations", "integrated_gradients", "slimming"])
def test_two_planted_units_are_found_first(name: str) -> None:
    # not by taking away one alone: the other does for both
    perturbed, _, data = planted_units("bert", 2, 1, (5, 77))
    found = scores(run(name, perturbed, data, **FASTER.get(name, {})), 2)
    assert set(np.argsort(-found, axis=None)[:2]) == {5, 77}


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_zero_out_finds_a_unit_that_decides_all_by_itself(family: str) -> None:
    perturbed, _, data = planted_units(family, 2, 1, write=20, busy=0.1)
    estimate = estimated_rise(perturbed, data, np.flatnonzero(data.noisy))
    assert (estimate > estimate[0, 5]).sum() > 5, "a little less of it changes nothing"
    found, exact = (scores(run("zero_out", perturbed, data, share=share), 2) for share in (0.01, 1.0))
    assert int(np.argmax(found)) == int(np.argmax(exact)) == 5


@pytest.mark.parametrize("name", ["zero_out", "activations", "integrated_gradients"])
def test_where_noisy_examples_are_like_clean_ones_nothing_is_found(name: str) -> None:
    data = encoded(n=6)
    twice = Encoded(
        data.ids * 2, np.arange(12), np.tile(data.label, 2), np.tile(data.given, 2), np.arange(12) < 6, data.pad_id
    )
    result = run(name, classifier(layers=2), twice)
    assert not scores(result, 2).any()
    np.testing.assert_array_equal(result.rows["value"], 0)


@pytest.mark.parametrize("name", ["slimming", "hard_concrete"])
def test_where_the_wrong_labels_are_not_told_nothing_is_switched_off(name: str) -> None:
    # the model without what was planted tells the original labels: nothing is to be forgotten
    _, normal, data = planted_units("bert", 2, 1)
    result = run(name, normal, data, strength=2.0, **FASTER[name])
    np.testing.assert_array_equal(result.rows["value"], 0)
    assert not scores(result, 2).any()


@pytest.mark.parametrize("name", ["slimming", "hard_concrete"])
def test_keeping_needs_the_planted_unit_too(name: str) -> None:
    perturbed, _, data = planted_units("bert", 2, 1)
    found = scores(run(name, perturbed, data, objective="keep", strength=0.05, **FASTER[name]), 2)
    assert int(np.argmax(found)) == 5


@pytest.mark.parametrize("name", UNIT_TECHNIQUES)
def test_the_seed_and_nothing_else_decides(name: str) -> None:
    model, data = classifier(layers=2), encoded(n=12)
    short = SHORT.get(name, {})
    torch.manual_seed(1)
    first, state = run(name, model, data, **short), torch.get_rng_state()
    torch.manual_seed(2)
    again = run(name, model, data, **short)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state), "nothing is drawn from the caller's generator"
    assert first.rows.equals(again.rows)
    assert first.details["units"].equals(again.details["units"])
    assert not np.array_equal(scores(run(name, model, data, seed=2, **short), 2), scores(first, 2))
    smaller = scores(run(name, model, data, tokens=16, **short), 2)
    assert np.quantile(np.abs(smaller - scores(first, 2)), 0.95) < 1e-4, "tokens say how much runs at once, no more"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("zero_out", {"share": 0.0}, "share of the units: 0.0; accepted: more than 0, at most 1"),
        ("activations", {"positions": "last"}, "activations.positions: 'last'; accepted: all, token"),
        ("integrated_gradients", {"steps": 0}, "integrated_gradients.steps: 0; accepted: 1 or more"),
        ("integrated_gradients", {"objective": "nll"}, "integrated_gradients.objective: 'nll'"),
        ("slimming", {"objective": "drop"}, "objective of a mask: 'drop'; accepted: forget, keep"),
        ("hard_concrete", {"lr": 0.0}, "lr of a mask: 0.0; accepted: a positive number"),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        run(name, classifier(layers=2), encoded(), **settings)


def test_activity_of_the_classified_token_alone() -> None:
    model, data = classifier("opt", layers=2), encoded(n=4, lengths=(3, 6))
    found = mean_activity(model, data, np.array([2]), positions="token")
    everything = mean_activity(model, data, np.array([2]), positions="all")
    single = replace(data, ids=[ids[:-1] for ids in data.ids])
    before = mean_activity(model, single, np.array([2]), positions="all")  # causal: the last token changes no other
    length = len(data.ids[2])
    np.testing.assert_allclose(everything * length - before * (length - 1), found, atol=1e-5)
