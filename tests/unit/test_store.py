"""The store when nothing goes wrong with the disk: keys, reuse, refusal, sidecar, provenance."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memloc import manifest, provenance
from memloc.config import config_key
from memloc.errors import MemlocError
from memloc.store import Artefact, Store

CONFIG = {"task": "toy", "data": {"seed": 1, "cap": 0}, "layers": [1, 2]}


def make_toy(folder: Path) -> None:
    (folder / "table.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "sub").mkdir()
    (folder / "sub" / "note.txt").write_text("größer\n")


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; of the sidecar only that it is there."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): b"" if path.name == "run.json" else path.read_bytes() for path in files}


def never(folder: Path) -> None:
    raise AssertionError("computed again")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def test_an_artefact_is_made_once_and_found_again(store: Store) -> None:
    made = store.get_or_make("toy", CONFIG, make_toy)
    assert made.path == store.root / "store" / "v1" / "toy" / config_key(CONFIG)
    assert sorted(os.listdir(made.path)) == ["config.json", "manifest.json", "run.json", "sub", "table.bin"]
    assert made.files == ("config.json", "sub/note.txt", "table.bin")
    assert store.get_or_make("toy", CONFIG, never) == made
    assert Store(store.root).find("toy", dict(reversed(CONFIG.items()))) == made
    assert os.listdir(made.path.parent) == [made.key]


def test_find_computes_and_writes_nothing(store: Store) -> None:
    assert store.find("toy", CONFIG) is None
    assert not store.root.exists()


def test_the_same_configuration_gives_the_same_bytes_in_two_homes(tmp_path: Path) -> None:
    for home, device in (("a", "cpu"), ("b", "cuda:0")):
        Store(tmp_path / home).get_or_make("toy", CONFIG, make_toy, {"device": device})
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b") != {}


def test_the_home_is_memloc_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "elsewhere"))
    assert Store().get_or_make("toy", CONFIG, make_toy).path.is_relative_to(tmp_path / "elsewhere")


def test_files_are_given_by_the_names_of_the_manifest(store: Store) -> None:
    artefact = store.get_or_make("toy", CONFIG, make_toy)
    assert artefact.file("sub/note.txt").read_text() == "größer\n"
    for name in ("table.bim", "run.json", "../toy"):
        with pytest.raises(MemlocError, match="unknown file of toy"):
            artefact.file(name)
    with pytest.raises(MemlocError, match=r"did you mean table\.bin"):
        artefact.file("table.bim")


def test_another_configuration_under_the_key_is_refused(store: Store) -> None:
    other = {**CONFIG, "task": "other"}
    artefact = store.get_or_make("toy", other, make_toy)
    moved = artefact.path.with_name(config_key(CONFIG))
    artefact.path.rename(moved)
    for ask in (lambda: store.get_or_make("toy", CONFIG, never), lambda: store.find("toy", CONFIG)):
        with pytest.raises(MemlocError) as caught:
            ask()
        assert all(word in str(caught.value) for word in (str(moved), "'other'", "'toy'"))
    assert moved.is_dir(), "a refused artefact is not thrown away"
    assert list(store.artefacts()) == []


def test_artefacts_lists_the_sound_ones(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    made = [store.get_or_make(kind, {"n": n}, make_toy) for kind in ("toy", "game") for n in (1, 2, 3)]
    broken = made.pop()
    broken.file("table.bin").unlink()
    (store.root / "store" / "v1" / "toy" / ("0" * 20 + ".partial")).mkdir()
    by_place = sorted(made, key=lambda artefact: artefact.path)
    assert list(store.artefacts()) == by_place
    assert [a.kind for a in store.artefacts("game")] == ["game", "game"]
    assert str(broken.path) in caplog.text


@pytest.mark.parametrize("kind", ["", "Toy", "../toy", "a/b", "a.partial", ".", "1"])
def test_a_kind_is_a_plain_name(store: Store, kind: str) -> None:
    with pytest.raises(MemlocError, match="kind of artefact"):
        store.get_or_make(kind, CONFIG, never)


@pytest.mark.parametrize("value", [float("nan"), Path("x"), {1, 2}])
def test_a_configuration_is_json(store: Store, value: object) -> None:
    with pytest.raises(MemlocError, match="JSON data"):
        store.get_or_make("toy", {"value": value}, never)
    assert not store.root.exists()


@pytest.mark.parametrize("name", ["manifest.json", "run.json", "config.json"])
def test_make_may_not_write_the_files_of_the_store(store: Store, name: str) -> None:
    def make(folder: Path) -> None:
        (folder / name).write_text("{}")

    with pytest.raises(MemlocError, match=name):
        store.get_or_make("toy", CONFIG, make)
    assert snapshot(store.root) == {}


def test_make_may_not_leave_links(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="not links"):
        store.get_or_make("toy", CONFIG, lambda folder: (folder / "far").symlink_to(tmp_path))
    assert snapshot(store.root) == {}


def test_one_artefact_may_be_made_from_another(store: Store) -> None:
    def outer(folder: Path) -> None:
        inner = store.get_or_make("inner", {"n": 1}, make_toy)
        (folder / "copy").write_bytes(inner.file("table.bin").read_bytes())

    assert store.get_or_make("outer", {"of": {"n": 1}}, outer).file("copy").stat().st_size == 2048


def test_the_sidecar_tells_of_the_run(store: Store) -> None:
    notes: dict[str, object] = {"device": "cpu", "weird": Path("x"), "share": float("nan")}

    def make(folder: Path) -> None:
        make_toy(folder)
        notes["device_memory_bytes"] = 7

    sidecar = store.get_or_make("toy", CONFIG, make, notes).sidecar
    assert (sidecar["device"], sidecar["device_memory_bytes"], sidecar["weird"]) == ("cpu", 7, "x")
    assert sidecar["seconds"] >= 0
    assert sidecar["peak_memory_bytes"] > 1e6
    assert sidecar["threads"] >= 1
    assert {"started", "host", "platform", "git"} <= sidecar.keys()
    assert {"python", "memloc", "torch", "transformers", "datasets", "numpy", "pandas"} == sidecar["versions"].keys()


def test_files_are_for_whoever_may_read_the_store(store: Store) -> None:
    def make(folder: Path) -> None:
        make_toy(folder)
        (folder / "table.bin").chmod(0o600)  # as some libraries write

    before = os.umask(0o002)
    try:
        artefact = store.get_or_make("toy", CONFIG, make)
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in artefact.path.rglob("*") if path.is_file()}
    assert set(modes.values()) == {"0o664"}, modes


def test_a_file_is_hashed_once_until_it_changes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact = store.get_or_make("toy", CONFIG, make_toy)
    time.sleep(1.5 * manifest.SETTLED_NS / 1e9)
    store.find("toy", CONFIG)
    real, hashed = manifest.hashlib.file_digest, []
    monkeypatch.setattr(manifest.hashlib, "file_digest", lambda *given: hashed.append(given) or real(*given))  # type: ignore[func-returns-value]
    assert store.find("toy", CONFIG) == artefact
    assert hashed == []
    with monkeypatch.context() as soon:  # a file so young might change again without a later time stamp
        soon.setattr(manifest, "SETTLED_NS", 10**15)
        soon.setattr(manifest, "_known", {})
        store.find("toy", CONFIG)
        store.find("toy", CONFIG)
        assert len(hashed) == 2 * len(artefact.files)
    data = artefact.file("table.bin")
    before = data.stat()
    data.write_bytes(bytes(2048))
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))  # a restored date must not hide the change
    assert store.find("toy", CONFIG) is None


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text('{"a":'), Path.touch])
def test_a_sidecar_never_decides(store: Store, spoil: Callable[[Path], None]) -> None:
    artefact = store.get_or_make("toy", CONFIG, make_toy)
    spoil(artefact.path / "run.json")
    again = store.get_or_make("toy", CONFIG, never)
    assert isinstance(again, Artefact)
    assert isinstance(again.sidecar, dict)


def test_the_commit_is_that_of_this_code_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    package = tmp_path / "package"
    package.mkdir()
    code = package / "provenance.py"
    code.write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(code))
    git("init")
    asked = provenance.commit.__wrapped__
    assert asked() == {"commit": None, "dirty": None}, "not a file of that repository"
    git("add", ".")
    git("commit", "-m", "x")
    clean = asked()
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    code.write_text("2")
    assert asked() == {"commit": clean["commit"], "dirty": True}


def test_a_sidecar_is_readable_json(store: Store) -> None:
    notes: dict[Any, Any] = {(1, 2): 3, "deep": {"n": float("inf")}}
    path = store.get_or_make("toy", CONFIG, make_toy, notes).path / "run.json"
    assert json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))["deep"] == {"n": "Infinity"}
