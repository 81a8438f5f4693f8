"""Execute chapters in parallel, each only if something it depends on has changed."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memloc import provenance
from memloc.disk import Disk, Lock
from memloc.errors import MemlocError, unknown_name
from memloc.publishing import atlas, chapters, project_root, status
from memloc.publishing.execution import Job, Outcome, cells_done, execute, limit_threads
from memloc.publishing.exercises import check_way
from memloc.publishing.parameters import command, read_assignments
from memloc.publishing.studies import check_choice, leaves_out, reads_released, recomputes

THREADS = 1  # a chapter, as `memloc run`: the last bits of what it trains itself depend on their number
HEARTBEAT = 20.0  # seconds between two reports on chapters at work


@dataclass(frozen=True)
class ChapterRun:
    """What became of one chapter.

    Attributes:
        name: the source's file name without its ending.
        state: ``executed``, ``current`` (nothing it depends on has changed) or ``failed``.
        seconds: wall time of the execution that made the notebook, or that failed.
        error: for a failed one, its cell and the last lines of the traceback.
    """

    name: str
    state: str
    seconds: float
    error: str = ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def execute_chapters(
    profile: str,
    parameters: Mapping[str, Any] | None = None,
    out: Path | None = None,
    workers: int = 2,
    *,
    names: Iterable[str] | None = None,
    sources: Path | None = None,
    force: bool = False,
    solutions: str = "fold",
    assigned: Sequence[str] = (),
    say: Callable[[str], None] = _say,
) -> list[ChapterRun]:
    """Bring the executed chapters and the pages of the atlas up to date and renew the status page.

    Args:
        profile: handed to each chapter that declares ``profile``.
        parameters: further parameters; each chapter gets those it declares.
        out: folder for notebooks and records of chapters; default ``book/chapters`` of the project. The atlas lies
            beside it.
        workers: chapters at work at a time; the cores are divided among them.
        names: only these chapters and pages; default all.
        sources: folder of the sources; default ``notebooks/chapters`` of the project. Templates lie beside it.
        force: execute current chapters too.
        solutions: of exercises: ``fold``, ``show`` or ``withhold``.
        assigned: more parameters as ``name=value``, each read as the kind of its declared default.
        say: receives progress, a line at a time.

    Returns:
        One entry a chapter, in reading order. A failed chapter does not stop the others: look at ``state``. The page
        that an earlier run made of it stays, with the record of what that was.

    Raises:
        MemlocError: before anything is executed, for an unknown chapter, parameter, task, model or way to treat
            solutions, a number of workers below 1, or where another execution of this book is at work.
    """
    check_way(solutions)
    if workers < 1:
        raise MemlocError("workers", workers, "a positive number")
    root = project_root(sources)
    out = (out or root / "book" / "chapters").resolve()
    sources = (sources or root / "notebooks" / "chapters").resolve()
    every = [*chapters.find_chapters(sources), *atlas.find_pages(sources.parent / atlas.TEMPLATES)]
    found = _named(every, names)
    given = {**(parameters or {}), **read_assignments(assigned, found), "profile": profile}
    chapters.check_parameters(found, {name: value for name, value in given.items() if name != "profile"})
    check_choice(profile, given)
    out.mkdir(parents=True, exist_ok=True)

    # chapters show released runs and the assignments too
    package = chapters.package_digest(root / "results", root / "notebooks" / "assignments")
    left_out = unfinished(profile) if leaves_out() or reads_released() else []
    package += "".join(f"\0{cell}" for cell in left_out)  # once they are finished, pages are made again
    package += "\0released" * reads_released() + "\0recomputed" * recomputes()
    keys = {chapter.name: chapters.chapter_key(chapter, given, package, solutions) for chapter in found}
    runs: dict[str, ChapterRun] = {}
    todo: list[Job] = []
    for chapter in found:
        place = out if chapter.folder == chapters.CHAPTERS else out.parent / chapter.folder
        record = chapters.read_record(place, chapter.name)
        if record and not force and record["key"] == keys[chapter.name]:
            runs[chapter.name] = ChapterRun(chapter.name, "current", record["seconds"])
            say(f"{chapter.name}: current")
        else:
            if not record:  # nobody could say what made a notebook that lies there
                (place / f"{chapter.name}.ipynb").unlink(missing_ok=True)
            place.mkdir(parents=True, exist_ok=True)
            again = command(chapter, given, solutions)
            accepted = chapter.accepted(given)
            free = tuple(name for name in chapter.declared if name in chapter.free - {"profile"})
            todo.append(Job(chapter.name, chapter.path, accepted, place, root, solutions, chapter.words, again, free))
    with _alone(out.parent):
        for job, outcome in _in_parallel(todo, workers, say):
            if not outcome.error:
                _record(job, outcome, profile, keys[job.name])
            state = "failed" if outcome.error else "executed"
            runs[job.name] = ChapterRun(job.name, state, outcome.seconds, outcome.error)
    status.write_status(out, [status.seen_from(chapter.folder, chapter.name) for chapter in every], left_out)
    return [runs[chapter.name] for chapter in found]


@contextlib.contextmanager
def _alone(book: Path) -> Iterator[None]:
    """One execution of a book at a time: two would write the same notebooks.

    Raises:
        MemlocError: if another is at work.
    """
    with Lock(book / ".execute.lock", Disk()).if_free() as free:
        if not free:
            raise MemlocError("book", str(book), "one `memloc book execute` at a time; another one is at work on it")
        yield


def unfinished(profile: str) -> list[str]:
    """The cells of a profile that the store, or its release where that is read, has not got whole."""
    from memloc.publishing.reading import open_study

    return [str(cell) for cell in open_study(profile).missing]


def _named(every: list[chapters.Chapter], names: Iterable[str] | None) -> list[chapters.Chapter]:
    """The chapters and pages of these names, in reading order."""
    known = {chapter.name: chapter for chapter in every}
    wanted = list(known if names is None else names)
    for name in wanted:
        if name not in known:
            raise unknown_name("chapter", name, known)
    return [chapter for chapter in every if chapter.name in wanted]


def _in_parallel(jobs: list[Job], workers: int, say: Callable[[str], None]) -> Iterable[tuple[Job, Outcome]]:
    """Execute the jobs in processes, yielding each with its outcome as it ends, and report on those at work."""
    if not jobs:
        return
    workers = min(workers, len(jobs))
    # spawn: a fork of a process that has loaded torch or started threads may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=limit_threads, initargs=(THREADS,)) as pool:
        waiting: dict[Future[Outcome], Job] = {pool.submit(execute, job): job for job in jobs}
        began = reported = time.monotonic()
        try:
            while waiting:
                done, _ = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in done:
                    job = waiting.pop(future)
                    outcome = _outcome(future, job, began)
                    say(_line(outcome, len(jobs) - len(waiting), len(jobs)))
                    if outcome.error and job.target.exists():
                        say(f"{job.name}: the page of the run before stays as it was")
                    yield job, outcome
                if waiting and time.monotonic() - reported > HEARTBEAT:
                    reported = time.monotonic()
                    at_work = [f"{job.name} ({far})" for job in waiting.values() if (far := cells_done(job))]
                    say(f"after {reported - began:.0f} s, at work: {', '.join(at_work) or 'starting'}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _outcome(future: Future[Outcome], job: Job, began: float) -> Outcome:
    """The outcome of an ended future, also where its process was killed."""
    try:
        return future.result()
    except BrokenProcessPool:
        job.partial.unlink(missing_ok=True)
        return Outcome(job.name, time.monotonic() - began, "its process was killed (out of memory?)")


def _line(outcome: Outcome, ended: int, total: int) -> str:
    """One line of progress; for a failure, followed by what went wrong."""
    if outcome.error:
        return f"[{ended}/{total}] {outcome.name}: FAILED after {outcome.seconds:.0f} s in {outcome.error}"
    return f"[{ended}/{total}] {outcome.name}: executed in {outcome.seconds:.0f} s"


def _record(job: Job, outcome: Outcome, profile: str, key: str) -> None:
    """Write the record beside the notebook; it is written last and so marks the chapter as complete."""
    claims = provenance._git("log", "-1", "--format=%h", "--", "claims")
    record = {
        "name": job.name,
        "key": key,
        "notebook_sha256": chapters.file_hash(job.target),
        "profile": profile if "profile" in job.parameters else None,
        "parameters": job.parameters,
        "data": sorted(path.name for path in job.data.glob("[!.]*")),
        "device": status.describe_device(str(job.parameters.get("device", "auto"))),
        "seconds": round(outcome.seconds, 1),
        "executed": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": provenance.versions(),
        "git": provenance.commit(),
        "claims_commit": claims or None,
    }
    text = json.dumps(record, indent=1, sort_keys=True, default=str) + "\n"
    chapters.write_text_whole(chapters.record_path(job.out, job.name), text)
