"""The sentences of the chapter on scale, and its numbers."""

from __future__ import annotations

import pandas as pd

from memloc.publishing.facts import NONE
from memloc.publishing.facts_workflow import read_workflow, workflow_facts
from memloc.publishing.figures import listed, span
from memloc.publishing.figures_scale import HOUR
from memloc.publishing.reading import open_release
from memloc.publishing.reading_scale import CUTS, HOLDS, STUDY_WIDTH, VARIED, Calculated, Growth
from memloc.publishing.sources import PACKAGE
from memloc.publishing.tabulate_speed import FOLDER
from memloc.scale.machine import Machine
from memloc.scale.schedule import Schedule
from memloc.scale.work import pieces

YEAR = 365 * 24 * HOUR
FILES = {  # what numbers come from, by their kind
    "growth": f"{FOLDER}/scale.parquet",
    "steps": f"{FOLDER}/steps.parquet",
    "flow": (f"{FOLDER}/workflow.parquet", "results/small"),
    "run": (PACKAGE / "profiles" / "paper.yml", f"{FOLDER}/tokens.parquet", f"{FOLDER}/steps.parquet"),
}


def flow_facts() -> dict[str, str]:
    """What the workflow adds, from what this copy of the book holds."""
    released = open_release("small")
    return workflow_facts(read_workflow(), released.release if released else None)


def about_growth(growth: Growth) -> str:
    """What was measured, in words."""
    if growth.frame.empty:
        return "This copy of the book holds no such measurements, so what follows is empty."
    first = growth.frame.iloc[0]
    return (
        f"Measured on {listed(sorted(set(growth.frame['device'])))}, one thread: {len(growth.frame)} points, the best "
        f"of {first['repeats']} times each, on examples of {first['tokens']} random tokens and models of width "
        f"{first['hidden']} with random weights. Seconds are those that the processor gave to the process, because the "
        "machine had other work at the time."
    )


def growth_facts(growth: Growth) -> dict[str, str]:
    """How many axes the formulas describe, and which they do not."""
    axes = list(growth.axes.values())
    far = [f"{axis.technique} against {VARIED[axis.varied]}" for axis in axes if not axis.holds]
    inside = [axis for axis in axes if axis.varied != "classes"]
    covered = [axis for axis in inside if axis.measured.low <= axis.counted <= axis.measured.high]
    return {
        "axes": str(len(axes)),
        "hold": str(sum(axis.holds for axis in axes)),
        "far": listed(far) if far else NONE,
        "holds": f"{100 * HOLDS:.0f} %",
        "grown": str(len(inside)),
        "covered": str(len(covered)),
        "classes": span([axis.measured.value for axis in axes if axis.varied == "classes"]),
        "spread": _spread(growth.frame),
    }


def _spread(frame: pd.DataFrame) -> str:
    """How far the slowest time of a point lies above its best, in the middle."""
    return NONE if frame.empty else f"{100 * (frame['slowest'] / frame['seconds'] - 1).median():.0f} %"


def steps_facts(steps: pd.DataFrame) -> dict[str, str]:
    """Achieved speeds of this machine's processor at the study's shape."""
    own = steps[steps["hidden"] == STUDY_WIDTH]
    speed = own.loc[own["kind"] == "training step", "speed"] / 1e9
    ends = (speed.min(), speed.max())
    return {name: f"{end:.0f}" if len(own) else NONE for name, end in zip(("slowest", "fastest"), ends, strict=True)}


def run_facts(calculated: Calculated) -> dict[str, str]:
    """The calculated run in numbers: operations, hours, the bottleneck."""
    names = (
        "operations",
        "core-years",
        "one",
        "eight",
        "many",
        "split",
        "chain",
        "bound",
        "wait",
        "first",
        "largest",
        "from",
    )
    profile = calculated.sketch.profile
    words = {"cells": str(len(calculated.sketch.cells())), "profile": profile.name, "trainings": "0"}
    if not calculated.tasks:
        return words | dict.fromkeys(names, NONE)
    operations = sum(piece.cost.flops(piece.shape) for piece in calculated.pieces)
    runs = {(cut, k): [calculated.runs[cut, m, k] for m in calculated.machines] for cut in CUTS for k in (1, 8, 64)}
    many = runs["cells", 64]
    return words | {
        "trainings": str(sum(piece.kind == "training" for piece in calculated.pieces)),
        "operations": f"{operations:.1e}",
        "core-years": f"{operations / calculated.core.flops / YEAR:.1f}" if calculated.core else NONE,
        "one": _days(runs["cells", 1]),
        "eight": _hours(runs["cells", 8]),
        "many": _hours(many),
        "split": _hours(runs["pieces", 64]),
        "chain": _jobs(many[0]),
        "bound": _hours_of([run.longest for run in many]),
        "wait": listed([f"{100 * run.efficiency:.0f} %" for run in many]),
        "first": f"{first_seed(calculated, calculated.machines[0]):.1f}",
        "from": span([run.total / run.longest for run in many], 0),
        "largest": _jobs(runs["pieces", 64][0]),
    }


def _jobs(run: Schedule) -> str:
    """The longest chain, without the hashes of jobs' names."""
    return ", then ".join(name.rsplit(".", 1)[0] if name.count(".") > 3 else name for name in run.chain)


def _hours_of(seconds: list[float]) -> str:
    return span([value / HOUR for value in seconds], 1)


def _hours(runs: list[Schedule]) -> str:
    return _hours_of([run.makespan for run in runs])


def _days(runs: list[Schedule]) -> str:
    return span([run.makespan / HOUR / 24 for run in runs], 1)


def first_seed(calculated: Calculated, machine: Machine) -> float:
    """By how much a cell's training, or its analyses, exceed the mean of its model's seeds; the largest such ratio."""
    seconds: dict[tuple[str, str, str], list[float]] = {}
    for cell in calculated.sketch.cells():
        own = pieces(calculated.sketch, cell, calculated.tasks)
        for stage in ("checkpoint", "rows"):
            took = sum(machine.seconds(piece.cost, piece.shape) for piece in own if piece.artefact[0] == stage)
            seconds.setdefault((cell.task, cell.model, stage), []).append(took)
    return max(max(own) * len(own) / sum(own) for own in seconds.values())
