"""Tables and sentences of the benchmark with planted memorisation, and an example by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.planted.answers import ALWAYS, CELL, RANDOM
from memloc.planted.editing import pointing_predicts
from memloc.planted.entries import REGIMES, Entry
from memloc.planted.leaderboard import Who, in_words, localiser, ranked
from memloc.planted.overall import SHOWN, SPREAD, TASKS_FOR_INTERVAL, Constants, entry_scores
from memloc.planted.rules import read_rules
from memloc.planted.scores import entropy
from memloc.profiles.planting import BLIND, ORACLE
from memloc.publishing.facts import NONE
from memloc.publishing.figures import listed, model_title
from memloc.publishing.figures_techniques import span
from memloc.publishing.reading_planted import Board
from memloc.publishing.style import sort_models, sort_tasks
from memloc.publishing.tabulate_techniques import DASH

# answers of a made-up localiser on a made-up model of four layers, by the layer that was planted into
ANSWERS = {
    "layer:1": (0.6, 0.3, 0.1, 0.0),
    "layer:2": (0.3, 0.4, 0.2, 0.1),
    "layer:3": (0.1, 0.5, 0.3, 0.1),
    "layer:4": (0.0, 0.2, 0.3, 0.5),
}


def four_places() -> tuple[pd.DataFrame, dict[str, str]]:
    """The scores of a made-up localiser on one made-up model, by the functions that score real ones.

    Returns:
        A row a place: weights, heaviest layer, mean distance D of the answer, and distance of the best constant;
        and the numbers of the text.
    """
    cells = pd.DataFrame([{**dict.fromkeys(CELL, ""), "place": place, "layers": 4} for place in ANSWERS])
    entry = Entry((BLIND, "made-up", ""), cells, [np.array(weights) for weights in ANSWERS.values()])
    constants = Constants(entry)
    best = constants.best("distance")[0] * 3
    layer = next(n for n in range(1, 5) if np.isclose(np.mean([abs(n - true) for true in range(1, 5)]), best))
    rows = []
    for true, (place, weights) in enumerate(ANSWERS.items(), start=1):
        away = np.abs(np.arange(1, 5) - true)
        rows.append(
            {
                "planted into": place.replace(":", " "),
                **{f"w{n}": f"{weight:.1f}" for n, weight in enumerate(weights, start=1)},
                "heaviest": str(int(np.argmax(weights)) + 1),
                "D": f"{away @ np.array(weights):.1f}",
                f"D of always layer {layer}": str(abs(layer - true)),
            }
        )
    told = entry_scores(entry, 1, 1)
    numbers = {name: f"{told[name]['value']:.2f}" for name in ("skill", "top_skill", "top_1", "mass")}
    distance = np.mean([float(row["D"]) for row in rows])
    return pd.DataFrame(rows), {**numbers, "D": f"{distance:.3f}", "constant": f"{best:.2f}", "layer": str(layer)}


def about(board: Board) -> str:
    """What the benchmark of the page is, in words."""
    if board.folder:
        missing = len(board.results.missing)
        return board.origin + (f" {missing} parts were not finished when it was released." if missing else "")
    words = (
        "This copy of the book has no released benchmark, so this is the smallest one, made for this page: its models "
    )
    return f"{board.mark} {board.origin} {words}have two layers, and it shows how things are measured and nothing else."


def leaderboard_table(board: Board, regime: str) -> pd.DataFrame:
    """The leaderboard of a regime to be read, and top-1 in the study's control settings where they were run."""
    table = ranked(board.scores, board.results.asked)
    if table.empty or regime not in set(table["regime"]):
        return pd.DataFrame({f"localiser, {regime}": ["no cell has ground truth"]})
    table = table[table["regime"] == regime].drop(columns=["regime", "tasks"])
    if controls := board.controls():
        names = {localiser(who[1:]): f"{value:.2f} ({n})" for who, (value, n) in controls.items() if who[0] == regime}
        table["top-1, control"] = [names.get(name, "") for name in table["localiser"]]
    named = {"top_skill": "skill, heaviest", "top_1": "top-1", "reciprocal_rank": "reciprocal rank", "p": "p (skill)"}
    return table.rename(columns={**named, "localiser": f"localiser, {regime}"})


def parts_table(board: Board) -> pd.DataFrame:
    """Blind skill by task, by model, and by amount of wrong labels on the tasks that have several."""
    planted = board.planted
    amounts = planted.groupby("task")["noise"].nunique()
    varied = planted["task"].isin(amounts.index[amounts > 1])
    parts: dict[str, dict[Who, float]] = {}
    for column, order, title in (("task", sort_tasks, str), ("model", sort_models, model_title)):
        if planted[column].nunique() > 1:
            parts |= {title(name): board.skills(planted[column] == name) for name in order(set(planted[column]))}
    for noise in sorted(set(planted.loc[varied, "noise"].astype(float))):
        parts[f"{100 * noise:g} % wrong, {listed(sort_tasks(set(planted.loc[varied, 'task'])))}"] = board.skills(
            varied, noise
        )
    rows = [
        {"skill of localiser, blind": localiser(who), **{title: _number(of.get(who)) for title, of in parts.items()}}
        for who in board.order
    ]
    return (
        pd.DataFrame(rows) if parts and rows else pd.DataFrame({"skill": ["one task, model and amount, or no truth"]})
    )


def _number(value: float | None) -> str:
    return DASH if value is None or np.isnan(value) else f"{value:.2f}"


def planted_table(board: Board) -> pd.DataFrame:
    """What was planted where, and how many cells have ground truth, a row a task, model and amount."""
    rows = []
    table = board.fates.merge(board.planted[[*CELL, "noisy_settled", "noisy_restored"]], on=CELL)
    for task in sort_tasks(set(table["task"])):
        for model in sort_models(set(table["model"])):
            here = table[(table["task"] == task) & (table["model"] == model)]
            for noise in sorted(set(here["noise"].astype(float))):
                found = here[here["noise"] == noise]
                row = {"task": task, "model": model_title(model), "wrong labels": f"{100 * noise:g} %"}
                row |= {"places": str(len(found)), "seeds": str(found["seed"].nunique())}
                row |= {f"with truth, {regime}": str(int((found[regime] == "").sum())) for regime in REGIMES}
                left_out = found.loc[found[BLIND] != "", BLIND].value_counts().sort_index()
                row["left out of blind"] = "; ".join(f"{count} {why}" for why, count in left_out.items()) or DASH
                rows.append(row)
    return pd.DataFrame(rows)


def recall_table(board: Board) -> pd.DataFrame:
    """Localisers of units."""
    rows = [
        {"regime": row["regime"], "localiser": localiser((row["technique"], "")), "recall": in_words(row)}
        | {"chance": f"{row['chance']:.3f}", "under chance, 95 %": f"{row['null_low']:.3f} to {row['null_high']:.3f}"}
        | {"p": f"{row['p']:.3f}", "cells": str(row["cells"])}
        for row in board.recalls.to_dict("records")
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame({"localiser": ["nobody was asked about units"]})


def removal_table(board: Board, regime: str) -> pd.DataFrame:
    """What taking out does in a regime: forgotten and lost, beside removals that look at nothing."""
    rows, table = [], board.editing
    for row in table[table["regime"] == regime].to_dict("records"):
        gain = {"value": row["gain"], "low": row["low"], "high": row["high"]}
        rows.append(
            {
                f"localiser, {regime}": localiser((row["technique"], "")),
                "taken out": row["what"],
                "true": _number(row["is_true"]),
                "wrong labels forgotten": f"{row['forgets']:.2f}",
                "at random": f"{row['random']:.2f}",
                "difference": in_words(gain),
                "right labels lost": f"{row['loses']:.2f}",
                "lost at random": f"{row['loses_random']:.2f}",
                "cells": str(row["cells"]),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({f"localiser, {regime}": ["nothing was taken out"]})


def acquired_table(board: Board) -> pd.DataFrame:
    """Answers about acquired memory beside those about planted memory: where the weight lies, and how flat it is."""
    rows = []
    for (technique, variant), found in board.acquired.groupby(["technique", "variant"]):
        who: Who = (str(technique), str(variant))
        weights = [g.sort_values("layer")["weight"].to_numpy(float) for _, g in found.groupby(CELL)]
        flat = {"acquired": [entropy(weight[None])[0] for weight in weights]}
        for kind, name in (("layer", "planted, one layer"), (SPREAD, "planted, all layers")):
            entry = board.entries.get((BLIND, *who))
            flat[name] = [entropy(w[None])[0] for w in entry.chosen((kind,)).weights] if entry else []
        row = {"localiser": localiser(who), "heaviest layer": _heaviest(weights)}
        row |= {f"entropy: {name}": f"{np.mean(values):.2f}" if values else DASH for name, values in flat.items()}
        rows.append({**row, "cells": str(len(weights))})
    return pd.DataFrame(rows) if rows else pd.DataFrame({"localiser": ["nobody was asked about acquired memory"]})


def _heaviest(weights: list[np.ndarray]) -> str:
    """The heaviest layers of the answers that have one."""
    alone = [weight for weight in weights if (weight == weight.max()).sum() == 1]
    return span([float(np.argmax(weight)) + 1 for weight in alone], 0) if alone else NONE


def benchmark_facts(board: Board) -> dict[str, str]:
    """The numbers of the text."""
    rules, fates, planted = read_rules(), board.fates, board.planted
    single = fates[fates["place"].str.startswith("layer:")]
    by_layer = single.assign(held=single[BLIND] == "").groupby(single["place"].str.removeprefix("layer:").astype(int))
    held = by_layer["held"].mean()
    best = [who for who in board.order if who[0] != RANDOM]
    constant = board.scores[(board.scores["technique"] == ALWAYS) & (board.scores["score"] == "skill")]["value"]
    told = pointing_predicts(board.results.removal, BLIND, resamples=board.profile.resamples)
    enough = planted["task"].nunique() >= TASKS_FOR_INTERVAL
    return {
        "tasks": listed(sort_tasks(set(planted["task"]))) or NONE,
        "models": listed([model_title(model) for model in sort_models(set(planted["model"]))]) or NONE,
        "seeds": str(planted["seed"].nunique()),
        "cells": str(len(planted)),
        "noise": f"{100 * board.noise:g} %",
        "amounts": listed([f"{100 * noise:g} %" for noise in sorted(set(planted["noise"]))]),
        "depth": str(board.depth),
        **{f"truth-{regime}": str(int((fates[regime] == "").sum())) for regime in REGIMES},
        "held": span(held.tolist(), 2),
        "lost": listed([f"layer {layer}" for layer, share in held.items() if share == 0]) or NONE,
        **{name: f"{getattr(rules, name):g}" for name in ("learnt", "kept", "still_learnt", "forgets")},
        **{f"best-{regime}": _best(board, best, regime) for regime in REGIMES},
        **{f"above-{regime}": _above(board, best, regime) for regime in REGIMES},
        "constants": f"{constant.max():.2f}" if constant.notna().any() else NONE,
        **{f"random-{name}": _random(board, name) for name in SHOWN},
        "shuffles": str(board.profile.resamples),
        "intervals": "resample the tasks" if enough else f"are not shown: fewer than {TASKS_FOR_INTERVAL} tasks",
        "rho": in_words({"value": told["rho"], "low": told["low"], "high": told["high"]}),
        **{name: _number(told[name]) for name in ("right", "wrong")},
        "removals": f"{told['n']:.0f}",
    }


def _best(board: Board, order: list[Who], regime: str) -> str:
    """The three localisers with the most skill."""
    found = [(who, board.score(who, regime, "skill")) for who in order]
    known = [(one["value"], who) for who, one in found if one is not None and np.isfinite(one["value"])]
    told = sorted(known, reverse=True)[:3]
    return "; ".join(f"{localiser(who)} {value:.2f}" for value, who in told) or NONE


def _above(board: Board, order: list[Who], regime: str) -> str:
    """Those that do better than the best constant answer, and than shuffled places would by chance (p at most .05)."""
    names = [
        localiser(who)
        for who in order
        if (one := board.score(who, regime, "skill")) is not None and one["value"] > 0 and one["p"] <= 0.05
    ]
    return listed(names) or NONE


def _random(board: Board, name: str) -> str:
    """What random answers score, in their interval of chance, blind; where nothing is blind, oracle."""
    one = board.score((RANDOM, ""), BLIND, name)
    one = board.score((RANDOM, ""), ORACLE, name) if one is None else one
    return (
        DASH
        if one is None or np.isnan(one["value"])
        else f"{one['value']:.2f} (chance: {one['null_low']:.2f} to {one['null_high']:.2f})"
    )
