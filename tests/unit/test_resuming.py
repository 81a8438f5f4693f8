"""Pieces of long work: whole, of this configuration, or not there."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from memloc.errors import MemlocError
from memloc.techniques.resuming import Pieces

ARRAYS = {
    "predicted": np.arange(12, dtype=np.int64).reshape(3, 4).T,  # not in the order of its memory
    "score": np.array(0.5, np.float32),
    "kept": np.array([True, False]),
    "empty": np.zeros((0, 3)),
}


def test_what_is_put_is_got(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path / "resume", "key")
    assert not pieces.done("window-1-2")
    assert not (tmp_path / "resume").exists(), "nothing is made before there is something to keep"
    pieces.put("window-1-2", ARRAYS)
    again = Pieces(tmp_path / "resume", "key")
    assert again.done("window-1-2")
    assert not again.done("window-1-1")
    got = again.get("window-1-2")
    assert got.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(got[name], array)
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
    assert [p.name for p in (tmp_path / "resume").iterdir()] == ["window-1-2.safetensors"]


def test_a_piece_may_be_put_anew(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path, "key")
    pieces.put("a", {"x": np.zeros(3)})
    pieces.put("a", {"y": np.ones(2)})
    assert list(pieces.get("a")) == ["y"]


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten"])
def test_a_damaged_piece_is_told_of_and_not_done(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pieces = Pieces(tmp_path, "key")
    pieces.put("a", ARRAYS)
    path = tmp_path / "a.safetensors"
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-3], "emptied": b"", "overwritten": b"\xff" * len(content)}[damage])
    with caplog.at_level(logging.WARNING):
        assert not pieces.done("a")
    assert "a.safetensors is damaged" in caplog.text
    with pytest.raises(MemlocError, match="finished piece: 'a'; accepted: a piece that is done"):
        pieces.get("a")
    pieces.put("a", ARRAYS)
    assert pieces.done("a")


def test_a_half_written_piece_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = Pieces(tmp_path, "key")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        pieces.put("a", ARRAYS)
    assert not pieces.done("a")


def test_pieces_of_another_configuration_are_refused(tmp_path: Path) -> None:
    Pieces(tmp_path, "old").put("a", ARRAYS)
    for ask in (Pieces(tmp_path, "new").done, Pieces(tmp_path, "new").get):
        with pytest.raises(MemlocError, match="finished piece a: 'old'; accepted: one of the configuration new"):
            ask("a")


def test_without_a_folder_nothing_is_kept() -> None:
    pieces = Pieces(None, "key")
    pieces.put("a", ARRAYS)
    assert not pieces.done("a")


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden"])
def test_names_are_plain_file_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="name of a piece"):
        Pieces(tmp_path, "key").put(name, ARRAYS)
