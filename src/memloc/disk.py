"""Everything the store does to a disk, in one small class, and the lock that keeps two writers apart.

The store never calls ``os`` to change anything itself: tests give it a ``Disk`` that fails, or dies, at the k-th call.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from memloc.errors import MemlocError

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class Disk:
    """The operations that change a disk; each does one thing and raises ``OSError``."""

    def mkdir(self, path: Path) -> None:
        """Make a folder and its parents; one that is there stays."""
        path.mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a whole file; durable only after ``sync``."""
        path.write_bytes(data)

    def sync(self, path: Path) -> None:
        """Force a file's bytes, or a folder's list of names, onto the disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Move within one file system, in one step."""
        os.rename(source, target)

    def allow(self, path: Path, mode: int) -> None:
        """Set who may read and write a file."""
        os.chmod(path, mode)

    def remove(self, path: Path) -> None:
        """Remove a file or a whole folder; nothing there is no error."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def open_lock(self, path: Path) -> int:
        """A descriptor of the lock file, made if missing."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error, also where a library has wrapped it in an error of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if os.strerror(errno.ENOSPC) in str(error):  # safetensors and torch keep the text only
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def explain(error: BaseException, path: Path) -> MemlocError:
    """The error a person can act on, for one that came from a disk.

    Args:
        error: what the disk said.
        path: what was being written, read or locked.
    """
    if is_full(error):
        action = "free space on its file system or point MEMLOC_HOME to another one, then repeat the same command"
        return MemlocError("no space left to write", str(path), action)
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        action = "a folder this user may read and write; change its permissions or point MEMLOC_HOME to another one"
        return MemlocError("no permission for", str(path), action)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    where = getattr(error, "filename", None) or path
    action = "a working disk; check the path and MEMLOC_HOME, then repeat the same command"
    return MemlocError(f"disk error ({reason}) at", str(where), action)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn every ``OSError`` of the block into a ``MemlocError`` about the path."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


class Lock:
    """An exclusive lock on a file, free again when its holder ends in whatever way.

    The lock is the kernel's (``flock``), not the file: a file left by a killed process locks nobody out. The holder
    removes the file before letting go, so a waiter may wake with a lock on a file that has no name any more; it then
    tries again with the file that has the name now.

    Args:
        path: the lock file; its folder must exist.
        disk: what touches the disk.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        self._descriptor: int | None = None

    def acquire(self, wait: bool = True) -> bool:
        """Take the lock; with ``wait=False`` return False where another holds it.

        Raises:
            MemlocError: if the lock file cannot be made or the file system knows no locks.
        """
        with explained(self.path):
            while True:
                descriptor = self.disk.open_lock(self.path)
                try:
                    locked = self._flock(descriptor, wait)
                    current = locked and self._has_name(descriptor)
                except BaseException:
                    os.close(descriptor)
                    raise
                if current:
                    self._descriptor = descriptor
                    return True
                os.close(descriptor)
                if not locked:
                    return False

    def _flock(self, descriptor: int, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                return False
            log.info("waiting for another process to finish %s", self.path.with_suffix(""))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True

    def _has_name(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def if_free(self) -> Iterator[bool]:
        """Hold the lock for a block if nobody else holds it; tells whether it is held."""
        held = self.acquire(wait=False)
        try:
            yield held
        finally:
            if held:
                self.release()

    def release(self) -> None:
        """Remove the file and let go. A file that cannot be removed is told of, and harmless."""
        assert self._descriptor is not None
        try:
            self.disk.remove(self.path)
        except OSError as error:
            log.warning("the lock file %s stays behind: %s", self.path, error)
        finally:
            # said explicitly: a forked child may still have the descriptor, and closing ours would not unlock then
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
