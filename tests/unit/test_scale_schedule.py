"""List scheduling on graphs whose answer is known, and its bounds on random ones."""

from __future__ import annotations

import numpy as np
import pytest

from memloc.errors import MemlocError
from memloc.scale.schedule import Job, schedule


def test_a_chain_takes_its_length_on_any_number_of_devices() -> None:
    jobs = [Job("a", 1), Job("b", 2, ("a",)), Job("c", 3, ("b",))]
    for k in (1, 2, 64):
        run = schedule(jobs, k)
        assert (run.makespan, run.longest, run.chain) == (6, 6, ("a", "b", "c"))
        assert run.efficiency == pytest.approx(1 / k)
    assert schedule(jobs, 2).starts == {"a": 0, "b": 1, "c": 3}


def test_independent_jobs_share_the_devices() -> None:
    jobs = [Job(str(n), 5) for n in range(12)]
    assert [schedule(jobs, k).makespan for k in (1, 4, 5, 12, 64)] == [60, 15, 15, 5, 5]
    assert schedule(jobs, 4).efficiency == 1
    assert schedule(jobs, 64).bound == 5


def test_the_longest_chain_goes_first() -> None:
    jobs = [Job("short", 1), Job("other", 1), Job("start", 1), Job("long", 9, ("start",))]
    run = schedule(jobs, 2)
    assert run.starts["start"] == 0
    assert run.makespan == run.bound == 10
    assert run.chain == ("start", "long")


def test_exercise_in_the_chapter() -> None:
    jobs = [*(Job(str(n), 1) for n in range(10)), Job("long", 4)]
    assert [schedule(jobs, k).makespan for k in (2, 3, 4, 11)] == [7, 5, 4, 4]
    assert [schedule([Job(str(n), 1) for n in range(14)], k).makespan for k in (2, 4, 11, 14)] == [7, 4, 2, 1]


def test_bounds_hold_and_order_is_kept_on_random_graphs() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        jobs = [
            Job(str(n), float(rng.integers(0, 9)), tuple({str(m) for m in rng.integers(0, n, size=2)} if n > 3 else ()))
            for n in range(25)
        ]
        ends = {job.name: job.seconds for job in jobs}
        for k in (1, 2, 5, 50):
            run = schedule(jobs, k)
            assert run.bound - 1e-9 <= run.makespan <= run.total / k + run.longest + 1e-9
            assert len(run.starts) == len(jobs)
            for job in jobs:
                assert all(run.starts[job.name] >= run.starts[need] + ends[need] for need in job.needs)
            moments = sorted(run.starts.values())
            at_work = [sum(s <= t < s + ends[name] for name, s in run.starts.items()) for t in moments]
            assert max(at_work, default=0) <= k
        assert schedule(jobs, 50).makespan == pytest.approx(schedule(jobs, 50).longest)
        assert schedule(jobs, 1).makespan == pytest.approx(sum(ends.values()))


def test_what_is_no_graph_of_jobs_is_refused() -> None:
    with pytest.raises(MemlocError, match="do not wait for one another"):
        schedule([Job("a", 1, ("b",)), Job("b", 1, ("a",))], 1)
    with pytest.raises(MemlocError, match="what job a needs"):
        schedule([Job("a", 1, ("x",))], 1)
    with pytest.raises(MemlocError, match="names of jobs"):
        schedule([Job("a", 1), Job("a", 2)], 1)
    with pytest.raises(MemlocError, match="seconds of job a"):
        schedule([Job("a", -1)], 1)
    with pytest.raises(MemlocError, match="devices"):
        schedule([], 0)
    assert schedule([], 3).makespan == 0
