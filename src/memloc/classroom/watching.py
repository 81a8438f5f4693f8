"""What the processes of a jail use, seen from outside of it: Linux' /proc alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a process and all its descendants use now."""

    memory_mb: float
    threads: int


def family(root: int) -> list[int]:
    """A process and its descendants; those that end meanwhile are left out."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                queue += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
        except (OSError, ValueError):
            continue
    return found


def usage(pids: list[int], limit_mb: float) -> Usage:
    """Memory and threads of processes.

    Pages that processes share count once where it matters: only when the sum of what each has in memory is beyond the
    limit does each one's proportional share get read, which takes milliseconds for a large process.
    """
    resident, threads = 0.0, 0
    for pid in pids:
        try:
            resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
            threads += len(os.listdir(f"/proc/{pid}/task"))
        except (OSError, ValueError, IndexError):
            continue
    if resident > limit_mb and len(pids) > 1:
        resident = min(resident, sum(proportional(pid) for pid in pids))
    return Usage(resident, threads)


def proportional(pid: int) -> float:
    """A process's share of memory in MB (PSS); all of it where that cannot be read."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 2**10
        return 0.0
    except (OSError, ValueError):
        try:
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
        except (OSError, ValueError, IndexError):
            return 0.0


def threads_of_user(uid: int) -> int:
    """How many threads a user runs on this machine: what the kernel may count against a limit of processes."""
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count
