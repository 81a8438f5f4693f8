"""Tables and sentences of sensitivity: a profile beside its variants, draws beside intervals, choices of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.choices import USUAL, Choice
from memloc.analysis.status import MEMORISED
from memloc.publishing.facts import NONE, where
from memloc.publishing.figures import listed, model_title
from memloc.publishing.figures_techniques import span
from memloc.publishing.reading import Place, Swapping, read_swapping
from memloc.publishing.reading_sensitivity import DRAW, Run, Sensitivity, window_choices
from memloc.publishing.tabulate_techniques import DASH, number, start

ABSENT = "The profile `sensitivity` and its variants have not been released in this copy of the book, so what would "
ABSENT += "come from them is empty."
LEVEL = 20  # one of so many pairs of draws lies further apart than the limit


def variant_table(found: Sensitivity) -> pd.DataFrame:
    """Every place in the profile and its variants: was it memorised, where, and is that further off than draws are?"""
    changed = found.changes[["variant", "task", "model", "change", "beyond"]].to_numpy().tolist()
    changes = {(name, task, model): (change, beyond) for name, task, model, change, beyond in changed}
    rows = []
    for place in found.all_places:
        for name, run in found.runs.items():
            row = _where(run, place) | {"change of depth": DASH, "more than draws?": DASH, "crossing": DASH}
            change, beyond = changes.get((name, *place), (np.nan, False))
            if np.isfinite(change):
                row["change of depth"] = f"{change:+.2f}"
                if found.spread:
                    row["more than draws?"] = "yes" if beyond else "no"
            if np.isfinite(run.crossing.get(place, np.nan)):
                row["crossing"] = number(run.crossing[place], 1)
            rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _where(run: Run, place: Place) -> dict[str, Any]:
    """Where one run memorises a place."""
    row: dict[str, Any] = {"task": place[0], "model": model_title(place[1]), "variant": run.title}
    if place not in run.swapping.all_places:
        return row | {"status": "no run"}
    row |= start(run.swapping, place) | {"wrong labels given back": number(_given_back(run, place))}
    counts = run.counts(place)
    row |= {"training rows": str(counts["train"]), "of them wrong": str(counts["noisy"])}
    if place in run.swapping.places:
        here = run.swapping.places[place]
        row |= {
            "M-CoG [95 %]": str(here.mcog),
            "attainable": f"{here.bounds[0]:.2f} to {here.bounds[1]:.2f}",
            "depth, 0 to 1": str(run.depth(place)),
        }
    return row


def _given_back(run: Run, place: Place) -> float:
    """Accuracy on the wrong labels after training, the mean over seeds."""
    status = run.swapping.status
    return float(status.loc[(status["task"] == place[0]) & (status["model"] == place[1]), "noisy"].mean())


def draw_table(found: Sensitivity) -> pd.DataFrame:
    """How far draws of the data move the depth of every place that counts, beside what its interval would expect."""
    rows = []
    for place in found.counted:
        drawn, expected = found.drawn(place), found.sampling(place)
        spread = float(np.std(drawn, ddof=1)) if len(drawn) > 1 else np.nan
        rows.append(
            {
                "task": place[0],
                "model": model_title(place[1]),
                "depth by draw": ", ".join(number(value) for value in drawn),
                "standard deviation over draws": number(spread, 3),
                "standard error over noisy examples": number(expected, 3),
                "times": number(spread / expected if expected > 0 else np.nan, 1),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"draws of the data": ["nothing counts"]})


def window_table(retraining: Swapping) -> pd.DataFrame:
    """M-CoG of swapping and of retraining in one run, by different ways of weighing windows."""
    rows = []
    for place, by_technique in _choices(retraining).items():
        for technique, choices in by_technique.items():
            usual = choices[USUAL].depth
            for name, choice in choices.items():
                row = {"task": place[0], "model": model_title(place[1]), "technique": technique, "windows": name}
                row |= {"M-CoG": number(choice.mcog), "attainable": f"{choice.bounds[0]:.2f} to {choice.bounds[1]:.2f}"}
                change = choice.depth - usual
                told = f"{change:+.2f}" if np.isfinite(change) and name != USUAL else DASH
                rows.append(row | {"depth, 0 to 1": number(choice.depth), "change of depth": told})
    return pd.DataFrame(rows)


def _choices(retraining: Swapping) -> dict[Place, dict[str, dict[str, Choice]]]:
    """By place and technique; swapping also with the lengths that the run chose to retrain."""
    study = retraining.study
    lengths = study.profile.techniques["retraining"].get("lengths") or []
    swapping = window_choices(read_swapping(study, status=retraining.status), lengths)
    retrained = window_choices(retraining)
    return {place: {"swapping": swapping[place], "retraining": retrained[place]} for place in retrained}


def window_facts(retraining: Swapping | None) -> dict[str, str]:
    """How much of a depth is the choice of windows."""
    if retraining is None or not retraining.places:
        return {"windows": "No released run holds retraining yet, so this section is empty."}
    moved = {}
    for place, by_technique in _choices(retraining).items():
        depths = [choice.depth for choice in by_technique["swapping"].values() if np.isfinite(choice.depth)]
        moved[place] = float(np.ptp(depths))
    most = max(moved, key=lambda place: moved[place])
    words = f"Numbers of `{retraining.study.profile.name}`. {retraining.study.origin} The depth by swapping moves by "
    return {"windows": f"{words}{span(list(moved.values()))} with the choice of windows, most for {where(most)}."}


def sensitivity_facts(found: Sensitivity | None) -> dict[str, str]:
    """The sentences of the chapter, each true whatever there is."""
    if found is None:
        return {"state": ABSENT, **dict.fromkeys(("draws", "interval", "changes", "memorised"), "Not known yet.")}
    told = found.study.origin
    words = f"{told} {len(found.variants)} of {len(found.variants) + len(found.missing)} variants are in it."
    words += f" Not released: {listed(found.missing)}." if found.missing else ""
    return {"state": words, "draws": _draws(found), "interval": _interval(found)} | {
        "changes": _changes(found),
        "memorised": _memorised(found),
    }


def _draws(found: Sensitivity) -> str:
    if not found.spread:
        return "How far draws differ is not known: it takes two of them that count."
    places = sum(len(found.drawn(place)) > 1 for place in found.counted)
    words = f"Over {places} combinations of task and model with up to {len(found.draws)} draws each, one draw has a "
    words += (
        f"standard deviation of {found.spread.deviation:.3f} in depth ({found.spread.freedom} degrees of freedom). "
    )
    return f"{words}Two draws lie further apart than {found.spread.limit:.2f} in one of {LEVEL} cases."


def _interval(found: Sensitivity) -> str:
    several = [place for place in found.counted if len(found.drawn(place)) > 1]
    expected = float(np.sqrt(np.mean([found.sampling(place) ** 2 for place in several]))) if several else np.nan
    if not found.spread or not expected > 0:
        return "Whether intervals over noisy examples are wide enough is not known."
    return (
        f"Intervals over noisy examples have a standard error of {expected:.3f} in depth, so that draws differ "
        f"{found.spread.deviation / expected:.1f} times as much as these intervals would expect."
    )


def _changes(found: Sensitivity) -> str:
    other = found.changes[(found.changes["setting"] != DRAW) & found.changes["change"].notna()]
    if not found.spread or other.empty:
        return "What differs by more than draws of the data do is not known."
    beyond = other[other["beyond"]]
    names = [
        f"{found.runs[row['variant']].title} ({where((row['task'], row['model']))})" for _, row in beyond.iterrows()
    ]
    return (
        f"Of {len(other)} changes by other settings, {len(beyond)} are larger than that: {listed(names) or NONE}. By "
        f"chance alone one would expect about {len(other) / LEVEL:.1f}."
    )


def _memorised(found: Sensitivity) -> str:
    every = [(run, place) for run in found.runs.values() for place in run.swapping.all_places]
    lost = [f"{run.title} ({where(place)})" for run, place in every if place not in run.swapping.places]
    least = f"{100 * MEMORISED:g} % of the wrong labels"
    words = f"Labels were memorised ({least} given back) in {len(every) - len(lost)} of {len(every)} combinations of "
    return f"{words}variant, task and model. Not memorised: {listed(lost) or NONE}."
