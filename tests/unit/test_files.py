"""The files source: what is read, and one clear error for each way a folder can be wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from memloc.data.catalogue import TaskSpec, get_task
from memloc.data.files import load_files
from memloc.data.prepare import load_raw
from memloc.data.specs import FilesSource
from memloc.errors import MemlocError

LABELS = ("a", "b")
GOOD = {"idx": [0, 1, 2], "text": ["one", "two", "three"], "label": [0, 1, 0], "label_name": ["a", "b", "a"]}


def spec(**changes: Any) -> TaskSpec:
    source = FilesSource("mine", {"train": ("train",), "test": ("test",)}, ("text",))
    values = {"title": "Mine", "group": "topic", "labels": LABELS, "licence": "MIT", "files": source, **changes}
    return TaskSpec(name="mine", **values)


def folder(tmp_path: Path, train: dict[str, Any] | None = None, test: dict[str, Any] | None = None) -> Path:
    (tmp_path / "mine").mkdir(exist_ok=True)
    for name, columns in (("train", train or GOOD), ("test", test or GOOD)):
        pd.DataFrame(columns).to_parquet(tmp_path / "mine" / f"{name}.parquet")
    return tmp_path


def test_rows_parts_and_fingerprint(tmp_path: Path) -> None:
    raw = load_files(spec(), folder(tmp_path))
    assert list(raw.splits) == ["train", "test"]
    train = raw.splits["train"]
    assert train["parts"].tolist() == [["one"], ["two"], ["three"]]
    assert train["label"].tolist() == [0, 1, 0]
    assert train["idx"].tolist() == [0, 1, 2]
    digest = hashlib.sha256((tmp_path / "mine" / "train.parquet").read_bytes()).hexdigest()
    assert raw.fingerprint["files"]["mine/train.parquet"] == digest
    assert raw.fingerprint["source"] == "files"


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    before = load_files(spec(), folder(tmp_path)).fingerprint
    after = load_files(spec(), folder(tmp_path, {**GOOD, "text": ["one", "two", "four"]})).fingerprint
    assert before != after


def test_labels_are_mapped_by_name_whatever_the_integers(tmp_path: Path) -> None:
    swapped = {**GOOD, "label": [1, 0, 1]}
    assert load_files(spec(), folder(tmp_path, swapped)).splits["train"]["label"].tolist() == [0, 1, 0]


def test_left_out_labels_keep_the_row_numbers_of_the_others(tmp_path: Path) -> None:
    rows = {**GOOD, "label": [0, 2, 0], "label_name": ["a", "skip", "a"]}
    raw = load_files(spec(drop_labels=("skip",)), folder(tmp_path, rows))
    assert raw.splits["train"]["idx"].tolist() == [0, 2]
    assert raw.notes == ["1 rows labelled skip are left out."]


def test_several_columns_are_parts_in_order(tmp_path: Path) -> None:
    columns = {"word": ["w"], "text_a": ["first"], "text_b": ["second"], "label": [1], "label_name": ["b"]}
    source = FilesSource("mine", {"train": ("train",)}, ("word", "text_a", "text_b"))
    raw = load_files(spec(files=source), folder(tmp_path, columns))
    assert raw.splits["train"]["parts"].tolist() == [["w", "first", "second"]]


def test_a_pool_counts_its_rows_through(tmp_path: Path) -> None:
    source = FilesSource(".", {"train": ("mine/train", "mine/test")}, ("text",), pool=True)
    raw = load_files(spec(files=source), folder(tmp_path))
    assert list(raw.splits) == ["train"]
    assert raw.splits["train"]["idx"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(raw.fingerprint["files"]) == {"mine/train.parquet", "mine/test.parquet"}


def test_the_environment_names_the_folder_and_none_is_an_error(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MEMLOC_DATA", str(folder(tmp_path)))
    assert len(load_raw(spec(), "files").splits["test"]) == 3
    monkeypatch.delenv("MEMLOC_DATA")
    with pytest.raises(MemlocError, match="MEMLOC_DATA"):
        load_files(spec())
    with pytest.raises(MemlocError, match="nowhere"):
        load_files(spec(), tmp_path / "nowhere")


def test_a_missing_file_is_told_with_what_is_there(tmp_path: Path) -> None:
    (folder(tmp_path) / "mine" / "test.parquet").unlink()
    with pytest.raises(MemlocError, match=r"mine/test\.parquet.*there: train\.parquet"):
        load_files(spec(), tmp_path)


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (folder(tmp_path) / "mine" / "test.parquet").write_text("not a table")
    with pytest.raises(MemlocError, match=r"mine/test\.parquet.*readable"):
        load_files(spec(), tmp_path)


@pytest.mark.parametrize(("columns", "told"), [(["text"], "text"), (["label", "label_name"], "label or label_name")])
def test_a_missing_column_is_told_with_file_and_columns(tmp_path: Path, columns: list[str], told: str) -> None:
    rows = {name: values for name, values in GOOD.items() if name not in columns}
    there = ", ".join(rows)
    with pytest.raises(MemlocError, match=rf"column of mine/test\.parquet: '{told}'.*{there}"):
        load_files(spec(), folder(tmp_path, test=rows))


@pytest.mark.parametrize("column", ["label", "label_name"])
def test_one_column_of_labels_is_enough(tmp_path: Path, column: str) -> None:
    rows = {name: values for name, values in GOOD.items() if name != column}
    assert load_files(spec(), folder(tmp_path, rows)).splits["train"]["label"].tolist() == [0, 1, 0]


def test_integers_alone_do_not_tell_which_labels_are_left_out(tmp_path: Path) -> None:
    rows = {name: values for name, values in GOOD.items() if name != "label_name"}
    with pytest.raises(MemlocError, match=r"column of mine/train\.parquet: 'label_name'.*left out"):
        load_files(spec(drop_labels=("skip",)), folder(tmp_path, rows))


def test_a_csv_where_parquet_is_wanted_is_told_how_it_becomes_one(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "mine" / "train.parquet").rename(tmp_path / "mine" / "train.csv")
    with pytest.raises(MemlocError, match=r"train\.parquet.*read_csv makes a table of train\.csv"):
        load_files(spec(), tmp_path)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"label": [0, 1, 2]}, r"label in row 2 of mine/train\.parquet: 2; accepted: a whole number from 0 to 1"),
        ({"label": [0, -1, 0]}, r"label in row 1 .*-1"),
        ({"label": [0, None, 0]}, r"float64"),
        ({"label": ["a", "b", "a"]}, r"label of mine/train\.parquet.*names of labels are in the column label_name"),
        ({"label": [0, 1, 0], "label_name": ["a", None, "a"]}, r"label name in row 1 .*None"),
        ({"label_name": ["a", "c", "a"]}, r"label name in row 1 .*'c'; accepted: a, b"),
        ({"label_name": ["a", "b", "b"]}, r"one name for each integer"),
        ({"label": [0, 0, 0]}, r"one name for each integer"),
        ({"text": ["one", None, "three"]}, r"text in row 1 of mine/train\.parquet"),
        ({"text": [1, 2, 3]}, r"text in row 0 .*a string"),
    ],
)
def test_a_wrong_value_is_told_with_file_and_row(tmp_path: Path, columns: dict[str, Any], told: str) -> None:
    with pytest.raises(MemlocError, match=told):
        load_files(spec(), folder(tmp_path, {**GOOD, **columns}))


def test_sources_are_chosen_and_never_exchanged(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MEMLOC_DATA", str(folder(tmp_path)))
    with pytest.raises(MemlocError, match="did you mean files"):
        load_raw(spec(), "file")
    with pytest.raises(MemlocError, match=r"source of task mine: 'hub'; accepted: files"):
        load_raw(spec(), "hub")
    with pytest.raises(MemlocError, match="hub, files"):
        load_raw(get_task("trec"), "generated")
