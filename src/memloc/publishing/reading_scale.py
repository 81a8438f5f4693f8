"""What the chapter on scale is made of: stored measurements, the lines fitted to them, and a calculated run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.errors import MemlocError
from memloc.profiles import load_profile
from memloc.publishing import project_root
from memloc.publishing.tabulate_speed import FOLDER, read_columns
from memloc.scale.costs import FORMULAS, Shape, cost_of, retrained_windows
from memloc.scale.fit import Exponent, Fit, exponent, fit_line
from memloc.scale.machine import Machine
from memloc.scale.schedule import Job, Schedule, schedule
from memloc.scale.work import Piece, Sketch, TaskSize, cell_jobs, piece_jobs, pieces
from memloc.windows import windows

MACHINE = ("threads", "device", "torch", "memloc")
GRID = (
    *("technique", "varied", "rows", "layers", "classes", "hidden", "tokens", "validation", "noisy", "settings"),
    *("seconds", "slowest", "repeats", *MACHINE),
)
STEPS = ("shape", "layers", "hidden", "batch", "tokens", "kind", "weights", "seconds", "repeats", *MACHINE)
TOKENS = ("task", "source", "tokenizer", "rows", "validation", "noisy", "classes", "tokens")
VARIED = {"rows": "N", "layers": "L", "classes": "C", "windows": "windows", "seeds": "seeds"}
HOLDS = 0.25  # of the line: a formula describes an axis if no point is further away
START = 30.0  # seconds of a job beside its work: an assumption, as a process that loads libraries and a model takes
PASSES = {"training step": 6, "forward pass": 2}  # operations for each weight and token
STUDY_WIDTH = 768  # of the models of the profile `paper`
DEVICES = (1, 2, 4, 8, 16, 32, 64, 128)
CUTS = {"cells": "cells, as now", "pieces": "one job an arm, one a technique"}


@dataclass(frozen=True)
class Axis:
    """One technique along one size.

    Attributes:
        sizes, work, seconds: of each point: the size, counted operations, measured seconds.
        measured, counted, line: exponents of the seconds, of the formula, and of the fitted line, on these sizes.
        deviation: the largest distance of a point from the line, as a share of it.
    """

    technique: str
    varied: str
    sizes: list[float]
    work: list[float]
    seconds: list[float]
    measured: Exponent
    counted: float
    line: float
    deviation: float

    @property
    def holds(self) -> bool:
        """Whether the line describes what was measured."""
        return self.deviation <= HOLDS


@dataclass(frozen=True)
class Growth:
    """The measured grid, its lines and its axes.

    Attributes:
        frame: columns ``GRID``, and ``work`` and ``size``.
        lines: by technique, one for all that was varied.
        axes: by technique and what was varied.
    """

    frame: pd.DataFrame
    lines: dict[str, Fit]
    axes: dict[tuple[str, str], Axis]


def read_growth(path: Path | None = None) -> Growth:
    """The grid that ``python -m benchmarks.scale grid --out`` wrote, fitted; empty where a copy has none."""
    frame = read_columns(path or project_root() / FOLDER / "scale.parquet", GRID)
    if frame.empty:
        return Growth(frame, {}, {})
    told = [_counted(row) for row in frame.to_dict("records")]
    frame = frame.assign(work=[work for work, _ in told], size=[size for _, size in told])
    lines, axes = {}, {}
    for name in (known for known in FORMULAS if known in set(frame["technique"])):
        own = frame[frame["technique"] == name]
        lines[name] = fit_line(own["work"].to_numpy(), own["seconds"].to_numpy())
        for varied in (known for known in VARIED if known in set(own["varied"])):
            axes[name, varied] = _axis(name, varied, own[own["varied"] == varied].sort_values("size"), lines[name])
    return Growth(frame, lines, axes)


def _counted(row: dict[Any, Any]) -> tuple[float, float]:
    """Operations of a row by its formula, and the size that was varied."""
    how = json.loads(row["settings"])
    sizes = {name: row[name] for name in ("rows", "layers", "classes", "hidden", "tokens", "validation")}
    shape = Shape(**sizes, noise=row["noisy"] / row["rows"])
    work = cost_of(row["technique"], shape, how).flops(shape)
    if row["technique"] == "training":
        work *= how["seeds"]
    if row["varied"] == "windows":
        swapped = row["technique"] == "swapping"
        every = windows(shape.layers, how["longest"]) if swapped else retrained_windows(shape.layers, how["lengths"])
        return work, float(len(every))
    if row["varied"] == "seeds":
        return work, float(how["members"] if row["technique"] == "maps" else how["seeds"])
    return work, float(row[row["varied"]])


def _axis(name: str, varied: str, own: pd.DataFrame, line: Fit) -> Axis:
    sizes, work, seconds = (own[column].tolist() for column in ("size", "work", "seconds"))
    counted, fitted = exponent(sizes, work).value, exponent(sizes, line.seconds(work)).value
    far = line.deviation(work, seconds)
    return Axis(name, varied, sizes, work, seconds, exponent(sizes, seconds), counted, fitted, far)


def read_steps(path: Path | None = None) -> pd.DataFrame:
    """Measured steps, with ``speed``: achieved operations a second by the rule of six and two a weight and token."""
    frame = read_columns(path or project_root() / FOLDER / "steps.parquet", STEPS)
    operations = frame["kind"].map(PASSES).astype(float) * frame["weights"] * frame["batch"] * frame["tokens"]
    return frame.assign(speed=operations / frame["seconds"])


def read_tasks(path: Path | None = None) -> tuple[dict[str, TaskSize], str]:
    """Sizes of the study's tasks, and whose tokenizer counted them; nothing where a copy of the book has none."""
    frame = read_columns(path or project_root() / FOLDER / "tokens.parquet", TOKENS)
    found = {
        str(row["task"]): TaskSize(row["rows"], row["validation"], row["noisy"], row["classes"], row["tokens"])
        for row in frame.to_dict("records")
    }
    return found, "".join(frame["tokenizer"].unique()[:1])


@dataclass(frozen=True)
class Calculated:
    """A profile at assumed speeds.

    Attributes:
        sketch: the profile.
        tasks: sizes of its tasks.
        machines: GPUs, from the slowest to the fastest assumption.
        core: one core of a processor at its measured speed, where a copy of the book has one.
        start: seconds of a job beside its work.
    """

    sketch: Sketch
    tasks: dict[str, TaskSize]
    machines: tuple[Machine, ...]
    core: Machine | None = None
    start: float = START

    @cached_property
    def pieces(self) -> list[Piece]:
        """All work; none where the sizes of tasks are not known."""
        cells = self.sketch.cells() if self.tasks else []
        return [piece for cell in cells for piece in pieces(self.sketch, cell, self.tasks)]

    @cached_property
    def jobs(self) -> dict[tuple[str, Machine], list[Job]]:
        """Jobs by how they are cut (``CUTS``) and by machine."""
        make = {"cells": cell_jobs, "pieces": piece_jobs}
        return {
            (cut, machine): make[cut](self.sketch, self.tasks, machine, self.start) if self.tasks else []
            for cut in CUTS
            for machine in (*self.machines, *([self.core] if self.core else []))
        }

    @cached_property
    def runs(self) -> dict[tuple[str, Machine, int], Schedule]:
        """Schedules by cut, machine and number of devices."""
        return {(*key, k): schedule(jobs, k) for key, jobs in self.jobs.items() for k in DEVICES}


def calculate(tflops: Sequence[float], call_ms: float, profile: str = "paper") -> Calculated:
    """A profile at assumed speeds of a GPU.

    Args:
        tflops: achieved speeds in 10^12 operations a second, one or several.
        call_ms: milliseconds that a layer's pass over a batch takes at least.
        profile: its tasks must be among those whose sizes are stored.

    Raises:
        MemlocError: for no speed, or one that is none.
    """
    if not tflops:
        raise MemlocError("tflops", list(tflops), "one speed or more")
    tasks, _ = read_tasks()
    machines = tuple(Machine(speed * 1e12, call_ms / 1000) for speed in sorted(tflops))
    steps = read_steps()
    speed = steps.loc[(steps["kind"] == "training step") & (steps["hidden"] == STUDY_WIDTH), "speed"]
    core = Machine(float(speed.median())) if len(speed) else None
    return Calculated(Sketch(load_profile(profile)), tasks, machines, core)
