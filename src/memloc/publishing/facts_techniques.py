"""Numbers of the sentences about retraining, gradients, probing, centroids, and all techniques side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memloc.analysis.weights import variants
from memloc.publishing.facts import NONE, where
from memloc.publishing.figures import listed, span
from memloc.publishing.figures_beside import agreements
from memloc.publishing.figures_centroids import EVENTS, events_of, happened
from memloc.publishing.reading import ByPlace, Place
from memloc.publishing.reading_techniques import Beside, Told


def count_facts(found: ByPlace) -> dict[str, str]:
    """How many combinations of task and model there are, and how many count."""
    counted = len(found.counted)
    return {
        "places": str(len(found.all_places)),
        "measured": str(len(found.places)),
        "counted": str(counted),
        "note": "This is what they say" if counted else "So nothing can be concluded, and what follows is empty",
    }


def extreme(values: Mapping[Place, float], highest: bool = False) -> str:
    """The lowest or highest value and where it is."""
    known = {place: value for place, value in values.items() if np.isfinite(value)}
    if not known:
        return NONE
    place = (max if highest else min)(known, key=lambda key: known[key])
    return f"{known[place]:z.2f} ({where(place)})"


def weight_facts(told: Told) -> dict[str, str]:
    """Where a technique puts the weight, over the places that count."""
    weights = {place: told.weights[place] for place in told.counted}
    mcog = {place: found.mcog for place, found in weights.items()}
    return count_facts(told) | {
        "lowest": extreme(mcog),
        "highest": extreme(mcog, highest=True),
        "below": str(sum(found.mcog < (found.num_layers + 1) / 2 for found in weights.values())),
        "undefined": str(sum(not np.isfinite(value) for value in mcog.values())),
        "baseline": listed(sorted({found.baseline for found in weights.values() if found.baseline})) or "nothing",
    }


def gradient_facts(told: Told) -> dict[str, str]:
    """And how far the rules differ: the largest distance of two M-CoG of one place, as a share of its layers."""
    moved: dict[Place, float] = {}
    for place in told.counted:
        rules = [v for v in variants("gradients") if v.endswith("none") or told.has_arm(place, "frozen")]
        found = [told.weights_of(place, told.places[place], rule).mcog for rule in rules]
        known = [value for value in found if np.isfinite(value)]
        moved[place] = float(np.ptp(known)) if known else float("nan")
    return weight_facts(told) | {"variants": str(len(variants("gradients"))), "moved": extreme(moved, highest=True)}


def probing_facts(told: Told) -> dict[str, str]:
    """And what taking the maximum by seed adds, and the probes' events."""
    added, shift = {}, {}
    for place in told.counted:
        rules = [told.weights_of(place, told.places[place], rule) for rule in variants("probing")[:2]]
        added[place] = float(rules[1].weight.sum() - rules[0].weight.sum())
        shift[place] = abs(rules[1].mcog - rules[0].mcog)
    return (
        weight_facts(told)
        | event_facts(told)
        | {
            "added": extreme(added, highest=True),
            "shift": extreme(shift, highest=True),
        }
    )


def event_facts(told: Told) -> dict[str, str]:
    """Which comes first, memorisation or the beginning of classes, over the places that count and have both events.

    Noisy examples that are on the wrong side from layer 1 on cross nowhere, and come neither first nor last.
    """
    table = events_of(told)
    index = pd.MultiIndex.from_frame(table[["task", "model"]]) if len(table) else pd.MultiIndex.from_arrays([[], []])
    kept = table[index.isin(told.counted)] if told.counted else table.iloc[:0]
    memory, classes = (kept[name].astype(float) for name in EVENTS[told.technique])
    both = happened(kept, told.technique)
    return {
        "event-known": str(int(both.sum())),
        "event-before": str(int((memory < 1).sum())),
        "event-first": str(int((memory < classes)[both].sum())),
        "event-last": str(int((memory > classes)[both].sum())),
        "event-same": str(int((memory == classes)[both].sum())),
        "event-span": span(list(memory[both]), 1),
        "class-span": span(list(classes[both]), 1),
    }


def centroid_facts(told: Told) -> dict[str, str]:
    """Where noisy examples begin and end, and what half-replaced models do."""
    starts = [float(told.mean(place, "noisy_mean", "noisy")[0]) for place in told.counted]
    ends = [float(told.mean(place, "noisy_mean", "noisy")[-1]) for place in told.counted]
    facts = count_facts(told) | event_facts(told) | {"start": span(starts), "end": span(ends)}
    for name, arm in (("lower", "lower_from_normal"), ("upper", "upper_from_normal")):
        here = [p for p in told.counted if told.has_arm(p, arm)]
        last = [float(told.mean(place, "noisy_mean", "noisy", arm=arm)[-1]) for place in here]
        facts |= {
            name: span(last),
            f"{name}-original": str(sum(value > 0.5 for value in last)),
            "halved": str(len(last)),
        }
    return facts


def beside_facts(beside: Beside) -> dict[str, str]:
    """Which techniques there are, and how far they agree."""
    found = agreements(beside, "techniques")
    part = next(iter(found.values())) if found else pd.DataFrame(columns=["value", "first", "second", "n", "tasks"])
    known = part.dropna(subset=["value"]).sort_values("value")
    pairs = [f"{row['value']:z.2f} ({row['first']} and {row['second']})" for row in known.to_dict("records")]
    depths = {
        place: [w.relative for w in techniques.values() if np.isfinite(w.relative)]
        for place, techniques in beside.places.items()
        if place in beside.counted
    }
    apart = {place: float(np.ptp(values)) for place, values in depths.items() if len(values) > 1}
    return count_facts(beside) | {
        "techniques": listed(list(beside.told)),
        "missing": listed(beside.missing) if beside.missing else NONE,
        "compared": next(iter(found), "nothing"),
        "pairs": str(len(known)),
        "weakest": pairs[0] if pairs else NONE,
        "strongest": pairs[-1] if pairs else NONE,
        "points": str(int(known["n"].max())) if pairs else "0",
        "tasks-compared": str(int(known["tasks"].max())) if pairs else "0",
        "apart": extreme(apart, highest=True),
    }
