"""Figures of layer swapping and layer retraining: heatmaps of the memorisation error, layer weights, M-CoG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.intervals import Interval, Localisation
from memloc.analysis.study import Published, published, published_curves
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, model_title, name_axes, span
from memloc.publishing.figures_panels import draw_published, mark_not_learnt, place_panels
from memloc.publishing.reading import Place, Swapping
from memloc.publishing.style import FAINT, GROUP_COLOURS, INK, MARKERS, PALETTE, sort_models, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL_WINDOWS, SINGLE = GROUP_COLOURS["noisy"], GROUP_COLOURS["clean"]
SCALES = {  # what 0 and 1 mean
    "swapping": "share of noisy examples forgotten",
    "retraining": "share forgotten, rescaled",
}


def heatmaps(swapping: Swapping) -> Drawn:
    """Memorisation error by layer and window length, a panel a task and model, all on one scale from 0 to 1."""
    figure, panels = place_panels(swapping, 1.15, sharey=False)
    image = None
    for (task, model), panel in panels.items():
        last, place = get_model(model).layers, swapping.places.get((task, model))
        lengths = list(place.lengths if place else range(1, last + 1))
        rows = len(lengths)
        panel.set_ylim(0.5, rows + 0.5)
        ticks = range(1, rows + 1) if rows < last else sorted({1, (last + 1) // 2, last})
        panel.set_yticks(list(ticks), [str(lengths[row - 1]) for row in ticks])
        panel.grid(False)
        if place:
            extent = (0.5, last + 0.5, 0.5, rows + 0.5)
            image = panel.imshow(place.error, origin="lower", extent=extent, vmin=0, vmax=1, aspect="auto")
            _mark(panel, float(place.mcog.value), rows)
    if image is not None:
        bar = figure.colorbar(image, ax=list(panels.values()), location="top", aspect=40, shrink=0.6, pad=0.02)
        bar.set_label(f"memorisation error: {SCALES[swapping.technique]}", fontsize=SMALL)
        bar.ax.tick_params(labelsize=SMALL)
    name_axes(figure, "layer", "window length")
    return Drawn(figure, _heatmap_words(swapping))


def _mark(panel: Axes, x: float, rows: int) -> None:
    """A triangle on the upper edge at the centre of gravity, with an outline that shows on any shade."""
    style: dict[str, Any] = {
        "color": PALETTE[1],
        "markeredgecolor": "white",
        "markeredgewidth": 0.7,
        "clip_on": False,
        "zorder": 5,
    }
    panel.plot([x], [rows + 0.5], "v", markersize=6, **style)


def _heatmap_words(swapping: Swapping) -> str:
    left_out = len(swapping.all_places) - len(swapping.places)
    words = "Grid of heatmaps, a row a task and a column a model; layer across, window length up, shade from 0 to 1. "
    if swapping.places:
        single = [float(np.max(place.error[0])) for place in swapping.places.values()]
        whole = [float(place.error[-1, 0]) for place in swapping.places.values()]
        words += (
            f"Along the bottom row, of the shortest windows, the largest error of a panel is {span(single)}; "
            f"at the top, with all layers, the error is {span(whole)}. "
        )
    return words + (f"Empty because the labels were not memorised: {left_out} of the panels." if left_out else "")


def weight_curves(swapping: Swapping, beside: Published[np.ndarray] | None = None) -> Drawn:
    """Layer weight over all windows and from single layers, with bootstrap bands, a panel a task and model.

    Args:
        beside: published curves to show too.
    """
    figure, panels = place_panels(swapping, 1.1, sharey=True)
    for key, panel in panels.items():
        if place := swapping.places.get(key):
            _curve(panel, place.weight, ALL_WINDOWS, "-", f"{_which(swapping)} ($w_l$)")
            _curve(panel, place.weight_k1, SINGLE, "--", "single layers ($k = 1$)")
            mark_not_learnt(panel, swapping, key)
    study = draw_published(panels, swapping, beside)
    first = next((panels[key] for key in panels if key in swapping.places), None)
    if first is not None:
        first.set_ylim(bottom=-0.02)
        legend_above(figure, first, 2)
    name_axes(figure, "layer", SCALES[swapping.technique])
    return Drawn(figure, _curve_words(swapping) + study)


def weights_beside_study(swapping: Swapping) -> Drawn:
    """The same with the layer weights that the study published for BERT."""
    return weight_curves(swapping, published_curves())


def _which(swapping: Swapping) -> str:
    """Which windows layer weights are means over."""
    whole = all(len(place.lengths) == len(place.weight.value) for place in swapping.places.values())
    return "all windows" if whole else "the windows that were run"


def _curve(panel: Axes, interval: Interval, colour: str, line: str, label: str) -> None:
    layers = np.arange(1, len(interval.value) + 1)
    panel.fill_between(layers, interval.low, interval.high, color=colour, alpha=0.25, linewidth=0)
    panel.plot(layers, interval.value, color=colour, linestyle=line, linewidth=1.4, label=label)


def _curve_words(swapping: Swapping) -> str:
    words = (
        f"Line charts with bands, a row a task and a column a model: layer across, {SCALES[swapping.technique]} up. "
    )
    if not swapping.places:
        return words + "All panels are empty because no labels were memorised."
    peaks = [1 + int(np.argmax(place.weight.value)) for place in swapping.places.values()]
    top = [float(np.max(place.weight.value)) for place in swapping.places.values()]
    reached = [float(np.max(place.weight_k1.value)) for place in swapping.places.values()]
    alone = [value for value in reached if np.isfinite(value)]
    layers = "layers" if min(peaks) < max(peaks) else "layer"
    words += f"The curve over {_which(swapping)} peaks at {layers} {span(peaks, 0)} with weights of {span(top)}. "
    return words + (f"That of single layers reaches {span(alone)}." if alone else "")


def centres(swapping: Swapping, beside: Published[float] | None = None) -> Drawn:
    """Centres of gravity with intervals by task, a marker a model; a panel for each number of layers, with the
    attainable range shaded.

    Args:
        beside: published centres to show too, in the panel of models with as many layers, if there is one.
    """
    import matplotlib.pyplot as plt

    profile = swapping.study.profile
    tasks, models = sort_tasks(profile.tasks), sort_models(profile.models)
    depths = sorted({get_model(model).layers for model in models})
    size = (WIDTH, len(depths) * (0.42 * len(tasks) + 0.7) + 0.7)
    figure, axes = plt.subplots(len(depths), 1, figsize=size, squeeze=False)
    for panel, depth in zip(axes[:, 0], depths, strict=True):
        _centre_panel(panel, swapping, tasks, [model for model in models if get_model(model).layers == depth], depth)
        if beside and beside.layers == depth:
            _published(panel, beside, tasks)
    axes[-1, 0].set_xlabel("layer", fontsize=SMALL + 1)
    handles = [h for panel in axes[:, 0] for h in panel.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=SMALL)
    return Drawn(figure, _centre_words(swapping))


def _centre_panel(panel: Axes, swapping: Swapping, tasks: list[str], models: list[str], depth: int) -> None:
    """Tasks from top to bottom, the models of one task a little apart."""
    all_models = sort_models(swapping.study.profile.models)
    low, high = _bounds(swapping, depth)
    panel.axvspan(low, high, color=FAINT, alpha=0.18, linewidth=0)
    panel.axvline((depth + 1) / 2, color=INK, linewidth=0.9, linestyle=":")
    for position, model in enumerate(models):
        number = all_models.index(model)
        look: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
        panel.plot([], [], linestyle="", label=model_title(model), **look)
        for row, task in enumerate(tasks):
            if place := swapping.places.get((task, model)):
                _centre(panel, place, row + 0.7 * ((position + 0.5) / len(models) - 0.5), look, (task, model), swapping)
    panel.set_xlim(0.7, depth + 0.3)
    panel.set_xticks(range(1, depth + 1))
    panel.set_ylim(len(tasks) - 0.5, -0.5)
    panel.set_yticks(range(len(tasks)), tasks, fontsize=SMALL)
    panel.tick_params(labelsize=SMALL, length=2)
    panel.set_title(f"models with {depth} layers", fontsize=SMALL, loc="left")


def centres_beside_study(swapping: Swapping) -> Drawn:
    """The same with the centres that the study published for BERT."""
    return centres(swapping, published())


def _published(panel: Axes, told: Published[float], tasks: list[str]) -> None:
    """Stars below a task's own markers; no interval is published."""
    rows = [row for row, task in enumerate(tasks) if task in told.tasks]
    values = [told.tasks[tasks[row]] for row in rows]
    style: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 7, "linestyle": ""}
    panel.plot(values, [row + 0.32 for row in rows], label=told.title, **style)


def _bounds(swapping: Swapping, depth: int) -> tuple[float, float]:
    """The attainable range of the windows that were measured."""
    for place in swapping.places.values():
        if len(place.weight.value) == depth:
            return place.bounds
    from memloc.analysis.layers import attainable_range
    from memloc.windows import windows

    return attainable_range(windows(depth), depth)


def _centre(panel: Axes, place: Localisation, y: float, look: dict[str, Any], key: Place, swapping: Swapping) -> None:
    """One M-CoG; hollow where the task was not learnt and the place does not count."""
    face = look["color"] if key in swapping.counted else "none"
    panel.plot([float(place.mcog.low), float(place.mcog.high)], [y, y], color=look["color"], linewidth=1.3)
    panel.plot([float(place.mcog.value)], [y], markersize=4.5, markerfacecolor=face, **look)


def _centre_words(swapping: Swapping) -> str:
    words = "Dots with horizontal intervals, a row a task and a marker a model, over a shaded attainable range. "
    if not swapping.places:
        return words + "There are no dots because no labels were memorised."
    where = {key: float(place.mcog.value) for key, place in swapping.places.items()}
    low, high = min(where, key=lambda k: where[k]), max(where, key=lambda k: where[k])
    return words + (
        f"The lowest centre is {where[low]:z.2f} ({low[0]}, {model_title(low[1])}), the highest {where[high]:z.2f} "
        f"({high[0]}, {model_title(high[1])})."
        if len(where) > 1
        else f"The only centre is {where[low]:z.2f}."
    )
