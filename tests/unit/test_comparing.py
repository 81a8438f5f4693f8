"""Two runs side by side: a run and itself differ in nothing, others as planted, and cells that failed are left out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from memloc.cli import main
from memloc.comparing.page import told
from memloc.comparing.sides import Side, partners, read_side, read_sides
from memloc.comparing.tables import Comparison, centre_table, event_table, order_table, verdict_table
from memloc.errors import MemlocError
from memloc.wording import DASH

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("trec", "sst2", "rte")


def side(name: str, weights: dict[str, list[float]], model: str = "bert-base-cased") -> Side:
    """Layer weights by task, with the M-CoG they give as its own depth."""
    rows = []
    for task, curve in weights.items():
        layers = np.arange(1, len(curve) + 1)
        centre = float((layers * curve).sum() / np.sum(curve))
        told = [("layer_weight", layer, w) for layer, w in zip(layers, curve, strict=True)]
        told += [("mcog", None, centre), ("mcog_relative", None, (centre - 1) / (len(curve) - 1))]
        rows += [(name, task, model, 1, "swapping", metric, layer, value, 9) for metric, layer, value in told]
    columns = ["run", "task", "model", "seed", "technique", "metric", "layer", "value", "n"]
    return Side(name, pd.DataFrame(rows, columns=columns).astype({"layer": "Float64"}), [])


def test_a_run_beside_itself_differs_in_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = read_side("techniques")
    of = Comparison(run, run)
    centres = centre_table(of)
    assert len(centres) > 4
    assert set(centres["depth, second less first"]) <= {"+0.00", DASH}
    assert set(centres["curves, rank correlation"]) == {"1.00"}
    assert set(order_table(of)["rank correlation"]) <= {"1.00", DASH}
    assert set(event_table(of)["second less first"]) <= {"+0.00", DASH}
    assert set(verdict_table(of)["changed"]) == {""}


def test_differences_are_those_that_were_planted() -> None:
    falling, rising = {task: [4.0 + i, 3, 2, 1] for i, task in enumerate(TASKS)}, [1.0, 2, 3, 4]
    of = Comparison(side("a", falling), side("b", {task: [1.0, 2, 3, 4 + i] for i, task in enumerate(TASKS)}))
    centres = centre_table(of)
    assert list(centres["task"]) == list(TASKS)
    assert set(centres["curves, rank correlation"]) == {"-1.00"}
    assert all(text.startswith("+") for text in centres["depth, second less first"])
    assert list(order_table(of)["rank correlation"]) == ["-1.00"], "deepest here, shallowest there"
    two = Comparison(side("a", falling), side("b", {"trec": rising, "wic": rising}))
    assert two.tasks == ["trec"]
    assert list(order_table(two)["rank correlation"]) == [DASH], "one task has no order"


def test_curves_of_other_depths_are_read_at_the_same_places() -> None:
    of = Comparison(side("a", {"trec": [1.0, 2, 3]}), side("b", {"trec": [1.0, 1.5, 2, 2.5, 3]}))
    assert list(centre_table(of)["curves, rank correlation"]) == ["1.00"]


def test_what_cannot_be_compared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = told(Comparison(read_side("techniques"), read_side("small")))
    assert "Of small without a partner, and left out: minilm-l6." in words
    assert "same rows of 4 cells" in words
    curves = {task: [4.0, 3, 2, 1] for task in TASKS}
    assert "same rows" not in told(Comparison(side("a", curves), side("b", curves)))


def test_generated_tasks_are_compared_and_judged_by_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = read_side("mini")
    of = Comparison(run, run)
    assert len(centre_table(of))
    assert set(verdict_table(of)[run.name]) == {"too little data"}


def test_models_are_held_beside_their_like() -> None:
    curve = {"trec": [1.0, 2]}
    assert partners(side("a", curve), side("b", curve)) == [("bert-base-cased", "bert-base-cased")]
    assert partners(side("a", curve, "minilm-l6"), side("b", curve)) == [("minilm-l6", "bert-base-cased")]
    assert partners(side("a", curve, "pythia-160m"), side("b", curve)) == []


def test_cells_that_did_not_memorise_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = read_side("small")
    training = found.rows[(found.rows["technique"] == "training") & (found.rows["metric"] == "accuracy_noisy")]
    assert (training["value"] >= 0.95).all()
    monkeypatch.setattr("memloc.comparing.sides.MEMORISED", 1.01)
    assert read_side("small").rows.empty
    assert len(read_side("small").left_out) == len(training) + len(found.left_out)


def test_names_that_are_no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(MemlocError, match="unknown run: 'nothing'"):
        read_side("nothing")
    for typo in ("NANO", "results/nanoo"):
        with pytest.raises(MemlocError, match="did you mean nano"):
            read_side(typo)
    with pytest.raises(MemlocError) as refused:
        read_side("xyz")
    assert "planted-smoke" not in str(refused.value), "no run of cells"
    assert read_side("paper").name == read_side("study").name


def test_runs_of_one_name_stay_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    shutil.copytree(ROOT / "results" / "techniques", tmp_path / "techniques")
    sides = read_sides("techniques", str(tmp_path / "techniques"))
    assert [side.name for side in sides] == ["techniques", str(tmp_path / "techniques")]
    assert {side.name for side in sides} < set(event_table(Comparison(*sides)))
    assert read_sides("techniques", "techniques")[1].name == "techniques again"


def test_what_does_not_happen_has_no_difference() -> None:
    def crossing(value: float) -> Side:
        row = ("a", "trec", "bert-base-cased", 1, "centroids", "crossing", None, value, 9)
        columns = ["run", "task", "model", "seed", "technique", "metric", "layer", "value", "n"]
        return Side(f"at {value}", pd.DataFrame([row], columns=columns).astype({"layer": "Float64"}), [])

    table = event_table(Comparison(crossing(0.0), crossing(4.0)))
    assert table[["at 0.0", "at 4.0", "second less first"]].iloc[0].tolist() == [
        *("before layer 1, or not at all", "4.00", DASH),
    ]
    assert event_table(Comparison(crossing(3.0), crossing(4.0)))["second less first"].tolist() == ["+1.00"]


def test_verdicts_are_also_of_what_both_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    binarised, nano = read_sides("binarised", "nano")
    table = verdict_table(Comparison(binarised, nano)).set_index("claim")
    assert (table["over what both have"].str.count(";") == 1).all()
    assert "over what both have" not in verdict_table(Comparison(nano, nano))


def test_the_command_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["compare", "techniques", "study", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "Models: e5-small-enpt with bert-base-cased." in told
    assert re.search(r"^C05 .*holds +one decides +too little data; ", told, re.MULTILINE)
    page = (tmp_path / "out" / "compare.html").read_text()
    assert page.count("<figure>") == 1, "one technique has curves of both"
    assert 'alt="Line charts, two lines a panel. trec' in page
    assert {path.name for path in (tmp_path / "out").glob("*.csv")} >= {"verdicts.csv", "order-of-tasks.csv"}
