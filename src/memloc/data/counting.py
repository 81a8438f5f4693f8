"""How many rows a task has by class, and how long its texts are: numbers that can be kept where texts cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from memloc.data.raw import RawTask
from memloc.data.specs import SPLITS, TaskSpec

COUNTS = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.int64()),  # null: all classes together
        pa.field("rows", pa.int64(), nullable=False),
        *(pa.field(f"words_{name}", pa.float64()) for name in ("p5", "median", "p95")),
    ],
    metadata={"memloc.table": "counts", "memloc.version": "1"},
)


def count_rows(spec: TaskSpec, raw: RawTask) -> pd.DataFrame:
    """Rows and words of a task as one source publishes them, by split and class (``COUNTS``).

    A word is what stands between white space; the parts of an example are counted together.

    Args:
        spec: the task's own entry (not a binarised one).
        raw: its rows, before repeated texts are dropped.
    """
    return pd.DataFrame(_rows(spec, raw)).astype({"label": "Int64"})


def _rows(spec: TaskSpec, raw: RawTask) -> Iterator[dict[str, Any]]:
    for split in (name for name in SPLITS if name in raw.splits):
        frame = raw.splits[split]
        words = frame["parts"].map(lambda parts: sum(len(text.split()) for text in parts)).astype(float)
        for label in (None, *range(len(spec.labels))):
            chosen = words if label is None else words[frame["label"] == label]
            found = {name: chosen.quantile(q) for name, q in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))}
            start = {"task": spec.name, "source": str(raw.fingerprint["source"]), "split": split, "label": label}
            yield start | {"rows": len(chosen)} | {f"words_{name}": value for name, value in found.items()}
