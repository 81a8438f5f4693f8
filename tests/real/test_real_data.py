"""The published data: all twelve tasks from a folder of parquet files, held to the counts printed beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memloc import tables
from memloc.config import DataConfig
from memloc.data.catalogue import base_of, get_task, task_names
from memloc.data.prepare import load_raw, prepare
from memloc.errors import MemlocError


def _folder() -> Path | None:
    if os.environ.get("MEMLOC_DATA"):
        return Path(os.environ["MEMLOC_DATA"])
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    return beside if beside.is_dir() else None


DATA = _folder()
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(DATA is None, reason="no real data: set MEMLOC_DATA or put them in ../shared/data"),
]

# Rows of each published split, and of each class of train: the folder's README.
ROWS = {
    "wic": {"train": 5428, "validation": 638},
    "rte": {"train": 2490, "validation": 277},
    "mrpc": {"train": 3668, "validation": 408, "test": 1725},
    "cola": {"train": 8551, "validation": 1043},
    "boolq": {"train": 1911 + 3270},
    "sst2": {"train": 6920, "validation": 872, "test": 1821},
    "sst5": {"train": 8544, "validation": 1101, "test": 2210},
    "emotion": {"train": 16000, "validation": 2000, "test": 2000},
    "trec": {"train": 5452, "test": 500},
    "reuters": {"train": 5567, "test": 2207},
    "stormfront": {"train": 10944 - 73 - 168},
    "implicithate": {"train": 6346},
}
CLASSES = {
    "wic": {"False": 2714, "True": 2714},
    "rte": {"entailment": 1249, "not_entailment": 1241},
    "mrpc": {"not_equivalent": 1194, "equivalent": 2474},
    "cola": {"unacceptable": 2528, "acceptable": 6023},
    "boolq": {"False": 715 + 1237, "True": 1196 + 2033},
    "sst2": {"negative": 3310, "positive": 3610},
    "sst5": {"very negative": 1092, "negative": 2218, "neutral": 1624, "positive": 2322, "very positive": 1288},
    "emotion": {"sadness": 4666, "joy": 5362, "love": 1304, "anger": 2159, "fear": 1937, "surprise": 572},
    "trec": {"ABBR": 86, "ENTY": 1250, "DESC": 1162, "HUM": 1223, "LOC": 835, "NUM": 896},
    "reuters": {
        "acq": 1596,
        "crude": 253,
        "earn": 2840,
        "interest": 190,
        "money-fx": 206,
        "money-supply": 123,
        "ship": 108,
        "trade": 251,
    },
    "stormfront": {"noHate": 9507, "hate": 1196},
    "implicithate": {
        "incitement": 1269,
        "inferiority": 863,
        "irony": 797,
        "other": 80,
        "stereotypical": 1133,
        "threatening": 666,
        "white_grievance": 1538,
    },
}
WITH_FILES = [name for name in task_names() if get_task(name).files]


@pytest.mark.parametrize("name", ROWS)
def test_counts_are_the_published_ones(name: str) -> None:
    spec = get_task(name)
    raw = load_raw(spec, "files", DATA)
    assert {split: len(frame) for split, frame in raw.splits.items()} == ROWS[name]
    counts = raw.splits["train"]["label"].value_counts()
    assert {label: counts[i] for i, label in enumerate(spec.labels)} == CLASSES[name]


@pytest.mark.parametrize("name", WITH_FILES)
def test_every_task_and_variant_can_be_prepared(name: str) -> None:
    spec = get_task(name)
    data = prepare(load_raw(spec, "files", DATA), spec, DataConfig(cap=500))
    assert data.spec.labels == spec.labels, "a variant keeps the classes that its entry expects"
    parts = {
        split: tables.validate(getattr(data, split), tables.SPLIT, split) for split in ("train", "validation", "test")
    }
    texts = {split: {tuple(row) for row in table.column("parts").to_pylist()} for split, table in parts.items()}
    assert len(set.union(*texts.values())) == sum(table.num_rows for table in parts.values())
    assert abs(parts["validation"].num_rows - parts["test"].num_rows) <= 1
    assert data.report["train"]["rows"] == 500
    assert min(data.report["train"]["classes"].values()) >= 20
    assert 0.12 < (data.train["group"] == "noisy").mean() <= 0.15


@pytest.mark.parametrize(
    ("name", "split", "what", "n"),
    [
        ("reuters", "train", "empty", 484),
        ("reuters", "test", "empty", 188),
        ("emotion", "train", "repeated", 31),
        ("emotion", "train", "repeated_with_another_label", 30),
        ("cola", "train", "in_held_out", 16),
        ("trec", "train", "in_held_out", 10),
    ],
)
def test_known_deviations_are_counted(name: str, split: str, what: str, n: int) -> None:
    spec = get_task(name)
    assert prepare(load_raw(spec, "files", DATA), spec, DataConfig()).report["counts"][split][what] == n


def test_wic_has_the_word_and_both_sentences() -> None:
    train = load_raw(get_task("wic"), "files", DATA).splits["train"]
    assert set(train["parts"].map(len)) == {3}
    # the first letters of the word begin a word of both sentences, whatever its ending
    found = train["parts"].map(lambda parts: all(parts[0][:2].lower() in text.lower() for text in parts[1:]))
    assert found.mean() > 0.95


def test_boolq_pools_the_substitute_and_says_so() -> None:
    spec = get_task("boolq")
    raw = load_raw(spec, "files", DATA)
    assert set(raw.fingerprint["files"]) == {"boolq-substitute/train.parquet", "boolq/validation.parquet"}
    report = prepare(raw, spec, DataConfig()).report
    assert report["held_out_from"] == "train"
    assert any("pooled" in note for note in report["notes"])


def test_another_folder_is_not_taken_instead(tmp_path: Path) -> None:
    assert base_of(get_task("trecv2")).name == "trec"
    with pytest.raises(MemlocError, match=r"trec/train\.parquet"):
        load_raw(get_task("trecv2"), "files", tmp_path)
