"""Judging: a claim and a summary in, a verdict out."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from memloc.claims.load import load_claims
from memloc.claims.rules import RULES, Draw, Estimate
from memloc.claims.schema import Claim, Claims, Part
from memloc.claims.values import Sample, check_summary, eligible, extract

HOLDS, REFUTED, OPEN = "holds", "does not hold", "cannot tell"
EPSILON = 1e-9
DIGITS = 9  # that are told: sums of exact halves leave less than this behind


@dataclasses.dataclass(frozen=True)
class PartResult:
    """One part of a claim: its own verdict, numbers and units, and what decided."""

    name: str
    verdict: str
    statistic: float
    interval: tuple[float, float]
    p_value: float
    n_units: int
    reason: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim's verdict. Statistic, interval and units are of the part that decided; ``p_value`` is the largest."""

    claim: str
    verdict: str
    statistic: float
    interval: tuple[float, float]
    p_value: float
    n_units: int
    reason: str
    rule_version: int
    exploratory: bool
    superseded: bool
    parts: tuple[PartResult, ...]


def judge(claim: Claim | str, summary: pd.DataFrame, *, seed: int = 0) -> Verdict:
    """Judge one claim by the rule in ``claims.yml``.

    Args:
        claim: a claim, or the id of one.
        summary: tidy rows ``run, task, model, seed, technique, metric, layer, value, n``; see ``metrics`` in the rules.
        seed: for permutations that are drawn rather than counted.

    Raises:
        MemlocError: for an unknown claim or metric (with near misses) or a summary that measures one thing twice.
    """
    if isinstance(claim, str):
        claim = load_claims()[claim]
    check_summary(summary, claim.settings)
    rows = eligible(claim, summary)
    return combine(claim, [measure(part, extract(part, rows, claim), claim, seed=seed) for part in claim.parts])


def judge_all(summary: pd.DataFrame, claims: Claims | None = None, *, seed: int = 0) -> pd.DataFrame:
    """All claims, one row each, superseded rules after the current rule of the same claim.

    Columns: ``claim, title, verdict, statistic, low, high, p_value, p_holm, n_units, reason, rule_version, exploratory,
    superseded``. ``p_holm`` adjusts over the current claims of this call that could be tested.
    """
    claims = claims or load_claims()
    rows = []
    for claim in sorted((*claims.claims, *claims.superseded), key=lambda c: (c.id, -c.version)):
        verdict = judge(claim, summary, seed=seed)
        row = {f.name: getattr(verdict, f.name) for f in dataclasses.fields(verdict) if f.name != "parts"}
        low, high = row.pop("interval")
        rows.append({**row, "title": claim.title, "low": low, "high": high})
    frame = pd.DataFrame(rows)
    current = frame["p_value"].where(~frame["superseded"])
    frame["p_holm"] = holm(current)
    columns = ["claim", "title", "verdict", "statistic", "low", "high", "p_value", "p_holm", "n_units", "reason"]
    return frame[[*columns, "rule_version", "exploratory", "superseded"]]


def holm(p_values: pd.Series) -> pd.Series:
    """P values adjusted by Holm's step-down method; empty ones stay empty and are not counted."""
    tested = p_values.dropna().sort_values()
    factors = range(len(tested), 0, -1)
    adjusted = pd.Series([p * f for p, f in zip(tested, factors, strict=True)], index=tested.index, dtype=float)
    return adjusted.cummax().clip(upper=1.0).reindex(p_values.index)


def measure(part: Part, sample: Sample, claim: Claim, *, seed: int = 0) -> PartResult:
    """The verdict on one part from the values of its units."""
    n, nan = len(sample.units), float("nan")
    short = _shortage(part, sample, claim)
    if short:
        return PartResult(part.name, OPEN, nan, (nan, nan), nan, n, short, sample.tasks, sample.models)
    alpha = claim.settings.alpha
    draw = Draw(claim.settings.resamples, seed, alpha / len(claim.parts))
    estimate = RULES[part.statistic](part, sample, draw)
    verdict, reason = _decide(part, estimate, alpha)
    if sample.incomplete:
        reason += f"; left out as not complete: {', '.join(sample.incomplete)}"
    return PartResult(
        part.name, verdict, estimate.value, estimate.interval, estimate.p, n, reason, sample.tasks, sample.models
    )


def _shortage(part: Part, sample: Sample, claim: Claim) -> str:
    """What is missing for the minimum data, or nothing."""
    if sample.absent:
        return f"too little data: no eligible rows of {', '.join(sample.absent)}"
    found = {"units": len(sample.units), "models": len(sample.models), "seeds": sample.seeds}
    needed = {**claim.minimum, **({"units": part.minimum} if part.minimum else {})}
    names = {"units": "tasks" if claim.unit == "task" else "trained models", "models": "models", "seeds": "seeds"}
    short = [f"{found[key]} of at least {needed[key]} {names[key]}" for key in needed if found[key] < needed[key]]
    inside = int(sample.in_group.sum())
    if part.group and not short and min(inside, len(sample.units) - inside) < 2:
        short = [f"{inside} tasks in the group and {len(sample.units) - inside} outside it, of at least 2 each"]
    left_out = f" (left out as not complete: {', '.join(sample.incomplete)})" if sample.incomplete else ""
    return "too little data: " + ", ".join(short) + left_out if short else ""


def _decide(part: Part, estimate: Estimate, alpha: float) -> tuple[str, str]:
    sign = -1.0 if part.direction == "below" else 1.0
    low, high = estimate.interval
    refuted_at = part.threshold if math.isnan(part.refuted_at) else part.refuted_at
    passes = sign * (estimate.value - part.threshold) >= -EPSILON
    rejects = part.test == "none" or estimate.p <= alpha + EPSILON
    known = math.isfinite(low) and math.isfinite(high)
    value, *ends = (round(number, DIGITS) + 0.0 for number in (estimate.value, low, high))  # 0, not -0 or 1e-18
    told = f"{value:.3g} " + (
        f"[{ends[0]:.3g}, {ends[1]:.3g}]" if known else "(too few units, all alike, for an interval)"
    )
    side = "at least" if sign > 0 else "at most"
    tested = "" if part.test == "none" else f", p = {estimate.p:.2g}"
    if passes and rejects:
        return HOLDS, f"{told} is {side} {part.threshold:g}{tested}"
    if (high if sign > 0 else -low) < sign * refuted_at - EPSILON:
        return REFUTED, f"{told} lies wholly {'below' if sign > 0 else 'above'} {refuted_at:g}"
    if passes:
        return OPEN, f"{told} is {side} {part.threshold:g}, but chance is not excluded{tested}"
    return (
        OPEN,
        f"{told} is not {side} {part.threshold:g}, but its interval is not wholly on the other side of {refuted_at:g}",
    )


def combine(claim: Claim, parts: list[PartResult]) -> Verdict:
    """The conjunction: all parts hold; or none lacks data and one is refuted; or it cannot be told."""
    lacking = [p for p in parts if math.isnan(p.statistic)]
    refuted = [p for p in parts if p.verdict == REFUTED]
    undecided = [p for p in parts if p.verdict == OPEN]
    p_value = max((p.p_value for p in parts if not math.isnan(p.p_value)), default=float("nan"))
    if lacking or (undecided and not refuted):
        verdict, decisive = OPEN, (lacking or undecided)[0]
    elif refuted:
        verdict, decisive = REFUTED, refuted[0]
    else:
        verdict, decisive = HOLDS, max(parts, key=lambda p: -1.0 if math.isnan(p.p_value) else p.p_value)
    tasks = {task for part in parts for task in part.tasks}
    return Verdict(
        claim=claim.id,
        verdict=verdict,
        statistic=decisive.statistic,
        interval=decisive.interval,
        p_value=float("nan") if lacking else p_value,
        n_units=decisive.n_units,
        reason=f"{decisive.name}: {decisive.reason}" if len(parts) > 1 else decisive.reason,
        rule_version=claim.version,
        exploratory=bool(tasks & set(claim.settings.exploratory_tasks)),
        superseded=claim.superseded,
        parts=tuple(parts),
    )
