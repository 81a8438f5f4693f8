"""Results that are kept: one JSON file a student, found again only for the same submission and the same assignment."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import cells_of
from memloc.classroom.results import Result, from_json, to_json
from memloc.classroom.submissions import Submission
from memloc.config import config_key
from memloc.publishing.chapters import file_hash, write_text_whole


def key_of(assignment: Assignment, submission: Submission) -> str:
    """What a kept result is of: all that it depends on."""
    sources = sorted(path for path in assignment.folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return config_key(
        {
            "submission": dataclasses.asdict(submission),
            "notebook": [dataclasses.asdict(cell) for cell in cells_of(assignment.notebook)],
            "checks": [(one.title, one.part, one.points) for one in assignment.checks],
            "by_hand": dict(assignment.by_hand),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in assignment.files.items()},
            "folder": [(path.name, file_hash(path)) for path in sources],
            "limits": dataclasses.asdict(assignment.limits),
            "visible_points": assignment.visible_points,
        }
    )


def keep(assignment: Assignment, submission: Submission, out: Path, result: Result) -> None:
    """Write a result down."""
    told = {"key": key_of(assignment, submission), "result": to_json(result)}
    write_text_whole(place_of(out, submission.student), json.dumps(told, indent=1))


def kept(assignment: Assignment, submission: Submission, out: Path, failed: bool = False) -> Result | None:
    """A result that was written down for just this submission and assignment.

    Args:
        failed: also if the grader failed; otherwise such a one is to be graded again.
    """
    try:
        told = json.loads(place_of(out, submission.student).read_text(encoding="utf-8"))
        result = from_json(told["result"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    same = told["key"] == key_of(assignment, submission)
    return result if same and (failed or result.status != "failed") else None


def place_of(out: Path, student: str) -> Path:
    """Where a student's result is kept."""
    return out / "results" / f"{student}.json"
