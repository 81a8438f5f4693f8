"""How a working folder becomes an artefact: emptied, filled, described, brought onto the disk, renamed.

Killed at any point, it is either a complete artefact, or a working folder that the next call can go on from or throw
away; the caller holds the lock of the key throughout.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from memloc.disk import Disk, explain, explained, is_full
from memloc.errors import MemlocError
from memloc.manifest import CONFIG, MANIFEST, RESUME, SIDECAR, describe, files_under, json_bytes, verify
from memloc.provenance import Stopwatch

log = logging.getLogger(__name__)


class WorkingFolder:
    """A ``<key>.partial``.

    Args:
        path: the folder; it need not exist.
        asked: the configuration of the artefact, as JSON data.
        disk: what changes the disk.
    """

    def __init__(self, path: Path, asked: dict[str, Any], disk: Disk) -> None:
        self.path = path
        self.config = json_bytes(asked)
        self.disk = disk

    def fill(self, make: Callable[[Path], None], sidecar: Mapping[str, Any] | None, target: Path, root: Path) -> None:
        """Make the artefact and rename the folder to ``target``, which does not exist.

        Args:
            make: writes the files.
            sidecar: the caller's notes for ``run.json``, read after ``make``.
            target: the artefact's folder, somewhere below ``root``.
            root: the home.

        Raises:
            MemlocError: for a fault of the disk. What ``make`` raises passes through, but for a full disk.
        """
        try:
            if not self._is_complete():
                watch = Stopwatch()
                with explained(self.path):
                    self._prepare()
                make(self.path)
                with explained(self.path):
                    self._seal(watch.record(sidecar))
            with explained(self.path):
                self._publish(target, root)
        except BaseException as error:
            self._abandon()
            if is_full(error) and not isinstance(error, MemlocError):
                raise explain(error, self.path) from error
            raise

    def _is_complete(self) -> bool:
        """Whether a killed process got as far as a sound manifest: then only the renaming is left to do."""
        try:
            verify(self.path)
            return self._has_config()
        except (MemlocError, OSError):
            return False

    def _has_config(self) -> bool:
        path = self.path / CONFIG
        return path.is_file() and path.read_bytes() == self.config

    def _prepare(self) -> None:
        """Leave nothing but the configuration, and resume state if that is of the same configuration."""
        if (self.path / RESUME).is_dir() and self._has_config():
            self._empty()
            log.info("going on from the resume state in %s", self.path)
            return
        self.disk.remove(self.path)
        self.disk.mkdir(self.path)
        self.disk.write(self.path / CONFIG, self.config)
        self.disk.sync(self.path / CONFIG)
        self.disk.sync(self.path)

    def _empty(self) -> None:
        for left in sorted(self.path.iterdir()):
            if left.name not in (RESUME, CONFIG):
                self.disk.remove(left)

    def _seal(self, record: dict[str, Any]) -> None:
        """Bring all bytes onto the disk, then describe them: the manifest comes last."""
        taken = [name for name in (MANIFEST, SIDECAR) if os.path.lexists(self.path / name)]
        if taken or not self._has_config():
            raise MemlocError("file written by make", taken or CONFIG, "names other than those the store writes itself")
        mode = (self.path / CONFIG).stat().st_mode
        for name in files_under(self.path):
            if (self.path / name).stat().st_mode != mode:  # some writers keep files to their owner; stores are shared
                self.disk.allow(self.path / name, stat.S_IMODE(mode))
            self.disk.sync(self.path / name)
        manifest = json_bytes(describe(self.path))
        for name, data in ((SIDECAR, json_bytes(record)), (MANIFEST, manifest)):
            self.disk.write(self.path / name, data)
            self.disk.sync(self.path / name)

    def _publish(self, target: Path, root: Path) -> None:
        self.disk.remove(self.path / RESUME)
        for folder, _, _ in os.walk(self.path, topdown=False):
            self.disk.sync(Path(folder))
        self.disk.rename(self.path, target)
        for parent in target.parents:
            self.disk.sync(parent)
            if parent == root:
                break

    def _abandon(self) -> None:
        """After a failure: keep resume state if there is any, and nothing else."""
        try:
            if (self.path / RESUME).is_dir() and any((self.path / RESUME).iterdir()):
                self._empty()
            else:
                self.disk.remove(self.path)
        except OSError as error:
            log.warning("%s stays behind until the same command is repeated: %s", self.path, error)
