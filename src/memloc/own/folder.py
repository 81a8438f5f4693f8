"""The folder of a result: filled beside its place, renamed when whole; a killed run goes on from what was finished."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal, overload

import pandas as pd

from memloc import tables
from memloc.disk import explained
from memloc.errors import MemlocError

KEY = "key.txt"

Finished = tuple[pd.DataFrame, dict[str, pd.DataFrame]]


class OutFolder:
    """Where a result goes.

    Args:
        target: its place; may exist only if it is empty or holds a former result of the same configuration.
        key: of the configuration.
    """

    def __init__(self, target: Path, key: str) -> None:
        self.target = target.resolve()
        self.work = self.target.with_name(f".{self.target.name}.partial")
        self.key = key

    def open(self) -> None:
        """Look at what is there, and make the working folder or go on in it.

        Raises:
            MemlocError: if the place is taken by anything else; nothing is changed then.
        """
        with explained(self.target):
            if self.target.exists() and not self._replaceable():
                raise MemlocError(
                    "output folder", str(self.target), "a new or empty folder, or this result's former one"
                )
            if self.work.exists() and self._key_of(self.work) != self.key:
                if self._key_of(self.work) is None and any(self.work.iterdir()):
                    raise MemlocError("working folder", str(self.work), "nothing of that name; move it away")
                shutil.rmtree(self.work)  # of another configuration, never finished
            self.work.mkdir(parents=True, exist_ok=True)
            (self.work / KEY).write_text(self.key)

    def _replaceable(self) -> bool:
        if not self.target.is_dir():
            return False
        return not any(self.target.iterdir()) or self._key_of(self.target) == self.key

    @staticmethod
    def _key_of(folder: Path) -> str | None:
        try:
            return (folder / KEY).read_text().strip()
        except OSError:
            return None

    def resume(self, technique: str) -> Path:
        """Where a technique keeps what lets it go on; not made here."""
        return self.work / "resume" / technique

    def finish(self, technique: str, rows: pd.DataFrame, details: dict[str, pd.DataFrame]) -> None:
        """Keep a technique's tables; the rows come last and make it finished."""
        place = self.work / technique
        with explained(place):
            place.mkdir(exist_ok=True)
            for name, frame in details.items():
                tables.write(frame, tables.DETAILS[name], place / f"{name}.parquet")
            tables.write(rows, tables.ROWS, place / "rows.tmp")
            os.replace(place / "rows.tmp", place / "rows.parquet")

    @overload
    def finished(self, technique: str, sure: Literal[True]) -> Finished: ...
    @overload
    def finished(self, technique: str) -> Finished | None: ...
    def finished(self, technique: str, sure: bool = False) -> Finished | None:
        """Rows and details of a technique that is finished here; with ``sure`` it must be."""
        place = self.work / technique
        if not sure and not (place / "rows.parquet").is_file():
            return None
        details = {
            path.stem: tables.read(path, tables.DETAILS[path.stem])
            for path in sorted(place.glob("*.parquet"))
            if path.stem in tables.DETAILS
        }
        return tables.read(place / "rows.parquet", tables.ROWS), details

    def publish(self) -> None:
        """Put the whole folder in its place."""
        with explained(self.target):
            if self.target.exists():
                shutil.rmtree(self.target)
            os.rename(self.work, self.target)
