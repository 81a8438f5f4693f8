"""Figures, tables and sentences of the chapters: from made-up runs whose truth is known, to what a reader is told."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from memloc.analysis.intervals import localise
from memloc.data.catalogue import get_task
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import Experiment
from memloc.publishing import (
    facts,
    figures,
    figures_swapping,
    figures_training,
    tabulate,
    tabulate_claims,
    tabulate_swapping,
    worked,
)
from memloc.publishing.reading import Study, Swapping, Training, open_study, read_swapping, read_training
from memloc.store import Store
from memloc.techniques.swapping import windows

mpl.use("agg")

TASKS, MODELS = ["gen-cue-2a", "gen-comp-2a"], ["tiny-bert", "tiny-opt"]
LAYERS = get_model("tiny-bert").layers
PLACES = [(task, model) for task in TASKS for model in MODELS]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two generated tasks and two random models; nothing is trained."""
    made = open_study("smoke", tasks=TASKS, models=MODELS)
    return Study(Experiment(made.experiment.profile, Store(tmp_path), "cpu"), made.command)


def outcomes(layer: int) -> pd.DataFrame:
    """Swapping of a model that remembers in one layer: a window that holds it forgets every noisy example."""
    rows = [
        (start, length, idx, group, group == "clean" or not start <= layer < start + length)
        for start, length in windows(LAYERS)
        for idx, group in ((0, "noisy"), (1, "noisy"), (2, "clean"))
    ]
    return pd.DataFrame(rows, columns=["window_start", "window_length", "idx", "group", "correct"])


def status(memorised: dict[tuple[str, str], bool], learnt: dict[tuple[str, str], bool]) -> pd.DataFrame:
    rows = [
        {"task": t, "model": m, "seed": 1, "epochs": 4, "noisy": 0.99 if memorised[t, m] else 0.5, "clean": 1.0}
        | {"validation": 0.7, "normal": 0.8, "majority": 0.5, "p_value": 0.001 if learnt[t, m] else 0.4}
        | {"memorised": memorised[t, m], "learnt": learnt[t, m]}
        for t, m in PLACES
    ]
    return pd.DataFrame(rows)


def swapping(study: Study, not_memorised: tuple[int, ...] = (), not_learnt: tuple[int, ...] = ()) -> Swapping:
    """Memory of the first place in layer 1, of the second in layer 2, and so on."""
    memorised = {place: i not in not_memorised for i, place in enumerate(PLACES)}
    learnt = {place: i not in not_learnt for i, place in enumerate(PLACES)}
    kept = [(i, place) for i, place in enumerate(PLACES) if memorised[place]]
    tables = {place: outcomes(i + 1) for i, place in kept}
    rows = [
        t.groupby(["window_start", "window_length", "group"], as_index=False)["correct"]
        .agg(value="mean")
        .assign(task=p[0], model=p[1], seed=1)
        for p, t in tables.items()
    ]
    found = {place: localise({1: table}, 50) for place, table in tables.items()}
    joined = pd.concat(rows) if rows else pd.DataFrame(columns=["task", "model", "seed", "group"])
    return Swapping(study, status(memorised, learnt), joined, found)


def panels(figure: mpl.figure.Figure) -> list[mpl.axes.Axes]:
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_heatmaps_show_every_place_or_say_why_not(study: Study) -> None:
    drawn = figures_swapping.heatmaps(swapping(study, not_memorised=(1,)))
    images = [panel.images[0].get_array() if panel.images else None for panel in panels(drawn.figure)]
    assert [image is None for image in images] == [False, True, False, False]
    assert images[0] is not None
    assert images[0][0].tolist() == [1.0] + [0.0] * (LAYERS - 1), "window length 1 is the first row, layer 1 first"
    assert panels(drawn.figure)[0].images[0].origin == "lower"
    assert "not\nmemorised" in [text.get_text() for text in panels(drawn.figure)[1].texts]
    assert "not memorised: 1 of the panels" in drawn.alt
    assert "with all layers, the error is 1.00. " in drawn.alt, "one number where both ends are the same"


def test_weight_curves_draw_both_curves_and_mark_what_was_not_learnt(study: Study) -> None:
    drawn = figures_swapping.weight_curves(swapping(study, not_learnt=(2,)))
    first = panels(drawn.figure)[0]
    single = next(line for line in first.lines if line.get_linestyle() == "--")
    assert single.get_xdata().tolist() == list(range(1, LAYERS + 1)), "layers are counted from 1"
    assert single.get_ydata().tolist() == [1.0] + [0.0] * (LAYERS - 1)
    marks = [panel.get_title(loc="right") for panel in panels(drawn.figure)]
    assert marks == ["", "", "not learnt", ""]
    assert "peaks at layers 1 to 4" in drawn.alt


def test_centres_sit_at_the_ends_of_the_attainable_range(study: Study) -> None:
    data = swapping(study)
    drawn = figures_swapping.centres(data)
    low, _ = data.places[PLACES[0]].bounds
    (panel,) = panels(drawn.figure)
    dots = [float(line.get_xdata()[0]) for line in panel.lines if len(line.get_xdata()) == 1]
    assert min(dots) == pytest.approx(low), "memory in layer 1 gives the lower end"
    assert f"{low:.2f} (gen-cue-2a, BERT (tiny))" in drawn.alt


@pytest.mark.parametrize("draw", [figures_swapping.heatmaps, figures_swapping.weight_curves, figures_swapping.centres])
def test_nothing_memorised_is_drawn_and_told(study: Study, draw: object) -> None:
    drawn = draw(swapping(study, not_memorised=(0, 1, 2, 3)))  # type: ignore[operator]
    assert drawn.alt
    assert "nan" not in drawn.alt


def test_facts_count_only_what_was_memorised_and_learnt(study: Study) -> None:
    all_of_it = facts.swapping_facts(swapping(study))
    assert all_of_it["counted"] == "4"
    assert all_of_it["lowest"].endswith("(gen-cue-2a, BERT (tiny))")
    assert all_of_it["single"].startswith("1.00")
    assert all_of_it["half"] == "4"
    assert int(all_of_it["below"]) + int(all_of_it["above"]) + int(all_of_it["open"]) == 4
    some = facts.swapping_facts(swapping(study, not_memorised=(1,), not_learnt=(0,)))
    assert (some["places"], some["measured"], some["counted"]) == ("4", "3", "2")
    assert "cannot be told" in some["spread"], "no two tasks count for both models"
    none = facts.swapping_facts(swapping(study, not_learnt=(0, 1, 2, 3)))
    assert (none["counted"], none["lowest"], none["half"]) == ("0", "none", "0")


def test_spreads_compare_tasks_and_models(study: Study) -> None:
    data = swapping(study)
    depth = [(data.places[p].mcog.value - data.places[p].bounds[0]) / np.ptp(data.places[p].bounds) for p in PLACES]
    told = facts.swapping_facts(data)["spread"]
    assert f"tasks differ by {(depth[2] + depth[3] - depth[0] - depth[1]) / 2:.2f} (" in told
    assert f"models by {(depth[1] + depth[3] - depth[0] - depth[2]) / 2:.2f} (" in told


def test_swapping_table_leaves_out_what_was_not_memorised(study: Study) -> None:
    table = tabulate_swapping.swapping_table(swapping(study, not_memorised=(1,), not_learnt=(2,)))
    assert table["status"].tolist() == ["", "not memorised", "not learnt", ""]
    assert table.loc[1, "M-CoG [95 %]"] == ""
    assert table.loc[0, "most forgotten by one layer"] == "1.00 (layer 1)"
    assert table.loc[0, "shortest window that forgets 90 %"] == "1"


def traces() -> pd.DataFrame:
    rows = [
        (epoch, split, group, "accuracy", value * epoch / 4, 20, arm, task, model, 1)
        for task, model in PLACES
        for arm in ("perturbed", "normal", "frozen")
        for split, group, value in (("train", "noisy", 0.8), ("train", "clean", 1.0), ("validation", "all", 0.7))
        for epoch in range(1, 5)
    ]
    return pd.DataFrame(
        rows, columns=["epoch", "split", "group", "metric", "value", "n", "arm", "task", "model", "seed"]
    )


def test_training_curves(study: Study) -> None:
    known = dict.fromkeys(PLACES, True)
    training = Training(study, traces(), status(known, known | {PLACES[0]: False}))
    memory = figures_training.memorisation_curves(training)
    noisy = next(line for line in panels(memory.figure)[0].lines if line.get_label() == "noisy, perturbed arm")
    assert noisy.get_ydata().tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert "in 4 of 4 runs" in memory.alt
    assert "below that of the clean examples in 4 runs" in memory.alt
    assert "between 0.80 and 0.80" in memory.alt
    validation = figures_training.validation_curves(training)
    assert "Not learnt in at least one run: gen-cue-2a." in validation.alt
    told = facts.training_facts(training)
    assert (told["cells"], told["learnt"], told["both"], told["cost"]) == ("4", "3", "3", "10.0")
    assert told["not-learnt-tasks"] == "gen-cue-2a"
    assert tabulate.status_table(training)["task learnt?"].tolist() == ["not learnt", *["learnt"] * 3]


def test_noisy_pairs_and_their_check_come_from_the_data(study: Study) -> None:
    data = study.experiment.dataset(TASKS[0])
    drawn = figures.noisy_pairs(study)
    matrix = np.asarray(drawn.figure.axes[0].images[0].get_array().filled(-1))
    assert np.diag(matrix).tolist() == [-1, -1], "the diagonal is empty"
    assert matrix[~np.eye(2, dtype=bool)].sum() == (data.train["group"] == "noisy").sum()
    table = tabulate.perturbation_table(study)
    assert (table["noisy by the rule"] == table["noisy in the data"]).all()
    assert not table.iloc[:, -3:].to_numpy().any()
    index = tabulate.index_table(study)
    assert list(index.columns) == ["idx", "label", "given", "group"], "no texts"
    assert set(index["group"]) == {"clean", "noisy"}


def test_texts_with_a_warning_are_masked(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    warned = dataclasses.replace(get_task(TASKS[0]), warning="contains rude words")
    monkeypatch.setattr(tabulate, "get_task", lambda name: warned if name == TASKS[0] else get_task(name))
    masked = tabulate.example_table(study)
    hidden = masked["text"] == "[not shown: contains rude words]"
    assert hidden.tolist() == (masked["task"] == TASKS[0]).tolist()
    assert "rude" not in " ".join(tabulate.example_table(study, show_warned=True)["text"])


def test_generated_tasks_and_random_models_are_labelled(study: Study) -> None:
    assert study.origin == "Generated tasks; models with random initial weights."
    assert "generated" in study.mark
    assert not study.evidence
    assert study.made("made-x").startswith("**Generated tasks")
    real = open_study("small")
    assert (real.mark, real.evidence) == ("", True)
    assert real.origin == "Real tasks (source: files); pre-trained models."


def test_command_says_what_was_changed() -> None:
    assert open_study("small").command == "memloc run --profile small"
    changed = open_study("small", "hub", "trec, rte", ["minilm-l6"], [2])
    assert changed.command == "memloc run --profile small --source hub --tasks trec,rte --models minilm-l6 --seeds 2"
    assert changed.experiment.profile.tasks == ("trec", "rte")
    with pytest.raises(MemlocError, match="did you mean trec"):
        open_study("small", tasks="trecc")


def test_real_tasks_are_listed_with_licence_and_warning() -> None:
    table = tabulate.real_task_table()
    assert len(table) == 12
    assert table["licence"].str.len().min() > 0
    assert table.set_index("task").loc["stormfront", "warning"]


def test_worked_examples() -> None:
    counts, noisy = worked.perturbed_fruit(0.15)
    assert counts["noisy"].tolist() == [2, 3, 1]
    assert (noisy["label"] != noisy["given"]).all()
    _, weights, numbers = worked.three_layers()
    assert weights.iloc[1, 2] == "0.850" == f"{float(numbers['middle']):.3f}"
    assert numbers["mcog"] == f"{(0.6333 + 2 * 0.8167 + 3 * 0.7) / 2.15:.2f}"


def test_one_cell_from_the_store_to_words(tmp_path: Path) -> None:
    small = open_study("smoke", tasks="gen-cue-2a", models="micro-bert", device="cpu")
    study = Study(Experiment(small.experiment.profile, Store(tmp_path), "cpu"), small.command)
    found, training = read_swapping(study), read_training(study)
    assert set(training.traces["arm"]) == {"perturbed", "normal", "frozen"}
    assert found.status.equals(training.status)
    assert len(found.rows) == 2 * 3, "three windows, noisy and clean"
    claims = tabulate_claims.claims_tables(tabulate_claims.about("swapping"), found)[1]
    assert set(claims["verdict, this copy"]) == {"cannot tell"}, "generated tasks are no evidence on language"
    keys = tabulate.made_table(study)
    assert keys.loc[0, "swapping"] in {path.name for path in tmp_path.rglob("rows/*")}


def test_tables_escape_texts_and_leave_gaps_empty() -> None:
    html = tabulate.show_table(pd.DataFrame({"a": ["<b>", "x" * 99], "n": [float("nan"), 1.0]})).data
    assert "&lt;b&gt;" in html
    assert "nan" not in html.lower()
    assert f'<div class="memloc-text">{"x" * 99}</div>' in html


CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "notebooks" / "chapters").glob("*.py"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_hold_no_logic(path: Path) -> None:
    cells = re.split(r"^# %%(.*)\n", path.read_text(), flags=re.M)[1:]
    code = [body.strip() for head, body in zip(cells[::2], cells[1::2], strict=True) if "[markdown]" not in head]
    assert len(code) <= 12
    for cell in code:
        assert len(cell.splitlines()) <= 12, cell
        assert not re.search(r"^\s*(def|class|for|while|if|try|with)\b", cell, flags=re.M), cell
    named = [body for head, body in zip(cells[::2], cells[1::2], strict=True) if '"parameters"' in head]
    names = re.findall(r"^(\w+) = ", "".join(named), flags=re.M)
    if "open_study(" in path.read_text():
        assert names[:6] == ["profile", "source", "tasks", "models", "seeds", "device"]
    assert len(named) <= 1  # a chapter that opens no study has nothing to narrow, and maybe no parameters
