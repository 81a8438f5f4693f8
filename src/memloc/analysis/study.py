"""Numbers of the study that this project repeats, with their source and how exactly they are known.

``study.yml`` holds one number a task, and numbers of other kinds by name; ``study_curves.yml`` curves over layers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import yaml

from memloc.errors import MemlocError, unknown_name

FILE, CURVES = Path(__file__).with_name("study.yml"), Path(__file__).with_name("study_curves.yml")


Value = TypeVar("Value")


@dataclass(frozen=True)
class Published(Generic[Value]):
    """What was published for one model, a task: one number, or a curve over layers.

    Attributes:
        technique, metric: what was measured, in the vocabulary of the tidy rows and the claims.
        model: the model's name in the catalogue; ``title`` is what figures and tables call it.
        layers: its number of layers L.
        how: how the numbers were taken from the publication.
        tolerance: how far a number may be from the exact one, in the metric's unit.
        tasks: task to number, or to a curve, float64 [L], NaN where it is not known.
        source: key of the publication in the book's references.
    """

    technique: str
    metric: str
    model: str
    title: str
    layers: int
    how: str
    tolerance: float
    tasks: dict[str, Value]
    source: str


@dataclass(frozen=True)
class Told:
    """Numbers that are not one a task and model.

    Attributes:
        name: what they are of.
        how, tolerance, source: as in ``Published``.
        values: technique, model, task, or two of them separated by a space, to number.
    """

    name: str
    how: str
    tolerance: float
    values: dict[str, float]
    source: str


def published(technique: str = "swapping", metric: str = "mcog", model: str = "bert-base-cased") -> Published[float]:
    """What the study found with a technique on a model.

    Raises:
        MemlocError: if the file has no such numbers.
    """
    return _chosen("published numbers", _published(), (technique, metric, model))


def published_curves(
    technique: str = "swapping", metric: str = "layer_weight", model: str = "bert-base-cased"
) -> Published[np.ndarray]:
    """The curves over layers that the study found with a technique on a model.

    Raises:
        MemlocError: if the file has no such curves.
    """
    return _chosen("published curves", _published(curves=True), (technique, metric, model))


def all_published() -> list[Published[Any]]:
    """Everything that was published by task and model: numbers first, then curves."""
    return [*_published().values(), *_published(curves=True).values()]


def told(name: str) -> Told:
    """Numbers of the study by name, such as ``agreement of techniques, mcog, pearson``.

    Raises:
        MemlocError: for an unknown name, with the nearest known ones.
    """
    if name not in _told():
        raise unknown_name("numbers of the study", name, _told())
    return _told()[name]


def told_names() -> list[str]:
    """All names that ``told`` knows."""
    return list(_told())


def published_agreement(between: str, measure: str = "mcog") -> dict[frozenset[str], float]:
    """The study's correlation of every two techniques (Pearson) or models (Spearman).

    Args:
        between: ``techniques`` or ``models``.
        measure: ``mcog`` or ``layer_weight``.

    Raises:
        MemlocError: if the study has no such correlations.
    """
    method = {"techniques": "pearson", "models": "spearman"}.get(between, "any method")
    return {
        frozenset(pair.split(" ")): r for pair, r in told(f"agreement of {between}, {measure}, {method}").values.items()
    }


def event_by_task(event: str) -> dict[str, tuple[float, float]]:
    """The layer of an event by task, the mean over the study's four models, and how exactly it is known.

    Over all seeds where that is known of a task, and else in the first one.
    """
    numbers = [found for name, found in _told().items() if name in (f"{event} by task, first seed", f"{event} by task")]
    if not numbers:
        raise MemlocError("event by task", event, [name.split()[0] for name in _told() if name.endswith(" by task")])
    ordered = sorted(numbers, key=lambda found: found.name, reverse=True)  # later ones replace what the first seed told
    return {task: (layer, found.tolerance) for found in ordered for task, layer in found.values.items()}


def check(content: Mapping[str, Any], curves: Mapping[str, Any]) -> None:
    """Refuse numbers that are not finite, stand there twice, or lack their model, how they were read, or how exactly.

    Raises:
        MemlocError: naming the first such entry.
    """
    for key, names in (("published", KEY), ("told", ("name",))):
        _check_entries(key, content[key], names, content["models"])
    _check_entries("curves", curves["curves"], KEY, content["models"])
    for entry in curves["curves"]:
        layers = content["models"][entry["model"]]["layers"]
        for task, values in entry["tasks"].items():
            if len(values) != layers:
                raise MemlocError(f"published curve of {task}, {_name(entry, KEY)}", len(values), f"{layers} layers")


KEY = ("technique", "metric", "model")


def _name(entry: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return " ".join(str(entry.get(name)) for name in names)


def _check_entries(kind: str, entries: list[dict[str, Any]], names: tuple[str, ...], models: Mapping[str, Any]) -> None:
    values = "values" if kind == "told" else "tasks"
    fields, seen = {*names, "how", "tolerance", values}, set()
    for entry in entries:
        where = f"{kind} entry {_name(entry, names)}"
        if set(entry) != fields:
            raise MemlocError(where, sorted(entry), f"exactly {', '.join(sorted(fields))}")
        if _name(entry, names) in seen:
            raise MemlocError(where, "twice", "each entry once")
        seen.add(_name(entry, names))
        if "model" in names and entry["model"] not in models:
            raise unknown_name(f"model of {where}", str(entry["model"]), models)
        if not isinstance(entry["tolerance"], (int, float)) or not 0 <= entry["tolerance"] < math.inf:
            raise MemlocError(f"tolerance of {where}", entry["tolerance"], "a number from 0 on")
        if not isinstance(entry["how"], str) or not entry["how"]:
            raise MemlocError(f"how of {where}", entry["how"], "how the numbers were read")
        for name, value in entry[values].items():
            numbers = [v for v in value if v is not None] if kind == "curves" else [value]
            if not all(type(v) in (int, float) and math.isfinite(v) for v in numbers):
                raise MemlocError(f"{name} of {where}", value, "finite numbers")


@functools.cache
def _files() -> tuple[dict[str, Any], dict[str, Any]]:
    content, curves = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (FILE, CURVES))
    check(content, curves)
    return content, curves


@functools.cache
def _published(curves: bool = False) -> dict[tuple[str, ...], Published[Any]]:
    content, of_layers = _files()
    made = {}
    for entry in of_layers["curves"] if curves else content["published"]:
        tasks = {task: np.array(value, float) if curves else value for task, value in entry["tasks"].items()}
        about = content["models"][entry["model"]]
        made[tuple(entry[name] for name in KEY)] = Published(
            **{**entry, "tasks": tasks}, **about, source=content["source"]
        )
    return made


@functools.cache
def _told() -> dict[str, Told]:
    content, _ = _files()
    return {entry["name"]: Told(**entry, source=content["source"]) for entry in content["told"]}


def _chosen(kind: str, found: dict[tuple[str, ...], Any], key: tuple[str, ...]) -> Any:
    if key not in found:
        raise MemlocError(kind, key, [" ".join(known) for known in found])
    return found[key]
