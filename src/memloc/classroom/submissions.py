"""Who handed in what: every student's newest notebook that fits, or why there is none. Nothing here stops the rest.

Places that are looked into, of a folder or of one archive of everybody's (a bulk download)::

    STUDENT/ASSIGNMENT/NAME.ipynb     nbgrader's; a timestamp.txt beside it tells when
    STUDENT/NAME.ipynb                also in deeper folders
    STUDENT.ipynb, STUDENT_NAME.ipynb
    STUDENT.zip, STUDENT_NAME.zip, STUDENT/NAME.zip
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import re
import zoneinfo
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from memloc.classroom.archives import Found, files
from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import Cell, cells_of, read
from memloc.errors import MemlocError

CANDIDATES = 20  # notebooks of one student that are looked at
ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")
ID_RULE = "1 to 64 letters, digits and . _ - @, not only dots"


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Attributes:
        student: an id that can be a file's name.
        cells: of the notebook; empty if there is a problem.
        problem: why nothing can be graded, in words for the student.
        missing: nothing was handed in at all.
        file: where it was found.
    """

    student: str
    cells: tuple[Cell, ...] = ()
    flags: tuple[str, ...] = ()
    problem: str | None = None
    missing: bool = False
    late: bool = False
    file: str = ""
    sha256: str = ""


def valid_id(text: str) -> bool:
    """Whether an id can be a file's name as it is."""
    return ID.fullmatch(text) is not None and bool(text.strip("."))


def read_roster(path: Path) -> list[str]:
    """Ids from a CSV: its column ``student`` or ``id``, or the first one of a table without a head.

    Raises:
        MemlocError: if it cannot be read, or holds an id that cannot be a file's name.
    """
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MemlocError("roster", str(path), "a CSV file in UTF-8 with a column student") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    named = next((head.index(name) for name in ("student", "id") if name in head), None)
    ids = [row[named or 0].strip() for row in rows[named is not None :] if len(row) > (named or 0)]
    for one in ids:
        if not valid_id(one):
            raise MemlocError("student in the roster", one, ID_RULE)
    return list(dict.fromkeys(ids))


def find(
    folder: Path, roster: Sequence[str] | None, assignment: Assignment, due: datetime.datetime | None = None
) -> list[Submission]:
    """Every student's submission, by id; of a roster also those who handed in nothing.

    Args:
        roster: ids; None if whoever handed in is a student. It tells ``ada_l_final.ipynb`` of ``ada_l`` from that of
            ``ada``; without one an id ends before ``_ASSIGNMENT`` in a file's name, or else at the first ``_``.
        due: what comes later is flagged; a time without zone is this machine's.
    """
    limit = int(assignment.limits.notebook_mb * 2**20)
    only = folder.is_dir() and len(list(folder.iterdir())) == 1

    def of_all(name: str) -> bool:
        stem = name.rsplit(".", 1)[0]
        return _in_roster(stem, roster) is None if roster is not None else only

    found: dict[str, list[Found]] = defaultdict(list)
    for one in files(folder, limit, of_all):
        found[_student(one.parts, roster, assignment.name)].append(one)
    submissions, nameless = [], 0
    for name in sorted(found):
        if roster is not None and name not in roster and not any(_hands_in(one) for one in found[name]):
            continue  # a list, a note: nobody's submission
        if not valid_id(name):
            nameless += 1
            problem = f"{name[:80]!r} cannot be an id: {ID_RULE}"
            submissions.append(Submission(f"nameless-{nameless}", problem=problem, file="/".join(found[name][0].parts)))
        else:
            strange = ("not in the roster",) if roster is not None and name not in roster else ()
            submissions.append(_choose(name, found[name], assignment, due, strange))
    missing = [one for one in roster or () if one not in found]
    submissions += [Submission(one, problem="nothing was handed in", missing=True) for one in missing]
    return sorted(submissions, key=lambda one: one.student)


def _hands_in(one: Found) -> bool:
    return bool(one.refused) or len(one.parts) > 1 or one.name.lower().endswith(".ipynb")


def _in_roster(text: str, roster: Sequence[str]) -> str | None:
    """The student whose id a name is or starts with; of several the longest."""
    fitting = [one for one in roster if text == one or text.startswith(one + "_")]
    return max(fitting, key=len) if fitting else None


def _student(parts: tuple[str, ...], roster: Sequence[str] | None, assignment: str) -> str:
    """Whose a file is, by the first part of its place."""
    first = parts[0]
    if len(parts) == 1 or first.lower().endswith(".zip"):
        first = first.rsplit(".", 1)[0] or first
        if roster is None:
            cut = first.removesuffix(f"_{assignment}")
            return cut if cut != first else first.split("_", 1)[0]
    return (_in_roster(first, roster) if roster is not None else None) or first


def _choose(
    student: str, found: Sequence[Found], assignment: Assignment, due: datetime.datetime | None, flags: tuple[str, ...]
) -> Submission:
    """The newest notebook that fits."""
    named = [one for one in found if assignment.name in one.parts[1:-1]]
    notebooks = [one for one in named or found if not one.refused and one.name.lower().endswith(".ipynb")]
    refused = tuple(dict.fromkeys(f"refused: {one.refused}" for one in found if one.refused))
    fitting, problems = [], [one.refused for one in found if one.refused]
    for one in sorted(notebooks, key=lambda one: (one.when, one.parts), reverse=True)[:CANDIDATES]:
        try:
            content = one.read()
            cells = read(content)
        except MemlocError as error:
            problems.append(f"{error.value} instead of {error.accepted}")
            continue
        if _fits(cells, assignment):
            fitting.append((one, cells, content))
        else:
            problems.append("a notebook of something else than this assignment")
    if not fitting:
        return Submission(student, flags=flags, problem=(problems or ["no notebook among what was handed in"])[0])
    one, cells, content = fitting[0]
    flags += ("several notebooks",) if len(notebooks) > 1 else ()
    flags += ("renamed",) if len(one.parts) > 1 and one.name != f"{assignment.name}.ipynb" else ()
    late = due is not None and _when(one, found) > due.timestamp()
    flags += (("late",) if late else ()) + refused
    digest = hashlib.sha256(content).hexdigest()
    return Submission(student, tuple(cells), flags, late=late, file="/".join(one.parts), sha256=digest)


def _fits(cells: Sequence[Cell], assignment: Assignment) -> bool:
    """Whether at least half of the assignment's named cells are there: others are another assignment's."""
    wanted = {cell.name for cell in cells_of(assignment.notebook) if cell.name}
    return 2 * len(wanted & {cell.name for cell in cells}) >= len(wanted)


def _when(one: Found, found: Sequence[Found]) -> float:
    """When a notebook was handed in: by the ``timestamp.txt`` beside it, or by the file's own time."""
    for other in found:
        if other.name == "timestamp.txt" and other.parts[:-1] == one.parts[:-1] and not other.refused:
            try:
                return parse_time(other.read().decode("utf-8").strip()).timestamp()
            except (MemlocError, UnicodeDecodeError):
                continue
    return one.when


def parse_time(text: str) -> datetime.datetime:
    """A time as people and nbgrader write it: ISO, with an offset, the name of a zone (``UTC``, ``Europe/Zurich``) or
    neither (this machine's zone).

    Raises:
        MemlocError: if it is no time.
    """
    accepted = "a time such as 2026-05-31T18:00 or 2026-05-31 18:00 Europe/Zurich"
    body, _, zone = text.rpartition(" ")
    try:
        if body and zone[:1].isalpha():
            return datetime.datetime.fromisoformat(body).replace(tzinfo=zoneinfo.ZoneInfo(zone))
        return datetime.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise MemlocError("time", text[:80], accepted) from error
