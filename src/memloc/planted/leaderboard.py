"""The leaderboard: who finds what was planted, best first, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from memloc.planted.answers import ALWAYS, GIVEN, SINGLE, WINDOWS
from memloc.planted.entries import REGIMES
from memloc.planted.overall import HEADLINE, SHOWN, score_table
from memloc.wording import with_interval

Who = tuple[str, str]  # technique and variant
WORDS = {"top_skill": "skill, heaviest", "top_1": "top-1", "reciprocal_rank": "reciprocal rank"}


def leaderboard(
    found: pd.DataFrame,
    planted: pd.DataFrame,
    asked: pd.DataFrame | None = None,
    noise: float | None = None,
    resamples: int = 1000,
    permutations: int = 1000,
) -> pd.DataFrame:
    """The scores of all localisers, blind before oracle; of the constants only the best one of each regime.

    Args:
        found: ``tables.FOUND``.
        planted: ``tables.PLANTED``.
        asked: ``tables.ASKED``; without it there are no seconds.
        noise, resamples, permutations: as for ``overall.score_table``.

    Returns:
        Words, a row a localiser and regime: regime, localiser, a column for each of ``SHOWN`` (its value, and its 95 %
        interval over tasks where there are three), p of the heaviest layer's skill, cells, tasks, and mean seconds a
        cell.
    """
    return ranked(score_table(found, planted, noise, resamples, permutations), asked)


def ranked(table: pd.DataFrame, asked: pd.DataFrame | None = None) -> pd.DataFrame:
    """The same from ``overall.score_table``."""
    cost = {} if asked is None else asked.groupby("technique")["seconds"].mean().to_dict()
    rows = []
    for regime in REGIMES:
        for who, scores in standing(table, regime).items():
            told = {row["score"]: row for row in scores.to_dict("records")}
            row = {"regime": regime, "localiser": localiser(who)}
            row |= {WORDS.get(name, name): in_words(told[name]) if name in told else "" for name in SHOWN}
            first = told[HEADLINE]
            row |= {"p (heaviest)": f"{first['p']:z.3f}", "cells": _cells(first), "tasks": str(first["tasks"])}
            if cost:
                row["seconds"] = f"{cost[who[0]]:.1f}" if who[0] in cost else ""
            rows.append(row)
    return pd.DataFrame(rows)


def _cells(row: Mapping[Any, Any]) -> str:
    return f"{row['cells']}, {row['silent']} without an answer" if row["silent"] else str(row["cells"])


def standing(table: pd.DataFrame, regime: str) -> dict[Who, pd.DataFrame]:
    """(technique, variant) to its scores in a regime, best first; of the constants only the best one.

    The first score decides (``overall.HEADLINE``), and skill where that is the same.
    """
    chosen = table[table["regime"] == regime]
    told = {name: chosen[chosen["score"] == name].set_index(["technique", "variant"])["value"] for name in SHOWN}
    ordered = pd.DataFrame({name: told[name] for name in (HEADLINE, "skill")}).loc[told[HEADLINE].index]
    ordered = ordered.sort_values([HEADLINE, "skill"], ascending=False, kind="stable", na_position="last")
    order = [(str(technique), str(variant)) for technique, variant in ordered.index]
    constants = [who for who in order if who[0] == ALWAYS]
    parts = dict(list(chosen.groupby(["technique", "variant"])))
    return {who: parts[who] for who in order if who not in constants[1:]}


def localiser(who: Who) -> str:
    """How figures and tables call a technique's reading."""
    technique, variant = who
    name = technique.replace("_", " ")
    if technique == ALWAYS:
        return f"{name} {variant}"
    if variant == GIVEN:
        return f"{name} (given label)"
    return f"{name} ({variant})" if variant in (SINGLE, WINDOWS) else name


def in_words(row: Mapping[Any, Any]) -> str:
    """``0.42 [0.31, 0.55]``; without brackets where there are too few tasks, a dash where there is no value."""
    return with_interval(row["value"], row["low"], row["high"])
