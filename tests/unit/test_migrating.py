"""Older releases are read by steps in memory, and written anew only when that is asked for.

Two made-up changes of format and one of a table: format 0 called the cells ``runs``, format 1 the file of rows
``numbers.parquet``, and version 0 of that table the column of values ``score``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memloc import releasing
from memloc.cli import main
from memloc.errors import MemlocError
from memloc.manifest import digest, json_bytes
from memloc.migrating import FORMATS, SCHEMAS, Chain, Contents, name_of, with_version
from memloc.planted.releasing import read_benchmark
from memloc.released import read_release
from memloc.releasing import migrate
from memloc.sealed import MANIFEST, read_sealed, seal

RESULTS = Path(__file__).resolve().parents[2] / "results"
RUN, BENCHMARK = "control", "planted-entry"  # of cells, and of planted memorisation
OLD = {"rows.parquet": "numbers.parquet", "found.parquet": "numbers.parquet"}
VALUE = {"rows.parquet": "value", "found.parquet": "weight"}


def main_table(names: Any) -> str:
    """The table of a release that changed its name."""
    return next(name for name in names if name in OLD)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The three steps, registered; the names of those that ran, in order."""
    told: list[str] = []

    def cells(contents: Contents) -> Contents:
        told.append("0 to 1")
        manifest = dict(contents.manifest)
        return Contents({**manifest, manifest.pop("calls"): manifest.pop("runs")}, contents.tables)

    def name(contents: Contents) -> Contents:
        told.append("1 to 2")
        found = dict(contents.tables)
        table = found.pop("numbers.parquet")
        return Contents(
            contents.manifest, {f"{table.schema.metadata[b'memloc.table'].decode()}.parquet": table} | found
        )

    def value(table: pa.Table) -> pa.Table:
        told.append("table 0 to 1")
        called = {"rows": "value", "found": "weight"}[name_of(table)]
        return table.rename_columns([called if one == "score" else one for one in table.column_names])

    monkeypatch.setattr(FORMATS, "current", 2)
    monkeypatch.setattr(FORMATS, "steps", {0: cells, 1: name})
    monkeypatch.setattr(SCHEMAS, "steps", {0: value})
    return told


def copied(folder: Path, name: str, **changes: Any) -> Path:
    """A release of the project, with changes of its manifest, sealed again."""
    shutil.copytree(RESULTS / name, folder)
    return sealed(folder, **changes)


def sealed(folder: Path, **changes: Any) -> Path:
    """The release with files as they are now, and its manifest with changes."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest = {key: value for key, value in (manifest | changes).items() if key != "sha256" and value is not None}
    files = {path.name: path for path in folder.glob("*.parquet")}
    manifest["tables"] = {n: {"sha256": digest(p), "size": p.stat().st_size} for n, p in sorted(files.items())}
    (folder / MANIFEST).write_bytes(json_bytes({**manifest, "sha256": seal(manifest)}))
    return folder


def old(folder: Path, name: str) -> Path:
    """A release of the project as format 0 would have written it."""
    shutil.copytree(RESULTS / name, folder)
    told = json.loads((folder / MANIFEST).read_text())
    key, now = ("cells" if "cells" in told else "artefacts"), main_table(told["tables"])
    table = pq.read_table(folder / now)
    columns = ["score" if one == VALUE[now] else one for one in table.column_names]
    pq.write_table(with_version(table.rename_columns(columns), 0, name_of(table)), folder / OLD[now])
    (folder / now).unlink()
    return sealed(folder, format=0, calls=key, runs=told[key], **{key: None})


def frames_of(folder: Path, name: str) -> dict[str, pd.DataFrame]:
    """All tables of a release, by the reader of its kind."""
    if name == RUN:
        return read_release(folder).tables
    results = read_benchmark(folder).results
    return {table: getattr(results, table) for table in ("found", "planted", "asked", "recalled", "removal")}


def assert_same(ours: dict[str, pd.DataFrame], theirs: dict[str, pd.DataFrame]) -> None:
    assert ours.keys() == theirs.keys()
    for name, frame in ours.items():
        pd.testing.assert_frame_equal(frame, theirs[name])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", [RUN, BENCHMARK])
def test_an_old_release_is_read_as_the_new_one(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    wanted = frames_of(RESULTS / name, name)
    folder, ran = old(tmp_path / "old", name), request.getfixturevalue("ran")
    before = contents(folder)
    for times in (1, 2):  # each reading migrates in memory, and nothing is kept
        assert_same(frames_of(folder, name), wanted)
        assert ran == ["0 to 1", "1 to 2", "table 0 to 1"] * times
    assert contents(folder) == before


@pytest.mark.parametrize("name", [RUN, BENCHMARK])
def test_it_is_written_anew_where_that_is_asked_for(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    wanted = frames_of(RESULTS / name, name)
    folder, ran = old(tmp_path / "old", name), request.getfixturevalue("ran")
    stored = json.loads((folder / MANIFEST).read_text())
    assert main(["results", "--migrate", str(folder)]) == 0
    assert_same(frames_of(folder, name), wanted)
    assert len(ran) == 3, "what was written anew needs no step"
    found = read_sealed(folder)
    assert (found.steps, found.stored["format"]) == ((), 2)
    (note,) = found.manifest["migrated"]
    assert (note["format"], note["sha256"], note["tables"]) == (0, stored["sha256"], stored["tables"])
    assert len(note["steps"]) == 2
    assert "numbers.parquet" not in contents(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["old"], "no partial one and no former one beside it"
    before = contents(folder)
    assert migrate(folder).steps == ()
    assert contents(folder) == before


def test_verify_tells_the_version(tmp_path: Path, ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--verify", str(copied(tmp_path / "new", RUN, format=2))]) == 0
    assert "format 2, tables 1" in capsys.readouterr().out
    assert main(["results", "--verify", str(old(tmp_path / "old", RUN))]) == 0
    told = capsys.readouterr().out
    assert "format 0 to 2; rows.parquet 0 to 1 (migrated in memory; memloc results --migrate" in told


@pytest.mark.parametrize("harmed", ["numbers.parquet", "outcomes.parquet", MANIFEST])
def test_a_damaged_one_is_refused_before_a_step_runs(tmp_path: Path, ran: list[str], harmed: str) -> None:
    folder = old(tmp_path / "old", RUN)
    content = bytearray((folder / harmed).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / harmed).write_bytes(content)
    before = contents(folder)
    for read in (read_release, migrate):
        with pytest.raises(MemlocError, match=harmed):
            read(folder)
    assert ran == []
    assert contents(folder) == before


def test_versions_that_cannot_be_read_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = copied(tmp_path / "newer", RUN, format=7, memloc="9.1")
    assert main(["results", "--verify", str(newer)]) == 2
    told = capsys.readouterr().err
    assert "newer: 7; accepted: up to 1" in told
    assert "install memloc 9.1, which wrote it, or a newer one" in told
    assert told.count("\n") == 1
    with pytest.raises(MemlocError, match="no step leads on"):
        read_release(old(tmp_path / "older", RUN))
    for odd in ("1", True, None):
        with pytest.raises(MemlocError, match=r"whole number|as it was written"):
            read_release(copied(tmp_path / f"odd-{odd}", RUN, format=odd))


def test_a_newer_table_is_refused_too(tmp_path: Path) -> None:
    folder = copied(tmp_path / "run", RUN)
    traces = pq.read_table(folder / "traces.parquet")
    pq.write_table(with_version(traces, 5, name_of(traces)), folder / "traces.parquet")
    with pytest.raises(MemlocError, match=r"version of .*traces\.parquet: 5; accepted: up to 1"):
        read_release(sealed(folder))


def test_a_step_that_makes_no_release_changes_nothing(tmp_path: Path, ran: list[str]) -> None:
    folder = old(tmp_path / "old", RUN)
    steps: dict[int, Callable[[pa.Table], pa.Table]] = {0: lambda table: table}  # the column keeps its old name
    SCHEMAS.steps.update(steps)
    before = contents(folder)
    with pytest.raises(MemlocError, match=r"columns of rows\.parquet"):
        migrate(folder)
    assert contents(folder) == before


def test_a_failure_leaves_the_old_one(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, rename = old(tmp_path / "old", BENCHMARK), os.rename
    before = contents(folder)

    def fails(source: Path, target: Path) -> None:
        if Path(target) == folder and not Path(source).name.endswith(".old"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(releasing.os, "rename", fails)
    with pytest.raises(MemlocError, match="disk error"):
        migrate(folder)
    assert contents(folder) == before


def test_other_files_in_the_folder_stay(tmp_path: Path, ran: list[str]) -> None:
    folder = old(tmp_path / "old", RUN)
    (folder / "thesis.tex").write_text("words")
    with pytest.raises(MemlocError, match="folder to release to"):
        migrate(folder)
    assert (folder / "thesis.tex").read_text() == "words"


def test_a_step_is_registered_once_and_leads_somewhere() -> None:
    chain: Chain[str] = Chain(2, lambda given, made, version: f"{made}{version}")
    chain.step(1)(lambda thing: thing)
    assert chain.readable() == [1, 2]
    assert chain.bring("a", 1) == "a2"
    for version in (1, 2):
        with pytest.raises(MemlocError, match="step from version"):
            chain.step(version)
