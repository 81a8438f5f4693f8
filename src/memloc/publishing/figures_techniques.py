"""Figures of layer retraining (side effects), forgetting gradients and probing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.curves import FROZEN, curve
from memloc.analysis.study import Published, published_curves
from memloc.publishing.figures import Drawn, grid, legend_above, name_axes, note, span
from memloc.publishing.figures_panels import (
    LINES,
    NOT_MEMORISED,
    NOT_RUN,
    draw_published,
    mark_not_learnt,
    place_panels,
)
from memloc.publishing.reading import CELL, Place, Swapping
from memloc.publishing.reading_techniques import Told
from memloc.publishing.style import FAINT, GROUP_COLOURS, INK, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRADIENT = "logit_l1"  # the study's objective and norm
PULLS = {  # metric and arm: label, colour, line
    (f"{GRADIENT}_noisy", ""): ("noisy", GROUP_COLOURS["noisy"], "-"),
    (f"{GRADIENT}_clean", ""): ("clean", GROUP_COLOURS["clean"], "--"),
    (f"{GRADIENT}_difference", ""): ("difference", INK, "-"),
    (f"{GRADIENT}_difference", FROZEN): ("difference, frozen arm", PALETTE[3], ":"),
}
RULES = {  # variants of gradients in the figure of weights
    "logit_l1_difference_frozen": ("against the frozen arm", PALETTE[0], "-"),
    "logit_l1_difference_none": ("no baseline", PALETTE[1], "--"),
    "nll_l1_difference_frozen": ("negative log-likelihood", PALETTE[2], ":"),
}
PROBES = {  # target and group: label, colour, line
    ("f1_given", "noisy"): ("given label of noisy", GROUP_COLOURS["noisy"], "-"),
    ("f1_original", "noisy"): ("original label of noisy", GROUP_COLOURS["noisy"], "--"),
    ("f1_given", "clean"): ("given label of clean", GROUP_COLOURS["clean"], "-"),
    ("f1_original", "clean"): ("original label of clean", GROUP_COLOURS["clean"], "--"),
}


def side_effects(retraining: Swapping) -> Drawn:
    """Every window: accuracy on noisy examples across, on held-out clean ones up, a marker a window length."""
    profile = retraining.study.profile
    figure, panels = grid(profile.tasks, list(profile.models), 1.2)
    kept = retraining.rows.merge(retraining.status.loc[retraining.status["memorised"], CELL])
    lengths = sorted({k for place in retraining.places.values() for k in place.lengths})
    lowest = []
    for (task, model), panel in panels.items():
        panel.set_xlim(-0.05, 1.05)
        panel.set_ylim(-0.05, 1.08)
        panel.set_xticks([0, 0.5, 1])
        panel.set_yticks([0, 0.5, 1])
        if (task, model) not in retraining.places:
            note(panel, NOT_MEMORISED if (task, model) in retraining.all_places else NOT_RUN)
            continue
        here = kept[(kept["task"] == task) & (kept["model"] == model)]
        wide = here.pivot_table(index=["window_start", "window_length"], columns="group", values="value")
        lowest.append(float(wide["clean"].min()))
        for number, length in enumerate(lengths):
            chosen = wide[wide.index.get_level_values("window_length") == length]
            look: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
            label = f"{length} layer{'s' if length > 1 else ''}"
            panel.plot(chosen["noisy"], chosen["clean"], linestyle="", markersize=4, alpha=0.8, label=label, **look)
        mark_not_learnt(panel, retraining, (task, model), 0.1)
    if shown := [panels[place] for place in panels if place in retraining.places]:
        legend_above(figure, shown[0], 4 if len(lengths) < 7 else 6)
    name_axes(figure, "accuracy on noisy examples (given labels)", "accuracy on held-out clean")
    words = "Scatter plots, a row a task and a column a model, a dot a window: accuracy on noisy examples across, on "
    words += f"held-out clean ones up. The lowest accuracy on clean ones in a panel is {span(lowest)}."
    return Drawn(figure, words if lowest else words.split(" The lowest")[0] + " Empty: no labels were memorised.")


def _line(panel: Axes, first: int, values: np.ndarray, look: tuple[str, str, str], **more: Any) -> None:
    label, colour, style = look
    layers = np.arange(first, first + len(values))
    given: dict[str, Any] = {"linewidth": 1.4, "label": label} | more
    panel.plot(layers, values, color=colour, linestyle=style, **given)


def _legend(figure: Any, panels: dict[Place, Any], told: Told, columns: int) -> None:
    if shown := [panel for place, panel in panels.items() if place in told.places]:
        legend_above(figure, shown[0], columns)


def gradient_curves(told: Told) -> Drawn:
    """Norms of mean gradients by layer, on a logarithmic scale; each panel divided by its largest value."""
    figure, panels = place_panels(told, 1.15, sharey=True)
    peaks: list[float] = []
    for place, panel in panels.items():
        panel.set_yscale("log")
        if place not in told.places:
            continue
        curves = {key: told.mean(place, key[0], arm=key[1]) for key in PULLS if told.has_arm(place, key[1])}
        top = max(float(values.max()) for values in curves.values()) or 1.0
        for key, values in curves.items():
            _line(panel, 1, np.where(values > 0, values / top, np.nan), PULLS[key])
        peaks.append(1.0 + int(np.argmax(curves[f"{GRADIENT}_difference", ""])))
        mark_not_learnt(panel, told, place)
    _legend(figure, panels, told, 2)
    name_axes(figure, "layer", "L1 norm, largest = 1")
    words = f"{LINES}norm of the gradient up, on a logarithmic scale. "
    return Drawn(figure, words + f"Layers where the difference of noisy and clean is largest: {span(peaks, 0)}.")


def gradient_weights(told: Told) -> Drawn:
    """Layer weights (their sum is 1) by three of the rules, and the default one of every seed, thin."""
    figure, panels = place_panels(told, 1.1, sharey=True)
    heaviest = []
    for place, panel in panels.items():
        if place not in told.places:
            continue
        weights = told.weights[place]
        panel.axhline(1 / weights.num_layers, color=FAINT, linewidth=0.9, label="all layers alike")
        for variant, look in RULES.items():
            if variant.endswith(FROZEN) and not told.has_arm(place, FROZEN):
                continue
            _line(panel, 1, told.weights_of(place, told.places[place], variant).weight, look)
        heaviest.append(1 + int(np.argmax(weights.weight)) if np.isfinite(weights.weight).all() else np.nan)
        for seed in told.places[place] if told.seeds(place) > 1 else []:
            own = told.weights_of(place, [seed], weights.variant).weight
            _line(
                panel, 1, own, RULES.get(weights.variant, RULES["logit_l1_difference_none"]), linewidth=0.5, label=None
            )
        mark_not_learnt(panel, told, place)
    next(iter(panels.values())).set_ylim(bottom=0)  # when all lines are there: panels share their scale
    _legend(figure, panels, told, 2)
    name_axes(figure, "layer", "layer weight (sum 1)")
    return Drawn(figure, f"{LINES}share of the weight up. The heaviest layers of the panels: {span(heaviest, 0)}.")


def f1_curves(told: Told) -> Drawn:
    """F1 of probes for the given and for the original label, on noisy and on clean examples, from layer 0 on."""
    figure, panels = place_panels(told, 1.15, first=0, sharey=True)
    turns = []
    for place, panel in panels.items():
        panel.set_ylim(-0.04, 1.04)
        panel.set_yticks([0, 0.5, 1])
        if place not in told.places:
            continue
        panel.axhline(chance(told, place), color=INK, linewidth=0.9, linestyle=":", label="shuffled labels")
        for (metric, group), look in PROBES.items():
            _line(panel, 0, told.mean(place, metric, group, first=0), look)
        ahead = told.mean(place, "f1_given", "noisy") > told.mean(place, "f1_original", "noisy")
        turns.append(1.0 + float(np.argmax(ahead)) if ahead.any() else np.nan)
        mark_not_learnt(panel, told, place)
    _legend(figure, panels, told, 2)
    name_axes(figure, "layer (0: embeddings)", "macro F1")
    words = f"{LINES}F1 of probes up. On noisy examples the given "
    return Drawn(
        figure, words + f"label first lies above the original one, by however little, at layers: {span(turns, 0)}."
    )


def chance(told: Told, place: Place) -> float:
    """Macro F1 of shuffled labels, clean examples first."""
    found = []
    for rows in told.places[place]:
        shuffled = rows[rows["metric"] == "f1_original_shuffled"]
        clean = shuffled[shuffled["group"] == "clean"]
        found.append(float((clean if len(clean) else shuffled)["value"].mean()))
    return float(np.mean(found))


def noise_curves(told: Told, beside: Published[np.ndarray] | None = None) -> Drawn:
    """F1 of telling noisy from clean by layer, and its rises by both rules: weights of layers.

    Args:
        beside: published curves of F1 to show too.
    """
    figure, panels = place_panels(told, 1.15, first=0, sharey=True)
    last = []
    for place, panel in panels.items():
        if place not in told.places:
            continue
        noise = told.mean(place, "f1_noise", first=0)
        last.append(float(noise[-1]))
        _line(panel, 0, noise, ("F1 of noisy", INK, "-"))
        if told.has_arm(place, FROZEN):
            start = np.mean([curve(rows, FROZEN, "f1_noise")[0] for rows in told.places[place]])
            panel.plot([1], [start], "D", color=PALETTE[3], markersize=4, label="frozen arm, layer 1", linestyle="")
        weights = [told.weights_of(place, told.places[place], v).weight for v in ("rise_of_means", "rise_by_seed")]
        layers = np.arange(1, len(noise))
        panel.bar(layers - 0.2, weights[0], 0.4, color=PALETTE[0], label="rise of the means (weight)")
        panel.bar(layers + 0.2, weights[1], 0.4, color="none", edgecolor=PALETTE[1], label="rises by seed")
        mark_not_learnt(panel, told, place)
    study = draw_published(panels, told, beside)
    _legend(figure, panels, told, 2)
    name_axes(figure, "layer (0: embeddings)", "F1 of noisy; its rise")
    words = f"{LINES}F1 of telling noisy from clean up, with bars for how far it rises at a layer. "
    return Drawn(figure, words + f"F1 at the last layer: {span(last)}.{study}")


def noise_beside_study(told: Told) -> Drawn:
    """The same with the F1 that the study published for BERT."""
    return noise_curves(told, published_curves("probing", "f1_noise"))
