"""What the workflow adds to the work, in sentences: from the stored measurement and a released run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.publishing import project_root
from memloc.publishing.tabulate_speed import FOLDER, read_columns
from memloc.released import Release

COLUMNS = ("profile", "cores", "jobs", "seconds", "work", "device")
JOBS_A_CELL = 2  # one trains its arms, one runs its techniques


def read_workflow(path: Path | None = None) -> pd.DataFrame:
    """The table of ``python -m benchmarks.workflow --out``; empty where a copy of the book has none."""
    return read_columns(path or project_root() / FOLDER / "workflow.parquet", COLUMNS)


def _beside(row: Mapping[Any, Any]) -> float:
    """Core seconds of a run that no cell had, for each job."""
    return float(row["seconds"] * row["cores"] - row["work"]) / float(row["jobs"])


def workflow_facts(measured: pd.DataFrame, run: Release | None) -> dict[str, str]:
    """Speed-up of a second core, and the share that starts take in a released run.

    Args:
        measured: as of `read_workflow`.
        run: the released run whose jobs are counted; None if there is none.
    """
    if measured.empty:
        return {"told": "This copy of the book holds no such measurement."}
    rows = {row["cores"]: row for row in measured.to_dict("records")}
    one, two = rows[1], rows[2]
    told = (
        f"Measured with the local workflow on {one['device']}: the profile `{one['profile']}` from nothing, "
        f"{one['jobs']} jobs, two a cell. One core took {one['seconds']:.0f} s, of which {one['work']:.0f} s were work "
        f"in cells; two cores took {two['seconds']:.0f} s, {one['seconds'] / two['seconds']:z.2f} times as fast. So "
        f"each job spent {_beside(one):.1f} s on other things, planning shared out among them."
    )
    if run is not None:
        seconds, cells = sum(cell_seconds(entry) for entry in run.manifest["cells"]), len(run.cells())
        share = 1 / (1 + seconds / (JOBS_A_CELL * cells * _beside(one)))
        told += (
            f" The {cells} cells of the released run `{run.profile.name}` took {seconds / 3600:.1f} hours of work; as "
            f"jobs of their own, two a cell, they would spend {100 * share:.1f} % of their time so (calculated)."
        )
    return {"told": told}


def cell_seconds(entry: Mapping[str, Any]) -> float:
    """Seconds in which something of a cell was made: what was made while something else waited for it counts once."""
    made = [part["made"] for part in (*entry["checkpoints"].values(), *entry["rows"].values())]
    return _covered((datetime.fromisoformat(m["started"]).timestamp(), float(m["seconds"])) for m in made)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans, each a start and a length."""
    total, until = 0.0, float("-inf")
    for start, length in sorted(spans):
        total += max(0.0, start + length - max(start, until))
        until = max(until, start + length)
    return total
