"""Releases as they lie on the disk: a folder of tables under a manifest that seals them, whatever they are of.

Every byte is checked first. Then what an older memloc wrote is brought to the present version, in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from memloc import tables
from memloc.config import canonical_json
from memloc.disk import explained
from memloc.errors import MemlocError
from memloc.manifest import digest
from memloc.migrating import FORMATS, SCHEMAS, Contents, version_of

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sealed:
    """A release that is whole.

    Attributes:
        folder: where it lies.
        stored: its manifest as it lies there.
        manifest: the same in the present format, without its own hash.
        tables: by file name, in the present version.
        steps: what was migrated, in words; empty for a release of the present version.
    """

    folder: Path
    stored: dict[str, Any]
    manifest: dict[str, Any]
    tables: dict[str, pa.Table]
    steps: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Format and tables, and whether they were migrated, in words."""
        if self.steps:
            return (
                f"{'; '.join(self.steps)} (migrated in memory; memloc results --migrate {self.folder} writes it anew)"
            )
        return f"format {FORMATS.current}, tables {SCHEMAS.current}"

    def frames(self, schemas: Mapping[str, pa.Schema]) -> dict[str, pd.DataFrame]:
        """The tables of these names.

        Raises:
            MemlocError: if one is not there, or is another table.
        """
        for name in schemas:
            if name not in self.tables:
                raise MemlocError(f"tables of the release {self.folder}", list(self.tables), f"{name} among them")
        return {name: tables.checked(self.tables[name], schema, name) for name, schema in schemas.items()}


def read_sealed(folder: Path | str, made_by: str = "memloc results --release FOLDER") -> Sealed:
    """A release, after every byte was checked against its manifest, in the present version.

    Args:
        made_by: the command that writes such a folder.

    Raises:
        MemlocError: if there is none, a file is missing or altered, or it is of a version that cannot be read.
    """
    folder = Path(folder)
    stored = _stored(folder / MANIFEST, made_by)
    found = {name: _table(folder / name, told) for name, told in stored["tables"].items()}
    written_by = str(stored.get("memloc", ""))
    for name, table in found.items():
        SCHEMAS.check(version_of(table), f"version of {folder / name}", written_by)
    told = {key: value for key, value in stored.items() if key != "sha256"}
    manifest, found = FORMATS.bring(Contents(told, found), stored["format"])
    steps = [f"format {stored['format']} to {FORMATS.current}"] if stored["format"] < FORMATS.current else []
    present = {}
    for name, table in found.items():
        version = SCHEMAS.check(version_of(table), f"version of {folder / name}", written_by)  # of a step's table too
        present[name] = SCHEMAS.bring(table, version)
        steps += [f"{name} {version} to {SCHEMAS.current}"] if version != SCHEMAS.current else []
    return Sealed(folder, stored, manifest, present, tuple(steps))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone, in the present format; tables are looked at only where it is of an older one."""
    stored = _stored(folder / MANIFEST, "memloc results --release FOLDER")
    return stored if stored["format"] == FORMATS.current else read_sealed(folder).manifest


def _stored(path: Path, made_by: str) -> dict[str, Any]:
    """The manifest as it lies there, which carries its own hash, of a format that can be read."""
    if not path.is_file():
        raise MemlocError("released run", str(path.parent), f"a folder with a {MANIFEST}: {made_by}")
    altered = MemlocError("manifest of a released run", str(path), "the manifest as it was written")
    try:
        manifest = json.loads(path.read_bytes())
        version, told = manifest["format"], manifest["sha256"]
        FORMATS.check(version, f"format of the released run {path.parent}", str(manifest.get("memloc", "")))
        whole = told == seal({key: value for key, value in manifest.items() if key != "sha256"})
        whole = whole and all({"size", "sha256"} <= entry.keys() for entry in manifest["tables"].values())
        whole = whole and all(Path(name).name == name for name in manifest["tables"])  # files of this folder
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise altered from error
    if not whole:
        raise altered
    return dict(manifest)


def _table(path: Path, told: Mapping[str, Any]) -> pa.Table:
    """One table, after all its bytes were checked."""
    with explained(path):
        whole = path.is_file() and path.stat().st_size == told["size"] and digest(path) == told["sha256"]
    if not whole:
        raise MemlocError("file of a released run", str(path), f"the file of {told['size']} bytes in its manifest")
    return tables.load(path)


def kind_of(path: Path) -> str:
    """The kind of release that a manifest says it is of; empty for one of cells, and where it cannot be read."""
    try:
        return str(json.loads(path.read_bytes()).get("kind", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def seal(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 that the manifest itself carries."""
    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
