"""The light path: what a book that is read, and not computed, shows of the default profile, made anew.

Chapters read it where ``MEMLOC_RELEASED`` is set. Whoever reads needs neither torch nor a store with models; whoever
makes it needs both.
"""

from __future__ import annotations

from pathlib import Path

from memloc.errors import MemlocError
from memloc.publishing import project_root

PROFILE = "mini"  # the default of every chapter


def release_all(results: Path | None = None, workers: int = 1) -> list[Path]:
    """Release all that readers are shown beside runs on real data: the default profile, the smallest benchmarks, the
    example of a model of one's own, what the shipped models say, and declarations.

    What the store lacks of them is computed first.

    Args:
        results: the folder of releases; by default the book's.
        workers: cells of the profile computed at a time.

    Returns:
        The folders that were written, and the file of what techniques declare.

    Raises:
        MemlocError: if a cell fails; then nothing of the profile is released.
    """
    from memloc import declared
    from memloc.pipeline import Experiment
    from memloc.planted import releasing as planted
    from memloc.profiles import load_profile
    from memloc.publishing import own_localiser  # noqa: F401 - registers what the reader enters
    from memloc.publishing.own_example import NAME, own_example, release_own_example
    from memloc.publishing.reading_planted import ENTRY, OWN, SMOKE, made_now
    from memloc.publishing.reading_pretraining import shipped_models
    from memloc.publishing.shipped_samples import NAME as SAID
    from memloc.publishing.shipped_samples import release_said
    from memloc.releasing import release
    from memloc.running import run_profile
    from memloc.store import Store

    results = results or project_root() / "results"
    experiment = Experiment(load_profile(PROFILE))
    for run in run_profile(experiment, workers):
        if run.error:
            raise MemlocError(f"{run.cell}", run.error, "a run without errors")
    return [
        declared.write(),
        release(experiment, results / PROFILE),
        planted.release(made_now(), results / SMOKE),
        planted.release(made_now((OWN,)), results / ENTRY),
        release_own_example(own_example(Store()), results / NAME),
        release_said(shipped_models(), results / SAID),
    ]
