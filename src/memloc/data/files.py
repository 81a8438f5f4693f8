"""The ``files`` source: a folder with one folder of parquet files a task, given by the caller or by ``MEMLOC_DATA``.

A file has the text columns that the catalogue names, and ``label`` (integer), ``label_name``, or both. Where there are
names, labels are mapped by name, so the integers of such a file may be in another order than the catalogue's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from memloc.data.raw import RawTask, raw_frame
from memloc.data.specs import TaskSpec
from memloc.errors import MemlocError

LABELS = ("label", "label_name")  # one of them is enough


def load_files(spec: TaskSpec, data_dir: Path | None = None) -> RawTask:
    """Read a task's parquet files.

    Args:
        spec: the task's own entry (not a binarised one).
        data_dir: the data folder; None takes ``MEMLOC_DATA``.

    Raises:
        MemlocError: for a missing folder, file or column, and for a row with a wrong or missing label or text.
    """
    source = spec.files
    if source is None:
        raise MemlocError(f"source of task {spec.name}", "files", spec.sources)
    folder = data_folder(data_dir)
    hashes: dict[str, str] = {}
    splits: dict[str, pd.DataFrame] = {}
    left_out = 0
    for split, stems in source.splits.items():
        frames, start = [], 0
        for stem in stems:
            name = (Path(source.folder) / f"{stem}.parquet").as_posix()
            rows = _read(folder, name, source.columns)
            hashes[name] = _sha256(folder / name)
            rows = _named(spec, rows, name)
            numbers = range(start, start + len(rows))
            texts = rows[list(source.columns)].to_numpy(dtype=object).tolist()
            names = [None if pd.isna(value) else value for value in rows["label_name"]]
            frames.append(raw_frame(spec, texts, names, name, numbers))
            left_out += len(rows) - len(frames[-1])
            start += len(rows)
        splits[split] = pd.concat(frames, ignore_index=True)
    notes = [f"{left_out} rows labelled {' or '.join(spec.drop_labels)} are left out."] if left_out else []
    sizes = {split: len(frame) for split, frame in splits.items()}
    return RawTask(splits, {"source": "files", "files": hashes, "rows": sizes}, notes)


def data_folder(data_dir: Path | None = None) -> Path:
    """The folder of the source; None takes ``MEMLOC_DATA``.

    Raises:
        MemlocError: if none is named, or it is not there.
    """
    given = data_dir or os.environ.get("MEMLOC_DATA")
    if not given:
        raise MemlocError("data folder", "none was given", "a folder, by --data or by MEMLOC_DATA")
    folder = Path(given)
    if not folder.is_dir():
        raise MemlocError("data folder", str(folder), "a folder that exists (--data or MEMLOC_DATA)")
    return folder


def _read(folder: Path, name: str, texts: Sequence[str]) -> pd.DataFrame:
    """The columns of texts, and those of labels that the file has."""
    path = folder / name
    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob("*.parquet")) if path.parent.is_dir() else []
        found = f"there: {', '.join(there)}" if there else f"no parquet files in {path.parent}"
        if path.with_suffix(".csv").is_file():
            found += f"; pandas.read_csv makes a table of {path.stem}.csv, and to_parquet the file"
        raise MemlocError("data file", str(path), f"a parquet file ({found})")
    try:
        available = pq.read_schema(path).names
        labels = [column for column in LABELS if column in available]
        for column in (*texts, *([] if labels else LABELS)):
            if column not in available:
                wanted = " or ".join(LABELS) if column in LABELS else column
                raise MemlocError(
                    f"column of {name}", wanted, f"a column of the file, which has {', '.join(available)}"
                )
        return pq.read_table(path, columns=[*texts, *labels]).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise MemlocError("data file", str(path), f"a readable parquet file ({error})") from error


def _named(spec: TaskSpec, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows with ``label_name``: their own, or by their integers, which then count the catalogue's labels from 0."""
    if "label" in rows:
        _check_labels(spec, rows, name)
    if "label_name" in rows:
        return rows
    return rows.assign(label_name=[spec.labels[number] for number in rows["label"]])


def _check_labels(spec: TaskSpec, rows: pd.DataFrame, name: str) -> None:
    """The integers are in range and each stands for one name, or the two label columns contradict each other."""
    named = "label_name" in rows
    if spec.drop_labels and not named:
        raise MemlocError(f"column of {name}", "label_name", "names, where rows of some labels are left out")
    classes = len(spec.labels) + len(spec.drop_labels)
    numbers = rows["label"]
    if not pd.api.types.is_integer_dtype(numbers):
        raise MemlocError(
            f"label of {name}",
            str(numbers.dtype),
            f"whole numbers from 0 to {classes - 1}, none missing (names of labels are in the column label_name)",
        )
    wrong = rows.index[(numbers < 0) | (numbers >= classes)]
    if len(wrong):
        raise MemlocError(
            f"label in row {wrong[0]} of {name}", int(numbers[wrong[0]]), f"a whole number from 0 to {classes - 1}"
        )
    if not named:
        return
    pairs = rows[["label", "label_name"]].dropna().drop_duplicates()
    for column in ("label", "label_name"):
        twice = pairs[pairs.duplicated(column, keep=False)]
        if len(twice):
            raise MemlocError(
                f"labels of {name}", [tuple(pair) for pair in twice.to_numpy().tolist()], "one name for each integer"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
