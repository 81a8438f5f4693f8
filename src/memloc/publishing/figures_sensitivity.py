"""Figures of sensitivity: a profile beside its variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, model_title, name_axes, span
from memloc.publishing.figures_panels import LINES, mark_not_learnt, place_panels
from memloc.publishing.reading import Place
from memloc.publishing.reading_sensitivity import BASE, SETTINGS, Sensitivity
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE_STYLES = ("--", ":", "-.")  # the values of one setting


def look(found: Sensitivity, name: str) -> dict[str, Any]:
    """Colour by setting and line by value; the profile itself is black and thicker."""
    run = found.runs[name]
    if name == BASE:
        return {"color": INK, "linestyle": "-", "linewidth": 2.0}
    settings = [*SETTINGS, *sorted({other.setting for other in found.variants.values()} - set(SETTINGS))]
    alike = [other for other, of in found.variants.items() if of.setting == run.setting]
    colour = PALETTE[settings.index(run.setting) % len(PALETTE)]
    return {"color": colour, "linestyle": LINE_STYLES[alike.index(name) % len(LINE_STYLES)], "linewidth": 1.3}


def centres(found: Sensitivity) -> Drawn:
    """M-CoG with its interval by variant, a panel a task and model, from end to end of the attainable range."""
    import matplotlib.pyplot as plt

    places = [place for place in found.all_places if place in found.places]
    columns = min(2, len(places)) or 1
    rows = -(-len(places) // columns) or 1
    size = (WIDTH, rows * (0.19 * len(found.runs) + 0.55) + 0.5)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for panel in axes.flat[len(places) :]:
        panel.set_visible(False)
    for panel, place in zip(axes.flat, places, strict=False):
        _centre_panel(panel, found, place)
    name_axes(figure, "layer: the attainable range of the M-CoG", "")
    return Drawn(figure, _centre_words(found, places))


def _centre_panel(panel: Axes, found: Sensitivity, place: Place) -> None:
    base = found.places[place]
    panel.axvline(float(base.mcog.value), color=FAINT, linewidth=0.9)
    for row, (name, run) in enumerate(found.runs.items()):
        if here := run.swapping.places.get(place):
            colour = look(found, name)["color"]
            face = colour if place in run.swapping.counted else "none"
            panel.plot([float(here.mcog.low), float(here.mcog.high)], [row, row], color=colour, linewidth=1.3)
            panel.plot([float(here.mcog.value)], [row], "o", color=colour, markerfacecolor=face, markersize=4)
        else:
            panel.text(base.bounds[0], row, " not memorised", va="center", fontsize=SMALL - 1.5, color=INK)
    panel.set_xlim(*base.bounds)
    panel.set_ylim(len(found.runs) - 0.5, -0.5)
    panel.set_yticks(range(len(found.runs)), [run.title for run in found.runs.values()], fontsize=SMALL - 0.5)
    panel.tick_params(labelsize=SMALL - 0.5, length=2)
    panel.set_title(f"{place[0]}, {model_title(place[1])}", fontsize=SMALL, loc="left")


def _centre_words(found: Sensitivity, places: list[Place]) -> str:
    words = (
        "Dots with horizontal intervals, a panel a task and model, a row a variant; the grey line is the profile as "
    )
    if not places:
        return words + "it is. There are no dots because no labels were memorised."
    told = []
    for place in places:
        centres = [
            float(r.swapping.places[place].mcog.value) for r in found.runs.values() if place in r.swapping.places
        ]
        told.append(f"{place[0]}, {model_title(place[1])} {span(centres)}")
    return f"{words}it is. Centres: {'; '.join(told)}."


def curves(found: Sensitivity) -> Drawn:
    """Layer weights of all variants over one another, a panel a task and model."""
    figure, panels = place_panels(found, 1.5, sharey=True)
    shown = [place for place in panels if place in found.places]
    tops: list[float] = []
    for place in shown:
        for name, run in reversed(found.runs.items()):  # the profile itself lies on top
            if here := run.swapping.places.get(place):
                weight = here.weight.value
                panels[place].plot(np.arange(1, len(weight) + 1), weight, **look(found, name))
                tops.append(1.0 + int(np.argmax(weight)))
        mark_not_learnt(panels[place], found, place)
    if shown:
        for name, run in found.runs.items():  # every variant is named, even where the first panel lacks it
            panels[shown[0]].plot([], [], label=run.title, **look(found, name))
        panels[shown[0]].set_ylim(bottom=0)
        legend_above(figure, panels[shown[0]], 2)
    name_axes(figure, "layer", "layer weight")
    words = f"{LINES}layer weight by swapping up, a line a variant, {len(found.runs)} of them. "
    return Drawn(figure, words + (f"Layers of the peaks: {span(tops, 0)}." if tops else "No labels were memorised."))


def changes(found: Sensitivity) -> Drawn:
    """Change of depth by variant, a marker a task and model, over the band within which draws of the data lie."""
    import matplotlib.pyplot as plt

    runs = found.variants
    figure, panel = plt.subplots(figsize=(WIDTH, 0.28 * len(runs) + 1.5))
    if found.spread:
        limit = found.spread.limit
        panel.axvspan(-limit, limit, color=FAINT, alpha=0.25, linewidth=0, label="as far as two draws, 19 of 20 times")
    panel.axvline(0, color=INK, linewidth=0.9)
    for number, place in enumerate(found.counted):
        style: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
        here = found.changes[(found.changes["task"] == place[0]) & (found.changes["model"] == place[1])]
        shift = 0.6 * ((number + 0.5) / len(found.counted) - 0.5)
        rows = [list(runs).index(name) + shift for name in here["variant"]]
        label = f"{place[0]}, {model_title(place[1])}"
        panel.plot(here["change"], rows, linestyle="", markersize=4.5, label=label, **style)
    panel.set_ylim(max(len(runs), 1) - 0.5, -0.5)
    panel.set_yticks(range(len(runs)), [run.title for run in runs.values()], fontsize=SMALL)
    panel.tick_params(labelsize=SMALL, length=2)
    panel.set_xlabel("change of depth (0 to 1)", fontsize=SMALL + 1)
    if panel.get_legend_handles_labels()[0]:
        legend_above(figure, panel, 2)
    return Drawn(figure, _change_words(found))


def _change_words(found: Sensitivity) -> str:
    words = "Dots, a row a variant and a marker a task and model: change of depth across, 0 in the middle. "
    words += (
        f"The shaded band reaches {found.spread.limit:z.2f} to both sides. " if found.spread else "There is no band. "
    )
    told = [f"{run.title} {span(_changes(found, name))}" for name, run in found.variants.items()]
    return words + (f"Changes: {'; '.join(told)}." if told else "There is no variant.")


def _changes(found: Sensitivity, name: str) -> list[float]:
    return [float(value) for value in found.changes.loc[found.changes["variant"] == name, "change"]]
