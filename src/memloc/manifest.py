"""Manifests: which files an artefact has, how long they are, and their SHA-256.

A folder with a sound manifest is complete, because the manifest is the last file written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memloc.disk import explain
from memloc.errors import Corrupt, MemlocError

MANIFEST = "manifest.json"
CONFIG = "config.json"
SIDECAR = "run.json"
RESUME = "resume"

UNLISTED = (MANIFEST, SIDECAR)
SETTLED_NS = 100_000_000  # a file changed twice within one tick of the clock keeps its time stamp; 0.1 s is many ticks

Signature = tuple[int, int, int, int, int]
_known: dict[Signature, str] = {}


def json_bytes(value: object) -> bytes:
    """The one spelling of JSON files in the store: sorted, indented, UTF-8, a newline at the end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def files_under(folder: Path) -> Iterator[str]:
    """Names of all that is not a folder, relative to the folder, without manifest, sidecar and resume state."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        here = Path(parent)
        if here == folder and RESUME in folders:
            folders.remove(RESUME)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted(files + links):
            relative = (here / name).relative_to(folder).as_posix()
            if relative not in UNLISTED:
                yield relative


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits, computed once a process for a file that does not change.

    A file is known by its inode, size and times, not by its name, so it stays known when its folder is renamed.
    """
    stat = path.stat()
    signature = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if signature in _known:
        return _known[signature]
    looked = time.time_ns()
    with path.open("rb") as stream:
        value = hashlib.file_digest(stream, "sha256").hexdigest()
    if looked - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED_NS:
        _known[signature] = value
    return value


def describe(folder: Path) -> dict[str, Any]:
    """The manifest of a folder as it is now: ``{"files": {name: {"sha256", "size"}}}``.

    Raises:
        MemlocError: if there is a link among the files: what it points to may change.
    """
    files = {}
    for name in files_under(folder):
        path = folder / name
        if path.is_symlink():
            raise MemlocError("file of an artefact", str(path), "plain files, not links")
        files[name] = {"sha256": digest(path), "size": path.stat().st_size}
    return {"files": files}


def verify(folder: Path) -> tuple[str, ...]:
    """Check every file of a folder against its manifest.

    Returns:
        The names in the manifest, sorted.

    Raises:
        Corrupt: if a file is truncated, altered, missing or not in the manifest, or the manifest is unreadable.
        MemlocError: if something cannot be read for a reason that says nothing about its bytes.
    """
    try:
        return _verify(folder)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Corrupt("file of an artefact", str(error.filename), "a file that is there") from error
    except OSError as error:
        raise explain(error, folder) from error


def _verify(folder: Path) -> tuple[str, ...]:
    stored = (folder / MANIFEST).read_bytes()
    try:
        manifest = json.loads(stored)
        files = {name: (entry["size"], entry["sha256"]) for name, entry in manifest["files"].items()}
        sound = json_bytes(manifest) == stored and CONFIG in files and not (folder / MANIFEST).is_symlink()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("manifest", str(folder / MANIFEST), "the manifest as it was written") from error
    if not sound:
        raise Corrupt("manifest", str(folder / MANIFEST), "the manifest as it was written")
    for name in sorted(files.keys() ^ set(files_under(folder))):
        problem = "a file that is there" if name in files else "the files of its manifest, and no other"
        raise Corrupt("file of an artefact", str(folder / name), problem)
    for name, (size, sha256) in sorted(files.items()):
        path = folder / name
        if path.is_symlink() or path.stat().st_size != size:
            raise Corrupt("file of an artefact", str(path), f"a plain file of {size} bytes, as its manifest says")
        if digest(path) != sha256:
            raise Corrupt("file of an artefact", str(path), "the bytes whose SHA-256 its manifest holds")
    return tuple(sorted(files))
