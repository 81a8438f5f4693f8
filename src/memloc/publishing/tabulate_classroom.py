"""The assignments as a table for teachers."""

from __future__ import annotations

import pandas as pd

from memloc.classroom import catalogue


def assignment_table() -> pd.DataFrame:
    """One row an assignment: what it teaches, how long it takes, and where its points come from."""
    rows = []
    for one in catalogue.assignments():
        told = catalogue.facts(one.name)
        rows.append(
            {
                "assignment": one.name,
                "teaches": told.teaches,
                "minutes": told.minutes,
                "checks": len(one.checks),
                "points": f"{sum(check.points for check in one.checks):g}",
                "by hand": f"{sum(one.by_hand.values()):g}",
            }
        )
    return pd.DataFrame(rows)


def assignment_facts() -> dict[str, str]:
    """Number of assignments, and the limits under which a submission runs, for prose."""
    found = catalogue.assignments()
    seconds, memory = (max(getattr(one.limits, name) for one in found) for name in ("seconds", "memory_mb"))
    return {"number": str(len(found)), "seconds": f"{seconds:g}", "memory": f"{memory / 1024:g} GB"}
