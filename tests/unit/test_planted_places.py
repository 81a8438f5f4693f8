"""Places: how they are written, what a model must have, what is true of them; the rules of the benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memloc.errors import MemlocError
from memloc.planted.places import Place, drawn_units, places, truth
from memloc.planted.rules import read_rules

WRITTEN = ["layer:5", "band:4-6", "units:0.01", "spread", "control_first", "control_middle", "control_last"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_place_is_read_as_it_is_written(text: str) -> None:
    assert str(Place.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layr:5", "did you mean layer"),
        ("control_frist", "did you mean control_first"),
        ("layer:0", "1 or more"),
        ("layer:x", "layer:5"),
        ("layer:1-2", "layer:5"),
        ("layer", "layer:5"),
        ("band:3", "band:4-6"),
        ("band:3-2", "rising"),
        ("units:1.5", "between 0 and 1"),
        ("units:few", "units:0.01"),
        ("units:nan", "between 0 and 1"),
        ("spread:2", "spread"),
    ],
)
def test_what_is_no_place_is_told(text: str, told: str) -> None:
    with pytest.raises(MemlocError, match=told):
        Place.parse(text)


def test_places_of_a_model() -> None:
    assert [str(p) for p in places(["layer:*", "band:1-2", "layer:2", "spread"], 3)] == [
        "layer:1",
        "layer:2",
        "layer:3",
        "band:1-2",
        "spread",
    ]
    for text in ("layer:4", "band:3-4"):
        with pytest.raises(MemlocError, match="from 1 to 3"):
            places([text], 3)
    with pytest.raises(MemlocError, match="2 or more"):
        places(["control_last"], 1)


@pytest.mark.parametrize("layers", [2, 3, 12])
def test_truth_is_a_distribution_over_the_layers_of_the_place(layers: int) -> None:
    for place in places(["layer:*", "band:1-2", "units:0.1", "spread", "control_middle", "control_last"], layers):
        found = truth(place, layers)
        assert found.shape == (layers,)
        assert found.sum() == pytest.approx(1)
        assert (found > 0).sum() == len(place.layers(layers))
    assert truth(Place.parse("layer:2"), layers)[1] == 1
    assert np.flatnonzero(truth(Place.parse("control_last"), layers)).tolist() == [layers - 2, layers - 1]


def test_units_are_drawn_from_all_layers_by_seed() -> None:
    place = Place.parse("units:0.1")
    drawn = drawn_units(place, 4, 50, seed=1)
    assert drawn.shape == (20, 2)
    assert len(np.unique(drawn, axis=0)) == 20
    assert drawn[:, 0].min() >= 1
    assert drawn[:, 0].max() <= 4
    assert set(drawn[:, 1]) <= set(range(50))
    np.testing.assert_array_equal(drawn, drawn_units(place, 4, 50, seed=1))
    assert not np.array_equal(drawn, drawn_units(place, 4, 50, seed=2))
    np.testing.assert_allclose(truth(place, 4, drawn) * 20, [(drawn[:, 0] == n).sum() for n in (1, 2, 3, 4)])
    assert len(drawn_units(Place.parse("units:0.0001"), 2, 8, seed=1)) == 1
    with pytest.raises(MemlocError, match="kind units"):
        drawn_units(Place.parse("spread"), 4, 50, 1)


def test_rules_need_a_value_and_a_reason(tmp_path: Path) -> None:
    rules = read_rules()
    assert 0.5 < rules.still_learnt < rules.learnt <= 1, "settling may lose labels, or no model would ever settle"
    own = tmp_path / "rules.yml"
    whole = "learnt: {value: 1, why: a}\nkept: {value: 1, why: a}\nstill_learnt: {value: 1, why: a}\n"
    for last, told in (("", "forgets"), ("forgets: {value: 2, why: a}", "why"), ("forgets: {value: 1}", "why")):
        own.write_text(whole + last)
        with pytest.raises(MemlocError, match=told):
            read_rules(own)
