"""What grading one submission came to: plain data that is kept as JSON, and the words for what was out of order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FLAGS = {
    "late": "It came after the time it was due.",
    "renamed": "The notebook had another name; it was recognised by its cells.",
    "several notebooks": "There were several notebooks; the newest that fits was graded.",
    "not in the roster": "This name is not in the list of students.",
    "checks edited": "Cells that were handed out are changed or missing; it was graded with the original ones.",
    "answer missing": "A cell for an answer is missing; it was taken as empty.",
    "answer twice": "A cell for an answer is there more than once; the first one was graded.",
    "another id": "The notebook names another student; it was graded for the name it was handed in under.",
    "no id": "The notebook names no student; it was graded for the name it was handed in under.",
    "own cells": "Cells of your own were not run: what answers need belongs into the cells for answers.",
    "printed too much": "It printed more than is kept.",
    "refused": "A part of what was handed in was not opened.",
    "forged lines": "It wrote to where only the grader writes; this was dropped.",
}
"""Each flag in neutral words. A flag may carry a detail: ``"answer missing: swap"``."""


@dataclass(frozen=True)
class Mark:
    """What one check gave: ``message`` is empty if nothing was lost."""

    title: str
    part: str
    points: float
    of: float
    message: str = ""


@dataclass(frozen=True)
class Visible:
    """A check that students ran themselves; counted only where the assignment says so."""

    name: str
    passed: bool
    message: str = ""
    points: float = 0.0
    of: float = 0.0


@dataclass(frozen=True)
class Part:
    """A part that a person marks; ``points`` is None until then."""

    name: str
    of: float
    text: str = ""
    points: float | None = None


@dataclass(frozen=True)
class Stop:
    """A cell that stopped with an error."""

    cell: str
    name: str
    text: str = ""


@dataclass(frozen=True)
class Result:
    """One student's result.

    Attributes:
        status: ``graded``; ``stopped`` if its process had to be ended; ``missing`` or ``refused`` if there was nothing
            to run; ``failed`` if it was the grader that failed.
        note: for the teacher alone.
    """

    student: str
    assignment: str
    status: str
    reason: str = ""
    marks: tuple[Mark, ...] = ()
    visible: tuple[Visible, ...] = ()
    by_hand: tuple[Part, ...] = ()
    errors: tuple[Stop, ...] = ()
    flags: tuple[str, ...] = ()
    note: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    late: bool = field(default=False)

    @property
    def points(self) -> float:
        """Points so far: of hidden checks, of visible ones if they count, and those given by hand."""
        given = sum(part.points or 0.0 for part in self.by_hand)
        return sum(m.points for m in self.marks) + sum(v.points for v in self.visible) + given

    @property
    def of(self) -> float:
        """Points there are, by hand included."""
        ofs = [m.of for m in self.marks] + [v.of for v in self.visible] + [part.of for part in self.by_hand]
        return sum(ofs)

    @property
    def pending(self) -> bool:
        """Whether a person still has to mark a part."""
        return any(part.points is None for part in self.by_hand)


def to_json(result: Result) -> dict[str, Any]:
    """A result as plain data."""
    return dataclasses.asdict(result)


def from_json(told: Mapping[str, Any]) -> Result:
    """A result from plain data.

    Raises:
        TypeError, KeyError: if it is not one.
    """
    lists = {"marks": Mark, "visible": Visible, "by_hand": Part, "errors": Stop}
    rest = {name: tuple(kind(**one) for one in told[name]) for name, kind in lists.items()}
    return Result(**{**told, **rest, "flags": tuple(told["flags"])})
