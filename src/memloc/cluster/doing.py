"""What a job process does: the part of ``memloc run`` that its plan names, then its stamp."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from memloc.cluster.plan import Plan, lacks, read_plan, settle, stamp, stamp_of
from memloc.config import home
from memloc.errors import MemlocError
from memloc.running import run_cells, tell


def do(path: Path, name: str, threads: int | None = None, say: Callable[[str], None] = tell) -> bool:
    """Do one job of a plan.

    Args:
        path: the plan.
        name: the job.
        threads: of each cell.
        say: gets a line for each finished cell, and for each failed one the command that does it alone.

    Returns:
        Whether all its cells succeeded; only then it has its stamp.

    Raises:
        MemlocError: if the plan has no such job, or what was computed is not what was planned.
    """
    plan = read_plan(path)
    work, root = plan.work(name), home()
    stamp_of(root, name).unlink(missing_ok=True)
    experiment = plan.experiment(root)
    experiment.check()
    runs = run_cells(experiment, work.cells, work.stage, work.side, say, threads)
    failed = [run for run in runs if run.error]
    for run in failed:
        alone = f"--tasks {run.cell.task} --models {run.cell.model} --seeds {run.cell.seed}"
        say(f"failed: {run.cell}: {run.error}; alone: memloc run --profile {plan.profile.name} {alone}")
    if failed:
        return False
    if lacking := lacks(root, work):
        told = [f"{kind}/{key}" for kind, key in lacking]
        raise MemlocError(f"artefacts of job {name}", told, "those planned; plan anew, something changed since")
    stamp(root, name, work.makes)
    return True


def release_plan(path: Path, folder: Path, say: Callable[[str], None] = tell) -> bool:
    """Write the numbers of a plan's finished cells, naming those that are missing.

    Returns:
        Whether none is missing; only then the release has its stamp.
    """
    from memloc.released import read_release
    from memloc.releasing import release

    plan, root = read_plan(path), home()
    left = settle(root, plan)
    found = read_release(release(plan.experiment(root), folder))
    say(f"{folder}: profile {plan.profile.name}, {len(found.cells())} cells")
    for cell in found.missing:
        say(f"missing: {cell}")
    if left or found.missing:
        return False
    stamp(root, release_name(plan), [key for work in plan.works for key in work.makes])
    return True


def release_name(plan: Plan) -> str:
    """The name of the stamp of a plan's release."""
    return f"release.{plan.profile.name}.{plan.key}"
