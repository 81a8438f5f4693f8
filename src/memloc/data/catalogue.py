"""The catalogue of tasks: one declarative entry a task, from ``tasks.yml`` or from a user's own file.

An entry says where a task's rows come from and what its labels are called; no code is written for a task.
Every task with more than two classes also has a binarised variant, ``<task>v2`` (method, section 1.1).
"""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml

from memloc.config import OF_ONES_OWN, user_catalogues
from memloc.data.specs import GROUPS, FilesSource, GeneratedSource, HubSource, TaskSpec
from memloc.errors import MemlocError, unknown_name

__all__ = [
    "FilesSource",
    "GeneratedSource",
    "HubSource",
    "TaskSpec",
    "base_of",
    "get_task",
    "is_built_in",
    "load_catalogue",
    "register_task",
    "task_names",
]

BUILT_IN = Path(__file__).with_name("tasks.yml")

T = TypeVar("T")

_tasks: dict[str, TaskSpec] = {}


def get_task(name: str) -> TaskSpec:
    """The entry of a task.

    Raises:
        MemlocError: for an unknown name, with the nearest known ones.
    """
    tasks = _catalogue()
    if name not in tasks:
        raise unknown_name("task", name, tasks, OF_ONES_OWN)
    return tasks[name]


@functools.cache
def _built_in() -> frozenset[str]:
    return frozenset(spec.name for spec in _with_variants(_read(BUILT_IN)))


def is_built_in(name: str) -> bool:
    """Whether the entry is the package's own, and not from a user's file."""
    return name in _built_in()


def base_of(spec: TaskSpec) -> TaskSpec:
    """The entry whose rows a task is made of: the task itself, or what it is binarised from."""
    return get_task(spec.binarised_from) if spec.binarised_from else spec


def task_names(group: str | None = None, binarised: bool | None = None) -> list[str]:
    """Names in the catalogue's order; of one group, and with or without the binarised variants (None: all)."""
    if group is not None and group not in GROUPS:
        raise unknown_name("group", group, GROUPS)
    return [
        spec.name
        for spec in _catalogue().values()
        if group in (None, spec.group) and binarised in (None, spec.binarised_from is not None)
    ]


def register_task(spec: TaskSpec) -> None:
    """Add a task and, for more than two classes, its binarised variant; adding the same entry again changes nothing.

    Raises:
        MemlocError: if another entry has the name.
    """
    _catalogue()
    _add([spec])


def load_catalogue(path: Path | str) -> list[str]:
    """Add the entries of a user's YAML file (key ``tasks``: name to entry), all of them or, on an error, none.

    Returns:
        The names in the file.
    """
    _catalogue()
    specs = _read(Path(path))
    _add(specs)
    return [spec.name for spec in specs]


def _catalogue() -> dict[str, TaskSpec]:
    if not _tasks:
        for path in (BUILT_IN, *user_catalogues()):
            _add(_read(path))
    return _tasks


def _add(specs: list[TaskSpec]) -> None:
    new: dict[str, TaskSpec] = {}
    for spec in _with_variants(specs):
        if new.get(spec.name, _tasks.get(spec.name, spec)) != spec:
            raise MemlocError("task", spec.name, "a name that no other entry of the catalogue has")
        new[spec.name] = spec
    _tasks.update(new)


def _with_variants(specs: list[TaskSpec]) -> list[TaskSpec]:
    """Entries, each followed by its binarised variant where it has one."""
    return [entry for base in specs for entry in (base, *_binarised(base))]


def _binarised(spec: TaskSpec) -> list[TaskSpec]:
    if len(spec.labels) <= 2:
        return []
    two = spec.most_frequent or ("one of the two most frequent", "other of the two most frequent")
    note = f"Keeps the two most frequent classes of the training rows of {spec.name}."
    return [
        dataclasses.replace(
            spec,
            name=f"{spec.name}v2",
            title=f"{spec.title}, two most frequent classes",
            labels=tuple(sorted(two, key=spec.labels.index)) if spec.most_frequent else two,
            drop_labels=(),
            most_frequent=None,
            binarised_from=spec.name,
            notes=(*spec.notes, note),
        )
    ]


def _read(path: Path) -> list[TaskSpec]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MemlocError("catalogue", str(path), f"a readable YAML file ({type(error).__name__})") from error
    entries = content.get("tasks") if isinstance(content, dict) else None
    if isinstance(content, dict) and content.get("models") and entries is None:
        return []  # the models catalogue reads the rest
    if not isinstance(entries, dict) or not entries:
        raise MemlocError(f"catalogue {path.name}", content, "a mapping with the key tasks: name to entry")
    return [_parse(str(name), entry, f"task {name} in {path.name}") for name, entry in entries.items()]


def _parse(name: str, entry: object, where: str) -> TaskSpec:
    values = {"name": name, **_mapping(entry, where)}
    kinds: dict[str, type] = {"hub": HubSource, "files": FilesSource, "generated": GeneratedSource}
    for source, cls in kinds.items():
        if values.get(source) is not None:
            given = _mapping(values[source], f"{source} of {where}")
            if source == "files" and isinstance(given.get("splits"), dict):
                stems = given["splits"].items()
                given["splits"] = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in stems}
            values[source] = _build(cls, given, f"{source} of {where}")
    return _build(TaskSpec, values, where)


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MemlocError(where, value, "a mapping of settings")
    return dict(value)


def _build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """A dataclass from YAML: known fields only, required ones there, lists as tuples."""
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise unknown_name(f"setting in {where}", str(name), fields)
    missing = [n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in values]
    if missing:
        raise MemlocError(where, sorted(values), "an entry that also has " + ", ".join(missing))
    for name, value in values.items():
        kind = str(fields[name].type)
        plain: dict[str, Any] = {"str": str, "int": int, "bool": bool, "tuple": (list, tuple), "Mapping": dict}
        wanted = plain.get(re.split(r"[\[ |]", kind)[0])
        if wanted and not (value is None and "None" in kind) and not isinstance(value, wanted):
            raise MemlocError(f"{name} of {where}", value, kind)
    return cls(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})
