"""The protocol of a localisation technique and the registry.

A technique is one module with one registered class. It names the arms it needs, gets them as loaded classifiers, and
returns tidy rows; everything from rows to figures is shared (``memloc.analysis``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pandas as pd

from memloc.declared import settings_of
from memloc.errors import MemlocError, unknown_name
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded

__all__ = ["Cell", "Result", "Technique", "get_technique", "register_technique", "settings_of", "technique_names"]


@dataclass
class Cell:
    """What a technique is given: one (task, model, seed) with its trained arms.

    Attributes:
        run_key: key of the run's configuration, for the rows.
        task, model, seed: names of the cell.
        classes: number of classes C of the task.
        train: the training examples, encoded.
        load: arm name to a classifier on the run's device in evaluation mode, a new copy at every call; ``pretrained``
            is the untrained start. ``load(arm, True)`` prefers the checkpoint of the first memorised epoch to the last.
        arms: what can be loaded: the technique's arms and those of its optional ones that there are.
        pooling: as in training.
        resume: a folder for whatever lets a killed run go on where it was; not there yet, None where nothing is kept.
    """

    run_key: str
    task: str
    model: str
    seed: int
    classes: int
    train: Encoded
    load: Callable[..., Classifier]
    arms: tuple[str, ...]
    pooling: str = "token"
    resume: Path | None = None


@dataclass
class Result:
    """What a technique found.

    Attributes:
        rows: ``tables.ROWS`` without the cell's own columns; columns that are left out are null.
        details: further tables by their name in ``tables.DETAILS``.
    """

    rows: pd.DataFrame
    details: dict[str, pd.DataFrame] = field(default_factory=dict)


class Technique(Protocol):
    """What the pipeline needs of a technique.

    Attributes:
        name: as it appears in rows and profiles.
        version: raised when results would change; part of every key.
        arms: the arms it cannot do without.
        optional: arms it makes use of where they are. The pipeline always gives them; a user's own model may lack them.
        defaults: its settings and their default values; a profile may change them. ``tokens`` and ``megabytes`` say how
            much runs at once and must change no result: they are halved where memory runs out, and are in no key.

    A setting that came later is named in an attribute ``added``, a tuple: it is in a key only where it is not the
    default, so that rows of before are still found.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    arms: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]]
    defaults: ClassVar[Mapping[str, Any]]

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        """Localise; never trains an arm itself. Given the same cell, the same tables."""
        ...


_registry: dict[str, type[Technique]] = {}


def register_technique(cls: type[Technique]) -> type[Technique]:
    """Class decorator: make a technique known by its name.

    Raises:
        MemlocError: if the name is taken by another class.
    """
    if _registry.get(cls.name, cls).__qualname__ != cls.__qualname__:
        raise MemlocError("technique", cls.name, "a name that is not taken")
    _registry[cls.name] = cls
    return cls


def technique_names() -> list[str]:
    """Names of all registered techniques."""
    return sorted(_registry)


def get_technique(name: str) -> Technique:
    """A technique by name.

    Raises:
        MemlocError: for an unknown name, with the nearest known ones.
    """
    if name not in _registry:
        raise unknown_name("technique", name, _registry)
    return _registry[name]()
