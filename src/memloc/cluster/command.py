"""``memloc cluster``: what the jobs of a workflow engine call, and what plans them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from memloc.options import experiment_of, with_profile


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the commands to the command line."""
    told = "a profile as jobs of a workflow engine (workflow/Snakefile calls these)"
    cluster = commands.add_parser("cluster", help=told).add_subparsers(required=True, metavar="COMMAND")
    plan = with_profile(cluster.add_parser("plan", help="write the jobs of a profile; make its data sets"))
    plan.add_argument("--out", type=Path, required=True, metavar="FILE", help="the plan")
    plan.add_argument("--estimates", type=Path, metavar="FILE", help="of memloc estimate --save: sizes of cells")
    plan.add_argument("--shortest", type=float, default=300.0, help="seconds worth a job (default: 300)")
    plan.add_argument(
        "--device-memory", type=int, default=0, metavar="MB", help="of a job's device, which cells share (default: 0)"
    )
    plan.set_defaults(run=_plan)
    do = cluster.add_parser("do", help="do one job of a plan")
    do.add_argument("plan", type=Path, metavar="PLAN")
    do.add_argument("job", metavar="JOB")
    do.add_argument("--threads", type=int, help="of each cell (default: OMP_NUM_THREADS, or 1)")
    do.set_defaults(run=_do)
    release = cluster.add_parser("release", help="write the numbers of a plan's finished cells")
    release.add_argument("plan", type=Path, metavar="PLAN")
    release.add_argument("folder", type=Path, metavar="FOLDER")
    release.set_defaults(run=_release)


def _plan(arguments: argparse.Namespace) -> None:
    from memloc.cluster.jobs import Packing, works
    from memloc.cluster.plan import Plan, settle
    from memloc.cluster.sizes import read_sizes
    from memloc.running import ready

    packing = Packing(arguments.shortest, arguments.device_memory)
    asked, arguments.device = arguments.device, "cpu"  # the device is one of the job's machine, not of this one
    experiment = experiment_of(arguments)
    sizes = read_sizes(arguments.estimates, experiment.profile) if arguments.estimates else {}
    ready(experiment)
    data = arguments.data.resolve() if arguments.data else None
    plan = Plan(experiment.profile, asked, data, tuple(works(experiment, sizes, packing)))
    plan.write(arguments.out)
    left = settle(experiment.store.root, plan)
    print(f"{len(plan.works)} jobs for {len(experiment.cells())} cells, {len(left)} to do", file=sys.stderr)


def _do(arguments: argparse.Namespace) -> int:
    from memloc.cluster.doing import do

    return 0 if do(arguments.plan, arguments.job, arguments.threads) else 1


def _release(arguments: argparse.Namespace) -> int:
    from memloc.cluster.doing import release_plan

    return 0 if release_plan(arguments.plan, arguments.folder) else 1
