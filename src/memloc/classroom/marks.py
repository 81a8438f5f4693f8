"""Marks as tables: all of it, what Canvas takes, what Moodle takes; and the marks that a person gives.

Text that a spreadsheet would run as a formula is written with a quote before it: ids and messages are others' text.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from memloc.classroom.feedback import flag_text, number, status_text
from memloc.classroom.results import Result
from memloc.errors import MemlocError, unknown_name
from memloc.publishing.chapters import write_text_whole

FORMULA = ("=", "+", "-", "@", "\t", "\r")
HAND_COLUMNS = ("student", "assignment", "part", "points")


def safe(value: object) -> str:
    """A value as a cell that no spreadsheet runs. Numbers stay as they are."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return number(value)
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in str(value))
    return f"'{text}" if text.lstrip().startswith(FORMULA) or str(value).startswith(FORMULA) else text


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, each cell made safe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([safe(value) for value in row] for row in rows)
    return out.getvalue()


def grades(results: Sequence[Result]) -> str:
    """``grades.csv``: one row a student, a column for each check and each part by hand."""
    titles = list(dict.fromkeys(mark.title for result in results for mark in result.marks))
    parts = list(dict.fromkeys(part.name for result in results for part in result.by_hand))
    head = ["student", "assignment", "status", "points", "of", "pending", "late", "flags", "seconds", "peak_mb"]
    rows: list[list[object]] = [[*head, *titles, *(f"by hand: {name}" for name in parts), "note"]]
    for one in results:
        given = {mark.title: mark.points for mark in one.marks}
        hand = {part.name: part.points for part in one.by_hand}
        told: list[object] = [one.student, one.assignment, one.status, one.points, one.of]
        told += ["yes" if one.pending else "no", "yes" if one.late else "no", "; ".join(one.flags)]
        told += [one.seconds, one.peak_mb, *(given.get(t) for t in titles), *(hand.get(name) for name in parts)]
        rows.append([*told, one.note or one.reason])
    return csv_text(rows)


def to_mark(results: Sequence[Result]) -> str:
    """The table that a person fills in: a row for each part in which something was written, its points empty."""
    rows: list[Sequence[object]] = [(*HAND_COLUMNS, "of", "text")]
    rows += [(r.student, r.assignment, p.name, p.points, p.of, p.text) for r in results for p in r.by_hand if p.text]
    return csv_text(rows)


def read_by_hand(path: Path) -> list[dict[str, str]]:
    """Rows of marks given by hand, as written; rows without points are left out.

    Raises:
        MemlocError: if the file cannot be read or lacks a column.
    """
    try:
        # a spreadsheet's own mark of UTF-8 is no part of the first column's name
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MemlocError("marks by hand", str(path), "a CSV file in UTF-8") from error
    for column in HAND_COLUMNS:
        if column not in columns:
            raise MemlocError("columns of marks by hand", list(columns), f"{', '.join(HAND_COLUMNS)} among them")
    return [row for row in rows if (row["points"] or "").strip()]


def with_by_hand(results: Sequence[Result], rows: Iterable[Mapping[str, str]]) -> list[Result]:
    """Results with marks given by hand. Rows of other assignments are left alone.

    Raises:
        MemlocError: for an unknown student or part, points that are no number or out of range, or a part marked twice.
    """
    found = {result.student: result for result in results}
    assignment = results[0].assignment if results else ""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if row["assignment"] != assignment:
            continue
        student, name = row["student"].removeprefix("'"), row["part"]
        if student not in found:
            raise unknown_name("student in marks by hand", student, found)
        if (student, name) in seen:
            raise MemlocError("mark by hand", f"{student}, {name}", "each part of a student once")
        seen.add((student, name))
        found[student] = _with_points(found[student], name, row["points"])
    return [found[result.student] for result in results]


def _with_points(result: Result, name: str, written: str) -> Result:
    part = next((part for part in result.by_hand if part.name == name), None)
    if part is None:
        raise unknown_name("part marked by hand", name, [part.name for part in result.by_hand])
    try:
        points = float(written.replace(",", "."))
    except ValueError:
        points = float("nan")
    if not 0 <= points <= part.of:
        raise MemlocError(f"points of {result.student}, {name}", written, f"a number from 0 to {number(part.of)}")
    marked = dataclasses.replace(part, points=points)
    return dataclasses.replace(result, by_hand=tuple(marked if p is part else p for p in result.by_hand))


def canvas(results: Sequence[Result], title: str, names: Mapping[str, str] | None = None) -> str:
    """The CSV that Canvas' gradebook imports: ids as SIS logins, a row of points possible.

    Args:
        names: students' names by id, where they are known; Canvas itself goes by the login.
    """
    of = max((one.of for one in results), default=0.0)
    rows: list[Sequence[object]] = [("Student", "ID", "SIS Login ID", "Section", title)]
    rows.append(("    Points Possible", "", "", "", of))
    rows += [((names or {}).get(one.student, one.student), "", one.student, "", one.points) for one in results]
    return csv_text(rows)


def moodle(results: Sequence[Result], title: str) -> str:
    """The CSV that Moodle's gradebook imports: by user name and ID number, with what the checks said as feedback."""
    rows: list[Sequence[object]] = [("Username", "ID number", title, f"{title} (feedback)")]
    rows += [(one.student, one.student, one.points, told(one)) for one in results]
    return csv_text(rows)


def told(result: Result) -> str:
    """A student's feedback in one text: what was lost and why, and what was out of order."""
    state = [text] if (text := status_text(result)) else []
    lost = [f"{m.title} ({number(m.points)} of {number(m.of)}): {m.message}" for m in result.marks if m.message]
    waiting = ["Parts marked by hand are still open."] if result.pending else []
    return "\n".join([*state, *lost, *waiting, *(flag_text(flag) for flag in result.flags)]) or "All checks passed."


def write_all(results: Sequence[Result], title: str, out: Path) -> list[Path]:
    """All tables of an assignment, into a folder."""
    texts = {
        "grades.csv": grades(results),
        "canvas.csv": canvas(results, title),
        "moodle.csv": moodle(results, title),
        "by_hand.csv": to_mark(results),
    }
    for name, text in texts.items():
        write_text_whole(out / name, text)
    return [out / name for name in texts]
