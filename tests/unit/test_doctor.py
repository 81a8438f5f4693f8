"""What the doctor finds in a home and a book's folder, what it mends, and what it leaves to a person."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from memloc import doctor
from memloc.cli import main
from memloc.doctor import examine
from memloc.store import RESUME, Artefact, Store

CONFIG = {"task": "toy", "seed": 1}


@pytest.fixture
def made(tmp_path: Path) -> Artefact:
    return Store(tmp_path / "home").get_or_make("toy", CONFIG, lambda folder: _table(folder))


def _table(folder: Path) -> None:
    (folder / "table.bin").write_bytes(bytes(range(100)))


def told(root: Path, **options: object) -> list[tuple[str, str, bool]]:
    """Name of the place, first words of what was found, whether it was mended."""
    found = examine(root, **options)  # type: ignore[arg-type]
    return [(Path(one.place).name, " ".join(one.found.split()[:2]), bool(one.done)) for one in found]


def test_nothing_is_wrong_with_a_sound_home_and_with_none(made: Artefact, tmp_path: Path) -> None:
    assert examine(tmp_path / "home") == []
    assert examine(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_damage_is_removed_and_made_again(made: Artefact, tmp_path: Path) -> None:
    (made.path / "table.bin").write_bytes(bytes(100))
    assert told(tmp_path / "home", mend=False) == [(made.key, "is damaged", False)]
    assert made.path.is_dir(), "looking changes nothing"
    assert told(tmp_path / "home") == [(made.key, "was damaged", True)]
    assert not made.path.exists()
    again = Store(tmp_path / "home").get_or_make("toy", CONFIG, lambda folder: _table(folder))
    assert (again.path / "table.bin").read_bytes() == bytes(range(100))


def test_an_artefact_under_another_key_is_left_to_a_person(made: Artefact, tmp_path: Path) -> None:
    made.path.rename(made.path.with_name("0" * 20))
    assert told(tmp_path / "home") == [("0" * 20, "is no", False)]
    assert told(tmp_path / "home") == [("0" * 20, "is no", False)], "it is still there"


def test_what_killed_runs_left_goes_but_not_what_can_be_gone_on_with(made: Artefact, tmp_path: Path) -> None:
    lost, begun = (made.path.with_name(letter * 20 + ".partial") for letter in "ab")
    (lost / "half").mkdir(parents=True)
    (begun / RESUME).mkdir(parents=True)
    lost.with_suffix(".lock").touch()
    assert told(tmp_path / "home", mend=False) == [
        (lost.name, "is unfinished", True),
        (begun.name, "is unfinished", True),
    ]
    assert told(tmp_path / "home") == [
        (lost.with_suffix(".lock").name, "was left", True),
        (lost.name, "was left", True),
        (begun.name, "is unfinished", True),
    ]
    assert sorted(os.listdir(made.path.parent)) == sorted([made.key, begun.name])


def test_a_running_process_is_not_disturbed(made: Artefact, tmp_path: Path) -> None:
    working, lock = made.path.with_name("c" * 20 + ".partial"), made.path.with_name("c" * 20 + ".lock")
    working.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert told(tmp_path / "home") == [(working.name, "is unfinished", True)]
    assert working.is_dir()


def test_the_folder_itself(made: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 1e18)
    assert told(tmp_path / "home")[0][1].endswith("GB")
    monkeypatch.setattr(doctor, "LEAST_FREE", 0)
    monkeypatch.setattr(doctor, "_locks", lambda _: False)
    assert told(tmp_path / "home") == [("home", "its file", False)]
    monkeypatch.undo()
    now = time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: now - 1e6)
    (found,) = examine(tmp_path / "home")
    assert "clock" in found.found
    assert "1000000 s apart" in found.found.replace("999999 s", "1000000 s").replace("1000001 s", "1000000 s")


def test_altered_releases_and_unfinished_pages(tmp_path: Path) -> None:
    (tmp_path / "results" / "mine").mkdir(parents=True)
    (tmp_path / "results" / "mine" / "manifest.json").write_text("{}")
    (tmp_path / "results" / ".new.partial").mkdir()
    pages = tmp_path / "book" / "chapters"
    pages.mkdir(parents=True)
    for name, age in (
        (".04_swapping.running.ipynb", 7200),
        (".05_new.running.ipynb", 0),
        (".status.md.ab12_9xy", 7200),
    ):
        (pages / name).touch()
        os.utime(pages / name, (time.time() - age,) * 2)
    assert told(tmp_path / "home", book=tmp_path) == [
        (".new.partial", "was left", True),
        ("mine", "is not", False),
        (".04_swapping.running.ipynb", "was left", True),
        (".status.md.ab12_9xy", "was left", True),
    ]
    assert [path.name for path in pages.iterdir()] == [".05_new.running.ipynb"], "it may be at work"


def test_versions_that_are_not_the_locks(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("numpy==0.1\nno-such-package==1.0\n")
    (found,) = examine(tmp_path / "home", book=tmp_path)
    assert (found.place, found.done, found.advice) == ("numpy", "", "make setup")
    assert found.found.endswith("the lock says 0.1")


def test_stamps_that_the_store_contradicts(tmp_path: Path) -> None:
    stamps = tmp_path / "home" / "workflow"
    stamps.mkdir(parents=True)
    (stamps / "mine.plan.json").write_text(json.dumps({"format": 0}))
    assert told(tmp_path / "home") == [("mine.plan.json", "cannot be", False)]


def test_the_command(
    made: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "all is well\n"
    (made.path / "table.bin").unlink()
    assert main(["doctor", "--look"]) == 1
    assert made.path.is_dir()
    assert main(["doctor"]) == 0
    assert "removed, and made again when it is next needed" in capsys.readouterr().out
