"""Numbers of the study that this project repeats, with their source and how exactly they are known (``study.yml``)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

from memloc.errors import MemlocError

FILE = Path(__file__).with_name("study.yml")


@dataclass(frozen=True)
class Published:
    """One number a task, as published for one model.

    Attributes:
        technique, metric: what was measured, in the vocabulary of the tidy rows and the claims.
        model: the model's name in the catalogue; ``title`` is what figures and tables call it.
        layers: its number of layers L.
        how: how the numbers were taken from the publication.
        tolerance: how far a number may be from the exact one, in the metric's unit.
        tasks: task to number.
        source: key of the publication in the book's references.
    """

    technique: str
    metric: str
    model: str
    title: str
    layers: int
    how: str
    tolerance: float
    tasks: dict[str, float]
    source: str


@functools.cache
def published(technique: str = "swapping", metric: str = "mcog", model: str = "bert-base-cased") -> Published:
    """What the study found with a technique on a model.

    Raises:
        MemlocError: if the file has no such numbers.
    """
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    entries = [Published(**entry, source=content["source"]) for entry in content["published"]]
    found = {(e.technique, e.metric, e.model): e for e in entries}
    if (technique, metric, model) not in found:
        raise MemlocError("published numbers", (technique, metric, model), [" ".join(key) for key in found])
    return found[technique, metric, model]
