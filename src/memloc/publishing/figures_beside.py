"""Figures of all techniques side by side: layer weights on one scale, agreement beside the study's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.analysis.agreement import DEPTH, between_models, between_techniques, matrix
from memloc.analysis.study import published_agreement
from memloc.models.catalogue import get_model
from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, model_title, name_axes, note, span
from memloc.publishing.figures_panels import LINES, mark_not_learnt, place_panels
from memloc.publishing.reading_techniques import WEIGHING, Beside
from memloc.publishing.style import DIVERGING, FAINT, INK, MARKERS, PALETTE, sort_models
from memloc.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = {name: (PALETTE[n], ("-", "--", "-.", ":")[n], MARKERS[n]) for n, name in enumerate(WEIGHING)}
NAMED = {"mcog": "M-CoG", "mcog_relative": "depth (0 to 1)", "layer_weight": "layer weights"}
SHORT = {"swapping": "swap", "retraining": "retrain", "gradients": "grad.", "probing": "probe"}
RESAMPLES = 200  # of agreement: rank correlations of many points are slow, and two digits are shown


def scaled_weights(beside: Beside) -> Drawn:
    """Layer weights of all techniques, each divided by its sum, a line a technique."""
    figure, panels = place_panels(beside, 1.15, sharey=True)
    first = None
    peaks: dict[str, list[float]] = {name: [] for name in beside.told}
    for place, panel in panels.items():
        if place not in beside.places:
            continue
        for technique, weights in beside.places[place].items():
            colour, line, marker = LOOKS[technique]
            total = weights.weight.sum()
            if np.isfinite(total) and total > 0:
                share = weights.weight / total
                layers = np.arange(1, len(share) + 1)
                panel.plot(layers, share, line, color=colour, marker=marker, markersize=3, linewidth=1.2)
                peaks[technique].append(float(np.argmax(share)) + 1)
        depth = next(iter(beside.places[place].values())).num_layers
        panel.axhline(1 / depth, color=FAINT, linewidth=0.9)
        mark_not_learnt(panel, beside, place)
        first = first or panel
    if first is not None:  # every technique has its place in the legend, even where a panel lacks it
        for technique in beside.told:
            colour, line, marker = LOOKS[technique]
            first.plot([], [], line, color=colour, marker=marker, markersize=3, linewidth=1.2, label=technique)
        first.plot([], [], color=FAINT, linewidth=0.9, label="all layers alike")
        legend_above(figure, first, 3)
    name_axes(figure, "layer", "share of the weight")
    told = "; ".join(f"{name}: {span(found, 0)}" for name, found in peaks.items() if found)
    words = f"{LINES}share of the layer weight up, a line a "
    return Drawn(figure, words + (f"technique. Layers of the peaks: {told}." if told else "technique. All are empty."))


def agreements(beside: Beside, between: str, only: str | None = None) -> dict[str, pd.DataFrame]:
    """Agreement of techniques or of models by what is compared, in words; empty frames where nothing can be.

    Args:
        between: ``techniques`` or ``models``.
        only: a technique to compare over; by default all.
    """
    table, found = beside.table(), {}
    table = table if only is None else table[table["technique"] == only]
    if table.empty:
        return {}
    compare = between_techniques if between == "techniques" else between_models
    for layerwise in (False, True):
        made = compare(table, layerwise, resamples=RESAMPLES)
        for _, part in made.groupby(["measure", "layers"], dropna=False, sort=False):
            several = layerwise and made["layers"].nunique() > 1
            end = f", L = {part['layers'].iloc[0]}" if several and part["layers"].notna().all() else ""
            found[f"{NAMED[str(part['measure'].iloc[0])]}{end}"] = part.reset_index(drop=True)
    return found


def agreement_triangles(beside: Beside, between: str = "techniques") -> Drawn:
    """Correlations of techniques, or of models: below the diagonal this run's with the number of points, above it the
    study's; of models those of the study's with the same architectures.

    Args:
        between: ``techniques`` or ``models``.
    """
    import matplotlib.pyplot as plt

    found = agreements(beside, between)
    one = between.removesuffix("s")
    names = list(beside.told) if one == "technique" else sort_models({place[1] for place in beside.places})
    figure, axes = plt.subplots(1, max(1, len(found)), figsize=(WIDTH, 2.9 if len(found) < 3 else 2.4), squeeze=False)
    told = []
    for panel, (title, part) in zip(axes.flat, found.items(), strict=False):
        _triangle(panel, part, names, between)
        panel.set_title(title, fontsize=SMALL)
        known = part.dropna(subset="value")
        told.append(f"{title}: {span(list(known['value']))} in {len(known)} of {len(part)} pairs")
    if not found or len(names) < 2:
        axes[0, 0].set_axis_off()
        note(axes[0, 0], "nothing to compare")
    words = f"Square of correlations, a row and a column a {one}; below the diagonal this run's, above it the study's. "
    return Drawn(figure, words + ("; ".join(told) + "." if told else "Nothing can be compared here."))


def agreement_of_models(beside: Beside) -> Drawn:
    """The same of models."""
    return agreement_triangles(beside, "models")


def _triangle(panel: Axes, part: pd.DataFrame, names: list[str], between: str) -> None:
    """One square; a pair that cannot be correlated shows its number of points alone."""
    ours = matrix(part).reindex(index=names, columns=names).to_numpy() if len(part) else np.eye(len(names))
    points = {frozenset((row["first"], row["second"])): int(row["n"]) for row in part.to_dict("records")}
    measure = DEPTH if part["measure"].iloc[0] != "layer_weight" else "layer_weight"
    study, alike = published_agreement(between, measure), _as_in_study(names, between)
    shown = np.full((len(names), len(names)), np.nan)
    for row, first in enumerate(names):
        for column, second in enumerate(names):
            if row > column:
                shown[row, column] = ours[row, column]
                _number(panel, row, column, shown[row, column], f"\nn = {points.get(frozenset((first, second)), 0)}")
            elif row < column:
                shown[row, column] = study.get(frozenset((alike.get(first, ""), alike.get(second, ""))), np.nan)
                _number(panel, row, column, shown[row, column], "")
    panel.imshow(shown, cmap=DIVERGING, vmin=-1, vmax=1)
    short = [SHORT.get(name, name) for name in names] if between == "techniques" else [_short(name) for name in names]
    panel.set_xticks(range(len(names)), short, fontsize=SMALL - 1.5)
    panel.set_yticks(range(len(names)), short, fontsize=SMALL - 1.5)
    panel.tick_params(length=0)
    panel.grid(False)


def _as_in_study(names: list[str], between: str) -> dict[str, str]:
    """What the study calls the same technique, or its model of the same architecture, as far as it has one."""
    if between == "techniques":
        return {name: name for name in names}
    published = {name for pair in published_agreement("models") for name in pair}
    of_study = {get_model(name).architecture.name: name for name in published}
    told = {name: of_study.get(get_model(name).architecture.name, "") for name in names}
    return {name: study for name, study in told.items() if study}


def _short(model: str) -> str:
    return model_title(model).partition(" (")[0]


def _number(panel: Axes, row: int, column: int, value: float, below: str) -> None:
    colour = "white" if abs(value) > 0.6 else INK
    panel.text(column, row, number(value) + below, ha="center", va="center", fontsize=SMALL - 2.5, color=colour)


def pair_title(name: str) -> str:
    """A technique or a model in words."""
    return name if name in WEIGHING else model_title(name)
