"""Tables and sentences of models of several sizes, of the study's larger model, and of what running it would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import LEAST
from memloc.analysis.layers import relative_depth
from memloc.analysis.orders import between_columns, mean_over_tasks
from memloc.analysis.study import told
from memloc.models.catalogue import get_model
from memloc.publishing.facts import NONE, spread_words
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading import AnyStudy, rules
from memloc.publishing.reading_scale import Calculated
from memloc.publishing.reading_size import (
    CENTRE,
    LARGER,
    READINGS,
    SAME_FAMILY,
    SMALLER,
    Sized,
    study_centres,
    study_events,
)
from memloc.publishing.tabulate_depth import depth_table
from memloc.publishing.tabulate_scale import kind_hours, machine_words
from memloc.publishing.tabulate_techniques import centroid_table
from memloc.publishing.worked import held_by_half
from memloc.scale.machine import Machine, memory
from memloc.scale.work import shape_of
from memloc.wording import DASH, brackets, number

CLAIM = "C14"
YEAR = 365 * 24
LONGEST = 512  # tokens of the study's longest texts
PRINTED = {CENTRE: "swapping mcog with opt-1.3b, spearman", "events": "centroid events with opt-1.3b, spearman"}


def models_table(sized: Sized) -> pd.DataFrame:
    """The models by size and which run each is from; then the study's larger one."""
    rows = []
    for model in sized.models:
        run = sized.run_of(model)
        own = [place for place in sized.all_places if place[1] == model]
        seeds = sized.swapping[run].study.profile.models[model].seeds
        done = f"{sum(place in sized.places for place in own)} of {len(own)}"
        rows.append({**_size(model), "run": run, "seeds": str(len(seeds)), "tasks memorised": done})
    return pd.DataFrame([*rows, {**_size(LARGER), "run": "not run here"}]).fillna("")


def _size(model: str) -> dict[str, str]:
    spec = get_model(model)
    weights = f"{shape_of(model).body / 1e6:,.1f} M"
    return {"model": spec.title, "layers": str(spec.layers), "width": str(spec.hidden), "weights of layers": weights}


def notes_table(sized: Sized) -> pd.DataFrame:
    """What the catalogue says of each model beside its size."""
    specs = [get_model(model) for model in (*sized.models, LARGER)]
    rows = [(spec.title, spec.architecture.name, spec.notes or DASH) for spec in specs]
    return pd.DataFrame(rows, columns=["model", "architecture", "what the catalogue says of it"])


def centre_table(sized: Sized) -> pd.DataFrame:
    """Where each task and model memorises, as the chapter on swapping has it, with the share of layers below it."""
    parts = [depth_table(part) for part in sized.swapping.values()]
    if not parts:
        return _nothing("no model of ours was run")
    table, shares = pd.concat(parts).fillna(""), sized.centres(READINGS[0])
    titles = {model_title(model): model for model in sized.models}
    share = [shares.get(titles[row["model"]], pd.Series(dtype=float)).get(row["task"]) for _, row in table.iterrows()]
    table.insert(3, "share of the layers below", [number(value, 3) for value in share])
    return _in_order(sized, table)


def order_table(sized: Sized) -> pd.DataFrame:
    """Do every two models put the tasks in the same order? Pairs with too few common tasks are left out."""
    rows = [
        {
            "measure": row["measure"],
            "first": model_title(row["first"]),
            "second": model_title(row["second"]),
            "rho": number(row["value"]),
            "95 % over tasks": brackets(row["low"], row["high"]),
            "p": f"{row['p_value']:z.3f}",
            "orders": int(row["arrangements"]),
            "tasks": int(row["tasks"]),
        }
        for row in sized.orders.to_dict("records")
        if np.isfinite(row["value"])
    ]
    return pd.DataFrame(rows) if rows else _nothing("no two models have three tasks")


def deeper_table(sized: Sized) -> pd.DataFrame:
    """Models with more layers less models with fewer, task by task: both readings; the study's OPT in the last row."""
    pairs = [(a, b) for a, b in combinations(sized.models, 2) if get_model(a).layers < get_model(b).layers]
    grids = {reading: sized.centres(reading) for reading in READINGS}
    rows = [_deeper(grids, first, second) for first, second in pairs if {first, second} <= set(grids[READINGS[0]])]
    study = {reading: study_centres(reading, (SAME_FAMILY, LARGER)) for reading in READINGS}
    last = _deeper(study, SAME_FAMILY, LARGER)
    return pd.DataFrame([*rows, last | {"models": "OPT 1.3B less OPT 125M, of the study"}])


def _deeper(grids: dict[str, pd.DataFrame], first: str, second: str) -> dict[str, str]:
    layers = [get_model(model).layers for model in (first, second)]
    changes = {reading: (grid[second] - grid[first]).dropna() for reading, grid in grids.items()}
    row = {"models": f"{model_title(second)} less {model_title(first)}", "layers": f"{layers[1]} less {layers[0]}"}
    for reading, change in changes.items():
        row[f"{reading} [95 %]"] = mean_over_tasks(change).told(3, sign=True)  # shares of layers move little
    ruler = [float(relative_depth(*held_by_half(of))) for of in layers]
    row["the scale alone"] = f"{ruler[1] - ruler[0]:+z.3f}"
    change = changes[READINGS[0]]
    return row | {"deeper in": f"{int((change > 0).sum())} of {len(change)} tasks"}


def event_table(sized: Sized) -> pd.DataFrame:
    """Events of the centroid analysis, as its chapter has them, from every run that has it."""
    parts = [centroid_table(part) for part in sized.centroids.values()]
    return _in_order(sized, pd.concat(parts).fillna("")) if parts else _nothing("no centroid analysis was run")


def _in_order(sized: Sized, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of tables that a run each has made, a task after the other and models by size."""
    titles = [model_title(model) for model in sized.models]
    place = [(sized.tasks.index(row["task"]), titles.index(row["model"])) for _, row in table.iterrows()]
    order = sorted(range(len(place)), key=lambda position: place[position])
    return table.iloc[order].reset_index(drop=True)


def study_table() -> pd.DataFrame:
    """The study's larger model against its smaller ones: correlations as printed, and from numbers read off figures."""
    centres, rows = study_centres(READINGS[0]), []
    for model in SMALLER:
        ours = between_columns(centres[[model, LARGER]]).iloc[0]
        printed = told(PRINTED[CENTRE]).values[model]
        rows.append(_study_row(CENTRE, model_title(model), printed, ours))
    for event, printed in told(PRINTED["events"]).values.items():
        rows.append(_study_row(event, "mean of its four", printed, between_columns(study_events(event)).iloc[0]))
    return pd.DataFrame(rows)


def _study_row(measure: str, smaller: str, printed: float, ours: pd.Series) -> dict[str, str]:
    return {
        "measure": measure,
        "OPT 1.3B with": smaller,
        "rho, printed": number(printed),
        "rho, from numbers read off figures": number(float(ours["value"])),
        "95 % over tasks": brackets(ours["low"], ours["high"]),
        "tasks read": str(int(ours["tasks"])),
    }


def cost_hours(calculated: Calculated) -> tuple[dict[str, Machine], dict[str, list[float]]]:
    """Assumed GPUs and the measured core by what tables call them; hours of each kind of work, a number a machine."""
    machines = {f"GPU, {machine_words(machine)}": machine for machine in calculated.machines}
    machines |= {"one core, at the measured speed": calculated.core} if calculated.core else {}
    return machines, kind_hours(calculated.pieces, list(machines.values()))


def cost_table(calculated: Calculated) -> pd.DataFrame:
    """Hours of the larger model as the study ran it, by kind of work and machine; calculated."""
    machines, hours = cost_hours(calculated)
    if not hours:
        return _nothing("this copy of the book does not know the sizes of the study's tasks")
    lines = {"training, two arms" if kind == "training" else kind: of for kind, of in hours.items()}
    lines["all"] = [sum(of) for of in zip(*hours.values(), strict=True)]
    heads = [f"hours: {name}" for name in machines]
    return pd.DataFrame(
        [{"work": work, **dict(zip(heads, [f"{h:,.1f}" for h in of], strict=True))} for work, of in lines.items()]
    )


def size_facts(sized: Sized) -> dict[str, str]:
    """Numbers of the sentences about our own models; words alone where there is none."""
    words = {"state": _state(sized.studies), "models": listed([model_title(model) for model in sized.models]) or NONE}
    if not sized.models:
        return words | dict.fromkeys(("counted", "exploratory", "tasks", "spread", "rho", "pairs", "least-p"), NONE)
    whole = sized.centres(READINGS[1]).dropna()
    enough = len(whole) > 1 and whole.shape[1] > 1
    rho = sized.orders.loc[sized.orders["measure"] == CENTRE, "value"].dropna()
    return words | {
        "counted": f"{len(sized.counted)} of {len(sized.all_places)}",
        "exploratory": listed([task for task in sized.tasks if task in rules().settings.exploratory_tasks]) or NONE,
        "tasks": str(len(sized.tasks)),
        "spread": f"{spread_words(whole.to_numpy())}, over {len(whole)} tasks"
        if enough
        else "this cannot be told here",
        "rho": span(list(rho)) if len(rho) else NONE,
        "pairs": str(len(rho)),
        "least-p": _least(sized.orders["tasks"]),
    }


def study_facts() -> dict[str, str]:
    """Numbers of the sentences about the study's models."""
    study, printed = study_centres(READINGS[0], (SAME_FAMILY, LARGER)), told(PRINTED["events"]).values
    return {
        "deeper": f"{int((study[LARGER] > study[SAME_FAMILY]).sum())} of {len(study)}",
        "crossing": f"{printed['crossing']:z.2f}",
        "initiation": f"{printed['initiation']:z.2f}",
        "rho": span(list(told(PRINTED[CENTRE]).values.values())),
    }


def _state(studies: Mapping[str, AnyStudy]) -> str:
    """Which runs there are, in words."""
    if not studies:
        return "No released run with swapping is in this copy of the book yet."
    origins = dict.fromkeys(study.origin for study in studies.values())
    return f"From the released runs {listed(list(studies))}: {' '.join(origins)}"


def _least(tasks: Iterable[int]) -> str:
    """The smallest two-sided p value that so many tasks can have: two orders of all agree or disagree wholly."""
    most = max((int(number) for number in tasks), default=0)
    return f"{2 / math.factorial(most):z.3f}" if most >= LEAST else NONE


def cost_facts(calculated: Calculated) -> dict[str, str]:
    """What the larger model would take, calculated."""
    hours = [sum(of) for of in zip(*cost_hours(calculated)[1].values(), strict=True)]
    gpus, core = hours[: len(calculated.machines)], hours[len(calculated.machines) :]
    batch = calculated.sketch.profile.models[LARGER].training.batch_size
    needed = memory(shape_of(LARGER), batch, LONGEST)["training"]
    return {
        "gpu-hours": span(sorted(gpus), 0) if gpus else NONE,
        "core-years": f"{core[0] / YEAR:.1f}" if core else NONE,
        "memory": f"{needed / 1e9:.0f} GB",
        "batch": str(batch),
        "longest": str(LONGEST),
    }


def _nothing(why: str) -> pd.DataFrame:
    return pd.DataFrame({"nothing to show": [why]})
