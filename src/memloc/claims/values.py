"""From the tidy summary to the numbers of each unit that a part of a claim compares."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from memloc.claims.schema import Claim, Part, Requirement, Settings, Value
from memloc.errors import MemlocError, unknown_name

COLUMNS = ("run", "task", "model", "seed", "technique", "metric", "layer", "value", "n")
VARIANT = "v2"
CELL = ["task", "model", "seed"]
POOLED = "all models"  # the column of values that were averaged (or otherwise joined) over models


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one part compares.

    ``arrays`` maps the names of the part's values to (units, columns) arrays with the same units in the same order; a
    column is a model, or all models together. ``in_group`` (units,) marks the part's group of tasks.
    """

    arrays: dict[str, np.ndarray]
    units: tuple[str, ...]
    in_group: np.ndarray
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: int  # the smallest number of seeds behind one (task, model) value
    incomplete: tuple[str, ...] = ()  # units left out because a model or a value is missing
    absent: tuple[str, ...] = ()  # values of which there is no eligible row at all


def check_summary(summary: pd.DataFrame, settings: Settings) -> None:
    """Refuse a summary with missing columns, unknown metrics, infinite values or one thing measured twice.

    Raises:
        MemlocError: naming what is wrong, with near misses for a metric.
    """
    missing = [c for c in COLUMNS if c not in summary.columns]
    if missing:
        raise MemlocError("missing columns of the summary", missing, COLUMNS)
    for metric in summary["metric"].unique():
        if metric not in settings.metrics:
            raise unknown_name("metric", str(metric), settings.metrics)
    if np.isinf(summary["value"].to_numpy(float)).any():
        raise MemlocError("summary values", "inf", "finite numbers, or empty where not measured")
    keys = [*CELL, "technique", "metric", "layer"]
    twice = summary.duplicated(keys)
    if twice.any():
        raise MemlocError("summary rows", summary.loc[twice, keys].iloc[0].to_dict(), "each thing measured once")


def eligible(claim: Claim, summary: pd.DataFrame) -> pd.DataFrame:
    """The measured rows of the cells that meet the claim's requirements."""
    rows = summary[summary["value"].notna()]
    keep = np.ones(len(rows), bool)
    cells = pd.MultiIndex.from_frame(rows[CELL])
    for requirement in claim.requires:
        passed = cells[_rows_of(rows, requirement) & (rows["value"] >= requirement.at_least).to_numpy()]
        keep &= ~rows["technique"].isin(requirement.applies_to).to_numpy() | cells.isin(passed)
    return rows[keep]


def _rows_of(rows: pd.DataFrame, requirement: Requirement) -> np.ndarray:
    return ((rows["metric"] == requirement.metric) & (rows["technique"] == requirement.technique)).to_numpy()


def extract(part: Part, rows: pd.DataFrame, claim: Claim) -> Sample:
    """The part's values over the units that have all of them (``rows``: see ``eligible``)."""
    frames = {name: _frame(value, part, rows, claim) for name, value in part.values.items()}
    seen = sorted(set().union(*(frame.index for frame in frames.values())))
    complete = {name: frame.dropna() for name, frame in frames.items()}
    units = [u for u in seen if all(u in frame.index for frame in complete.values())]
    by_model = [set(frame.columns) for frame in frames.values() if list(frame.columns) != [POOLED]]
    columns = sorted(set.intersection(*by_model)) if by_model else []
    if by_model and not columns:
        units = []
    arrays = {}
    for name, frame in complete.items():
        chosen = frame if list(frame.columns) == [POOLED] else frame[columns]
        arrays[name] = chosen.loc[units].to_numpy(float)
    if part.value.transform == "distance_from_mean" and units:
        arrays["value"] = np.abs(arrays["value"] - arrays["value"].mean(axis=0))
    read = {v: _select(v, part, rows, claim) for root in part.values.values() for v in root.chain}
    used = pd.concat(list(read.values()))
    if claim.unit == "task":
        used = used[used["task"].isin(units)]
    if by_model:
        used = used[used["model"].isin(columns)]
    seeds = used.groupby(["task", "model", "technique", "metric"])["seed"].nunique()
    return Sample(
        arrays=arrays,
        units=tuple(units),
        in_group=np.array([u in part.group for u in units], bool),
        tasks=tuple(sorted(used["task"].unique())),
        models=tuple(sorted(used["model"].unique())),
        seeds=int(seeds.min()) if len(seeds) else 0,
        incomplete=tuple(u for u in seen if u not in units),
        absent=tuple(str(value) for value, found in read.items() if found.empty),
    )


def _select(value: Value, part: Part, rows: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """The rows a value is made of; variants under the names of the tasks they vary."""
    groups = claim.settings.models
    chosen = rows[(rows["metric"] == value.metric) & rows["technique"].isin(value.technique)]
    larger = chosen["model"].isin(groups["larger"])
    chosen = chosen[~larger if value.models == "any" else chosen["model"].isin(groups[value.models])]
    varied = chosen["task"].str.endswith(VARIANT)
    chosen = chosen[varied if value.variant else ~varied]
    if value.variant:
        chosen = chosen.assign(task=chosen["task"].str.removesuffix(VARIANT))
    return chosen[chosen["task"].isin(part.tasks)] if part.tasks else chosen


def _frame(value: Value, part: Part, rows: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """One row a unit, one column a model (or one column of all models); missing where not measured."""
    chosen = _select(value, part, rows, claim)
    if chosen.empty:
        return pd.DataFrame({POOLED: []} if value.over_models != "none" else {}, dtype=float)
    keys = ["task", "model"] if claim.unit == "task" else ["unit"]
    if claim.unit == "run":
        chosen = chosen.assign(unit=chosen["model"] + " seed " + chosen["seed"].astype(str))
    if value.transform == "layer_trend":
        means = _trend(chosen, keys)
    else:
        by_technique = chosen.groupby([*keys, "technique"])["value"].mean().unstack("technique")
        means = by_technique.reindex(columns=list(value.technique)).mean(axis=1, skipna=False)
    frame = means.unstack("model") if claim.unit == "task" else means.to_frame(POOLED)
    if claim.unit == "task" and value.over_models != "none":
        frame = getattr(frame, value.over_models)(axis=1, skipna=False).to_frame(POOLED)
    if value.minus is None:
        return frame
    less = _frame(value.minus, part, rows, claim)
    return frame.sub(less[POOLED], axis=0) if POOLED in less else frame - less


def _trend(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Spearman correlation of the value with the layer number; missing unless layers 1..L (L >= 3) are all there."""
    means = rows.groupby([*keys, "layer"])["value"].mean().reset_index("layer")

    def trend(unit: pd.DataFrame) -> float:
        layers, weights = unit["layer"].to_numpy(float), rankdata(unit["value"])
        if len(layers) < 3 or not np.array_equal(np.sort(layers), np.arange(1, len(layers) + 1)):
            return float("nan")
        return float(np.corrcoef(rankdata(layers), weights)[0, 1]) if weights.std() > 0 else 0.0

    return pd.Series({key: trend(unit) for key, unit in means.groupby(level=keys)}, dtype=float).rename_axis(keys)
