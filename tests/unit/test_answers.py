"""Answers in control settings: which cells count, how sure a score is, and which place was taken for which."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from test_summary import control_numbers

from memloc.analysis.answers import Answers, all_answers, cell_answers, confusion, control_settings, score_table
from memloc.analysis.intervals import share_interval
from memloc.arms import CONTROLS, SETTINGS
from memloc.errors import MemlocError
from memloc.pipeline import CellId

FLAT = dict.fromkeys(SETTINGS, 0.5)


def answers(tops: tuple[int, int, int], seed: int = 1, noisy: float = 1.0, num_layers: int = 6) -> Answers:
    """Weights of 1 on a layer each for the three settings, and ever less on the layers after it."""
    weights = {}
    for setting, top in zip(CONTROLS, tops, strict=True):
        weights[setting] = np.roll(np.linspace(1, 0, num_layers), top - 1)
    learnt = {**dict.fromkeys(CONTROLS, 1.0), "control_last": noisy}
    return Answers(CellId("trec", "minilm-l6", seed), "swapping", weights, learnt)


@pytest.mark.parametrize(("hits", "n"), [(0, 6), (1, 3), (4, 6), (6, 6), (12, 12)])
def test_the_interval_is_wilsons(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert share_interval(hits / n, n) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("share", "n"), [(0.5, 0), (1.5, 3), (float("nan"), 3)])
def test_no_interval_without_a_share_of_trials(share: float, n: int) -> None:
    with pytest.raises(MemlocError, match="share of trials"):
        share_interval(share, n)


def test_scores_over_cells_by_hand() -> None:
    """Top two layers: 1 and 2, 3 and 4, 5 and 6; then 2 and 3, 3 and 4, 1 and 2."""
    table = score_table([answers((1, 3, 5)), answers((2, 3, 1), seed=2)]).set_index("rank")
    assert table["accuracy"].tolist() == pytest.approx([5 / 6, (3 + 0.5 + 1 + 0) / 6])
    assert set(table["cells"]) == {2}
    assert set(table["trials"]) == {6}
    assert (table.loc[1, "low"], table.loc[1, "high"]) == pytest.approx(share_interval(5 / 6, 6))
    assert table["constant"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert table["better"].tolist() == [True, table.loc[2, "low"] > 1 / 3]
    assert not score_table([answers((1, 1, 1))])["better"].any(), "the best constant answer is no better than itself"


def test_cells_that_learnt_nothing_in_some_setting_do_not_count() -> None:
    found = [answers((1, 3, 5)), answers((6, 6, 6), seed=2, noisy=0.94)]
    assert score_table(found)["cells"].tolist() == [1, 1]
    assert confusion(found, "swapping").sum() == 3
    assert score_table(found[1:]).empty
    assert score_table([]).empty


def test_a_technique_that_cannot_tell_in_some_setting_is_not_scored() -> None:
    blind = answers((1, 3, 5))
    blind.weights["control_middle"] = np.full(6, np.nan)
    assert blind.score is None
    assert score_table([blind]).empty
    assert confusion([blind], "swapping").sum() == 0


def test_which_place_was_taken_for_which() -> None:
    table = confusion([answers((1, 3, 5)), answers((2, 5, 1), seed=2), answers((1, 3, 5), seed=3)], "swapping")
    assert table.tolist() == [[3, 0, 0, 0], [0, 2, 1, 0], [1, 0, 2, 0]]
    deep = confusion([answers((1, 4, 12), num_layers=12)], "swapping")
    assert deep.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], "layer 4 of 12 is in no place"
    assert confusion([answers((1, 3, 5))], "probing").sum() == 0


def test_equal_top_layers_share_their_trial() -> None:
    even = answers((1, 3, 5))
    even.weights["control_last"] = np.array([0, 0, 0, 1.0, 1.0, 0])
    assert confusion([even], "swapping")[2].tolist() == [0, 0.5, 0.5, 0]


def test_answers_come_from_the_rows_of_every_setting() -> None:
    numbers = control_numbers(FLAT)
    cell = numbers.cells()[0]
    assert control_settings(numbers, cell) == CONTROLS  # type: ignore[arg-type]
    found = all_answers(numbers)  # type: ignore[arg-type]
    assert [(a.cell, a.technique) for a in found] == [(cell, "swapping"), (cell, "retraining")], "maps weigh no layers"
    assert [int(np.argmax(found[0].weights[s])) + 1 for s in CONTROLS] == [2, 3, 1]
    assert found[0].noisy == {"control_first": 0.99, "control_middle": 0.96, "control_last": 0.99}
    assert found[0].memorised
    table = score_table(found).set_index(["technique", "rank"])
    assert table.loc[("swapping", 1), "accuracy"] == pytest.approx(2 / 3)
    assert table.loc[("retraining", 1), "accuracy"] == pytest.approx(1 / 3), "all layers alike: as good as a random one"
    again = cell_answers(numbers, cell, "swapping")  # type: ignore[arg-type]
    assert again.score == found[0].score


def test_cells_without_control_settings_have_no_answers() -> None:
    numbers = control_numbers(FLAT)
    numbers.settings = lambda cell: ("main",)
    assert all_answers(numbers) == []  # type: ignore[arg-type]
