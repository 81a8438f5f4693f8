"""A prepared data set as the store holds it: written once, read as tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from memloc import tables
from memloc.data.prepare import Dataset
from memloc.store import Artefact

SPLITS = ("train", "validation", "test")


@dataclass
class LoadedData:
    """A task's data set as the store holds it.

    Attributes:
        config: its full configuration.
        train, validation, test: tables of ``tables.SPLIT``.
        labels: class names, position = integer label.
        report: counts made on the way (see ``memloc.data.prepare``).
    """

    config: dict[str, Any]
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    labels: list[str]
    report: dict[str, Any]


def write_dataset(made: Dataset, folder: Path) -> None:
    """The files of a data set's artefact."""
    for split in SPLITS:
        tables.write(getattr(made, split), tables.SPLIT, folder / f"{split}.parquet")
    tables.write(made.index(), tables.INDEX, folder / "index.parquet")
    facts = {"labels": list(made.spec.labels), "report": made.report}
    (folder / "facts.json").write_text(json.dumps(facts, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def read_dataset(artefact: Artefact) -> LoadedData:
    """What ``write_dataset`` wrote."""
    facts = json.loads(artefact.file("facts.json").read_text(encoding="utf-8"))
    splits = {split: tables.read(artefact.file(f"{split}.parquet"), tables.SPLIT) for split in SPLITS}
    return LoadedData(artefact.config, **splits, labels=facts["labels"], report=facts["report"])
