"""One submission to marks: the originals' cells with the student's answers, in a jail; judged outside of it.

Hidden checks run here, in the grader, and only ask (``checks.py``). What is run is never the notebook that was handed
in but the teacher's, in which the cells for answers are exchanged: whatever a student did to the checks has no effect.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import cells_of
from memloc.classroom.checks import Ask, Check, Lost
from memloc.classroom.jail import Jail
from memloc.classroom.keeping import keep, kept
from memloc.classroom.originals import differences, parts, seen, to_run
from memloc.classroom.results import Mark, Result, Visible
from memloc.classroom.submissions import Submission
from memloc.errors import MemlocError

MESSAGE = 500


def grade(assignment: Assignment, submission: Submission, confine: bool = True) -> Result:
    """The marks of one submission.

    Args:
        confine: False runs it without namespaces: only for submissions one trusts as one's own code.

    Raises:
        MemlocError: if the machine cannot confine.
    """
    if submission.problem is not None:
        return without_run(assignment, submission)
    originals = cells_of(assignment.notebook)
    flags = [*submission.flags, *differences(originals, submission.cells, submission.student)]
    cells = to_run(originals, submission)
    variant = assignment.variant(submission.student)
    with Jail(assignment.files, assignment.limits, confine, [assignment.folder]) as jail:
        errors = jail.run([(cell.name, cell.source) for cell in cells])
        why = jail.why() if jail.stopped else ""
        marks, notes = [], []
        for check in assignment.checks:
            mark, note = judged(check, jail.ask, variant)
            marks.append(mark)
            notes += [note] if note else []
    flags += ["printed too much"] if jail.printed > assignment.limits.output_kb * 2**10 else []
    flags += ["forged lines"] if jail.forged else []
    visible, stops = seen(cells, errors, why, assignment.visible_points)
    return Result(
        student=submission.student,
        assignment=assignment.name,
        status="stopped" if jail.stopped else "graded",
        reason=jail.why() if jail.stopped else "",
        marks=tuple(marks),
        visible=visible,
        by_hand=parts(assignment, submission.cells),
        errors=stops,
        flags=tuple(flags),
        note="; ".join(notes),
        seconds=round(jail.seconds, 2),
        peak_mb=round(jail.peak_mb, 1),
        late=submission.late,
    )


def without_run(assignment: Assignment, submission: Submission, status: str | None = None, note: str = "") -> Result:
    """The result of what cannot be run: no points, and why."""
    reason = submission.problem or "it could not be graded; your teacher knows of it"
    return Result(
        student=submission.student,
        assignment=assignment.name,
        status=status or ("missing" if submission.missing else "refused"),
        reason=reason,
        marks=tuple(Mark(c.title, c.part, 0.0, c.points, f"Not asked: {reason}.") for c in assignment.checks),
        visible=tuple(
            Visible(cell.name, False, of=cell.points if assignment.visible_points else 0.0)
            for cell in cells_of(assignment.notebook)
            if cell.visible_check
        ),
        by_hand=parts(assignment, submission.cells),
        flags=submission.flags,
        note=note,
        late=submission.late,
    )


def judged(check: Check, ask: Ask, variant: Any) -> tuple[Mark, str]:
    """A check's mark, and what the teacher should know of it.

    A check that fails by itself usually met an answer that nobody thought of: it counts as lost, and the teacher is
    told with which error, because it may also be a mistake in the check.
    """
    message, share, note = "", 1.0, ""
    try:
        check.run(ask, variant)
    except Lost as lost:
        message, share = lost.message[:MESSAGE], min(max(float(lost.share), 0.0), 1.0)
    except (Exception, RecursionError) as error:
        message, share = "The answer is of another kind than was asked for.", 0.0
        note = f"check {check.title!r} failed with {type(error).__name__}: {str(error)[:MESSAGE]}"
    return Mark(check.title, check.part, round(check.points * share, 4), check.points, message), note


def grade_all(
    assignment: Assignment,
    submissions: Sequence[Submission],
    out: Path,
    workers: int = 2,
    confine: bool = True,
) -> list[Result]:
    """The results of all submissions, in their order; whatever happens to one, the others go on.

    Each is graded by a process of its own, which keeps the result in ``out/results/STUDENT.json``: a repeated call
    grades only what is new or changed (the submission, the assignment, its checks).

    Raises:
        MemlocError: if the machine cannot confine, or two submissions have the same id.
    """
    if workers < 1:
        raise MemlocError("workers", workers, "1 or more")
    ids = [one.student for one in submissions]
    if len(set(ids)) != len(ids):
        raise MemlocError("students", sorted({i for i in ids if ids.count(i) > 1}), "each id once")
    with Jail({}, assignment.limits, confine):
        pass  # a machine that cannot confine says so once, before anything is graded
    waiting = [one for one in submissions if kept(assignment, one, out) is None]
    done = len(submissions) - len(waiting)
    with tqdm(total=len(submissions), initial=done, unit="submission", leave=False) as bar:
        for one, code in _side_by_side(assignment, waiting, out, workers, confine):
            if kept(assignment, one, out, failed=True) is None:
                told = f"the grading process ended with {code} and no result"
                keep(assignment, one, out, without_run(assignment, one, "failed", told))
            bar.update()
    return [found for one in submissions if (found := kept(assignment, one, out, failed=True)) is not None]


def _side_by_side(
    assignment: Assignment, waiting: Sequence[Submission], out: Path, workers: int, confine: bool
) -> Iterator[tuple[Submission, int | None]]:
    """Grade in processes, ``workers`` at a time; yields each as it ends, with its exit code.

    Forked, so that nothing has to be sent to them; a process that is stuck is ended.
    """
    context, queue = multiprocessing.get_context("fork"), list(waiting)
    running: list[tuple[Any, Submission, float]] = []
    with contextlib.ExitStack() as stack:
        while queue or running:
            while queue and len(running) < workers:
                process = context.Process(target=grade_and_keep, args=(assignment, queue[0], out, confine))
                process.start()
                stack.callback(_end, process)
                running.append((process, queue.pop(0), time.monotonic() + patience(assignment)))
            multiprocessing.connection.wait([process.sentinel for process, _, _ in running], timeout=1.0)
            for entry in list(running):
                process, one, end = entry
                if not process.is_alive() or time.monotonic() > end:
                    _end(process)
                    running.remove(entry)
                    yield one, process.exitcode


def _end(process: Any) -> None:
    if process.is_alive():
        process.kill()
    process.join()


def patience(assignment: Assignment) -> float:
    """Seconds after which a grading process is taken as stuck: the submission's time, as much again, a minute."""
    return 2 * assignment.limits.seconds + 60


def grade_and_keep(assignment: Assignment, submission: Submission, out: Path, confine: bool) -> None:
    """Grade one submission in this process and keep its result, also if grading it fails."""
    try:
        result = grade(assignment, submission, confine)
    except Exception as error:
        note = f"{type(error).__name__}: {str(error)[:MESSAGE]}"
        result = without_run(assignment, submission, "failed", note)
    keep(assignment, submission, out, result)
