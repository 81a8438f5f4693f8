"""Files of a folder of submissions, those in archives included, read with distrust. Nothing is ever unpacked to disk.

Links and special files are refused, and so is a whole archive that has one, that names a place outside of itself, or
that grows: by what it declares before a byte is read, and by what comes out while it is read.
"""

from __future__ import annotations

import datetime
import functools
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memloc.errors import MemlocError

DEEPEST = 6  # folders within folders
MEMBERS, MEMBERS_OF_ALL = 500, 20_000  # of one student's archive, of a download of everybody's
GROWTH = 20  # times a notebook's size that an archive may hold
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
SKIPPED = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store")


Opener = Callable[[], Path | io.BytesIO]


@dataclass(frozen=True)
class Found:
    """A file that somebody handed in, or what was refused of it.

    Attributes:
        parts: folders and name, from the folder of submissions on; those of an archive follow its name.
        when: seconds since 1970.
        read: gives the content. Raises MemlocError if it is larger than a notebook may be, or broken.
        refused: why it is not even looked at.
    """

    parts: tuple[str, ...]
    when: float
    read: Callable[[], bytes] = bytes
    refused: str = ""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.parts[-1]


def files(folder: Path, limit: int, of_all: Callable[[str], bool]) -> Iterator[Found]:
    """All files of a folder (or of one archive), links refused.

    Args:
        limit: bytes that a notebook may have.
        of_all: whether an archive at the top, by its name, is a download of everybody's submissions; the parts of its
            members start in it then.
    """
    if folder.is_file() and folder.suffix.lower() == ".zip":
        yield from _members(lambda: folder, (), limit, None)
    elif folder.is_dir():
        yield from _folder(folder, (), limit, of_all)
    else:
        raise MemlocError("submissions", str(folder), "a folder or a .zip file")


def _folder(folder: Path, parts: tuple[str, ...], limit: int, of_all: Callable[[str], bool]) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield Found(parts or (folder.name,), 0.0, refused="a folder that cannot be read")
        return
    for entry in entries:
        here = (*parts, _text(entry.name))
        if entry.name in SKIPPED or entry.name.startswith("._"):
            continue
        state = entry.stat(follow_symlinks=False)
        path, when = Path(entry.path), state.st_mtime
        if stat.S_ISDIR(state.st_mode) and len(here) <= DEEPEST:
            yield from _folder(path, here, limit, of_all)
        elif not stat.S_ISREG(state.st_mode):
            yield Found(here, when, refused="a symbolic link" if stat.S_ISLNK(state.st_mode) else "not a plain file")
        elif path.suffix.lower() == ".zip" and len(here) == 1 and of_all(path.name):
            yield from _members(functools.partial(Path, path), (), limit, None)
        elif path.suffix.lower() == ".zip" and state.st_size > GROWTH * limit:
            yield Found(here, when, refused=f"an archive of {_size(state.st_size)}")
        elif path.suffix.lower() == ".zip":
            yield from _members(functools.partial(Path, path), here, limit, when)
        else:
            yield Found(here, when, functools.partial(_read_file, path, limit))


def _read_file(path: Path, limit: int) -> bytes:
    """A file's bytes; not through a link, nor from what has become something else than a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise MemlocError("submission", path.name, "a plain file")
            return _within(file, state.st_size, limit)
    except OSError as error:
        raise MemlocError("submission", path.name, f"a readable file ({error.strerror})") from error


def _within(file: IO[bytes], size: int, limit: int) -> bytes:
    content = b"" if size > limit else file.read(limit + 1)
    if size > limit or len(content) > limit:
        raise MemlocError("notebook", _size(max(size, len(content))), f"at most {_size(limit)}")
    return content


def _members(
    opener: Opener, parts: tuple[str, ...], limit: int, when: float | None, nested: bool = True
) -> Iterator[Found]:
    """Files of an archive: one student's, or (no time of its own) a download of everybody's, with archives in it."""
    try:
        with zipfile.ZipFile(opener()) as opened:
            listed = opened.infolist()
        refused = _refusal(listed, limit, everybodys=when is None)
    except (*BROKEN, MemlocError):
        listed, refused = [], "a broken or too large archive"
    if refused:
        yield Found(parts or ("archive",), when or 0.0, refused=refused)
        return
    for info in listed:
        here = (*parts, *(_text(part) for part in info.filename.split("/") if part not in ("", ".")))
        if info.is_dir() or any(part in SKIPPED or part.startswith("._") for part in here):
            continue
        at = when if when is not None else _time(info)
        if not info.filename.lower().endswith(".zip"):
            yield Found(here, at, functools.partial(_read_member, opener, info, limit))
        elif nested and when is None:
            yield from _members(_inner(opener, info, GROWTH * limit), here, limit, at, nested=False)
        else:
            yield Found(here, at, refused="an archive within an archive")


def _inner(opener: Opener, info: zipfile.ZipInfo, limit: int) -> Opener:
    """Opens an archive within one; read again each time, so that not all of them are in memory."""
    return lambda: io.BytesIO(_read_member(opener, info, limit))


def _time(info: zipfile.ZipInfo) -> float:
    try:
        return datetime.datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _read_member(opener: Opener, info: zipfile.ZipInfo, limit: int) -> bytes:
    try:
        with zipfile.ZipFile(opener()) as opened, opened.open(info) as file:
            return _within(file, info.file_size, limit)
    except BROKEN as error:
        raise MemlocError("archive", _text(info.filename[:80]), "an undamaged .zip file") from error


def _refusal(listed: list[zipfile.ZipInfo], limit: int, everybodys: bool) -> str:
    """Why an archive is not opened, by what it says of itself; empty if it may be."""
    most = MEMBERS_OF_ALL if everybodys else MEMBERS
    if len(listed) > most:
        return f"an archive of {len(listed)} files, more than {most}"
    for info in listed:
        name = info.orig_filename
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or name[1:2] == ":" or "\0" in name:
            return "an archive that names a place outside of itself"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "an archive with a link in it"
        if info.flag_bits & 1:
            return "an archive with a password"
        # other methods may ask for memory of their own choice
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return "an archive of an unusual kind"
    total = sum(info.file_size for info in listed)
    if not everybodys and total > GROWTH * limit:
        return f"an archive that grows to {_size(total)}"
    return ""


def _text(name: str) -> str:
    """A name that can be written down: those of files may be bytes that are no text."""
    return name.encode("utf-8", "replace").decode()


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB"
