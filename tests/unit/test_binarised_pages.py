"""Tasks beside their variants of two classes: from a release whose truth is known to the page's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from released_world import run_of, write_release

from memloc.errors import MemlocError
from memloc.publishing import figures_binarised, tabulate_binarised, worked
from memloc.publishing.reading import ReleasedStudy
from memloc.publishing.reading_binarised import CENTRE, Binarised, open_binarised, read_binarised
from memloc.publishing.tabulate_claims import tables_of
from memloc.released import read_release

mpl.use("agg")

BASES = ["gen-cue-6a", "gen-cue-6b", "gen-comp-6a", "gen-rel-6a"]
MODELS = ["tiny-bert", "tiny-opt"]
LAST = 6


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def held(task: str, model: str) -> list[int]:
    """BERT: the n-th task in layer n + 1, whatever its classes. OPT: the same, but in reverse with two classes."""
    place = BASES.index(task.removesuffix("v2"))
    if model == "tiny-opt" and task.endswith("v2"):
        place = len(BASES) - 1 - place
    if (task, model) == ("gen-rel-6av2", "tiny-bert"):
        return []
    return [place + 1] * 4


def events(task: str, model: str) -> tuple[int, int]:
    """With two classes noisy examples cross a layer later, and classes are apart two layers earlier."""
    place = BASES.index(task.removesuffix("v2"))
    return (place + 2, 3) if task.endswith("v2") else (place + 1, 5)


def written(root: Path, tasks: list[str] | None = None, **changes: Any) -> ReleasedStudy:
    chosen = {name: ({"cap": 20} if name.endswith("v2") else {}) for base in BASES for name in (base, f"{base}v2")}
    given = chosen if tasks is None else {name: {} for name in tasks}
    folder = write_release(
        root / "binarised", run_of("binarised", given, MODELS, **changes), held, events, ("gen-cue-6a",)
    )
    return ReleasedStudy(read_release(folder), "results/binarised")


@pytest.fixture
def found(tmp_path: Path) -> Binarised:
    return read_binarised(written(tmp_path))


def test_pairs_are_what_the_run_has_in_both_forms(found: Binarised) -> None:
    assert dict(found.pairs) == {base: f"{base}v2" for base in BASES}
    part = found.values[found.values["metric"] == CENTRE]
    assert len(part) == 7, "one variant was not memorised by one model"
    bert = part[part["model"] == "tiny-bert"]
    assert bert["multi"].tolist() == bert["two"].tolist()
    along = bert.set_index("task")["multi_along"]
    assert along["gen-cue-6a"] == pytest.approx(0), "memory wholly in layer 1"
    crossing = found.values[(found.values["metric"] == "crossing") & (found.values["model"] == "tiny-opt")]
    assert (crossing["two"] - crossing["multi"]).tolist() == [2.0, 1.0, 1.0, 1.0], "below one half from the start: 0"


def test_orders_are_kept_by_the_model_that_keeps_them(found: Binarised) -> None:
    orders = found.orders[found.orders["metric"] == CENTRE].set_index("model")
    assert orders.loc["tiny-bert", "value"] == pytest.approx(1)
    assert orders.loc["tiny-opt", "value"] == pytest.approx(-1)
    assert orders.loc["tiny-opt", "arrangements"] == 24
    assert orders.loc["tiny-opt", "p_value"] == pytest.approx(2 / 24), "two-sided: one order is as far on either side"
    assert orders.loc["tiny-bert", ["n", "tasks"]].tolist() == [3, 3]
    table = tabulate_binarised.order_table(found)
    row = table[(table["measure"] == "M-CoG, swapping") & (table["models"] == "all")].iloc[0]
    assert (row["study"], row["points"]) == ("0.84", 7)
    assert set(table.loc[table["models"] != "all", "study"]) == {"–"}


def test_differences_are_means_over_tasks_of_means_over_models(found: Binarised) -> None:
    initiation = found.difference("centroids", "initiation")
    assert [float(initiation.value), float(initiation.low), float(initiation.high)] == [-2, -2, -2]
    mcog = found.values[found.values["metric"] == CENTRE]
    by_hand = (mcog["two"] - mcog["multi"]).groupby(mcog["task"]).mean()
    swapping = found.difference("swapping")
    assert float(swapping.value) == pytest.approx(by_hand.mean())
    assert float(swapping.low) < float(swapping.value) < float(swapping.high)
    distance = found.difference("swapping", absolute=True)
    assert float(distance.value) > abs(float(swapping.value)), "what goes both ways cancels in the one alone"
    assert np.isnan(found.difference("gradients").value)


def test_tables_say_why_a_pair_does_not_count(found: Binarised) -> None:
    table = tabulate_binarised.pair_table(found).set_index(["task", "model"])
    assert table.loc[("gen-rel-6a", "BERT (tiny)"), "status"] == "not memorised (two)"
    assert table.loc[("gen-cue-6a", "OPT (tiny)"), "status"] == "not learnt (all)"
    assert table.loc[("gen-cue-6b", "OPT (tiny)"), "status"] == ""
    assert table.loc[("gen-cue-6b", "OPT (tiny)"), "classes"] == "6, 2"
    assert table.loc[("gen-cue-6b", "OPT (tiny)"), "crossing: all, two"] == "2.0, 3.0"
    assert table.loc[("gen-rel-6a", "BERT (tiny)"), "crossing: all, two"] == "–"
    facts = tabulate_binarised.binarised_facts(found)
    assert (facts["both"], facts["places"]) == ("7", "8")
    assert facts["sizes"] == "Training rows of a task: at most 40; of its variant: at most 20. Seeds: 1."
    assert facts["within-lowest"] == "-1.00 (OPT (tiny))"
    assert facts["verdict"] == "cannot tell", "generated tasks are no evidence"
    assert set(facts) == set(tabulate_binarised.binarised_facts(None))


def test_figures_put_a_mark_for_every_pair(found: Binarised) -> None:
    drawn = figures_binarised.depths_of_both(found)
    bert, opt, study = drawn.figure.axes
    marks = [
        [line for line in panel.lines if line.get_marker() in "os^Dv" and len(line.get_xdata())]
        for panel in (bert, opt)
    ]
    assert [len(found) for found in marks] == [3, 4]
    assert sum(line.get_markerfacecolor() == "none" for line in marks[1]) == 1, "not learnt"
    stars = [line for line in study.lines if line.get_marker() == "*"]
    assert len(stars) == 5
    assert "of 7 marks" in drawn.alt
    moved = figures_binarised.events_of_both(found)
    triangles = [line for line in moved.figure.axes[1].lines if line.get_marker() == "^" and len(line.get_xdata())]
    assert sorted(float(line.get_ydata()[0]) for line in triangles) == [3, 3, 3, 3]
    assert "initiation by -2.0 layers" in moved.alt


def test_a_run_without_pairs_or_centroids(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="a task and its variant"):
        read_binarised(written(tmp_path / "one", ["gen-cue-6a"]))
    found = read_binarised(written(tmp_path / "two", techniques={"swapping": {}}))
    assert found.centroids is None
    assert "crossing: all, two" not in tabulate_binarised.pair_table(found)
    assert tabulate_binarised.binarised_facts(found)["crossing"] == "none"
    assert "All panels are empty" in figures_binarised.events_of_both(found).alt


def test_a_book_without_the_run_has_the_studys_numbers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert open_binarised() is None
    facts = tabulate_binarised.binarised_facts(None)
    assert (facts["study-rho"], facts["both"]) == ("0.84", "0")
    assert facts["state"] == tabulate_binarised.ABSENT
    numbers, verdicts = tables_of(["C15"], {})
    assert numbers["the study"].tolist() == ["0.84"]
    assert list(verdicts) == ["claim", "finding", "rule"]
    assert len(tabulate_binarised.study_table()) == 5


def test_the_example_by_hand() -> None:
    shown, numbers = worked.two_orders()
    assert shown["d²"].sum() == int(numbers["sum"])
    assert float(numbers["rho"]) == pytest.approx(1 - 6 * 4 / (4 * 15))
    assert (numbers["close"], numbers["orders"]) == ("5", "24")
