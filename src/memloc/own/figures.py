"""Figures of a report on a user's own model, each with its words; in the style of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.curves import curve, trained_arm
from memloc.analysis.weights import LayerWeights
from memloc.publishing.figures import WIDTH
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from memloc.own.result import Localised

Told = tuple[str, "Figure", str, str]  # heading, figure, caption, alt text


def figures(found: Localised) -> list[Told]:
    """Every figure that the techniques which ran allow."""
    from memloc.publishing.style import use_style

    use_style()
    weights = {name: told for name, told in found.layer_weights().items() if np.isfinite(told.weight).any()}
    made = [draw_weights(weights)] if weights else []
    made += [_heatmap(name, told) for name, told in weights.items() if told.error is not None and len(told.lengths) > 1]
    if "centroids" in found.techniques:
        made.append(_centroids(found))
    return made


def _panels(number: int, width: float = WIDTH, height: float = 2.1) -> tuple[Figure, list[Axes]]:
    """Panels in rows of two, so that letters stay legible on a narrow screen."""
    import matplotlib.pyplot as plt

    columns = min(2, number)
    rows = -(-number // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height * rows), squeeze=False)
    panels = list(axes.flat)
    for unused in panels[number:]:
        unused.remove()
    return figure, panels[:number]


def _layer_axis(panel: Axes, last: int) -> None:
    panel.set_xlim(0.6, last + 0.4)
    panel.set_xticks(sorted({1, (last + 1) // 2, last}))
    panel.set_xlabel("layer")


def draw_weights(weights: dict[str, LayerWeights]) -> Told:
    """Layer weight by layer, a panel a technique, since their scales differ."""
    figure, panels = _panels(len(weights))
    words = []
    for position, (panel, (name, told)) in enumerate(zip(panels, weights.items(), strict=True)):
        layers = np.arange(1, told.num_layers + 1)
        look: dict[str, Any] = {"color": PALETTE[position], "marker": MARKERS[position]}
        panel.plot(layers, told.weight, **look)
        if np.isfinite(told.mcog):
            panel.axvline(told.mcog, color=INK, linestyle=":", linewidth=1)
        panel.axvspan(*told.bounds, color=FAINT, alpha=0.18, linewidth=0)
        panel.set_title(name)
        low, high = min(0.0, float(np.nanmin(told.weight))), float(np.nanmax(told.weight))
        panel.set_ylim(low, high * 1.1 if high > 0 else 1.0)
        _layer_axis(panel, told.num_layers)
        words.append(
            f"{name}: largest {np.nanmax(told.weight):.3f} at layer {int(np.nanargmax(told.weight)) + 1}, "
            f"smallest {np.nanmin(told.weight):.3f} at layer {int(np.nanargmin(told.weight)) + 1}"
        )
    figure.supylabel("layer weight", fontsize="medium")
    caption = (
        "Layer weights. Dotted: centre of gravity. Shaded: where a centre of gravity can lie at all. Scales differ "
        "between techniques, so compare shapes and not heights."
    )
    return "Layer weights", figure, caption, f"Line charts of weight by layer. {'; '.join(words)}."


def _heatmap(name: str, told: LayerWeights) -> Told:
    """Memorisation error by layer and window length."""
    assert told.error is not None
    figure, (panel,) = _panels(1, 4.4, 3.2)
    last = told.num_layers
    image = panel.pcolormesh(
        np.arange(last + 1) + 0.5, np.arange(len(told.lengths) + 1) + 0.5, told.error, vmin=0, vmax=1
    )
    shown = sorted({0, (len(told.lengths) - 1) // 2, len(told.lengths) - 1})
    panel.set_yticks([i + 1 for i in shown], [str(told.lengths[i]) for i in shown])
    panel.set_ylabel("window length")
    panel.grid(False)
    _layer_axis(panel, last)
    figure.colorbar(image, ax=panel).set_label("memorisation error")
    what = {"swapping": "taken from the normal model", "retraining": "reset and retrained on clean examples"}
    caption = (
        f"Share of noisy examples whose wrong label is gone when windows of layers are {what.get(name, 'changed')}, "
        "averaged over the windows of a length that hold the layer."
    )
    row = np.nanmax(told.error, axis=1)
    alt = (
        f"Heatmap, layer across and window length up. The largest error is {row[0]:.2f} with windows of "
        f"{told.lengths[0]} and {row[-1]:.2f} with windows of {told.lengths[-1]}."
    )
    return f"Memorisation error: {name}", figure, caption, alt


def _centroids(found: Localised) -> Told:
    """Mean position at layers 1..L, with bands; before them an encoder's token is alike for all examples."""
    rows = found.of("centroids")
    arm = trained_arm(rows)
    figure, (panel,) = _panels(1, 5.2, 3.0)
    places = {}
    for position, (name, group) in enumerate((("original", "clean"), ("given", "clean"), ("noisy", "noisy"))):
        mean, low, high = (curve(rows, arm, f"{name}_{what}", group) for what in ("mean", "p12.5", "p87.5"))
        layers = np.arange(1, len(mean) + 1)
        label = {"noisy": "noisy examples", "given": "class of the wrong label", "original": "original class"}[name]
        panel.fill_between(layers, low, high, color=PALETTE[position], alpha=0.18, linewidth=0)
        panel.plot(layers, mean, color=PALETTE[position], marker=MARKERS[position], markersize=3.5, label=label)
        places[name] = mean
    panel.axhline(0.5, color=INK, linestyle=":", linewidth=1)
    panel.set_ylabel("position t")
    _layer_axis(panel, len(places["noisy"]))
    figure.legend(loc="outside upper left", ncols=3, fontsize=9)
    caption = (
        "Position between two classes' centroids: 1 is the original class, 0 the class of the wrong label. Bands: the "
        "middle three quarters of the examples."
    )
    noisy = places["noisy"]
    alt = f"Three curves by layer. Noisy examples go from {noisy[0]:.2f} to {noisy[-1]:.2f}."
    return "Centroids", figure, caption, alt
