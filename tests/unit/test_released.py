"""A released run: the same numbers as the store's, refused when altered, replaced whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny import profile

from memloc import releasing, tables
from memloc.analysis.numbers import Computed
from memloc.errors import MemlocError
from memloc.migrating import FORMATS
from memloc.pipeline import CellId, Experiment
from memloc.profiles import load_profile
from memloc.profiles.loading import parse_profile, profile_content
from memloc.publishing.reading import ReleasedStudy, Study, read_swapping, read_training
from memloc.released import FILES, read_release
from memloc.releasing import release
from memloc.sealed import MANIFEST, seal
from memloc.store import Store

DONE, OPEN = CellId("gen-cue-2a", "micro-bert", 1), CellId("gen-cue-2a", "micro-bert", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Two cells, of which one is finished and the other has only one of its arms."""
    experiment = Experiment(profile(seeds=[1, 2]), Store(tmp_path_factory.mktemp("home")), "cpu")
    experiment.run_cell(DONE)
    experiment.checkpoint(OPEN, "perturbed")
    return experiment


@pytest.fixture
def folder(made: Experiment, tmp_path: Path) -> Path:
    return release(made, tmp_path / "results" / "tests")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rewritten(folder: Path, **changes: Any) -> None:
    """The manifest with changes, sealed again: what a later version would write."""
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["sha256"]
    manifest |= changes
    (folder / MANIFEST).write_text(json.dumps({**manifest, "sha256": seal(manifest)}))


def test_it_tells_what_the_store_tells(made: Experiment, folder: Path) -> None:
    found, computed = read_release(folder), Computed(made)
    assert found.cells() == [DONE]
    assert found.profile == made.profile
    for arm in ("perturbed", "normal"):
        pd.testing.assert_frame_equal(found.trace(DONE, arm), computed.trace(DONE, arm))
    pd.testing.assert_frame_equal(found.rows(DONE, "swapping"), computed.rows(DONE, "swapping"))
    pd.testing.assert_frame_equal(found.outcomes(DONE, "swapping"), computed.outcomes(DONE, "swapping"))
    assert found.held_out(DONE) == computed.held_out(DONE)


def test_chapters_read_both_alike(made: Experiment, folder: Path) -> None:
    one = Experiment(profile(seeds=[1]), made.store, "cpu")
    computed, released = Study(one, "command"), ReleasedStudy(read_release(folder), "tests")
    ours, theirs = read_swapping(computed), read_swapping(released)
    pd.testing.assert_frame_equal(ours.status, theirs.status)
    pd.testing.assert_frame_equal(ours.rows, theirs.rows)
    assert ours.places.keys() == theirs.places.keys()
    pd.testing.assert_frame_equal(read_training(computed).traces, read_training(released).traces)
    assert (computed.origin, computed.mark) == (released.origin, released.mark)


def test_manifest_names_what_is_there_and_what_is_missing(made: Experiment, folder: Path) -> None:
    manifest = read_release(folder).manifest
    (entry,) = manifest["cells"]
    train = made.dataset(DONE.task).train
    assert entry["dataset"]["noisy"] == (train["group"] == "noisy").sum()
    assert (entry["dataset"]["train"], entry["dataset"]["classes"]) == (len(train), 2)
    for arm in ("perturbed", "normal"):
        assert entry["checkpoints"][arm]["key"] == made.checkpoint(DONE, arm).key
        assert entry["checkpoints"][arm]["epochs_run"] == 2
        assert {"seconds", "device", "versions", "git", "started"} <= entry["checkpoints"][arm]["made"].keys()
    assert entry["rows"]["swapping"]["key"] == made.rows(DONE, "swapping").key
    assert manifest["missing"] == [{**OPEN._asdict(), "lacks": ["normal", "swapping"]}]
    assert read_release(folder).missing == [OPEN]


def test_no_texts_no_names_nothing_of_the_machine(made: Experiment, folder: Path) -> None:
    data = made.dataset(DONE.task)
    told = b"".join(contents(folder).values())
    assert str(made.store.root).encode() not in told
    assert b'"host"' not in told
    assert b'"platform"' not in told
    frames = [tables.read(folder / name, schema) for name, schema in FILES.items()]
    strings = {str(value) for frame in frames for column in frame for value in frame[column].unique()}
    assert not strings & {text for parts in data.train["parts"] for text in parts}
    assert not strings & set(data.labels)
    assert set(contents(folder)) == {MANIFEST, *FILES}


def test_same_store_same_bytes_and_a_release_is_replaced(made: Experiment, folder: Path) -> None:
    before = contents(folder)
    again = release(made, folder.with_name("again"))
    assert contents(again) == before
    (folder / "rows.parquet").write_bytes(b"")
    assert contents(release(made, folder)) == before
    assert sorted(p.name for p in folder.parent.iterdir()) == ["again", "tests"]


@pytest.fixture
def two(made: Experiment, tmp_path: Path) -> tuple[Experiment, Path]:
    """Both cells finished in a store of their own, and their release."""
    shutil.copytree(made.store.root, tmp_path / "home")
    both = Experiment(made.profile, Store(tmp_path / "home"), "cpu")
    both.run_cell(OPEN)
    return both, release(both, tmp_path / "two")


def without(experiment: Experiment, cell: CellId, home: Path) -> Experiment:
    """The same experiment on a store that lacks everything made for a cell."""
    gone = {key for _, key in experiment.makes(cell)}
    shutil.copytree(experiment.store.root, home, ignore=lambda _, names: gone & set(names))
    return Experiment(experiment.profile, Store(home), "cpu")


@pytest.mark.parametrize(("gone", "here"), [(OPEN, DONE), (DONE, OPEN)])
def test_a_release_may_keep_cells_that_the_store_lacks(
    two: tuple[Experiment, Path], gone: CellId, here: CellId, tmp_path: Path
) -> None:
    both, folder = two
    whole, lesser = contents(folder), without(both, gone, tmp_path / "lesser")
    assert contents(release(lesser, folder, keep=True)) == whole
    assert read_release(release(lesser, folder)).cells() == [here], "only where it is asked for"
    other = release(without(both, here, tmp_path / "other"), tmp_path / "grown", keep=True)
    assert read_release(other).cells() == [gone]
    assert contents(release(lesser, other, keep=True)) == whole, "a run grows over two stores"


def test_what_another_configuration_made_is_not_kept(two: tuple[Experiment, Path], tmp_path: Path) -> None:
    both, folder = two
    other = profile(seeds=[1, 2], techniques={"swapping": {"longest": 1}})
    assert other.techniques != both.profile.techniques
    changed = Experiment(other, Store(without(both, OPEN, tmp_path / "lesser").store.root), "cpu")
    changed.run_cell(DONE)
    found = read_release(release(changed, folder, keep=True))
    assert (found.cells(), found.missing) == ([DONE], [OPEN])


def test_a_damaged_release_is_not_kept_from(two: tuple[Experiment, Path]) -> None:
    both, folder = two
    (folder / "rows.parquet").write_bytes(b"")
    before = contents(folder)
    with pytest.raises(MemlocError, match=r"rows\.parquet"):
        release(both, folder, keep=True)
    assert contents(folder) == before


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
@pytest.mark.parametrize("harm", ["missing", "truncated", "altered", "empty"])
def test_harmed_files_are_refused(folder: Path, name: str, harm: str) -> None:
    path = folder / name
    stored = path.read_bytes()
    altered = stored.replace(b"1", b"2", 1) if name == MANIFEST else stored[:-9] + bytes([stored[-9] ^ 1]) + stored[-8:]
    path.write_bytes({"missing": b"", "truncated": stored[: len(stored) // 2], "altered": altered, "empty": b""}[harm])
    if harm == "missing":
        path.unlink()
    with pytest.raises(MemlocError, match=name if harm != "missing" or name != MANIFEST else "released run"):
        read_release(folder)


def test_another_version_is_refused_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten(folder, format=FORMATS.current + 1)
    with pytest.raises(
        MemlocError, match=rf"format of the released run .*: {FORMATS.current + 1}; accepted: up to {FORMATS.current}"
    ):
        read_release(folder)
    rewritten(folder, format=FORMATS.current)
    read_release(folder)
    changed = tables.ROWS.with_metadata({**tables.ROWS.metadata, b"memloc.version": b"0"})
    monkeypatch.setitem(FILES, "rows.parquet", changed)
    with pytest.raises(MemlocError, match=r"table rows\.parquet"):
        read_release(folder)


def test_nothing_is_left_behind_after_a_failure(
    made: Experiment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder.parent)
    rename = os.rename

    def fails(source: Path, target: Path) -> None:
        if Path(target) == folder and not Path(source).name.endswith(".old"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(releasing.os, "rename", fails)
    with pytest.raises(MemlocError, match="disk error"):
        release(made, folder)
    assert contents(folder.parent) == before, "the release that was there is there again"
    monkeypatch.setattr(releasing.tables, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        release(made, folder.with_name("new"))
    assert contents(folder.parent) == before


def test_what_is_no_release_is_not_replaced(made: Experiment, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("words")
    (tmp_path / "file").write_text("words")
    for name in ("mine", "file"):
        with pytest.raises(MemlocError, match="folder to release to"):
            release(made, tmp_path / name)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "words"
    none = Experiment(profile(seeds=[3]), made.store, "cpu")
    with pytest.raises(MemlocError, match="results: 'tests'; accepted: a profile that was run"):
        release(none, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_cells_and_arms_that_are_not_there_are_refused(folder: Path) -> None:
    found = read_release(folder)
    with pytest.raises(MemlocError, match="cell of the released run"):
        found.rows(OPEN, "swapping")
    with pytest.raises(MemlocError, match=r"traces.parquet of the released run"):
        found.trace(DONE, "frozen")


def test_reading_needs_no_torch_no_store_and_no_data(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere"
    shutil.move(folder, alone)
    code = (
        "import sys; from memloc.released import read_release; "
        f"r = read_release({str(alone)!r}); r.rows(r.cells()[0], 'swapping'); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'datasets')))"
    )
    environment = {**os.environ, "MEMLOC_HOME": str(tmp_path / "none"), "MEMLOC_DATA": "", "MEMLOC_MODELS": ""}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["smoke", "mini", "small", "control"])
def test_a_written_profile_is_the_same_profile(name: str) -> None:
    profile = load_profile(name)
    assert parse_profile(name, json.loads(json.dumps(profile_content(profile)))) == profile
