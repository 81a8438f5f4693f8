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
NEAREST = 1.2  # ratio of two ticks that both have names


def growth_in_sizes(growth: Growth) -> Drawn:
    """A row a technique, a column N, L or C: points are measured, the line is a + b x formula; logarithmic."""
    import matplotlib.pyplot as plt

    names = list(growth.lines)
    figure, axes = plt.subplots(
        max(1, len(names)), len(SIZES), figsize=(WIDTH, 1.05 * max(2, len(names)) + 0.9), squeeze=False, sharey="row"
    )
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(f"{name}, s", fontsize=SMALL)
        shown = [growth.axes[name, varied] for varied in SIZES if (name, varied) in growth.axes]
        for axis in shown:
            _draw(axes[row, SIZES.index(axis.varied)], growth, axis)
        if shown:
            _name_ends(axes[row, 0], shown, growth)
        for column in range(len(SIZES)):
            if row < len(names) - 1:
                axes[row, column].tick_params(labelbottom=False)
    for column, varied in enumerate(SIZES):
        axes[-1, column].set_xlabel(VARIED[varied], fontsize=SMALL)
    if names:
        legend_above(figure, axes[0, 0], 2)
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
        _name_ends(panel, [growth.axes[key]], growth)
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
    shown = _apart(axis.sizes)
    panel.set_xticks(shown, [f"{size:g}" for size in shown], fontsize=SMALL - 1)
    panel.minorticks_off()
    panel.tick_params(labelsize=SMALL - 1, length=2)


def _apart(sizes: Sequence[float]) -> list[float]:
    """Those whose names do not run into one another on a logarithmic axis, the largest first kept."""
    kept: list[float] = []
    for size in sorted(set(sizes), reverse=True):
        if not kept or kept[-1] / size > NEAREST:
            kept.append(size)
    return kept[::-1]


def _name_ends(panel: Axes, shown: Sequence[Axis], growth: Growth) -> None:
    """Name the least and the most seconds of what shares an axis: no power of ten need lie between them."""
    values = [value for axis in shown for value in (*axis.seconds, *growth.lines[axis.technique].seconds(axis.work))]
    ends = [float(f"{value:.2g}") for value in (min(values), max(values))]
    panel.set_yticks(ends, [f"{value:g}" for value in ends])
    panel.set_ylim(min(values) / 1.5, max(values) * 1.5)


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
    for panel, machine in zip(axes[0], machines if calculated.tasks else (), strict=False):
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
    name_axes(figure, "GPUs", "hours")
    if not calculated.tasks:
        return Drawn(figure, "Empty: this copy of the book does not know how large the tasks are.")
    legend_above(figure, axes[0, 0], 2)
    return Drawn(figure, f"Falling lines, GPUs across and hours up, both logarithmic. {'; '.join(told)}.")
