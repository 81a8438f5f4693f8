"""Do techniques agree where a model memorises, and do models? (Method 4, "Agreement".)

Both read a table in the vocabulary of the claims' summary: ``task, model, technique, metric, layer, value`` and, where
there are several, ``seed`` (averaged first). Models with different numbers of layers L are never compared in layers:
M-CoG is then taken along its attainable range (``mcog_relative``), layer weights only among models of one L.

Cost: a pair of n points takes ``resamples`` x n multiplications, times n for rank correlations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import LEAST, correlation, percentiles, task_draws
from memloc.errors import MemlocError

COLUMNS = ["first", "second", "method", "measure", "layers", "value", "low", "high", "n", "tasks"]
NEEDED = ("task", "model", "technique", "metric", "layer", "value")
WEIGHT, DEPTH, RELATIVE = "layer_weight", "mcog", "mcog_relative"


def between_techniques(
    table: pd.DataFrame, layerwise: bool = False, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Pearson correlation of every two techniques over (model, task) points, with a bootstrap over tasks.

    Args:
        table: see above.
        layerwise: correlate layer weights over (model, task, layer), one row a pair and number of layers, instead of
            the M-CoG. Weights are taken as each technique tells them, not scaled to one sum.
        resamples, seed: of the bootstrap.

    Returns:
        ``first, second`` (techniques), ``method, measure`` (which metric was compared), ``layers`` (L, for layer
        weights), ``value`` with its 95 % interval ``low, high``, ``n`` points of ``tasks`` tasks. With fewer than three
        points the numbers are NaN.

    Raises:
        MemlocError: if the table lacks a column, tells one thing twice, or does not tell how many layers models have.
    """
    return _agreement(table, "technique", ["model", "task"], "pearson", layerwise, resamples, seed)


def between_models(
    table: pd.DataFrame,
    layerwise: bool = False,
    techniques: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Spearman correlation of every two models over (technique, task) points; otherwise as ``between_techniques``.

    Techniques have different scales, which is part of what such a correlation over all of them sees.

    Args:
        techniques: the ones to compare over; all of the table by default. With one, only the order of tasks counts.
    """
    chosen = table if techniques is None else table[table["technique"].isin(techniques)]
    return _agreement(chosen, "model", ["technique", "task"], "spearman", layerwise, resamples, seed)


def matrix(agreement: pd.DataFrame, value: str = "value") -> pd.DataFrame:
    """One of the columns as a symmetric matrix with 1 (or nothing, for counts) on its diagonal; for one ``layers``."""
    both = pd.concat([agreement, agreement.rename(columns={"first": "second", "second": "first"})])
    if both.duplicated(["first", "second"]).any():
        raise MemlocError("agreement", sorted(set(agreement["layers"].dropna())), "one number of layers at a time")
    names = list(dict.fromkeys([*agreement["first"], *agreement["second"]]))
    square = both.pivot(index="first", columns="second", values=value).reindex(index=names, columns=names).astype(float)
    if value == "value":
        square = square.mask(np.eye(len(names), dtype=bool), 1.0)
    return square.rename_axis(index=None, columns=None)


def layers_by_model(table: pd.DataFrame, models: Sequence[str] | None = None) -> dict[str, int]:
    """L of models, from ``num_layers`` or from layer weights.

    Args:
        models: by default every one that the table tells M-CoG or layer weights of.

    Raises:
        MemlocError: for a model whose L cannot be told.
    """
    told = table[table["metric"] == "num_layers"].groupby("model")["value"].max()
    seen = table[table["metric"] == WEIGHT].groupby("model")["layer"].max()
    found = {str(model): int(value) for model, value in seen.items()} | {str(m): int(v) for m, v in told.items()}
    for model in table.loc[table["metric"].isin((WEIGHT, DEPTH)), "model"].unique() if models is None else models:
        if model not in found:
            raise MemlocError(f"layers of {model}", "not told", f"rows of metric num_layers or {WEIGHT}")
    return found


def _agreement(
    table: pd.DataFrame, side: str, point: list[str], method: str, layerwise: bool, resamples: int, seed: int
) -> pd.DataFrame:
    means, layers = means_over_seeds(table), layers_by_model(table)
    made = []
    for first, second in combinations(dict.fromkeys(means.loc[means["metric"].isin((WEIGHT, DEPTH)), side]), 2):
        pair = means[means[side].isin((first, second))]
        for measure, depth, chosen in _measures(pair, side, layers, layerwise):
            index = [*point, "layer"] if layerwise else point
            wide = chosen.pivot(index=index, columns=side, values="value").reindex(columns=[first, second]).dropna()
            tasks = wide.index.get_level_values("task").to_numpy()
            value, low, high = _correlated(wide.to_numpy(float).T, tasks, method, resamples, seed)
            made.append((first, second, method, measure, depth, value, low, high, len(wide), len(set(tasks))))
    return pd.DataFrame(made, columns=COLUMNS).astype({"layers": "Int64"})


def _measures(
    pair: pd.DataFrame, side: str, layers: dict[str, int], layerwise: bool
) -> Iterator[tuple[str, int | None, pd.DataFrame]]:
    """What two sides are compared by: metric, L for layer weights, and its rows."""
    depths = pair["model"].map(layers)
    if layerwise and side == "model" and depths.nunique() > 1:
        yield WEIGHT, None, pair.iloc[:0]  # there is no layer of the one that is the other's
    elif layerwise:
        for depth in sorted(set(depths.dropna())):
            yield WEIGHT, int(depth), pair[(pair["metric"] == WEIGHT) & (depths == depth)]
    else:
        measure = DEPTH if depths.nunique() <= 1 else RELATIVE
        yield measure, None, pair[pair["metric"] == measure]


def _correlated(
    sides: np.ndarray, tasks: np.ndarray, method: str, resamples: int, seed: int
) -> tuple[float, float, float]:
    """Correlation of two sides [2, n] with its interval."""
    if len(tasks) < LEAST:
        return float("nan"), float("nan"), float("nan")
    draws = task_draws(tasks, resamples, np.random.default_rng(seed))
    first, second = sides
    return float(correlation(first, second, method)[0]), *percentiles(correlation(first, second, method, draws))


def means_over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The measured rows, averaged over seeds.

    Raises:
        MemlocError: if a column is missing or something is told twice.
    """
    if missing := [column for column in NEEDED if column not in table.columns]:
        raise MemlocError("missing columns of the summary", missing, NEEDED)
    keys = ["task", "model", "technique", "metric", "layer"]
    rows = table[table["value"].notna()]
    if (twice := rows.duplicated([*keys, "seed"] if "seed" in rows else keys)).any():
        raise MemlocError("summary rows", rows.loc[twice, keys].iloc[0].to_dict(), "each thing measured once")
    means = rows.groupby(keys, dropna=False, sort=False)["value"].mean().reset_index()
    return means.astype({"value": float})
