"""The vocabulary of hidden checks: what they ask a submission, what they demand, how marks are lost.

A check is a function of two arguments. ``ask(code, **values)`` has an expression evaluated beside the student's code,
in another process, and returns what came of it as plain data; ``variant`` is the student's own seed and task. It
demands with :func:`require`; whoever falls short loses the check's points and reads the message, never the check::

    @check("Layers outside of the window stay", part="swap", points=2)
    def outside(ask, variant):
        got = ask("swap_window(first, second, 2, 1)", first=FIRST, second=SECOND)
        require(same(got, EXPECTED), "A layer outside of the window has changed.")
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from memloc.errors import MemlocError

Plain = Any
"""What travels to and from a submission: None, bool, int, float, str, numpy arrays, and lists and dicts of these."""


class Ask(Protocol):
    """Has an expression evaluated in the namespace of a submission's notebook."""

    def __call__(self, code: str, /, **values: Plain) -> Plain:
        """What ``code`` gives where ``values`` are bound.

        Raises:
            Lost: the code raised, took too long, or gave something that is not plain data.
        """


class Lost(Exception):
    """A check's demand that was not met.

    Args:
        message: what the student reads. It must tell what is wrong without telling what was asked.
        share: part of the check's points that is kept nevertheless.
    """

    def __init__(self, message: str, share: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        self.share = share


@dataclass(frozen=True)
class Check:
    """One hidden check: its title (students see it), the part (``grade_id``) it marks, and its points."""

    title: str
    part: str
    points: float
    run: Callable[[Ask, Any], None]


def check(title: str, *, part: str, points: float) -> Callable[[Callable[[Ask, Any], None]], Check]:
    """Make a function ``(ask, variant)`` a hidden check."""
    if not points > 0:
        raise MemlocError(f"points of check {title!r}", points, "a number above 0")
    return lambda run: Check(title, part, points, run)


def checks_of(module: ModuleType) -> list[Check]:
    """The checks of a module, in the order they were written in."""
    found = [value for value in vars(module).values() if isinstance(value, Check)]
    titles = [one.title for one in found]
    for title in titles:
        if titles.count(title) > 1:
            raise MemlocError("title of a check", title, "a title that no other check has")
    return found


def points_in(source: str) -> list[float]:
    """The points of a module's checks, read from its text: whoever counts them need not load what they import."""
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    calls = [call for node in functions for call in node.decorator_list if isinstance(call, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == check.__name__]
    return [float(ast.literal_eval(k.value)) for call in named for k in call.keywords if k.arg == "points"]


def require(condition: bool, message: str, share: float = 0.0) -> None:
    """Demand ``condition``; otherwise the check is lost with ``message``, but for ``share`` of its points."""
    if not condition:
        raise Lost(message, share)


def same(got: Plain, expected: Plain, tolerance: float = 1e-6) -> bool:
    """Whether an answer is the expected numbers (or, for text, the expected text), in shape and value.

    Never raises, whatever the answer is: it comes from a student's code.
    """
    if isinstance(expected, str) or expected is None or isinstance(got, str) or got is None:
        return type(got) is type(expected) and got == expected
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(same(got[key], expected[key], tolerance) for key in expected)
        )
    try:
        ours, theirs = np.asarray(expected, dtype=float), np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return False
    return ours.shape == theirs.shape and bool(
        np.allclose(theirs, ours, rtol=tolerance, atol=tolerance, equal_nan=True)
    )
