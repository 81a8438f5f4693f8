"""Models of several sizes side by side: from releases whose truth is known to the page's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from released_world import run_of, write_release

from memloc.analysis.layers import layer_share
from memloc.analysis.orders import between_columns, mean_over_tasks
from memloc.analysis.study import told
from memloc.models import catalogue
from memloc.models.catalogue import ModelSpec, get_model
from memloc.publishing import figures_size, tabulate_size, worked
from memloc.publishing.reading import ReleasedStudy
from memloc.publishing.reading_scale import read_tasks
from memloc.publishing.reading_size import (
    LARGER,
    SAME_FAMILY,
    Sized,
    open_size,
    read_cost,
    read_size,
    study_centres,
    study_events,
)
from memloc.released import read_release

mpl.use("agg")

TASKS = ["gen-cue-2a", "gen-comp-2a", "gen-rel-2a", "gen-cue-6a"]
SHALLOW, DEEP, RANDOM = "own-4", "own-8", "tiny-bert"
LAYERS = {SHALLOW: 4, DEEP: 8}


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models of 4 and of 8 layers that count as pretrained: sizes are compared of models that have read."""
    monkeypatch.setattr(catalogue, "_registered", {})
    for name, layers in LAYERS.items():
        fields = {**get_model("tiny-bert").__dict__, "name": name, "title": name, "layers": layers}
        catalogue.register_model(ModelSpec(**fields | {"source": "folder", "location": name}))


def held(task: str, model: str) -> list[int]:
    """Wrong labels lie evenly over the first half of the layers, but of one task in the last; one is not memorised."""
    if (task, model) == ("gen-cue-6a", DEEP):
        return []
    last = get_model(model).layers
    return [last] * 4 if task == "gen-rel-2a" else list(range(1, last // 2 + 1))


def events(task: str, model: str) -> tuple[int, int]:
    place, last = TASKS.index(task.removesuffix("v2")), get_model(model).layers
    return min(last, place + 2), last - place


def study(root: Path, name: str, models: list[str], tasks: list[str] = TASKS, **changes: object) -> ReleasedStudy:
    folder = write_release(root / name, run_of(name, {t: {} for t in tasks}, models, **changes), held, events)
    return ReleasedStudy(read_release(folder), f"results/{name}")


@pytest.fixture
def sized(tmp_path: Path) -> Sized:
    """One run has the shallow model, without centroids; another both, one with random weights, and a variant."""
    both = study(tmp_path, "nano", [SHALLOW, DEEP, RANDOM], [*TASKS, "gen-cue-6av2"])
    return read_size({"small": study(tmp_path, "small", [SHALLOW], techniques={"swapping": {}}), "nano": both})


def test_a_model_is_taken_from_the_first_run_that_has_what_is_asked(sized: Sized) -> None:
    assert sized.models == [SHALLOW, DEEP], "from the fewest layers on; random weights are left out"
    assert "gen-cue-6av2" not in sized.tasks
    assert {model: sized.run_of(model) for model in sized.models} == {SHALLOW: "small", DEEP: "nano"}
    assert list(sized.centroids) == ["nano"]
    assert set(sized.centroids["nano"].study.profile.models) == {SHALLOW, DEEP}
    assert list(sized.studies) == ["small", "nano"]
    assert "results/small/" in sized.made("swapping")
    assert ("gen-cue-6a", DEEP) not in sized.places


def test_the_same_memory_has_one_share_and_two_depths(sized: Sized) -> None:
    shares, depths = sized.centres("share"), sized.centres("depth")
    assert shares.loc["gen-cue-2a", SHALLOW] == pytest.approx(shares.loc["gen-cue-2a", DEEP], abs=0.003)
    assert depths.loc["gen-cue-2a", DEEP] - depths.loc["gen-cue-2a", SHALLOW] > 0.04
    assert depths.loc["gen-rel-2a"].tolist() == pytest.approx([1, 1])
    assert np.isnan(shares.loc["gen-cue-6a", DEEP])
    row = tabulate_size.deeper_table(sized).iloc[0]
    assert row["models"] == "own-8 less own-4"
    assert row["deeper in"].endswith("of 3 tasks")
    assert float(row["the scale alone"]) == pytest.approx(
        depths.loc["gen-cue-2a", DEEP] - depths.loc["gen-cue-2a", SHALLOW], abs=6e-4
    )


def test_share_is_that_of_the_layers_below() -> None:
    assert float(layer_share(0.5, 7)) == 0
    assert float(layer_share(7.5, 7)) == 1
    assert figures_size.middles(4).tolist() == [0.125, 0.375, 0.625, 0.875]
    shown, numbers = worked.first_half()
    assert numbers["mcog-2"] == "1.33", "by hand: weights 1 and 1/2"
    assert shown["share of the layers below it"].astype(float).max() < 0.42
    depths = shown["depth"].astype(float).tolist()
    assert depths == sorted(depths)
    assert depths[-1] > 0.25


def test_events_are_shares_of_one_layer_more(sized: Sized) -> None:
    crossing = sized.events("crossing")
    assert crossing.loc["gen-comp-2a"].tolist() == pytest.approx([3 / 5, 3 / 9])
    assert np.isnan(crossing.loc["gen-cue-6a", DEEP])
    orders = sized.orders.set_index("measure")
    assert orders.loc["crossing", "value"] == pytest.approx(1)
    assert orders.loc["crossing", ["tasks", "arrangements"]].tolist() == [3, 6]
    assert set(tabulate_size.order_table(sized)["measure"]) == {"M-CoG", "crossing", "initiation"}
    assert len(tabulate_size.event_table(sized)) == 8


def test_tables_say_what_counts(sized: Sized) -> None:
    models = tabulate_size.models_table(sized).set_index("model")
    assert models.loc[DEEP, ["layers", "run", "tasks memorised"]].tolist() == ["8", "nano", "3 of 4"]
    assert models.loc["OPT 1.3B", "run"] == "not run here"
    centres = tabulate_size.centre_table(sized)
    assert centres[["task", "model"]].iloc[:2].to_numpy().tolist() == [["gen-cue-2a", SHALLOW], ["gen-cue-2a", DEEP]]
    missing = centres[(centres["task"] == "gen-cue-6a") & (centres["model"] == DEEP)].iloc[0]
    assert (missing["status"], missing["share of the layers below"]) == ("not memorised", "–")
    facts = tabulate_size.size_facts(sized)
    assert facts["counted"] == "7 of 8"
    assert facts["spread"].endswith("over 3 tasks")
    assert facts["least-p"] == "0.333", "of six orders one is the same and one reversed"


def test_figures_have_a_line_a_model_and_the_studys_stars(sized: Sized) -> None:
    weights = figures_size.weights_by_share(sized).figure.axes
    drawn = [line for line in weights[0].lines if len(line.get_xdata()) > 2]
    assert [len(line.get_xdata()) for line in drawn] == [4, 8]
    assert np.mean(drawn[0].get_ydata()) == pytest.approx(1)
    share, depth = figures_size.centres(sized).figure.axes
    marks = [line for line in depth.lines if line.get_marker() in "os" and len(line.get_xdata()) == 1]
    assert sorted(round(float(line.get_xdata()[0]), 2) for line in marks)[-2:] == [1.0, 1.0]
    assert [t.get_text() for t in share.get_yticklabels()] == sized.tasks
    titles = [panel.get_title() for panel in figures_size.events(sized).figure.axes]
    assert titles == [SHALLOW, DEEP]


def test_the_studys_numbers_give_back_what_it_printed() -> None:
    centres = study_centres("share")
    for model, printed in told("swapping mcog with opt-1.3b, spearman").values.items():
        assert float(between_columns(centres[[model, LARGER]])["value"].iloc[0]) == pytest.approx(printed, abs=0.03)
    crossing = between_columns(study_events("crossing"))["value"].iloc[0]
    assert crossing == pytest.approx(told("centroid events with opt-1.3b, spearman").values["crossing"], abs=0.06)
    assert (centres[LARGER] > centres[SAME_FAMILY]).all()
    assert "12 of 12 tasks above" in figures_size.study_sizes().alt
    assert len(tabulate_size.study_table()) == 6


def test_the_larger_model_is_calculated_from_what_the_study_ran() -> None:
    if not read_tasks()[0]:
        pytest.skip("this copy of the book has no sizes of tasks")
    calculated = read_cost([10.0, 20.0], 0.0)
    table = tabulate_size.cost_table(calculated).set_index("work")
    assert list(table.index) == ["training, two arms", "swapping", "centroids", "all"]
    slow, fast = (float(table.loc["all", c].replace(",", "")) for c in list(table)[:2])
    assert slow == pytest.approx(2 * fast, abs=0.2), "twice the speed, half the hours, where calls cost nothing"


def test_a_book_without_runs_shows_the_study_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    sized = open_size()
    assert sized.models == []
    assert figures_size.weights_by_share(sized).alt.endswith("nothing was run.")
    assert "only the study's two stars" in figures_size.centres(sized).alt
    assert "empty panel" in figures_size.events(sized).alt
    for table in (tabulate_size.centre_table, tabulate_size.order_table, tabulate_size.event_table):
        assert list(table(sized)) == ["nothing to show"]
    assert len(tabulate_size.deeper_table(sized)) == 1
    facts = tabulate_size.size_facts(sized)
    assert facts["state"].startswith("No released run")
    assert not re.search(r"\d", "".join(facts.values())), "a number would have no source"
    assert tabulate_size.cost_facts(read_cost([13.0], 0.3))["gpu-hours"] == "none"


def test_a_mean_over_few_tasks_has_no_interval() -> None:
    two = mean_over_tasks(pd.Series({"a": 1.0, "b": 3.0, "c": np.nan}))
    assert float(two.value) == 2
    assert np.isnan(two.low)
    many = mean_over_tasks(pd.Series({"a": 1.0, "b": 3.0, "c": 2.0}))
    assert 1 <= many.low < 2 < many.high <= 3
