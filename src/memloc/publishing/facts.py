"""The numbers of the chapters' sentences, computed from the same tables as the figures and written as words.

A sentence around them must be true whatever they are, because they belong to the copy of the book that is being read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from memloc.analysis.layers import relative_depth
from memloc.analysis.status import ALPHA, MEMORISED
from memloc.pipeline import CellId
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading import Place, Study, Swapping, Training

NONE = "none"
SPARED, SEVERAL = 0.98, 3  # as in the rules of claims C03 and C04


def glue_all(prefix: str, facts: Mapping[str, str], *computed_from: Any) -> None:
    """Make every fact known to the text as ``{glue:text}`prefix-name```; there it leads to the rows behind it.

    Args:
        prefix: of all names, the page's own.
        facts: to be glued.
        computed_from: what they come from (``sources.sources_of``).

    Raises:
        MemlocError: if a fact holds a number and nothing was named that it comes from.
    """
    from memloc.publishing.numbers import glue_from

    glue_from(prefix, facts, *computed_from)


def where(place: Place) -> str:
    """A task and a model in words."""
    return f"{place[0]}, {model_title(place[1])}"


def study_facts(study: Study) -> dict[str, str]:
    """What is run: profile, tasks, models, sizes, noise."""
    profile = study.profile
    sizes = [len(study.experiment.dataset(task).train) for task in profile.tasks]
    return {
        "profile": profile.name,
        "tasks": str(len(profile.tasks)),
        "models": listed([model_title(model) for model in profile.models]),
        "source": profile.source,
        "origin": study.origin,
        "rate": f"{100 * profile.data.noise_rate:g} %",
        "rate-share": f"{profile.data.noise_rate:g}",
        "rows": span(sizes, 0),
        "data-seed": str(profile.data.seed),
    }


def training_facts(training: Training) -> dict[str, str]:
    """How many cells memorised and learnt, and how training ended."""
    status = training.status
    kept = status[status["memorised"]]
    not_learnt = sorted(set(status.loc[~status["learnt"], "task"]))
    return {
        "cells": str(len(status)),
        "memorised": str(len(kept)),
        "learnt": str(int(status["learnt"].sum())),
        "both": str(int(kept["learnt"].sum())),
        "not-learnt-tasks": listed(not_learnt) if not_learnt else NONE,
        "epochs": span(status["epochs"].tolist(), 0),
        "cost": f"{100 * (status['normal'] - status['validation']).mean():.1f}",
        "threshold": f"{MEMORISED:g}",
        "alpha": f"{ALPHA:g}",
        "frozen": frozen_words(training),
    }


def frozen_words(training: Training) -> str:
    """How far the head alone gets on noisy examples, in words."""
    traces = training.traces
    chosen = traces[(traces["arm"] == "frozen") & (traces["group"] == "noisy") & (traces["metric"] == "accuracy")]
    if chosen.empty:
        return "this run did not train a frozen arm"
    last = chosen.sort_values("epoch").groupby(["task", "model", "seed"])["value"].last()
    return (
        f"it ends with between {100 * last.min():.0f} % and {100 * last.max():.0f} % of the noisy examples; what the "
        "perturbed arm remembers beyond that, its layers contribute"
    )


def swapping_facts(swapping: Swapping) -> dict[str, str]:
    """What swapping found, over the places that count (memorised, and the task learnt)."""
    places = {key: swapping.places[key] for key in swapping.counted}
    facts = {
        "places": str(len(swapping.all_places)),
        "measured": str(len(swapping.places)),
        "counted": str(len(places)),
        "note": "This is what they say" if places else "So nothing can be concluded, and what follows is empty",
        "resamples": f"{swapping.study.profile.resamples:,}",
        **dict.fromkeys(("lowest", "highest", "attainable", "single", "clean"), NONE),
        **dict.fromkeys(("below", "above", "open", "half", "spared"), "0"),
        "spread": _spread(swapping),
    }
    if not places:
        return facts
    middle = {key: (len(p.weight.value) + 1) / 2 for key, p in places.items()}
    below = sum(float(p.mcog.high) < middle[key] for key, p in places.items())
    above = sum(float(p.mcog.low) > middle[key] for key, p in places.items())
    mcog = {key: float(p.mcog.value) for key, p in places.items()}
    # retraining may be asked for longer windows alone
    alone = {key: float(np.max(p.weight_k1.value)) for key, p in places.items() if np.isfinite(p.weight_k1.value).all()}
    clean = {key: p.clean for key, p in places.items()}
    return facts | {
        "lowest": _extreme(mcog, min),
        "highest": _extreme(mcog, max),
        "attainable": listed(sorted({f"{p.bounds[0]:z.2f} to {p.bounds[1]:z.2f}" for p in places.values()})),
        "single": _extreme(alone, max) if alone else "not known, for no window of one layer was run",
        "clean": _extreme(clean, min, 3),
        "below": str(below),
        "above": str(above),
        "open": str(len(places) - below - above),
        "half": str(sum(value > 0.5 for value in alone.values())) if alone else "not known either",
        "spared": str(sum(value >= SPARED for value in clean.values())),
    }


def _extreme(values: Mapping[Place, float], choose: Callable[..., Place], digits: int = 2) -> str:
    place = choose(values, key=lambda key: values[key])
    return f"{values[place]:z.{digits}f} ({where(place)})"


def _spread(swapping: Swapping) -> str:
    """How far relative depth differs between tasks (models averaged) and between models (tasks averaged).

    Depth is taken relative to the attainable range, so that models with different numbers of layers can be averaged;
    only tasks that count for every model take part, since averages over different models would not compare.
    """
    models = list(swapping.study.profile.models)
    counted = set(swapping.counted)
    tasks = [t for t in swapping.study.profile.tasks if all((t, m) in counted for m in models)]
    if len(tasks) < 2 or len(models) < 2:
        return "this cannot be told here, because it takes two models and two tasks that count for each of them"
    found = [[swapping.places[t, m] for m in models] for t in tasks]
    depth = np.array([[float(relative_depth(p.mcog.value, p.bounds)) for p in row] for row in found])
    return f"{spread_words(depth)}, over the {len(tasks)} tasks that count for every model"


def spread_words(depth: np.ndarray) -> str:
    """How far tasks differ and how far models do, in words.

    Args:
        depth: along the attainable range, float64 [T, M].
    """
    tasks, models = np.ptp(depth.mean(axis=1)), np.ptp(depth.mean(axis=0))
    return f"tasks differ by {tasks:z.2f} (models averaged) and models by {models:z.2f} (tasks averaged)"


def by_place(cells: list[CellId]) -> str:
    """Cells in words: tasks that have the same models with the same seeds stand together."""
    seeds: dict[tuple[str, str], tuple[int, ...]] = {}
    for cell in cells:
        place = cell.task, cell.model
        seeds[place] = (*seeds.get(place, ()), cell.seed)
    models: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (task, model), own in seeds.items():
        models.setdefault((task, own), []).append(model_title(model))
    tasks: dict[tuple[tuple[str, ...], tuple[int, ...]], list[str]] = {}
    for (task, own), names in models.items():
        tasks.setdefault((tuple(names), own), []).append(task)
    told = []
    for (alike, own), together in tasks.items():
        numbers = f"{'seed' if len(own) == 1 else 'seeds'} {listed([str(seed) for seed in own])}"
        told.append(f"{listed(together)} with {listed(alike)} ({numbers})")
    return "; ".join(told)
