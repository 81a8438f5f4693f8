"""What techniques declare: arms and settings. Known without loading them, which loads torch.

Where torch is installed the registered classes are asked. Where it is not, as where the book is only read, the same
stands in ``declared.yml`` for the techniques of this package; `write` makes that file, and a test holds it to them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from memloc.errors import MemlocError, unknown_name

if TYPE_CHECKING:
    from memloc.techniques.base import Technique

FILE = Path(__file__).with_name("declared.yml")
HEAD = "# What the techniques of this package declare. Generated: make release\n"


@dataclass(frozen=True)
class Declaration:
    """What a technique says of itself; see ``techniques.base.Technique``."""

    name: str
    version: int
    arms: tuple[str, ...]
    optional: tuple[str, ...]
    defaults: Mapping[str, Any]


def declared(name: str) -> Declaration:
    """The declaration of a technique.

    Raises:
        MemlocError: for an unknown name, with the nearest known ones.
    """
    if not _can_load():
        known = written()
        if name not in known:
            raise unknown_name("technique", name, known)
        return known[name]
    from memloc.techniques.base import get_technique

    return _of(get_technique(name))


@functools.cache
def _can_load() -> bool:
    """Whether techniques can be loaded here; found out once, since trying in vain takes its time."""
    try:
        import memloc.techniques  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


@functools.cache
def written() -> dict[str, Declaration]:
    """The declarations in the file, by name."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    lists = ("arms", "optional")
    return {
        name: Declaration(name, **told | {key: tuple(told[key]) for key in lists}) for name, told in content.items()
    }


def registered() -> dict[str, Declaration]:
    """The declarations of the techniques of this package, by name."""
    from memloc.techniques.base import get_technique, technique_names

    found = [get_technique(name) for name in technique_names()]
    ours = [technique for technique in found if type(technique).__module__.startswith("memloc.techniques.")]
    return {technique.name: _of(technique) for technique in ours}


def write() -> Path:
    """Bring the file up to date."""
    content = {}
    for name, declaration in registered().items():
        told = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(declaration).items()}
        content[name] = {key: value for key, value in told.items() if key != "name"}
    FILE.write_text(HEAD + yaml.safe_dump(content, width=120), encoding="utf-8")
    return FILE


def _of(technique: Technique) -> Declaration:
    told = {field.name: getattr(technique, field.name) for field in fields(Declaration)}
    return Declaration(**told | {"defaults": dict(technique.defaults)})


def settings_of(technique: Technique | Declaration, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The technique's defaults with a profile's changes.

    Raises:
        MemlocError: for a setting the technique has not got, or a value of another type than the default's.
    """
    for name, value in (given or {}).items():
        if name not in technique.defaults:
            raise unknown_name(f"setting of technique {technique.name}", name, technique.defaults)
        kind = type(technique.defaults[name])
        if kind in (bool, int, float, str) and type(value) not in ((int, float) if kind is float else (kind,)):
            raise MemlocError(f"{technique.name}.{name}", value, f"a value of type {kind.__name__}")
    return {**technique.defaults, **(given or {})}
