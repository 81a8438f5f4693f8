"""A task's published rows as one source gives them, before anything is drawn, dropped or changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.data.catalogue import base_of
from memloc.data.specs import SOURCES, TaskSpec
from memloc.errors import MemlocError, unknown_name


@dataclass
class RawTask:
    """Rows of one source.

    Args:
        splits: ``train`` and, where the source has them, ``validation`` and ``test``; each with the columns ``idx``
            (row number in the source's file or pool), ``parts`` (list of one to three texts) and ``label`` (int).
        fingerprint: JSON data that changes when the rows can: the source's name with hashes, commit or version.
        notes: what a reader has to know about these rows.
    """

    splits: dict[str, pd.DataFrame]
    fingerprint: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def load_raw(spec: TaskSpec, source: str, data_dir: Path | None = None) -> RawTask:
    """Load a task from the source that was chosen; another source is never tried instead.

    A binarised task gives the rows and integer labels of the task it is made from; ``prepare`` picks the two classes.

    Args:
        spec: the task.
        source: ``hub``, ``files`` or ``generated``.
        data_dir: the folder of the ``files`` source; None takes ``MEMLOC_DATA``.

    Raises:
        MemlocError: for an unknown source, one that the task does not have, or one that cannot be read.
    """
    if source not in SOURCES:
        raise unknown_name("source", source, SOURCES)
    if source not in spec.sources:
        raise MemlocError(f"source of task {spec.name}", source, spec.sources)
    base = base_of(spec)
    if source == "files":
        from memloc.data.files import load_files

        return load_files(base, data_dir)
    if source == "hub":
        from memloc.data.hub import load_hub

        return load_hub(base)
    from memloc.data.generated import load_generated

    return load_generated(base)


def raw_frame(
    spec: TaskSpec,
    parts: Sequence[Sequence[object]],
    names: Sequence[object],
    where: str,
    idx: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Rows with label names as a raw split: labels as integers of the entry, rows of left-out labels gone.

    Args:
        spec: the task's own entry (not a binarised one).
        parts: n rows of one to three texts.
        names: n label names.
        where: the file or split, for messages.
        idx: n row numbers; None counts from 0.

    Raises:
        MemlocError: for a row without a text or a label, or with a label that the entry does not know.
    """
    numbers = range(len(parts)) if idx is None else idx
    if not len(parts) == len(names) == len(numbers):
        raise MemlocError(f"rows of {where}", (len(parts), len(names), len(numbers)), "as many texts as labels")
    position = {name: i for i, name in enumerate(spec.labels)}
    kept: list[tuple[int, list[str], int]] = []
    for row, (number, texts, name) in enumerate(zip(numbers, parts, names, strict=True)):
        for text in texts:
            if not isinstance(text, str):
                raise MemlocError(f"text in row {row} of {where}", text, "a string")
        if not isinstance(name, str):
            raise MemlocError(f"label name in row {row} of {where}", name, (*spec.labels, *spec.drop_labels))
        if name in position:
            kept.append((int(number), [str(text) for text in texts], position[name]))
        elif name not in spec.drop_labels:
            raise MemlocError(f"label name in row {row} of {where}", name, (*spec.labels, *spec.drop_labels))
    return pd.DataFrame(
        {
            "idx": pd.Series([row[0] for row in kept], dtype="int64"),
            "parts": pd.Series([row[1] for row in kept], dtype="object"),
            "label": pd.Series([row[2] for row in kept], dtype="int64"),
        }
    )
