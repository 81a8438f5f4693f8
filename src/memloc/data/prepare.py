"""From a source's rows to a perturbed data set: splits, repeated texts, caps, wrong labels (method, 1.1 and 1.2)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd

from memloc import tables
from memloc.config import DataConfig
from memloc.data.catalogue import base_of
from memloc.data.raw import RawTask, load_raw
from memloc.data.sampling import HALVE, SPLIT, cap_rows, generator, perturb, split_rows
from memloc.data.specs import TaskSpec
from memloc.errors import MemlocError

__all__ = ["Dataset", "RawTask", "load_raw", "prepare"]

TRAIN_SHARE = 0.8  # of a task that is published without held-out rows


@dataclass
class Dataset:
    """A task ready for training.

    Args:
        spec: the task; of a binarised one, with the names of the two classes that its rows have.
        config: seed, noise rate and caps.
        train, validation, test: tables of ``tables.SPLIT`` in the order of the source. Held-out labels are not
            changed: there ``given`` is ``label`` and ``group`` is ``clean``.
        report: JSON data: ``source`` (the raw rows' fingerprint), ``notes``, ``held_out_from`` (which published split),
            ``unused`` (published splits left aside: rows), ``counts`` (per published split: rows, and what was
            dropped), ``train``, ``validation``, ``test`` (rows, rows left out by the cap, rows per class) and
            ``noisy`` (rows per ordered pair of classes).
    """

    spec: TaskSpec
    config: DataConfig
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    report: dict[str, Any]

    def index(self) -> pd.DataFrame:
        """The training rows without their texts, in order (``tables.INDEX``)."""
        return self.train[tables.INDEX.names].reset_index(drop=True)


def prepare(raw: RawTask, spec: TaskSpec, config: DataConfig) -> Dataset:
    """Make a task's data set; the same arguments give the same rows, labels and order.

    Which rows are held out depends on the seed alone, not on caps or the noise rate.

    Raises:
        MemlocError: for an empty text (unless the entry says that they are to be dropped), too few rows to split,
            or a class with too few rows to perturb.
    """
    held_from = next((name for name in ("validation", "test") if name in raw.splits), "train")
    used = {name: raw.splits[name][["idx", "parts", "label"]] for name in dict.fromkeys(("train", held_from))}
    spec, splits = _binarise(used, spec)
    counts: dict[str, dict[str, Any]] = {name: {"rows_in_source": len(frame)} for name, frame in splits.items()}
    for name, frame in splits.items():
        splits[name] = _drop_repeated(_drop_empty(frame, spec, name, counts[name]), counts[name])
    train, validation, test = _split(splits, held_from, spec, config, counts)
    parts = {
        "train": _capped(train, spec, config.cap, config, 0),
        "validation": _capped(validation, spec, config.validation_cap, config, 1),
        "test": _capped(test, spec, config.test_cap, config, 2),
    }
    report: dict[str, Any] = {
        "source": raw.fingerprint,
        "notes": [*spec.notes, *raw.notes],
        "held_out_from": held_from,
        "unused": {name: len(frame) for name, frame in raw.splits.items() if name not in splits},
        "counts": counts,
    }
    for name, whole in (("train", train), ("validation", validation), ("test", test)):
        report[name] = _split_report(parts[name], len(whole), spec)
    parts["train"] = perturb(parts["train"], spec.labels, spec.name, config)
    for name in ("validation", "test"):
        parts[name] = parts[name].assign(given=parts[name]["label"], group="clean")
    report["noisy"] = _noisy_pairs(parts["train"], spec)
    finished = {name: frame[tables.SPLIT.names].reset_index(drop=True) for name, frame in parts.items()}
    return Dataset(spec=spec, config=config, report=report, **finished)


def _binarise(splits: dict[str, pd.DataFrame], spec: TaskSpec) -> tuple[TaskSpec, dict[str, pd.DataFrame]]:
    """Keep the two most frequent classes of the training rows, as 0 and 1 in the order of the base task's labels."""
    if spec.binarised_from is None:
        return spec, splits
    base = base_of(spec)
    frequency = splits["train"]["label"].value_counts()
    two = sorted(sorted(frequency.index, key=lambda label: (-frequency[label], label))[:2])
    if len(two) < 2:
        raise MemlocError(f"classes in the training rows of {base.name}", len(two), "two or more")
    kept = {name: frame[frame["label"].isin(two)] for name, frame in splits.items()}
    kept = {name: frame.assign(label=frame["label"].map(two.index).astype("int64")) for name, frame in kept.items()}
    return dataclasses.replace(spec, labels=tuple(base.labels[label] for label in two)), kept


def _drop_empty(frame: pd.DataFrame, spec: TaskSpec, split: str, counts: dict[str, Any]) -> pd.DataFrame:
    empty = frame["parts"].map(lambda parts: not all(text.strip() for text in parts)).astype(bool)
    counts["empty"] = int(empty.sum())
    if counts["empty"] and spec.empty_texts == "refuse":
        thing = f"text in row {frame['idx'][empty].iloc[0]} of {split} of task {spec.name}"
        raise MemlocError(thing, "", "a text that is not empty, or empty_texts: drop in the task's entry")
    return frame[~empty]


def _drop_repeated(frame: pd.DataFrame, counts: dict[str, Any]) -> pd.DataFrame:
    """Keep the first of equal texts; two labels for one text would put a wrong label among the clean ones."""
    text = _texts(frame)
    again = text.duplicated()
    first = frame["label"].groupby(text).transform("first")
    counts["repeated"] = int(again.sum())
    counts["repeated_with_another_label"] = int((again & (first != frame["label"])).sum())
    return frame[~again]


def _texts(frame: pd.DataFrame) -> pd.Series:
    # a separator that is no text keeps ("a b", "c") and ("a", "b c") apart
    return frame["parts"].map("\x1f".join).astype(object)


def _split(
    splits: dict[str, pd.DataFrame], held_from: str, spec: TaskSpec, config: DataConfig, counts: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training rows, and the held-out rows shuffled and halved into validation and test."""
    train = splits["train"]
    if held_from == "train":
        train, held = split_rows(train, int(TRAIN_SHARE * len(train)), generator(config.seed, SPLIT))
    else:
        held = splits[held_from]
        leaked = _texts(train).isin(set(_texts(held)))
        counts["train"]["in_held_out"] = int(leaked.sum())
        train = train[~leaked]
    if len(held) < 2:
        raise MemlocError(f"held-out rows of task {spec.name}", len(held), "2 or more, for validation and test")
    validation, test = split_rows(held, len(held) // 2, generator(config.seed, HALVE))
    return train, validation, test


def _capped(frame: pd.DataFrame, spec: TaskSpec, cap: int, config: DataConfig, stream: int) -> pd.DataFrame:
    return cap_rows(frame, len(spec.labels), cap, config.floor, config.seed, stream)


def _split_report(frame: pd.DataFrame, before: int, spec: TaskSpec) -> dict[str, Any]:
    per_class = frame["label"].value_counts()
    return {
        "rows": len(frame),
        "left_out_by_cap": before - len(frame),
        "classes": {name: int(per_class.get(label, 0)) for label, name in enumerate(spec.labels)},
    }


def _noisy_pairs(train: pd.DataFrame, spec: TaskSpec) -> list[dict[str, Any]]:
    """One entry for each ordered pair of classes: how many rows of ``label`` are given ``given``."""
    noisy = train[train["group"] == "noisy"].groupby(["label", "given"]).size().to_dict()
    return [
        {"label": a, "given": b, "n": int(noisy.get((i, j), 0))}
        for i, a in enumerate(spec.labels)
        for j, b in enumerate(spec.labels)
        if i != j
    ]
