"""Panels with layers across, by task and model: why one is empty or does not count, and the study's curve in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.study import Published
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, Grid, grid, listed, note
from memloc.publishing.reading import ByPlace, Place
from memloc.publishing.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOT_MEMORISED, NOT_RUN = "not\nmemorised", "no run"
LINES = "Line charts, a row a task and a column a model: layer across, "  # how alt texts begin


def place_panels(found: ByPlace, height: float, first: int = 1, **shared: Any) -> Grid:
    """Panels with layers across, by task and model; one without numbers says why it has none.

    Args:
        height: of a row, in inches.
        first: 0 where the embeddings' output is shown too.
        shared: ``sharey``, as for ``plt.subplots``.
    """
    profile = found.study.profile
    made = grid(profile.tasks, list(profile.models), height, sharex="col", **shared)
    for (task, model), panel in made.panels.items():
        last = get_model(model).layers
        panel.set_xlim(first - 0.5, last + 0.5)
        panel.set_xticks(sorted({first, (last + 1) // 2, last}))
        if (task, model) not in found.places:
            note(panel, NOT_MEMORISED if (task, model) in found.all_places else NOT_RUN)
    return made


def mark_not_learnt(panel: Axes, found: ByPlace, place: Place, height: float = 0.8) -> None:
    """Say in a panel that no conclusion rests on it, at a share of the panel's height."""
    if place in found.places and place not in found.counted:
        panel.set_title("not learnt", loc="right", fontsize=SMALL - 1.5, y=height, pad=0)


def draw_published(panels: dict[Place, Axes], found: ByPlace, told: Published[np.ndarray] | None) -> str:
    """The study's curve as stars, in the panels of its tasks whose model has as many layers as the study's; in words.

    The name for the legend goes to the first panel that shows anything.
    """
    shown = [place for place in panels if place in found.places]
    drawn = [p for p in shown if told and p[0] in told.tasks and get_model(p[1]).layers == told.layers]
    if told is None or not drawn:
        return ""
    style: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 5, "linestyle": ":", "linewidth": 0.8}
    for place in drawn:
        panels[place].plot(range(1, told.layers + 1), told.tasks[place[0]], **style)
    panels[shown[0]].plot([], [], label=told.title, **style)
    return f" Stars: {told.title}, for {listed(list(dict.fromkeys(task for task, _ in drawn)))}."
