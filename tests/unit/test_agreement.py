"""Agreement of techniques and models against scipy, by hand, and where models differ in depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from memloc.analysis.agreement import COLUMNS, between_models, between_techniques, layers_by_model, matrix
from memloc.analysis.correlation import correlation, percentiles, task_draws
from memloc.errors import MemlocError

TASKS = ["wic", "rte", "mrpc", "cola", "trec"]


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_of_resamples_equal_scipy_on_the_drawn_points(method: str) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (2, 12)).astype(float)  # with ties
    tasks = np.repeat(list("abcdef"), 2)
    draws = task_draws(tasks, 50, rng)
    assert draws.shape == (50, 12)
    assert (draws.sum(axis=1) == 12).all(), "as many tasks as there are, with both points of each"
    assert (draws[:, ::2] == draws[:, 1::2]).all(), "the points of a task come together"
    found = correlation(first, second, method, draws)
    scipy = pearsonr if method == "pearson" else spearmanr
    for draw, value in zip(draws, found, strict=True):
        x, y = np.repeat(first, draw), np.repeat(second, draw)
        if len(set(x)) == 1 or len(set(y)) == 1:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(scipy(x, y)[0])


def test_correlation_of_what_does_not_vary_or_is_too_little_is_no_number() -> None:
    assert np.isnan(correlation(np.full(4, 0.1), np.arange(4.0), "pearson")[0])
    assert np.isnan(correlation(np.full(4, 0.1), np.arange(4.0), "spearman")[0])
    assert np.isnan(correlation(np.arange(2.0), np.arange(2.0), "pearson")[0])
    assert np.isnan(correlation(np.array([]), np.array([]), "pearson")[0])
    assert np.isnan(percentiles(np.full(5, np.nan))).all()
    draws = np.append(np.linspace(0, 1, 95), np.full(5, np.nan))
    assert percentiles(draws) == pytest.approx((0.025, 0.975))
    draws[0] = np.nan
    assert np.isnan(percentiles(draws)).all(), "what is left would be no sample of all"
    with pytest.raises(MemlocError, match="kendall"):
        correlation(np.arange(3.0), np.arange(3.0), "kendall")


def test_correlation_keeps_the_digits_of_large_values() -> None:
    x, y = np.array([1.0, 2, 3, 5]), np.array([2.0, 1, 4, 3])
    assert correlation(x + 1e9, y, "pearson")[0] == pytest.approx(pearsonr(x, y)[0], abs=1e-6)


def summary(models: dict[str, int], techniques: tuple[str, ...], seeds: int = 1, seed: int = 0) -> pd.DataFrame:
    """Random layer weights, with an M-CoG of its own for every cell."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in TASKS:
        for model, layers in models.items():
            for number in range(1, seeds + 1):
                rows.append((task, model, number, "training", "num_layers", None, layers))
                for technique in techniques:
                    depth = rng.random()
                    rows.append((task, model, number, technique, "mcog", None, 1 + depth * (layers - 1)))
                    rows.append((task, model, number, technique, "mcog_relative", None, depth))
                    rows += [
                        (task, model, number, technique, "layer_weight", layer, rng.random())
                        for layer in range(1, layers + 1)
                    ]
    return pd.DataFrame(rows, columns=["task", "model", "seed", "technique", "metric", "layer", "value"])


def values(table: pd.DataFrame, metric: str, technique: str, model: str | None = None) -> list[float]:
    """In the order of task, model and layer, seeds averaged; written out as loops."""
    found = []
    for task in TASKS:
        for own in [model] if model else sorted(set(table["model"])):
            rows = table[(table["task"] == task) & (table["model"] == own)]
            rows = rows[(rows["technique"] == technique) & (rows["metric"] == metric)]
            for _, same in rows.groupby("layer", dropna=False):
                found.append(float(np.mean(same["value"])))
    return found


def test_techniques_by_mcog_and_by_layer_equal_scipy() -> None:
    table = summary({"a": 4, "b": 4}, ("swapping", "retraining", "probing"), seeds=2)
    for layerwise, metric, n in ((False, "mcog", 10), (True, "layer_weight", 40)):
        found = between_techniques(table.sample(frac=1, random_state=1), layerwise, resamples=50)
        assert list(found.columns) == COLUMNS
        assert len(found) == 3
        for row in found.itertuples():
            expected = pearsonr(values(table, metric, row.first), values(table, metric, row.second))[0]
            assert row.value == pytest.approx(expected)
            assert (row.n, row.tasks, row.measure, row.method) == (n, 5, metric, "pearson")
            assert row.low <= row.high
    assert set(between_techniques(table, True, 5)["layers"]) == {4}


def test_models_equal_scipy() -> None:
    table = summary({"a": 4, "b": 4, "c": 4}, ("swapping", "probing"))
    for row in between_models(table, resamples=20).itertuples():
        sides = [
            values(table, "mcog", "swapping", m) + values(table, "mcog", "probing", m) for m in (row.first, row.second)
        ]
        assert row.value == pytest.approx(spearmanr(*sides)[0])
        assert (row.n, row.tasks, row.method) == (10, 5, "spearman")
    one = between_models(table, techniques=["swapping"], resamples=20)
    expected = spearmanr(values(table, "mcog", "swapping", "a"), values(table, "mcog", "swapping", "b"))[0]
    assert matrix(one).loc["a", "b"] == matrix(one).loc["b", "a"] == pytest.approx(expected)


def test_the_interval_is_that_of_drawn_tasks() -> None:
    table = summary({"a": 4, "b": 4}, ("swapping", "probing"))
    found = between_techniques(table, resamples=200, seed=3).iloc[0]
    drawn = []
    points = {t: np.array(values(table[table["task"] == t], "mcog", "swapping")) for t in TASKS}
    other = {t: np.array(values(table[table["task"] == t], "mcog", "probing")) for t in TASKS}
    order = sorted(TASKS)
    for counts in np.random.default_rng(3).multinomial(5, np.full(5, 0.2), size=200):
        tasks = [task for task, count in zip(order, counts, strict=True) for _ in range(count)]
        x, y = np.concatenate([points[t] for t in tasks]), np.concatenate([other[t] for t in tasks])
        drawn.append(pearsonr(x, y)[0])
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_models_of_different_depth_are_compared_by_relative_depth_and_never_layer_by_layer() -> None:
    table = summary({"a": 4, "b": 4, "deep": 6}, ("swapping", "probing"))
    assert layers_by_model(table) == {"a": 4, "b": 4, "deep": 6}
    models = between_models(table, resamples=5).set_index(["first", "second"])
    assert models.loc[("a", "b"), "measure"] == "mcog"
    assert models.loc[("a", "deep"), "measure"] == "mcog_relative"
    assert between_techniques(table, resamples=5)["measure"].tolist() == ["mcog_relative"]
    by_layer = between_models(table, layerwise=True, resamples=5).set_index(["first", "second"])
    assert by_layer.loc[("a", "b"), "n"] == 5 * 2 * 4
    assert by_layer.loc[("a", "deep"), "n"] == 0
    assert np.isnan(by_layer.loc[("a", "deep"), "value"])
    techniques = between_techniques(table, layerwise=True, resamples=5)
    assert techniques[["layers", "n"]].to_numpy().tolist() == [[4, 40], [6, 30]]
    with pytest.raises(MemlocError, match="one number of layers at a time"):
        matrix(techniques)


def test_fewer_than_three_points_are_no_correlation_but_are_counted() -> None:
    table = summary({"a": 4}, ("swapping", "probing"))
    found = between_techniques(table[table["task"].isin(TASKS[:2])]).iloc[0]
    assert np.isnan([found["value"], found["low"], found["high"]]).all()
    assert found["n"] == 2
    without = table[(table["technique"] != "probing") | (table["task"] == "wic")]
    assert between_techniques(without).iloc[0]["n"] == 1


def test_missing_values_are_left_out_and_not_guessed() -> None:
    table = summary({"a": 4}, ("swapping", "probing"))
    gone = (table["task"] == "wic") & (table["technique"] == "probing")
    found = between_techniques(table.assign(value=table["value"].mask(gone)), resamples=5).iloc[0]
    assert (found["n"], found["tasks"]) == (4, 4)


def test_bad_tables_are_refused() -> None:
    table = summary({"a": 4}, ("swapping", "probing"))
    with pytest.raises(MemlocError, match="missing columns of the summary"):
        between_techniques(table.drop(columns="layer"))
    with pytest.raises(MemlocError, match="each thing measured once"):
        between_techniques(pd.concat([table, table]))
    with pytest.raises(MemlocError, match="layers of a: 'not told'"):
        between_techniques(table[table["metric"] == "mcog"])


def test_nothing_agrees_with_nothing() -> None:
    empty = between_techniques(summary({"a": 4}, ("swapping",)))
    assert empty.empty
    assert list(empty.columns) == COLUMNS
    assert matrix(empty).empty


def test_the_diagonal_is_one_for_correlations_only() -> None:
    found = between_techniques(summary({"a": 4}, ("swapping", "probing")), resamples=5)
    assert np.diag(matrix(found)).tolist() == [1, 1]
    assert np.isnan(np.diag(matrix(found, "n"))).all()
