"""Preparation: disjoint splits, no repeats, stratified caps, and exactly the wrong labels that were asked for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from memloc import tables
from memloc.config import DataConfig
from memloc.data import catalogue
from memloc.data.catalogue import TaskSpec, get_task, register_task, task_names
from memloc.data.prepare import Dataset, RawTask, prepare
from memloc.data.specs import FilesSource
from memloc.errors import MemlocError

SIZES = {"a": 200, "b": 60, "c": 30}
SOURCE = FilesSource("mine", {"train": ("train",)}, ("text",))
SPEC = TaskSpec("mine", "Mine", "topic", ("a", "b", "c"), "MIT", files=SOURCE)


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    task_names()
    monkeypatch.setattr(catalogue, "_tasks", dict(catalogue._tasks))


def frame(labels: list[int], name: str = "train", texts: list[str] | None = None) -> pd.DataFrame:
    texts = texts or [f"{name} text {i}" for i in range(len(labels))]
    return pd.DataFrame({"idx": range(len(labels)), "parts": [[text] for text in texts], "label": labels})


def many(sizes: list[int]) -> list[int]:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    return list(np.random.default_rng(0).permutation(labels))


def raw(train: pd.DataFrame | None = None, **others: pd.DataFrame) -> RawTask:
    train = frame(many(list(SIZES.values()))) if train is None else train
    others = others or {"validation": frame(many([20, 10, 11]), "validation")}
    return RawTask({"train": train, **others}, {"source": "test"}, ["a note"])


def texts(table: pd.DataFrame) -> set[str]:
    return {" ".join(parts) for parts in table["parts"]}


def made(config: DataConfig | None = None, **kwargs: Any) -> Dataset:
    return prepare(raw(**kwargs), SPEC, config or DataConfig())


# seeds and labels


def test_the_seed_decides_mask_and_labels() -> None:
    one, again, other = made(), made(), made(DataConfig(seed=2))
    pd.testing.assert_frame_equal(one.train, again.train)
    pd.testing.assert_frame_equal(one.test, again.test)
    assert not one.train["group"].equals(other.train["group"])
    assert set(one.test["idx"]) != set(other.test["idx"])


def test_held_out_labels_stay_as_they_are() -> None:
    data = made(DataConfig(noise_rate=0.5))
    for table in (data.validation, data.test):
        assert (table["given"] == table["label"]).all()
        assert set(table["group"]) == {"clean"}


# splits


def test_validation_is_halved_and_test_left_aside() -> None:
    validation, test = frame(many([20, 10, 11]), "validation"), frame(many([5, 5, 5]), "test")
    data = made(validation=validation, test=test)
    assert texts(data.validation) | texts(data.test) == texts(validation)
    assert (len(data.validation), len(data.test)) == (20, 21)
    assert data.report["held_out_from"] == "validation"
    assert data.report["unused"] == {"test": 15}


def test_test_is_halved_where_there_is_no_validation() -> None:
    test = frame(many([20, 10, 10]), "test")
    data = made(test=test)
    assert texts(data.validation) | texts(data.test) == texts(test)
    assert data.report["held_out_from"] == "test"


def test_train_alone_is_parted_80_10_10() -> None:
    source = frame(many(list(SIZES.values())))
    data = prepare(RawTask({"train": source}, {}), SPEC, DataConfig())
    assert (len(data.train), len(data.validation), len(data.test)) == (232, 29, 29)
    assert texts(data.train) | texts(data.validation) | texts(data.test) == texts(source)


def test_splits_share_no_text_even_if_the_source_does() -> None:
    labels = [i % 3 for i in range(120)]
    pool = frame(labels + labels, texts=[f"t{i}" for i in range(120)] * 2)
    for task in (
        RawTask({"train": pool}, {}),
        RawTask({"train": pool, "test": frame(labels[:60], "t", [f"t{i}" for i in range(60)])}, {}),
    ):
        data = prepare(task, SPEC, DataConfig())
        parts = [texts(table) for table in (data.train, data.validation, data.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 120


def test_repeated_texts_keep_the_first_and_are_counted() -> None:
    source = frame([*many([30, 30, 30]), 0, 1])
    source.at[90, "parts"], source.at[91, "parts"] = source["parts"][0], source["parts"][1]
    source.loc[90, "label"], source.loc[91, "label"] = source["label"][0], (source["label"][1] + 1) % 3
    data = made(train=source)
    assert data.train["idx"].tolist() == list(range(90))
    assert data.report["counts"]["train"]["repeated"] == 2
    assert data.report["counts"]["train"]["repeated_with_another_label"] == 1


def test_training_texts_that_are_held_out_are_dropped_and_counted() -> None:
    held = frame([0, 1, 2, 0], texts=["train text 3", "x", "y", "train text 5"])
    data = made(validation=held)
    assert data.report["counts"]["train"]["in_held_out"] == 2
    assert not {3, 5} & set(data.train["idx"])
    assert len(data.validation) + len(data.test) == 4


def test_parts_are_compared_one_by_one() -> None:
    source = frame(many([30, 30, 30]))
    source.at[0, "parts"], source.at[1, "parts"] = ["a b", "c"], ["a", "b c"]
    assert made(train=source).report["counts"]["train"]["repeated"] == 0


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_an_empty_text_is_an_error_or_dropped_as_the_entry_says(empty: str) -> None:
    source = frame(many([30, 30, 30]))
    source.at[4, "parts"] = ["word", empty]
    with pytest.raises(MemlocError, match="text in row 4 of train of task mine"):
        made(train=source)
    data = prepare(raw(source), dataclasses.replace(SPEC, empty_texts="drop"), DataConfig())
    assert data.report["counts"]["train"]["empty"] == 1
    assert 4 not in set(data.train["idx"])


def test_too_few_held_out_rows_are_told() -> None:
    with pytest.raises(MemlocError, match="held-out rows of task mine: 1"):
        made(validation=frame([0], "validation"))


# caps


def test_a_cap_is_stratified_nested_and_leaves_the_split_alone() -> None:
    whole, large, small = (made(DataConfig(cap=cap, test_cap=cap // 10)) for cap in (0, 150, 80))
    assert (len(large.train), len(small.train)) == (150, 80)
    assert set(small.train["idx"]) < set(large.train["idx"]) < set(whole.train["idx"])
    assert small.report["train"]["classes"]["c"] == 20
    assert small.report["train"]["left_out_by_cap"] == 210
    pd.testing.assert_frame_equal(whole.validation, small.validation)
    assert set(large.test["idx"]) <= set(whole.test["idx"])


# binarised tasks


def test_binarised_keeps_the_two_most_frequent_classes_of_training() -> None:
    register_task(SPEC)
    held = frame(many([10, 10, 90]), "validation")
    data = prepare(raw(frame(many([40, 90, 80])), validation=held), get_task("minev2"), DataConfig())
    assert data.spec.labels == ("b", "c")
    assert data.report["train"]["classes"] == {"b": 90, "c": 80}
    assert len(data.validation) + len(data.test) == 100
    assert set(data.train["given"]) == {0, 1}
    noisy = data.train[data.train["group"] == "noisy"]
    assert (noisy["given"] == 1 - noisy["label"]).all()
    first = raw(frame(many([40, 90, 80]))).splits["train"].set_index("idx")["label"]
    assert (first[data.train["idx"]].to_numpy() == data.train["label"].to_numpy() + 1).all()


def test_binarised_with_equally_frequent_classes_takes_the_first() -> None:
    register_task(SPEC)
    assert prepare(raw(frame(many([50, 50, 50]))), get_task("minev2"), DataConfig()).spec.labels == ("a", "b")


# what comes out


def test_tables_and_index_fit_their_schemas(tmp_path: Path) -> None:
    data = made(DataConfig(cap=100))
    for name in ("train", "validation", "test"):
        table = getattr(data, name)
        tables.write(table, tables.SPLIT, tmp_path / f"{name}.parquet")
        back = tables.read(tmp_path / f"{name}.parquet", tables.SPLIT)
        assert [list(parts) for parts in back["parts"]] == table["parts"].tolist()
        assert table["idx"].is_monotonic_increasing
    tables.validate(data.index(), tables.INDEX, "index")
    assert data.index()["given"].tolist() == data.train["given"].tolist()


def test_columns_beyond_the_three_do_no_harm() -> None:
    source = raw()
    source.splits["train"]["cue"] = "word"
    assert list(prepare(source, SPEC, DataConfig()).train.columns) == tables.SPLIT.names


def test_the_report_is_json_and_adds_up() -> None:
    data = made(DataConfig(cap=150))
    report = json.loads(json.dumps(data.report))
    assert report["source"] == {"source": "test"}
    assert "a note" in report["notes"]
    assert sum(report["train"]["classes"].values()) == report["train"]["rows"] == len(data.train)
    assert len(report["noisy"]) == 6
    assert sum(pair["n"] for pair in report["noisy"]) == (data.train["group"] == "noisy").sum()
    pair = report["noisy"][0]
    found = (data.train["label"] == SPEC.labels.index(pair["label"])) & (
        data.train["given"] == SPEC.labels.index(pair["given"])
    )
    assert pair["n"] == found.sum()


def test_the_source_rows_are_not_changed() -> None:
    source = raw()
    before = {name: table.copy(deep=True) for name, table in source.splits.items()}
    prepare(source, SPEC, DataConfig(cap=100))
    for name, table in before.items():
        pd.testing.assert_frame_equal(source.splits[name], table)
