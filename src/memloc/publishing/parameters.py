"""Parameters of chapters given as text (``-p name=value``): typed by the default that a chapter declares, never run."""

from __future__ import annotations

import ast
import math
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from memloc.config import program
from memloc.errors import MemlocError, unknown_name
from memloc.publishing.chapters import Chapter
from memloc.publishing.studies import reads_released

NAME = re.compile(r"[a-z][a-z0-9_]*")
PLAIN = (str, int, float, bool, type(None))


def read_assignments(texts: Iterable[str], chapters: Iterable[Chapter]) -> dict[str, Any]:
    """Parameters from ``name=value``; one of a list may be given in the singular, ``task=trec`` for ``tasks``.

    Args:
        texts: as typed. A value is a plain YAML scalar or list; where the default is text, it stays text.
        chapters: that will be executed; what they declare says what is accepted.

    Raises:
        MemlocError: for what is no assignment, a parameter that no chapter declares, one that is given twice, or a
            value that is not of the declared default's kind.
    """
    declared: dict[str, list[str]] = {}
    for chapter in chapters:
        for name in chapter.free:
            declared.setdefault(name, []).append(chapter.declared[name])
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not NAME.fullmatch(name):
            raise MemlocError("parameter", text, "name=value")
        if name == "profile":
            raise MemlocError("parameter", text, "--profile, which names it for all chapters")
        if not set(declared) - {"profile"}:
            raise MemlocError("chapter parameter", name, "none: this page has no parameters")
        known = name if name in declared else f"{name}s"
        if known not in declared:
            raise unknown_name("chapter parameter", name, sorted({*declared} - {"profile"}))
        if known in found:
            raise MemlocError(f"parameter {known}", text, "one value")
        for default in declared[known]:
            found[known] = typed(name, value, default)
    return found


def typed(name: str, text: str, default: str) -> Any:
    """A value as the kind of its default.

    Args:
        name: for messages.
        text: the value as typed.
        default: the declared default, as written in the source.

    Raises:
        MemlocError: if it is of another kind, or no plain value.
    """
    like = _default(default)
    if isinstance(like, str):
        value = _read_back(name, text)
        return value if isinstance(value, str) else text
    value = _plain(name, text)
    if like is None:
        return value
    if isinstance(like, list):
        return value if isinstance(value, list) else [value]
    if isinstance(like, float) and type(value) is int:
        return float(value)
    if type(value) is not type(like):
        raise MemlocError(f"parameter {name}", text, f"a value like its default, {default}")
    return value


def _default(text: str) -> Any:
    """A default from its source; one that is no literal says nothing about its kind."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _plain(name: str, text: str) -> Any:
    """A scalar, or a list of scalars, from YAML; dates and the like stay text."""
    wrong = MemlocError(f"parameter {name}", text, "text, a number, true, false, null, or a list of these in [ ]")
    if text != text.strip() or "\n" in text:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise wrong from error
    if isinstance(value, dict) or (isinstance(value, float) and not math.isfinite(value)):
        raise wrong
    if isinstance(value, list):
        if not value or not all(isinstance(v, PLAIN) and (not isinstance(v, float) or math.isfinite(v)) for v in value):
            raise wrong
        return value
    return value if isinstance(value, PLAIN) else text


def assignment(name: str, value: Any) -> str:
    """A parameter as it is typed, ready for a shell."""
    text = value
    if not isinstance(value, str) or value != _read_back(name, value):
        quotes = '"' if isinstance(value, str) else None
        text = yaml.safe_dump(value, default_style=quotes, default_flow_style=True, width=10**6)
        text = text.removesuffix("...\n").strip()
    return shlex.quote(f"{name}={text}")


def _read_back(name: str, text: str) -> Any:
    """What a text is read as; nothing where it cannot be."""
    try:
        return _plain(name, text)
    except MemlocError:
        return None


def command(chapter: Chapter, given: Mapping[str, Any], solutions: str = "fold") -> str:
    """The line that executes a chapter as it was executed, defaults left out."""
    free = {name: value for name, value in given.items() if name in chapter.free}
    words = [f"{program()} book execute --only", shlex.quote(chapter.name)]
    if "profile" in free:
        words.append(f"--profile {shlex.quote(str(free.pop('profile')))}")
    words += [f"-p {assignment(name, value)}" for name, value in sorted(free.items())]
    if free.get("source") == "files":
        words.append("--data DIR")  # where the files lie is this machine's own
    if reads_released():
        words.append("--released")
    if solutions != "fold":
        words.append(f"--solutions {solutions}")
    return " ".join(words)
