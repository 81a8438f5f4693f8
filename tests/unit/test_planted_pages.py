"""What the chapter on planted memorisation shows: figures, tables and sentences of made-up benchmarks, and of none."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from planted_tables import Answer, blind, blurred, fixed, found, perfect, planted, removals, settled
from planted_world import cell, planted_layer

from memloc import tables
from memloc.planted.answers import answers
from memloc.planted.releasing import Benchmark
from memloc.planted.results import Results
from memloc.profiles import load_profile
from memloc.publishing import facts_planted, figures_planted, reading_planted, tabulate_planted
from memloc.publishing.reading_planted import SMOKE, Board
from memloc.techniques import base
from memloc.techniques.measuring import measured

mpl.use("agg")

FIGURES = (
    figures_planted.fates,
    lambda board: figures_planted.confusions(board, "blind"),
    lambda board: figures_planted.confusions(board, "oracle"),
    figures_planted.scores,
    figures_planted.calibration,
    figures_planted.removals,
)
TABLES = (tabulate_planted.leaderboard_tables, tabulate_planted.mislead_tables)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def board(made: pd.DataFrame, **who: Answer) -> Board:
    """Answers by rule, the same about acquired memory, removals of every first layer, and units of one localiser."""
    told = found(made, **who) if made["learnt"].any() else pd.DataFrame(columns=tables.FOUND.names)
    own = told[(told["place"] == "layer:1") & (told["regime"] == "blind")].assign(regime="acquired", place="acquired")
    asked = told.groupby(["technique"], as_index=False)["seed"].first().assign(seconds=2.5)
    units = made.loc[
        made["place"].str.startswith("units") & made["learnt"], ["task", "model", "seed", "noise", "place"]
    ]
    recalled = units.assign(regime="blind", technique="perfect", true=8, units=80, recall=0.75)
    taken = removals(told[told["regime"] == "blind"]) if len(told) else pd.DataFrame(columns=tables.REMOVAL.names)
    known = taken[taken["place"] == "layer:1"].assign(regime="acquired", place="acquired", is_true=None)
    frames = [pd.concat([told, own]), made, asked, recalled.reindex(columns=tables.RECALLED.names)]
    results = Results(frames[0], frames[1], settled(made), frames[2], frames[3], pd.concat([taken, known]))
    return Board(Benchmark(load_profile(SMOKE), results), "memloc benchmark --profile planted-smoke")


@pytest.fixture(scope="module")
def shown() -> Board:
    made = planted(seeds=(1, 2), more=("spread", "band:2-3", "units:0.1"))
    gone = (made["place"] == "layer:6") & (made["task"] == "rte")
    made.loc[gone, ["learnt", "has_truth_oracle", "has_truth_blind"]] = False
    late = (made["place"] == "layer:5") & (made["task"] == "trec")
    made.loc[late, ["epochs_settled", "has_truth_blind"]] = [0, False]
    return board(made, perfect=perfect, swapping__single=blurred, fixed=fixed, other=blind)


def test_shares_of_cells_by_layer(shown: Board) -> None:
    drawn = figures_planted.fates(shown)
    (panel,) = drawn.figure.axes
    heights = np.array([bar.get_height() for bar in panel.patches]).reshape(4, 6)
    np.testing.assert_allclose(heights.sum(axis=0), 1)
    np.testing.assert_allclose(heights[0], [1, 1, 1, 1, 2 / 3, 2 / 3])
    np.testing.assert_allclose(heights[1:, 4:], [[0, 1 / 3], [1 / 3, 0], [0, 0]])
    assert "layer 5 0.67" in drawn.alt


def test_a_square_a_localiser_with_the_truth_down(shown: Board) -> None:
    drawn = figures_planted.confusions(shown, "blind")
    panels = {panel.get_title(): panel for panel in drawn.figure.axes if panel.get_visible()}
    assert next(iter(panels)) == "perfect"
    assert set(panels) == {"perfect", "swapping (single)", "fixed", "other", "random"}
    image = np.asarray(panels["perfect"].images[0].get_array())
    np.testing.assert_allclose(image, np.eye(6))
    image = np.asarray(panels["fixed"].images[0].get_array())
    np.testing.assert_allclose(image, np.eye(6)[[0] * 6])
    assert "perfect 1.00" in drawn.alt
    assert "fixed 0.17" in drawn.alt
    assert shown.confusion(("perfect", ""), "blind")[1] == 6 * 6 - 2 - 2


def test_scores_have_a_row_a_localiser_and_a_panel_a_score(shown: Board) -> None:
    drawn = figures_planted.scores(shown)
    assert [panel.get_title() for panel in drawn.figure.axes] == list(figures_planted.TITLES.values())
    rows = [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]
    assert rows[0] == "perfect"
    dots = [line for line in drawn.figure.axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert dots[0].get_xdata()[0] == pytest.approx(1)
    assert "perfect 1.00" in drawn.alt


def test_calibration_and_removals(shown: Board) -> None:
    assert "perfect 1.00" in figures_planted.calibration(shown).alt
    drawn = figures_planted.removals(shown)
    assert "perfect 1.00 true, +0.80" in drawn.alt
    true, gain, acquired = drawn.figure.axes
    assert true.get_yticklabels()[0].get_text() == "perfect", "the largest gain first"
    assert true.lines[0].get_xdata()[0] == 1
    dots = [line.get_xdata()[0] for line in gain.lines if line.get_marker() == "o"]
    assert dots == sorted(dots, reverse=True)
    assert dots[0] == pytest.approx(0.8)
    assert len([line for line in acquired.lines if line.get_marker() == "^"]) == 4, "acquired: one layer each"


def test_removed_units_stand_beside_the_layers_where_units_were_planted(shown: Board) -> None:
    taken = shown.results.removal
    units = taken[(taken["technique"] == "perfect") & (taken["place"] == "layer:2") & (taken["regime"] == "blind")]
    units = units.assign(removed="units:0.1", is_true=0.25, noisy_after=0.6, noisy_after_random=0.9)
    both = pd.concat([taken, units.assign(place="units:0.1"), units])
    board = dataclasses.replace(
        shown, benchmark=Benchmark(shown.profile, dataclasses.replace(shown.results, removal=both))
    )
    drawn = figures_planted.removals(board)
    assert "perfect, of units, 0.25 true, +0.30" in drawn.alt
    true, gain, _ = drawn.figure.axes
    for panel, at in ((true, 0.25), (gain, 0.3)):
        squares = [line for line in panel.lines if line.get_marker() == "s" and len(line.get_xdata())]
        assert [line.get_xdata()[0] for line in squares] == [pytest.approx(at)]
    table = tabulate_planted.removal_table(board, "blind")
    told = table[table["localiser, blind"] == "perfect"].set_index("taken out")["true"]
    assert told.to_dict() == {"layers": "1.00", "units": "0.25", "units of layers": "0.25"}


def test_tables_tell_what_counts(shown: Board) -> None:
    table = tabulate_planted.leaderboard_table(shown, "blind")
    assert table.iloc[0]["localiser, blind"] == "perfect"
    assert table.iloc[0]["skill"] == "1.00 [1.00, 1.00]"
    made = tabulate_planted.planted_table(shown).set_index("task")
    assert made.loc["rte", "left out of blind"] == "2 not learnt"
    assert made.loc["trec", "left out of blind"] == "2 did not settle"
    assert made.loc["sst2", ["places", "with truth, blind", "left out of blind"]].tolist() == ["18", "18", "–"]
    recall = tabulate_planted.recall_table(shown).iloc[0]
    assert recall[["regime", "recall", "chance"]].tolist() == ["blind", "0.75 [0.75, 0.75]", "0.100"]
    removal = tabulate_planted.removal_table(shown, "blind").set_index("localiser, blind")
    assert removal.loc["perfect", "difference"] == "0.80 [0.80, 0.80]"
    removal = tabulate_planted.removal_table(shown, "acquired").set_index("localiser, acquired")
    assert removal.loc["perfect", ["taken out", "true"]].tolist() == ["1 layer", "–"]
    acquired = tabulate_planted.acquired_table(shown).set_index("localiser")
    assert acquired.loc["perfect", "heaviest layer"] == "1"
    assert acquired.loc["perfect", "entropy: planted, all layers"] == "1.00"


def test_how_far_layers_moved_and_what_they_hold(shown: Board) -> None:
    table = tabulate_planted.settled_table(shown).set_index("places")
    row = table.loc["layer"]
    assert row["true layer moved, planting"] == "0.300"
    assert row["other layers, at most"] == "0.000"
    assert row["all layers, settling"] == "0.020 to 0.020"
    assert (row["wrong labels left, true layer put back"], row["another, at least"]) == ("0.10", "1.00")
    assert table.loc["spread", "wrong labels of its own part left"] == "0.10"
    assert table.loc["spread", "other layers, at most"] == "–", "there is no other layer"
    facts = facts_planted.benchmark_facts(shown)
    assert (facts["moved-planting"], facts["moved-settling"]) == ("0.30", "0.020")
    nothing = board(planted(lost=[f"layer:{n}" for n in range(1, 7)] + ["spread"]))
    assert tabulate_planted.settled_table(nothing)["settled models"].tolist() == ["none"]


def test_skills_by_task_model_and_amount() -> None:
    made = pd.concat([planted(seeds=(1,)), planted(tasks=("trec",), noise=(0.3,))], ignore_index=True)
    table = tabulate_planted.parts_table(board(made, perfect=perfect, swapping__single=blind))
    table = table.set_index("skill of the heaviest layer, blind")
    assert list(table) == ["rte", "sst2", "trec", "15 % wrong, trec", "30 % wrong, trec"], "one model has no column"
    assert table.loc["perfect"].tolist() == ["1.00"] * 5
    assert table.loc["swapping (single)", "trec"] == table.loc["swapping (single)", "15 % wrong, trec"]
    assert table.loc["swapping (single)", "trec"] != table.loc["swapping (single)", "30 % wrong, trec"]
    alone = tabulate_planted.parts_table(board(planted(tasks=("trec",)), perfect=perfect))
    assert alone["skill"].tolist() == ["one task, model and amount, or no truth"]


def test_the_localiser_of_a_reader() -> None:
    from memloc.publishing import own_localiser

    try:
        perturbed, normal, data = planted_layer("bert", 3, 2)
        given = cell({"perturbed": perturbed, "normal": normal}, data)
        assert answers(measured("distance_moved", given, {})[0])[""].tolist() == [0, 1, 0]
        assert '@localiser("distance_moved"' in reading_planted.entry_source()
        assert reading_planted.entry_source().count("```") == 2
    finally:
        base._registry.pop("distance_moved")
        sys.modules.pop(own_localiser.__name__)


def test_the_smallest_benchmark_says_so_whether_it_was_made_now_or_released() -> None:
    made = board(planted(), perfect=perfect)
    assert "the smallest one, made for this page" in facts_planted.about(made)
    told = facts_planted.about(dataclasses.replace(made, folder=f"results/{SMOKE}"))
    assert "the smallest one: its models have two layers" in told
    assert told.startswith('<span class="memloc-generated">generated tasks, random initial weights</span>')


def test_controls_of_the_study_stand_beside_the_scores() -> None:
    made = planted(more=("control_first", "control_last"))
    made.loc[made["place"].str.startswith("control"), "has_truth_oracle"] = False
    both = board(made, perfect=perfect, fixed=fixed)
    table = tabulate_planted.leaderboard_table(both, "blind").set_index("localiser, blind")
    assert table.loc["perfect", "top-1, control"] == "1.00 (6)"
    assert table.loc["fixed", "top-1, control"] == "0.50 (6)"
    assert table.loc["perfect", "cells"] == "18", "and change none of them"
    assert set(tabulate_planted.leaderboard_table(both, "oracle")["top-1, control"]) == {""}


def test_sentences(shown: Board) -> None:
    facts = facts_planted.benchmark_facts(shown)
    assert re.fullmatch(r"1\.00 perfect; 0\.\d\d swapping \(single\); -?0\.\d\d .*", facts["best-blind"])
    assert facts["above-blind"] == "perfect and swapping (single)"
    assert (facts["constants"], facts["lost"], facts["noise"]) == ("0.00", "none", "15 %")
    assert facts["held"] == "0.67 to 1.00"
    assert facts["rho"].startswith("1.00")
    assert facts["intervals"] == "resample the tasks"
    assert facts["above-oracle"] == "perfect and swapping (single)"
    scored = shown.planted[shown.planted["place"].str.startswith(("layer", "band"))]
    assert facts["scored-oracle"] == str(int(scored["has_truth_oracle"].sum()))
    assert facts["scored-blind"] == str(int(scored["has_truth_blind"].sum()))
    assert (facts["spread"], facts["weights"], facts["examples"]) == ("6", "–", "at most 40")


def test_whom_to_believe_has_skill_and_forgets_beyond_damage(shown: Board) -> None:
    told = facts_planted.benchmark_facts(shown)["believed"]
    assert told == "perfect (0.90 [0.90, 0.90]) and swapping (single) (0.90 [0.90, 0.90])"
    results = shown.results
    acquired = results.removal["regime"] == "acquired"
    wrecked = {"clean_after": 0.0, "clean_after_random": 1.0}
    damaging = results.removal.assign(**{k: results.removal[k].where(~acquired, value) for k, value in wrecked.items()})
    harmed = dataclasses.replace(results, removal=damaging)
    other = dataclasses.replace(shown, benchmark=Benchmark(shown.profile, harmed))
    assert facts_planted.benchmark_facts(other)["believed"] == "none", "what breaks the model forgets everything"


def test_nobody_who_ties_with_the_best_is_left_out() -> None:
    five = dict.fromkeys(("first", "second", "third", "fourth", "fifth"), perfect)
    told = facts_planted.benchmark_facts(board(planted(), fixed=fixed, **five))
    assert told["best-blind"] == "1.00 fifth, first, fourth, second and third"


def test_the_example_by_hand() -> None:
    table, numbers = tabulate_planted.four_places()
    assert table["D"].tolist() == ["0.5", "0.7", "0.8", "0.7"]
    assert table["D of always layer 2"].tolist() == ["1", "0", "1", "2"]
    assert table["heaviest"].tolist() == ["1", "2", "2", "4"]
    assert (numbers["D"], numbers["constant"], numbers["layer"]) == ("0.675", "1.00", "2")
    assert numbers["skill"] == f"{1 - 0.675 / 1:.3f}"
    assert (numbers["top_skill"], numbers["top_1"], numbers["mass"]) == ("0.75", "0.75", "0.45")


@pytest.mark.parametrize("lost", [["spread"], ["spread", *(f"layer:{n}" for n in range(1, 7))], ["layer:1"]])
def test_what_is_missing_is_told_and_drawn_nowhere(lost: list[str], shown: Board) -> None:
    poor = board(planted(tasks=("trec",), lost=lost), perfect=perfect)
    for draw in FIGURES:
        assert draw(poor).alt
    for several in TABLES:
        assert all(len(table) for table in several(poor))
    facts = facts_planted.benchmark_facts(poor)
    assert facts.keys() == facts_planted.benchmark_facts(shown).keys()
    assert not [name for name, value in facts.items() if "inf" in value or value == "nan"]


def test_one_place_alone_has_no_skill_and_models_of_another_depth_are_left_out() -> None:
    one = board(planted(tasks=("trec",), lost=["spread", *(f"layer:{n}" for n in range(2, 7))]), perfect=perfect)
    assert tabulate_planted.leaderboard_table(one, "blind")["skill"].tolist() == ["–"] * 3
    assert facts_planted.benchmark_facts(one)["best-blind"] == "none"
    for draw in FIGURES:
        assert draw(one).alt
    mixed = pd.concat([planted(), planted(models=("bert-base-cased",), tasks=("rte",), depth=12)])
    both = board(mixed, perfect=perfect)
    assert both.depth == 6
    assert both.confusion(("perfect", ""), "blind")[1] == 18


def test_a_part_of_a_profile_says_which_and_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_profile("planted-small")
    assert reading_planted.part_of(whole) == ""
    part = whole.narrowed(tasks=["sst2", "trec"], seeds=[1])
    assert reading_planted.part_of(part) == "--tasks sst2,trec --seeds 1"
    assert reading_planted.part_of(whole.narrowed(models=["nano-bert"])) == "--models nano-bert"
    assert reading_planted.part_of(dataclasses.replace(part, name="mine")) == "", "nobody knows what it was cut from"
    found = board(planted(), perfect=perfect).results
    options = "--tasks sst2,trec --seeds 1"
    monkeypatch.setattr(reading_planted, "read_benchmark", lambda folder: Benchmark(part, found))
    told = reading_planted._released("planted")
    assert told.command == f"memloc benchmark --profile planted-small {options} --release results/planted"
    assert f"only a part was run: `{options}`" in facts_planted.about(told)
    monkeypatch.setattr(reading_planted, "read_benchmark", lambda folder: Benchmark(whole, found))
    assert "only a part" not in facts_planted.about(reading_planted._released("planted"))
