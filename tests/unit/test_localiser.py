"""A localiser of one's own: one function and a decorator, through the pipeline and through `memloc.localise`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_world import saved, sentences, stock
from planted_world import cell
from test_pipeline import experiment
from tiny import classifier, encoded

import memloc
from memloc import tables
from memloc.analysis.weights import layer_weights
from memloc.errors import MemlocError
from memloc.own.job import TECHNIQUES, wanted_techniques
from memloc.pipeline import CellId
from memloc.techniques import base, localiser
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.techniques.localiser import Located, located_by_units, told, top_units

CELL = CellId("gen-cue-2a", "micro-bert", 1)


@pytest.fixture
def moved() -> Iterator[str]:
    """The norm of what training changed in each layer: all that somebody else would write."""

    @localiser("moved", arms=("perturbed", "pretrained"), defaults={"power": 2.0})
    @torch.no_grad()
    def find(cell: Cell, settings: Mapping[str, Any]) -> list[float]:
        after, before = cell.load("perturbed"), cell.load("pretrained")
        layers = [zip(after.layer(n).parameters(), before.layer(n).parameters(), strict=True) for n in (1, 2)]
        return [sum(float((a - b).abs().pow(settings["power"]).sum()) for a, b in pairs) for pairs in layers]

    yield "moved"
    base._registry.pop("moved")


@pytest.fixture
def loudest() -> Iterator[str]:
    """Scores of units: how large their weights are."""

    @localiser("loudest", defaults={"share": 0.1})
    def find(cell: Cell, settings: Mapping[str, Any]) -> Located:
        weights = [cell.load("perturbed").layer(n).get_parameter("output.dense.weight") for n in (1, 2)]
        return located_by_units(np.stack([w.detach().norm(dim=0).numpy() for w in weights]), settings["share"])

    yield "loudest"
    base._registry.pop("loudest")


def test_through_the_pipeline(moved: str, loudest: str, tmp_path: Path) -> None:
    made = experiment(tmp_path, techniques={moved: {"power": 1.0}, loudest: {}})
    made.check()
    made.run_cell(CELL)
    rows = tables.read(made.rows(CELL, moved).file("rows.parquet"), tables.ROWS)
    assert rows["technique"].tolist() == [moved] * 2
    found = layer_weights(rows, num_layers=2)
    assert found.weight.sum() == pytest.approx(1)
    assert (found.weight > 0).all()
    assert 1 < found.mcog < 2
    units = tables.read(made.rows(CELL, loudest).file("units.parquet"), tables.UNITS)
    assert units.groupby("layer")["unit"].apply(list).tolist() == [list(range(128))] * 2
    assert made.technique_config(CELL, moved)["settings"] == {"power": 1.0}
    assert list(made.technique_config(CELL, moved)["arms"]) == ["perturbed"]


def test_through_localise(moved: str, tmp_path: Path) -> None:
    for name, seed in (("start", 0), ("model", 1)):
        saved(stock("bert", seed), "bert", tmp_path / name)
    sentences(12).to_csv(tmp_path / "data.csv", index=False)
    found = memloc.localise(
        moved, tmp_path / "model", tmp_path / "data.csv", pretrained=tmp_path / "start", device="cpu"
    )
    assert found.techniques == [moved]
    assert found.weights["weight"].sum() == pytest.approx(1)
    assert moved in found.report
    with pytest.raises(MemlocError, match="moved: it needs --pretrained"):
        memloc.localise(moved, tmp_path / "model", tmp_path / "data.csv", device="cpu")


@pytest.mark.parametrize("name", ["rewinding", "zero_out", "slimming"])
def test_our_own_through_localise(name: str, tmp_path: Path) -> None:
    for folder, seed in (("start", 0), ("model", 1)):
        saved(stock("gpt2", seed), "gpt2", tmp_path / folder)
    sentences(24).to_csv(tmp_path / "data.csv", index=False)
    settings = {"slimming": {"steps": 3}}
    found = memloc.localise(
        name,
        tmp_path / "model",
        tmp_path / "data.csv",
        pretrained=tmp_path / "start",
        out=tmp_path / "out",
        device="cpu",
        settings=settings,
    )
    assert found.techniques == [name]
    assert found.weights["layer"].tolist() == [1, 2]
    assert ("zero_out/units" in found.details) == (name == "zero_out")
    assert (tmp_path / "out" / "report.html").is_file()


def test_all_means_the_studys_five() -> None:
    assert wanted_techniques("all") == list(TECHNIQUES)
    assert wanted_techniques("zero_out") == ["zero_out"]


def test_a_name_that_is_taken_or_none_is_refused(moved: str) -> None:
    with pytest.raises(MemlocError, match="technique: 'moved'; accepted: a name that is not taken"):
        localiser("moved")(lambda cell, settings: [1.0])
    with pytest.raises(MemlocError, match="technique: 'swapping'"):
        localiser("swapping")(lambda cell, settings: [1.0])
    with pytest.raises(MemlocError, match="name of a localiser"):
        localiser(lambda cell, settings: [1.0])  # type: ignore[arg-type]


def test_weights_are_a_distribution_or_nothing() -> None:
    assert told("x", [1.0, 3.0], 5).rows["value"].tolist() == [0.25, 0.75]
    nothing = told("x", [0, 0, 0], 5).rows
    assert nothing["value"].tolist() == [0, 0, 0], "not equal weights, which would say that memory is spread"
    rows = nothing.assign(technique="x", seed=1, group=None, task="t", model="m")
    assert "no layer has any weight" in layer_weights(rows).reason


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], r"layer weights of x: 'shape \(0,\)'; accepted: one number for each layer"),
        ([[1.0]], r"layer weights of x: 'shape \(1, 1\)'"),
        ([1.0, -1.0], "weight of layer 2 of x: -1.0; accepted: a finite number, 0 or more"),
        ([np.nan, 1.0], "weight of layer 1 of x: nan"),
        ([1.0, np.inf], "weight of layer 2 of x: inf"),
        (Located(np.ones(2), np.ones(3)), r"unit scores of x: 'shape \(3,\)'; accepted: 2 layers by F units"),
        (Located(np.ones(1), np.array([[0, np.nan]])), "score of unit 1 in layer 1 of x: 'not finite'"),
    ],
)
def test_what_is_no_answer_is_refused(found: Any, message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        told("x", found, 5)


def test_layer_weights_from_the_best_units() -> None:
    scores = np.array([[5.0, 0.0, 1.0, -9.0], [3.0, 2.0, 0.0, -1.0]])
    assert located_by_units(scores, 0.25).weights.tolist() == [5.0, 3.0]
    assert located_by_units(scores, 0.5).weights.tolist() == [6.0, 5.0]
    assert located_by_units(scores, 1.0).weights.tolist() == [6.0, 5.0], "below 0 is never counted"
    assert located_by_units(scores, 0.001).weights.tolist() == [5.0, 0.0], "one unit at least"
    # three units are level for two places: no layer gains by standing first
    level = np.array([[4.0, 2.0, 2.0], [2.0, 1.0, 1.0]])
    assert located_by_units(level, 0.5).weights == pytest.approx([4 + 2 * 2 * 2 / 3, 2 * 2 / 3])
    assert located_by_units(np.zeros((2, 3)), 0.5).weights.tolist() == [0, 0]
    assert top_units(0.01, 6144) == 61
    with pytest.raises(MemlocError, match=r"share of the units: 1\.5"):
        top_units(1.5, 10)


def test_the_function_stays_what_it_was(moved: str) -> None:
    model = classifier(layers=2)
    arms = {"perturbed": model, "pretrained": model.twin()}
    technique = get_technique(moved)
    assert (technique.version, technique.optional) == (1, ())
    result = technique.run(cell(arms, encoded()), settings_of(technique, {}))
    assert not result.rows["value"].any()
    with torch.no_grad():
        model.layer(2).get_parameter("output.dense.bias").add_(1)
    assert technique.run(cell(arms, encoded()), settings_of(technique, {})).rows["value"].tolist() == [0.0, 1.0]
