"""Tables of scale: formulas, exponents, measured steps, and a calculated run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from memloc.declared import declared, settings_of
from memloc.profiles import load_profile
from memloc.publishing.figures_scale import HOUR
from memloc.publishing.reading_scale import CUTS, VARIED, Calculated, Growth
from memloc.scale.costs import FORMULAS, WORDS, Settings, Shape, cost_of
from memloc.scale.machine import Machine, ModelShape, memory
from memloc.scale.work import Piece, pieces

DEPTHS = (12, 24, 32)
ROWS = 10_000  # of the table of formulas: large enough for rounding not to show
SHOWN = (1, 8, 64)
CUT_WORDS = {"cells": "as now", "pieces": "split"}
LARGER = {
    "125 M": ModelShape(12, 768),
    "1.3 B": ModelShape(24, 2048),
    "7 B": ModelShape(32, 4096),
}
BATCH, LONGEST = 8, 512  # of the calculation of memory: the profile's batch, its longest texts
DEVICE_BYTES = 80e9


def settings_in(profile: str) -> dict[str, Settings]:
    """What a profile asks of training and of each technique, defaults and all."""
    asked = load_profile(profile)
    names = [name for name in FORMULAS if name != "training"]
    found = {name: settings_of(declared(name), asked.techniques.get(name)) for name in names}
    return {"training": asdict(next(iter(asked.models.values())).training), **found}


def formula_table(profile: str = "paper") -> pd.DataFrame:
    """The formulas, and how many passes of the whole model for each example they come to."""
    rows = []
    for name, how in settings_in(profile).items():
        passes = {}
        for depth in DEPTHS:
            shape = Shape(ROWS, depth)
            cost = cost_of(name, shape, how)
            each = cost.applications / (ROWS * depth)
            passes[f"L = {depth}"] = f"{each:,.0f}" if each == round(each) or each > 100 else f"{each:.1f}"
        rows.append({"technique": name, "applications of a layer": WORDS[name], **passes})
    return pd.DataFrame(rows)


def exponent_table(growth: Growth) -> pd.DataFrame:
    """How seconds grow along each axis, by measurement, by the formula and by the fitted line."""
    rows = [
        {
            "technique": axis.technique,
            "varied": "members" if key == ("maps", "seeds") else VARIED[axis.varied],
            "from, to": f"{axis.sizes[0]:g}, {axis.sizes[-1]:g}",
            "exponent": f"{axis.measured.value:z.2f}",
            "95 %": f"{axis.measured.low:z.2f} to {axis.measured.high:z.2f}",
            "formula's": f"{axis.counted:z.2f}",
            "line's": f"{axis.line:z.2f}",
            "furthest": f"{100 * axis.deviation:.0f} %",
            "holds": "yes" if axis.holds else "no",
        }
        for key, axis in growth.axes.items()
    ]
    return pd.DataFrame(rows)


def steps_table(steps: pd.DataFrame) -> pd.DataFrame:
    """Measured steps: seconds of the processor and achieved speed."""
    return pd.DataFrame(
        {
            "layers x width": steps["shape"],
            "step": steps["kind"],
            "examples x tokens": [f"{b} x {t}" for b, t in zip(steps["batch"], steps["tokens"], strict=True)],
            "CPU seconds": [f"{seconds:z.2f}" for seconds in steps["seconds"]],
            "GFLOP/s": [f"{speed / 1e9:.0f}" for speed in steps["speed"]],
            "best of": steps["repeats"].astype(str),
            "threads": steps["threads"].astype(str),
            "on": steps["device"],
        }
    )


def machine_words(machine: Machine) -> str:
    """A machine as a column's head."""
    return f"at {machine.flops / 1e12:g} TFLOP/s"


def work_table(calculated: Calculated) -> pd.DataFrame:
    """The whole profile by kind of work: jobs, operations, hours of one GPU."""
    if not calculated.pieces:
        return pd.DataFrame()
    kinds = [piece.kind for piece in calculated.pieces]
    operations = np.array([piece.cost.flops(piece.shape) for piece in calculated.pieces])
    total = operations.sum()
    rows = []
    for kind in dict.fromkeys(kinds):
        chosen = [piece for piece in calculated.pieces if piece.kind == kind]
        own = operations[[k == kind for k in kinds]].sum()
        row = {"work": kind, "times": str(len(chosen))}
        row |= {"operations": f"{own:.1e}", "share": f"{100 * own / total:.1f} %"}
        for machine in calculated.machines:
            hours = sum(machine.seconds(piece.cost, piece.shape) for piece in chosen) / HOUR
            row[f"GPU hours {machine_words(machine)}"] = f"{hours:.1f}"
        asking = sum(piece.cost.calls for piece in chosen) * calculated.machines[0].call / HOUR
        rows.append(row | {"hours for starting operations alone, at least": f"{asking:.1f}"})
    return pd.DataFrame(rows)


def devices_table(calculated: Calculated) -> pd.DataFrame:
    """The run on 1, 8 and 64 devices, by speed and by how jobs are cut."""
    rows = []
    speeds = {f"GPU, {machine.flops / 1e12:g} TFLOP/s": machine for machine in calculated.machines}
    if calculated.core:
        speeds[f"core, {calculated.core.flops / 1e9:.0f} GFLOP/s (measured)"] = calculated.core
    for speed, machine in speeds.items() if calculated.tasks else ():
        for cut in CUTS:
            for k in SHOWN:
                run = calculated.runs[cut, machine, k]
                rows.append(
                    {
                        "on": speed,
                        "jobs": f"{len(run.starts):,}, {CUT_WORDS[cut]}",
                        "how many": str(k),
                        "hours": f"{run.makespan / HOUR:,.1f}",
                        "at work": f"{100 * run.efficiency:.0f} %",
                        "work / devices": f"{run.total / k / HOUR:,.1f} h",
                        "longest chain": f"{run.longest / HOUR:,.1f} h",
                    }
                )
    return pd.DataFrame(rows)


def memory_table() -> pd.DataFrame:
    """Gigabytes of each kind of work by size of model; what one device of 80 GB does not hold is marked."""
    found = {name: memory(model, BATCH, LONGEST) for name, model in LARGER.items()}
    rows = []
    for kind in next(iter(found.values())):
        row = {"work": kind}
        for name, model in LARGER.items():
            needed = found[name][kind]
            mark = "" if needed <= DEVICE_BYTES else " (too much)"
            row[f"{name}: {model.layers} x {model.hidden}"] = f"{needed / 1e9:.1f} GB{mark}"
        rows.append(row)
    return pd.DataFrame(rows)


def larger_hours(calculated: Calculated) -> dict[str, dict[str, list[float]]]:
    """Hours of one cell a task, all tasks together, by model and kind of work; a number a machine. Without control."""
    sketch, found = calculated.sketch, {}
    model = next(iter(sketch.profile.models))
    chosen = [cell for cell in sketch.cells() if cell.model == model and len(sketch.settings(cell)) == 1]
    seeds = {cell.task: cell for cell in chosen}  # one a task
    for name, shape in LARGER.items() if calculated.tasks else ():
        work = [piece for cell in seeds.values() for piece in pieces(sketch, cell, calculated.tasks, shape)]
        found[name] = kind_hours(work, calculated.machines)
    return found


def kind_hours(work: Iterable[Piece], machines: Sequence[Machine]) -> dict[str, list[float]]:
    """Hours of pieces of work by kind; a number a machine."""
    hours: dict[str, list[float]] = {}
    for piece in work:
        took = [machine.seconds(piece.cost, piece.shape) / HOUR for machine in machines]
        own = hours.setdefault(piece.kind, [0.0] * len(took))
        hours[piece.kind] = [a + b for a, b in zip(own, took, strict=True)]
    return hours


def larger_table(calculated: Calculated) -> pd.DataFrame:
    """GPU hours of all tasks once, by size of model: from the fastest assumption to the slowest."""
    found = larger_hours(calculated)
    if not found:
        return pd.DataFrame()
    kinds = list(next(iter(found.values())))
    rows = [{"work": kind, **{name: _span(own[kind]) for name, own in found.items()}} for kind in kinds]
    total = {name: [sum(hours) for hours in zip(*own.values(), strict=True)] for name, own in found.items()}
    return pd.DataFrame([*rows, {"work": "all", **{name: _span(hours) for name, hours in total.items()}}])


def _span(hours: list[float]) -> str:
    low, high = (f"{value:.1f}" if value < 100 else f"{value:,.0f}" for value in (min(hours), max(hours)))
    return low if low == high else f"{low} to {high}"
