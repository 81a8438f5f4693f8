"""A fault at every operation of the store: afterwards the same call ends in the same files and leaves no orphan."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from memloc.config import config_key
from memloc.disk import Disk
from memloc.errors import MemlocError
from memloc.store import RESUME, Store

CONFIG = {"task": "toy", "seed": 1}
KEY = config_key(CONFIG)
KILLED = 9
CHANGES = ("mkdir", "write", "sync", "rename", "remove", "open_lock")
NEEDS_SPACE = ("mkdir", "write", "sync", "rename", "open_lock")


def make_toy(folder: Path) -> None:
    """Two files; the first half of the work is kept as resume state."""
    state = folder / RESUME / "state"
    if not state.exists():
        state.parent.mkdir(exist_ok=True)
        state.with_name("new").write_bytes(bytes(range(100)))
        os.replace(state.with_name("new"), state)
    (folder / "table.bin").write_bytes(state.read_bytes() * 20)
    (folder / "sub").mkdir()
    (folder / "sub" / "note.txt").write_text("note")


def snapshot(root: Path) -> dict[str, bytes]:
    """Everything below a folder; of the sidecar only that it is there."""
    names = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*"))}
    return {n: path.read_bytes() if path.is_file() and path.name != "run.json" else b"" for n, path in names.items()}


class BadDisk(Disk):
    """Counts its operations and breaks the ``at``-th (from 1), leaving that one half done.

    Args:
        at: which operation breaks; 0 for none.
        how: ``once`` (that one fails), ``dead`` (it and all later ones fail), ``full`` (it and all later ones that need
            space fail) or ``kill`` (the process ends there and then).
    """

    def __init__(self, at: int = 0, how: str = "once") -> None:
        self.at, self.how = at, how
        self.done: list[tuple[str, Path]] = []

    def _count(self, name: str, path: Path, half: Callable[[], object] = lambda: None) -> None:
        self.done.append((name, path))
        now = len(self.done)
        later = self.how == "dead" or (self.how == "full" and name in NEEDS_SPACE)
        if not self.at or (now != self.at and not (later and now > self.at)) or (self.how == "full" and not later):
            return
        if now == self.at:
            half()
        if self.how == "kill":
            os._exit(KILLED)
        code = errno.ENOSPC if self.how == "full" else errno.EIO
        raise OSError(code, os.strerror(code), str(path))

    def mkdir(self, path: Path) -> None:
        self._count("mkdir", path)
        super().mkdir(path)

    def write(self, path: Path, data: bytes) -> None:
        self._count("write", path, lambda: path.write_bytes(data[: len(data) // 2]))
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self._count("sync", path)
        assert path.exists()  # no real fsync: only a power cut could tell, and these tests do thousands

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename", source)
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        files = sorted(path.rglob("*.*")) if path.is_dir() else []
        self._count("remove", path, files[0].unlink if files else lambda: None)
        super().remove(path)

    def open_lock(self, path: Path) -> int:
        self._count("open_lock", path)
        return super().open_lock(path)


def _folder(root: Path) -> Path:
    return root / "store" / "v1" / "toy"


def fresh(root: Path) -> None:
    """Nothing there yet."""


def corrupt(root: Path) -> None:
    """A damaged artefact is there."""
    Store(root, BadDisk()).get_or_make("toy", CONFIG, make_toy).file("table.bin").write_bytes(b"short")


def resumable(root: Path) -> None:
    """A killed process has left resume state, a half-written file, a stale manifest and its lock file."""
    partial = _folder(root) / f"{KEY}.partial"
    assert _killed_run(root, _before_manifest())
    (partial / "manifest.json").write_text("{")
    (partial / "half.bin").write_text("x")
    assert (partial / RESUME / "state").exists()
    assert partial.with_suffix(".lock").exists()


def finished(root: Path) -> None:
    """A process was killed after the last operation that matters: a sound artefact beside leftovers."""
    artefact = Store(root, BadDisk()).get_or_make("toy", CONFIG, make_toy)
    shutil.copytree(artefact.path, artefact.path.with_suffix(".partial"))
    artefact.path.with_suffix(".lock").touch()


SITUATIONS = [fresh, corrupt, resumable, finished]


@functools.cache
def _before_manifest() -> int:
    """Which operation of an undisturbed run writes the sidecar, the last but one file."""
    with tempfile.TemporaryDirectory() as folder:
        disk = BadDisk()
        Store(Path(folder), disk).get_or_make("toy", CONFIG, make_toy)
    return next(n for n, (name, path) in enumerate(disk.done, 1) if (name, path.name) == ("write", "run.json"))


def _killed_run(root: Path, at: int) -> bool:
    """Run in a child that ends at the at-th operation; whether it got that far."""
    child = os.fork()
    if child == 0:
        try:
            Store(root, BadDisk(at, "kill")).get_or_make("toy", CONFIG, make_toy)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def _check_error(error: MemlocError, root: Path, how: str) -> None:
    assert str(root) in str(error)
    assert "repeat the same command" in str(error)
    assert ("no space left" in str(error)) == (how == "full")


def _check_between(root: Path, how: str, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """What a failed or killed run may leave: nothing that passes for an artefact and is none."""
    found = Store(root).find("toy", CONFIG)
    if found is not None:
        names = ("table.bin", "sub/note.txt", "config.json")
        assert {n: found.file(n).read_bytes() for n in names} == {n: after[f"store/v1/toy/{KEY}/{n}"] for n in names}
    partial = _folder(root) / f"{KEY}.partial"
    if how in ("once", "full") and found is None and partial.exists() and snapshot(partial) != before:
        assert set(os.listdir(partial)) == {RESUME, "config.json"}, "only what can be resumed"


@pytest.mark.parametrize("how", ["once", "dead", "full", "kill"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_fault_at_every_operation(situation: Callable[[Path], None], how: str, tmp_path: Path) -> None:
    Store(tmp_path / "undisturbed").get_or_make("toy", CONFIG, make_toy)
    after = snapshot(tmp_path / "undisturbed")
    assert not any(RESUME in name for name in after)
    for at in range(1, 200):
        root = tmp_path / str(at)
        situation(root)
        before = snapshot(_folder(root) / f"{KEY}.partial")  # stays as it is where not even the lock could be had
        if how == "kill":
            reached = _killed_run(root, at)
        else:
            disk = BadDisk(at, how)
            try:
                Store(root, disk).get_or_make("toy", CONFIG, make_toy)
            except MemlocError as error:
                _check_error(error, root, how)
            reached = len(disk.done) >= at
        _check_between(root, how, before, after)
        Store(root, BadDisk()).get_or_make("toy", CONFIG, make_toy)
        assert snapshot(root) == after, f"after a fault at operation {at}"
        if not reached:
            break
    assert at > {"fresh": 20, "corrupt": 20, "resumable": 15, "finished": 2}[situation.__name__]
    assert not reached, "the loop ended because all operations were tried"


def test_the_operations_come_in_an_order_that_survives_a_power_cut(tmp_path: Path) -> None:
    disk = BadDisk()
    path = Store(tmp_path, disk).get_or_make("toy", CONFIG, make_toy).path
    partial = path.with_suffix(".partial")
    assert {name for name, _ in disk.done} == set(CHANGES)
    renamed = disk.done.index(("rename", partial))
    for name in ("table.bin", "sub/note.txt", "config.json", "run.json", "manifest.json"):
        synced = [n for n, done in enumerate(disk.done) if done == ("sync", partial / name)]
        written = [n for n, done in enumerate(disk.done) if done == ("write", partial / name)]
        assert max(written, default=-1) < synced[-1] < renamed
    writes = [path for name, path in disk.done if name == "write"]
    assert writes[-1] == partial / "manifest.json"
    assert disk.done.index(("write", writes[-1])) > disk.done.index(("sync", partial / "table.bin"))
    for folder in (partial / "sub", partial):
        assert disk.done.index(("write", writes[-1])) < _last(disk, ("sync", folder)) < renamed
    for folder in (path.parent, tmp_path):
        assert _last(disk, ("sync", folder)) > renamed
    assert disk.done[-1] == ("remove", path.with_suffix(".lock"))


def test_a_process_killed_before_the_last_renaming_has_not_worked_in_vain(tmp_path: Path) -> None:
    def never(folder: Path) -> None:
        raise AssertionError("computed again")

    for at in (_before_manifest() + 4, _before_manifest() + 5):  # around the removal of the resume state
        assert _killed_run(tmp_path / str(at), at)
        artefact = Store(tmp_path / str(at), BadDisk()).get_or_make("toy", CONFIG, never)
        assert os.listdir(artefact.path.parent) == [KEY]
        assert not (artefact.path / RESUME).exists()


def _last(disk: BadDisk, operation: tuple[str, Path]) -> int:
    return max(n for n, done in enumerate(disk.done) if done == operation)


def test_resume_state_of_another_configuration_is_not_used(tmp_path: Path) -> None:
    resumable(tmp_path)
    (_folder(tmp_path) / f"{KEY}.partial" / "config.json").write_text('{"task": "other"}\n')
    seen: list[list[str]] = []
    Store(tmp_path).get_or_make("toy", CONFIG, lambda folder: seen.append(os.listdir(folder)))
    assert seen == [["config.json"]]
