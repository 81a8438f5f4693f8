"""Who handed in what: layouts, what is missing or late, and what no grader should open."""

from __future__ import annotations

import datetime
import io
import json
import os
import random
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.classroom.attacks import FILES
from tests.classroom.grading_world import DOUBLE, assignment, content

from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import read, stub, untouched, with_student
from memloc.classroom.submissions import Submission, find, parse_time, read_roster, valid_id
from memloc.errors import MemlocError


@pytest.fixture
def world(tmp_path: Path) -> Assignment:
    """The assignment."""
    return assignment(tmp_path / "assignment")


def put(path: Path, data: bytes | str, when: float = 1e9) -> None:
    """A file as it was handed in at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (when, when))


def packed(members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 5, 31, 18, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, data)
    return out.getvalue()


def by_id(found: list[Submission]) -> dict[str, Submission]:
    """Submissions by student."""
    assert len({one.student for one in found}) == len(found)
    return {one.student: one for one in found}


def test_every_layout_is_found(tmp_path: Path, world: Assignment) -> None:
    folder = tmp_path / "in"
    put(folder / "ada" / "twice" / "twice.ipynb", content("ada"))
    put(folder / "ada" / "other" / "other.ipynb", content("other"), 2e9)
    put(folder / "bob" / "mine.ipynb", content("bob"))
    put(folder / "cleo.ipynb", content("cleo"))
    put(folder / "dan_twice_final (1).ipynb", content("dan"))
    put(folder / "eve.zip", packed({"a/b/twice.ipynb": content("eve"), "a/b/kit.py": b"x", "__MACOSX/._x": b"y"}))
    put(folder / "finn" / "all.zip", packed({"twice.ipynb": content("finn")}))
    found = by_id(find(folder, None, world))
    assert list(found) == ["ada", "bob", "cleo", "dan", "eve", "finn"]
    assert [one.problem for one in found.values()] == [None] * 6
    assert found["ada"].file == "ada/twice/twice.ipynb"
    assert {one.student for one in found.values() if "renamed" in one.flags} == {"bob"}
    assert all(f'"{name}"' in "".join(cell.source for cell in one.cells) for name, one in found.items())


def test_one_download_of_everybody(tmp_path: Path, world: Assignment) -> None:
    members = {
        "ada/twice.ipynb": content("ada"),
        "bob_12_final.ipynb": content("bob"),
        "cleo.zip": packed({"twice.ipynb": content("cleo")}),
        "dan/x.zip": packed({"../../x.ipynb": content("dan")}),
        "eve/x.zip": packed({"deep.zip": packed({"twice.ipynb": content("eve")})}),
        "finn/x.zip": b"PK\x03\x04 and nothing",
    }
    put(tmp_path / "in" / "download.zip", packed(members))
    for folder, roster in (
        (tmp_path / "in", None),
        (tmp_path / "in" / "download.zip", None),
        (tmp_path / "in", ["bob"]),
    ):
        found = by_id(find(folder, roster, world))
        assert {name for name, one in found.items() if one.problem is None} == {"ada", "bob", "cleo"}
        assert "outside of itself" in (found["dan"].problem or "")
        assert "within an archive" in (found["eve"].problem or "")
        assert "broken" in (found["finn"].problem or "")
    assert "not in the roster" in found["ada"].flags


def test_a_roster_tells_who_is_missing_and_whose_a_name_is(tmp_path: Path, world: Assignment) -> None:
    folder = tmp_path / "in"
    put(folder / "ada_l_twice.ipynb", content("ada_l"))
    put(folder / "ada_twice.ipynb", content("ada"))
    put(folder / "stranger.ipynb", content("stranger"))
    put(folder / "grades of last year.csv", "x")
    put(tmp_path / "roster.csv", "\ufeffname,student\nAda,ada\nAda L,ada_l\nBob,bob\n\n")
    roster = read_roster(tmp_path / "roster.csv")
    assert roster == ["ada", "ada_l", "bob"]
    found = by_id(find(folder, roster, world))
    assert found["bob"].missing
    assert found["bob"].problem == "nothing was handed in"
    assert (found["ada"].file, found["ada_l"].file) == ("ada_twice.ipynb", "ada_l_twice.ipynb")
    assert found["stranger"].flags == ("not in the roster",)
    assert len(found) == 4
    put(tmp_path / "bad.csv", "ada\n../x\n")
    with pytest.raises(MemlocError, match=r"\.\./x"):
        read_roster(tmp_path / "bad.csv")


def test_late_is_noted_by_timestamp_or_file(tmp_path: Path, world: Assignment) -> None:
    due = parse_time("2026-05-31 18:00 UTC")
    after, before = due.timestamp() + 1, due.timestamp() - 1
    put(tmp_path / "in" / "ada.ipynb", content("ada"), after)
    put(tmp_path / "in" / "bob.ipynb", content("bob"), before)
    put(tmp_path / "in" / "cleo" / "twice" / "twice.ipynb", content("cleo"), after)
    put(tmp_path / "in" / "cleo" / "twice" / "timestamp.txt", "2026-05-31 19:59:59.5 Europe/Zurich")
    put(tmp_path / "in" / "dan" / "twice" / "twice.ipynb", content("dan"), before)
    put(tmp_path / "in" / "dan" / "twice" / "timestamp.txt", "2026-05-31T20:00:01+02:00")
    put(tmp_path / "in" / "eve" / "twice" / "twice.ipynb", content("eve"), before)
    put(tmp_path / "in" / "eve" / "twice" / "timestamp.txt", "when I liked")
    found = by_id(find(tmp_path / "in", None, world, due))
    assert {name for name, one in found.items() if one.late} == {"ada", "dan"}
    assert all(("late" in one.flags) == one.late for one in found.values())
    assert not any(one.late for one in find(tmp_path / "in", None, world))


def test_times_are_read_or_refused() -> None:
    zurich, utc = parse_time("2026-01-01 12:00 Europe/Zurich"), parse_time("2026-01-01T11:00:00+00:00")
    assert zurich == utc
    assert parse_time("2026-01-01 12:00").timestamp() == datetime.datetime(2026, 1, 1, 12).timestamp()
    for wrong in ("", "soon", "2026-13-01", "2026-01-01 12:00 Nowhere/Else", "2026-01-01 12:00 ../etc"):
        with pytest.raises(MemlocError, match="2026-05-31"):
            parse_time(wrong)


def test_the_newest_that_fits_is_taken(tmp_path: Path, world: Assignment) -> None:
    folder = tmp_path / "in" / "ada"
    put(folder / "old.ipynb", content("ada", double="old"), 1e9)
    put(folder / "new.ipynb", content("ada", double="new"), 1e9 + 5)
    put(folder / "other.ipynb", json.dumps({"cells": []}), 1e9 + 9)
    put(folder / "broken.ipynb", "{", 1e9 + 9)
    put(folder / ".ipynb_checkpoints" / "x.ipynb", content("ada", double="saved"), 1e9 + 9)
    (one,) = find(tmp_path / "in", None, world)
    assert one.file == "ada/new.ipynb"
    assert set(one.flags) == {"several notebooks", "renamed"}
    assert [cell.source for cell in one.cells if cell.name == "double"] == ["new"]


def harmful() -> dict[str, Callable[[Path], None]]:
    """Puts each of ``FILES`` where a student's submission would be."""

    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    def lie(data: bytes) -> bytes:
        real = (20 * 2**20).to_bytes(4, "little")
        assert data.count(real) == 2
        return data.replace(real, (1000).to_bytes(4, "little"))

    zeros = packed({"twice.ipynb": bytes(20 * 2**20)})
    bomb = packed({f"{i}.ipynb": bytes(2**20) for i in range(30)})
    many = packed({f"{i}.txt": b"" for i in range(10_000)})
    return {
        "a link": lambda folder: (folder.mkdir(), (folder / "twice.ipynb").symlink_to("/etc/hostname"))[0],
        "a zip bomb": lambda folder: put(folder / "x.zip", bomb),
        "a zip bomb that lies about its size": lambda folder: put(folder / "x.zip", lie(zeros)),
        "a path out of the archive": lambda folder: put(folder / "x.zip", packed({"a/../../x.ipynb": content()})),
        "an absolute path in an archive": lambda folder: put(folder / "x.zip", packed({"/x.ipynb": content()})),
        "a link in an archive": lambda folder: put(folder / "x.zip", packed({"x.ipynb": b"/etc/shadow"}, link)),
        "ten thousand files": lambda folder: put(folder / "x.zip", many),
        "a notebook of 50 MB": lambda folder: put(folder / "twice.ipynb", b" " * (50 * 2**20)),
        "JSON nested without end": lambda folder: put(folder / "twice.ipynb", b"[" * 900_000),
        "no JSON": lambda folder: put(folder / "twice.ipynb", b"print('hello')"),
        "other bytes than UTF-8": lambda folder: put(folder / "twice.ipynb", '{"cells": "\u00e4"}'.encode("utf-16")),
        "a text document": lambda folder: put(folder / "essay.docx", b"x"),
    }


@pytest.mark.parametrize("name", FILES)
def test_harmful_files_are_refused_one_by_one(name: str, tmp_path: Path, world: Assignment) -> None:
    put(tmp_path / "in" / "good.ipynb", content("good"))
    harmful()[name](tmp_path / "in" / "bad")
    found = by_id(find(tmp_path / "in", None, world))
    assert FILES[name] in (found["bad"].problem or "")
    assert found["good"].problem is None


def test_every_harmful_file_of_the_table_is_tried() -> None:
    assert harmful().keys() == FILES.keys()


def test_strange_files_are_no_files(tmp_path: Path, world: Assignment) -> None:
    folder = tmp_path / "in"
    put(folder / "good.ipynb", content("good"))
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "whole").symlink_to(tmp_path)
    put(folder / "<script>.ipynb", content())
    put(Path(os.fsdecode(os.fsencode(folder) + b"/\xff.ipynb")), content())
    put(folder / "...ipynb", content())
    found = by_id(find(folder, None, world))
    assert found["good"].problem is None
    assert "plain file" in (found["pipe"].problem or "")
    assert "link" in (found["whole"].problem or "")
    assert len([name for name in found if name.startswith("nameless-")]) == 3
    assert all(valid_id(name) and (one.problem is None) == (name == "good") for name, one in found.items())
    json.dumps([one.file for one in found.values()]).encode()
    with pytest.raises(MemlocError, match="a folder or a"):
        find(tmp_path / "nowhere", None, world)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "\u00e4", "x" * 65, "a\n", "a\0"])
def test_ids_that_cannot_be_names_of_files(text: str) -> None:
    assert not valid_id(text)
    assert valid_id("ada.l-1_2@example.org")


def test_whatever_bytes_come_a_notebook_or_an_error_comes_of_them() -> None:
    chance, whole = random.Random(1), content()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(broken))
            broken[at : at + chance.randrange(9)] = chance.randbytes(chance.randrange(4))
        try:
            cells = read(bytes(broken))
        except MemlocError:
            continue
        assert all(isinstance(cell.source, str) and isinstance(cell.name, str) for cell in cells)
    strange = {"cells": [1, {"source": 5, "metadata": []}, {"source": ["a", 1], "metadata": {"nbgrader": [1]}}]}
    assert [cell.source for cell in read(json.dumps(strange).encode())] == ["", "", "a"]
    with pytest.raises(MemlocError, match="no list of cells"):
        read(b"[1]")
    odd = {"cells": [{"source": "\ud800", "metadata": {"nbgrader": {"points": float("nan"), "grade_id": ["x"]}}}]}
    (cell,) = read(json.dumps(odd).encode())
    assert (cell.source, cell.points, cell.name) == ("?", 0.0, "")


def test_texts_of_cells() -> None:
    assert "raise NotImplementedError()" in stub(DOUBLE)
    assert "return" not in stub(DOUBLE)
    assert untouched("YOUR ANSWER HERE\n", "anything")
    assert not untouched("Because.", "Since ...")
    assert with_student('# who\nSTUDENT = "your-id"  # here\n', "a\\1") == '# who\nSTUDENT = "a\\\\1"\n'
