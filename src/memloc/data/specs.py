"""What an entry of the catalogue can say: a task, and the places its rows can come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memloc.errors import MemlocError, unknown_name

GROUPS = ("nlu", "sentiment", "hate", "topic", "generated")
SPLITS = ("train", "validation", "test")
SOURCES = ("hub", "files", "generated")
PARTS = ("part1", "part2", "part3")


@dataclass(frozen=True)
class HubSource:
    """Where a task lies on the Hugging Face hub, as parquet, CSV or JSON (script data sets are refused).

    Args:
        repo: ``owner/name`` of the data set.
        revision: a commit, or a branch such as ``refs/convert/parquet``; the commit it resolves to is recorded.
        splits: our split name to the hub's.
        columns: our column names (``part1`` to ``part3`` in the order of the parts, and ``label``) to the hub's.
        config: the hub's configuration name, if the repository declares several.
        folder: the folder that holds the files of the configuration, on branches that declare none.
        labels: names of the hub's integer labels in their order, where the hub's features do not declare them.
        single_label: the label column holds a list; rows with exactly one label, and a known one, are kept.
    """

    repo: str
    revision: str
    splits: Mapping[str, str]
    columns: Mapping[str, str]
    config: str | None = None
    folder: str | None = None
    labels: tuple[str, ...] | None = None
    single_label: bool = False

    def __post_init__(self) -> None:
        _known_keys("hub.splits", self.splits, SPLITS, "train")
        _known_keys("hub.columns", self.columns, (*PARTS, "label"), "part1", "label")

    @property
    def part_columns(self) -> tuple[str, ...]:
        """The hub's text columns in the order of the parts."""
        return tuple(self.columns[part] for part in PARTS if part in self.columns)

    @property
    def label_column(self) -> str:
        """The hub's label column."""
        return self.columns["label"]


@dataclass(frozen=True)
class FilesSource:
    """Where a task lies in a folder of parquet files.

    Args:
        folder: the task's folder inside the data folder (``.`` where the stems name several folders).
        splits: our split name to one parquet file or several, named without ``.parquet``.
        columns: the text columns in the order of the parts.
        pool: the files named under ``train`` are all the labelled rows: they are pooled and split anew.
    """

    folder: str
    splits: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...]
    pool: bool = False

    def __post_init__(self) -> None:
        _known_keys("files.splits", self.splits, SPLITS, "train")
        if not 1 <= len(self.columns) <= len(PARTS):
            raise MemlocError("files.columns", self.columns, "one to three text columns")
        for place in (self.folder, *(stem for stems in self.splits.values() for stem in stems)):
            if Path(place).is_absolute() or ".." in Path(place).parts:
                raise MemlocError("place of a data file", place, "a path inside the data folder")
        if self.pool and set(self.splits) != {"train"}:
            raise MemlocError("files.splits of a pool", sorted(self.splits), "train alone")


@dataclass(frozen=True)
class GeneratedSource:
    """Which grammar makes a task's rows: what generalising needs, the classes, the words, the numbers of rows."""

    mechanism: str
    classes: int
    lexicon: str
    n_train: int
    n_heldout: int

    def __post_init__(self) -> None:
        for name in ("classes", "n_train", "n_heldout"):
            value = getattr(self, name)
            if type(value) is not int or value < 2:
                raise MemlocError(f"generated.{name}", value, "a whole number from 2 up")


@dataclass(frozen=True)
class TaskSpec:
    """One classification task.

    Args:
        name: lower case, used in file names and on the command line.
        title: as a reader sees it.
        group: one of ``nlu``, ``sentiment``, ``hate``, ``topic``, ``generated``.
        version: raised when the entry changes what the rows are; part of every key.
        labels: the class names; the position is the integer label. Published integers keep their order, labels
            published as strings are sorted (method, section 1.1). Rows are mapped by name, so sources agree.
        drop_labels: labels that the data have and the task leaves out.
        empty_texts: ``refuse`` (an empty text is an error) or ``drop`` (the published data are known to have some).
        most_frequent: the two classes that the binarised variant is expected to keep, for naming it before the data
            are there; the training rows decide.
        binarised_from: the task that this one keeps the two most frequent classes of.
    """

    name: str
    title: str
    group: str
    labels: tuple[str, ...]
    licence: str
    version: int = 1
    warning: str | None = None
    hub: HubSource | None = None
    files: FilesSource | None = None
    generated: GeneratedSource | None = None
    drop_labels: tuple[str, ...] = ()
    empty_texts: str = "refuse"
    most_frequent: tuple[str, ...] | None = None
    binarised_from: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", str(self.name)):
            raise MemlocError("task name", self.name, "lower-case letters, digits and hyphens")
        if self.group not in GROUPS:
            raise unknown_name(f"group of task {self.name}", str(self.group), GROUPS)
        for label in (*self.labels, *self.drop_labels):
            if not isinstance(label, str):
                raise MemlocError(f"label of task {self.name}", label, "a string (quote True, False, yes, no)")
        if len(self.labels) < 2 or len({*self.labels, *self.drop_labels}) != len(self.labels) + len(self.drop_labels):
            raise MemlocError(f"labels of task {self.name}", self.labels, "two or more names, each of them once")
        if type(self.version) is not int or self.version < 1:
            raise MemlocError(f"version of task {self.name}", self.version, "a whole number from 1 up")
        if self.empty_texts not in ("refuse", "drop"):
            raise MemlocError(f"empty_texts of task {self.name}", self.empty_texts, ["refuse", "drop"])
        if not self.sources:
            raise MemlocError(f"sources of task {self.name}", "none", SOURCES)
        if self.generated and not self.binarised_from and self.generated.classes != len(self.labels):
            raise MemlocError(f"generated.classes of task {self.name}", self.generated.classes, str(len(self.labels)))
        if self.most_frequent and (len(self.most_frequent) != 2 or not set(self.most_frequent) <= set(self.labels)):
            raise MemlocError(f"most_frequent of task {self.name}", self.most_frequent, "two of its labels")

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that this task can be loaded from."""
        return tuple(source for source in SOURCES if getattr(self, source) is not None)


def _known_keys(where: str, mapping: Mapping[str, object], known: tuple[str, ...], *required: str) -> None:
    for key in mapping:
        if key not in known:
            raise unknown_name(where, str(key), known)
    for key in required:
        if key not in mapping:
            raise MemlocError(where, sorted(mapping), f"a mapping with {key}")
