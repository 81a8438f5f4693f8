"""Tables and sentences of sensitivity: a profile beside its variants, draws beside intervals, choices of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.choices import SINGLE, USUAL, Choice, chosen_lengths
from memloc.analysis.status import MEMORISED
from memloc.models.catalogue import get_model
from memloc.publishing.facts import NONE, where
from memloc.publishing.figures import listed, model_title
from memloc.publishing.reading import Place, Swapping, read_swapping
from memloc.publishing.reading_sensitivity import DRAW, Run, Sensitivity, window_choices
from memloc.publishing.tabulate_techniques import start
from memloc.wording import DASH, number

ABSENT = "The profile sensitivity and its variants have not been released in this copy of the book, so what would "
ABSENT += "come from them is empty."
UNKNOWN, NOTHING = "not known", "Nothing is known of that yet."
LEVEL = 20  # one of so many pairs of draws lies further apart than the limit


def variant_table(found: Sensitivity) -> pd.DataFrame:
    """Every place in the profile and its variants: was it memorised, where, and is that further off than draws are?"""
    changed = found.changes[["variant", "task", "model", "change", "beyond"]].to_numpy().tolist()
    changes = {(name, task, model): (change, beyond) for name, task, model, change, beyond in changed}
    rows = []
    for place in found.all_places:
        for name, run in found.runs.items():
            row = {"task": place[0], "model": model_title(place[1]), "variant": run.title, "status": "no run"}
            change, beyond = changes.get((name, *place), (np.nan, False))
            row |= {"change of depth": DASH, "more than draws?": DASH}
            if np.isfinite(change):
                row["change of depth"] = f"{change:+z.2f}"
                if found.spread:
                    row["more than draws?"] = "yes" if beyond else "no"
            rows.append(row | (_where(run, place) if place in run.swapping.all_places else {}))
    return pd.DataFrame(rows).fillna("")


def _where(run: Run, place: Place) -> dict[str, Any]:
    """Where one run memorises a place."""
    counts, row = run.counts(place), {"status": start(run.swapping, place)["status"]}
    if place in run.swapping.places:
        here = run.swapping.places[place]
        row |= {
            "M-CoG [95 %]": str(here.mcog),
            "depth, 0 to 1": str(run.depth(place)),
            "attainable": f"{here.bounds[0]:z.2f} to {here.bounds[1]:z.2f}",
        }
    return row | {
        "wrong labels given back": number(_given_back(run, place)),
        "training rows": str(counts["train"]),
        "of them wrong": str(counts["noisy"]),
        **({"crossing": number(run.crossing.get(place, np.nan), 1)} if run.crossing else {}),
    }


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
    """Depth of every place by swapping and by retraining in one run, a column a way of weighing windows."""
    rows = []
    for place, by_technique in _choices(retraining).items():
        for technique, found in by_technique.items():
            row = {"task": place[0], "model": model_title(place[1]), "technique": technique}
            told = {name: f"{number(one.depth)} ({number(one.mcog)})" for name, one in found.items()}
            rows.append(row | {f"{name}: depth (M-CoG)": words for name, words in told.items()})
    return pd.DataFrame(rows).fillna("")


def range_table(retraining: Swapping) -> pd.DataFrame:
    """The attainable range of an M-CoG by every way of weighing windows."""
    ranges: dict[str, dict[str, str]] = {}
    for (_, model), by_technique in _choices(retraining).items():
        column = f"attainable with {get_model(model).layers} layers"
        for name, choice in (pair for found in by_technique.values() for pair in found.items()):
            ranges.setdefault(name, {})[column] = f"{choice.bounds[0]:z.2f} to {choice.bounds[1]:z.2f}"
    return pd.DataFrame([{"windows": name, **columns} for name, columns in ranges.items()]).fillna("")


def _choices(retraining: Swapping) -> dict[Place, dict[str, dict[str, Choice]]]:
    """By place, technique and way. Swapping has all windows, and is also asked with the lengths that were retrained."""
    lengths = retraining.study.profile.techniques["retraining"].get("lengths") or []
    swapping = window_choices(read_swapping(retraining.study, status=retraining.status), lengths)
    found: dict[Place, dict[str, dict[str, Choice]]] = {}
    for place, choices in window_choices(retraining).items():
        own = retraining.places[place].lengths
        usual = USUAL if len(own) == get_model(place[1]).layers else chosen_lengths(own)
        told = {usual: choices[USUAL], **{name: choices[name] for name in (SINGLE,) if name in choices}}
        found[place] = {"swapping": swapping[place], "retraining": told}
    return found


def window_facts(retraining: Swapping | None) -> dict[str, str]:
    """How much of a depth is the choice of windows."""
    if retraining is None or not retraining.places:
        return {"windows": "No released run holds retraining yet, so this section is empty."}
    moved: dict[str, list[float]] = {}
    for by_technique in _choices(retraining).values():
        found = by_technique["swapping"]
        for name in found:
            moved.setdefault(name, []).append(abs(found[name].depth - found[USUAL].depth))
    told = [f"{name}: {np.nanmax(of):z.2f}" for name, of in moved.items() if name != USUAL and np.isfinite(of).any()]
    words = (
        f"Numbers of the run {retraining.study.profile.name}. {retraining.study.origin} The furthest that a depth by "
    )
    return {"windows": f"{words}swapping moves from what all lengths alike say, {'; '.join(told) or NONE}."}


def sensitivity_facts(found: Sensitivity | None) -> dict[str, str]:
    """The sentences of the chapter, each true whatever there is."""
    if found is None:
        numbers = dict.fromkeys(("limit", "times", "beyond"), UNKNOWN)
        return {"state": ABSENT, **dict.fromkeys(("draws", "interval", "changes", "memorised"), NOTHING), **numbers}
    profile = found.study.profile
    words = f"{found.study.origin} {listed([model_title(model) for model in profile.models])}, {profile.rows_told} "
    words += f"training rows unless a variant says otherwise. {len(found.variants)} of "
    words += f"{len(found.variants) + len(found.missing)} variants are in it."
    words += f" Not released: {listed(found.missing)}." if found.missing else ""
    other = _others(found)
    return {
        "state": words,
        "draws": _draws(found),
        "interval": _interval(found),
        "changes": _changes(found),
        "memorised": _memorised(found),
        "limit": f"{found.spread.limit:z.2f}" if found.spread else UNKNOWN,
        "times": f"{_times(found):.1f}" if np.isfinite(_times(found)) else UNKNOWN,
        "beyond": f"{int(other['beyond'].sum())} of {len(other)}" if found.spread else UNKNOWN,
    }


def _others(found: Sensitivity) -> pd.DataFrame:
    """Changes by other settings than the data seed, of the places that count."""
    return found.changes[(found.changes["setting"] != DRAW) & found.changes["change"].notna()]


def _expected(found: Sensitivity) -> float:
    """Standard error over noisy examples, of the places with two draws or more."""
    several = [found.sampling(place) for place in found.counted if len(found.drawn(place)) > 1]
    return float(np.sqrt(np.mean(np.square(several)))) if several else np.nan


def _times(found: Sensitivity) -> float:
    """How many times as far draws lie apart as intervals over noisy examples would expect."""
    expected = _expected(found)
    return found.spread.deviation / expected if found.spread and expected > 0 else np.nan


def _draws(found: Sensitivity) -> str:
    if not found.spread:
        return "How far draws differ is not known: it takes two of them that count."
    places = sum(len(found.drawn(place)) > 1 for place in found.counted)
    words = f"Over {places} combinations of task and model with up to {len(found.draws)} draws each, one draw has a "
    words += (
        f"standard deviation of {found.spread.deviation:z.3f} in depth ({found.spread.freedom} degrees of freedom). "
    )
    return f"{words}Two draws lie further apart than {found.spread.limit:z.2f} in one of {LEVEL} cases."


def _interval(found: Sensitivity) -> str:
    if not np.isfinite(_times(found)):
        return "Whether intervals over noisy examples are wide enough is not known."
    return (
        f"Intervals over noisy examples have a standard error of {_expected(found):.3f} in depth, so that draws differ "
        f"{_times(found):.1f} times as much as these intervals would expect."
    )


def _changes(found: Sensitivity) -> str:
    other = _others(found)
    if not found.spread or other.empty:
        return "What differs by more than draws of the data do is not known."
    beyond = other.loc[other["beyond"], ["variant", "task", "model"]].to_numpy().tolist()
    names = [f"{found.runs[name].title} ({where((task, model))})" for name, task, model in beyond]
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
