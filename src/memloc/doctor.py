"""What is wrong with a home and a book's folder, and mending of what can be mended without losing anything.

Nothing here is needed for correct results: runs check what they use. It tells a person what a killed process, a full
disk, an edited file or another version left behind, and puts it right.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from memloc.config import home
from memloc.disk import Disk, explained
from memloc.errors import Corrupt, MemlocError
from memloc.store import LAYOUT, Store

LEAST_FREE = 2e9  # bytes; a checkpoint with its resume point may take a gigabyte
CLOCK = 60.0  # seconds by which the clocks of this machine and of a file server may differ
LEFT_ALONE = 3600.0  # seconds after which an unfinished page is nobody's any more
UNFINISHED = re.compile(r"\..+\.(running\.ipynb|[a-z0-9_]{8})")  # pages and files while they are written


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        place: the file or folder, or what else it is about.
        found: what is wrong with it.
        done: how it was mended; empty where a person has to act.
        advice: what that person can do.
    """

    place: str
    found: str
    done: str = ""
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.found}; {self.done or self.advice}"


def examine(root: Path | None = None, book: Path | None = None, mend: bool = True) -> list[Finding]:
    """Look at everything and mend what can be mended.

    Args:
        root: the home; by default ``MEMLOC_HOME``.
        book: the folder of the book; None for none.
        mend: False to look only.

    Returns:
        What was found; empty if all is well.
    """
    root = root or home()
    found = list(_home(root)) if root.is_dir() else []
    if root.is_dir():
        can = mend and os.access(root, os.W_OK)
        found += [*_store(Store(root), can), *_stamps(root, can)]
    return found + ([*_book(book, mend), *_versions(book)] if book else [])


def _home(root: Path) -> Iterator[Finding]:
    """The folder itself: can it be written, does it know locks, is there space, what time is it there."""
    probe = root / ".doctor"
    try:
        probe.write_bytes(b"")
    except OSError as error:
        advice = "change its permissions, or point MEMLOC_HOME to another folder"
        yield Finding(str(root), f"cannot be written ({error.strerror})", advice=advice)
        return
    try:
        if not _locks(probe):
            advice = "use a file system with working locks; two runs would do the same work on this one"
            yield Finding(str(root), "its file system knows no locks", advice=advice)
        if abs(ahead := probe.stat().st_mtime - time.time()) > CLOCK:
            advice = "set one of them; results do not depend on it, times in records do"
            yield Finding(str(root), f"its clock and this machine's are {abs(ahead):.0f} s apart", advice=advice)
    finally:
        probe.unlink(missing_ok=True)
    if (free := shutil.disk_usage(root).free) < LEAST_FREE:
        yield Finding(str(root), f"{free / 1e9:.1f} GB are free", advice="free some space before a long run")


def _locks(path: Path) -> bool:
    """Whether a lock that one opening of a file holds keeps another one out."""
    with path.open("wb") as one, path.open("wb") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _store(store: Store, mend: bool) -> Iterator[Finding]:
    """Artefacts that are not sound, and what killed runs left."""
    for path, error in list(store.faults()):
        if not isinstance(error, Corrupt):
            yield Finding(str(path), f"is no artefact ({error})", advice="move it away; no run uses or replaces it")
        elif mend and store.discard(path):
            yield Finding(str(path), f"was damaged ({error})", "removed, and made again when it is next needed")
        else:
            yield Finding(str(path), f"is damaged ({error})", advice="memloc doctor removes it")
    left = sorted(path for end in ("partial", "lock") for path in (store.root / LAYOUT).glob(f"*/*.{end}"))
    gone = store.sweep(resumable=False) if mend else []
    for path in left:
        if path in gone:
            yield Finding(str(path), "was left by a run that was killed", "removed")
        elif path.suffix == ".partial":
            kept = "a run is at work on it, or the next one goes on from there" if mend else "nothing was changed"
            yield Finding(str(path), "is unfinished", f"kept: {kept}")


def _stamps(root: Path, mend: bool) -> Iterator[Finding]:
    """Whether the stamps of workflows say what the store says."""
    from memloc.cluster.plan import FOLDER, lacks, read_plan, settle, stamp_of

    for path in sorted((root / FOLDER).glob("*.plan.json")):
        try:
            plan = read_plan(path)
        except MemlocError as error:
            yield Finding(str(path), f"cannot be used ({error})", advice="remove it; snakemake writes it anew")
            continue
        wrong = [w.name for w in plan.works if stamp_of(root, w.name).is_file() == bool(lacks(root, w))]
        if wrong and mend:
            settle(root, plan)
        for name in wrong:
            done = "put right" if mend else ""
            yield Finding(str(stamp_of(root, name)), "does not say what the store holds", done, "memloc doctor does it")


def _book(book: Path, mend: bool) -> Iterator[Finding]:
    """Released runs that were altered, and unfinished files."""
    from memloc.planted.releasing import KIND, read_benchmark
    from memloc.publishing.own_example import NAME, read_own_example
    from memloc.released import read_release
    from memloc.releasing import mend_releases
    from memloc.sealed import MANIFEST, kind_of, read_sealed

    readers: dict[str, Callable[[Path], Any]] = {"": read_release, KIND: read_benchmark, NAME: read_own_example}

    for path in mend_releases(book / "results") if mend else []:
        yield Finding(str(path), "was left by a release that was killed", "removed; the release before it is in place")
    for manifest in sorted((book / "results").glob(f"*/{MANIFEST}")):
        try:
            readers.get(kind_of(manifest), read_sealed)(manifest.parent)
        except MemlocError as error:
            advice = "take it from the repository again, or make it anew"
            yield Finding(str(manifest.parent), f"is not as it was released ({error})", advice=advice)
    for path in sorted((book / "book").glob("*/.*")):
        if UNFINISHED.fullmatch(path.name) and abs(time.time() - path.stat().st_mtime) > LEFT_ALONE:
            if mend:
                with explained(path):
                    Disk().remove(path)
            done = "removed" if mend else ""
            yield Finding(str(path), "was left by a process that was killed", done, "memloc doctor removes it")


def _versions(book: Path) -> Iterator[Finding]:
    """Packages of other versions than the lock's: results of two versions may differ in their last digits."""
    lock = book / "requirements.lock"
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE) if lock.is_file() else []
    for name, wanted in pins:
        try:
            has = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # of an extra that is not installed
        if has.partition("+")[0] != wanted.partition("+")[0]:
            yield Finding(name, f"is of version {has}, the lock says {wanted}", advice="make setup")
