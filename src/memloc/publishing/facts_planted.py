"""The sentences of the chapter on planted memorisation, and its numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import TASKS_FOR_INTERVAL
from memloc.claims.verdict import holm
from memloc.planted.answers import ALWAYS, RANDOM
from memloc.planted.editing import pointing_predicts
from memloc.planted.entries import REGIMES, with_truth
from memloc.planted.leaderboard import Who, in_words, localiser
from memloc.planted.overall import HEADLINE, SHOWN, SPREAD
from memloc.planted.rules import read_rules
from memloc.profiles.planting import BLIND, ORACLE
from memloc.publishing.facts import NONE
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading_planted import SMOKE, Board
from memloc.publishing.style import sort_models, sort_tasks
from memloc.wording import DASH, number

LEVEL = 0.05  # of all p values of a regime together
WEIGHTS: Who = ("weight_difference", "")  # looks at no example
BEST = 3  # so many localisers are called the best ones, and those that tie with them


def about(board: Board) -> str:
    """What the benchmark of the page is, in words."""
    if board.profile.name != SMOKE:
        missing = len(board.results.missing)
        part = f" Of the profile {board.profile.name} only a part was run: `{board.part}`." if board.part else ""
        return board.origin + part + (f" {missing} parts were not finished when it was released." if missing else "")
    made = "" if board.folder else ", made for this page"
    words = f"This copy of the book has no larger benchmark, so this is the smallest one{made}: its models "
    return f"{board.mark} {board.origin} {words}have two layers, and it shows how things are measured and nothing else."


def benchmark_facts(board: Board) -> dict[str, str]:
    """The numbers of the text."""
    rules, fates, planted = read_rules(), board.fates, board.planted
    single = fates[fates["place"].str.startswith("layer:")]
    by_layer = single.assign(held=single[BLIND] == "").groupby(single["place"].str.removeprefix("layer:").astype(int))
    held = by_layer["held"].mean()
    best = [who for who in board.order if who[0] != RANDOM]
    constant = board.scores[(board.scores["technique"] == ALWAYS) & (board.scores["score"] == HEADLINE)]["value"]
    above = {regime: _above(board, best, regime) for regime in REGIMES}
    told = pointing_predicts(board.results.removal, BLIND, resamples=board.profile.resamples)
    layers = board.settled[board.settled["place"].str.startswith("layer:").astype(bool)]
    true = layers[layers["layer"] == layers["place"].str.removeprefix("layer:").astype(int)]
    enough = planted["task"].nunique() >= TASKS_FOR_INTERVAL
    held_by = with_truth(planted, board.noise).groupby(["regime", "place"]).size()
    plain = board.score(WEIGHTS, BLIND, HEADLINE)
    return {
        "tasks": listed(sort_tasks(set(planted["task"]))) or NONE,
        "models": listed([model_title(model) for model in sort_models(set(planted["model"]))]) or NONE,
        "seeds": str(planted["seed"].nunique()),
        "cells": str(len(planted)),
        "noise": f"{100 * board.noise:g} %",
        "amounts": listed([f"{100 * noise:g} %" for noise in sorted(set(planted["noise"]))]),
        "depth": str(board.depth),
        "examples": f"at most {board.profile.data.cap:,}" if board.profile.data.cap else "all",
        **{f"truth-{regime}": str(int((fates[regime] == "").sum())) for regime in REGIMES},
        **{f"scored-{regime}": _scored(board, regime) for regime in REGIMES},
        "spread": str(held_by.get((BLIND, SPREAD), 0)),
        "weights": DASH if plain is None else in_words(plain.to_dict()),
        "held": span(held.tolist(), 2),
        "lost": listed([f"layer {layer}" for layer, share in held.items() if share == 0]) or NONE,
        **{name: f"{getattr(rules, name):g}" for name in ("learnt", "kept", "still_learnt", "forgets")},
        **{f"best-{regime}": _best(board, best, regime) for regime in REGIMES},
        **{f"above-{regime}": listed([localiser(who) for who in above[regime]]) or NONE for regime in REGIMES},
        "believed": _believed(board, above[BLIND]),
        "constants": f"{constant.max():z.2f}" if constant.notna().any() else NONE,
        **{f"random-{name}": _random(board, name) for name in SHOWN},
        "shuffles": str(board.profile.resamples),
        "intervals": "resample the tasks" if enough else f"need {TASKS_FOR_INTERVAL} tasks, so none is shown here",
        "rho": in_words({"value": told["rho"], "low": told["low"], "high": told["high"]}),
        **{name: number(told[name]) for name in ("right", "wrong", "wrong_forgets")},
        "removals": f"{told['n']:.0f}",
        "different": f"{told['different']:.0f}",
        "moved-planting": number(float(true["moved_injected"].mean())),
        "moved-settling": number(layers["moved_settled"].mean() if len(layers) else None, 3),
    }


def _best(board: Board, order: list[Who], regime: str) -> str:
    """The best localisers by score, three or more of them: none is left out that has the score of another one."""
    scored = [(who, one["value"]) for who in order if (one := board.score(who, regime, HEADLINE)) is not None]
    known = sorted(((who, value) for who, value in scored if np.isfinite(value)), key=lambda one: -one[1])
    told: dict[str, list[str]] = {}
    for who, value in known:
        if number(value) in told or sum(map(len, told.values())) < BEST:
            told.setdefault(number(value), []).append(localiser(who))
    return "; ".join(f"{value} {listed(names)}" for value, names in told.items()) or NONE


def _scored(board: Board, regime: str) -> str:
    """How many cells the scores of single layers and bands are over."""
    chosen = board.scores[(board.scores["regime"] == regime) & (board.scores["score"] == HEADLINE)]
    return str(chosen["cells"].max() if len(chosen) else 0)


def _above(board: Board, order: list[Who], regime: str) -> list[Who]:
    """Those that do better than the best constant answer, with their whole interval where there is one, and than luck.

    Luck is shuffled places; p is corrected for the number of localisers (Holm).
    """
    told = {who: one for who in order if (one := board.score(who, regime, HEADLINE)) is not None}
    if not told:
        return []
    p = holm(pd.Series([one["p"] for one in told.values()], dtype=float)).tolist()
    return [who for who, corrected in zip(told, p, strict=True) if _lowest(told[who]) > 0 and corrected <= LEVEL]


def _lowest(one: pd.Series, value: str = "value") -> float:
    """The lower end of the interval; without an interval, the value."""
    return float(one[value] if np.isnan(one["low"]) else one["low"])


def _believed(board: Board, above: list[Who]) -> str:
    """Those with skill whose removals of acquired memory forget beyond the damage they do, by the whole interval."""
    told = [
        f"{localiser(who)} ({in_words({**row, 'value': row['net']})})"
        for _, row in board.acquired_net.iterrows()
        if (who := (row["technique"], row["variant"])) in above and _lowest(row, "net") > 0
    ]
    return listed(told) or NONE


def _random(board: Board, name: str) -> str:
    """What random answers score, in their interval of chance, blind; where nothing is blind, oracle."""
    one = board.score((RANDOM, ""), BLIND, name)
    one = board.score((RANDOM, ""), ORACLE, name) if one is None else one
    return (
        DASH
        if one is None or np.isnan(one["value"])
        else f"{one['value']:z.2f} (chance: {one['null_low']:z.2f} to {one['null_high']:z.2f})"
    )
