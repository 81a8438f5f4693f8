"""Figures of scale: measured seconds beside the fitted formula, and a calculated run on many devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, listed, name_axes
from memloc.publishing.reading_scale import CUTS, DEVICES, VARIED, Axis, Calculated, Growth
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZES = ("rows", "layers", "classes")
HOUR = 3600.0


def growth_in_sizes(growth: Growth) -> Drawn:
    """A row a technique, a column N, L or C: points are measured, the line is a + b x formula; logarithmic."""
    import matplotlib.pyplot as plt

    names = list(growth.lines)
    figure, axes = plt.subplots(
        max(1, len(names)), len(SIZES), figsize=(WIDTH, 1.05 * max(2, len(names)) + 0.9), squeeze=False, sharey="row"
    )
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name, fontsize=SMALL)
        for column, varied in enumerate(SIZES):
            if (name, varied) in growth.axes:
                _draw(axes[row, column], growth, growth.axes[name, varied])
            if row < len(names) - 1:
                axes[row, column].tick_params(labelbottom=False)
    for column, varied in enumerate(SIZES):
        axes[-1, column].set_xlabel(VARIED[varied], fontsize=SMALL)
    if names:
        legend_above(figure, axes[0, 0], 2)
    figure.supylabel("seconds", fontsize=SMALL + 1, color=INK)
    return Drawn(figure, _told(growth, "a row a technique and a column N, L or C", SIZES))


def growth_in_sets(growth: Growth) -> Drawn:
    """The same against the number of windows and of seeds, a panel each."""
    import matplotlib.pyplot as plt

    chosen = [key for key in growth.axes if key[1] not in SIZES]
    rows = max(1, -(-len(chosen) // 3))
    figure, axes = plt.subplots(rows, 3, figsize=(WIDTH, 1.55 * rows + 0.7), squeeze=False)
    for panel in axes.flat[len(chosen) :]:
        panel.set_visible(False)
    for panel, key in zip(axes.flat, chosen, strict=False):
        _draw(panel, growth, growth.axes[key])
        panel.set_title(key[0], fontsize=SMALL + 0.5)
        panel.set_xlabel("members" if key == ("maps", "seeds") else VARIED[key[1]], fontsize=SMALL)
    if chosen:
        legend_above(figure, axes[0, 0], 2)
    figure.supylabel("seconds", fontsize=SMALL + 1, color=INK)
    return Drawn(figure, _told(growth, "a panel a technique, against windows, seeds or members", ("windows", "seeds")))


def _draw(panel: Axes, growth: Growth, axis: Axis) -> None:
    line = growth.lines[axis.technique].seconds(axis.work)
    panel.plot(axis.sizes, line, color=PALETTE[0], linewidth=1.4, label="a + b x formula")
    panel.plot(axis.sizes, axis.seconds, "o", color=PALETTE[1], markersize=4, label="measured")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(axis.sizes, [f"{size:g}" for size in axis.sizes], fontsize=SMALL - 1)
    panel.minorticks_off()
    panel.tick_params(labelsize=SMALL - 1, length=2)
    both = [*line, *axis.seconds]
    if max(both) / min(both) < 10:  # no power of ten may lie inside: name the ends
        ends = [float(f"{value:.2g}") for value in (min(both), max(both))]
        panel.set_yticks(ends, [f"{value:g}" for value in ends])
        panel.set_ylim(min(both) / 1.6, max(both) * 1.6)


def _told(growth: Growth, layout: str, varied: Sequence[str]) -> str:
    shown = [axis for axis in growth.axes.values() if axis.varied in varied]
    words = f"Points and a line in each panel, both axes logarithmic, {layout}, seconds up. "
    if not shown:
        return words + "Empty: this copy of the book holds no measurements."
    far = [f"{axis.technique} against {VARIED[axis.varied]}" for axis in shown if not axis.holds]
    return words + (f"The points leave the line by more than a quarter in {listed(far)}." if far else "They agree.")


def devices(calculated: Calculated) -> Drawn:
    """Hours of the whole run against the number of GPUs, both axes logarithmic: a colour a way to cut jobs, a panel a
    speed; thin lines are what no order of the jobs can beat."""
    import matplotlib.pyplot as plt

    machines = calculated.machines
    figure, axes = plt.subplots(
        1,
        len(machines),
        figsize=(WIDTH, 3.0),
        squeeze=False,
        sharey=True,
        subplot_kw={"xscale": "log", "yscale": "log"},
    )
    told = []
    for panel, machine in zip(axes[0], machines, strict=True):
        for number, (cut, words) in enumerate(CUTS.items()):
            runs = [calculated.runs[cut, machine, k] for k in DEVICES]
            hours = np.array([run.makespan for run in runs]) / HOUR
            look = {"color": PALETTE[number], "marker": MARKERS[number], "markersize": 4}
            panel.plot(DEVICES, hours, linewidth=1.4, label=words, **look)
            bounds = np.array([run.bound for run in runs]) / HOUR
            panel.plot(DEVICES, bounds, color=FAINT, linewidth=0.9, linestyle=("-", ":")[number], label=f"bound, {cut}")
            told.append(f"at {machine.flops / 1e12:g} TFLOP/s, {words}: {hours[0]:.0f} h on 1, {hours[-1]:.1f} on 128")
        panel.set_title(f"{machine.flops / 1e12:g} TFLOP/s", fontsize=SMALL + 0.5)
        panel.set_xticks(DEVICES, [str(k) for k in DEVICES], fontsize=SMALL - 1)
        panel.minorticks_off()
        panel.tick_params(labelsize=SMALL - 1, length=2)
    legend_above(figure, axes[0, 0], 2)
    name_axes(figure, "GPUs", "hours")
    if not calculated.tasks:
        return Drawn(figure, "Empty: this copy of the book does not know how large the tasks are.")
    return Drawn(figure, f"Falling lines, GPUs across and hours up, both logarithmic. {'; '.join(told)}.")
