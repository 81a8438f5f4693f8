"""Numbers of the sentences about the grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from memloc.analysis.curves import FROZEN
from memloc.publishing.facts import NONE, where
from memloc.publishing.facts_techniques import count_facts, event_facts
from memloc.publishing.figures import listed, span
from memloc.publishing.figures_beside import agreements
from memloc.publishing.figures_grid import HALF, depths_of, largest_of_one
from memloc.publishing.reading import ByPlace
from memloc.publishing.reading_grid import Whole
from memloc.publishing.reading_sensitivity import Sensitivity
from memloc.publishing.reading_techniques import Beside, Told
from memloc.publishing.style import sort_models, sort_tasks

ORIGINAL = 0.5  # a position above it is nearer to the original class
SLIGHT = 0.1  # of F1: probes that gain less than this over the frozen arm hardly see noise


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
        **_slight(grid.probing),
        **_halves(grid.centroids),
        "seeds": _seeds(first),
    }


def draw_facts(varied: Sensitivity | None) -> dict[str, str]:
    """How far two draws of the wrong labels lie apart in depth at most, 19 times of 20, where it was tried."""
    return {"limit": f"{varied.spread.limit:z.2f}" if varied and varied.spread else "an unknown distance"}


def _depths(beside: Beside | None) -> dict[str, str]:
    """How far tasks lie apart in what techniques say, how far models do, and how far both agree."""
    if beside is None:
        return dict.fromkeys(("depths", "tasks-apart", "models-apart", "techniques", "models", "models-weights"), NONE)
    tasks, models = (sort({place[at] for place in beside.places}) for at, sort in ((0, sort_tasks), (1, sort_models)))
    means = {
        name: [float(np.mean(of)) for task in tasks if (of := depths_of(beside, task, name))] for name in beside.told
    }
    depth = {place: of["swapping"].relative for place, of in beside.places.items() if "swapping" in of}
    by_one = {name: agreements(beside, "models", name) for name in beside.told}
    return {
        "depths": "; ".join(f"{name} {span(of)}" for name, of in means.items() if of) or NONE,
        "tasks-apart": _apart([[depth.get((task, model)) for task in tasks] for model in models]),
        "models-apart": _apart([[depth.get((task, model)) for model in models] for task in tasks]),
        "techniques": span(_values(agreements(beside, "techniques"))),
        "models": _told(by_one),
        "models-weights": _told(by_one, layerwise=True),
    }


def _values(agreement: dict[str, pd.DataFrame], layerwise: bool = False) -> list[float]:
    """Correlations of all pairs: of M-CoG, or layer by layer."""
    parts = [part for title, part in agreement.items() if title.startswith("layer weights") == layerwise]
    return [value for part in parts for value in part["value"]]


def _told(by_technique: dict[str, dict[str, pd.DataFrame]], layerwise: bool = False) -> str:
    """Correlations of models within each technique: over several, their different scales alone would correlate."""
    found = {name: _values(agreement, layerwise) for name, agreement in by_technique.items()}
    return "; ".join(f"{name} {span(of)}" for name, of in found.items() if np.isfinite(of).any()) or NONE


def _seeds(first: ByPlace | None) -> str:
    """How many seeds combinations of task and model have, in words."""
    if first is None:
        return NONE
    seeds = first.status.groupby(["task", "model"])["seed"].nunique()
    return listed([f"{count} in {places} combinations" for count, places in sorted(seeds.value_counts().items())])


def _slight(probing: Told | None) -> dict[str, str]:
    """Of the places that count, where probes hardly see noise that was not there before fine-tuning."""
    if probing is None:
        return {"probes-slight": NONE, "probes-margin": NONE}
    known = [place for place in probing.counted if probing.has_arm(place, FROZEN)]
    peaks = {
        place: [float(np.nanmax(probing.mean(place, "f1_noise", arm=arm))) for arm in ("", FROZEN)] for place in known
    }
    few = [place for place, (trained, frozen) in peaks.items() if trained - frozen < SLIGHT]
    return {"probes-slight": f"{len(few)} of {len(known)}" if known else NONE, "probes-margin": f"{SLIGHT:g}"}


def _apart(groups: Sequence[Sequence[float | None]]) -> str:
    """Mean absolute difference of two values of a group, over all pairs of all groups: groups may differ in size."""
    pairs = [
        abs(first - second)
        for group in groups
        for first, second in combinations([value for value in group if value is not None], 2)
    ]
    known = [value for value in pairs if np.isfinite(value)]
    return f"{np.mean(known):z.2f}" if known else NONE


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
