"""The plan of a jail: which parts of this machine it shows, its limits, its environment."""

from __future__ import annotations

import base64
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from memloc.classroom import inside, syscalls, watching
from memloc.classroom.assignment import Limits
from memloc.classroom.walls import NOBODY
from memloc.errors import MemlocError

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
INSIDE = "/grader/inside.py"
WORK = "/box/desk"


def plan(
    folder: Path, limits: Limits, confine: bool, hidden: Iterable[Path], descriptors: tuple[int, int]
) -> dict[str, Any]:
    """All that the first process of a jail needs to know.

    Args:
        folder: of this jail alone; holds ``files`` and ``root``, and ``work`` if there is no confinement.
        limits: what the submission may use.
        confine: with namespaces; otherwise limits alone.
        hidden: places that must not be seen even where they lie within a place that is.
        descriptors: where questions come from and answers go.
    """
    work = WORK if confine else str(folder / "work")
    script = INSIDE if confine else str(Path(inside.__file__).resolve())
    handed = sum(path.stat().st_size for path in (folder / "files").iterdir())
    interpreter = os.path.realpath(sys.executable)
    told: dict[str, Any] = {
        "confine": confine,
        "root": str(folder / "root"),
        "files": str(folder / "files"),
        "work": work,
        "box_bytes": (limits.file_mb + 1) * 2**20 + handed,
        "limits": kernel_limits(limits),
        "descriptors": list(descriptors),
        "interpreter": interpreter,
        # the name under which an interpreter is called tells it the environment it belongs to
        "argv": [sys.executable, script, *map(str, descriptors)],
        "environment": environment(work),
        "filter": base64.b64encode(syscalls.program()).decode(),
    }
    if confine:
        machine = platform.machine()
        if machine not in PIVOT_ROOT:
            raise MemlocError("confining a submission on", machine, f"one of {', '.join(PIVOT_ROOT)}")
        own = Path(__file__).resolve().parents[1]
        told["pivot_root"] = PIVOT_ROOT[machine]
        told["binds"], told["links"] = shown(interpreter)
        told["texts"] = [
            (INSIDE, Path(inside.__file__).read_text(encoding="utf-8")),
            ("/etc/passwd", f"student:x:{NOBODY if os.getuid() == 0 else os.getuid()}:0:student:{WORK}:/bin/sh\n"),
        ]
        told["hidden"] = [str(path) for path in (own, *hidden)]
    return told


def shown(interpreter: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What is mounted where (read-only), and symbolic links: the system's libraries, Python, nothing of a home."""
    binds, links = [], [("/dev/shm", "/tmp"), ("/dev/fd", "/proc/self/fd")]
    for path in SYSTEM:
        if os.path.islink(path):
            links.append((path, os.readlink(path)))
        elif os.path.isdir(path):
            binds.append((path, path))
    python = [sys.base_prefix, os.path.realpath(sys.base_prefix), str(Path(interpreter).parents[1]), sys.prefix]
    for place in dict.fromkeys(python):
        if place == "/" or place == os.path.expanduser("~"):
            raise MemlocError("Python's folder", place, "a folder of its own, because a jail shows it to submissions")
        if not any(place == known or place.startswith(known + "/") for known, _ in binds):
            binds.append((place, place))
    binds += [(path, path) for path in (*FILES, *DEVICES) if os.path.exists(path)]
    return [(os.path.realpath(source), target) for source, target in binds], links


def kernel_limits(limits: Limits) -> dict[str, int]:
    """Limits of each process, by the names of ``resource``.

    Those on memory stand behind the watching of all processes together: a process that asks for too much at once is
    told no. Address space is more than memory, because libraries reserve what they never use.
    """
    uid = NOBODY if os.getuid() == 0 else os.getuid()
    return {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.seconds) + 10,
        "RLIMIT_DATA": (limits.memory_mb + 256) * 2**20,
        "RLIMIT_AS": (4 * limits.memory_mb + 16384) * 2**20,
        "RLIMIT_FSIZE": limits.file_mb * 2**20,
        "RLIMIT_NOFILE": 128,
        "RLIMIT_NPROC": limits.processes + watching.threads_of_user(uid),
    }


def environment(work: str) -> dict[str, str]:
    """A clean environment: nothing of the grader's own, such as keys."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    places = dict.fromkeys(("HOME", "MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME"), work)
    return {
        **threads,
        **places,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "TZ": "UTC",
    }
