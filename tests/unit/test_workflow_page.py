"""What the workflow adds: work that overlaps counts once, and the sentences say what the table holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.publishing.facts_workflow import COLUMNS, cell_seconds, read_workflow, workflow_facts


def part(start: int, seconds: float) -> dict[str, Any]:
    return {"made": {"started": f"2026-01-01T00:00:{start:02}+00:00", "seconds": seconds}}


def test_what_waited_for_something_else_counts_once() -> None:
    arms = {"perturbed": part(0, 10), "normal": part(10, 5)}
    assert cell_seconds({"checkpoints": arms, "rows": {"swapping": part(0, 20)}}) == 20
    assert cell_seconds({"checkpoints": arms, "rows": {"swapping": part(12, 8)}}) == 20
    assert cell_seconds({"checkpoints": arms, "rows": {"swapping": part(30, 4)}}) == 19


def test_sentences_say_what_the_table_holds(tmp_path: Path) -> None:
    rows = [("smoke", 1, 10, 100.0, 60.0, "cpu"), ("smoke", 2, 10, 62.5, 65.0, "cpu")]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_parquet(tmp_path / "w.parquet")
    measured = read_workflow(tmp_path / "w.parquet")
    entry = {"checkpoints": {}, "rows": {"swapping": part(0, 392)}}
    run: Any = SimpleNamespace(manifest={"cells": [entry]}, cells=lambda: [1], profile=SimpleNamespace(name="small"))
    told = workflow_facts(measured, run)["told"]
    assert "1.60 times as fast" in told
    assert "each job spent 4.0 s" in told
    assert "2.0 % of their time so" in told
    assert workflow_facts(read_workflow(tmp_path / "none"), run)["told"].startswith("This copy")
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(MemlocError, match=r"columns of x\.parquet"):
        read_workflow(tmp_path / "x.parquet")
