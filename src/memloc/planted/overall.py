"""All localisers on all places: scores, chance, intervals over tasks, and what shuffled places would give.

1. A cell counts in a regime if it has ground truth there (``tables.PLANTED``); which cells do does not depend on any
   localiser, and one that could not answer has found nothing (``entries``). Scores are over places in layers and bands;
   spread places serve calibration, units have a recall of their own, and the study's control settings, which were
   trained and not planted, are left out.
2. Every place weighs the same, whatever number of cells it has: a score is the mean over places of the mean over cells.
   An answer that is always the same cannot gain by places that are learnt more often.
3. Skill is 1 - D / D_const. D is the mean distance, D_const that of the best constant answer, by hindsight, on the same
   places (one layer for each depth of model). A mixture of constants is no better than its best part, so an answer that
   does not look at the model has no skill above 0, but by luck, as long as every task and model has the same places. If
   they have not, an answer that goes by the task may have some; p, within tasks and models, then says that it is none.
   With one place alone there is nothing to be skilled at.
   Skill asks for sharp answers: one that has the right layer in front everywhere, but little more on it than on the
   others, is below 0. So who stands above whom is decided by top_skill, the same of the heaviest layer alone, whatever
   the rest of the answer is; skill stands beside it.
4. Intervals resample tasks, with all their cells; with fewer than three tasks there are none.
5. The null hypothesis is that answers do not depend on the place: within each (task, model, seed, amount) the places
   are shuffled among the answers. It gives the interval of chance and p, the share of shuffles that score as well.

Cost: localisers x permutations x cells, seconds for thousands of answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.correlation import TASKS_FOR_INTERVAL, percentiles, task_draws, weighted_mean
from memloc.planted.answers import attainable
from memloc.planted.entries import WHO, Entry, entries, main_amount, with_truth
from memloc.planted.places import Place, truth
from memloc.planted.scores import DISTANCES, SCORES, chance, entropy, flatter, pair_scores

KINDS = ("layer", "band")
SPREAD = "spread"
HEADLINE = "top_skill"  # who stands above whom, and who is better than a constant
SHOWN = ("top_skill", "skill", "top_1", "reciprocal_rank", "mass", "calibration")
COUNTS = ["cells", "silent", "tasks"]
COLUMNS = [*WHO, "score", "value", "low", "high", "chance", "null_low", "null_high", "p", "constant", *COUNTS]


def score_table(
    found: pd.DataFrame,
    planted: pd.DataFrame,
    noise: float | None = None,
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Every score of every localiser, of all constant answers and of random ones.

    Args:
        found: ``tables.FOUND``.
        planted: ``tables.PLANTED``.
        noise: the amount of wrong labels; by default the one that most tasks have.
        resamples: draws of tasks for intervals.
        permutations: shuffles of places for the null hypothesis.
        seed: of both.

    Returns:
        Columns ``COLUMNS``, a row a localiser, regime and score (``SHOWN``): its 95 % interval over tasks (NaN with
        fewer than three), what a localiser that looks at nothing expects (exact), the middle 95 % under shuffling and
        p, the best constant answer's score, and the number of cells, of those among them without an answer (silent),
        and of tasks.

    Raises:
        MemlocError: if nothing was planted, or an answer lacks a layer.
    """
    cells = with_truth(planted, main_amount(planted) if noise is None else noise)
    rows = []
    for entry in entries(found, cells):
        who = dict(zip(WHO, entry.who, strict=True))
        for name, row in entry_scores(entry, resamples, permutations, seed).items():
            rows.append({**who, "score": name, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def entry_scores(
    entry: Entry, resamples: int = 1000, permutations: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """The scores of one localiser: name to the further columns of ``COLUMNS``; those that cannot be told are not there.

    Draws and shuffles are the same for everybody on the same cells, so localisers are compared on the same samples.
    """
    told = _places(entry.chosen(KINDS), resamples, permutations, np.random.default_rng(seed))
    calibrated = _calibration(entry.chosen(("layer", SPREAD)), resamples, permutations, np.random.default_rng(seed))
    told |= {"calibration": calibrated} if calibrated else {}
    silent = int((~entry.chosen((*KINDS, SPREAD)).cells["answered"]).sum())
    return {name: {**row, "silent": silent} for name, row in told.items()}


def _places(entry: Entry, resamples: int, permutations: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Skill, top-1, reciprocal rank and mass on the places there are."""
    if entry.cells.empty:
        return {}
    constants, n = Constants(entry), len(entry.cells)
    pairs = [(rows, pair_scores(w, t, constants.reach[rows])) for rows, w, t in entry.blocks()]
    orders = [rng.permuted(np.tile(np.arange(len(r)), (permutations, 1)), axis=1) for r, _ in pairs]
    (whole,), _ = place_shares(np.ones((1, n)), constants.number)
    tasks = entry.cells["task"].to_numpy()
    shares, present = place_shares(task_draws(tasks, resamples, rng), constants.number)
    told: dict[str, dict[str, Any]] = {}
    for name in SCORES:
        observed, null = np.empty(n), np.zeros(permutations)
        for (rows, scores), order in zip(pairs, orders, strict=True):
            observed[rows] = np.diag(scores[name])
            null += scores[name][order, np.arange(len(rows))] @ whole[rows]
        value, draws, best = whole @ observed, shares @ observed, constants.best(name)[0]
        expected = float(constants.chance[name].mean())
        if name in DISTANCES:
            best_draws = constants.best(name, present)
            room = best or np.nan
            value, null, expected = 1 - value / room, 1 - null / room, 1 - expected / room
            draws, best = 1 - draws / np.where(best_draws > 0, best_draws, np.nan), 0.0
        row = told_of(float(value), draws, null, tasks)
        told[DISTANCES.get(name, name)] = {**row, "chance": float(expected), "constant": float(best)}
    return {name: told[name] for name in SHOWN if name in told}


def _calibration(entry: Entry, resamples: int, permutations: int, rng: np.random.Generator) -> dict[str, Any] | None:
    """Are answers flatter where memory is spread? Pairs of one block; every block counts the same."""
    values, nulls, tasks, cells = [], [], [], 0
    for rows, weights, _ in entry.blocks():
        spread = (entry.cells["place"].iloc[rows] == SPREAD).to_numpy()
        if spread.all() or not spread.any():
            continue
        beside = flatter(entropy(weights))
        order = rng.permuted(np.tile(np.arange(len(rows)), (permutations, 1)), axis=1)
        values.append(beside[spread][:, ~spread].mean())
        nulls.append(beside[order[:, spread][:, :, None], order[:, ~spread][:, None, :]].mean(axis=(1, 2)))
        tasks.append(entry.cells["task"].iloc[rows[0]])
        cells += len(rows)
    if not values:
        return None
    counts = task_draws(tasks, resamples, rng)
    draws = weighted_mean(np.array(values), counts)
    row = told_of(float(np.mean(values)), draws, np.mean(nulls, axis=0), np.array(tasks))
    return {**row, "chance": 0.5, "constant": 0.5, "cells": cells}


def told_of(value: float, draws: np.ndarray, null: np.ndarray, tasks: np.ndarray) -> dict[str, Any]:
    """A score with its interval over tasks, its interval of chance and p."""
    several = len(set(tasks)) >= TASKS_FOR_INTERVAL
    low, high = percentiles(draws) if several else (np.nan, np.nan)
    null_low, null_high = percentiles(null)
    as_good = int((null >= value - 1e-9).sum())  # sums in another order differ in their last bits
    p = (1 + as_good) / (1 + len(null)) if np.isfinite(value) else np.nan
    row = {"value": value, "low": low, "high": high, "null_low": null_low, "null_high": null_high, "p": p}
    return {**row, "cells": len(tasks), "tasks": len(set(tasks))}


def place_shares(counts: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each cell weighs when every place weighs the same, in samples that hold cells ``counts`` [R, n] times.

    Args:
        places: number of each cell's place, 0..P-1, [n].

    Returns:
        Weights [R, n], rows summing to 1, and which places a sample holds, bool [R, P].
    """
    per_place = counts @ np.eye(places.max() + 1)[places]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(counts > 0, counts / per_place[:, places], 0.0)
    present = per_place > 0
    return share / present.sum(axis=1, keepdims=True), present


class Constants:
    """What constant answers score, one layer for each depth, and what chance does, on a localiser's places.

    Args:
        entry: whose cells they are; a mass is relative to what this localiser could reach.
    """

    def __init__(self, entry: Entry) -> None:
        self.named = entry.cells[["layers", "place"]].drop_duplicates().reset_index(drop=True)
        places = pd.MultiIndex.from_frame(self.named)
        self.number = places.get_indexer(pd.MultiIndex.from_frame(entry.cells[["layers", "place"]]))
        self.parts: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []  # places of a depth, scores [L, P]
        self.chance = {name: np.empty(len(self.named)) for name in SCORES}
        reaches = np.empty(len(self.named))
        for depth in sorted(set(self.named["layers"].astype(int))):
            rows = np.flatnonzero(self.named["layers"] == depth)
            shares = np.stack([truth(Place.parse(self.named["place"].iloc[row]), depth) for row in rows])
            reaches[rows] = [attainable(entry.who[2], share) for share in shares]
            self.parts.append((rows, pair_scores(np.eye(depth), shares, reaches[rows])))
            for name, values in chance(shares, reaches[rows]).items():
                self.chance[name][rows] = values
        self.reach = reaches[self.number]  # of each cell

    def best(self, name: str, present: np.ndarray | None = None) -> np.ndarray:
        """The best one's mean score over the places that each sample holds, [R]; over all of them by default."""
        present = np.ones((1, len(self.named)), bool) if present is None else present
        total = np.zeros(len(present))
        for rows, scores in self.parts:
            sums = present[:, rows] @ scores[name].T  # [R, L]
            total += sums.min(axis=1) if name in DISTANCES else sums.max(axis=1)
        return total / present.sum(axis=1)
