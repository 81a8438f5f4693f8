"""Localisers of units: how many of the feed-forward units that hold the wrong labels are among those they point to?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.correlation import task_draws
from memloc.errors import MemlocError
from memloc.planted.entries import REGIMES, main_amount, with_truth
from memloc.planted.overall import told_of
from memloc.planted.places import Place, drawn_units
from memloc.planted.scores import recall_at

COLUMNS = ["regime", "technique", "value", "low", "high", "chance", "null_low", "null_high", "p", "cells", "tasks"]


def recalled(units: pd.DataFrame, place: Place, seed: int) -> dict[str, Any]:
    """Recall of the planted units among as many of the highest scores: ``true``, ``units`` and ``recall``.

    Args:
        units: the detail of that name: columns layer, unit and score, every unit of the model once.
        place: of the kind ``units``.
        seed: of the planted cell (``Amount.seed``), by which the units were drawn.

    Raises:
        MemlocError: for another kind of place, or if a unit has no score or two.
    """
    num_layers, width = int(units["layer"].max()), int(units["unit"].max()) + 1
    number = (units["layer"].to_numpy(int) - 1) * width + units["unit"].to_numpy(int)
    if len(units) != num_layers * width or len(np.unique(number)) != len(number):
        raise MemlocError("units with a score", len(units), f"each of {num_layers} x {width} once")
    scores, true = np.empty(len(number)), np.zeros(len(number), bool)
    scores[number] = units["score"].to_numpy(float)
    layer, unit = drawn_units(place, num_layers, width, seed).T
    true[(layer - 1) * width + unit] = True
    return {"true": int(true.sum()), "units": len(true), "recall": recall_at(scores, true)}


def recall_table(
    table: pd.DataFrame,
    planted: pd.DataFrame,
    noise: float | None = None,
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean recall of every localiser of units over the cells with ground truth.

    Args:
        table: ``tables.RECALLED``.
        planted, noise, resamples, permutations, seed: as for ``overall.score_table``; the null hypothesis is that units
            are pointed to at random, so it is drawn and not shuffled.

    Returns:
        Columns ``COLUMNS``, of each regime the best first; chance is the share of the units that were planted into.
    """
    cells = with_truth(planted, main_amount(planted) if noise is None else noise)
    chosen = table.merge(cells, on=[c for c in cells.columns if c in table.columns])
    rows = []
    for (regime, technique), found in chosen.groupby(["regime", "technique"]):
        rng = np.random.default_rng(seed)
        true, rest = found["true"].to_numpy(), (found["units"] - found["true"]).to_numpy()
        null = (rng.hypergeometric(true, rest, true, (permutations, len(found))) / true).mean(axis=1)
        tasks, recall = found["task"].to_numpy(), found["recall"].to_numpy(float)
        counts = task_draws(tasks, resamples, rng)
        row = told_of(float(recall.mean()), counts @ recall / counts.sum(axis=1), null, tasks)
        chance = float((found["true"] / found["units"]).mean())
        rows.append({"regime": regime, "technique": technique, **row, "chance": chance})
    order = pd.DataFrame(rows, columns=COLUMNS).sort_values("value", ascending=False, kind="stable")
    return pd.concat([order[order["regime"] == regime] for regime in REGIMES], ignore_index=True)
