"""What a rule is made of: claims, their parts, and the values the parts read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from memloc.errors import unknown_name


@dataclasses.dataclass(frozen=True)
class Value:
    """What is read from the summary for every unit: seeds averaged, then models; minus another such value."""

    metric: str
    technique: tuple[str, ...]
    models: str = "any"
    over_models: str = "mean"
    variant: str = ""
    transform: str = ""
    minus: Value | None = None

    @property
    def chain(self) -> tuple[Value, ...]:
        """This value and those it is made less by."""
        return (self, *(self.minus.chain if self.minus else ()))

    def __str__(self) -> str:
        """Words for a message, such as ``mcog of swapping (models: larger)``."""
        only = [f"models: {self.models}"] * (self.models != "any") + ["binarised tasks"] * bool(self.variant)
        return f"{self.metric} of {' and '.join(self.technique)}" + (f" ({', '.join(only)})" if only else "")


@dataclasses.dataclass(frozen=True)
class Part:
    """One number of a claim, its threshold and its test. Fields that a statistic does not use keep their defaults."""

    name: str
    statistic: str
    value: Value
    threshold: float
    chance: float = float("nan")  # what the test excludes; unused with test "none"
    direction: str = "above"
    tasks: tuple[str, ...] = ()  # empty: every task that is no variant
    group: tuple[str, ...] = ()
    passes: str = "above"
    bound: float = 0.0
    method: str = "spearman"
    points: str = "pooled"
    other: Value | None = None
    second_value: Value | None = None
    second_other: Value | None = None
    refuted_at: float = float("nan")
    test: str = "permutation"
    minimum: int = 0  # units, where it differs from the claim's

    @property
    def values(self) -> dict[str, Value]:
        """The values this part reads, by the name of its field."""
        named = {n: getattr(self, n) for n in ("value", "other", "second_value", "second_other")}
        return {n: v for n, v in named.items() if v is not None}


@dataclasses.dataclass(frozen=True)
class Requirement:
    """A cell (task, model, seed) takes part only if its ``metric`` is at least this large."""

    metric: str
    technique: str
    at_least: float
    applies_to: tuple[str, ...]  # techniques whose rows are left out where it is missed


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all claims share."""

    alpha: float
    resamples: int
    exploratory_tasks: tuple[str, ...]
    metrics: Mapping[str, str]
    models: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Claim:
    """One finding and the rule by which it is judged."""

    id: str
    title: str
    finding: str
    reading: str
    unit: str
    version: int
    requires: tuple[Requirement, ...]
    minimum: Mapping[str, int]  # units, models, seeds
    parts: tuple[Part, ...]
    verdicts: Mapping[str, str]
    settings: Settings
    superseded: bool = False

    @property
    def needs(self) -> tuple[tuple[str, str], ...]:
        """The (technique, metric) rows the rule reads, sorted."""
        found = {(r.technique, r.metric) for r in self.requires}
        read = [value for part in self.parts for root in part.values.values() for value in root.chain]
        found |= {(technique, value.metric) for value in read for technique in value.technique}
        return tuple(sorted(found))


@dataclasses.dataclass(frozen=True)
class Claims:
    """All claims of one file, the older versions of changed rules apart."""

    claims: tuple[Claim, ...]
    superseded: tuple[Claim, ...]
    settings: Settings
    multiple_comparisons: str
    unit_of_resampling: str
    path: Path

    def __getitem__(self, claim_id: str) -> Claim:
        known = {claim.id: claim for claim in self.claims}
        if claim_id not in known:
            raise unknown_name("claim", claim_id, known)
        return known[claim_id]
