"""Write ``results/data/counts.parquet``: rows and text lengths of the study's tasks, from data that you have.

    MEMLOC_DATA=FOLDER python scripts/count_tasks.py files

The book shows these numbers where the texts themselves cannot be shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from memloc import tables
from memloc.data.catalogue import get_task
from memloc.data.counting import COUNTS, count_rows
from memloc.data.raw import load_raw
from memloc.publishing.atlas import tasks

OUT = Path(__file__).resolve().parents[1] / "results" / "data" / "counts.parquet"


def main(source: str) -> None:
    """Count every task of the study in one source."""
    frames = [count_rows(get_task(name), load_raw(get_task(name), source)) for name in tasks()]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    tables.write(pd.concat(frames, ignore_index=True), COUNTS, OUT)
    print(OUT)


if __name__ == "__main__":
    main(*sys.argv[1:])
