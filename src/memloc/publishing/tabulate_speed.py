"""The stored measurements of ``benchmarks/`` as tables and sentences."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.figures import listed

FOLDER = "results/benchmarks"
COLUMNS = (
    *("technique", "model", "task", "source", "rows", "tokens", "layers", "hidden", "classes", "threads", "device"),
    *("plain_seconds", "ours_seconds", "ratio", "plain_mb", "ours_mb", "difference", "repeats", "torch"),
)
MEMORY_COLUMNS = (
    *("technique", "family", "rows", "tokens", "layers", "hidden", "classes", "threads", "device"),
    *("model_mb", "megabytes", "seconds", "finished"),
)


def read_benchmarks(path: Path | None = None) -> pd.DataFrame:
    """The table that ``python -m benchmarks.run --out`` wrote; empty where a copy of the book has none.

    Raises:
        MemlocError: if it has other columns.
    """
    return read_columns(path or project_root() / FOLDER / "benchmarks.parquet", COLUMNS)


def read_memory(path: Path | None = None) -> pd.DataFrame:
    """The table that ``python -m benchmarks.memory --out`` wrote, as `read_benchmarks`."""
    return read_columns(path or project_root() / FOLDER / "memory.parquet", MEMORY_COLUMNS)


def read_columns(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A table of measurements, empty where there is no file.

    Raises:
        MemlocError: if it has other columns.
    """
    if not path.is_file():
        return pd.DataFrame(columns=list(columns))
    frame = pd.read_parquet(path)
    if tuple(frame.columns) != columns:
        raise MemlocError(f"columns of {path.name}", list(frame.columns), ", ".join(columns))
    return frame


def told(measured: pd.DataFrame) -> str:
    """What was measured, in one sentence."""
    if measured.empty:
        return "This copy of the book holds no measurements, so the table below is empty."
    return f"This copy holds {len(measured)} measurements, made on {listed(sorted(set(measured['device'])))}."


def speed_facts(measured: pd.DataFrame) -> dict[str, str]:
    """The number of measurements, for prose."""
    return {"measured": str(len(measured))}


def speed_table(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a measurement on texts of the study's tasks, techniques together."""
    rows = [
        {
            "technique": row["technique"],
            "model": f"{row['model']} ({row['layers']} x {row['hidden']})",
            "examples": f"{row['rows']} of {row['task']}, {row['tokens']:.0f} tokens",
            "classes": str(row["classes"]),
            "plain": f"{row['plain_seconds']:z.2f} s",
            "memloc": f"{row['ours_seconds']:z.2f} s",
            "times as fast": f"{row['ratio']:.1f}",
            "peak memory, plain": f"{row['plain_mb']:.0f} MB",
            "memloc's": f"{row['ours_mb']:.0f} MB",
            "difference": f"{row['difference']:.0e}",
            "threads": str(row["threads"]),
            "best of": str(row["repeats"]),
            "on": row["device"],
        }
        for row in measured[measured["source"] != "generated"]
        .sort_values(["technique", "hidden", "rows", "classes"])
        .to_dict("records")
    ]
    return pd.DataFrame(rows)


def growth_table(measured: pd.DataFrame) -> pd.DataFrame:
    """Measurements on generated texts, compactly: how both times grow with examples N, layers L and classes C."""
    kept = measured[measured["source"] == "generated"].sort_values(["technique", "model", "layers", "classes", "rows"])
    rows = [
        {
            "technique": row["technique"],
            "model": f"{row['model']}, width {row['hidden']}",
            "N": str(row["rows"]),
            "L": str(row["layers"]),
            "C": str(row["classes"]),
            "plain": f"{row['plain_seconds']:z.2f} s",
            "memloc": f"{row['ours_seconds']:z.2f} s",
            "times as fast": f"{row['ratio']:.1f}",
        }
        for row in kept.to_dict("records")
    ]
    return pd.DataFrame(rows)


def memory_table(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a technique: peak memory beside one model's."""
    rows = [
        {
            "technique": row["technique"],
            "model": f"{row['family']} ({row['layers']} x {row['hidden']}), {row['model_mb']:.0f} MB",
            "examples": f"{row['rows']} of {row['tokens']} tokens, {row['classes']} classes",
            "peak above the start": f"{row['megabytes']:.0f} MB",
            "measured for": f"{row['seconds']:.0f} s{'' if row['finished'] else ', then stopped'}",
            "on": row["device"],
        }
        for row in measured.sort_values("technique").to_dict("records")
    ]
    return pd.DataFrame(rows)
