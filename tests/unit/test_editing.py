"""What removals come to: gains by hand, intervals, and whether pointing predicts forgetting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_tables import blind, fixed, found, perfect, planted, removals

from memloc.planted.editing import acquired_net, editing, measured_removals, pointing_predicts


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return removals(found(planted(), perfect=perfect, fixed=fixed, other=blind))


def test_gains_by_hand(table: pd.DataFrame) -> None:
    told = editing(table, resamples=50).set_index(["regime", "technique"])
    right = told.loc["blind", "perfect"]
    assert right[["is_true", "forgets", "random", "gain"]].tolist() == pytest.approx([1, 0.9, 0.1, 0.8])
    assert right[["low", "high", "loses", "loses_random"]].tolist() == pytest.approx([0.8, 0.8, 0.2, 0.3])
    assert right[["cells", "tasks"]].tolist() == [18, 3]
    constant = told.loc["blind", "fixed"]
    assert constant["is_true"] == pytest.approx(1 / 6)
    assert constant["forgets"] == pytest.approx((0.9 + 5 * 0.1) / 6)
    assert told.loc["blind"].index[0] == "perfect", "the largest gain first"
    few = editing(table[table["task"] != "rte"], resamples=50)
    assert few[["low", "high"]].isna().all().all()


def test_pointing_predicts_forgetting_where_it_does(table: pd.DataFrame) -> None:
    told = pointing_predicts(table, "blind", resamples=50)
    assert told["rho"] == pytest.approx(1)
    assert (told["right"], told["n"]) == (pytest.approx(0.8), 54)
    assert told["wrong_forgets"] == pytest.approx(0.1)
    chosen = table[table["regime"] == "blind"]
    pairs = set(zip(chosen["task"], chosen["place"], chosen["removed"], strict=True))
    assert told["different"] == len(pairs) < 54
    assert told["wrong"] == pytest.approx(0.1 - (0.4 + 0.9) / 5)
    unrelated = table.assign(noisy_after=0.5, noisy_after_random=0.5)
    assert np.isnan(pointing_predicts(unrelated, "blind", resamples=50)["rho"])
    assert np.isnan(pointing_predicts(table[:0], "blind", resamples=50)["rho"])


def test_what_acquired_removals_forget_beyond_their_damage(table: pd.DataFrame) -> None:
    one = table[(table["technique"] == "perfect") & (table["place"] == "layer:1") & (table["regime"] == "blind")]
    own = {"regime": "acquired", "place": "acquired", "is_true": None, "noisy_before": 1.0, "clean_before": 1.0}
    asked = pd.concat(
        [
            # gains .4 and .2; lost beyond random: .1 and none
            one.assign(**own, removed="layers:1", noisy_after=0.5, noisy_after_random=0.9, clean_after=0.8),
            one.assign(**own, removed="layers:1,2", noisy_after=0.3, noisy_after_random=0.5, clean_after=0.9),
        ]
    ).assign(clean_after_random=0.9)
    units = one.assign(**own, removed="units:0.01", noisy_after=0.0, noisy_after_random=1.0)
    told = acquired_net(pd.concat([asked, units, table]), resamples=50)
    assert told.columns.tolist() == ["technique", "variant", "net", "low", "high", "cells"]
    assert told[["technique", "cells"]].to_numpy().tolist() == [["perfect", 3]], "no planted memory, no units"
    np.testing.assert_allclose(told.loc[0, ["net", "low", "high"]].astype(float), (0.3 + 0.2) / 2)
    broken = asked.assign(clean_after=0.0)
    np.testing.assert_allclose(acquired_net(broken)["net"], ((0.4 - 0.9) + (0.2 - 0.9)) / 2)
    few = acquired_net(asked[asked["task"] != "rte"], resamples=50)
    assert few[["low", "high"]].isna().all().all()
    assert acquired_net(table).empty


def test_removals_are_named_and_those_without_company_left_out(table: pd.DataFrame) -> None:
    four = table[:4].assign(
        removed=["layers:3", "layers:1,3", "units:0.01", "layers:2"],
        is_true=[None, None, None, 1.0],
        noisy_after_random=[0.5, 0.5, 0.5, None],
    )
    told = measured_removals(four)
    assert told["what"].tolist() == ["1 layer", "2 layers", "units"]
    known = four.assign(removed="units:0.01", is_true=0.5, noisy_after_random=0.5)
    known["place"] = ["layer:1", "units:0.01", "band:1-2", "units:0.01"]
    assert measured_removals(known)["what"].tolist() == ["units of layers", "units"] * 2, "two questions"
    assert sorted(editing(four)["what"]) == ["1 layer", "2 layers", "units"]
    assert editing(four[:0]).empty
