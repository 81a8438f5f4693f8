"""What numbers come from: a release, a run of this copy, a stored file, an example; nothing else, and never nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.publishing.numbers import anchor, glue_from
from memloc.publishing.sources import CLAIMS, Source, sources_of
from memloc.sealed import read_sealed

ROOT = Path(__file__).resolve().parents[2]
TABLE = pd.DataFrame({"layer": [1, 2], "value": [0.25, 1 / 3]})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the book with one release."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "results" / "own-example", tmp_path / "results" / "own-example")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Run:
    """What a chapter shows of a run."""

    folder: str = ""
    command: str = "memloc run"
    key: str = "abc"

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        return {"cells": TABLE}


@dataclass
class Told:
    """What was read of it."""

    study: Run

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        return {"rows": TABLE}


def test_a_run_of_this_copy_gives_its_rows_whole() -> None:
    (found,) = sources_of(Told(Run()))
    assert "configuration `abc`" in found.words
    assert found.rows == {f"{name}.csv": "layer,value\n1,0.25\n2,0.3333333333333333\n" for name in ("cells", "rows")}


def test_a_release_is_linked_as_it_lies_there(root: Path) -> None:
    folder = "results/own-example"
    by_run, by_name, (several,) = sources_of(Told(Run(folder)))[0], sources_of(folder)[0], sources_of([folder])
    assert by_run == by_name == several
    stored = read_sealed(root / folder).stored
    assert stored["key"] in by_run.words
    assert stored["sha256"][:20] in by_run.words
    assert all((root / file).is_file() for file in by_run.files)
    assert {Path(file).name for file in by_run.files} == {"rows.parquet", "manifest.json"}
    (root / folder / "rows.parquet").write_bytes(b"altered")
    with pytest.raises(MemlocError, match=r"rows\.parquet"):
        sources_of(folder)


def test_files_of_the_book_and_of_the_package(root: Path) -> None:
    (root / "results" / "x.parquet").write_bytes(b"numbers")
    ours, own, gone = sources_of("results/x.parquet", CLAIMS, "results/gone.parquet")
    assert ours.files == ("results/x.parquet",)
    assert own.rows == {"claims.yml": CLAIMS.read_text()}
    assert "does not have" in gone.words
    assert not gone.files
    assert not gone.rows


def test_an_example_is_what_its_page_shows() -> None:
    (found,) = sources_of(TABLE, pd.DataFrame({"word": ["a"]}))
    assert found.rows == {"example-1.csv": "layer,value\n1,0.25\n2,0.333333\n"}


def test_what_is_no_source_is_refused() -> None:
    assert sources_of(None) == []
    with pytest.raises(MemlocError, match="source of numbers: 'dict'"):
        sources_of({})
    for sources in ((), (None,)):
        with pytest.raises(MemlocError, match="source of the number swap-share"):
            glue_from("swap", {"share": "none of 3"}, *sources)


def test_entries_have_places_of_their_own_in_the_book() -> None:
    assert anchor("04_swapping", "swap-still_learnt") == "number-04-swapping-swap-still-learnt"
    assert anchor("task-trec", "x") != anchor("task-rte", "x")


def test_what_is_no_run_may_say_its_source_itself() -> None:
    class Shipped:
        source = Source("Shipped model", rows={"losses.csv": "n\n1\n"})

    assert sources_of([Shipped(), Shipped()]) == [Shipped.source] * 2
