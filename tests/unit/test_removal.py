"""Localise and delete: halves, removals against models built by hand, what stands beside them, and the planted case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from planted_world import cell, planted_layer, planted_units
from tiny import classifier, encoded, pair

from memloc import tables
from memloc.errors import MemlocError
from memloc.planted import removal as removals
from memloc.planted.places import Place, drawn_units
from memloc.planted.removal import Removals, halves, heaviest, other_sets, removal
from memloc.planted.settle import accuracies
from memloc.techniques import base
from memloc.techniques.base import Cell
from memloc.techniques.ff_units import outgoing, unit_shape
from memloc.techniques.localiser import Located, localiser

CELL = {"task": "t", "model": "m", "seed": 1, "noise": 0.15, "place": "layer:2", "regime": "oracle"}


@pytest.fixture
def pointing() -> Iterator[dict[str, Any]]:
    """A localiser that says what its settings say, and what it was shown."""
    seen: dict[str, Any] = {}

    @localiser("pointing", arms=("perturbed",), defaults={"layer": 1, "units": ""})
    def point(given: Cell, settings: Mapping[str, Any]) -> Located:
        model = given.load("perturbed")
        seen["train"] = given.train
        scores = None
        if settings["units"]:
            scores = np.zeros(unit_shape(model))
            for word in settings["units"].split(","):
                scores[tuple(int(n) for n in word.split(":"))] = 1.0
        return Located(np.eye(model.num_layers)[settings["layer"] - 1], scores)

    yield seen
    base._registry.pop("pointing")


def test_halves_share_no_noisy_example_and_clean_ones_are_a_sample() -> None:
    data = encoded(40)
    seen, scored = halves(data, 3, clean=10)
    noisy = [set(part.idx[part.noisy]) for part in (seen, scored)]
    assert not noisy[0] & noisy[1]
    assert noisy[0] | noisy[1] == set(data.idx[data.noisy])
    assert abs(len(noisy[0]) - len(noisy[1])) <= 1
    assert ((~seen.noisy).sum(), (~scored.noisy).sum()) == ((~data.noisy).sum(), 10)
    again = halves(data, 3, clean=10)
    assert [part.idx.tolist() for part in again] == [seen.idx.tolist(), scored.idx.tolist()]
    assert halves(data, 4)[0].idx.tolist() != seen.idx.tolist()
    with pytest.raises(MemlocError, match="two noisy and one clean"):
        halves(encoded(2), 1)


@pytest.mark.parametrize("family", ["bert", "gpt_neox"])
def test_layers_are_taken_out_as_in_a_model_built_by_hand(family: str) -> None:
    model, start = pair(family, layers=3)
    data = encoded(30)
    known = Removals(model, start, data)
    for chosen in ((), (2,), (1, 3)):
        by_hand = model.twin().eval()
        by_hand.load_parts(start.part_state([f"layer.{n}" for n in chosen]))
        assert known.layers(chosen) == accuracies(by_hand, data)


@pytest.mark.parametrize("family", ["bert", "gpt_neox"])
def test_units_are_taken_out_as_in_a_model_built_by_hand(family: str) -> None:
    model = classifier(family, layers=2)
    data, (_, width) = encoded(40), unit_shape(model)
    chosen = np.arange(0, 2 * width, 2)
    by_hand = model.twin().eval()
    for number in (1, 2):
        outgoing(by_hand, number).data[0:width:2] = 0
    assert Removals(model, model, data).units(chosen) == accuracies(by_hand, data)
    assert Removals(model, model, data).units(chosen) != accuracies(model, data)


def test_what_stands_beside_a_removal() -> None:
    assert other_sets((2,), 4, draws=1, seed=0) == [(1,), (3,), (4,)], "single layers are all made"
    assert len(other_sets((1, 2), 4, draws=5, seed=0)) == 5, "and sets where there are no more than asked for"
    drawn = other_sets((1, 2), 12, draws=20, seed=0)
    assert len(set(drawn)) == 20
    assert (1, 2) not in drawn
    assert all(len(set(one)) == 2 and min(one) >= 1 and max(one) <= 12 for one in drawn)
    assert drawn == other_sets((1, 2), 12, draws=20, seed=0) != other_sets((1, 2), 12, draws=20, seed=1)
    assert other_sets((1, 2, 3), 3, draws=9, seed=0) == []
    ties = [tuple(heaviest(np.array([1, 3, 3, 3, 0.0]), 2, np.random.default_rng(n))) for n in range(40)]
    assert set(ties) == {(1, 2), (1, 3), (2, 3)}, "of equal ones any"
    assert heaviest(np.array([1, 3, 0, 2.0]), 2, np.random.default_rng(0)).tolist() == [1, 3]


@pytest.mark.parametrize(("layer", "forgets"), [(2, True), (3, False)])
def test_the_planted_layer_alone_forgets(pointing: dict[str, Any], layer: int, forgets: bool) -> None:
    perturbed, normal, data = planted_layer("bert", 4, 2)
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    frame = removal({"pointing": given}, {"pointing": {"layer": layer}}, Place.parse("layer:2"))
    tables.validate(frame.assign(**CELL)[tables.REMOVAL.names], tables.REMOVAL, "removal")
    (row,) = frame.to_dict("records")
    assert row["removed"] == f"layers:{layer}"
    assert (row["noisy_before"], row["clean_before"]) == (1, 1)
    assert (row["noisy_after"], row["is_true"]) == ((0, 1) if forgets else (1, 0))
    assert row["clean_after"] == 1, "the start gives the clean examples their labels too"
    assert row["noisy_after_random"] == pytest.approx(1 if forgets else 2 / 3), "of three other layers"
    assert row["n_random"] == 3
    assert row["n_noisy"] == (data.noisy.sum() + 1) // 2
    assert pointing["train"].noisy.sum() == data.noisy.sum() // 2, "the localiser never saw the others"


def test_places_of_several_layers_and_no_known_place(pointing: dict[str, Any]) -> None:
    perturbed, normal, data = planted_layer("bert", 4, 2)
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    settings: dict[str, dict[str, Any]] = {"pointing": {"layer": 3}}
    (band,) = removal({"pointing": given}, settings, Place.parse("band:2-3"), draws=2).to_dict("records")
    other = {"layers:1,3": 0.5, "layers:2,3": 1.0, "layers:3,4": 0.5}  # layer 3, and any of equal weight
    assert (band["is_true"], band["n_random"]) == (other[band["removed"]], 2)
    acquired = removal({"pointing": given}, settings, None, draws=2)
    assert acquired["removed"].tolist()[0] == "layers:3"
    assert acquired["removed"].tolist()[1] in other
    assert acquired["is_true"].isna().all()
    assert removal({"pointing": given}, settings, Place.parse("spread")).empty, "nothing else is left to take out"


def test_pointing_to_the_planted_units_forgets(pointing: dict[str, Any]) -> None:
    perturbed, normal, data = planted_units("bert", 2, 2, (5,))
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    width = unit_shape(perturbed)[1]
    share = 1 / (2 * width)
    frame = removal({"pointing": given}, {"pointing": {"units": "1:5"}}, Place.parse("layer:2"), draws=4, share=share)
    row = frame[frame["removed"].str.startswith("units")].iloc[0]
    assert (row["noisy_before"], row["noisy_after"], row["is_true"], row["n_random"]) == (1, 0, 1, 4)
    assert row["noisy_after_random"] > 0.5
    place = Place("units", share=share)
    ((layer, unit),) = drawn_units(place, 2, width, 1)
    settings = {"pointing": {"units": f"{layer - 1}:{unit}"}}
    frame = removal({"pointing": given}, settings, place, planted=1, draws=1, share=share)
    assert frame["removed"].tolist() == [f"units:{share:g}"], "units lie in all layers, which leaves no other layers"
    assert frame["is_true"].tolist() == [1]


def test_acquired_memory_is_taken_out_of_more_and_more_layers(
    pointing: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert removals.SIZES == (1, 2, 4, 6, 8)
    monkeypatch.setattr(removals, "SIZES", (1, 3, 4))
    perturbed, normal, data = planted_layer("bert", 4, 2)
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    found = removal({"pointing": given}, {"pointing": {"layer": 2}}, None, draws=2)
    assert [removed.count(",") + 1 for removed in found["removed"]] == [1, 3], "not all four"
    assert (found["noisy_after"] == 0).all()


def test_the_same_units_are_silenced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    perturbed, normal, data = planted_units("bert", 2, 2, (5,))
    known = Removals(perturbed, normal, data)
    asked: list[np.ndarray] = []
    silence = known._without
    monkeypatch.setattr(known, "_without", lambda chosen: asked.append(chosen) or silence(chosen))
    assert known.units(np.array([3, 1])) == known.units(np.array([1, 3]))
    known.units(np.array([2]))
    assert len(asked) == 2


def test_a_technique_that_cannot_do_with_half_has_no_rows(
    pointing: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    perturbed, normal, data = planted_layer("bert", 4, 2)
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    settings: dict[str, dict[str, Any]] = {"centroids": {"min_noisy": 50}, "pointing": {"layer": 2}}
    frame = removal({"centroids": given, "pointing": given}, settings, Place.parse("layer:2"))
    assert frame["technique"].tolist() == ["pointing"]
    assert "centroids of task t-bert seed 1 cannot do with half" in caplog.text


def test_the_same_each_time(pointing: dict[str, Any]) -> None:
    perturbed, normal, data = planted_layer("bert", 4, 2)
    given = cell({"perturbed": perturbed, "pretrained": normal}, data)
    settings: dict[str, dict[str, Any]] = {"pointing": {"layer": 2, "units": "0:1"}}
    first, second = (removal({"pointing": given}, settings, None, draws=3) for _ in range(2))
    assert first.equals(second)
