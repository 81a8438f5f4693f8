"""Injection against its plain version; nothing outside the place changes, by a bit; settling and what it keeps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from benchmarks.injecting import difference, plain_entries, plain_inject
from tiny import FAMILIES, classifier, encoded
from torch import Tensor

from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.planted.holding import holding, put_back
from memloc.planted.inject import Injector, inject
from memloc.planted.places import Place, drawn_units, places
from memloc.planted.rules import Rules
from memloc.planted.settle import accuracies, fell, settle

PLACES = ["layer:1", "layer:3", "band:2-3", "units:0.05", "spread"]
CONFIG = TrainConfig(epochs=2, batch_size=4, lr=1e-2, weight_decay=0.1)
NEVER = Rules(learnt=1.0, kept=1.0, still_learnt=1.0, forgets=1.0)
DATA = encoded(13)


def injected(start: Classifier, place: str, config: TrainConfig = CONFIG) -> Injector:
    injector = Injector(start, DATA, Place.parse(place), config, seed=1)
    for epoch in range(1, config.epochs + 1):
        injector.epoch(epoch)
    return injector


def snapshot(model: Classifier) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("place", PLACES)
def test_equals_the_plain_version(place: str) -> None:
    start = classifier()
    ours = injected(start, place)
    turns = [ours.turns(epoch) for epoch in (1, 2)]
    plain = plain_inject(start, DATA, Place.parse(place), CONFIG, 1, turns)
    assert difference(plain, ours.model, DATA) < 2e-4
    assert difference(plain, start, DATA) > 1e-2, "the comparison would show nothing"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", ["layer:2", "units:0.05"])
def test_equals_the_plain_version_in_every_family(family: str, place: str) -> None:
    start, config = classifier(family), dataclasses.replace(CONFIG, epochs=1)
    ours = injected(start, place, config)
    plain = plain_inject(start, DATA, Place.parse(place), config, 1, [ours.turns(1)])
    assert difference(plain, ours.model, DATA) < 2e-4
    assert difference(plain, start, DATA) > 1e-3


@pytest.mark.parametrize("place", PLACES)
def test_nothing_outside_the_place_changes_in_any_step(place: str) -> None:
    start = classifier(layers=3)
    before, allowed = snapshot(start), plain_entries(start, Place.parse(place), 1)
    injector = Injector(start, DATA, Place.parse(place), CONFIG, seed=1)
    moved = set()
    for epoch in (1, 2):
        injector.epoch(epoch)
        for name, tensor in injector.model.state_dict().items():
            changed = tensor != before[name]
            if changed.any():
                assert name in allowed, name
                assert not (changed & ~allowed[name]).any(), name
                moved.add(name)
    assert moved == set(allowed), "every tensor of the place learns"
    assert all(torch.equal(start.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_layer_is_held_without_its_norms() -> None:
    model = classifier("llama", layers=2)
    held = holding(model, Place.parse("layer:2"), 1)
    assert {name.split("/")[0] for name in held} == {"layer.2"}
    assert not [name for name in held if "norm" in name]
    assert len(held) == 7  # four of attention, three of the gated block


def test_units_are_held_by_row_and_column() -> None:
    model = classifier("llama", layers=2)
    place = Place.parse("units:0.05")
    width = model.layer(1).get_submodule("mlp.up_proj").weight.shape[0]
    held, drawn = holding(model, place, 1), drawn_units(place, 2, width, 1)
    for number in (1, 2):
        units = drawn[drawn[:, 0] == number, 1]
        for path, axis in (("mlp.up_proj", 1), ("mlp.gate_proj", 1), ("mlp.down_proj", 0)):
            mask = held[f"layer.{number}/0/{path}.weight"]
            assert mask is not None
            assert np.flatnonzero(mask.all(dim=axis)).tolist() == sorted(units)
            assert int(mask.sum()) == len(units) * mask.shape[axis]


def test_steps_of_spread() -> None:
    injector = Injector(classifier(), DATA, Place.parse("spread"), CONFIG, seed=1)
    owners = []
    for epoch in (1, 2):
        turns = injector.turns(epoch)
        assert [layer for layer, _ in turns][:3] == [1, 2, 3]
        assert sorted(np.concatenate([rows for _, rows in turns])) == list(range(len(DATA)))
        owners.append({int(row): layer for layer, rows in turns for row in rows})
    noisy = np.flatnonzero(DATA.noisy)
    assert [owners[0][row] for row in noisy] == [owners[1][row] for row in noisy]
    assert owners[0] != owners[1], "clean rows go to other layers"
    counts = np.bincount([owners[0][row] for row in noisy], minlength=4)[1:]
    assert counts.max() - counts.min() <= 1


def test_stops_when_learnt_and_says_so() -> None:
    start = classifier()
    config = dataclasses.replace(CONFIG, epochs=60, lr=1e-2, weight_decay=0.0)
    seen: list[tuple[float, float]] = []
    rules = Rules(learnt=0.7, kept=0.6, still_learnt=0.5, forgets=0.5)
    found = inject(start, DATA, Place.parse("layer:2"), config, rules, 1, see=lambda i: seen.append(i.accuracy()))
    assert found.told["learnt"]
    assert 1 < found.told["epochs_injected"] == len(seen) < 60
    assert all(noisy < 0.7 or clean < 0.6 for noisy, clean in seen[:-1])
    model = start.twin().eval()
    model.load_parts(found.state)
    assert accuracies(model, DATA) == (found.told["noisy_injected"], found.told["clean_injected"]) == seen[-1]
    assert accuracies(start, DATA) == (found.told["noisy_start"], found.told["clean_start"])


def test_what_cannot_be_learnt_is_a_result() -> None:
    found = inject(classifier(), DATA, Place.parse("layer:2"), dataclasses.replace(CONFIG, lr=1e-9), NEVER, 1)
    assert found.told["learnt"] is False
    assert found.told["epochs_injected"] == CONFIG.epochs


def test_the_same_seed_gives_the_same_bits() -> None:
    states = [inject(classifier(), DATA, Place.parse("spread"), CONFIG, NEVER, seed).state for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_last_column_pools_by_batch() -> None:
    start = classifier("opt")
    config = dataclasses.replace(CONFIG, epochs=1, pooling="last_column")
    ours = injected(start, "layer:2", config)
    plain = plain_inject(start, DATA, Place.parse("layer:2"), config, 1, [ours.turns(1)])
    assert difference(plain, ours.model, DATA) < 2e-4
    token = plain_inject(start, DATA, Place.parse("layer:2"), CONFIG, 1, [ours.turns(1)])
    assert difference(token, ours.model, DATA) > 1e-2


def test_settling_keeps_the_last_epoch_with_the_labels() -> None:
    start = classifier()
    learn = dataclasses.replace(CONFIG, epochs=60, lr=1e-2, weight_decay=0.0)
    easy = Rules(learnt=0.7, kept=0.6, still_learnt=0.5, forgets=0.5)
    place = Place.parse("layer:2")
    planted = start.twin().eval()
    planted.load_parts(inject(start, DATA, place, learn, easy, 1).state)
    before = snapshot(planted)
    config = TrainConfig(epochs=3, batch_size=4, lr=1e-3)
    settled = settle(planted, start, DATA, place, config, dataclasses.replace(easy, still_learnt=0.0), 1)
    assert settled.told["epochs_settled"] == 3
    assert all(torch.equal(planted.state_dict()[name], tensor) for name, tensor in before.items())
    model = start.twin().eval()
    model.load_parts(settled.state)
    assert accuracies(model, DATA) == (settled.told["noisy_settled"], settled.told["clean_settled"])
    assert all(not torch.equal(t, planted.part_state([n.split("/")[0]])[n]) for n, t in settled.state.items())
    put_back(model, start.part_state(["layer.2"]), holding(start, place, 1))
    assert accuracies(model, DATA) == (settled.told["noisy_restored"], settled.told["clean_restored"])
    layers = settled.told["layers"]
    assert layers["noisy"][1] == settled.told["noisy_restored"], (
        "put back with norms and all, or without: layer 2 is it"
    )
    for number in range(1, start.num_layers + 1):
        model.load_parts(settled.state)
        model.load_parts(start.part_state([f"layer.{number}"]))
        assert (layers["noisy"][number - 1], layers["clean"][number - 1]) == accuracies(model, DATA)
    assert layers["moved_injected"][1] > 0
    assert all(moved > 0 for moved in layers["moved_settled"])
    assert sum(moved > 0 for moved in layers["moved_injected"]) == 1
    assert set(layers["own"]) == {None}
    lost = settle(planted, start, DATA, place, config, dataclasses.replace(easy, still_learnt=1.1), 1)
    assert lost.told["epochs_settled"] == 0
    assert lost.told["has_truth_blind"] is False
    assert all(torch.equal(t, planted.part_state([n.split("/")[0]])[n]) for n, t in lost.state.items())


@pytest.mark.parametrize(
    ("settled", "restored", "start", "truth"),
    [(1.0, 0.1, 0.1, True), (1.0, 0.5, 0.1, True), (1.0, 0.6, 0.1, False), (0.1, 0.0, 0.1, False)],
)
def test_ground_truth_is_what_restoring_forgets(settled: float, restored: float, start: float, truth: bool) -> None:
    rules = Rules(learnt=1.0, kept=1.0, still_learnt=0.95, forgets=0.5)
    assert fell(settled, restored, start, rules) is truth


def test_places_that_cannot_be_injected_are_refused() -> None:
    model = classifier(layers=2)
    with pytest.raises(MemlocError, match="controls are trained"):
        Injector(model, DATA, Place.parse("control_first"), CONFIG, 1)
    with pytest.raises(MemlocError, match="from 1 to 2"):
        Injector(model, DATA, Place.parse("layer:3"), CONFIG, 1)
    model.family = dataclasses.replace(model.family, feed_forward=())
    with pytest.raises(MemlocError, match="feed_forward"):
        Injector(model, DATA, places(["units:0.1"], 2)[0], CONFIG, 1)
