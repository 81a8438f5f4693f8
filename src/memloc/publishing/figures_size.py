"""Figures of models of several sizes: weights against the share of layers, depths, and the study's larger model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.analysis.correlation import correlation
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, model_title, name_axes, note, span, tiles
from memloc.publishing.figures_centroids import EVENTS, event_scatter
from memloc.publishing.figures_maps import task_look
from memloc.publishing.figures_panels import NOT_RUN
from memloc.publishing.reading import Place
from memloc.publishing.reading_size import (
    LARGER,
    READINGS,
    SAME_FAMILY,
    Sized,
    read_off,
    study_centres,
    study_events,
)
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGAINST = "M-CoG, share"  # of the panel whose smaller model is of the larger one's family
STUDY_MARKS = {SAME_FAMILY: ("none", "OPT 125M of the study"), LARGER: (INK, "OPT 1.3B of the study")}
TITLES = {"share": "share of the layers below it", "depth": "depth"}


def _look(number: int) -> dict[str, Any]:
    """Colour and marker of the n-th model."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def weights_by_share(sized: Sized) -> Drawn:
    """Layer weight over its mean against the share of the layers that lies below, a panel a task, a line a model."""
    figure, panels = tiles(max(1, len(sized.tasks)), 1.75, columns=2, sharex=True, sharey=True)
    peaks: dict[str, list[float]] = {}
    for panel, task in zip(panels, sized.tasks, strict=False):
        panel.set_title(task, fontsize=SMALL + 0.5)
        panel.axhline(1, color=FAINT, linewidth=0.9)
        for number, model in enumerate(sized.models):
            if place := sized.places.get((task, model)):
                weight = place.weight
                across, mean = middles(len(weight.value)), float(weight.value.mean())
                look = {**_look(number), "linewidth": 1.3, "markersize": 3}
                if (task, model) not in sized.counted:
                    look["markerfacecolor"] = "none"
                panel.fill_between(across, weight.low / mean, weight.high / mean, alpha=0.2, lw=0, color=look["color"])
                panel.plot(across, weight.value / mean, **look)
                peaks.setdefault(model, []).append(float(across[int(np.argmax(weight.value))]))
    for panel in panels:
        panel.set_xlim(0, 1)
        panel.set_xticks([0, 0.5, 1])
        panel.tick_params(labelsize=SMALL, length=2)
    if not sized.places:
        note(panels[0], NOT_RUN)
    else:
        for number, model in enumerate(sized.models):
            panels[0].plot([], [], label=model_title(model), markersize=4, **_look(number))
        legend_above(figure, panels[0], 2)
    name_axes(figure, "share of the layers", "weight / mean weight")
    words = (
        "Line charts with bands, a panel a task and a line a model: share of the layers across, layer weight divided "
    )
    told = "; ".join(f"{model_title(model)} {span(found)}" for model, found in peaks.items())
    return Drawn(figure, words + f"by its mean up. Peaks of the tasks lie at: {told or 'nothing was run'}.")


def middles(layers: int) -> np.ndarray:
    """Where a model's layers lie between 0 and 1: layer l of L covers the share from (l - 1) / L to l / L."""
    return (np.arange(1, layers + 1) - 0.5) / layers


def centres(sized: Sized) -> Drawn:
    """M-CoG by task in both readings, a marker a model, with intervals; stars for the study's OPT at two sizes."""
    import matplotlib.pyplot as plt

    tasks = sized.tasks or list(study_centres(READINGS[0]).index)
    size = (WIDTH, 0.42 * len(tasks) + 1.8)
    figure, panels = plt.subplots(1, len(READINGS), figsize=size, sharey=True)
    for panel, reading in zip(panels, READINGS, strict=True):
        for number, model in enumerate(sized.models):
            panel.plot([], [], linestyle="", label=model_title(model), **_look(number))
            for row, task in enumerate(tasks):
                _centre(panel, sized, (task, model), reading, row)
        _stars(panel, tasks, reading, len(sized.models))
        panel.axvline(0.5, color=INK, linewidth=0.9, linestyle=":")
        panel.tick_params(labelsize=SMALL, length=2)
        panel.set_xlabel(TITLES[reading], fontsize=SMALL + 1)
    panels[0].set_ylim(len(tasks) - 0.5, -0.5)
    panels[0].set_yticks(range(len(tasks)), tasks, fontsize=SMALL)
    legend_above(figure, panels[0], 2)
    return Drawn(figure, _centre_words(sized))


def _centre(panel: Axes, sized: Sized, place: Place, reading: str, row: int) -> None:
    """One M-CoG; hollow where the task was not learnt."""
    if found := sized.places.get(place):
        number = sized.models.index(place[1])
        along, y = read_off(found.mcog, found, reading), _height(row, number, len(sized.models) + len(STUDY_MARKS))
        look = _look(number)
        face = look["color"] if place in sized.counted else "none"
        panel.plot([float(along.low), float(along.high)], [y, y], color=look["color"], linewidth=1.3)
        panel.plot([float(along.value)], [y], markersize=4.5, markerfacecolor=face, linestyle="", **look)


def _stars(panel: Axes, tasks: list[str], reading: str, first: int) -> None:
    """The study's two sizes of OPT below a task's own markers; no interval is published."""
    study = study_centres(reading, (SAME_FAMILY, LARGER))
    rows = [row for row, task in enumerate(tasks) if task in study.index]
    for number, (model, (face, title)) in enumerate(STUDY_MARKS.items(), start=first):
        values = study.loc[[tasks[row] for row in rows], model].tolist()
        look: dict[str, Any] = {"color": INK, "marker": "*", "markerfacecolor": face, "linestyle": "", "markersize": 7}
        panel.plot(values, [_height(row, number, first + len(STUDY_MARKS)) for row in rows], label=title, **look)


def _height(row: int, number: int, many: int) -> float:
    """The models of one task lie a little apart."""
    return row + 0.7 * ((number + 0.5) / many - 0.5)


def _centre_words(sized: Sized) -> str:
    words = (
        "Two panels of dots with horizontal intervals, a row a task and a marker a model: the M-CoG as the share of "
    )
    words += "the layers below it, and as depth. "
    if not sized.places:
        return words + "There are only the study's two stars a task, for no model of ours was run."
    told = []
    for reading in READINGS:
        spans = [f"{model_title(str(model))} {span(list(of))}" for model, of in sized.centres(reading).items()]
        told.append(f"by {reading}: {'; '.join(spans)}")
    return f"{words}Ranges of the models {'. Ranges '.join(told)}. Stars: the study's OPT at two sizes."


def events(sized: Sized) -> Drawn:
    """Crossing and the separation of classes in layers, a panel a model, on axes as long as the model is deep."""
    if sized.centroids:
        models = {run: part.study.profile.models for run, part in sized.centroids.items()}
        first = sorted(models, key=lambda run: min(get_model(model).layers for model in models[run]))
        return event_scatter(*(sized.centroids[run] for run in first))
    figure, (panel,) = tiles(1, 2.3)
    note(panel, NOT_RUN)
    return Drawn(figure, "An empty panel: no centroid analysis was run.")


def study_sizes() -> Drawn:
    """The study's smaller models across, its larger one up: depth, crossing, initiation; a mark a task."""
    grids = {AGAINST: study_centres(READINGS[0], (SAME_FAMILY, LARGER))}
    grids |= {event: study_events(event) for event in EVENTS["centroids"]}
    figure, panels = tiles(len(grids), 2.35)
    tasks, told = list(grids[AGAINST].index), []
    for panel, (name, grid) in zip(panels, grids.items(), strict=True):
        _against(panel, grid, tasks)
        panel.set_title(name, fontsize=SMALL + 0.5)
        small, large = grid.to_numpy(float).T
        rho = float(correlation(small, large, "spearman")[0])
        above = int((large > small).sum())
        told.append(f"{name}: rank correlation {rho:z.2f}, {above} of {len(grid)} tasks above the diagonal")
    for number, task in enumerate(tasks):
        panels[0].plot([], [], label=task, **task_look(number, True))
    legend_above(figure, panels[0], 4)
    name_axes(figure, "smaller models", "OPT 1.3B")
    words = "Scatter plots of the study's own numbers, a mark a task: smaller models across, OPT 1.3B up. "
    return Drawn(figure, words + "; ".join(told) + ".")


def _against(panel: Axes, grid: pd.DataFrame, tasks: list[str]) -> None:
    low, high = np.floor(10 * grid.to_numpy().min() - 0.3) / 10, np.ceil(10 * grid.to_numpy().max() + 0.3) / 10
    panel.plot([low, high], [low, high], color=FAINT, linewidth=0.9)
    for task, (x, y) in zip(grid.index, grid.to_numpy(float), strict=True):
        panel.plot([x], [y], **task_look(tasks.index(task), True))
    panel.set_xlim(low, high)
    panel.set_ylim(low, high)
    panel.tick_params(labelsize=SMALL, length=2)
