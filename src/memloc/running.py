"""Run all cells of a profile, several at a time, and go on when one of them fails."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile
from memloc.store import Store

STAGES = {"all": "run_cell", "train": "train_cell", "analyse": "analyse_cell"}  # parts of a cell's work


@dataclass(frozen=True)
class CellRun:
    """What became of one cell: seconds it took here, and the error if it failed.

    Attributes:
        cell: a `CellId`, or whatever a job is about.
    """

    cell: Any
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Job:
    """Something to do for one cell.

    Attributes:
        cell: what is told of it; hashable.
        work: fills the store. Pickled for a process of its own: a function of a module, or a ``partial`` of one.
    """

    cell: Any
    work: Callable[[], None]


@dataclass(frozen=True)
class _Started:
    job: Job
    threads: int
    quiet: bool


def tell(line: str) -> None:
    """Print at once, also where the output goes to a file: long runs are watched."""
    print(line, flush=True)


def run_profile(
    experiment: Experiment, workers: int = 1, say: Callable[[str], None] = tell, threads: int | None = None
) -> list[CellRun]:
    """Fill the store with everything the profile asks for.

    Cells are independent processes when ``workers`` is above 1. Each has one thread unless more are asked for: sums of
    floating-point numbers, and so the last bits of weights, depend on the number of threads, and one is the number that
    every machine has. (Two processes with two threads each on two cores also wait for one another most of the time.)

    Args:
        experiment: the profile on this machine.
        workers: cells at a time.
        say: gets one line for each finished cell, with the time left as the finished ones suggest.
        threads: of each process; by default ``OMP_NUM_THREADS``, or else 1.

    Returns:
        One record per cell, in the order of the profile. A failed cell does not stop the others.
    """
    ready(experiment)
    return run_cells(experiment, experiment.cells(), workers=workers, say=say, threads=threads)


def run_cells(
    experiment: Experiment,
    cells: Sequence[CellId],
    stage: str = "all",
    workers: int = 1,
    say: Callable[[str], None] = tell,
    threads: int | None = None,
) -> list[CellRun]:
    """Fill the store with what the profile asks of these cells; other arguments and result as of `run_profile`.

    Args:
        stage: a name of ``STAGES``.
    """
    jobs = [Job(cell, partial(_fill, remade(experiment), stage, cell)) for cell in cells]
    return run_jobs(jobs, workers, say, threads)


def ready(experiment: Experiment) -> None:
    """Find out at once, and not once a cell, what would stop every one."""
    experiment.check()  # a device that is not there is told once, not once a cell
    for task in experiment.tasks():
        experiment.dataset(task)  # bad data are told before anything is trained


def remade(experiment: Experiment) -> Callable[[], Experiment]:
    """Makes the same experiment in another process, where nothing is read or checked yet."""
    return partial(_experiment, experiment.profile, experiment.store.root, experiment.device, experiment.data_dir)


def _experiment(profile: Profile, home: Path, device: str, data_dir: Path | None) -> Experiment:
    return Experiment(profile, Store(home), device, data_dir)


def _fill(remake: Callable[[], Experiment], stage: str, cell: CellId) -> None:
    getattr(remake(), STAGES[stage])(cell)


def run_jobs(
    jobs: Sequence[Job], workers: int = 1, say: Callable[[str], None] = tell, threads: int | None = None
) -> list[CellRun]:
    """Do all jobs; arguments and result as of `run_profile`."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = threads or (int(asked) if asked.isdigit() else 1) or 1
    started = [_Started(job, threads, workers > 1) for job in jobs]
    began, done = time.monotonic(), {}
    for run in _in_turn(started) if workers <= 1 else _side_by_side(started, workers):
        done[run.cell] = run
        left = (time.monotonic() - began) / len(done) * (len(jobs) - len(done))
        state = f"failed: {run.error}" if run.error else f"{run.seconds:.1f} s"
        say(f"[{len(done)}/{len(jobs)}] {run.cell}: {state}; about {_span(left)} left")
    return [done[job.cell] for job in jobs]


def _in_turn(jobs: list[_Started]) -> Iterator[CellRun]:
    for job in jobs:
        yield _run(job)


def _side_by_side(jobs: list[_Started], workers: int) -> Iterator[CellRun]:
    # spawn: a forked child inherits locked thread pools of torch
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {pool.submit(_run, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield CellRun(futures[future].job.cell, 0.0, "its process was killed (out of memory?)")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(started: _Started) -> CellRun:
    import torch

    if started.quiet:
        os.environ["TQDM_DISABLE"] = "1"  # bars of several processes would overwrite each other
    torch.set_num_threads(started.threads)
    cell, began = started.job.cell, time.monotonic()
    try:
        started.job.work()
    except MemlocError as error:
        return CellRun(cell, time.monotonic() - began, str(error))
    except Exception as error:  # whatever a technique or torch may raise: the other cells go on
        logging.getLogger(__name__).exception("cell %s failed", cell)
        return CellRun(cell, time.monotonic() - began, f"{type(error).__name__}: {error}")
    return CellRun(cell, time.monotonic() - began)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
