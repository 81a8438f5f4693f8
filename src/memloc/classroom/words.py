"""What came out of a jail, in words: for the student, and for whoever runs the grader.

All of it was made up by a submission, so only what it cannot use to carry text is passed on: values as plain data to
the checks, the names of Python's own errors and types to the student.
"""

from __future__ import annotations

import builtins
import json
from typing import Any

from memloc.classroom.assignment import Limits
from memloc.classroom.checks import Lost, Plain
from memloc.classroom.inside import decode
from memloc.errors import MemlocError

ANSWER_BYTES = 4 * 2**20
ERRORS = {n for n, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
TYPES = {"bytes", "complex", "function", "generator", "map", "module", "range", "set", "type", "zip", "object"}
STOPPED = {
    "time": "it ran longer than {limits.seconds:.0f} seconds",
    "memory": "it used more than {limits.memory_mb} MB of memory",
    "output": "it printed without end",
    "processes": "it started more than {limits.processes} processes",
    "ended": "its process ended by itself",
}


def parsed(line: bytes) -> dict[str, Any]:
    """A line as the dict it should be; an empty one if it is anything else."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError, MemoryError):
        return {}
    return told if isinstance(told, dict) else {}


def judged(told: dict[str, Any], limits: Limits) -> Plain:
    """The value of an answer.

    Raises:
        Lost: with what the student may read, if it is none.
    """
    if "value" in told:
        try:
            return decode(told["value"])
        except (ValueError, RecursionError, MemoryError):
            raise Lost("Your code gave something that is not plain data.") from None
    if told.get("late"):
        raise Lost(f"Your code took longer than {limits.answer_seconds:.0f} seconds.")
    if told.get("large"):
        raise Lost(f"Your code gave more than {ANSWER_BYTES // 2**20} MB.")
    if "type" in told:
        known = f" (a {told['type']})" if str(told["type"]) in TYPES else ""
        raise Lost(f"Your code gave something that is not plain data{known}.")
    name = str(told.get("error"))
    if name == "NotImplementedError":
        raise Lost("This is not written yet (NotImplementedError).")
    raise Lost(f"Your code stopped with {name}." if name in ERRORS else "Your code stopped with an error.")


def error_of(told: object) -> dict[str, str] | None:
    """A cell's error, if it had one, as text that steers no terminal and that every file can hold."""
    if not isinstance(told, dict):
        return None
    shown = {key: str(told.get(key, ""))[:300] for key in ("name", "text")}
    return {key: "".join(c if c.isprintable() else " " for c in text) for key, text in shown.items()}


def cannot_confine(reason: str) -> MemlocError:
    """The error of a machine on which a submission cannot be locked in."""
    return MemlocError(
        "confining a submission",
        reason,
        "Linux (x86_64 or aarch64) where this user may make namespaces: run as root, or allow user namespaces "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0), in a container with --privileged; without any of these, "
        "confine=False, only for submissions that you trust as your own code",
    )
