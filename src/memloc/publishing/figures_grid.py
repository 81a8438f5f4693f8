"""Figures over all tasks and models of a grid: what one layer's swap forgets, and depth by technique."""

from __future__ import annotations

from itertools import product

import numpy as np

from memloc.data.catalogue import get_task
from memloc.data.specs import GROUPS
from memloc.publishing.figures import (
    SMALL,
    WIDTH,
    Drawn,
    legend_above,
    line_look,
    listed,
    model_title,
    name_axes,
    span,
    task_look,
)
from memloc.publishing.figures_beside import LOOKS
from memloc.publishing.reading import Place, Swapping
from memloc.publishing.reading_techniques import Beside
from memloc.publishing.style import FAINT, INK, sort_models, sort_tasks

THIN = {"linewidth": 0.6, "markersize": 1.5}
GROUP_NAMES = {"nlu": "NLU"}
HALF = 0.5  # of the noisy examples: what claim C04 says that no single layer forgets


def largest_of_one(swapping: Swapping) -> dict[Place, float]:
    """The largest memorisation error that changing one layer brings, by task and model, mean over seeds; NaN where
    windows of length 1 were not measured."""
    return {place: float(np.max(found.weight_k1.value)) for place, found in swapping.places.items()}


def single_layers(swapping: Swapping) -> Drawn:
    """The largest error from changing one layer: models down, error across, a mark a task."""
    import matplotlib.pyplot as plt

    models = [m for m in sort_models(swapping.study.profile.models) if any(place[1] == m for place in swapping.places)]
    tasks, found = sort_tasks(swapping.study.profile.tasks), largest_of_one(swapping)
    figure, panel = plt.subplots(figsize=(WIDTH, 0.62 * max(len(models), 1) + 1.5))
    for (task, model), error in found.items():
        number, look = tasks.index(task), task_look(task, tasks)
        face = look["color"] if (task, model) in swapping.counted else "none"
        offset = 0.7 * ((number + 0.5) / len(tasks) - 0.5)
        panel.plot([error], [models.index(model) + offset], linestyle="", markersize=5, markerfacecolor=face, **look)
    for task in (task for task in tasks if any(place[0] == task for place in found)):
        panel.plot([], [], linestyle="", markersize=5, label=task, **task_look(task, tasks))
    panel.axvline(HALF, color=INK, linestyle=":", linewidth=1)
    panel.set_xlim(-0.03, 1.03)
    panel.set_ylim(max(len(models), 1) - 0.5, -0.5)
    panel.set_yticks(range(len(models)), [model_title(model) for model in models], fontsize=SMALL)
    panel.set_xlabel("largest error from changing one layer", fontsize=SMALL + 1)
    panel.tick_params(labelsize=SMALL, length=2)
    if found:
        figure.legend(loc="outside upper left", ncols=4, fontsize=SMALL - 0.5)
    return Drawn(figure, _single_words(found))


def _single_words(found: dict[Place, float]) -> str:
    words = (
        "Marks, a row a model and a mark a task: the largest share of noisy examples that one layer's change forgets. "
    )
    if not found:
        return words + "There are none, because no labels were memorised."
    over = [f"{task} ({model_title(model)})" for (task, model), error in found.items() if error >= HALF]
    words += f"They lie at {span(list(found.values()))}. "
    return words + (f"At one half or more: {listed(over)}." if over else "None reaches one half.")


def weights_by_group(beside: Beside) -> Drawn:
    """Layer weights divided by their sum, the mean over the tasks of a group: techniques down, groups across, a line a
    model; thin where no task of the group was learnt by it."""
    import matplotlib.pyplot as plt

    names, models = list(beside.told), sort_models({model for _, model in beside.places})
    groups = [group for group in GROUPS if any(get_task(task).group == group for task, _ in beside.places)]
    size = (WIDTH, 1.3 * max(len(names), 1) + 1.1)
    figure, axes = plt.subplots(
        max(len(names), 1), max(len(groups), 1), figsize=size, squeeze=False, sharex=True, sharey="row"
    )
    peaks: dict[str, list[float]] = {name: [] for name in names}
    for (row, name), (column, group) in product(enumerate(names), enumerate(groups)):
        panel = axes[row, column]
        for number, model in enumerate(models):
            shares = {
                task: share for task, share in _shares(beside, model, name).items() if get_task(task).group == group
            }
            if shares:
                mean = np.mean(list(shares.values()), axis=0)
                learnt = any((task, model) in beside.counted for task in shares)
                panel.plot(np.arange(1, len(mean) + 1), mean, **line_look(number) | ({} if learnt else THIN))
                peaks[name].append(1.0 + int(np.argmax(mean)))
        panel.tick_params(labelsize=SMALL, length=2)
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name, fontsize=SMALL)
    for column, group in enumerate(groups):
        axes[0, column].set_title(GROUP_NAMES.get(group, group), fontsize=SMALL + 0.5)
    for number, model in enumerate(models):
        axes[0, 0].plot([], [], label=model_title(model), **line_look(number))
    if models:
        legend_above(figure, axes[0, 0], 2)
    for row in axes:
        row[0].set_ylim(bottom=0)
    name_axes(figure, "layer", "layer weight (sum 1)")
    told = "; ".join(f"{name}: {span(of, 0)}" for name, of in peaks.items() if of)
    words = "Lines over layers, a row a technique, a column a group of tasks, a line a model: mean layer weight. "
    return Drawn(figure, words + (f"Layers of the peaks: {told}." if told else "There are none."))


def _shares(beside: Beside, model: str, technique: str) -> dict[str, np.ndarray]:
    """Layer weights of a model divided by their sum, by task, of those that have any."""
    found = {task: places[technique].weight for (task, of), places in beside.places.items() if of == model}
    return {task: weight / weight.sum() for task, weight in found.items() if weight.sum() > 0}  # not of NaN either


def depths_by_technique(beside: Beside) -> Drawn:
    """Depth along each technique's own attainable range: tasks down, a mark a technique at the mean over models, a line
    from the lowest model to the highest."""
    import matplotlib.pyplot as plt

    tasks = [
        task for task in sort_tasks(beside.study.profile.tasks) if any(place[0] == task for place in beside.places)
    ]
    names = list(beside.told)
    figure, panel = plt.subplots(figsize=(WIDTH, 0.55 * max(len(tasks), 1) + 1.4))
    means: dict[str, list[float]] = {name: [] for name in names}
    for row, task in enumerate(tasks):
        for number, name in enumerate(names):
            values = depths_of(beside, task, name)
            if not len(values):
                continue
            colour, _, marker = LOOKS[name]
            at, mean = row + 0.7 * ((number + 0.5) / len(names) - 0.5), float(np.mean(values))
            panel.plot([min(values), max(values)], [at, at], color=colour, linewidth=1.1)
            panel.plot([mean], [at], marker, color=colour, markersize=5)
            means[name].append(mean)
    panel.axvline(0.5, color=FAINT, linewidth=1)
    for name in names:
        panel.plot([], [], LOOKS[name][2], color=LOOKS[name][0], markersize=5, label=name)
    panel.set_ylim(max(len(tasks), 1) - 0.5, -0.5)
    panel.set_yticks(range(len(tasks)), tasks, fontsize=SMALL)
    panel.set_xlabel("depth (0: all in the first layer, 1: in the last)", fontsize=SMALL + 1)
    panel.tick_params(labelsize=SMALL, length=2)
    figure.legend(loc="outside upper left", ncols=4, fontsize=SMALL)
    told = "; ".join(f"{name}: {span(of)}" for name, of in means.items() if of)
    words = (
        "Marks with horizontal lines, a row a task and a mark a technique: depth, the mean over models, with a line "
    )
    return Drawn(
        figure, words + (f"from the lowest model to the highest. {told}." if told else "each. There are none.")
    )


def depths_of(beside: Beside, task: str, technique: str) -> list[float]:
    """The depth that a technique gives each model of a task that memorised, as far as it gives one."""
    found = [weights[technique].relative for (of, _), weights in beside.places.items() if of == task]
    return [value for value in found if np.isfinite(value)]
