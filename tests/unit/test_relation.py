"""Depth against generalisation: against scipy and loops over all arrangements; where is nothing, nothing is found."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, spearmanr

from memloc.analysis.relation import ALL, COLUMNS, arrangements, related, relation
from memloc.errors import MemlocError


def slow_p(depth: np.ndarray, score: np.ndarray) -> float:
    """Every order of tasks, one by one."""
    observed = abs(spearmanr(depth.ravel(), score.ravel())[0])
    orders = list(itertools.permutations(range(len(depth))))
    hits = [abs(spearmanr(depth.ravel(), score[list(o)].ravel())[0]) >= observed - 1e-9 for o in orders]
    return sum(hits) / len(orders)


@pytest.mark.parametrize("models", [1, 3])
def test_value_p_and_interval_equal_loops(models: int) -> None:
    rng = np.random.default_rng(models)
    depth, score = rng.integers(0, 5, (2, 5, models)).astype(float)  # with ties
    found = related(depth, score, resamples=300, seed=4)
    assert found.value == pytest.approx(spearmanr(depth.ravel(), score.ravel())[0])
    assert found.p_value == pytest.approx(slow_p(depth, score))
    assert (found.arrangements, found.n, found.tasks) == (120, 5 * models, 5)
    drawn = []
    for counts in np.random.default_rng(4).multinomial(5, np.full(5, 0.2), size=300):
        x, y = (np.repeat(side, counts, axis=0).ravel() for side in (depth, score))
        if len(set(x)) > 1 and len(set(y)) > 1:
            drawn.append(spearmanr(x, y)[0])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_drawn_permutations_come_close_to_all_of_them() -> None:
    rng = np.random.default_rng(0)
    depth, score = rng.random((2, 6, 2))
    exact, drawn = related(depth, score, 720).p_value, related(depth, score, 700)
    assert drawn.arrangements == 700
    assert drawn.p_value == pytest.approx(exact, abs=0.06)
    assert related(depth, score, 700).p_value == drawn.p_value, "the same seed, the same number"


def test_p_values_are_uniform_where_tasks_play_no_part_though_models_do() -> None:
    """Both depth and score differ between models, which correlates them; no task is deep or easy."""
    rng, found = np.random.default_rng(1), []
    for trial in range(300):
        level = np.arange(3) * 2.0
        shared = rng.normal(size=(2, 7, 1))  # models of a task are alike, in depth and, unrelated, in score
        depth, score = level + shared + 0.3 * rng.normal(size=(2, 7, 3))
        found.append(related(depth, score, resamples=199, seed=trial).p_value)
    assert kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) <= 0.09


def test_points_taken_one_by_one_would_find_what_is_not_there() -> None:
    """Why the task is the unit: with the points as units the same worlds give far too many small p values."""
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        shared = rng.normal(size=(2, 7, 1))
        depth, score = shared + 0.3 * rng.normal(size=(2, 7, 3))
        found.append(spearmanr(depth.ravel(), score.ravel()).pvalue)
    assert np.mean(np.array(found) <= 0.05) > 0.15


def test_a_real_relation_is_found() -> None:
    depth = np.arange(7.0)[:, None] + np.array([0, 0.1])
    found = related(depth, depth**2)
    assert found.value == pytest.approx(1)
    assert found.p_value == pytest.approx(1 / 5040), "no other order of tasks is as extreme"
    assert found.low == pytest.approx(1)


def test_tasks_are_exchanged_only_with_those_that_have_the_same_models() -> None:
    rng = np.random.default_rng(0)
    orders, exact = arrangements([(True, True), (True, False), (True, True), (False, False)], 100, rng)
    assert exact
    assert orders.tolist() == [[0, 1, 2, 3], [2, 1, 0, 3]]
    drawn, exact = arrangements([(True,)] * 4 + [(False,)], 10, rng)
    assert not exact
    assert (np.sort(drawn[:, :4], axis=1) == np.arange(4)).all()
    assert (drawn[:, 4] == 4).all()
    depth = np.array([[1, 2], [2, np.nan], [3, 4], [np.nan, np.nan]])
    found = related(depth, np.array([[2.0, 3], [1, 9], [5, 6], [7, 7]]))
    assert (found.n, found.tasks, found.arrangements) == (5, 3, 2)
    assert found.value == pytest.approx(spearmanr([1, 2, 2, 3, 4], [2, 3, 1, 5, 6])[0])


def test_too_little_or_no_variation_is_no_number() -> None:
    few = related(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    assert np.isnan([few.value, few.p_value]).all()
    assert (few.n, few.tasks) == (2, 2)
    flat = related(np.full((5, 1), 0.1), np.arange(5.0)[:, None])
    assert np.isnan([flat.value, flat.low, flat.p_value]).all()
    assert flat.n == 5


def summary() -> pd.DataFrame:
    """Two models of different depth that cross at the same share of it, two seeds around it."""
    rows = []
    for place, task in enumerate(["a", "b", "c", "d", "e"]):
        for model, layers in (("small", 3), ("large", 7)):
            for seed, shift in ((1, -0.1), (2, 0.1)):
                own = {
                    ("training", "num_layers"): layers,
                    ("centroids", "crossing"): (layers + 1) * place / 5 + shift,
                    ("swapping", "mcog"): 9.0 - place,
                    ("swapping", "mcog_relative"): 1 - place / 5 + shift,
                    ("maps", "generalisation_score"): place / 10 + shift,
                }
                rows += [(task, model, seed, technique, metric, value) for (technique, metric), value in own.items()]
    frame = pd.DataFrame(rows, columns=["task", "model", "seed", "technique", "metric", "value"])
    return frame.assign(layer=None)


def test_the_table_has_every_depth_and_score_there_is() -> None:
    found = relation(summary(), resamples=200)
    assert list(found.columns) == COLUMNS
    assert found[["technique", "metric", "score", "model"]].to_numpy().tolist() == [
        [technique, metric, "generalisation_score", model]
        for technique, metric in (("centroids", "crossing"), ("swapping", "mcog_relative"))
        for model in (ALL, "large", "small")
    ]
    told = found.set_index(["metric", "model"])
    assert told.loc["crossing", "value"].tolist() == pytest.approx([1, 1, 1]), "on one scale though models differ in L"
    assert told.loc["mcog_relative", "value"].tolist() == pytest.approx([-1, -1, -1])
    assert told.loc["crossing", "n"].tolist() == [10, 5, 5]
    assert told.loc["crossing", "tasks"].tolist() == [5, 5, 5]
    assert told.loc[("crossing", ALL), "p_value"] == pytest.approx(2 / 120)


def test_without_scores_there_is_no_relation() -> None:
    table = summary()
    assert relation(table[table["technique"] != "maps"]).empty
    with pytest.raises(MemlocError, match=r"layers of (large|small): 'not told'"):
        relation(table[table["metric"] != "num_layers"])
    with pytest.raises(MemlocError, match="each thing measured once"):
        relation(pd.concat([table, table]))
