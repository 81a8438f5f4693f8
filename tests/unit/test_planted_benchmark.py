"""The benchmark with planted memorisation from end to end, on two-layer models, and what is told when parts lack."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from test_cli import home, memloc, refused, written
from tiny import OWN, profile

from memloc import tables
from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.planted import running
from memloc.planted.cells import Amount, PlantedCell
from memloc.planted.command import named
from memloc.planted.estimating import parts
from memloc.planted.experiment import Plantings, told
from memloc.planted.places import Place
from memloc.planted.releasing import read_benchmark, release
from memloc.planted.results import TABLES, Results, results
from memloc.profiles import load_profile
from memloc.profiles.loading import parse_profile, profile_content
from memloc.released import read_release
from memloc.store import Store

__all__ = ["home"]  # a fixture of the command line's tests

PLANTED: dict[str, Any] = {"places": ["layer:*", "spread"], "injection": {"epochs": 2}, "settling": {"epochs": 1}}
CELL = CellId("gen-cue-2a", "micro-gpt-neox", 1)


class Ran(NamedTuple):
    """A finished smoke run."""

    plantings: Plantings
    folder: Path
    out: str
    seconds: float
    results: Results


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The smoke profile through the command line, once."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("benchmark")
        patch.setenv("MEMLOC_HOME", str(root / "home"))
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *told, **_: lines.append(" ".join(map(str, told))))
        began = time.process_time()
        assert memloc("benchmark", "--profile", "smoke", "--device", "cpu", "--release", root / "released") == 0
        seconds = time.process_time() - began
        patch.undo()
        plantings = Plantings(Experiment(load_profile("planted-smoke"), Store(root / "home"), "cpu"))
        yield Ran(plantings, root / "released", "\n".join(lines), seconds, results(plantings))


def test_smoke_takes_less_than_a_minute(ran: Ran) -> None:
    assert ran.seconds < 60, "of computing; other work on the machine does not count"


def test_everything_asked_for_is_there(ran: Ran) -> None:
    found = ran.results
    assert found.missing == []
    for name, schema in TABLES.items():
        tables.validate(getattr(found, name), schema, name)
    assert len(found.planted) == 2 * 4
    assert found.planted["learnt"].sum() >= 6
    assert found.planted["has_truth_blind"].sum() >= 2
    true = found.planted.query("has_truth_blind")
    kept = found.found.query("regime == 'blind'")[["model", "place"]].drop_duplicates()
    assert len(kept) == len(true)
    names = set(ran.plantings.profile.techniques)
    for regime in ("oracle", "blind", "acquired"):
        assert set(found.found.loc[found.found["regime"] == regime, "technique"]) == names
    sums = found.found.groupby(["model", "place", "regime", "technique", "variant"])["weight"].sum()
    assert sums.to_numpy() == pytest.approx(1)
    assert set(found.removal["place"]) >= {"acquired"}
    assert set(found.recalled["technique"]) == {
        "zero_out",
        "activations",
        "integrated_gradients",
        "slimming",
        "hard_concrete",
    }
    assert (found.asked["seconds"] > 0).all()


def test_the_leaderboard_is_printed(ran: Ran) -> None:
    assert "have ground truth after settling" in ran.out
    assert "swapping (single)" in ran.out
    assert "[10/10]" in ran.out
    assert "whole and unaltered" in ran.out


def test_swapping_with_the_start_finds_the_place_by_definition(ran: Ran) -> None:
    found = ran.results.found.query("regime == 'oracle' and technique == 'swapping' and variant == 'single'")
    layers = found[found["place"].str.startswith("layer:")]
    assert len(layers) >= 2 * 2
    for (_, place), cell in layers.groupby(["model", "place"]):
        assert f"layer:{cell.loc[cell['weight'].idxmax(), 'layer']}" == place


def test_who_is_blind_gets_a_stranger(ran: Ran) -> None:
    plantings, planted = ran.plantings, PlantedCell(CELL, 0.15, Place.parse("layer:1"))
    arms = {r: plantings.rows_config(planted, r, "swapping")["arms"] for r in ("oracle", "blind")}
    assert arms["oracle"]["normal"]["arm"] == "normal"
    assert arms["blind"]["normal"]["arm"] == "independent"
    assert arms["oracle"]["perturbed"] == plantings.injected_config(planted)
    assert arms["blind"]["perturbed"] == plantings.settled_config(planted)
    normal, stranger = (plantings.experiment.load(CELL, arm) for arm in ("normal", "independent"))
    assert not normal.heads["main"].weight.equal(stranger.heads["main"].weight)
    summaries = [
        json.loads(plantings.experiment.checkpoint(CELL, a).file("summary.json").read_text())
        for a in ("normal", "independent")
    ]
    assert summaries[0]["epochs_run"] == summaries[1]["epochs_run"]


def test_settling_moves_every_layer(ran: Ran) -> None:
    planted = PlantedCell(CELL, 0.15, Place.parse("layer:1"))
    assert told(ran.plantings.settled(planted))["epochs_settled"] > 0
    injected, settled = ran.plantings.load(planted, "oracle"), ran.plantings.load(planted, "blind")
    start = ran.plantings.experiment.load(CELL, "normal")
    for part in (*[f"layer.{n}" for n in (1, 2)], "final", "head.main"):
        before, after = injected.part_state([part]), settled.part_state([part])
        assert any(not before[name].equal(after[name]) for name in before), part
        same = all(before[name].equal(tensor) for name, tensor in start.part_state([part]).items())
        assert same is (part != "layer.1")


def test_every_layer_of_a_settled_model_is_told(ran: Ran) -> None:
    table = ran.results.settled
    assert len(table) == 2 * ran.results.planted["learnt"].sum()
    planted = PlantedCell(CELL, 0.15, Place.parse("layer:1"))
    found = table.query("model == 'micro-gpt-neox' and place == 'layer:1'").set_index("layer")
    assert (found["moved_settled"] > 0).all()
    assert (found["moved_injected"] > 0).tolist() == [True, False]
    restored = told(ran.plantings.settled(planted))
    assert found.loc[1, ["noisy", "clean"]].tolist() == [restored["noisy_restored"], restored["clean_restored"]]
    assert found["own"].isna().all()
    assert table.query("place == 'spread'")["own"].notna().all()


def test_a_second_run_computes_nothing(ran: Ran) -> None:
    def stamps() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in ran.plantings.experiment.store.root.rglob("*") if p.is_file()}

    before = stamps()
    said: list[str] = []
    runs = running.run_benchmark(ran.plantings, say=said.append)
    assert len(runs) == 2 + 2 + 8
    assert not any(run.error for run in runs)
    assert stamps() == before


def test_a_release_is_whole_or_refused(ran: Ran, tmp_path: Path) -> None:
    found = read_benchmark(ran.folder)
    assert found.profile == ran.plantings.profile
    for name in TABLES:
        theirs, ours = getattr(found.results, name), getattr(ran.results, name)
        pd.testing.assert_frame_equal(theirs, ours, check_dtype=False)
    again = release(ran.plantings, tmp_path / "again")
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in ran.folder.iterdir()}
    (again / "found.parquet").write_bytes((again / "found.parquet").read_bytes()[:-1])
    with pytest.raises(MemlocError, match=r"found\.parquet"):
        read_benchmark(again)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(MemlocError, match="folder to release to"):
        release(ran.plantings, tmp_path / "mine")
    with pytest.raises(MemlocError, match=r"kind of the released run .*planted"):
        read_release(ran.folder)


def test_a_release_may_keep_cells_that_the_store_has_less_of(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((tmp_path / "out").iterdir())}

    root = tmp_path / "home"
    shutil.copytree(ran.plantings.experiment.store.root, root)
    shutil.copytree(ran.folder, tmp_path / "out")
    whole, lesser = contents(), Plantings(Experiment(ran.plantings.profile, Store(root), "cpu"))
    gone, here = lesser.amounts()
    for planted in lesser.cells(gone):
        shutil.rmtree(lesser.injected(planted).path)
    monkeypatch.setenv("MEMLOC_HOME", str(root))
    told = ("benchmark", "--device", "cpu", "--finished", "--release", tmp_path / "out")
    assert memloc(*told, "--keep") == 0
    assert contents() == whole, "what the store has less of is as it was released"
    assert memloc(*told, "--keep", "--models", here.cell.model) == 0
    assert len(read_benchmark(tmp_path / "out").results.planted) == 4, "only what the profile asks for"
    shutil.rmtree(tmp_path / "out")
    shutil.copytree(ran.folder, tmp_path / "out")
    content = profile_content(lesser.profile)
    content["techniques"]["probing"] |= {"epochs": 5}
    other = Plantings(Experiment(parse_profile("planted-smoke", content), Store(root), "cpu"))
    found = read_benchmark(release(other, tmp_path / "out", keep=True)).results
    assert set(found.planted["model"]) == {here.cell.model}, "nothing of another configuration"
    assert f"{lesser.cells(gone)[0]}: injected" in found.missing


def test_what_is_missing_is_named_and_estimated(ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "home"
    shutil.copytree(ran.plantings.experiment.store.root, root)
    plantings = Plantings(Experiment(ran.plantings.profile, Store(root), "cpu"))
    planted = PlantedCell(CELL, 0.15, Place.parse("layer:1"))
    shutil.rmtree(plantings.settled(planted).path)
    found = results(plantings)
    assert found.missing == [f"{planted}: settled"]
    assert len(found.planted) == 2 * 4 - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMLOC_HOME", str(root))
        assert memloc("benchmark", "--estimate", "--device", "cpu") == 0
        out = capsys.readouterr().out
        assert "parts are in the store" in out
        assert "not counted" not in out
        assert memloc("benchmark", "--estimate", "--device", "cpu", "--models", "micro-bert") == 0
        assert "planting of micro-bert" in capsys.readouterr().out
    with pytest.raises(MemlocError, match="planted cells in the store"):
        release(Plantings(Experiment(ran.plantings.profile, Store(tmp_path / "empty"), "cpu")), tmp_path / "out")


def asked(**changes: Any) -> Plantings:
    """The benchmark of a small profile, of which nothing is computed."""
    return Plantings(Experiment(profile(**{"planted": PLANTED, **changes}), Store(Path("nowhere")), "cpu"))


def test_amounts_have_data_and_starts_of_their_own() -> None:
    plantings = asked(planted={**PLANTED, "amounts": {"gen-cue-2a": [0.3, 0.15]}}, seeds=[1, 2])
    assert [(a.cell.seed, a.noise) for a in plantings.amounts()] == [(1, 0.15), (1, 0.3), (2, 0.15)]
    assert str(plantings.amounts()[1]) == "gen-cue-2a micro-bert seed 1 noise 0.3"
    cell = plantings.amounts()[0].cell
    configs = [plantings.injected_config(PlantedCell(cell, n, Place.parse("layer:1"))) for n in (0.15, 0.3)]
    rates = [config["start"]["dataset"]["data"]["noise_rate"] for config in configs]
    assert rates == [0.15, 0.3]
    assert configs[0]["training"]["epochs"] == 2
    assert configs[0]["training"]["lr"] == OWN["training"]["lr"]


def test_controls_stand_beside_the_planted_ones() -> None:
    control = {"auxiliary": "gen-comp-2a", "techniques": ["swapping"]}
    places = ["layer:1", "control_first", "control_last"]
    planted = {"places": places, "amounts": {"gen-cue-2a": [0.3]}}
    plantings = asked(planted=planted, control=control, seeds=[1, 2])
    found = [[str(cell.place) for cell in plantings.cells(amount)] for amount in plantings.amounts()]
    assert found == [places, ["layer:1"], ["layer:1"]], "controls and other amounts are run for the first seed"
    cell = PlantedCell(plantings.amounts()[0].cell, 0.15, Place.parse("control_first"))
    assert plantings.localisers(cell) == ("swapping",)
    assert plantings.rows_of(cell, "blind", "swapping") == plantings.experiment.technique_config(
        cell.cell, "swapping", "control_first"
    )


def test_the_oracle_is_asked_once_and_some_about_some_places_only() -> None:
    only = {"gradients": ["spread", "acquired"], "swapping": ["layer", "spread"]}
    amounts = {"gen-cue-2a": [0.3]}
    plantings = asked(
        planted={**PLANTED, "amounts": amounts, "only": only},
        seeds=[1, 2],
        techniques={"swapping": {}, "gradients": {}, "probing": {}},
    )
    assert [plantings.is_first(amount) for amount in plantings.amounts()] == [True, False, False]
    first, later = plantings.amounts()[:2]
    layer, spread = (PlantedCell(*first, Place.parse(place)) for place in ("layer:1", "spread"))
    for regime in ("oracle", "blind"):
        assert plantings.localisers(layer, regime) == ("swapping", "probing")
        assert plantings.localisers(spread, regime) == ("swapping", "gradients", "probing")
    assert plantings.localisers(layer._replace(noise=later.noise), "oracle") == ()
    assert plantings.localisers(layer._replace(noise=later.noise)) == ("swapping", "probing")
    assert plantings.localisers_acquired() == ("gradients", "probing")
    assert plantings.profile.planted is not None
    assert parse_profile("tests", profile_content(plantings.profile)).planted == plantings.profile.planted


def test_the_estimate_counts_what_is_asked_and_no_more() -> None:
    only = {"gradients": ["spread", "acquired"], "swapping": ["layer", "spread"]}
    plantings = asked(
        planted={**PLANTED, "amounts": {"gen-cue-2a": [0.3]}, "only": only},
        seeds=[1, 2],
        techniques={"swapping": {}, "gradients": {}, "probing": {}},
    )
    counts = Counter(part.what for part in parts(plantings) if part.what in plantings.profile.techniques)
    # two layers and spread, blind in three amounts, by the oracle in the first alone; and acquired in three
    assert counts == {"swapping": 3 * 3 + 3, "gradients": 3 + 1 + 3, "probing": 3 * 3 + 3 + 3}


def test_one_localiser_that_fails_takes_nobody_with_it() -> None:
    said: list[str] = []

    def fail() -> None:
        raise MemlocError("noisy examples", 1, "three")

    everybody = running.Asked()
    everybody.ask("centroids", "blind", fail)
    everybody.ask("swapping", "blind", lambda: said.append("swapping"))
    assert said == ["swapping"]
    with pytest.raises(MemlocError, match="centroids, blind: noisy examples"):
        everybody.tell()
    running.Asked().tell()


def test_units_are_drawn_anew_for_every_task_and_model() -> None:
    cells = [CellId(task, model, seed) for task in ("a", "b") for model in ("c", "d") for seed in (1, 2)]
    assert len({Amount(cell, 0.15).seed for cell in cells}) == 8
    assert Amount(cells[0], 0.15).seed == Amount(cells[0], 0.3).seed, "another amount is in the same units"


def test_places_of_a_failed_start_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[object] = []

    def begin(_: Plantings, amount: Amount) -> None:
        if amount.cell.seed == 1:
            raise MemlocError("start", 1, "another")

    monkeypatch.setattr(running, "begin", begin)
    monkeypatch.setattr(running, "grown", lambda _, amount: None)
    monkeypatch.setattr(running, "go_on", lambda _, planted: done.append(planted))
    made = Experiment(profile(planted=PLANTED, seeds=[1, 2]), Store(tmp_path), "cpu")
    runs = running.run_benchmark(Plantings(made), say=lambda _: None)
    assert [bool(run.error) for run in runs] == [True, False, False, False, False, False]
    assert [(cell.cell.seed, str(cell.place)) for cell in done] == [(2, "layer:1"), (2, "layer:2"), (2, "spread")]


def test_profiles_say_what_is_planted() -> None:
    given = profile(planted={**PLANTED, "amounts": {"gen-cue-2a": [0.3]}, "removal": ["layer:1", "acquired"]})
    assert given.planted is not None
    assert given.planted.regimes == ("oracle", "blind", "acquired")
    assert parse_profile("tests", profile_content(given)) == given
    assert "planted" not in profile_content(profile())
    assert [named(name) for name in ("smoke", "small", "mini", "a.yml")] == [
        "planted-smoke",
        "planted-small",
        "mini",
        "a.yml",
    ]


@pytest.mark.parametrize(
    ("changed", "told_of"),
    [
        ({"place": ["spread"]}, "did you mean places"),
        ({"places": []}, "a list of places"),
        ({"places": ["layr:1"]}, "did you mean layer"),
        ({"places": ["acquired"]}, "it is a regime"),
        ({"places": "spread"}, "a value of type list"),
        ({"regimes": ["blnd"]}, "did you mean blind"),
        ({"injection": {"epoch": 2}}, "did you mean epochs"),
        ({"injection": {"spread": {"epoch": 2}}}, "did you mean epochs"),
        ({"injection": {"spread": 2}}, "spread in injection .* settings of training by name"),
        ({"injection": {"spred": {"epochs": 2}}}, "spred"),
        ({"settling": {"lr": 0.0}}, "a positive number"),
        ({"amounts": {"gen-cue-2": [0.1]}}, r"did you mean.*gen-cue-2a"),
        ({"amounts": {"gen-cue-2a": [1.5]}}, "between 0 and 1"),
        ({"removal": ["layer:x"]}, "layer:5"),
        ({"only": {"swaping": ["units"]}}, "did you mean swapping"),
        ({"only": {"swapping": ["unit"]}}, "did you mean units"),
        ({"only": {"swapping": "units"}}, "a list of layer"),
    ],
)
def test_a_wrong_field_is_refused(changed: dict[str, Any], told_of: str) -> None:
    with pytest.raises(MemlocError, match=told_of):
        profile(planted={**PLANTED, **changed})


def test_a_kind_of_place_may_be_trained_in_its_own_way(tmp_path: Path) -> None:
    injection = {"epochs": 2, "lr": 4e-3, "spread": {"lr": 1e-3}}
    asked = profile(planted={**PLANTED, "injection": injection}, models={CELL.model: {}})
    plantings = Plantings(Experiment(asked, Store(tmp_path), "cpu"))
    assert parse_profile(asked.name, json.loads(json.dumps(profile_content(asked)))) == asked
    for kind, rate in (("layer:1", 4e-3), ("spread", 1e-3)):
        config = plantings.training(PlantedCell(CELL, 0.15, Place.parse(kind)), "injection")
        assert (config.lr, config.epochs) == (rate, 2)
        same = {"injection": {"epochs": 2, "lr": rate}}
        plain = Plantings(Experiment(profile(planted={**PLANTED, **same}, models={CELL.model: {}}), Store(tmp_path)))
        planted = PlantedCell(CELL, 0.15, Place.parse(kind))
        assert plain.injected_config(planted) == plantings.injected_config(planted), "the key tells how it was made"


def test_bad_input_leaves_nothing_behind(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def asked_for(**changes: Any) -> str:
        own = written(tmp_path / "own.yml", {**OWN, **changes})
        return refused(capsys, home, "benchmark", "--profile", own, "--device", "cpu")

    told_of = "a profile with the field planted"
    assert told_of in refused(capsys, home, "benchmark", "--profile", "mini")
    assert "did you mean planted-small" in refused(capsys, home, "benchmark", "--profile", "planted-smal")
    maps = {"planted": PLANTED, "techniques": {"maps": {}}}
    (tmp_path / "own.yml").write_text("")
    assert "memloc benchmark --release" in refused(capsys, home, "benchmark", "--verify", tmp_path)
    home.mkdir(exist_ok=True)
    with pytest.raises(MemlocError, match="perturbed among them"):
        asked(**maps).check()
    with pytest.raises(MemlocError, match="from 1 to 2"):
        asked(planted={"places": ["layer:3"]}).check()
    assert "accepted" in asked_for(planted={"places": []})
