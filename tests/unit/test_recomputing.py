"""Released runs made afresh: the same tables from data and models, beside the release and not in its place."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest
from tiny import profile

from memloc.errors import MemlocError
from memloc.pipeline import Experiment
from memloc.publishing import reading, recomputing
from memloc.publishing.studies import RECOMPUTED
from memloc.released import FILES, read_release
from memloc.releasing import put, release
from memloc.sealed import MANIFEST
from memloc.store import Store


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the book with a release that was made elsewhere; its own home is empty."""
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    experiment = Experiment(profile(seeds=[1]), Store(tmp_path / "elsewhere"), "cpu")
    for cell in experiment.cells():
        experiment.run_cell(cell)
    release(experiment, tmp_path / "results" / "tests")
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / ".memloc"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_computed_afresh_tells_the_same(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reading.open_release("tests")
    assert read is not None
    assert read.folder == "results/tests"
    assert not (book / ".memloc").exists(), "reading computes nothing"
    monkeypatch.setenv(RECOMPUTED, "1")
    before = (book / "results" / "tests" / MANIFEST).read_bytes()
    anew = reading.open_release("tests")
    assert anew is not None
    assert anew.folder == ".memloc/recomputed/tests"
    assert anew.profile == read.profile
    for name, table in read.release.tables.items():
        pd.testing.assert_frame_equal(anew.release.tables[name], table)
    assert (book / "results" / "tests" / MANIFEST).read_bytes() == before
    assert reading.open_release("other") is None, "what was never released is not computed either"


def test_a_number_that_was_changed_shows(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = book / "results" / "tests"
    there = read_release(folder)
    rows = there.tables["rows.parquet"].copy()
    rows.loc[0, "value"] += 0.5
    told = {key: there.manifest[key] for key in ("profile_name", "profile", "cells", "missing")}
    put(folder, told, {**there.tables, "rows.parquet": rows}, FILES)
    monkeypatch.setenv(RECOMPUTED, "1")
    anew = reading.open_release("tests")
    assert anew is not None
    pd.testing.assert_frame_equal(anew.release.tables["rows.parquet"], there.tables["rows.parquet"])


def test_a_cell_that_fails_is_told(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = book / "results" / "tests"
    found = read_release(folder)
    lost = dataclasses.replace(found, profile=dataclasses.replace(found.profile, source="files"))
    monkeypatch.setattr(recomputing, "read_release", lambda _: lost)
    monkeypatch.delenv("MEMLOC_DATA", raising=False)
    with pytest.raises(MemlocError):
        recomputing.made_afresh(folder)
    assert not (book / ".memloc" / "recomputed").exists()
    assert json.loads((folder / MANIFEST).read_text())["profile_name"] == "tests"
