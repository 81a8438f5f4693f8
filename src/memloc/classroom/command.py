"""``memloc classroom make`` and ``memloc classroom grade``: options in, one call, a few lines out."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError
from memloc.options import names

if TYPE_CHECKING:
    from memloc.classroom.assignment import Assignment
    from memloc.classroom.results import Result
    from memloc.classroom.similar import Pair

LIMITS = {"seconds": float, "memory_mb": int, "processes": int, "output_kb": int, "file_mb": int, "notebook_mb": float}


def add_parser(commands: Any) -> None:
    """Add both commands to the command line's parser."""
    classroom = commands.add_parser("classroom", help="assignments: hand out, and grade")
    parts = classroom.add_subparsers(required=True, metavar="COMMAND")

    make = parts.add_parser("make", help="an nbgrader course: students' and teacher's versions, rubrics, hidden checks")
    make.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or an untouched course")
    make.add_argument("--only", type=names, help="only these assignments, separated by commas")
    make.set_defaults(run=_make)

    grade = parts.add_parser("grade", help="grade what was handed in; the same command goes on where it was")
    grade.add_argument("submissions", type=Path, help="folder (or archive) of what was handed in")
    grade.add_argument("--assignment", required=True, metavar="NAME", help="which assignment it is")
    grade.add_argument("--out", type=Path, required=True, metavar="DIR", help="where marks and feedback go")
    grade.add_argument("--roster", type=Path, metavar="CSV", help="students' ids; whoever is not there is missing")
    grade.add_argument("--due", metavar="TIME", help="ISO date and time; later submissions are flagged")
    grade.add_argument(
        "--marks", type=Path, metavar="CSV", help="marks given by hand: student, assignment, part, points"
    )
    grade.add_argument("--workers", type=int, default=2, help="submissions graded at a time (default: 2)")
    told = "without a jail: only for what you trust as your own code"
    grade.add_argument("--trusted", action="store_true", help=told)
    for name, kind in LIMITS.items():
        grade.add_argument(f"--{name.replace('_', '-')}", type=kind, help="limit, instead of the assignment's own")
    grade.set_defaults(run=_grade)
    for one in (make, grade):
        one.add_argument(
            "--assignments", type=Path, metavar="DIR", help="a folder of your own (default: the project's)"
        )


def _make(arguments: argparse.Namespace) -> None:
    from memloc.classroom import catalogue
    from memloc.classroom.making import make

    chosen = arguments.only or catalogue.names(arguments.assignments)
    found = [catalogue.assignment(name, arguments.assignments) for name in chosen]
    if not found:
        raise MemlocError(
            "assignments", str(catalogue.home(arguments.assignments)), "one folder for each, at least one"
        )
    print(f"{make(found, arguments.out)}: {', '.join(one.name for one in found)}")


def _grade(arguments: argparse.Namespace) -> int:
    from memloc.classroom import catalogue, feedback, marks
    from memloc.classroom.grading import grade_all
    from memloc.classroom.similar import similar
    from memloc.classroom.submissions import find, parse_time, read_roster

    one = limited(catalogue.assignment(arguments.assignment, arguments.assignments), arguments)
    roster = read_roster(arguments.roster) if arguments.roster else None
    due = parse_time(arguments.due) if arguments.due else None
    given = marks_by_hand(arguments.marks, arguments.out)
    submissions = find(arguments.submissions, roster, one, due)
    if not submissions:
        raise MemlocError("submissions", str(arguments.submissions), "notebooks, folders or archives, one a student")
    results = grade_all(one, submissions, arguments.out, arguments.workers, confine=not arguments.trusted)
    results = marks.with_by_hand(results, given)
    pairs = similar(one, submissions)
    marks.write_all(results, one.title, arguments.out)
    feedback.write_all(results, one.title, arguments.out)
    write_pairs(pairs, arguments.out)
    print("\n".join(summary(results, pairs, arguments.out)))
    return 1 if any(result.status == "failed" for result in results) else 0


def limited(one: Assignment, arguments: argparse.Namespace) -> Assignment:
    """The assignment with limits of the command line in place of its own."""
    wanted = {name: value for name in LIMITS if (value := getattr(arguments, name)) is not None}
    for name, value in wanted.items():
        if not value > 0:
            raise MemlocError(f"limit {name}", value, "a number above 0")
    return dataclasses.replace(one, limits=dataclasses.replace(one.limits, **wanted))


def marks_by_hand(path: Path | None, out: Path) -> list[dict[str, str]]:
    """Rows of marks given by hand.

    Raises:
        MemlocError: if the table that is about to be written anew holds marks and was not named.
    """
    from memloc.classroom.marks import read_by_hand

    own = out / "by_hand.csv"
    if path is not None:
        return read_by_hand(path)
    if own.is_file() and any(row["points"].strip() not in ("", "0.0") for row in read_by_hand(own)):
        raise MemlocError("marks by hand", str(own), f"--marks {own}, or another name for it: it would be overwritten")
    return []


def write_pairs(pairs: Sequence[Pair], out: Path) -> None:
    """``similar.csv``: for the teacher's eyes, and no verdict."""
    from memloc.classroom.marks import csv_text
    from memloc.publishing.chapters import write_text_whole

    rows: list[Sequence[object]] = [("first", "second", "alike", "parts")]
    for pair in pairs:
        parts = "; ".join(f"{name} {share:.2f}" for name, share in pair.parts.items())
        rows.append((pair.first, pair.second, f"{pair.share:.2f}", parts))
    write_text_whole(out / "similar.csv", csv_text(rows))


def summary(results: Sequence[Result], pairs: Sequence[Pair], out: Path) -> list[str]:
    """What a teacher wants to know at once."""
    states = [result.status for result in results]
    graded = [result for result in results if result.status == "graded"]
    lines = [", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))]
    if graded:
        mean = sum(result.points for result in graded) / len(graded)
        lines.append(f"mean of the graded ones: {mean:.2f} of {graded[0].of:g} points")
        slow, large = max(result.seconds for result in results), max(result.peak_mb for result in results)
        lines.append(f"the longest took {slow:.0f} s, the largest {large:.0f} MB")
    if waiting := sum(result.pending for result in results):
        lines.append(f"{waiting} have parts to mark by hand: fill in a copy of by_hand.csv and pass it as --marks")
    if pairs:
        lines.append(f"{len(pairs)} pairs of answers are nearly the same: similar.csv")
    if flagged := sum(bool(result.flags) for result in results):
        lines.append(f"{flagged} have flags: grades.csv")
    return [*lines, f"marks and feedback: {out}"]
