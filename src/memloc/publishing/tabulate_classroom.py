"""The assignments as a table for teachers, from their files alone: nothing of them is imported."""

from __future__ import annotations

import pandas as pd

from memloc.classroom import catalogue
from memloc.classroom.assignment import Limits
from memloc.classroom.checks import points_in
from memloc.config import from_mapping


def assignment_table() -> pd.DataFrame:
    """One row an assignment: what it teaches, how long it takes, and where its points come from."""
    rows = []
    for name in catalogue.names():
        told = catalogue.facts(name)
        points = points_in((catalogue.home() / name / catalogue.CHECKS).read_text(encoding="utf-8"))
        rows.append(
            {
                "assignment": name,
                "teaches": told.teaches,
                "minutes": told.minutes,
                "checks": len(points),
                "points": f"{sum(points):g}",
                "by hand": f"{sum(map(float, told.by_hand.values())):g}",
            }
        )
    return pd.DataFrame(rows)


def assignment_files() -> list[str]:
    """What limits and points are read from, as seen from the root of the book."""
    return [f"notebooks/assignments/{name}/assignment.yml" for name in catalogue.names()]


def assignment_facts() -> dict[str, str]:
    """Number of assignments, and the limits under which a submission runs, for prose."""
    limits = [from_mapping(Limits, dict(catalogue.facts(name).limits), name) for name in catalogue.names()]
    seconds, memory = (max(getattr(one, name) for one in limits) for name in ("seconds", "memory_mb"))
    return {"number": str(len(limits)), "seconds": f"{seconds:g}", "memory": f"{memory / 1024:g} GB"}
