"""What taking out what localisers point to comes to, over all cells: does pointing to the place predict forgetting?

Of ``tables.REMOVAL``. A removal *forgets* noisy_before - noisy_after of the wrong labels that the localiser never saw,
and *loses* clean_before - clean_after of the right ones; its *gain* is what it forgets beyond removals of equal size
that look at nothing. Rows without such removals are left out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.correlation import correlation, task_interval, weighted_mean
from memloc.planted.answers import CELL
from memloc.planted.entries import kind_of
from memloc.profiles.planting import ACQUIRED

UNITS = "units"
WHAT = ["regime", "technique", "what"]
COLUMNS = [*WHAT, "is_true", "forgets", "random", "gain", "low", "high", "loses", "loses_random", "cells", "tasks"]


def measured_removals(removal: pd.DataFrame) -> pd.DataFrame:
    """The rows that can be compared, with what was removed in a word, and what it forgot and lost.

    Returns:
        The table with columns what (``layers``; where the place is not known ``1 layer``, ``2 layers``; ``units``, and
        where whole layers were planted into ``units of layers``: true means there that they lie in these layers),
        forgets, random, gain, loses and loses_random, all in shares of the examples.
    """
    kept = removal[removal["noisy_after_random"].notna()].reset_index(drop=True)
    named = list(map(_what, kept["removed"], kept["is_true"].isna(), kept["place"]))
    forgets, random = (kept["noisy_before"] - kept[f"noisy_{when}"] for when in ("after", "after_random"))
    loses, beside = (kept["clean_before"] - kept[f"clean_{when}"] for when in ("after", "after_random"))
    return kept.assign(
        what=named, forgets=forgets, random=random, gain=forgets - random, loses=loses, loses_random=beside
    )


def _what(removed: str, unknown: bool, place: str) -> str:
    kind, _, rest = removed.partition(":")
    if kind == UNITS:
        return UNITS if unknown or kind_of(place) == UNITS else "units of layers"
    size = rest.count(",") + 1
    return f"{size} layer{'s' if size > 1 else ''}" if unknown else kind


def editing(removal: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Means over cells by regime, technique and what was removed; the gain with its 95 % interval over tasks.

    Returns:
        Columns ``COLUMNS``, the largest gain of a regime first; intervals are NaN with fewer than three tasks.
    """
    rows: list[dict[str, Any]] = []
    means = ["is_true", "forgets", "random", "gain", "loses", "loses_random"]
    for who, found in measured_removals(removal).groupby(WHAT):
        tasks, gain = found["task"].to_numpy(), found["gain"].to_numpy(float)
        low, high = task_interval(tasks, partial(weighted_mean, gain), resamples, seed)
        row: dict[str, Any] = dict(zip(WHAT, who, strict=True))
        row |= {name: float(found[name].astype(float).mean()) for name in means}
        rows.append({**row, "low": low, "high": high, "cells": len(found), "tasks": len(set(tasks))})
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values(["regime", "gain"], ascending=[True, False], kind="stable", ignore_index=True)


def pointing_predicts(removal: pd.DataFrame, regime: str, resamples: int = 1000, seed: int = 0) -> dict[str, float]:
    """Whether removals of layers that are true forget more, over all localisers and cells of a regime.

    A cell has ground truth only if its place forgets when it is put back, so true layers must forget here too: this
    checks the machinery. Where none of the removed layers is true, some removals of equal size are, so the gain is
    below 0 although hardly anything is forgotten.

    Returns:
        rho (Spearman's of the share of removed layers that are true with the gain), its 95 % interval over tasks low
        and high, n, different (removals that differ in the cell or the layers), the mean gain where all removed layers
        are true (right) and where none is (wrong), and what the latter forget (wrong_forgets); NaN where something
        cannot be told.
    """
    table = measured_removals(removal)
    table = table[(table["regime"] == regime) & (table["what"] == "layers")]
    true, gain, tasks = table["is_true"].to_numpy(float), table["gain"].to_numpy(float), table["task"].to_numpy()
    low, high = task_interval(tasks, lambda counts: correlation(true, gain, "spearman", counts), resamples, seed)
    right, wrong = (float(gain[true == share].mean()) if (true == share).any() else np.nan for share in (1, 0))
    told = {"rho": float(correlation(true, gain, "spearman")[0]), "low": low, "high": high, "right": right}
    told |= {"n": float(len(table)), "different": float(len(table[[*CELL, "removed"]].drop_duplicates()))}
    return told | {"wrong": wrong, "wrong_forgets": float(table.loc[true == 0, "forgets"].mean())}


def acquired_net(removal: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """What removals of acquired memory forget beyond the damage they do, by technique, the most first.

    A removal's net gain is its gain, less the right labels that it loses beyond those that removals of equal size lose.
    It is averaged over the sizes of ``removal.SIZES`` within a cell, so that no size is chosen by what it yields.

    Returns:
        Columns technique, variant, net (mean over cells), its 95 % interval over tasks low and high (NaN with fewer
        than three tasks), cells.
    """
    table = measured_removals(removal)
    table = table[(table["regime"] == ACQUIRED) & table["removed"].str.startswith("layers:")]
    removed = table.assign(net=table["gain"] - (table["loses"] - table["loses_random"]).astype(float))
    cells = removed.groupby(["technique", "variant", *CELL])["net"].mean().reset_index()
    rows: list[dict[str, Any]] = []
    for (technique, variant), found in cells.groupby(["technique", "variant"]):
        net = found["net"].to_numpy(float)
        low, high = task_interval(found["task"].to_numpy(), partial(weighted_mean, net), resamples, seed)
        who = {"technique": technique, "variant": variant}
        rows.append({**who, "net": float(net.mean()), "low": low, "high": high, "cells": len(net)})
    frame = pd.DataFrame(rows, columns=["technique", "variant", "net", "low", "high", "cells"])
    return frame.sort_values("net", ascending=False, kind="stable", ignore_index=True)
