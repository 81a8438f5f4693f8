"""Do two ways of looking put the tasks in the same order? Spearman's correlation over tasks, with interval and test.

Both take grids of one number a task (rows) and model (columns), NaN where there is none, and ask ``relation.related``:
whole tasks are resampled and exchanged. Few tasks have few orders: of four there are 24, of five 120, so that no
two-sided p value within a model is below 2 / 24 or 2 / 120, however well they agree.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import percentiles, task_draws
from memloc.analysis.intervals import Interval
from memloc.analysis.relation import ALL, Related, related

COLUMNS = list(Related._fields)


def same_order(first: pd.DataFrame, second: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Do the models put the tasks in the same order twice, all together and each by itself?

    Args:
        first, second: grids of the same tasks and models. Where models have different numbers of layers, their numbers
            must be on one scale, or the row of all models mixes scales.
        resamples, seed: as for ``related``.

    Returns:
        ``model`` (``all``, then each column) and the fields of ``Related``.
    """
    sides = {ALL: list(first.columns), **{model: [model] for model in first.columns}}
    second = second.reindex(index=first.index, columns=first.columns)
    made = [
        (model, *related(first[chosen].to_numpy(float), second[chosen].to_numpy(float), resamples, seed))
        for model, chosen in sides.items()
    ]
    return pd.DataFrame(made, columns=["model", *COLUMNS])


def between_columns(grid: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Do every two models put the tasks in the same order?

    Returns:
        ``first, second`` (models) and the fields of ``Related``.
    """
    made = [
        (first, second, *related(grid[[first]].to_numpy(float), grid[[second]].to_numpy(float), resamples, seed))
        for first, second in combinations(grid.columns, 2)
    ]
    return pd.DataFrame(made, columns=["first", "second", *COLUMNS])


def mean_over_tasks(values: pd.Series, resamples: int = 1000, seed: int = 0) -> Interval:
    """Mean of one number a task with its 95 % interval over tasks, which two tasks are too few for."""
    known = values.dropna().sort_index()
    ends = float("nan"), float("nan")
    if len(known) > 2:
        draws = task_draws(np.asarray(known.index, str), resamples, np.random.default_rng(seed))
        ends = percentiles(draws @ known.to_numpy(float) / len(known))
    return Interval(*(np.array(number) for number in (known.mean() if len(known) else float("nan"), *ends)))
