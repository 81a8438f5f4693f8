"""A graph of jobs on k equal devices, by list scheduling: how long it takes and what it waits for.

A device that is free takes the ready job with the longest chain of jobs behind it (its own time and that of the longest
path through the jobs that need it). No order of jobs takes less than the longest chain, nor less than all seconds
divided by k; list scheduling never takes more than the two together.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from memloc.errors import MemlocError


@dataclass(frozen=True)
class Job:
    """One job: a unique name, its seconds, and the names of the jobs that come first."""

    name: str
    seconds: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """How jobs ran.

    Attributes:
        devices: k.
        makespan: seconds from the start to the end of the last job.
        total: seconds of all jobs together.
        chain: names along the longest chain, first to last.
        longest: its seconds.
        starts: when each job began.
    """

    devices: int
    makespan: float
    total: float
    chain: tuple[str, ...]
    longest: float
    starts: dict[str, float]

    @property
    def bound(self) -> float:
        """Seconds below which no order of these jobs can get."""
        return max(self.longest, self.total / self.devices)

    @property
    def efficiency(self) -> float:
        """The share of the devices' time in which they work."""
        return self.total / (self.devices * self.makespan) if self.makespan else 1.0


def schedule(jobs: Sequence[Job], devices: int) -> Schedule:
    """Run jobs on so many devices.

    Raises:
        MemlocError: for no device, a negative time, a name that is there twice or not at all, or jobs that wait for
            one another.
    """
    if devices < 1:
        raise MemlocError("devices", devices, "1 or more")
    by_name = _checked(jobs)
    order = _order(jobs, by_name)
    behind = _behind(order, by_name)
    waits = {job.name: len(set(job.needs)) for job in jobs}
    followers = _followers(jobs)
    place = {job.name: number for number, job in enumerate(jobs)}  # of two alike the first
    ready = [(-behind[name], place[name], name) for name, missing in waits.items() if not missing]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    starts: dict[str, float] = {}
    now = 0.0
    while ready or running:
        while ready and len(running) < devices:
            _, number, name = heapq.heappop(ready)
            starts[name] = now
            heapq.heappush(running, (now + by_name[name].seconds, number, name))
        now = running[0][0]
        while running and running[0][0] == now:  # all that end together, before anything is chosen
            _, _, ended = heapq.heappop(running)
            for name in followers[ended]:
                waits[name] -= 1
                if not waits[name]:
                    heapq.heappush(ready, (-behind[name], place[name], name))
    total = sum(job.seconds for job in jobs)
    chain = _chain(by_name, followers, behind)
    return Schedule(devices, now, total, chain, behind[chain[0]] if chain else 0.0, starts)


def _checked(jobs: Sequence[Job]) -> dict[str, Job]:
    by_name = {job.name: job for job in jobs}
    if len(by_name) < len(jobs):
        raise MemlocError("names of jobs", len(jobs) - len(by_name), "unique ones; so many are there twice")
    for job in jobs:
        if not job.seconds >= 0:
            raise MemlocError(f"seconds of job {job.name}", job.seconds, "0 or more")
        for name in job.needs:
            if name not in by_name:
                raise MemlocError(f"what job {job.name} needs", name, "the name of a job")
    return by_name


def _followers(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The jobs that need each job."""
    found: dict[str, list[str]] = {job.name: [] for job in jobs}
    for job in jobs:
        for name in set(job.needs):
            found[name].append(job.name)
    return found


def _order(jobs: Sequence[Job], by_name: dict[str, Job]) -> list[str]:
    """Names with each after those it needs."""
    waits, followers = {job.name: len(set(job.needs)) for job in jobs}, _followers(jobs)
    free = [name for name, missing in waits.items() if not missing]
    for name in free:  # grows while it is read
        for follower in followers[name]:
            waits[follower] -= 1
            if not waits[follower]:
                free.append(follower)
    if len(free) < len(by_name):
        raise MemlocError("jobs", sorted(set(by_name) - set(free))[:3], "jobs that do not wait for one another")
    return free


def _behind(order: Sequence[str], by_name: dict[str, Job]) -> dict[str, float]:
    """Seconds of each job and of the longest path behind it."""
    behind = {name: by_name[name].seconds for name in order}
    for name in reversed(order):
        for needed in by_name[name].needs:
            behind[needed] = max(behind[needed], by_name[needed].seconds + behind[name])
    return behind


def _chain(by_name: dict[str, Job], followers: dict[str, list[str]], behind: dict[str, float]) -> tuple[str, ...]:
    """The longest path, first to last."""
    starts = [name for name, job in by_name.items() if not job.needs]
    found: list[str] = []
    while starts:
        found.append(max(starts, key=lambda name: behind[name]))
        starts = followers[found[-1]]
    return tuple(found)
