"""``memloc benchmark``: plant, ask every localiser, print the leaderboard."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from memloc.options import experiment_of, with_profile

if TYPE_CHECKING:
    from memloc.planted.experiment import Plantings
    from memloc.planted.results import Results

PREFIX = "planted-"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line."""
    told = "who finds what was planted: wrong labels in known places, every localiser, a leaderboard"
    parser = with_profile(commands.add_parser("benchmark", help=told), "smoke", "smoke, small")
    parser.set_defaults(run=run)
    parser.add_argument("--workers", type=int, default=1, help="planted cells at a time (default: 1)")
    parser.add_argument("--threads", type=int, help="of each cell (default: OMP_NUM_THREADS, or 1)")
    parser.add_argument("--estimate", action="store_true", help="hours and gigabytes left, from what is finished")
    parser.add_argument("--release", type=Path, metavar="FOLDER", help="write the numbers of what is finished there")
    parser.add_argument("--keep", action="store_true", help="with --release: keep its cells that the store has less of")
    parser.add_argument("--finished", action="store_true", help="compute nothing: show, or release, what is finished")
    parser.add_argument("--verify", type=Path, metavar="FOLDER", help="check a released benchmark; needs no store")


def run(arguments: argparse.Namespace) -> int:
    """Run it; 1 if something failed."""
    if arguments.verify:
        return _verify(arguments.verify)
    from memloc.planted.experiment import Plantings
    from memloc.planted.results import results
    from memloc.planted.running import run_benchmark

    arguments.profile = named(arguments.profile)
    plantings = Plantings(experiment_of(arguments))
    if arguments.estimate:
        return _estimate(plantings)
    runs = [] if arguments.finished else run_benchmark(plantings, arguments.workers, threads=arguments.threads)
    failed = [run for run in runs if run.error]
    _show(results(plantings))
    if arguments.release:
        from memloc.planted.releasing import release

        _verify(release(plantings, arguments.release, arguments.keep))
    return 1 if failed else 0


def named(profile: str) -> str:
    """The profile that is meant: ``smoke`` and ``small`` are the benchmark's own, other names and files themselves."""
    from memloc.profiles import profile_names

    return f"{PREFIX}{profile}" if f"{PREFIX}{profile}" in profile_names() else profile


def _estimate(plantings: Plantings) -> int:
    from memloc.planted.estimating import left

    found = left(plantings)
    print(
        f"profile {plantings.profile.name}: {found.done} of {found.parts} parts are in the store; at most "
        f"{found.hours:.1f} hours of one process left, {found.gigabytes:.1f} GB in all"
    )
    if found.unmeasured:
        print(f"not counted, for none is finished: {', '.join(found.unmeasured)}")
        print("run a part of it first, as with --tasks TASK --seeds SEED: what it makes is kept")
    return 0


def _show(found: Results) -> None:
    from memloc.planted.leaderboard import leaderboard

    planted = found.planted
    print(
        f"{len(planted)} places: {int(planted['learnt'].sum())} learnt their labels, "
        f"{int(planted['has_truth_blind'].sum())} have ground truth after settling"
    )
    if found.missing:
        print(f"{len(found.missing)} parts are missing, the first: {found.missing[0]}")
    if len(found.found) and (planted["has_truth_oracle"] | planted["has_truth_blind"]).any():
        print(leaderboard(found.found, planted, found.asked).to_string(index=False))


def _verify(folder: Path) -> int:
    from memloc.planted.releasing import read_benchmark

    found = read_benchmark(folder)
    print(f"{folder}: profile {found.profile.name}, {len(found.results.planted)} places, whole and unaltered")
    print(f"  {found.version}")
    for missing in found.results.missing:
        print(f"  not finished: {missing}")
    return 0
