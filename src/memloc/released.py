"""A released run: the numbers of a profile's cells in one small folder that needs no data, model or GPU to be read.

It holds three tables and a manifest, and where there are memorisation maps these too: numbers only, no texts, no class
names, nothing of the machine but the device.
``releasing.py`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from memloc import tables
from memloc.analysis.numbers import HeldOut
from memloc.arms import SETTINGS
from memloc.config import book_above
from memloc.errors import MemlocError, unknown_name
from memloc.pipeline import CellId
from memloc.profiles import Profile
from memloc.profiles.loading import parse_profile
from memloc.sealed import MANIFEST, kind_of, read_sealed

FILES: dict[str, pa.Schema] = {
    "rows.parquet": tables.ROWS,
    "outcomes.parquet": tables.RELEASED_OUTCOMES,
    "traces.parquet": tables.RELEASED_TRACES,
}
EXTRA: dict[str, pa.Schema] = {"map.parquet": tables.RELEASED_MAP}  # there only where a technique of the run tells it
CELL = ["task", "model", "seed"]


@dataclass(frozen=True)
class Release:
    """A released run; it answers like ``analysis.numbers.Numbers``.

    Attributes:
        profile: what was run, with all its settings.
        manifest: keys, counts and circumstances of every cell, and the cells that are missing.
        tables: the three tables by file name, and the extra ones that there are.
        version: format and tables as they were released, in words.
    """

    profile: Profile
    manifest: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    version: str = ""
    _parts: dict[tuple[str, tuple[str, ...]], dict[Any, pd.DataFrame]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @cached_property
    def _entries(self) -> dict[CellId, dict[str, Any]]:
        return {CellId(*(entry[name] for name in CELL)): entry for entry in self.manifest["cells"]}

    @cached_property
    def _arms(self) -> dict[CellId, set[str]]:
        """The arms that a cell has rows of."""
        found: dict[CellId, set[str]] = {}
        for *cell, arm in self.tables["rows.parquet"][[*CELL, "arm"]].drop_duplicates().itertuples(index=False):
            found.setdefault(CellId(*cell), set()).add(arm)
        return found

    @property
    def missing(self) -> list[CellId]:
        """Cells of the profile that were not finished when it was released."""
        return [CellId(*(entry[name] for name in CELL)) for entry in self.manifest["missing"]]

    def cells(self) -> list[CellId]:
        return list(self._entries)

    def narrowed(self, keep: Callable[[CellId], bool]) -> Release:
        """The same run with some of its cells; there may be none."""
        cells, missing = (
            [entry for entry in self.manifest[part] if keep(CellId(*(entry[name] for name in CELL)))]
            for part in ("cells", "missing")
        )
        return replace(self, manifest={**self.manifest, "cells": cells, "missing": missing})

    def trace(self, cell: CellId, arm: str) -> pd.DataFrame:
        return self._of("traces.parquet", cell, {"arm": arm})[tables.TRACE.names]

    def settings(self, cell: CellId) -> tuple[str, ...]:
        self._entry(cell)
        return (SETTINGS[0], *(setting for setting in SETTINGS[1:] if setting in self._arms.get(cell, ())))

    def rows(self, cell: CellId, technique: str, setting: str = "main") -> pd.DataFrame:
        frame = self._of("rows.parquet", cell, {"technique": technique})
        # rows of one run name its setting in some arm; others, as the frozen one, are called the same in every setting
        told = frame["arm"].where(frame["arm"].isin(SETTINGS[1:])).groupby(frame["run_key"]).transform("first")
        chosen = frame[told.fillna(SETTINGS[0]) == setting]
        if chosen.empty:
            raise MemlocError(f"setting of {technique} in the released run", setting, self.settings(cell))
        return chosen.reset_index(drop=True)

    def outcomes(self, cell: CellId, technique: str) -> pd.DataFrame:
        return self.detail(cell, technique, "outcomes")

    def detail(self, cell: CellId, technique: str, name: str) -> pd.DataFrame:
        return self._of(f"{name}.parquet", cell, {"technique": technique})[tables.DETAILS[name].names]

    def held_out(self, cell: CellId) -> HeldOut:
        return HeldOut(**self._entry(cell)["dataset"]["validation"])

    def classes(self, cell: CellId) -> int:
        return int(self._entry(cell)["dataset"]["classes"])

    def training_rows(self, cell: CellId) -> tuple[int, int]:
        """Training examples of a cell, and those of them whose given label is wrong."""
        told = self._entry(cell)["dataset"]
        return int(told["train"]), int(told["noisy"])

    def key(self, cell: CellId, name: str) -> str:
        entry = self._entry(cell)
        made = {"dataset": entry["dataset"], **entry["checkpoints"], **entry["rows"]}
        if name not in made:
            raise MemlocError(f"artefact of {cell} in the released run", name, list(made))
        return str(made[name]["key"])

    def asked(self, cell: CellId, technique: str) -> dict[str, Any]:
        entries = self._entry(cell)["rows"]
        if technique not in entries:
            raise MemlocError(f"technique of {cell} in the released run", technique, list(entries))
        return dict(entries[technique]["settings"])

    def _entry(self, cell: CellId) -> dict[str, Any]:
        if cell not in self._entries:
            raise MemlocError(f"cell of the released run {self.profile.name}", str(cell), map(str, self._entries))
        return self._entries[cell]

    def _of(self, name: str, cell: CellId, more: Mapping[str, str]) -> pd.DataFrame:
        self._entry(cell)
        if name not in self.tables:
            raise MemlocError("table of the released run", name, list(self.tables))
        columns = (*CELL, *more)
        if (name, columns) not in self._parts:  # one pass over the table instead of one a question
            self._parts[name, columns] = dict(list(self.tables[name].groupby(list(columns), sort=False)))
        found = self._parts[name, columns].get((*cell, *more.values()))
        if found is None:
            raise MemlocError(f"{name} of the released run", f"{cell}, {more}", "what the profile asked for")
        return found.reset_index(drop=True)


def find_release(asked: Path | str, others: Sequence[str] = ()) -> Path:
    """The folder of a released run of cells.

    Args:
        asked: the folder, or a name in ``results/`` of the book in or above the current folder.
        others: further names that the caller takes, for the error.

    Raises:
        MemlocError: if there is none, with the nearest names.
    """
    folder = Path(asked)
    if (folder / MANIFEST).is_file():
        return folder
    book = book_above(Path.cwd())
    paths = (book / "results").glob(f"*/{MANIFEST}") if book else []
    known = {path.parent.name: path.parent for path in paths if not kind_of(path)}
    if str(asked) not in known:
        raise unknown_name(
            "run", folder.name or str(asked), [*others, *known], else_from="or the folder of a released run"
        )
    return known[str(asked)]


def read_release(folder: Path | str) -> Release:
    """A released run, after every byte was checked against its manifest; an older one is migrated in memory.

    Raises:
        MemlocError: if a file is missing or altered, or it is of a version that cannot be read, or of another kind.
    """
    sealed = read_sealed(folder)
    manifest = sealed.manifest
    if kind := manifest.get("kind"):
        raise MemlocError(f"kind of the released run {folder}", kind, "a run of cells")
    extra = {name: schema for name, schema in EXTRA.items() if name in sealed.tables}
    found = sealed.frames(FILES | extra)
    return Release(parse_profile(manifest["profile_name"], manifest["profile"]), manifest, found, sealed.version)
