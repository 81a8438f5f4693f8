"""What the numbers of the text were computed from: a run, a release, a stored file or an example, and the rows of each.

Whatever chapters show of a run says the same of itself: ``folder`` of its release (empty for a run of this copy),
``command`` that makes it, ``key`` of its configuration, and ``behind``, its rows by name. What is of a run has it as
``study``; what is of several releases has their ``folders``; what is no run may say its ``source`` itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.config import KEY_LENGTH, config_key
from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.downloads import csv
from memloc.sealed import MANIFEST, read_sealed

PACKAGE = Path(__file__).resolve().parent.parent
CLAIMS = PACKAGE / "claims" / "claims.yml"
STUDY = PACKAGE / "analysis" / "study.yml"


@dataclass(frozen=True)
class Source:
    """Where numbers of the text come from.

    Attributes:
        words: what it is, and what names it, as Markdown.
        files: as seen from the root of the book; linked where they lie.
        rows: files made for the page, by name.
    """

    words: str
    files: tuple[str, ...] = ()
    rows: Mapping[str, str] = field(default_factory=dict)


def sources_of(*things: Any) -> list[Source]:
    """Where numbers come from that were computed from these.

    Args:
        things: runs, what was read of them, files and folders of releases (a string: as seen from the root of the book;
            a path: a file of this package), tables of an example, or several of these in a tuple or list. None stands
            for what a copy of the book does not have.

    Raises:
        MemlocError: for anything else.
    """
    found: list[Source] = []
    for thing in things:
        if isinstance(told := getattr(thing, "source", thing), Source):
            found.append(told)
        elif isinstance(thing, tuple | list):
            found += sources_of(*thing)
        elif isinstance(thing, str | Path):
            released = isinstance(thing, str) and (project_root() / thing / MANIFEST).is_file()
            found.append(_release(str(thing)) if released else _file(thing))
        elif thing is not None and not isinstance(thing, pd.DataFrame):
            found += _run(thing)
    frames = [thing for thing in things if isinstance(thing, pd.DataFrame)]
    return [*found, *([_example(frames)] if frames else [])]


def _run(thing: Any) -> list[Source]:
    """A release, linked as it lies there, or the rows of a run that this copy made."""
    if hasattr(thing, "folders"):  # of several releases
        return sources_of(*thing.folders)
    run = getattr(thing, "study", thing)
    if not hasattr(run, "folder"):
        raise MemlocError("source of numbers", type(thing).__name__, "a run or what was read of it, a file, a table")
    if run.folder:
        return [_release(run.folder)]
    rows = {f"{name}.csv": _csv(frame) for name, frame in {**run.behind, **thing.behind}.items()}
    return [Source(f"This copy's run, `{run.command}`: configuration `{run.key}`", rows=rows)]


def _release(folder: str) -> Source:
    """A released run: its tables, and the manifest that has the keys of every cell and all hashes."""
    found = read_sealed(project_root() / folder)
    key = config_key(found.manifest["profile"]) if "profile" in found.manifest else found.manifest["key"]
    words = f"Released run `{folder}`: configuration `{key}`, manifest `{found.stored['sha256'][:KEY_LENGTH]}`"
    return Source(words, tuple(f"{folder}/{name}" for name in (*found.stored["tables"], MANIFEST)))


def _file(path: str | Path) -> Source:
    """A stored file; one of the package is copied, because a folder of the book may hold no package."""
    own = isinstance(path, Path)
    place = PACKAGE / path if own else project_root() / path
    told = Path(path).name if own else path
    if not place.is_file():
        return Source(f"`{told}`, which this copy of the book does not have")
    words = f"`{told}`: SHA-256 `{hashlib.sha256(place.read_bytes()).hexdigest()[:KEY_LENGTH]}`"
    return Source(words, rows={place.name: place.read_text(encoding="utf-8")}) if own else Source(words, (str(path),))


def _example(frames: Iterable[pd.DataFrame]) -> Source:
    texts = [text for frame in frames if (text := csv(frame))]
    rows = {f"example-{number}.csv": text for number, text in enumerate(texts, start=1)}
    return Source("An example made up for this page and computed on it", rows=rows)


def _csv(frame: pd.DataFrame) -> str:
    return str(frame.to_csv(index=False, lineterminator="\n"))
