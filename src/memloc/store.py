"""The artefact store: what costs time is computed once, kept whole or not at all, and checked before it is used.

An artefact is a folder ``<root>/store/v1/<kind>/<key>``, where the key is the hash of the configuration. It is filled
as ``<key>.partial`` under a lock and renamed when its manifest and all its bytes are on the disk.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memloc.config import canonical_json, config_key, home
from memloc.disk import Disk, Lock, explained
from memloc.errors import Corrupt, MemlocError, unknown_name
from memloc.filling import WorkingFolder
from memloc.manifest import CONFIG, MANIFEST, RESUME, SIDECAR, verify

__all__ = ["RESUME", "Artefact", "Store"]

log = logging.getLogger(__name__)

LAYOUT = Path("store", "v1")
KIND = re.compile(r"[a-z][a-z0-9_-]*")
KEY = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class Artefact:
    """A complete, verified folder of the store.

    Attributes:
        kind: what it is, such as ``"dataset"``.
        key: the hash of its configuration.
        path: its folder; never write into it.
        config: its full configuration.
        files: the names in its manifest.
    """

    kind: str
    key: str
    path: Path
    config: dict[str, Any] = field(hash=False)
    files: tuple[str, ...]

    def file(self, name: str) -> Path:
        """The path of one of its files.

        Raises:
            MemlocError: if the artefact has no such file, naming the nearest ones it has.
        """
        if name not in self.files:
            raise unknown_name(f"file of {self.kind} {self.key}", name, self.files)
        return self.path / name

    @property
    def sidecar(self) -> dict[str, Any]:
        """What was noted about the run that made it; empty if that is missing or broken, which invalidates nothing."""
        try:
            noted = json.loads((self.path / SIDECAR).read_bytes())
        except (OSError, ValueError) as error:
            log.warning("%s has no readable %s: %s", self.path, SIDECAR, error)
            return {}
        return noted if isinstance(noted, dict) else {}


class Store:
    """Artefacts under one home.

    Args:
        root: the home; ``MEMLOC_HOME`` by default.
        disk: what changes the disk; tests give one that fails.
    """

    def __init__(self, root: Path | None = None, disk: Disk | None = None) -> None:
        self.root = Path(root).resolve() if root is not None else home()
        self.disk = disk or Disk()

    def find(self, kind: str, config: Mapping[str, Any]) -> Artefact | None:
        """The artefact of this configuration, verified, or None; never computes and never changes the disk.

        Raises:
            MemlocError: if the folder of this key holds another configuration, or cannot be read.
        """
        path, asked = self._place(kind, config)
        return self._sound(path, asked)

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a complete artefact of this key; its bytes are checked when it is used, not here."""
        return (self.root / LAYOUT / kind / key / MANIFEST).is_file()

    def get_or_make(
        self,
        kind: str,
        config: Mapping[str, Any],
        make: Callable[[Path], None],
        sidecar: Mapping[str, Any] | None = None,
    ) -> Artefact:
        """The artefact of this configuration: found, awaited from another process, or made.

        Args:
            kind: what it is; lower-case letters, digits, ``-`` and ``_``.
            config: all that decides its bytes, as JSON data.
            make: writes the files into the folder it is given. Files outside the subfolder ``RESUME`` are removed when
                it fails or is killed; what is in ``RESUME`` is there again when the same artefact is next asked for,
                and goes when it is complete. So write resume state atomically (a new file, then ``os.replace``).
            sidecar: values noted in ``run.json``, such as the device; read after ``make``, which may still add to it.

        Raises:
            MemlocError: if the disk is full or not writable, or the folder of this key holds another configuration.
        """
        path, asked = self._place(kind, config)
        try:
            found = self._load(path, asked)
        except Corrupt:
            found = None  # it is looked at again, told of and replaced under the lock
        if found is not None:
            self._tidy(path)
            return found
        with explained(path):
            self.disk.mkdir(path.parent)
        with self._lock(path):
            found = self._sound(path, asked)
            if found is None:
                self._discard(path)
                WorkingFolder(_partial(path), asked, self.disk).fill(make, sidecar, path, self.root)
                found = self._load(path, asked)
            else:
                self._discard(_partial(path))
        if found is None:
            raise MemlocError("artefact", str(path), "a folder that nothing else removes while it is being made")
        return found

    def artefacts(self, kind: str | None = None) -> Iterator[Artefact]:
        """All sound artefacts, or those of one kind, in the order of kind and key; others are told of and left out."""
        for path in sorted((self.root / LAYOUT).glob("*/*")):
            if (kind is not None and path.parent.name != kind) or not KEY.fullmatch(path.name):
                continue
            artefact = self._sound(path)
            if artefact is not None and config_key(artefact.config) != path.name:
                log.warning("left out: %s is not the key of the configuration in it", path)
            elif artefact is not None:
                yield artefact

    def faults(self) -> Iterator[tuple[Path, MemlocError]]:
        """Folders that are no sound artefact of their key, and why; nothing is changed.

        A `Corrupt` one is made again when it is next asked for. Others are never used, and nothing replaces them.
        """
        for path in sorted((self.root / LAYOUT).glob("*/*")):
            if path.suffix in (".partial", ".lock"):
                continue
            try:
                found = self._load(path)
            except MemlocError as error:
                yield path, error
                continue
            if found is not None and config_key(found.config) != path.name:
                yield path, MemlocError("folder of an artefact", str(path), "the key of the configuration in it")

    def discard(self, path: Path) -> bool:
        """Remove an artefact's folder; False if a running process has to do with it."""
        with self._lock(path).if_free() as free:
            if free:
                self._discard(path)
        return free

    def sweep(self, resumable: bool = True) -> list[Path]:
        """Remove working folders and lock files that belong to no running process.

        Args:
            resumable: also folders with resume state, from which the next run would have gone on.

        Returns:
            What was removed, sorted.
        """
        removed: list[Path] = []
        folder = self.root / LAYOUT
        for path in sorted({left.with_suffix("") for end in ("partial", "lock") for left in folder.glob(f"*/*.{end}")}):
            there = [left for left in (_partial(path), path.with_suffix(".lock")) if os.path.lexists(left)]
            with self._lock(path).if_free() as free:
                if free and (resumable or os.path.lexists(path) or not (_partial(path) / RESUME).is_dir()):
                    self._discard(_partial(path))
            if free:
                removed += [left for left in there if not os.path.lexists(left)]
        return sorted(removed)

    def _place(self, kind: str, config: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        if not KIND.fullmatch(kind):
            raise MemlocError("kind of artefact", kind, "lower-case letters, digits, - and _, a letter first")
        try:
            asked = json.loads(canonical_json(config))
        except (TypeError, ValueError) as error:
            raise MemlocError(f"configuration of a {kind}", str(error), "JSON data without NaN") from error
        return self.root / LAYOUT / kind / config_key(asked), asked

    def _lock(self, path: Path) -> Lock:
        return Lock(path.with_suffix(".lock"), self.disk)

    def _load(self, path: Path, asked: dict[str, Any] | None = None) -> Artefact | None:
        """The artefact in a folder, None if there is none; raises Corrupt, or MemlocError for another configuration."""
        if not os.path.lexists(path):
            return None
        files = verify(path)
        with explained(path):
            stored = json.loads((path / CONFIG).read_bytes())
        if asked is not None and stored != asked:
            names = sorted(name for name in stored.keys() | asked.keys() if stored.get(name) != asked.get(name))
            here, there = ({name: config.get(name) for name in names} for config in (stored, asked))
            raise MemlocError(f"configuration stored in {path}", here, f"the one asked for, {there}; move it away")
        return Artefact(path.parent.name, path.name, path, stored, files)

    def _sound(self, path: Path, asked: dict[str, Any] | None = None) -> Artefact | None:
        try:
            return self._load(path, asked)
        except Corrupt as error:
            log.warning("not used, to be made again: %s", error)
            return None

    def _tidy(self, path: Path) -> None:
        """Remove what a process left that was killed just after its artefact was complete."""
        if not any(os.path.lexists(left) for left in (_partial(path), path.with_suffix(".lock"))):
            return
        try:
            with self._lock(path).if_free() as free:
                if free:
                    self._discard(_partial(path))
        except MemlocError as error:
            log.warning("left where it is: %s", error)  # the artefact is sound, also on a disk that cannot be written

    def _discard(self, path: Path) -> None:
        with explained(path):
            self.disk.remove(path)


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial")
