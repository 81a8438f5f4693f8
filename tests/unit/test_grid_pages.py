"""The page of the whole grid, and the control in parts: from releases and answers whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from released_world import run_of, write_release
from test_answers import answers
from test_control_pages import known
from test_summary import control_numbers
from test_weights import layer_rows

from memloc.analysis.answers import Answers, cell_answers
from memloc.analysis.study import published_agreement
from memloc.arms import SETTINGS, target_layers
from memloc.pipeline import CellId
from memloc.publishing import (
    facts_grid,
    facts_techniques,
    figures_beside,
    figures_centroids,
    figures_control_parts,
    figures_grid,
    numbers,
    real,
    tabulate_control,
    tabulate_grid,
)
from memloc.publishing.reading import ReleasedStudy
from memloc.publishing.reading_grid import Whole, read_grid
from memloc.publishing.style import sort_tasks
from memloc.released import read_release

mpl.use("agg")

CHAPTERS = Path(__file__).resolve().parents[2] / "notebooks" / "chapters"
TASKS = ["wic", "rte", "mrpc", "cola", "sst2", "emotion", "trec"]
MODELS = ["nano-bert", "nano-opt"]
COUNTS = {"C": 5, "H": 2, "L": 4, "R": 4, "M": 2, "E": 2, "X": 1, "P": 1, "T": 1, "B": 2, "S": 1}
FIGURES = [f"{letter}{n}" for letter, last in COUNTS.items() for n in range(1, last + 1)] + ["MM"]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def held(task: str, model: str) -> list[int]:
    """BERT has the n-th task in layer n. OPT has all of them in four layers, and does not memorise TREC."""
    if model == "nano-bert":
        return [TASKS.index(task) + 1] * 4
    return [] if task == "trec" else [1, 4, 8, 12]


@pytest.fixture
def grid(tmp_path: Path) -> Whole:
    folder = write_release(
        tmp_path / "nano",
        run_of("nano", {t: {} for t in TASKS}, MODELS, source="files"),
        held,
        lambda *_: (4, 6),
        ("wic",),
    )
    return read_grid(ReleasedStudy(read_release(folder), "results/nano"))


def marks(panel: Any) -> list[Any]:
    return [line for line in panel.lines if line.get_linestyle() == "None" and len(line.get_xdata())]


def test_one_layers_swap_forgets_what_sits_in_it(grid: Whole) -> None:
    assert grid.swapping is not None
    found = figures_grid.largest_of_one(grid.swapping)
    assert {place[1]: error for place, error in found.items()} == {"nano-bert": 1.0, "nano-opt": 0.25}
    assert len(found) == 13
    drawn = figures_grid.single_layers(grid.swapping)
    (panel,) = drawn.figure.axes
    assert sorted({float(mark.get_xdata()[0]) for mark in marks(panel)}) == [0.25, 1.0]
    assert sum(mark.get_markerfacecolor() == "none" for mark in marks(panel)) == 2, "WiC was not learnt"
    assert drawn.alt.count("(BERT (nano))") == 7
    assert "(OPT (nano))" not in drawn.alt


def test_depth_is_the_mean_over_models_with_their_range(grid: Whole) -> None:
    assert grid.beside is not None
    assert figures_grid.depths_of(grid.beside, "wic", "swapping")[0] == pytest.approx(0), "wholly in layer 1"
    panel = figures_grid.depths_by_technique(grid.beside).figure.axes[0]
    wic = figures_grid.depths_of(grid.beside, "wic", "swapping")
    line = next(line for line in panel.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2)
    assert list(line.get_xdata()) == pytest.approx([min(wic), max(wic)])
    assert float(marks(panel)[0].get_xdata()[0]) == pytest.approx(np.mean(wic))
    assert len(marks(panel)) == len(TASKS)


def test_layer_weights_by_group_of_tasks(grid: Whole) -> None:
    assert grid.beside is not None
    drawn = figures_grid.weights_by_group(grid.beside)
    names = [panel.get_title() for panel in drawn.figure.axes if panel.get_title()]
    assert names == ["NLU", "sentiment", "topic"]
    nlu, _, topic = drawn.figure.axes[:3]
    (line,) = (line for line in topic.lines if len(line.get_xdata()))
    peak = int(np.argmax(line.get_ydata()))
    assert (peak + 1, float(np.sum(line.get_ydata()))) == (7, pytest.approx(1)), "BERT has TREC in layer 7; OPT nowhere"
    lines = [line for line in nlu.lines if len(line.get_xdata())]
    assert len(lines) == 2
    assert {line.get_linewidth() for line in lines} == {1.3}, "WiC was not learnt, but others of the group were"


def test_models_are_compared_within_techniques(grid: Whole) -> None:
    """Six tasks of which BERT has each in a layer of its own, and OPT all in the same: nothing to order."""
    assert grid.beside is not None
    table = figures_beside.agreements(grid.beside, "models", "swapping")
    everything = figures_beside.agreements(grid.beside, "models")
    assert table.keys() == everything.keys()
    assert all((table[title]["n"] <= everything[title]["n"]).all() for title in table)
    assert set(figures_beside.agreements(grid.beside, "models", "slimming")) == set()


def test_models_stand_beside_the_studys_of_their_architecture(grid: Whole) -> None:
    assert grid.beside is not None
    drawn = figures_beside.agreement_of_models(grid.beside)
    texts = {text.get_text() for text in drawn.figure.axes[0].texts}
    study = published_agreement("models", "mcog")[frozenset(("bert-base-cased", "opt-125m"))]
    assert f"{study:.2f}" in texts
    assert any(text.endswith("n = 5") for text in texts), "seven tasks, one not learnt and one not memorised"


def test_many_tasks_are_told_apart_by_marks(grid: Whole) -> None:
    assert grid.centroids is not None
    drawn = figures_centroids.event_scatter(grid.centroids)
    first, second = drawn.figure.axes[:2]
    assert (len(marks(first)), len(marks(second))) == (7, 6)
    assert len({float(mark.get_xdata()[0]) for mark in marks(first)}) == 7, "side by side"
    assert np.mean([mark.get_xdata()[0] for mark in marks(first)]) == pytest.approx(4), "around the crossing"
    assert not first.texts


def test_what_is_wrong_from_layer_1_on_comes_neither_first_nor_last(tmp_path: Path) -> None:
    """Three tasks cross at layer 4, before classes at 6; one is below one half all along; one never separates."""
    events = {"wic": (1, 6), "rte": (4, 99)}
    run = run_of("nano", {task: {} for task in TASKS[:5]}, ["nano-bert"], source="files")
    folder = write_release(tmp_path / "nano", run, held, lambda task, _: events.get(task, (4, 6)))
    centroids = read_grid(ReleasedStudy(read_release(folder), "results/nano")).centroids
    assert centroids is not None
    facts = facts_techniques.event_facts(centroids)
    told = {name: facts[f"event-{name}"] for name in ("known", "before", "first", "same", "last")}
    assert told == {"known": "3", "before": "1", "first": "3", "same": "0", "last": "0"}
    assert (facts["event-span"], facts["class-span"]) == ("4.0", "6.0")
    alt = figures_centroids.event_scatter(centroids).alt
    assert "comes first in 3 and last in 0. On the wrong side from layer 1 on, without an event: 1." in alt


def test_what_the_page_says_in_numbers(grid: Whole) -> None:
    facts = facts_grid.grid_facts(grid)
    assert (facts["places"], facts["measured"], facts["counted"]) == ("14", "13", "11")
    assert facts["largest"] == "0.25 to 1.00"
    assert facts["over"].count("BERT") == 7
    assert (facts["events-first"], facts["events-known"], facts["probes-first"]) == ("11", "11", "none")
    depth = {place: of["swapping"].relative for place, of in grid.beside.places.items()} if grid.beside else {}
    bert = [value for (_, model), value in depth.items() if model == "nano-bert"]
    pairs = [abs(first - second) for first, second in combinations(bert, 2)]
    same = len(list(combinations(range(6), 2)))  # of OPT, which has six tasks alike
    assert facts["tasks-apart"] == f"{sum(pairs) / (len(pairs) + same):.2f}"
    both = [abs(depth[task, "nano-bert"] - depth[task, "nano-opt"]) for task in TASKS if task != "trec"]
    assert facts["models-apart"] == f"{np.mean(both):.2f}"
    without = facts_grid.grid_facts(Whole())
    assert set(facts) == set(without), "a copy without the run has the same names"
    for name, value in without.items():
        numbers.check(name, value, traced=False)


def test_how_many_examples_a_pair_of_classes_has(grid: Whole) -> None:
    assert grid.centroids is not None
    table = tabulate_grid.rows_table(grid.centroids).set_index("task")
    assert table.index.tolist() == sort_tasks(TASKS)
    trec = table.loc["trec"]
    assert trec[["training rows", "noisy", "classes", "ordered pairs", "noisy a pair"]].tolist() == [
        *("40", "4", "6", "30"),
        "0.1",
    ]
    assert table.loc["rte", "noisy in pairs that count"] == "4"


def test_every_figure_of_the_study_has_its_place_on_the_page() -> None:
    rows = [line for line in (CHAPTERS / "09f_grid.py").read_text().splitlines() if line.startswith("# | ")]
    named = (
        " ".join(row.split("|")[1] for row in rows)
        .replace("L1 to L4", "L1 L2 L3 L4")
        .replace("R1 to R4", "R1 R2 R3 R4")
    )
    assert set(FIGURES) <= set(named.replace(",", " ").replace(":", " ").split())


def test_accuracy_by_task_and_by_model() -> None:
    found = figures_control_parts.accuracy_by(known(), "model")
    assert found == {"minilm-l6": {"swapping": 1.0, "probing": pytest.approx(1 / 3)}}
    drawn = figures_control_parts.by_task_and_model(known())
    upper, lower = drawn.figure.axes
    assert [tick.get_text() for tick in upper.get_yticklabels()] == ["trec"]
    assert [tick.get_text() for tick in lower.get_yticklabels()] == ["MiniLM (6 layers)"]
    dotted = [line for line in upper.lines if line.get_linestyle() == ":"]
    assert float(dotted[0].get_xdata()[0]) == pytest.approx(1 / 3)
    empty = figures_control_parts.by_task_and_model(known(noisy=0.5))
    assert "Nothing counts" in empty.alt


def test_an_answer_by_another_rule_is_read_from_the_same_rows() -> None:
    """Against the frozen arm the pull is strongest at the place, without it in layer 6."""
    numbers = control_numbers(dict.fromkeys(SETTINGS, 0.5))
    metric = "logit_l1_difference"

    def rows(cell: CellId, technique: str, setting: str = "main") -> Any:
        frozen = [10.0 if layer == 6 else 1.0 for layer in range(1, 7)]
        pull = [(3.0 if layer in target_layers(setting, 6) else 1.0) * less for layer, less in enumerate(frozen, 1)]
        return layer_rows("gradients", {(setting, metric): pull, ("frozen", metric): frozen}).assign(run_key="")

    numbers.rows = rows
    cell = numbers.cells()[0]
    found = {v: cell_answers(numbers, cell, "gradients", v) for v in (None, f"{metric}_none")}  # type: ignore[arg-type]
    assert [score.at_1 for of in found.values() if (score := of.score)] == pytest.approx([1.0, 1 / 3])


def test_a_rule_is_scored_on_the_development_pair_and_apart_from_it() -> None:
    right, wrong = answers((1, 3, 5)), answers((6, 6, 6))
    other = Answers(CellId("sst2", "minilm-l6", 1), "gradients", right.weights, right.noisy)
    told = known()
    told.__dict__["by_rule"] = {
        ("gradients", "logit_l1_difference_frozen"): [right, other],
        ("gradients", "logit_l1_difference_none"): [wrong],
    }
    table = tabulate_control.gradient_rules(told).set_index("rule")
    first = table.loc["logit l1 difference frozen"]
    assert (first["development pair: @1"], first["other tasks: @1"], first["other tasks: runs"]) == (
        "1.00",
        "1.00",
        "3",
    )
    second = table.loc["logit l1 difference none"]
    assert (second["development pair: @1"], second["other tasks: @1"], second["other tasks: runs"]) == (
        "0.33",
        "–",
        "0",
    )
    drawn = figures_control_parts.rule_curves(told)
    peaks = [[int(np.argmax(line.get_ydata())) + 1 for line in panel.lines] for panel in drawn.figure.axes]
    assert peaks == [[1, 6], [3, 6], [5, 6]]
    assert "first: 1 to 6" in drawn.alt
    assert tabulate_control.gradient_rules(known(noisy=0.5))["rules"].tolist() == ["nothing counts"]
    assert real.show_tables(None, tabulate_control.gradient_rules) is None


def test_what_probes_are_asked_decides_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks, one with a rare class; the second question is right everywhere."""
    right, wrong = answers((1, 3, 5)), answers((6, 6, 6))
    other = {
        name: Answers(CellId("sst2", "minilm-l6", 1), "probing", of.weights, of.noisy)
        for name, of in (("right", right), ("wrong", wrong))
    }
    counts = pd.DataFrame(
        [("trec", "train", 0, 900), ("trec", "train", 1, 100), ("sst2", "train", 0, 50), ("sst2", "train", 1, 50)],
        columns=["task", "split", "label", "rows"],
    )
    monkeypatch.setattr(tabulate_control, "read_counts", lambda: counts)
    last = {"control_first": 0.2, "control_middle": 0.4, "control_last": 0.6}

    def rows(cell: CellId, technique: str, setting: str) -> pd.DataFrame:
        return layer_rows(technique, {(setting, "f1_noise"): [0.0, 1.0, last[setting]]}, first=0)

    profile = SimpleNamespace(name="mine", data_of=lambda task: SimpleNamespace(noise_rate=0.1))
    told = replace(known(), study=SimpleNamespace(profile=profile, numbers=SimpleNamespace(rows=rows)))  # type: ignore[arg-type]
    told.__dict__["by_rule"] = {
        ("probing", "rise_of_means"): [right, other["wrong"]],
        ("probing", "rise_of_given"): [right, other["right"]],
    }
    frame = tabulate_control.asked_by_task(told).set_index("task")
    assert frame["runs"].tolist() == [3, 3]
    assert frame.loc["trec", "alone"] == pytest.approx(2 * 90 / (2 * 90 + 90 + 10))
    assert frame.loc["sst2", "alone"] == pytest.approx(0.2 / 1.1)
    assert frame["last"].tolist() == pytest.approx([0.4, 0.4])
    assert frame.loc["trec", ["rise_of_means", "rise_of_given"]].tolist() == pytest.approx([1, 1])
    assert frame.loc["sst2", ["rise_of_means", "rise_of_given"]].tolist() == pytest.approx([1 / 3, 1])
    facts = tabulate_control.asked_facts(told)
    assert {name: facts[name] for name in ("runs", "tasks", "noise", "given")} == {
        "runs": "6",
        "tasks": "2",
        "noise": "0.67",
        "given": "1.00",
    }
    assert tabulate_control.asked_table(told).shape == (2, 6)
    for nothing in (None, known(noisy=0.5)):
        assert set(tabulate_control.asked_facts(nothing).values()) == {"none"}
    monkeypatch.setattr(tabulate_control, "read_counts", lambda: counts[:0])
    assert tabulate_control.asked_table(told)["F1 of noisy by the given label alone"].tolist() == ["–", "–"]
