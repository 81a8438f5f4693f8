"""Half-data ensembles and memorisation maps against a plain loop; members together against one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.maps import plain_member
from tiny import CLASSES, OWN, classifier, encoded, profile, spec

from memloc import tables
from memloc.analysis.mapping import map_of
from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.estimating import estimate
from memloc.models.classifier import build_classifier
from memloc.pipeline import CellId, Experiment
from memloc.store import Store
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.techniques.maps import ensemble, members_together, summarise
from memloc.training.batches import Encoded
from memloc.training.ensemble import Member, fresh_head, members

QUICK: dict[str, Any] = {"members": 4, "epochs": 2, "lr": 1e-3, "batch_size": 4}
FAMILIES = ["bert", "opt", "gpt_neo", "gpt_neox"]


def cell(data: Encoded, resume: Path | None = None, seed: int = 1, classes: int = CLASSES, **changes: Any) -> Cell:
    loaded = {"load": lambda arm: classifier(layers=2), "arms": ("pretrained",), "resume": resume}
    return Cell("key", "task", spec().name, seed, classes, data, **{**loaded, **changes})


def run(where: Cell, **settings: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    technique = get_technique("maps")
    result = technique.run(where, settings_of(technique, {**QUICK, **settings}))
    tables.validate(result.details["map"], tables.MAP, "map")
    return result.rows, result.details["map"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [1, 3])
def test_probabilities_are_those_of_the_plain_loop(family: str, count: int) -> None:
    # 13 rows in batches of four: members have their short batch at different steps
    data, config = encoded(27), TrainConfig(epochs=2, batch_size=4, lr=1e-3, dropout=0.0)
    chosen = members(len(data), count, seed=1)
    model = classifier(family, layers=2)
    got = list(ensemble(model, data, chosen, config))
    for member, probability in zip(chosen, got, strict=True):
        expected = plain_member(classifier(family, layers=2), data, member, config)
        np.testing.assert_allclose(probability, expected, atol=1e-5)
    before = plain_member(classifier(family, layers=2), data, chosen[0], TrainConfig(epochs=1, lr=1e-12))
    assert np.abs(before - got[0]).max() > 0.01, "training must be felt"


def test_one_by_one_draws_dropout_as_the_plain_loop_does() -> None:
    data, config = encoded(20), TrainConfig(epochs=2, batch_size=4, lr=1e-3, dropout=0.5)
    member = members(len(data), 1, seed=3)[0]
    model = classifier(layers=2)
    torch.manual_seed(7)
    (got,) = ensemble(model, data, [member], config)
    drawn = torch.rand(1)
    np.testing.assert_allclose(got, plain_member(classifier(layers=2), data, member, config), atol=1e-5)
    without = plain_member(classifier(layers=2), data, member, TrainConfig(epochs=2, batch_size=4, lr=1e-3, dropout=0))
    assert np.abs(got - without).max() > 1e-3
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1)), "the caller's generator is left alone"


@pytest.mark.parametrize("count", [1, 3])
def test_the_start_is_left_as_it_was(count: int) -> None:
    model, data = classifier(layers=2), encoded(12)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    list(ensemble(model, data, members(12, count, 1), TrainConfig(epochs=1, lr=1e-2)))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_clipping_is_each_members_own() -> None:
    data, config = encoded(20), TrainConfig(epochs=1, batch_size=4, lr=1e-3, dropout=0.0, clip_norm=0.01)
    chosen = members(len(data), 3, seed=1)
    for member, probability in zip(chosen, ensemble(classifier(layers=2), data, chosen, config), strict=True):
        expected = plain_member(classifier(layers=2), data, member, config)
        np.testing.assert_allclose(probability, expected, atol=1e-5)


def test_members_are_seeded_halves() -> None:
    found = members(101, 6, seed=1)
    assert [len(m.rows) for m in found] == [50] * 6
    assert all(len(set(m.rows)) == 50 for m in found)
    assert len({m.seed for m in found}) == 6
    assert len({tuple(m.rows) for m in found}) == 6
    again, other = members(101, 3, seed=1), members(101, 6, seed=2)
    for a, b in zip(found, again, strict=False):
        assert (a.seed, a.rows.tolist()) == (b.seed, b.rows.tolist())
    assert not any(np.array_equal(a.rows, b.rows) for a, b in zip(found, other, strict=True))


def test_balanced_members_are_complements() -> None:
    found = members(11, 6, seed=1, balanced=True)
    assert np.bincount(np.concatenate([m.rows for m in found]), minlength=11).tolist() == [3] * 11
    assert len({m.seed for m in found}) == 6
    data = encoded(11)
    assert len(list(ensemble(classifier(layers=2), data, found, TrainConfig(epochs=1, batch_size=4)))) == 6


def test_a_members_head_is_as_a_classifier_would_start_it() -> None:
    expected = build_classifier(spec(), {"main": CLASSES}, head_seed=5).part_state(["head.main"])
    got = fresh_head(classifier(), 5)
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[key], expected[key]) for key in got)


def test_a_map_by_hand() -> None:
    data = encoded(4)
    probability = np.array([[0.9, 0.2, 0.5, 0.1], [0.5, 0.4, 0.7, 0.3], [0.1, 0.6, 0.9, 0.8]])
    seen = np.array([[1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 0]], bool)
    found = map_of(data.idx, data.noisy, probability, seen)
    np.testing.assert_allclose(found["memorisation"], [0.7, 0.4, 0.7, np.nan])
    np.testing.assert_allclose(found["generalisation"], [0.1, 0.4, np.nan, 0.4])
    np.testing.assert_allclose(found["counterfactual"], [0.6, 0, np.nan, np.nan])
    assert found["models_in"].tolist() == [2, 1, 3, 0]
    assert found["models_out"].tolist() == [1, 2, 0, 3]
    assert found["group"].tolist() == ["noisy", "clean", "clean", "noisy"]
    rows = summarise(found).set_index(["group", "metric"])[["value", "n"]]
    assert rows.loc[("all", "generalisation_mean")].tolist() == pytest.approx([0.3, 3])
    assert rows.loc[("all", "generalisation_median")].tolist() == pytest.approx([0.4, 3])
    assert rows.loc[("clean", "memorisation_mean")].tolist() == pytest.approx([0.55, 2])
    assert rows.loc[("noisy", "counterfactual_mean")].tolist() == pytest.approx([0.6, 1])
    assert len(rows) == 12


def test_an_easy_rule_generalises_and_wrong_labels_are_memorised() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    # the first token tells the class; the others tell examples apart
    ids = [[10 + int(y) * 500, *rng.integers(1000, 2000, 3).tolist()] for y in label]
    noisy = np.arange(60) % 10 < 2
    data = Encoded(ids, np.arange(60), label, np.where(noisy, 1 - label, label), noisy, 0)
    start = build_classifier(spec(layers=2, hidden=32), {"main": 2}).eval()
    rows, _ = run(cell(data, load=lambda arm: start, classes=2), members=6, epochs=30, lr=5e-3, batch_size=10)
    value = rows.set_index(["group", "metric"])["value"]
    assert value["clean", "generalisation_mean"] > 0.65
    assert value["noisy", "generalisation_mean"] < 0.35
    assert value["noisy", "counterfactual_mean"] > value["clean", "counterfactual_mean"] + 0.2


def test_a_killed_run_goes_on_with_the_next_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(20)
    expected = run(cell(data), together=2)
    trained: list[int] = []
    real = ensemble

    def dies(model: Any, data: Encoded, chosen: list[Member], config: TrainConfig) -> Any:
        trained.append(len(chosen))
        for number, found in enumerate(real(model, data, chosen, config)):
            if len(trained) == 2 and number == 1:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr("memloc.techniques.maps.ensemble", dies)
    with pytest.raises(KeyboardInterrupt):
        run(cell(data, tmp_path / "resume"), together=2)
    assert len(list((tmp_path / "resume").glob("member-*.safetensors"))) == 3
    got = run(cell(data, tmp_path / "resume"), together=2)
    assert trained == [2, 2, 2], "the first group is not trained again"
    for mine, theirs in zip(got, expected, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)

    def refuse(arm: str) -> Any:
        raise AssertionError("everything is done")

    pd.testing.assert_frame_equal(run(cell(data, tmp_path / "resume", load=refuse), together=2)[1], expected[1])


def test_the_seed_decides() -> None:
    data = encoded(16)
    first, same, other = (run(cell(data, seed=seed))[1] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, same)
    assert not first["memorisation"].equals(other["memorisation"])


def test_how_many_are_trained_together() -> None:
    config = TrainConfig()
    assert members_together(classifier(layers=1), config) > 1
    assert members_together(classifier(layers=1, hidden=256), config) == 1
    assert members_together(classifier("opt", layers=1), TrainConfig(pooling="last_column")) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0}, "members of an ensemble: 0"),
        ({"share": 1.0}, "share of an ensemble: 1.0"),
        ({"balanced": True, "members": 3}, "balanced ensemble: '3 members"),
        ({"lr": float("nan")}, "training.lr: nan"),
        ({"together": -1}, "maps.together: -1"),
        ({"lr": 1e30, "epochs": 3}, "probabilities of member 1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        run(cell(encoded(12)), **settings)


def test_through_the_pipeline_the_key_names_data_and_model(tmp_path: Path) -> None:
    quick = {"maps": {"members": 2, "epochs": 1, "together": 2}}
    where = CellId("gen-cue-2a", "micro-bert", 1)

    def experiment(**changes: Any) -> Experiment:
        return Experiment(profile(techniques=quick, **changes), Store(tmp_path), device="cpu")

    made = experiment()
    rows = tables.read(made.rows(where, "maps").file("rows.parquet"), tables.ROWS)
    assert set(rows["metric"]) >= {"generalisation_mean", "counterfactual_mean"}
    assert len(tables.read(made.rows(where, "maps").file("map.parquet"), tables.MAP)) == 40
    key = made.technique_config(where, "maps")
    assert experiment(training={**OWN["training"], "epochs": 9}).technique_config(where, "maps") == key
    assert experiment(data={**OWN["data"], "cap": 30}).technique_config(where, "maps") != key
    assert experiment(training={**OWN["training"], "max_length": 16}).technique_config(where, "maps") != key


def test_estimates_count_the_members(tmp_path: Path) -> None:
    few, many = (
        Experiment(profile(techniques={"maps": {"members": count}}), Store(tmp_path), "cpu") for count in (1, 2000)
    )
    (short,), (long,) = (estimate(made, lambda _: None) for made in (few, many))
    assert long.hours > 20 * short.hours
