"""Tables of a comparison. Everything is joined by task, by pairs of models, and by technique."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from memloc.analysis.correlation import correlation
from memloc.claims import Verdict
from memloc.claims.verdict import OPEN
from memloc.comparing.sides import Side, partners
from memloc.models.catalogue import get_model
from memloc.wording import number

CURVE = "layer_weight"
CENTRE, LOW, HIGH, DEPTH = "mcog", "mcog_attainable_low", "mcog_attainable_high", "mcog_relative"
LACKING = "too little data"
LAYERED = ("crossing", "initiation")  # told in layers: below 1 and above L there is no event
EVENTS = (*LAYERED, "noisy_start_position", "noisy_end_position")


@dataclass(frozen=True)
class Comparison:
    """Two sides and what can be said of both.

    Attributes:
        first, second: the sides.
    """

    first: Side
    second: Side

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Models beside one another."""
        return partners(self.first, self.second)

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks of both."""
        return [task for task in self.first.tasks if task in self.second.tasks]

    def both(self, technique: str, metric: str, layer: int = -1) -> Iterator[tuple[str, tuple[str, str], float, float]]:
        """Every task and pair of models for which both sides have a value."""
        for pair in self.pairs:
            for task in self.tasks:
                keys = [(task, model, technique, metric, layer) for model in pair]
                if keys[0] in self.first.means and keys[1] in self.second.means:
                    yield task, pair, float(self.first.means[keys[0]]), float(self.second.means[keys[1]])

    @property
    def techniques(self) -> list[str]:
        """Techniques of both, in the first one's order."""
        theirs = set(self.second.rows["technique"])
        return [name for name in dict.fromkeys(self.first.rows["technique"]) if name in theirs and name != "training"]

    def curves(self, technique: str) -> Iterator[tuple[str, tuple[str, str], np.ndarray, np.ndarray]]:
        """Layer weights of both, float64 [L] each; the two numbers of layers may differ."""
        for task, pair, _, _ in self.both(technique, CURVE, 1):
            found = [side.means[task, model, technique, CURVE] for side, model in zip(self.sides, pair, strict=True)]
            first, second = (curve.sort_index().to_numpy(float) for curve in found)
            yield task, pair, first, second

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.first, self.second


def centre_table(of: Comparison) -> pd.DataFrame:
    """M-CoG of both with their attainable ranges, and how the curves correlate over layers."""
    alike = {(name, task, pair): _alike(a, b) for name in of.techniques for task, pair, a, b in of.curves(name)}
    rows = []
    for name in of.techniques:
        for task, pair, first, second in of.both(name, CENTRE):
            depths = [_one(side, task, model, name, DEPTH) for side, model in zip(of.sides, pair, strict=True)]
            rows.append(
                {
                    "technique": name,
                    "task": task,
                    "models": _pair(pair),
                    f"M-CoG, {of.first.name}": _with_range(of.first, task, pair[0], name, first),
                    f"M-CoG, {of.second.name}": _with_range(of.second, task, pair[1], name, second),
                    "depth, second less first": number(depths[1] - depths[0], sign=True),
                    "curves, rank correlation": number(alike.get((name, task, pair), np.nan)),
                }
            )
    return pd.DataFrame(rows)


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation over layers; of different depths the deeper curve is read at the other's places."""
    if len(first) != len(second):
        at = np.linspace(0, 1, min(len(first), len(second)))
        first, second = (np.interp(at, np.linspace(0, 1, len(curve)), curve) for curve in (first, second))
    known = np.isfinite(first) & np.isfinite(second)  # of a published curve some layers cannot be read
    return float(correlation(first[known], second[known], "spearman")[0])


def order_table(of: Comparison) -> pd.DataFrame:
    """Whether both put the tasks in the same order of depth, by technique and pair of models."""
    rows = []
    for name in of.techniques:
        for pair in of.pairs:
            values = [(first, second) for _, models, first, second in of.both(name, DEPTH) if models == pair]
            if values:
                firsts, seconds = np.array(values).T
                told = float(correlation(firsts, seconds, "spearman")[0])  # two tasks have no order
                found = {"tasks": str(len(values)), "rank correlation": number(told)}
                rows.append({"technique": name, "models": _pair(pair), **found})
    return pd.DataFrame(rows)


def event_table(of: Comparison) -> pd.DataFrame:
    """Layers of crossing and initiation, and positions of noisy examples at the ends."""
    rows = []
    for name, metric in product(of.techniques, EVENTS):
        for task, pair, first, second in of.both(name, metric):
            known = all(_happens(metric, *of_one) for of_one in zip(pair, (first, second), strict=True))
            rows.append(
                {
                    "technique": name,
                    "event": metric.replace("_", " "),
                    "task": task,
                    "models": _pair(pair),
                    of.first.name: _event(metric, pair[0], first),
                    of.second.name: _event(metric, pair[1], second),
                    "second less first": number(second - first if known else None, sign=True),
                }
            )
    return pd.DataFrame(rows)


def _happens(metric: str, model: str, value: float) -> bool:
    """Whether a value tells where something happens: crossings and beginnings do so only within the layers."""
    return metric not in LAYERED or 1 <= value <= get_model(model).layers


def _event(metric: str, model: str, value: float) -> str:
    if _happens(metric, model, value):
        return number(value)
    return "before layer 1, or not at all" if value < 1 else "never"


def verdict_table(of: Comparison) -> pd.DataFrame:
    """What the rules of the claims say of both, and where they say the opposite or one of them says more: over all that
    each has, and where that differs in tasks or models also over what both have."""
    from memloc.publishing.reading import rules

    whole = [side.verdicts() for side in of.sides]
    alike = all(
        set(side.tasks) == set(of.tasks) and set(side.models) == {pair[place] for pair in of.pairs}
        for place, side in enumerate(of.sides)
    )
    shared = (
        []
        if alike
        else [side.verdicts(of.tasks, [pair[place] for pair in of.pairs]) for place, side in enumerate(of.sides)]
    )
    rows = []
    for claim in rules().claims:
        first, second = (found[claim.id] for found in whole)
        row = {"claim": f"{claim.id} {claim.title}", of.first.name: _said(first), of.second.name: _said(second)}
        row["changed"] = _changed(first, second)
        if shared:
            row["over what both have"] = "; ".join(_said(found[claim.id]) for found in shared)
        rows.append(row)
    return pd.DataFrame(rows)


def _said(verdict: Verdict) -> str:
    """A verdict; a number that does not decide is another thing than none."""
    return LACKING if np.isnan(verdict.statistic) else verdict.verdict


def _changed(first: Verdict, second: Verdict) -> str:
    said = (first.verdict, second.verdict)
    if said[0] == said[1]:
        return ""
    return "one decides" if OPEN in said else "opposite"


def _pair(pair: tuple[str, str]) -> str:
    return pair[0] if pair[0] == pair[1] else f"{pair[0]} / {pair[1]}"


def _one(side: Side, task: str, model: str, technique: str, metric: str) -> float:
    return float(side.means.get((task, model, technique, metric, -1), np.nan))


def _with_range(side: Side, task: str, model: str, technique: str, value: float) -> str:
    low, high = (_one(side, task, model, technique, metric) for metric in (LOW, HIGH))
    return f"{value:z.2f}" + (f" in [{low:.1f}, {high:.1f}]" if np.isfinite([low, high]).all() else "")
