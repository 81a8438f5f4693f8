"""Figures of memorisation maps, and of depth against generalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.analysis.relation import RELATIVE
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, WIDTH, Drawn, grid, legend_above, model_title, name_axes, note, span
from memloc.publishing.figures_panels import NOT_MEMORISED, NOT_RUN
from memloc.publishing.reading_maps import Mapped
from memloc.publishing.style import FAINT, GROUP_COLOURS, INK, MARKERS, PALETTE, sort_models, sort_tasks
from memloc.publishing.tabulate_depth import depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10  # a side of the map: a mark stands for all examples of its square
SMALLEST, LARGEST = 4.0, 110.0  # points^2 of a mark that holds next to none, and all, of its group
LOOKS = {"clean": "o", "noisy": "s"}
DISTANCES = (0.25, 0.5, 0.75)  # above the diagonal


def memorisation_maps(mapped: Mapped) -> Drawn:
    """Probability of the given label by models that were not, and that were, trained on an example."""
    profile = mapped.study.profile
    figure, panels = grid(profile.tasks, list(profile.models), 1.25)
    gaps: dict[str, list[float]] = {group: [] for group in LOOKS}
    for place, panel in panels.items():
        panel.set_xlim(-0.07, 1.07)
        panel.set_ylim(-0.07, 1.07)
        panel.set_xticks([0, 0.5, 1])
        panel.set_yticks([0, 0.5, 1])
        panel.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9)
        for distance in DISTANCES:  # lines of one counterfactual memorisation
            panel.plot([0, 1 - distance], [distance, 1], color=FAINT, linewidth=0.6, linestyle=":")
        if place not in mapped.maps:
            note(panel, NOT_RUN)
            continue
        for group, marker in LOOKS.items():
            frame = mapped.maps[place]
            _bubbles(panel, frame[frame["group"] == group], group, marker)
            gaps[group].append(float(mapped.mean(place, "counterfactual", group).value))
    if first := next((panels[place] for place in panels if place in mapped.maps), None):
        for group, marker in LOOKS.items():  # for the legend, of one size whatever the first panel holds
            first.scatter([], [], s=30, marker=marker, color=GROUP_COLOURS[group], alpha=0.7, label=group)
        legend_above(figure, first, 2)
    name_axes(figure, "probability by models not trained on it", "probability by models trained on it")
    words = "Maps, a row a task and a column a model. Across: probability of the given label by models that were not "
    words += "trained on an example; up: by models that were. Marks grow with the number of examples. Mean distance "
    told = [f"{group} examples {span(values)}" for group, values in gaps.items() if values]
    return Drawn(figure, words + f"above the diagonal: {'; '.join(told) or 'nothing was run'}.")


def _bubbles(panel: Axes, frame: pd.DataFrame, group: str, marker: str) -> None:
    """One mark a square of the map, its area the share of the group's examples in it."""
    known = frame.dropna(subset=["memorisation", "generalisation"])
    if known.empty:
        return
    edges = np.linspace(0, 1, BINS + 1)
    counts, _, _ = np.histogram2d(known["generalisation"], known["memorisation"], bins=[edges, edges])
    across, up = np.nonzero(counts)
    middle = (edges[:-1] + edges[1:]) / 2
    share = counts[across, up] / len(known)
    area = SMALLEST + (LARGEST - SMALLEST) * share
    panel.scatter(middle[across], middle[up], s=area, marker=marker, color=GROUP_COLOURS[group], alpha=0.6, linewidth=0)


def depth_scatter(mapped: Mapped) -> Drawn:
    """Generalisation score across; depth by swapping and crossing up: a column a model, a mark a task."""
    import matplotlib.pyplot as plt

    models, tasks = sort_models(mapped.study.profile.models), sort_tasks(mapped.study.profile.tasks)
    crossings = _crossings(mapped)
    kinds = ["depth by swapping"] + ["crossing / (L + 1)"] * bool(len(crossings))
    size = (WIDTH, 1.75 * len(kinds) + 1.1)
    figure, axes = plt.subplots(len(kinds), len(models), figsize=size, squeeze=False, sharex=True, sharey="row")
    for row, kind in enumerate(kinds):
        axes[row, 0].set_ylabel(kind, fontsize=SMALL)
    scores = []
    for column, model in enumerate(models):
        axes[0, column].set_title(model_title(model), fontsize=SMALL + 0.5)
        _prepare(axes[:, column])
        here = [task for task in tasks if (task, model) in mapped.places and (task, model) in mapped.maps]
        if not here:
            note(axes[0, column], NOT_MEMORISED)
        for task in here:
            scores.append(_depths(axes[:, column], mapped, task, model, tasks.index(task), crossings))
    for number, task in enumerate(tasks):
        axes[0, 0].plot([], [], label=task, **task_look(number, True))
    legend_above(figure, axes[0, 0], min(4, len(tasks)))
    figure.supxlabel("generalisation score", fontsize=SMALL + 1, color=INK)
    words = (
        "Scatter plots, a column a model and a mark a task. Across: generalisation score, from 0 to 1, with interval; "
    )
    words += f"up: {' and, in the second row, '.join(kinds)}. Scores: {span(scores)}. "
    rho = mapped.relation.query("technique == 'swapping' and score == 'generalisation_score' and model == 'all'")
    if len(rho) and np.isfinite(rho["value"].iloc[0]):
        words += (
            f"Spearman correlation with depth by swapping: {rho['value'].iloc[0]:z.2f} of {rho['n'].iloc[0]} points."
        )
    return Drawn(figure, words)


def _prepare(column: np.ndarray) -> None:
    for panel in column:
        panel.set_xlim(-0.05, 1.05)
        panel.set_xticks([0, 0.5, 1])
        panel.set_ylim(-0.05, 1.1)
        panel.set_yticks([0, 0.5, 1])
        panel.tick_params(labelsize=SMALL, length=2)


def task_look(number: int, counted: bool) -> dict[str, Any]:
    """Colour and marker of a task; twelve tasks have twelve pairs of them. Hollow: the task was not learnt."""
    colour, marker = PALETTE[number % len(PALETTE)], MARKERS[(number + number // len(PALETTE)) % len(MARKERS)]
    face = colour if counted else "none"
    return {"linestyle": "none", "marker": marker, "color": colour, "markerfacecolor": face, "markersize": 5}


def _depths(column: np.ndarray, mapped: Mapped, task: str, model: str, number: int, crossings: pd.Series) -> float:
    """One task in the panels of one model; its generalisation score."""
    place, score = mapped.places[task, model], mapped.mean((task, model), "generalisation", "clean")
    look = task_look(number, (task, model) in mapped.counted)
    x, along = float(score.value), depth(place.mcog, place.bounds)
    wide = [[x - float(score.low)], [float(score.high) - x]]
    high = [[along.value - along.low], [along.high - along.value]]
    column[0].errorbar([x], [along.value], xerr=wide, yerr=high, elinewidth=0.9, **look)
    if len(crossings) and np.isfinite(crossing := crossings.get((task, model), np.nan)):
        column[1].errorbar([x], [crossing / (get_model(model).layers + 1)], xerr=wide, elinewidth=0.9, **look)
    return x


def _crossings(mapped: Mapped) -> pd.Series:
    """Crossing by (task, model), the mean over seeds; empty without the centroid analysis."""
    rows = mapped.summary[(mapped.summary["technique"] == "centroids") & (mapped.summary["metric"] == "crossing")]
    return rows.groupby(["task", "model"])["value"].mean().dropna()


def depth_name(technique: str, metric: str) -> str:
    """How tables call a depth of ``analysis.relation``."""
    return f"M-CoG, {technique}" if metric == RELATIVE else metric.replace("probing_memorisation", "probing event")
