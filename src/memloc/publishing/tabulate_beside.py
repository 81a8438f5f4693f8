"""Tables of all techniques side by side: depth, attainable ranges, agreement beside the study's."""

from __future__ import annotations

import pandas as pd

from memloc.analysis.correlation import LEAST
from memloc.analysis.intervals import COVERS
from memloc.analysis.study import published, published_agreement
from memloc.models.catalogue import get_model
from memloc.publishing.figures import model_title
from memloc.publishing.figures_beside import agreements, pair_title
from memloc.publishing.reading_techniques import Beside
from memloc.publishing.tabulate_techniques import start
from memloc.wording import DASH, brackets, number

MEAN = "mean of four techniques"
COLUMNS = ["compared", "first", "second", "r", "95 % over tasks", "points", "tasks", "study"]


def depth_table(beside: Beside) -> pd.DataFrame:
    """M-CoG of every technique by task and model with intervals, each with its depth along its own attainable range."""
    rows, told = [], published(MEAN)
    for place in beside.all_places:
        row = start(beside, place)
        for technique, found in beside.places.get(place, {}).items():
            row[f"{technique}: M-CoG [95 %]"] = str(beside.centres[place][technique])
            row[f"{technique}: depth"] = number(found.relative)
        if place[0] in told.tasks:
            row[f"{told.title} ({told.layers} layers), mean of its four"] = f"{told.tasks[place[0]]:z.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def range_table(beside: Beside) -> pd.DataFrame:
    """What an M-CoG can be, of memory wholly in the first and wholly in the last layer; what its interval is over."""
    found: dict[tuple[int, str], str] = {}
    for techniques in beside.places.values():
        for technique, weights in techniques.items():
            low, high = weights.bounds
            found[weights.num_layers, technique] = f"{low:z.2f} to {high:z.2f}"
    depths = sorted({depth for depth, _ in found})
    return pd.DataFrame(
        {
            "attainable range of": list(beside.told),
            **{f"{depth} layers": [found.get((depth, name), "") for name in beside.told] for depth in depths},
            "95 % intervals over": [COVERS[name] for name in beside.told],
        }
    )


def agreement_table(beside: Beside, between: str) -> pd.DataFrame:
    """Correlation of every two techniques or models beside the study's, with its number of points and of tasks."""
    rows = []
    for title, part in agreements(beside, between).items():
        measure = "layer_weight" if title.startswith("layer weights") else "mcog"
        study = published_agreement(between, measure)
        for pair in part.to_dict("records"):
            names = (pair["first"], pair["second"])
            told = study.get(frozenset(names))
            row = {
                "compared": f"{title} ({str(pair['method']).capitalize()})",
                "first": pair_title(names[0]),
                "second": pair_title(names[1]),
                "r": number(pair["value"]),
                "95 % over tasks": DASH if pair["tasks"] < LEAST else brackets(pair["low"], pair["high"]),
                "points": int(pair["n"]),
                "tasks": int(pair["tasks"]),
                "study": number(told),
            }
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def techniques_table(beside: Beside) -> pd.DataFrame:
    """Agreement of techniques, or a line that says that there is nothing to correlate."""
    table = agreement_table(beside, "techniques")
    return table if len(table) else pd.DataFrame({"agreement of techniques": ["nothing to compare"]})


def study_models() -> pd.DataFrame:
    """Agreement of the study's own four models, as published."""
    mcog, weights = (published_agreement("models", measure) for measure in ("mcog", "layer_weight"))
    pairs = [sorted(pair, key=lambda name: get_model(name).title or name) for pair in mcog]
    return pd.DataFrame(
        {
            "the study's models": [" and ".join(map(model_title, pair)) for pair in pairs],
            "M-CoG": [f"{value:z.2f}" for value in mcog.values()],
            "layer weights": [f"{weights[pair]:z.2f}" for pair in mcog],
        }
    )
