"""The whole table on made-up benchmarks: perfect, constant, random and mixed answers, dropped cells, intervals, p."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_tables import blind, blurred, fixed, found, perfect, planted
from scipy.stats import kstest

from memloc import tables
from memloc.errors import MemlocError
from memloc.planted.entries import (
    NO_START,
    NO_TRUTH,
    NOT_LEARNT,
    NOT_SETTLED,
    Entry,
    entries,
    fates,
    main_amount,
    with_truth,
)
from memloc.planted.leaderboard import leaderboard, localiser
from memloc.planted.overall import SHOWN, Constants, entry_scores, score_table
from memloc.planted.places import Place, drawn_units, truth
from memloc.planted.recall import recall_table, recalled

FEW = {"resamples": 100, "permutations": 200}


def of(table: pd.DataFrame, technique: str, regime: str = "blind") -> pd.DataFrame:
    chosen = table[(table["technique"] == technique) & (table["regime"] == regime)]
    return chosen.set_index("score")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    made = planted(seeds=(1, 2), more=("spread", "band:2-3"))
    return score_table(found(made, perfect=perfect, blurred=blurred, fixed=fixed, other=blind), made, **FEW)


def test_a_perfect_localiser_scores_one_everywhere(table: pd.DataFrame) -> None:
    one = of(table, "perfect")
    assert list(one.index) == list(SHOWN)
    np.testing.assert_allclose(one["value"], 1)
    np.testing.assert_allclose(one[["low", "high"]], 1)
    assert (one["p"] <= 2 / 201).all()
    assert (one["null_high"] < 1).all()


def test_constants_have_no_skill_and_the_best_has_exactly_none(table: pd.DataFrame) -> None:
    always = table[(table["technique"] == "always") & (table["score"] == "skill")]
    assert always["value"].max() == pytest.approx(0, abs=1e-12)
    assert (always["value"] <= 1e-12).all()
    assert (always["low"] <= 1e-12).all()
    assert (always["p"] == 1).all()
    top = table[(table["technique"] == "always") & (table["score"] == "top_1") & (table["regime"] == "blind")]
    assert top["value"].max() == pytest.approx(top["constant"].iloc[0]) == pytest.approx(2 / 7), "layer 2 or 3 of 7"
    assert (of(table, "fixed")["p"] == 1).all()
    assert of(table, "fixed")["value"]["skill"] < 0


def test_random_answers_lie_within_their_interval_of_chance() -> None:
    made = planted(tasks=("a", "b", "c", "d"), seeds=(1, 2, 3))
    random = of(score_table(found(made, perfect=perfect), made, **FEW), "random")
    inside = (random["null_low"] <= random["value"]) & (random["value"] <= random["null_high"])
    assert inside.all(), random
    # skill is a ratio and mass a mean: chance is exact, and these are means of 72 answers
    np.testing.assert_allclose(random["value"], random["chance"], atol=0.15)


def test_the_order_of_the_leaderboard(table: pd.DataFrame) -> None:
    made = planted(seeds=(1, 2), more=("spread", "band:2-3"))
    told = found(made, perfect=perfect, blurred__single=blurred, fixed=fixed)
    seconds = pd.DataFrame({"technique": ["perfect", "perfect"], "seconds": [1.0, 2.0]})
    board = leaderboard(told, made, seconds, **FEW)
    blindly = board[board["regime"] == "blind"]["localiser"].tolist()
    assert blindly[:2] == ["perfect", "blurred"] or blindly[:2] == ["perfect", "blurred (single)"]
    assert sum(name.startswith("always") for name in blindly) == 1, "of the constants the best one alone"
    assert set(blindly) == {"perfect", "blurred (single)", "fixed", "random", next(n for n in blindly if "always" in n)}
    first = board.iloc[0]
    assert first["skill"] == "1.00 [1.00, 1.00]"
    assert (first["seconds"], first["cells"], first["tasks"]) == ("1.5", "42", "3")
    assert localiser(("gradients", "logit_l1_difference_none")) == "gradients"


def test_nobody_gains_by_failing_where_it_is_hard() -> None:
    made = planted(more=("spread", "band:2-3"))
    told = found(made, perfect=perfect, fixed=fixed)
    hard = (told["technique"] == "fixed") & told["place"].isin(["layer:2", "layer:5", "layer:6"])
    some = told[~hard]
    board = leaderboard(some, made, **FEW)
    blindly = board[board["regime"] == "blind"].set_index("localiser")
    assert blindly.loc["fixed", "cells"] == "21, 9 without an answer"
    assert blindly.loc["perfect", "cells"] == "21"
    # where it says nothing it has the same weight everywhere, so it is as if it had said that
    layers = told["layer"].max()
    flat = told.assign(weight=told["weight"].where(~hard, 1 / layers))
    columns = ["score", "value", "low", "high", "chance", "null_low", "null_high", "p", "cells"]
    one, other = (of(score_table(t, made, **FEW), "fixed").reset_index()[columns] for t in (some, flat))
    pd.testing.assert_frame_equal(one, other)
    # nor by failing in every model of one depth
    deep = planted(models=("bert-base-cased",), depth=12)
    mixed, both = pd.concat([made, deep]), found(deep, perfect=perfect, fixed=fixed)
    lost = pd.concat([told, both[both["technique"] != "fixed"]])
    rows = leaderboard(lost, mixed, **FEW)
    places = int(deep["place"].str.startswith("layer").sum())
    assert rows[(rows["regime"] == "blind") & (rows["localiser"] == "fixed")]["cells"].tolist() == [
        f"{21 + places}, {places + 3} without an answer"  # and three of spread memory
    ]
    # of a kind of place that it was never asked about nothing is missing
    never = told[~((told["technique"] == "fixed") & (told["place"] == "band:2-3"))]
    assert (of(score_table(never, made, **FEW), "fixed")["silent"] == 0).all()


def test_two_tasks_have_no_intervals() -> None:
    made = planted(tasks=("trec", "rte"))
    one = of(score_table(found(made, perfect=perfect), made, **FEW), "perfect")
    assert one["low"].isna().all()
    assert leaderboard(found(made, perfect=perfect), made, **FEW)["skill"].iloc[0] == "1.00"


def slow_skill(made: pd.DataFrame, told: pd.DataFrame, regime: str) -> float:
    """Straight from the definition, a loop over places, cells and layers."""
    distance, constant = [], []
    for place in sorted(set(made.loc[made["learnt"], "place"]) - {"spread"}):
        share = truth(Place.parse(place), 6)
        away = [min(abs(n - t) for t in np.flatnonzero(share)) / 5 for n in range(6)]
        cells = told[(told["place"] == place) & (told["regime"] == regime)]
        each = [
            sum(w * away[n - 1] for n, w in zip(c["layer"], c["weight"], strict=True)) for _, c in cells.groupby("task")
        ]
        distance.append(np.mean(each))
        constant.append(away)
    return float(1 - np.mean(distance) / np.mean(constant, axis=0).min())


def test_skill_equals_the_slow_one_and_places_weigh_the_same() -> None:
    made = planted(more=("band:2-3",))
    # layer 1 is learnt by one task of three, layer 5 by none
    gone = ((made["place"] == "layer:1") & (made["task"] != "rte")) | (made["place"] == "layer:5")
    made.loc[gone, ["learnt", "has_truth_oracle", "has_truth_blind"]] = False
    told = found(made, blurred=blurred)
    table = score_table(told, made, **FEW)
    for regime in ("blind", "oracle"):
        skill = of(table, "blurred", regime).loc["skill"]
        assert skill["value"] == pytest.approx(slow_skill(made, told, regime))
        assert skill["cells"] == 3 * 7 - 5
    always = table[(table["technique"] == "always") & (table["score"] == "skill")]["value"]
    assert always.max() == pytest.approx(0, abs=1e-12)


def test_models_of_two_depths_each_have_their_best_constant() -> None:
    made = pd.concat([planted(depth=6), planted(models=("bert-base-cased",), depth=12)], ignore_index=True)
    table = score_table(found(made, perfect=perfect, fixed=fixed), made, **FEW)
    assert of(table, "perfect")["value"]["skill"] == pytest.approx(1)
    skill = table[(table["technique"] == "always") & (table["score"] == "skill")]
    assert (skill["value"] <= 1e-12).all()
    entry = next(e for e in entries(found(made, perfect=perfect), with_truth(made)) if e.who[1] == "perfect")
    constants = Constants(entry.chosen(("layer",)))
    expected = (6 * np.mean([2, 1, 0, 1, 2, 3]) / 5 + 12 * np.mean([5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6]) / 11) / 18
    assert constants.best("distance")[0] == pytest.approx(expected)


def test_calibration_sees_flat_answers_where_memory_is_spread() -> None:
    made = planted()
    told = found(made, perfect=perfect, contrary=lambda share, _rng: 1.01 - share / share.max(), fixed=fixed)
    table = score_table(told, made, **FEW)
    value = {name: of(table, name)["value"]["calibration"] for name in ("perfect", "fixed")}
    assert value == {"perfect": 1.0, "fixed": 0.5}
    without = planted(lost=["spread"])
    assert "calibration" not in of(score_table(found(without, perfect=perfect), without, **FEW), "perfect").index


def test_p_is_uniform_where_answers_do_not_depend_on_the_place() -> None:
    cells = with_truth(planted(tasks=("a", "b"), depth=4)).drop(columns="regime").drop_duplicates(ignore_index=True)
    cells = cells.assign(answered=True)
    p: dict[str, list[float]] = {name: [] for name in SHOWN}
    for number in range(200):
        weights = list(np.random.default_rng(number).dirichlet(np.ones(4), len(cells)))
        scores = entry_scores(Entry(("blind", "lost", ""), cells, weights), 2, 199, number)
        for name, score in scores.items():
            p[name].append(score["p"])
    assert kstest(p["skill"], "uniform").pvalue > 0.01
    assert kstest(p["mass"], "uniform").pvalue > 0.01
    for name, values in p.items():  # of scores with few values p is too large now and then, and never too small
        assert np.mean(np.array(values) <= 0.1) <= 0.15, name


def test_dropped_cells_are_counted_by_reason_and_no_localiser_can_change_that() -> None:
    made = planted(tasks=("trec",), lost=["layer:2"])
    made.loc[made["place"] == "layer:3", ["epochs_settled", "has_truth_blind"]] = [0, False]
    made.loc[made["place"] == "layer:4", "has_truth_blind"] = False
    told = fates(made).set_index("place")
    assert told["blind"].to_dict() == {
        "layer:1": "",
        "layer:2": NOT_LEARNT,
        "layer:3": NOT_SETTLED,
        "layer:4": NO_TRUTH,
        "layer:5": "",
        "layer:6": "",
        "spread": "",
    }
    assert told["oracle"]["layer:3"] == ""
    control = made[made["place"] == "layer:1"].assign(place="control_first", has_truth_oracle=False)
    assert fates(control)[["blind", "oracle"]].to_numpy().tolist() == [["", NO_START]]
    cells = with_truth(made)
    assert cells.groupby("regime").size().to_dict() == {"blind": 4, "oracle": 6}
    table = score_table(found(made, perfect=perfect), made, **FEW)
    assert of(table, "perfect")["cells"]["skill"] == 3


def test_the_amount_that_most_tasks_have_is_scored() -> None:
    made = pd.concat([planted(), planted(tasks=("trec",), noise=(0.05, 0.3))], ignore_index=True)
    assert main_amount(made) == 0.15
    told = found(made, perfect=perfect)
    assert of(score_table(told, made, **FEW), "perfect")["cells"]["skill"] == 18
    assert of(score_table(told, made, noise=0.05, **FEW), "perfect")["cells"]["skill"] == 6
    with pytest.raises(MemlocError, match="one or more"):
        main_amount(made[:0])


def test_an_answer_without_a_layer_is_refused() -> None:
    made = planted(tasks=("trec",))
    told = found(made, perfect=perfect)
    with pytest.raises(MemlocError, match="1 to 6"):
        score_table(told[told["layer"] != 3], made, **FEW)
    with pytest.raises(MemlocError, match="several of one cell"):
        score_table(pd.concat([told, told]), made, **FEW)


def test_nothing_with_ground_truth_gives_an_empty_board() -> None:
    made = planted(tasks=("trec",), lost=["spread", *(f"layer:{n}" for n in range(1, 7))])
    assert score_table(found(planted(tasks=("trec",)), perfect=perfect), made, **FEW).empty
    assert leaderboard(found(planted(tasks=("trec",)), perfect=perfect), made, **FEW).empty


def test_recall_of_planted_units() -> None:
    place = Place.parse("units:0.1")
    units = pd.DataFrame({"layer": np.repeat([1, 2], 40), "unit": np.tile(np.arange(40), 2), "score": 0.0})
    true = {(layer, unit) for layer, unit in drawn_units(place, 2, 40, 1)}
    hit = np.array([pair in true for pair in zip(units["layer"], units["unit"], strict=True)])
    assert recalled(units.assign(score=hit * 1.0), place, 1) == {"true": 8, "units": 80, "recall": 1.0}
    shuffled = units.assign(score=hit * 1.0).sample(frac=1, random_state=0)
    assert recalled(shuffled, place, 1)["recall"] == 1, "whatever order the rows are in"
    assert recalled(units, place, 1)["recall"] == pytest.approx(0.1)
    with pytest.raises(MemlocError, match="each of 2 x 40 once"):
        recalled(units[1:], place, 1)

    made = planted(more=("units:0.1",), depth=2)
    rows = made.loc[made["place"] == "units:0.1", ["task", "model", "seed", "noise", "place"]]
    table = pd.concat(
        [
            rows.assign(regime=regime, technique=name, true=8, units=80, recall=value)
            for regime in ("oracle", "blind")
            for name, value in (("poor", 0.125), ("good", 0.75))
        ]
    )
    tables.validate(table[tables.RECALLED.names], tables.RECALLED, "recalled")
    told = recall_table(table, made, **FEW)
    assert told[["regime", "technique"]].to_numpy().tolist() == [
        ["blind", "good"],
        ["blind", "poor"],
        ["oracle", "good"],
        ["oracle", "poor"],
    ]
    good, poor = told.iloc[0], told.iloc[1]
    assert good[["chance", "low", "high", "cells"]].tolist() == pytest.approx([0.1, 0.75, 0.75, 3])
    assert good["p"] < 0.05 < poor["p"]
    assert good["null_low"] < 0.1 < good["null_high"] < 0.75
