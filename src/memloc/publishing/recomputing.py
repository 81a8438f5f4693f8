"""Released runs made afresh, for whoever would rather see than believe: the same profile, from data and models.

A page asks for a released run and gets its tables, computed here, from a folder of the home. What the store has of it
is not computed again: ``MEMLOC_HOME`` on an empty folder begins from nothing.
"""

from __future__ import annotations

import functools
from pathlib import Path

from memloc.config import home
from memloc.errors import MemlocError
from memloc.released import read_release

FOLDER = "recomputed"  # of the home


@functools.cache
def made_afresh(folder: Path) -> Path:
    """Compute a released run again, with the settings of its manifest, and write the same tables of it.

    Cost: that of ``memloc run`` for its profile, which may be hours; cells that the store has cost nothing.

    Args:
        folder: of the release.

    Returns:
        The folder of the new tables.

    Raises:
        MemlocError: if a cell fails, or its data or model cannot be had; what was finished stays in the store.
    """
    from memloc.pipeline import Experiment
    from memloc.releasing import release
    from memloc.running import run_profile

    experiment = Experiment(read_release(folder).profile)
    for run in run_profile(experiment, say=lambda _: None):
        if run.error:
            raise MemlocError(f"{run.cell} of {folder.name}, computed afresh", run.error, "a run without errors")
    return release(experiment, home() / FOLDER / folder.name)
