"""Masks over feed-forward units against weights changed by hand, in every family and in other people's checkpoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.plain_units import downs
from own_world import KINDS, stock
from planted_world import cell
from tiny import FAMILIES, classifier, encoded

from memloc.errors import MemlocError
from memloc.own.classifier import OwnClassifier
from memloc.techniques.base import get_technique, settings_of
from memloc.techniques.ff_units import mask_gradient, masked, noisy_beyond_clean, outgoing, reading, unit_shape, zeroed
from memloc.techniques.gradients import objective_sum
from memloc.techniques.layerwise import apply_layer, record

UNIT_TECHNIQUES = ["zero_out", "activations", "integrated_gradients", "slimming", "hard_concrete"]


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_a_mask_is_a_scaled_column_of_weights(family: str) -> None:
    model, batch = classifier(family), encoded().tensors(range(7))
    shape = unit_shape(model)
    assert shape == (3, downs(model)[0].in_features)
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    changed = model.twin().eval()
    for n, row in enumerate(mask, 1):
        outgoing(changed, n).mul_(row[:, None])
    with masked(model, mask):
        inside = model(*batch)
    torch.testing.assert_close(inside, changed(*batch), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(inside, model(*batch), atol=1e-3), "outside, the mask is gone"


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_units_of_checkpoints_of_all_kinds(kind: str) -> None:
    model = OwnClassifier(stock(kind)).eval()
    assert unit_shape(model) == (2, 64 if kind == "gpt2" else 32)
    ids = torch.randint(3, 40, (3, 5), generator=torch.Generator().manual_seed(0))
    batch = (ids, torch.ones_like(ids))
    mask = torch.ones(unit_shape(model))
    mask[1, 7] = 0
    with masked(model, mask):
        found = model(*batch)
    before = model(*batch)
    outgoing(model, 2)[7] = 0
    torch.testing.assert_close(found, model(*batch), atol=1e-5, rtol=1e-5)
    assert not torch.equal(found, before)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_variants_of_a_batch_each_without_a_unit(family: str) -> None:
    model, units = classifier(family), np.array([3, 0, 3, 17])
    ids, mask = encoded().tensors(range(5))
    recording = record(model, ids, mask)
    with zeroed(model, 2, units):
        found = apply_layer(model, 2, recording.inputs[1].repeat(4, 1, 1), recording)
    for unit, states in zip(units, found.split(5), strict=True):
        changed = model.twin().eval()
        outgoing(changed, 2)[unit] = 0
        expected = apply_layer(changed, 2, recording.inputs[1], recording)
        torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-5)


def test_activations_are_read_layer_by_layer() -> None:
    model, (ids, mask), seen = classifier("opt"), encoded().tensors(range(5)), {}
    with reading(model, lambda number, states: seen.__setitem__(number, states)):
        model(ids, mask)
    assert list(seen) == [1, 2, 3]
    assert all(states.numel() == ids.numel() * 64 for states in seen.values())
    assert (seen[1] >= 0).all(), "after the non-linearity"
    model(ids * 0 + 5, mask)
    assert list(seen) == [1, 2, 3]


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_gradient_of_a_mask_is_the_slope_of_the_objective(family: str) -> None:
    model, data = classifier(family, layers=2).double(), encoded(n=5)
    rows, mask = np.array([0, 2, 3]), torch.full(unit_shape(model), 0.7, dtype=torch.float64)

    def objective(logits: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        return objective_sum(logits, given, "nll")

    @torch.inference_mode()
    def value(at: torch.Tensor) -> float:
        with masked(model, at):
            each = [objective(model(*data.tensors([row])), torch.from_numpy(data.given[[row]])) for row in rows]
        return float(sum(each)) / len(rows)

    learning = [p.requires_grad for p in model.parameters()]
    found = mask_gradient(model, data, rows, objective, mask, tokens=9)
    assert [p.requires_grad for p in model.parameters()] == learning
    for place in ((0, 0), (0, 40), (1, 3), (1, 63)):
        step = torch.zeros_like(mask)
        step[place] = 1e-4
        slope = (value(mask + step) - value(mask - step)) / 2e-4
        # llama keeps norms in single precision whatever the weights are
        assert found[place] == pytest.approx(slope, rel=1e-5 if family == "bert" else 0.05, abs=1e-5)


def test_what_serves_any_example_cancels() -> None:
    data = encoded(n=9)

    def score(rows: np.ndarray) -> np.ndarray:
        of_noisy = data.noisy[rows].mean()
        return np.array([[1.0, 5.0 + of_noisy, 2.0 + 1e-9 * of_noisy]])

    assert noisy_beyond_clean(score, data, 1, True).tolist() == [[0.0, 1.0, 0.0]], "rounding is no difference"
    assert noisy_beyond_clean(score, data, 1, False)[0, 1] == 6.0


@pytest.mark.parametrize("name", UNIT_TECHNIQUES)
def test_a_family_that_names_no_units_is_told_so(name: str) -> None:
    model = classifier(layers=2)
    model.family = replace(model.family, feed_forward=())
    technique = get_technique(name)
    with pytest.raises(MemlocError, match="feed-forward units of family bert: 'none named'"):
        technique.run(cell({"perturbed": model}, encoded()), settings_of(technique, {}))
