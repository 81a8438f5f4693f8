"""Numbers of the sentences about the grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from memloc.publishing.facts import NONE, where
from memloc.publishing.facts_techniques import count_facts, event_facts
from memloc.publishing.figures import listed, span
from memloc.publishing.figures_beside import agreements
from memloc.publishing.figures_grid import HALF, depths_of, largest_of_one
from memloc.publishing.reading_grid import Whole
from memloc.publishing.reading_techniques import Beside, Told
from memloc.publishing.style import sort_models, sort_tasks

ORIGINAL = 0.5  # a position above it is nearer to the original class


def grid_facts(grid: Whole) -> dict[str, str]:
    """What the figures show, in numbers; the same names, without numbers, where this copy has no such run."""
    first = grid.first
    facts = count_facts(first) if first else dict.fromkeys(("places", "measured", "counted", "note"), NONE)
    found = largest_of_one(grid.swapping) if grid.swapping else {}
    return facts | {
        "largest": span(list(found.values())),
        "over": listed([where(place) for place, error in found.items() if error >= HALF]) or NONE,
        **_depths(grid.beside),
        **{f"events-{name}": value for name, value in (_events(grid.centroids)).items()},
        **{f"probes-{name}": value for name, value in (_events(grid.probing)).items()},
        **_halves(grid.centroids),
    }


def _depths(beside: Beside | None) -> dict[str, str]:
    """How far tasks lie apart in what techniques say, how far models do, and how far both agree."""
    if beside is None:
        return dict.fromkeys(("depths", "tasks-apart", "models-apart", "techniques", "models", "models-weights"), NONE)
    tasks, models = (sort({place[at] for place in beside.places}) for at, sort in ((0, sort_tasks), (1, sort_models)))
    means = {
        name: [float(np.mean(of)) for task in tasks if (of := depths_of(beside, task, name))] for name in beside.told
    }
    depth = {place: of["swapping"].relative for place, of in beside.places.items() if "swapping" in of}
    between = {name: agreements(beside, name) for name in ("techniques", "models")}
    weights = [part for title, part in between["models"].items() if title.startswith("layer weights")]
    centres = {
        name: [part for title, part in of.items() if not title.startswith("layer weights")]
        for name, of in between.items()
    }
    return {
        "depths": "; ".join(f"{name} {span(of)}" for name, of in means.items() if of) or NONE,
        "tasks-apart": _apart([[depth.get((task, model)) for task in tasks] for model in models]),
        "models-apart": _apart([[depth.get((task, model)) for model in models] for task in tasks]),
        **{name: span([value for part in found for value in part["value"]]) for name, found in centres.items()},
        "models-weights": span([value for part in weights for value in part["value"]]),
    }


def _apart(groups: Sequence[Sequence[float | None]]) -> str:
    """Mean absolute difference of two values of a group, over all pairs of all groups: groups may differ in size."""
    pairs = [
        abs(first - second)
        for group in groups
        for first, second in combinations([value for value in group if value is not None], 2)
    ]
    known = [value for value in pairs if np.isfinite(value)]
    return f"{np.mean(known):.2f}" if known else NONE


def _events(told: Told | None) -> dict[str, str]:
    names = ("first", "last", "same", "known", "before")
    found = event_facts(told) if told else {}
    return {name: found.get(f"event-{name}", NONE) for name in names}


def _halves(told: Told | None) -> dict[str, str]:
    """In how many places noisy examples end nearer to their original class with half of the layers from the twin."""
    facts: dict[str, str] = {}
    for name, arm in (("lower", "lower_from_normal"), ("upper", "upper_from_normal")):
        here = [place for place in told.places if told.has_arm(place, arm)] if told else []
        ends = [float(told.mean(place, "noisy_mean", "noisy", arm=arm)[-1]) for place in here] if told else []
        facts |= {name: str(sum(end > ORIGINAL for end in ends)), "halved": str(len(ends)) if ends else NONE}
        facts[name] = facts[name] if ends else NONE
    return facts
