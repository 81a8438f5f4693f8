"""Figures of tasks beside their variants of two classes: depth of both, and how their events move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.intervals import Interval
from memloc.analysis.layers import attainable_range, relative_depth
from memloc.analysis.study import told
from memloc.publishing.figures import SMALL, Drawn, legend_above, model_title, name_axes, note, span, tiles
from memloc.publishing.figures_centroids import EVENT_AXES, EVENTS, event_axes
from memloc.publishing.figures_maps import task_look
from memloc.publishing.figures_panels import NOT_MEMORISED
from memloc.publishing.reading_binarised import CENTRE, Binarised
from memloc.publishing.style import FAINT, sort_tasks
from memloc.publishing.tabulate_depth import depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STUDY_LAYERS = 12  # of the four models that the study binarised tasks for
STUDY = "the study"
GREY = {"color": FAINT, "markerfacecolor": FAINT}
MANY, TWO = "o", "^"  # markers of a task and of its variant, where colour is the task's


def depths_of_both(found: Binarised) -> Drawn:
    """Depth with all classes across, with two classes up: a panel a technique and model, a mark a task."""
    tasks = [base for base, _ in found.pairs]
    drawn = [(technique, model) for technique in found.beside.told for model in found.models]
    figure, panels = tiles(len(drawn) + 1, 1.75 if len(drawn) > 2 else 2.2, sharex=True, sharey=True)
    low, high = _limits(found)
    for panel in panels:
        panel.set_xlim(low, high)
        panel.set_ylim(low, high)
        panel.tick_params(labelsize=SMALL, length=2, labelbottom=True)
        panel.plot([low, high], [low, high], color=FAINT, linewidth=0.9)
    for panel, (technique, model) in zip(panels, drawn, strict=False):
        several = f"\n{technique}" if len(found.beside.told) > 1 else ""
        panel.set_title(model_title(model) + several, fontsize=SMALL)
        _both(panel, found, technique, model, tasks)
    panels[-1].set_title(STUDY, fontsize=SMALL)
    study = study_depths()
    for task in sort_tasks(study):
        number = tasks.index(task) if task in tasks else len(tasks)
        panels[-1].plot(*([value] for value in study[task]), **{**task_look(number, True), "marker": "*"})
    for number, task in enumerate(tasks):
        panels[0].plot([], [], label=task, **task_look(number, True))
    legend_above(figure, panels[0], 3)
    name_axes(figure, "depth, all classes", "depth, two classes")
    return Drawn(figure, _depth_words(found))


def _limits(found: Binarised) -> tuple[float, float]:
    """From below the lowest depth that is shown to above the highest, in tenths; the study's range is small."""
    known = [value for pair in study_depths().values() for value in pair]
    for place, techniques in found.places.items():
        for technique, weights in techniques.items():
            own = depth(found.beside.centres[place][technique], weights.bounds)
            known += [float(value) for value in (own.value, own.low, own.high) if np.isfinite(value)]
    return np.floor(10 * min(known) - 0.3) / 10, np.ceil(10 * max(known) + 0.3) / 10


def _both(panel: Axes, found: Binarised, technique: str, model: str, tasks: list[str]) -> None:
    """The tasks of one model, with intervals of both depths where there are any."""
    empty = True
    for number, (base, variant) in enumerate(found.pairs):
        places = (base, model), (variant, model)
        if any(place not in found.places for place in places):
            continue
        across, up = (
            depth(found.beside.centres[place][technique], found.places[place][technique].bounds) for place in places
        )
        counted = all(place in found.counted for place in places)
        wide: dict[str, Any] = {"xerr": _arms(across), "yerr": _arms(up), "elinewidth": 0.9}
        panel.errorbar([float(across.value)], [float(up.value)], **wide, **task_look(number, counted))
        empty = False
    if empty:
        note(panel, NOT_MEMORISED)


def _arms(interval: Interval) -> np.ndarray:
    """How far an interval reaches down and up, [2, 1]; 0 where there is none."""
    ends = np.array([[interval.value - interval.low], [interval.high - interval.value]], float)
    return np.nan_to_num(ends).clip(min=0)


def study_depths() -> dict[str, tuple[float, float]]:
    """The study's M-CoG of both forms along the attainable range of twelve layers, by task; means over its models."""
    from memloc.windows import windows

    bounds = attainable_range(windows(STUDY_LAYERS), STUDY_LAYERS)
    names = ("the tasks that were binarised", "binarised tasks")
    many, two = (told(f"swapping mcog of {name}").values for name in names)
    return {
        task: (float(relative_depth(value, bounds)), float(relative_depth(two[f"{task}v2"], bounds)))
        for task, value in many.items()
    }


def _depth_words(found: Binarised) -> str:
    words = "Scatter plots, a panel a model and a mark a task: depth with all classes across, depth with two up, both "
    words += "from 0 to 1, with a diagonal; the last panel has the study's means. "
    part = found.values[found.values["metric"] == CENTRE]
    if part.empty:
        return words + "Panels of models are empty because no task was memorised in both forms."
    above = int((part["two_along"] > part["multi_along"]).sum())
    return words + f"{above} of {len(part)} marks lie above the diagonal, deeper with two classes."


def events_of_both(found: Binarised) -> Drawn:
    """Crossing across, the separation of classes up: a panel a model, a line from a task to its variant."""
    tasks, (x, y) = [base for base, _ in found.pairs], EVENTS["centroids"]
    figure, panels = tiles(len(found.models), 2.7, columns=2)
    part = found.values[found.values["technique"] == "centroids"]
    wide = part.pivot(index=["model", "task"], columns="metric", values=["multi", "two"])
    for panel, model in zip(panels, found.models, strict=True):
        event_axes(panel, model)
        here = wide.xs(model) if model in wide.index.get_level_values(0) else wide.iloc[:0]
        for task, row in here.iterrows():
            counted = all((form, model) in found.counted for form in (task, dict(found.pairs)[str(task)]))
            _move(panel, row["multi"][[x, y]], row["two"][[x, y]], task_look(tasks.index(str(task)), counted))
        if here.empty:
            note(panel, "no events")
    for number, task in enumerate(tasks):
        panels[0].plot([], [], label=task, **{**task_look(number, True), "marker": MANY})
    panels[0].plot([], [], label="two classes", **{**task_look(len(tasks), True), "marker": TWO, **GREY})
    legend_above(figure, panels[0], 3)
    name_axes(figure, *EVENT_AXES)
    words = (
        "Scatter plots, a panel a model: crossing across and the layer from which classes are apart up, in layers; a "
    )
    words += "line leads from each task, a circle, to its variant of two classes, a triangle. "
    moved = part["two"] - part["multi"]
    told_of = [f"{event} by {span(list(moved[part['metric'] == event]), 1)} layers" for event in (x, y)]
    return Drawn(figure, words + (f"Variants move {' and '.join(told_of)}." if len(part) else "All panels are empty."))


def _move(panel: Axes, start: Any, end: Any, look: dict[str, Any]) -> None:
    across, up = zip(start.to_numpy(float), end.to_numpy(float), strict=True)
    panel.plot(across, up, color=look["color"], linewidth=0.9)
    for marker, place in ((MANY, 0), (TWO, 1)):
        panel.plot([across[place]], [up[place]], **{**look, "marker": marker})
