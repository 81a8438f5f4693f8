"""Tables and sentences of the benchmark with planted memorisation, and an example by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.planted.answers import CELL
from memloc.planted.entries import REGIMES, Entry, kind_of
from memloc.planted.leaderboard import Who, in_words, localiser, ranked
from memloc.planted.overall import SPREAD, Constants, entry_scores
from memloc.planted.places import Place, truth
from memloc.planted.scores import entropy
from memloc.profiles.planting import ACQUIRED, BLIND
from memloc.publishing.facts import NONE
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading_planted import Board
from memloc.publishing.style import sort_models, sort_tasks
from memloc.wording import DASH, number

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
    unknown = dict.fromkeys(CELL, "")
    cells = pd.DataFrame([{**unknown, "place": place, "layers": 4, "answered": True} for place in ANSWERS])
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
    numbers = {name: f"{told[name]['value']:z.2f}" for name in ("top_skill", "top_1", "mass")}
    numbers["skill"] = f"{told['skill']['value']:z.3f}"  # as exact as the D that it is made of
    distance = np.mean([float(row["D"]) for row in rows])
    return pd.DataFrame(rows), {**numbers, "D": f"{distance:z.3f}", "constant": f"{best:z.2f}", "layer": str(layer)}


def leaderboard_table(board: Board, regime: str) -> pd.DataFrame:
    """The leaderboard of a regime to be read, and top-1 in the study's control settings where they were run."""
    table = ranked(board.scores, board.results.asked)
    if table.empty or regime not in set(table["regime"]):
        return pd.DataFrame({f"localiser, {regime}": ["no cell has ground truth"]})
    table = table[table["regime"] == regime].drop(columns=["regime", "tasks"])
    if controls := board.controls():
        names = {localiser(who[1:]): f"{value:z.2f} ({n})" for who, (value, n) in controls.items() if who[0] == regime}
        table["top-1, control"] = [names.get(name, "") for name in table["localiser"]]
    return table.rename(columns={"localiser": f"localiser, {regime}"})


def leaderboard_tables(board: Board) -> list[pd.DataFrame]:
    """What was planted; the leaderboard, blind and oracle; localisers of units; skill by part of the benchmark."""
    boards = [leaderboard_table(board, regime) for regime in REGIMES]
    return [planted_table(board), settled_table(board), *boards, recall_table(board), parts_table(board)]


def mislead_tables(board: Board) -> list[pd.DataFrame]:
    """Removals of planted and of acquired memory, the latter less their damage, and answers about both."""
    removed = [removal_table(board, regime) for regime in (BLIND, ACQUIRED)]
    return [*removed, net_table(board), acquired_table(board)]


def parts_table(board: Board) -> pd.DataFrame:
    """Blind skill by task, by model, and by amount of wrong labels (of the tasks and seeds that have several)."""
    planted = board.planted
    varied = planted.groupby(["task", "model", "seed"])["noise"].transform("nunique") > 1
    seeds = sorted(set(planted.loc[varied, "seed"]))
    alone = f", seed {listed(list(map(str, seeds)))}" if set(seeds) != set(planted["seed"]) else ""
    parts: dict[str, dict[Who, float]] = {}
    for column, order, title in (("task", sort_tasks, str), ("model", sort_models, model_title)):
        if planted[column].nunique() > 1:
            parts |= {title(name): board.skills(planted[column] == name) for name in order(set(planted[column]))}
    for noise in sorted(set(planted.loc[varied, "noise"].astype(float))):
        tasks = listed(sort_tasks(set(planted.loc[varied, "task"])))
        parts[f"{100 * noise:g} % wrong, {tasks}{alone}"] = board.skills(varied, noise)
    rows = [
        {
            "skill of the heaviest layer, blind": localiser(who),
            **{title: number(of.get(who)) for title, of in parts.items()},
        }
        for who in board.order
    ]
    return (
        pd.DataFrame(rows) if parts and rows else pd.DataFrame({"skill": ["one task, model and amount, or no truth"]})
    )


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


def settled_table(board: Board) -> pd.DataFrame:
    """By kind of place: how far layers moved, as shares of their norm, and what putting single layers back forgets."""
    rows, table = [], board.settled
    for kind, found in table.groupby(table["place"].map(kind_of), sort=False):
        true = _is_true(found, board)
        others = found[~true]
        rows.append(
            {
                "places": str(kind),
                "settled models": str(len(found[CELL].drop_duplicates())),
                "true layer moved, planting": f"{found.loc[true, 'moved_injected'].mean():z.3f}",
                "other layers, at most": number(others["moved_injected"].max(), 3),
                "all layers, settling": span_of(found["moved_settled"], 3),
                "wrong labels left, true layer put back": number(float(found.loc[true, "noisy"].mean())),
                "another, at least": number(others["noisy"].min()),
                "right labels left, any layer put back": number(float(found["clean"].mean())),
                "wrong labels of its own part left": number(float(found["own"].mean())),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"settled models": ["none"]})


def _is_true(settled: pd.DataFrame, board: Board) -> pd.Series:
    """Which rows are of layers that hold some of what was planted."""
    depths = board.planted.set_index(CELL)["layers"].to_dict()
    told = [
        truth(Place.parse(row["place"]), depths[tuple(row[key] for key in CELL)])[int(row["layer"]) - 1] > 0
        for row in settled.to_dict("records")
    ]
    return pd.Series(told, settled.index, dtype=bool)


def span_of(values: pd.Series, digits: int) -> str:
    """The lowest and the highest."""
    return f"{values.min():z.{digits}f} to {values.max():z.{digits}f}"


def recall_table(board: Board) -> pd.DataFrame:
    """Localisers of units."""
    rows = [
        {"regime": row["regime"], "localiser": localiser((row["technique"], "")), "recall": in_words(row)}
        | {
            "chance": f"{row['chance']:z.3f}",
            "under chance, 95 %": f"{row['null_low']:z.3f} to {row['null_high']:z.3f}",
        }
        | {"p": f"{row['p']:z.3f}", "cells": str(row["cells"])}
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
                "true": number(row["is_true"]),
                "wrong labels forgotten": f"{row['forgets']:z.2f}",
                "at random": f"{row['random']:z.2f}",
                "difference": in_words(gain),
                "right labels lost": f"{row['loses']:z.2f}",
                "lost at random": f"{row['loses_random']:z.2f}",
                "cells": str(row["cells"]),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({f"localiser, {regime}": ["nothing was taken out"]})


def net_table(board: Board) -> pd.DataFrame:
    """What removals of acquired memory forget beyond the damage they do."""
    rows = [
        {
            "localiser, acquired": localiser((row["technique"], row["variant"])),
            "forgotten beyond random, less right labels lost beyond random": in_words({**row, "value": row["net"]}),
            "cells": str(row["cells"]),
        }
        for row in board.acquired_net.to_dict("records")
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame({"localiser, acquired": ["no layers were taken out"]})


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
        row |= {f"entropy: {name}": number(np.mean(values) if values else None) for name, values in flat.items()}
        rows.append({**row, "cells": str(len(weights))})
    return pd.DataFrame(rows) if rows else pd.DataFrame({"localiser": ["nobody was asked about acquired memory"]})


def _heaviest(weights: list[np.ndarray]) -> str:
    """The heaviest layers of the answers that have one."""
    alone = [weight for weight in weights if (weight == weight.max()).sum() == 1]
    return span([float(np.argmax(weight)) + 1 for weight in alone], 0) if alone else NONE
