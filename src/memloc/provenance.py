"""What varies from run to run: seconds, memory, host, versions, commit. Never part of a key or a manifest."""

from __future__ import annotations

import datetime
import functools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("memloc", "torch", "transformers", "datasets", "numpy", "pandas")


def _git(*arguments: str) -> str | None:
    # GIT_DIR and the like point elsewhere inside a hook; optional locks would disturb a person at work in the clone
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@functools.cache
def commit() -> dict[str, Any]:
    """The git commit of this package's code and whether the code differs from it; nothing outside a clone.

    Asked once a process: the code that runs is the code that was there when it was imported.
    """
    # a package installed below somebody else's repository must not take that repository's commit for its own
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "--", ".")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


@functools.cache
def versions() -> dict[str, str | None]:
    """Installed versions of the packages that results depend on; ``None`` where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def peak_memory() -> int:
    """The most memory this process or one of its ended children has held so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def threads() -> int:
    """Threads that computations use: torch's number where torch is loaded, else what the environment allows."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else os.cpu_count() or 1


class Stopwatch:
    """Starts when made; ``record`` tells what happened since."""

    def __init__(self) -> None:
        self._began = datetime.datetime.now(datetime.UTC)
        self._seconds = time.perf_counter()

    def record(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The sidecar of an artefact: the caller's values (such as ``device``) over ours, as JSON data.

        Whatever the caller noted becomes JSON somehow: a note must not cost the artefact it is about.
        """
        noted = {
            "started": self._began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._seconds, 3),
            "peak_memory_bytes": peak_memory(),
            "host": platform.node(),
            "platform": platform.platform(),
            "threads": threads(),
            "versions": versions(),
            "git": commit(),
            **(extra or {}),
        }
        return dict(json.loads(json.dumps(noted, default=str, skipkeys=True), parse_constant=str))
