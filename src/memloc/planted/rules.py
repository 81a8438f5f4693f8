"""The numbers that decide what counts in the benchmark; ``rules.yml`` gives a reason for each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

from memloc.errors import MemlocError

RULES_FILE = Path(__file__).with_name("rules.yml")


@dataclass(frozen=True)
class Rules:
    """Shares in [0, 1].

    Attributes:
        learnt: accuracy on the wrong given labels from which a place has learnt them.
        kept: accuracy on clean examples that must be left then.
        still_learnt: accuracy on the wrong given labels that a settled model must have.
        forgets: part of what was planted that restoring the place must take away, or there is no ground truth.
    """

    learnt: float
    kept: float
    still_learnt: float
    forgets: float


@cache
def read_rules(path: Path = RULES_FILE) -> Rules:
    """The rules of the project.

    Raises:
        MemlocError: if a rule is missing, unknown or no share, or has no reason.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [field.name for field in fields(Rules)]
    if sorted(content) != sorted(names):
        raise MemlocError(f"rules of {path.name}", sorted(content), names)
    for name, rule in content.items():
        if set(rule) != {"value", "why"} or not rule["why"] or not 0 <= rule["value"] <= 1:
            raise MemlocError(f"rule {name} of {path.name}", rule, "a value between 0 and 1, and why")
    return Rules(**{name: float(rule["value"]) for name, rule in content.items()})
