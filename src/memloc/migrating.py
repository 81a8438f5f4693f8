"""Formats change and releases stay: an older one is read by steps in memory, each from one version to the next.

A release has two versions: that of folder and manifest (``FORMATS``), and that of each table in it (``SCHEMAS``). To
change one, raise its number and register one function that brings what the number before wrote to the new one::

    @FORMATS.step(1)
    def told_by_name(contents: Contents) -> Contents:
        ...

Steps of formats run first, then those of tables. In every format the manifest has ``format``, ``kind`` (but for a run
of cells), ``tables`` (size and SHA-256 of each file) and ``sha256`` (its own), because bytes are checked before a step
runs. Nothing on the disk changes: ``sealed.migrate`` writes anew what was read, where that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa

from memloc import __version__, tables
from memloc.errors import MemlocError

T = TypeVar("T")


class Contents(NamedTuple):
    """What a release holds: the manifest without its own hash, and the tables by file name."""

    manifest: dict[str, Any]
    tables: dict[str, pa.Table]


@dataclass
class Chain(Generic[T]):
    """The steps from older versions to the present one.

    Attributes:
        current: the present version, which is written.
        stamp: writes a version into what a step made of what it was given.
        steps: from the version named to the next.
    """

    current: int
    stamp: Callable[[T, T, int], T]
    steps: dict[int, Callable[[T], T]] = field(default_factory=dict)

    def step(self, version: int) -> Callable[[Callable[[T], T]], Callable[[T], T]]:
        """Register the function below as the step from this version to the next.

        Raises:
            MemlocError: if there is one already, or no version comes after.
        """
        if version in self.steps or version >= self.current:
            raise MemlocError("step from version", version, f"one below {self.current} that has none yet")

        def registered(step: Callable[[T], T]) -> Callable[[T], T]:
            self.steps[version] = step
            return step

        return registered

    def check(self, version: object, what: str, written_by: str = "") -> int:
        """The version, if it can be brought to the present one.

        Args:
            what: it is of, for the error.
            written_by: the memloc that wrote it, if that is known.

        Raises:
            MemlocError: for a newer version, saying what to install; for an older one without steps; for no number.
        """
        if not isinstance(version, int) or isinstance(version, bool):
            raise MemlocError(what, version, f"{self.current}, a whole number")
        if version > self.current:
            newer = f"memloc {written_by}, which wrote it," if written_by else "the memloc that wrote it"
            known = f"up to {self.current}, which memloc {__version__} reads"
            raise MemlocError(what, version, f"{known}: install {newer} or a newer one (git pull && make setup)")
        if not all(older in self.steps for older in range(version, self.current)):
            raise MemlocError(what, version, f"{', '.join(map(str, self.readable()))}: no step leads on from this one")
        return version

    def readable(self) -> list[int]:
        """The versions that can be read, the present one last."""
        oldest = self.current
        while oldest - 1 in self.steps:
            oldest -= 1
        return list(range(oldest, self.current + 1))

    def bring(self, thing: T, version: int) -> T:
        """What a version wrote as the present one has it; ``check`` comes first."""
        for older in range(version, self.current):
            thing = self.stamp(thing, self.steps[older](thing), older + 1)
        return thing


def _stamped(_: Contents, made: Contents, version: int) -> Contents:
    return Contents({**made.manifest, "format": version}, made.tables)


def _stamped_table(given: pa.Table, made: pa.Table, version: int) -> pa.Table:
    return with_version(made, version, name_of(made) or name_of(given))  # pyarrow forgets it with a column's name


def name_of(table: pa.Table) -> str:
    """Which table of ``tables.TABLES`` it says it is; empty if it says nothing."""
    return str((table.schema.metadata or {}).get(tables.TABLE, b"").decode())


def schema_of(table: pa.Table, where: str) -> pa.Schema:
    """The schema that it has to be of in this version.

    Raises:
        MemlocError: if it does not say which table it is.
    """
    if (name := name_of(table)) not in tables.TABLES:
        raise MemlocError(f"table {where}", name, list(tables.TABLES))
    return tables.TABLES[name]


def version_of(table: pa.Table) -> int | None:
    """The version of its schema; None if it says none."""
    told = (table.schema.metadata or {}).get(tables.VERSION, b"")
    return int(told) if told.isdigit() else None


def with_version(table: pa.Table, version: int, name: str) -> pa.Table:
    """The same rows as a table of this name and version; what other programs said of its columns is left out."""
    kept = {tables.TABLE: name.encode(), tables.VERSION: str(version).encode()}
    return table.replace_schema_metadata(kept)


FORMATS: Chain[Contents] = Chain(1, _stamped)
SCHEMAS: Chain[pa.Table] = Chain(tables.SCHEMA_VERSION, _stamped_table)
