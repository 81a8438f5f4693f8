"""From ``claims.yml`` to validated, frozen rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from memloc.claims.schema import Claim, Claims, Part, Requirement, Settings, Value
from memloc.errors import MemlocError, unknown_name

CLAIMS_FILE = Path(__file__).with_name("claims.yml")
VERDICTS = ("holds", "does not hold", "cannot tell")

# Fields of a part beyond name, statistic, value and threshold: (required, optional), one line a statistic of rules.py.
_ANY = ("tasks", "refuted_at", "test", "minimum")
STATISTICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "share_of_units": (("passes", "bound"), _ANY),
    "mean_over_units": (("direction",), _ANY),
    "difference_between_groups": (("direction", "group"), _ANY),
    "correlation_over_units": (("direction", "method", "points", "other"), _ANY),
    "agreement_between_models": (("direction",), _ANY),
    "difference_of_correlations": (("direction", "method", "other", "second_value", "second_other"), _ANY),
}
CHOICES = {
    "statistic": tuple(STATISTICS),
    "direction": ("above", "below"),
    "passes": ("above", "at_least", "at_most", "below"),
    "method": ("pearson", "spearman"),
    "points": ("pooled", "within_models"),
    "test": ("permutation", "none"),
    "unit": ("task", "run"),
    "over_models": ("mean", "min", "max", "none"),
    "variant": ("", "v2"),
    "transform": ("", "layer_trend", "distance_from_mean"),
}


def load_claims(path: Path | None = None) -> Claims:
    """Read and validate the rules.

    Raises:
        MemlocError: naming the missing, unknown or unacceptable entry and where it stands.
    """
    path = path or CLAIMS_FILE
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise MemlocError("claims file", str(path), "a readable YAML file") from error
    top = ("alpha", "resamples", "multiple_comparisons", "unit_of_resampling", "exploratory_tasks", "tasks", "models")
    _check_keys(raw, (*top, "metrics", "requirements", "claims", "superseded"), (), path.name)
    if not 0 < raw["alpha"] < 0.5:
        raise MemlocError(f"{path.name}: alpha", raw["alpha"], "a level between 0 and .5")
    models = {name: tuple(members) for name, members in raw["models"].items()}
    exploratory = tuple(raw["exploratory_tasks"])
    settings = Settings(float(raw["alpha"]), int(raw["resamples"]), exploratory, raw["metrics"], models)
    current = tuple(_claim(entry, raw, settings) for entry in raw["claims"])
    old = tuple(dataclasses.replace(_claim(entry, raw, settings), superseded=True) for entry in raw["superseded"])
    _check_versions(current, old)
    return Claims(current, old, settings, raw["multiple_comparisons"], raw["unit_of_resampling"], path)


def _check_keys(entry: Any, required: Iterable[str], optional: Iterable[str], where: str) -> None:
    if not isinstance(entry, Mapping):
        raise MemlocError(where, entry, "a mapping")
    required = tuple(required)
    for key in required:
        if key not in entry:
            raise MemlocError(f"missing key in {where}", key, required)
    for key in entry:
        if key not in (known := (*required, *optional)):
            raise unknown_name(f"key in {where}", str(key), known)


def _check_choices(entry: Mapping[str, Any], where: str) -> None:
    for key, accepted in CHOICES.items():
        if key in entry and entry[key] not in accepted:
            raise MemlocError(f"{where}: {key}", entry[key], [a or "(empty)" for a in accepted])


def _check_versions(current: tuple[Claim, ...], old: tuple[Claim, ...]) -> None:
    newest = {claim.id: claim.version for claim in current}
    if len(newest) < len(current):
        raise MemlocError("claims", [c.id for c in current], "each id once; older versions go to 'superseded'")
    for claim in old:
        if claim.version >= newest.get(claim.id, 0):
            raise MemlocError(f"superseded claim {claim.id}, version", claim.version, "one below the current version's")


def _claim(entry: Any, raw: Mapping[str, Any], settings: Settings) -> Claim:
    where = f"claim {entry.get('id', '?') if isinstance(entry, Mapping) else '?'}"
    keys = ("id", "title", "finding", "reading", "unit", "version", "requires", "minimum", "parts", "verdicts")
    _check_keys(entry, keys, (), where)
    _check_choices(entry, where)
    _check_keys(entry["minimum"], ("units", "models", "seeds"), (), f"{where}: minimum")
    _check_keys(entry["verdicts"], VERDICTS, (), f"{where}: verdicts")
    requires = []
    for name in entry["requires"]:
        if name not in raw["requirements"]:
            raise unknown_name(f"requirement of {where}", name, raw["requirements"])
        requirement = raw["requirements"][name]
        _check_keys(requirement, ("metric", "technique", "at_least", "applies_to"), (), f"requirement {name}")
        _known_metric(requirement["metric"], raw)
        requires.append(Requirement(**{**requirement, "applies_to": tuple(requirement["applies_to"])}))
    if not entry["parts"]:
        raise MemlocError(f"{where}: parts", entry["parts"], "at least one part")
    parts = tuple(_part(part, raw, where) for part in entry["parts"])
    return Claim(**{**entry, "requires": tuple(requires), "parts": parts, "settings": settings})


def _known_metric(metric: str, raw: Mapping[str, Any]) -> None:
    if metric not in raw["metrics"]:
        raise unknown_name("metric", metric, raw["metrics"])


def _part(entry: Any, raw: Mapping[str, Any], where: str) -> Part:
    where = f"{where}, part {entry.get('name', '?') if isinstance(entry, Mapping) else '?'}"
    if not isinstance(entry, Mapping) or "statistic" not in entry:
        raise MemlocError(f"missing key in {where}", "statistic", tuple(STATISTICS))
    _check_choices(entry, where)
    required, optional = STATISTICS[entry["statistic"]]
    tested = entry.get("test", "permutation") != "none"
    keys = ("name", "statistic", "value", "threshold", *(("chance",) if tested else ()), *required)
    _check_keys(entry, keys, optional, where)
    made: dict[str, Any] = dict(entry)
    for name in ("value", "other", "second_value", "second_other"):
        if name in made:
            made[name] = _value(made[name], raw, f"{where}: {name}")
    for name in ("tasks", "group"):
        if name in made:
            made[name] = _task_group(made[name], raw, where)
    return Part(**made)


def _task_group(names: str | list[str], raw: Mapping[str, Any], where: str) -> tuple[str, ...]:
    members: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        if name not in raw["tasks"]:
            raise unknown_name(f"task group of {where}", name, raw["tasks"])
        members += raw["tasks"][name]
    return tuple(dict.fromkeys(members))


def _value(entry: Any, raw: Mapping[str, Any], where: str) -> Value:
    fields = ("models", "over_models", "variant", "transform", "minus")
    _check_keys(entry, ("metric", "technique"), fields, where)
    _check_choices(entry, where)
    _known_metric(entry["metric"], raw)
    if entry.get("models", "any") not in ("any", *raw["models"]):
        raise unknown_name(f"model group of {where}", entry["models"], raw["models"])
    technique = entry["technique"]
    made = {**entry, "technique": (technique,) if isinstance(technique, str) else tuple(technique)}
    if "minus" in made:
        made["minus"] = _value(made["minus"], raw, f"{where}: minus")
    return Value(**made)
