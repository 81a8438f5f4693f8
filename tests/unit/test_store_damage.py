"""Damaged artefacts, a full disk, a home that cannot be written, work that fails: told of clearly, then made good."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from memloc.config import config_key
from memloc.disk import Disk, is_full
from memloc.errors import MemlocError
from memloc.store import RESUME, Store

CONFIG = {"task": "toy", "seed": 1}
KEY = config_key(CONFIG)


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


FILES = ["config.json", "manifest.json", "table.bin", "sub/note.txt"]


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_and_every_shorter_file_is_noticed(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.get_or_make("toy", CONFIG, make_toy).path / name
    sound = path.read_bytes()
    step = max(1, len(sound) // 300)
    flipped = [sound[:n] + bytes([sound[n] ^ 1 << n % 8]) + sound[n + 1 :] for n in range(0, len(sound), step)]
    for damaged in [*flipped, b"", sound[: len(sound) // 2], sound[:-1], sound + b"\n"]:
        path.write_bytes(damaged)
        assert store.find("toy", CONFIG) is None, damaged
    path.write_bytes(sound)
    assert store.find("toy", CONFIG) is not None


def _home(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "home")


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_parent_by_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("x")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 4]) + path.read_bytes()[1:]),
    "missing": lambda path: path.unlink(),
    "extra": lambda path: path.with_name("extra").touch(),
    "linked": lambda path: os.symlink(path.rename(_home(path).with_name("far")), path),
    "folder": _replace_by_folder,
    "no folder": _replace_parent_by_file,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_artefact_is_made_again(
    name: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "home")
    path = store.get_or_make("toy", CONFIG, make_toy).path
    after = snapshot(store.root)
    DAMAGE[damage](path / name)
    with caplog.at_level(logging.WARNING):
        assert store.find("toy", CONFIG) is None
    assert str(path) in caplog.text
    assert list(store.artefacts()) == []
    assert store.get_or_make("toy", CONFIG, make_toy).path == path
    assert snapshot(store.root) == after


def test_a_damaged_sidecar_is_no_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artefact = store.get_or_make("toy", CONFIG, make_toy)
    sidecar = artefact.path / "run.json"
    sound = sidecar.read_bytes()
    for damaged in (sound[: len(sound) // 2], b"\xff" + sound[1:], b"", b"[]"):
        sidecar.write_bytes(damaged)
        found = store.find("toy", CONFIG)
        assert found == artefact
        assert found.sidecar == {}


def _no_space(folder: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as device:  # the kernel's own ENOSPC
        device.write(b"x")


def _wrapped(folder: Path) -> None:
    raise RuntimeError("I/O error: No space left on device (os error 28)")


def _chained(folder: Path) -> None:
    try:
        _no_space(folder)
    except OSError as error:
        raise ValueError("cannot save") from error


@pytest.mark.parametrize("fail", [_no_space, _wrapped, _chained])
@pytest.mark.parametrize("resume", [False, True])
def test_a_disk_that_fills_while_making(fail: Callable[[Path], None], resume: bool, tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        make_toy(folder)
        if not resume:
            shutil.rmtree(folder / RESUME)
        fail(folder)

    store = Store(tmp_path / "home")
    with pytest.raises(MemlocError, match=rf"no space left.*{KEY}\.partial.*MEMLOC_HOME.*repeat the same command"):
        store.get_or_make("toy", CONFIG, make)
    left = {f"{KEY}.partial", f"{KEY}.partial/config.json", f"{KEY}.partial/resume", f"{KEY}.partial/resume/state"}
    assert set(snapshot(store.root / "store" / "v1" / "toy")) == (left if resume else set())
    store.get_or_make("toy", CONFIG, make_toy)
    Store(tmp_path / "undisturbed").get_or_make("toy", CONFIG, make_toy)
    assert snapshot(store.root) == snapshot(tmp_path / "undisturbed")


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, KeyboardInterrupt, MemlocError])
def test_what_make_raises_passes_through(kind: type[BaseException], tmp_path: Path) -> None:
    error = MemlocError("a", "b", "c") if kind is MemlocError else kind("mine")

    def make(folder: Path) -> None:
        make_toy(folder)
        raise error

    with pytest.raises(kind) as caught:
        Store(tmp_path).get_or_make("toy", CONFIG, make)
    assert caught.value is error
    assert sorted(os.listdir(tmp_path / "store" / "v1" / "toy" / f"{KEY}.partial")) == ["config.json", "resume"]
    assert not is_full(error)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_home_that_cannot_be_written(code: int, tmp_path: Path) -> None:
    class ReadOnly(Disk):
        def mkdir(self, path: Path) -> None:
            raise OSError(code, os.strerror(code), str(path))

        def open_lock(self, path: Path) -> int:
            raise OSError(code, os.strerror(code), str(path))

    with pytest.raises(MemlocError, match=rf"no permission.*{tmp_path}.*may read and write.*MEMLOC_HOME"):
        Store(tmp_path, ReadOnly()).get_or_make("toy", CONFIG, make_toy)
    assert os.listdir(tmp_path) == []
    artefact = Store(tmp_path).get_or_make("toy", CONFIG, make_toy)
    artefact.path.with_suffix(".lock").touch()  # what is there can be used, leftovers or not
    assert Store(tmp_path, ReadOnly()).get_or_make("toy", CONFIG, make_toy).key == KEY


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(MemlocError, match=r"disk error.*home.*MEMLOC_HOME"):
        Store(tmp_path / "home").get_or_make("toy", CONFIG, make_toy)
