"""Sensitivity: a planted difference is seen, a profile does not differ from itself, and draws are the yardstick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from tiny import OWN, profile

from memloc.analysis.choices import ONCE, SINGLE, USUAL, choices
from memloc.analysis.draws import spread
from memloc.analysis.layers import attainable_range
from memloc.errors import MemlocError
from memloc.pipeline import Experiment
from memloc.publishing import figures_sensitivity as figures
from memloc.publishing import real, worked
from memloc.publishing import tabulate_sensitivity as tabulate
from memloc.publishing.reading_sensitivity import BASE, Sensitivity, open_sensitivity
from memloc.released import EXTRA, FILES, read_release
from memloc.releasing import put, release
from memloc.store import Store
from memloc.windows import windows

mpl.use("agg")

PLACES = [("gen-cue-2a", model) for model in ("micro-bert", "micro-opt")]
TECHNIQUES: dict[str, Any] = {"swapping": {}, "centroids": {}}
NAME = "tests"


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of two micro models on a generated task."""
    root = tmp_path_factory.mktemp("made")
    asked = profile(models={"micro-bert": {}, "micro-opt": {}}, techniques=TECHNIQUES)
    experiment = Experiment(asked, Store(root / "home"), "cpu")
    for cell in experiment.cells():
        experiment.run_cell(cell)
    return release(experiment, root / NAME)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty book, the folder of its results."""
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def plant(made: Path, book: Path, variant: str, change: dict[str, Any], forgets: float, memorised: bool = True) -> None:
    """A release in which layer 1 forgets this share of the noisy examples, and layer 2 the others.

    Args:
        variant: its name; empty for the profile itself.
        change: what it changes of the profile.
        memorised: whether wrong labels were learnt; all else is.
    """
    found = read_release(made)
    tables = {name: frame.copy() for name, frame in found.tables.items()}
    outcomes, traces = tables["outcomes.parquet"], tables["traces.parquet"]
    noisy = outcomes["group"] == "noisy"
    order = outcomes.groupby(["task", "model", "technique", "window_start", "window_length", "group"]).cumcount()
    share = order / outcomes[noisy].groupby(["task", "model", "window_start", "window_length"]).size().iloc[0]
    layer = np.where(share < forgets, 1, 2)
    last = outcomes["window_start"] + outcomes["window_length"] - 1
    kept = (layer < outcomes["window_start"]) | (layer > last)
    outcomes["correct"] = np.where(noisy, kept, True)
    accuracy = traces["metric"] == "accuracy"
    traces.loc[accuracy, "value"] = 1.0
    traces.loc[accuracy & (traces["group"] == "noisy"), "value"] = float(memorised)
    content = {part: {**found.manifest["profile"][part], **own} for part, own in change.items()}
    asked = json.loads(json.dumps({**found.manifest["profile"], **content}))
    name = f"{NAME}@{variant}" if variant else NAME
    put(book / name, {**found.manifest, "profile": asked, "profile_name": name}, tables, FILES | EXTRA)


SEED_2, SEED_3, NOISE = ({"data": {"seed": 2}}, {"data": {"seed": 3}}, {"data": {"noise_rate": 0.3}})


@pytest.fixture
def varied(made: Path, book: Path) -> Sensitivity:
    """Draws forget a little less or more by layer 1; with more noise memory is in layer 2."""
    plant(made, book, "", {}, 0.6)
    plant(made, book, "seed-2", SEED_2, 0.8)
    plant(made, book, "seed-3", SEED_3, 0.6)
    plant(made, book, "noise-0.3", NOISE, 0.0)
    found = open_sensitivity(NAME)
    assert found
    return found


def test_runs_say_what_they_changed_by_themselves(varied: Sensitivity) -> None:
    titles = ["as it is", "data seed 2", "data seed 3", "wrong labels 30 %"]
    assert [run.title for run in varied.runs.values()] == titles
    assert list(varied.runs) == [BASE, "seed-2", "seed-3", "noise-0.3"], "seeds first, by value"
    assert [run.title for run in varied.draws] == titles[:3]
    assert varied.counted == PLACES
    assert "memloc run --profile 'tests@*' && memloc results --profile 'tests@*' --release results" in varied.study.made


def cell(table: pd.DataFrame, column: str, **where: str) -> Any:
    """The one value of a column in the row of a table in which other columns have these values."""
    chosen = table[np.logical_and.reduce([table[name] == value for name, value in where.items()])]
    assert len(chosen) == 1
    return chosen[column].tolist()[0]


def test_a_planted_difference_is_larger_than_that_of_draws(varied: Sensitivity) -> None:
    for _, model in PLACES:
        assert cell(varied.changes, "change", variant="seed-3", model=model) == 0
        assert -0.3 < cell(varied.changes, "change", variant="seed-2", model=model) < 0, "more of it in layer 1"
        assert cell(varied.changes, "change", variant="noise-0.3", model=model) > 0.4
        assert cell(varied.changes, "beyond", variant="noise-0.3", model=model)
        assert not cell(varied.changes, "beyond", variant="seed-2", model=model)
    assert varied.spread
    depths = [varied.drawn(place) for place in PLACES]
    assert varied.spread.freedom == 4
    assert varied.spread.deviation == pytest.approx(np.sqrt(np.mean([np.var(of, ddof=1) for of in depths])))
    table = tabulate.variant_table(varied)
    bert = table["model"].tolist()[0]
    assert cell(table, "more than draws?", model=bert, variant="wrong labels 30 %") == "yes"
    assert cell(table, "more than draws?", model=bert, variant="data seed 2") == "no"
    assert cell(table, "change of depth", model=bert, variant="as it is") == tabulate.DASH
    assert cell(table, "depth, 0 to 1", model=bert, variant="wrong labels 30 %") == "1.00 [1.00, 1.00]"


def test_sentences_say_what_was_planted(varied: Sensitivity) -> None:
    told = tabulate.sensitivity_facts(varied)
    start = "Of 2 changes by other settings, 2 are larger than that: wrong labels 30 % (gen-cue"
    assert told["changes"].startswith(start)
    assert "about 0.1" in told["changes"]
    assert varied.spread
    assert (told["limit"], told["beyond"]) == (f"{varied.spread.limit:.2f}", "2 of 2")
    assert float(told["times"]) > 0
    assert "3 of 3 variants" in told["state"]
    assert told["memorised"].endswith("in 8 of 8 combinations of variant, task and model. Not memorised: none.")


def test_a_profile_does_not_differ_from_itself(made: Path, book: Path) -> None:
    plant(made, book, "", {}, 0.6)
    plant(made, book, "seed-2", SEED_2, 0.6)
    plant(made, book, "noise-0.3", NOISE, 0.6)
    found = open_sensitivity(NAME)
    assert found
    assert (found.changes["change"] == 0).all()
    assert not found.changes["beyond"].any()
    assert found.spread
    assert (found.spread.deviation, found.spread.limit) == (0, 0)
    drawn = figures.changes(found)
    assert "wrong labels 30 % 0.00" in drawn.alt


def test_what_was_not_memorised_is_said_and_compared_with_nothing(made: Path, book: Path) -> None:
    plant(made, book, "", {}, 0.6)
    plant(made, book, "seed-2", SEED_2, 0.6)
    plant(made, book, "noise-0.3", NOISE, 0.0, memorised=False)
    found = open_sensitivity(NAME)
    assert found
    noise = found.changes[found.changes["variant"] == "noise-0.3"]
    assert noise["change"].isna().all()
    assert not noise["beyond"].any()
    table = tabulate.variant_table(found)
    lost = table[table["variant"] == "wrong labels 30 %"]
    assert set(lost["status"]) == {"not memorised"}
    assert set(lost["wrong labels given back"]) == {"0.00"}
    told = tabulate.sensitivity_facts(found)
    assert "in 4 of 6 combinations" in told["memorised"]
    assert "wrong labels 30 % (gen-cue-2a" in told["memorised"]
    assert told["changes"] == "What differs by more than draws of the data do is not known."
    texts = [text.get_text().strip() for axes in figures.centres(found).figure.axes for text in axes.texts]
    assert texts == ["not memorised"] * 2


def test_without_a_profile_that_memorised_nothing_is_drawn(made: Path, book: Path) -> None:
    plant(made, book, "", {}, 0.6, memorised=False)
    plant(made, book, "seed-2", SEED_2, 0.6)
    found = open_sensitivity(NAME)
    assert found
    assert found.spread is None
    for draw in (figures.centres, figures.curves, figures.changes):
        assert draw(found).alt
    assert len(tabulate.draw_table(found)) == 1
    assert "not known" in tabulate.sensitivity_facts(found)["draws"]


def test_draws_beside_intervals(varied: Sensitivity) -> None:
    table = tabulate.draw_table(varied)
    assert len(table) == len(PLACES)
    first, of = table.iloc[0], [varied.runs[name].depth(PLACES[0]) for name in (BASE, "seed-2", "seed-3")]
    error = np.sqrt(np.mean([((one.high - one.low) / 3.92) ** 2 for one in of]))
    assert first["standard error over noisy examples"] == f"{error:.3f}"
    assert first["times"] == f"{np.std([one.value for one in of], ddof=1) / error:.1f}"
    assert "times as much as these intervals would expect" in tabulate.sensitivity_facts(varied)["interval"]


def test_figures_show_every_variant(varied: Sensitivity) -> None:
    drawn = figures.centres(varied)
    assert "30 %" in [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()][-1]
    assert "gen-cue-2a, " in drawn.alt
    curves = figures.curves(varied)
    assert "4 of them" in curves.alt
    legend = [text.get_text() for text in curves.figure.legends[0].get_texts()]
    assert legend == [run.title for run in varied.runs.values()]
    looks = [str(figures.look(varied, name)) for name in varied.runs]
    assert len(set(looks)) == len(looks), "no two lines look alike"
    changes = figures.changes(varied)
    assert varied.spread
    assert f"reaches {varied.spread.limit:.2f}" in changes.alt


def test_a_release_that_changed_several_settings_is_refused(made: Path, book: Path) -> None:
    plant(made, book, "", {}, 0.6)
    plant(made, book, "both", {"data": {"seed": 2, "cap": 30}}, 0.6)
    with pytest.raises(MemlocError, match=r"tests@both changed: \['data.seed', 'data.cap'\]; accepted: one"):
        open_sensitivity(NAME)


def test_training_and_techniques_count_as_changes_too(made: Path, book: Path) -> None:
    plant(made, book, "", {}, 0.6)
    slow = {model: {**OWN["training"], "lr": 1e-4, "seeds": [1]} for _, model in PLACES}
    plant(made, book, "lr-1e-4", {"models": slow}, 0.6)
    plant(made, book, "tokens", {"techniques": {"centroids": {"tokens": 99}}}, 0.6)
    found = open_sensitivity(NAME)
    assert found
    titles = [run.title for run in found.variants.values()]
    assert titles == ["learning rate 0.0001", "techniques.centroids.tokens 99"]


def test_a_book_without_the_run_says_so(book: Path, made: Path) -> None:
    assert open_sensitivity() is None
    told = tabulate.sensitivity_facts(None)
    assert told["state"] == tabulate.ABSENT
    assert told["draws"] == tabulate.NOTHING
    assert told["limit"] == tabulate.UNKNOWN
    real.show_figure(None, figures.changes, "fig-a", "caption")
    assert tabulate.window_facts(None)["windows"].startswith("No released run holds retraining")


def test_variants_that_are_not_released_are_named(made: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(made, book, "", {}, 0.6)
    (book / NAME).rename(book / "sensitivity")
    found = open_sensitivity("sensitivity")
    assert found
    assert len(found.missing) == 8
    told = tabulate.sensitivity_facts(found)["state"]
    assert "0 of 8 variants are in it. Not released: data-seed-2, " in told


def test_spread_by_hand() -> None:
    found = spread([(0.40, 0.44, 0.42), (0.60, 0.52, 0.56), (0.3,), (np.nan, 0.2)])
    assert found
    assert found.freedom == 4
    assert found.deviation == pytest.approx(0.001**0.5)
    assert found.limit == pytest.approx(2.776445 * 0.002**0.5, rel=1e-5)
    assert spread([(0.1,), ()]) is None
    with pytest.raises(MemlocError, match="level of the spread"):
        spread([], 1.0)
    shown, numbers = worked.three_draws()
    assert (numbers["squares"], numbers["limit"], numbers["change-1"]) == ("0.0040", "0.12", "+0.10")
    assert len(shown) == 2


def test_two_draws_lie_further_apart_than_the_limit_in_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(1)
    far = 0
    for _ in range(2000):
        found = spread(rng.normal(size=(4, 3)).tolist())
        assert found
        far += abs(rng.normal() - rng.normal()) > found.limit
    assert 0.03 < far / 2000 < 0.07


@pytest.mark.parametrize("layer", [1, 3, 4])
def test_choices_of_windows_by_hand(layer: int) -> None:
    order = windows(4)
    accuracy = np.array([0.0 if start <= layer < start + length else 1.0 for start, length in order])
    found = choices(accuracy, order, [1, 4])
    assert list(found) == [USUAL, ONCE, "lengths 1, 4", SINGLE]
    assert found[USUAL].bounds == attainable_range(order, 4)
    assert (found[SINGLE].mcog, found[SINGLE].bounds) == (layer, (1.0, 4.0))
    if layer in (1, 4):
        assert all(choice.depth == pytest.approx(float(layer == 4)) for choice in found.values())
    holds = [[start <= at < start + length for start, length in order] for at in range(1, 5)]
    weights = np.array([(1 - accuracy)[of].mean() for of in holds])
    assert found[ONCE].mcog == pytest.approx((weights * [1, 2, 3, 4]).sum() / weights.sum())


def test_the_table_of_windows_has_both_techniques(tmp_path: Path) -> None:
    from memloc.publishing.reading import ReleasedStudy, read_swapping

    retraining = {"lengths": [1], "lr": 1e-3, "epochs": 1, "batch_size": 16}
    experiment = Experiment(
        profile(techniques={"swapping": {}, "retraining": retraining}), Store(tmp_path / "h"), "cpu"
    )
    experiment.run_cell(experiment.cells()[0])
    found = read_release(release(experiment, tmp_path / NAME))
    traces = found.tables["traces.parquet"]
    traces.loc[traces["group"] == "noisy", "value"] = 1.0
    released = read_swapping(ReleasedStudy(found, "tests"), "retraining")
    table = tabulate.window_table(released)
    assert list(table["technique"]) == ["swapping", "retraining"]
    assert f"{SINGLE}: depth (M-CoG)" in table
    # of two layers the lengths 1 and 2 are all that there are
    assert list(tabulate.range_table(released)["windows"]) == [USUAL, ONCE, SINGLE]
    assert tabulate.window_facts(released)["windows"].startswith("Numbers of the run tests. Generated tasks")


def test_chosen_lengths_say_what_a_run_of_these_alone_would_say() -> None:
    order = windows(4)
    accuracy = np.linspace(0, 0.9, len(order))
    few = [n for n, (_, length) in enumerate(order) if length in (1, 4)]
    alone = choices(accuracy[few], [order[n] for n in few])
    assert choices(accuracy, order, [1, 4])["lengths 1, 4"] == alone[USUAL] != choices(accuracy, order)[USUAL]
