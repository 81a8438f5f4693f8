"""A technique run on a cell: with what fits in memory, and its rows made whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from memloc import tables
from memloc.memory import with_less
from memloc.techniques.base import Cell, get_technique

log = logging.getLogger(__name__)


def measured(
    name: str, cell: Cell, settings: Mapping[str, Any], say: Callable[[str], None] = log.warning
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame], dict[str, Any]]:
    """Run a technique; where memory runs out, again with half as much at once.

    Finished pieces in the cell's folder of resume state are not computed again.

    Args:
        settings: all of the technique's.
        say: told of each halving.

    Returns:
        Rows with every column of ``tables.ROWS``; details by name; the settings it succeeded with.

    Raises:
        MemlocError: if it does not fit at the smallest size.
    """
    technique = get_technique(name)
    what = f"{name} of {cell.task} {cell.model} seed {cell.seed}"
    found, used = with_less(what, lambda now: technique.run(cell, now), settings, say)
    rows = found.rows.assign(run_key=cell.run_key, technique=name, task=cell.task, model=cell.model, seed=cell.seed)
    for column in set(tables.ROWS.names) - set(rows.columns):
        rows[column] = None
    return rows[tables.ROWS.names], found.details, used


def in_setting(frame: pd.DataFrame, setting: str) -> pd.DataFrame:
    """In a control, rows say which one, where they would say perturbed."""
    if setting == "main" or "arm" not in frame:
        return frame
    return frame.assign(arm=frame["arm"].replace({"perturbed": setting}))
