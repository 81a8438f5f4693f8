"""Figures of the data, and what all figures share: a grid of small panels, one row a task and one column a model.

A function returns the figure together with what it shows in words, made from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from memloc.data.catalogue import get_task
from memloc.data.generated import explain
from memloc.models.catalogue import get_model
from memloc.publishing.reading import Study
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE, sort_models, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.2  # inches: drawn at this size on a wide page, and letters keep more than 8 px on a page of 390 px
SMALL = 9.5  # points
LINES = ("-", "--", "-.", ":")
LOWEST = 2.2  # inches of panels


class Drawn(NamedTuple):
    """A figure and what is seen in it, for those who cannot see it."""

    figure: Figure
    alt: str


class Grid(NamedTuple):
    """A figure of small panels and the panel of every (task, model)."""

    figure: Figure
    panels: dict[tuple[str, str], Axes]


def model_title(name: str) -> str:
    """How figures and tables call a model."""
    return get_model(name).title or name


def grid(tasks: Sequence[str], models: Sequence[str], height: float = 1.1, **shared: Any) -> Grid:
    """Panels by task (rows) and model (columns), named at the left and at the top.

    Args:
        height: of a row, in inches.
        shared: ``sharex`` and ``sharey``, as for ``plt.subplots``; both true by default.
    """
    import matplotlib.pyplot as plt

    tasks, models = sort_tasks(tasks), sort_models(models)
    sharing: dict[str, Any] = {"sharex": True, "sharey": True, **shared}
    # one row alone would be lower than the names of its axes are long
    size = (WIDTH, max(height * len(tasks), LOWEST) + 0.9)
    figure, axes = plt.subplots(len(tasks), len(models), figsize=size, squeeze=False, **sharing)
    for row, task in enumerate(tasks):
        axes[row, 0].set_ylabel(task, fontsize=SMALL)
    for column, model in enumerate(models):
        axes[0, column].set_title(model_title(model), fontsize=SMALL + 0.5)
    for panel in axes.flat:
        panel.tick_params(labelsize=SMALL, length=2)
    panels = {(t, m): axes[row, column] for row, t in enumerate(tasks) for column, m in enumerate(models)}
    return Grid(figure, panels)


def name_axes(figure: Figure, x: str, y: str) -> None:
    """Name the axes that all panels share, once."""
    figure.supxlabel(x, fontsize=SMALL + 1, color=INK)
    figure.supylabel(y, fontsize=SMALL + 1, color=INK)


def legend_above(figure: Figure, panel: Axes, columns: int) -> None:
    """One legend for all panels, above them."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=SMALL)


def task_look(task: str, tasks: Sequence[str]) -> dict[str, Any]:
    """Colour and marker of one of many tasks: there are more tasks than colours."""
    number = list(tasks).index(task)
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number // len(PALETTE) % len(MARKERS)]}


def note(panel: Axes, text: str) -> None:
    """Say in an empty panel why it is empty."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=SMALL - 0.5, color=INK)


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


VIEWS = ("nothing", "cue", "operator", "partner", "cue+operator", "cue+partner")


def span(values: Sequence[float], digits: int = 2) -> str:
    """``.. to ..``, or the one number they all are; ``not known`` without any."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "not known"
    low, high = f"{min(known):z.{digits}f}", f"{max(known):z.{digits}f}"
    return low if low == high else f"{low} to {high}"


def best_accuracies(tasks: Sequence[str] = ("gen-cue-6a", "gen-comp-6a", "gen-rel-6a")) -> Drawn:
    """The best accuracy of a rule that sees only some words of an example: a row a generated task, a column a view."""
    import matplotlib.pyplot as plt

    told = {task: explain(get_task(task)) for task in tasks}
    values = np.array([[t["best_accuracy"][view] for view in VIEWS] for t in told.values()])
    figure, panel = plt.subplots(figsize=(WIDTH, 0.45 * len(tasks) + 1.3))
    panel.imshow(values, vmin=0, vmax=1, aspect="auto")
    write_numbers(panel, values, "{:z.2f}")
    panel.set_xticks(range(len(VIEWS)), [view.replace("+", " +\n") for view in VIEWS], fontsize=SMALL)
    panel.set_yticks(range(len(tasks)), list(tasks), fontsize=SMALL)
    panel.set_xlabel("words that the rule may see", fontsize=SMALL + 1)
    panel.grid(False)
    rows = [f"{task} is solved with {listed(t['relevant'])} and is at chance without" for task, t in told.items()]
    return Drawn(figure, f"Table of shades, a row a task and a column a set of words: {'; '.join(rows)}.")


def write_numbers(panel: Axes, values: np.ndarray, form: str) -> None:
    """Write each cell's number into it, light on dark and dark on light."""
    top = max(np.nanmax(values), 1e-9)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value / top > 0.55 else INK
        if not np.isnan(value):
            panel.text(column, row, form.format(value), ha="center", va="center", fontsize=SMALL, color=colour)


def class_sizes(study: Study) -> Drawn:
    """Training examples of each class, one panel a task."""
    import matplotlib.pyplot as plt

    tasks = sort_tasks(study.profile.tasks)
    classes = {task: study.experiment.dataset(task).report["train"]["classes"] for task in tasks}
    figure, panels = tiles(len(tasks), 0.16 * max(map(len, classes.values())) + 0.75, sharex=True)
    for panel, task in zip(panels, tasks, strict=False):
        names, counts = list(classes[task]), list(classes[task].values())
        panel.barh(range(len(names)), counts, color=FAINT)
        panel.set_yticks(range(len(names)), [name[:14] for name in names], fontsize=SMALL - 1)
        panel.invert_yaxis()
        panel.set_title(task, fontsize=SMALL + 0.5)
        panel.tick_params(labelsize=SMALL, length=2)
    figure.supxlabel("training examples", fontsize=SMALL + 1, color=INK)
    plt.setp([p.get_yticklabels() for p in panels], fontsize=SMALL - 1)
    told = [f"{t}: {span(list(c.values()), 0)} in each of {len(c)} classes" for t, c in classes.items()]
    return Drawn(
        figure, f"Bars, one panel a task, one bar a class, as long as its training examples. {'; '.join(told)}."
    )


def noisy_pairs(study: Study) -> Drawn:
    """How many examples of one class were given the label of another: a matrix a task, with the counts written in."""
    tasks = sort_tasks(study.profile.tasks)
    figure, panels = tiles(len(tasks), 1.9)
    told = []
    for panel, task in zip(panels, tasks, strict=False):
        data = study.experiment.dataset(task)
        place = {name: position for position, name in enumerate(data.labels)}
        matrix = np.full((len(place), len(place)), np.nan)
        for pair in data.report["noisy"]:
            matrix[place[pair["label"]], place[pair["given"]]] = pair["n"]
        panel.imshow(matrix, vmin=0, vmax=np.nanmax(matrix) * 1.2)
        write_numbers(panel, matrix, "{:.0f}")
        panel.set_title(task, fontsize=SMALL + 0.5)
        panel.set_xticks(range(len(place)), [_short(name) for name in place], fontsize=SMALL - 1.5, rotation=90)
        panel.set_yticks(range(len(place)), [_short(name) for name in place], fontsize=SMALL - 1.5)
        panel.grid(False)
        told.append(f"{task}: {span(matrix.ravel().tolist(), 0)}")
    name_axes(figure, "given label", "original label")
    return Drawn(
        figure,
        "Square of counts for each task, original label down and given label across; the diagonal is empty, because no "
        f"label is drawn to itself. Counts off the diagonal: {'; '.join(told)}.",
    )


def _short(name: str) -> str:
    return name if len(name) <= 9 else name[:8] + "…"


def tiles(number: int, height: float, columns: int = 3, **shared: Any) -> tuple[Figure, list[Axes]]:
    """So many panels, a few in a row; the rest of the last row stays empty.

    Args:
        height: of a row, in inches.
        columns: in a row, at most.
        shared: ``sharex`` and ``sharey``, as for ``plt.subplots``; neither by default.
    """
    import matplotlib.pyplot as plt

    columns = min(columns, number)
    rows = -(-number // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, rows * height + 0.3), squeeze=False, **shared)
    for panel in axes.flat[number:]:
        panel.set_visible(False)
    return figure, list(axes.flat[:number])


def line_look(number: int) -> dict[str, Any]:
    """Colour, line and marker of the n-th of a few lines."""
    one = number % len(PALETTE)
    return {
        "color": PALETTE[one],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[one],
        "markersize": 3,
        "linewidth": 1.3,
    }
