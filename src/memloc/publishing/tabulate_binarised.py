"""Tables and sentences of tasks beside their variants of two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.intervals import Interval
from memloc.analysis.relation import ALL
from memloc.analysis.study import told
from memloc.claims import judge
from memloc.pipeline import CellId
from memloc.publishing.facts import NONE
from memloc.publishing.facts_techniques import extreme
from memloc.publishing.figures import listed, model_title
from memloc.publishing.figures_centroids import EVENTS
from memloc.publishing.reading import Place, rules
from memloc.publishing.reading_binarised import CENTRE, FORMS, RUN, Binarised
from memloc.publishing.real import run_facts
from memloc.publishing.style import sort_tasks
from memloc.publishing.tabulate_claims import evidence
from memloc.wording import DASH, brackets, number

CLAIM = "C15"
ABSENT = "No released run holds tasks beside their variants of two classes yet, so what this page says of one is empty."
MANY, TWO = "swapping mcog of the tasks that were binarised", "swapping mcog of binarised tasks"
STUDY = {"rho": "{}, spearman with multi-class", "difference": "mean difference of {}"}
STUDY |= {"distance": "mean absolute difference of {}"}
ABOUT_RUN = (
    *("pairs", "models", "verdict", "reason", "rho", "difference", "distance"),
    *("within-lowest", "within-highest", *EVENTS["centroids"]),
)


def pair_table(found: Binarised) -> pd.DataFrame:
    """Every task and model in both forms: classes, noisy examples, M-CoG with intervals, events; all classes first."""
    rows = []
    for base, variant in found.pairs:
        for model in found.models:
            places = (base, model), (variant, model)
            row = {"task": base, "model": model_title(model), "status": _status(found, *places)}
            row["classes"] = ", ".join(_classes(found, place) for place in places)
            for technique in found.beside.told:
                for form, place in zip(("all", "two"), places, strict=True):
                    centre = found.beside.centres.get(place, {}).get(technique)
                    row[f"{technique}: M-CoG, {form} classes [95 %]"] = str(centre) if centre else DASH
            rows.append(row | _event_cells(found, base, model))
    return pd.DataFrame(rows)


def _status(found: Binarised, *places: Place) -> str:
    """What keeps a pair from counting, and in which of its forms."""
    words = []
    for form, place in zip(("all", "two"), places, strict=True):
        if place not in found.places:
            words.append(f"not memorised ({form})" if place in found.all_places else f"no run ({form})")
        elif place not in found.counted:
            words.append(f"not learnt ({form})")
    return ", ".join(words)


def _classes(found: Binarised, place: Place) -> str:
    """Number of classes of a task, from the first cell there is of it."""
    cells = [cell for cell in found.study.numbers.cells() if (cell.task, cell.model) == place]
    return str(found.study.numbers.classes(CellId(*cells[0]))) if cells else DASH


def _event_cells(found: Binarised, base: str, model: str) -> dict[str, str]:
    cells = {}
    for event in EVENTS["centroids"] if found.centroids else ():
        part = found.values.query("technique == 'centroids' and metric == @event and task == @base and model == @model")
        known = [number(float(value), 1) for value in part[list(FORMS)].to_numpy().ravel()]
        cells[f"{event}: all, two"] = ", ".join(known) or DASH
    return cells


def order_table(found: Binarised) -> pd.DataFrame:
    """Do tasks keep their order? Spearman's correlation by measure, over all models and in each, beside the study's."""
    rows = []
    for row in found.orders.to_dict("records"):
        known = np.isfinite(row["value"])
        study = _study("rho", row["technique"], row["metric"]) if row["model"] == ALL else None
        rows.append(
            {
                "measure": f"{CENTRE}, {row['technique']}" if row["metric"] == CENTRE else row["metric"],
                "models": "all" if row["model"] == ALL else model_title(row["model"]),
                "rho": number(row["value"]),
                "study": number(study),
                "95 % over tasks": brackets(row["low"], row["high"]) if known else DASH,
                "p": number(row["p_value"] if known else None, 3),
                "orders": int(row["arrangements"]),
                "points": int(row["n"]),
                "tasks": int(row["tasks"]),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"tasks in both forms": ["nothing to correlate"]})


def difference_table(found: Binarised) -> pd.DataFrame:
    """How far two classes move each measure, in layers; the study's numbers are means over its models."""
    measures = found.values[["technique", "metric"]].drop_duplicates().itertuples(index=False)
    rows = []
    for technique, metric in measures:
        moved, away = (_study(name, technique, metric) for name in ("difference", "distance"))
        rows.append(
            {
                "measure": f"{CENTRE}, {technique}" if metric == CENTRE else metric,
                "two classes less all [95 % over tasks]": str(found.difference(technique, metric)),
                "study": number(moved),
                "distance [95 % over tasks]": str(found.difference(technique, metric, absolute=True)),
                "study's distance": number(away),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"tasks in both forms": ["nothing to compare"]})


def study_table() -> pd.DataFrame:
    """The study's own M-CoG of both forms, means over its four models of twelve layers."""
    many, two = told(MANY).values, told(TWO).values
    tasks = sort_tasks(many)
    change = [two[f"{task}v2"] - many[task] for task in tasks]
    return pd.DataFrame(
        {
            "task": tasks,
            "the study's M-CoG, all classes": [f"{many[task]:z.2f}" for task in tasks],
            "two classes": [f"{two[f'{task}v2']:z.2f}" for task in tasks],
            "two less all": [f"{value:+z.2f}" for value in change],
        }
    )


def _study(name: str, technique: str = "swapping", metric: str = CENTRE) -> float | None:
    """What the study printed of a measure; None where it printed nothing."""
    what = {("swapping", CENTRE): "mcog"} | {("centroids", event): event for event in EVENTS["centroids"]}
    of = what.get((technique, metric), "")
    return told("binarised tasks").values.get(STUDY[name].format(of))


def binarised_facts(found: Binarised | None) -> dict[str, str]:
    """Numbers of the sentences: the study's always, the run's where there is one."""
    figures = told(MANY)
    facts = {f"study-{name}": f"{_study(name):z.2f}" for name in STUDY}
    facts |= {"study-how": figures.how, "study-tolerance": f"{figures.tolerance:g}"}
    if found is None:
        where = f"How many rows a task and its variant have is said in the profile {RUN}."
        return facts | dict.fromkeys(ABOUT_RUN, NONE) | {"both": "0", "places": "0", "sizes": where, "state": ABSENT}
    claim = rules()[CLAIM]
    verdict = judge(claim, evidence(found.study, [claim]))
    swapping = found.orders[(found.orders["technique"] == "swapping") & (found.orders["metric"] == CENTRE)]
    within = {(CLAIM, row["model"]): row["value"] for row in swapping.to_dict("records") if row["model"] != ALL}
    both = {(row.task, row.model) for row in found.values.itertuples()}
    return facts | {
        "pairs": listed([base for base, _ in found.pairs]),
        "models": listed([model_title(model) for model in found.models]),
        "both": str(len(both)),
        "places": str(len(found.pairs) * len(found.models)),
        "state": run_facts(found)["real"],
        "sizes": _sizes(found),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "rho": _rho(swapping),
        "difference": _words(found.difference("swapping")),
        "distance": _words(found.difference("swapping", absolute=True)),
        "within-lowest": _end(within, highest=False),
        "within-highest": _end(within, highest=True),
        **{event: _words(found.difference("centroids", event)) for event in EVENTS["centroids"]},
    }


def _sizes(found: Binarised) -> str:
    """How many training rows tasks and variants have at most, and how many seeds there are, in words."""
    data, seeds = found.study.profile.data_of, {len(run.seeds) for run in found.study.profile.models.values()}
    caps = [sorted({data(pair[form]).cap for pair in found.pairs}) for form in (0, 1)]
    told_of = [listed([f"{cap:,}" if cap else "all" for cap in own]) for own in caps]
    many = listed([str(number) for number in sorted(seeds)])
    return f"Training rows of a task: at most {told_of[0]}; of its variant: at most {told_of[1]}. Seeds: {many}."


def _end(within: dict[tuple[str, str], float], highest: bool) -> str:
    """The lowest or highest correlation within a model, and which model's it is."""
    return extreme(within, highest).replace(f"({CLAIM}, ", "(")


def _rho(part: pd.DataFrame) -> str:
    """The correlation over all models in words; none where there are too few tasks."""
    row: dict[Any, Any] = next(iter(part[part["model"] == ALL].to_dict("records")), {})
    if not row or not np.isfinite(row["value"]):
        return NONE
    ends = f"95 % over tasks [{row['low']:z.2f}, {row['high']:z.2f}]"
    return f"{row['value']:z.2f} ({row['n']} points of {row['tasks']} tasks, {ends})"


def _words(interval: Interval) -> str:
    return str(interval) if np.isfinite(interval.value) else NONE
