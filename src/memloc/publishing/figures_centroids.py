"""Figures of the centroid analysis: positions by layer with bands, half-replaced models, events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.analysis.curves import HALVES
from memloc.analysis.events import centroid_events, probing_events
from memloc.analysis.study import Published, published_curves
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, Drawn, legend_above, model_title, name_axes, note, span, task_look, tiles
from memloc.publishing.figures_panels import draw_published, mark_not_learnt, place_panels
from memloc.publishing.reading import Place
from memloc.publishing.reading_techniques import Told
from memloc.publishing.style import FAINT, GROUP_COLOURS, INK, PALETTE, sort_models, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEMBERS = {  # of a pair of classes: label, colour, line
    "noisy": ("noisy", GROUP_COLOURS["noisy"], "-"),
    "given": ("clean, class of the wrong label", GROUP_COLOURS["clean"], "--"),
    "original": ("clean, original class", PALETTE[2], ":"),
}
ARMS = {  # of the figure of half-replaced models
    "": ("perturbed model", GROUP_COLOURS["noisy"], "-"),
    HALVES[0]: ("lower half normal", PALETTE[0], "--"),
    HALVES[1]: ("upper half normal", PALETTE[2], ":"),
}
EVENT_AXES = ("layer of memorisation", "layer where classes begin")
LIMITS = (-0.6, 1.6)  # positions further out say no more
NAMED = 6  # tasks whose names find room beside their points
BESIDE = 0.55  # layers between tasks that stand at one point
EVENTS = {
    "centroids": ("crossing", "initiation"),
    "probing": ("probing_memorisation", "probing_initiation"),
}


def positions(told: Told, beside: Published[np.ndarray] | None = None) -> Drawn:
    """Mean position of noisy and clean examples between two centroids by layer, with the middle 75 % as bands.

    Args:
        beside: published positions of noisy examples to show too.
    """
    figure, panels = _panels(told)
    ends = []
    for place, panel in panels.items():
        if place not in told.places:
            continue
        for member, look in MEMBERS.items():
            group = "noisy" if member == "noisy" else "clean"
            low, mean, high = (told.mean(place, f"{member}_{n}", group, first=0) for n in ("p12.5", "mean", "p87.5"))
            layers = np.arange(len(mean))
            panel.fill_between(layers, low, high, color=look[1], alpha=0.18, linewidth=0)
            panel.plot(layers, mean, color=look[1], linestyle=look[2], linewidth=1.4, label=look[0])
        ends.append(float(told.mean(place, "noisy_mean", "noisy")[-1]))
    study = draw_published(panels, told, beside)
    _finish(figure, panels, told)
    words = (
        "Line charts with bands, a row a task and a column a model: layer across, position up, 1 at the centroid of "
    )
    words += "the original class and 0 at that of the wrong label. "
    return Drawn(figure, words + f"Noisy examples end at a mean position of {span(ends)}.{study}")


def positions_beside_study(told: Told) -> Drawn:
    """The same with the mean positions of noisy examples that the study published for BERT."""
    return positions(told, published_curves("centroids", "noisy_mean"))


def halves(told: Told) -> Drawn:
    """Mean position of noisy examples where half of the layers come from the normal model."""
    figure, panels = _panels(told)
    ends: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for place, panel in panels.items():
        for arm, look in ARMS.items() if place in told.places else ():
            if told.has_arm(place, arm):
                values = told.mean(place, "noisy_mean", "noisy", first=0, arm=arm)
                panel.plot(range(len(values)), values, color=look[1], linestyle=look[2], linewidth=1.4, label=look[0])
                ends[arm].append(float(values[-1]))
    _finish(figure, panels, told)
    words = (
        "Line charts, a row a task and a column a model: layer across, mean position of noisy examples up. At the last "
    )
    tails = [f"{ARMS[arm][0]}: {span(found)}" for arm, found in ends.items() if found]
    return Drawn(figure, words + "layer: " + ("; ".join(tails) if tails else "nothing was memorised") + ".")


def _panels(told: Told) -> Any:
    made = place_panels(told, 1.15, first=0, sharey=True)
    for place, panel in made.panels.items():
        panel.set_ylim(*LIMITS)
        panel.set_yticks([0, 0.5, 1])
        if place in told.places:
            panel.axhline(0.5, color=FAINT, linewidth=0.9)
    return made


def _finish(figure: Any, panels: dict[Place, Any], told: Told) -> None:
    for place, panel in panels.items():
        mark_not_learnt(panel, told, place)
    if shown := [panel for place, panel in panels.items() if place in told.places]:
        legend_above(figure, shown[0], 2)
    name_axes(figure, "layer (0: embeddings)", "position t")


def events_of(told: Told) -> pd.DataFrame:
    """Events of every place, means over seeds: ``task, model, seeds`` and the events' names; NaN where they are none.

    Where some layer places no example (all centroids are the same there) a seed has no events.
    """
    rows = []
    for place, seeds in told.places.items():
        found = pd.DataFrame([_events(told.technique, frame) for frame in seeds])
        rows.append({"task": place[0], "model": place[1], "seeds": len(seeds), **found.mean(skipna=False).to_dict()})
    return pd.DataFrame(rows, columns=None if rows else ["task", "model", "seeds", *EVENTS[told.technique]])


def happened(events: pd.DataFrame, technique: str) -> pd.Series:
    """In which rows of ``events_of`` both events lie at one of the layers 1..L: 0 is before, L + 1 never."""
    layers = pd.Series([get_model(name).layers for name in events["model"]], events.index, dtype=float)
    inside = [events[name].astype(float).between(1, layers) for name in EVENTS[technique]]
    return inside[0] & inside[1]


def _events(technique: str, rows: pd.DataFrame) -> dict[str, float]:
    try:
        if technique == "probing":
            return probing_events(rows)
        found = centroid_events(rows)
        return found | {"initiation_left_out": centroid_events(rows, left_out=True)["initiation"]}
    except MemlocError:
        return dict.fromkeys((*EVENTS[technique], "initiation_left_out"), float("nan"))


def event_scatter(*tolds: Told) -> Drawn:
    """Memorisation across, the beginning of classes up, in layers: a panel a model, a point a task.

    Args:
        tolds: the same technique of one run, or of several with different models.
    """
    drawn = [(model, told) for told in tolds for model in sort_models(told.study.profile.models)]
    figure, panels = tiles(len(drawn), 2.35, columns=2)
    tasks = sort_tasks({task for told in tolds for task, _ in told.places})
    names = EVENTS[tolds[0].technique]
    tables = {id(told): events_of(told) for told in tolds}
    earlier = later = nowhere = 0  # of the points that count, as in the prose
    for panel, (model, told) in zip(panels, drawn, strict=True):
        table = tables[id(told)]
        here = table[table["model"] == model].dropna(subset=list(names))
        if len(tasks) > NAMED:
            _marks(panel, here, names, told, model, tasks)
        else:
            _scatter(panel, here, *names, told, model)
        kept = here[np.array([(task, model) in told.counted for task in here["task"]], dtype=bool)]
        both = kept[happened(kept, tolds[0].technique)]
        gap = both[names[0]] - both[names[1]]
        nowhere += int((kept[names[0]] < 1).sum())
        earlier, later = earlier + int((gap < 0).sum()), later + int((gap > 0).sum())
    if len(tasks) > NAMED:
        for task in tasks:
            panels[0].plot([], [], linestyle="", markersize=5, label=task, **task_look(task, tasks))
        legend_above(figure, panels[0], 4)
    name_axes(figure, *EVENT_AXES)
    words = (
        "Scatter plots, a panel a model, a point a task: layer of memorisation across, layer where classes begin up. "
    )
    words += f"Of points with both events, tasks that were learnt, memorisation comes first in {earlier} and last in "
    words += f"{later}. "
    return Drawn(figure, words + f"On the wrong side from layer 1 on, without an event: {nowhere}.")


def event_axes(panel: Axes, model: str) -> None:
    """A panel for events of a model: layers both ways, from 0 (before layer 1) to L + 1 (never), and the diagonal."""
    last = get_model(model).layers
    panel.plot([0, last + 1], [0, last + 1], color=FAINT, linewidth=0.9)
    panel.set_xlim(-0.5, last + 1.5)
    panel.set_ylim(-0.5, last + 1.9)
    ticks = sorted({0, (last + 1) // 2, last})
    panel.set_xticks(ticks)
    panel.set_yticks(ticks)
    panel.tick_params(labelsize=SMALL, length=2)
    panel.set_title(model_title(model), fontsize=SMALL + 0.5)


def _marks(
    panel: Axes, here: pd.DataFrame, names: tuple[str, str], told: Told, model: str, tasks: Sequence[str]
) -> None:
    """One panel of many tasks, told apart by colour and marker; those at one point stand side by side."""
    event_axes(panel, model)
    panel.set_xlim(left=-1.6)
    for _, point in here.groupby([here[names[0]].round(1), here[names[1]].round(1)]):
        for number, row in enumerate(point.to_dict("records")):
            look = task_look(row["task"], tasks)
            face = look["color"] if (row["task"], model) in told.counted else "none"
            across = row[names[0]] + BESIDE * (number - (len(point) - 1) / 2)
            panel.plot([across], [row[names[1]]], linestyle="", markersize=5, markerfacecolor=face, **look)
    if here.empty:
        note(panel, "no events")


def _scatter(panel: Axes, here: pd.DataFrame, x: str, y: str, told: Told, model: str) -> None:
    """One panel; tasks at one point share a label."""
    event_axes(panel, model)
    last = get_model(model).layers
    for at, point in here.groupby([here[x].round(1), here[y].round(1)]):
        across, up = (float(str(value)) for value in at)
        counted = any((task, model) in told.counted for task in point["task"])
        face = PALETTE[0] if counted else "none"
        panel.plot([across], [up], "o", color=PALETTE[0], markerfacecolor=face, markersize=5)
        side = _side(across, here.loc[(here[y] - up).abs() < 0.5, x], last)
        text = "\n".join(point["task"])
        alignment: Any = "left" if side > 0 else "right"
        panel.text(
            across + side * 0.0375 * (last + 2), up, text, va="center", fontsize=SMALL - 2, color=INK, ha=alignment
        )
    if here.empty:
        note(panel, "no events")


def _side(across: float, row: pd.Series, last: int) -> int:
    """To which side of a point its words go: where there is more room, but not over the next point of its row."""
    side = 1 if across < (last + 1) / 2 else -1
    reach = 0.4 * (last + 2)
    near = {way: ((row - across) * way).between(0.05, reach).any() for way in (1, -1)}
    return -side if near[side] and not near[-side] else side
