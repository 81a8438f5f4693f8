"""Figures of the control: which layers may learn what, and what techniques find where the place is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.answers import confusion
from memloc.analysis.study import told
from memloc.arms import AUXILIARY, CONTROLS, MAIN, auxiliary_parts, main_parts, target_layers
from memloc.publishing.figures import SMALL, WIDTH, Drawn, name_axes, note, write_numbers
from memloc.publishing.figures_beside import LOOKS
from memloc.publishing.reading_control import PLACES, Known
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WHO = {"both": PALETTE[1], "2nd": PALETTE[5], "main": PALETTE[4], "–": "none"}  # who may change a part, and its colour
ELSEWHERE = "elsewhere"


def arms_scheme(num_layers: int = 6) -> Drawn:
    """Which task may change which part of a model, a row a control setting."""
    import matplotlib.pyplot as plt

    layers = [f"layer.{n}" for n in range(1, num_layers + 1)]
    heads = [f"head.{name}" for name in (MAIN, AUXILIARY)]
    parts = ["embeddings", *layers, *heads]
    figure, panel = plt.subplots(figsize=(WIDTH, 2.1))
    second, told_rows = set(auxiliary_parts(parts)), []
    for row, setting in enumerate(CONTROLS):
        first = set(main_parts(setting, parts, num_layers))
        for column, part in enumerate(parts):
            who = {(True, True): "both", (False, True): "2nd", (True, False): "main", (False, False): "–"}
            _box(panel, row, column, who[part in first, part in second])
        both = [part.removeprefix("layer.") for part in layers if part in first & second]
        told_rows.append(f"{PLACES[setting]}: layers {' and '.join(both)}")
    panel.set_xlim(-0.55, len(parts) - 0.45)
    panel.set_ylim(len(CONTROLS) - 0.45, -0.55)
    numbers = [str(n) for n in range(1, num_layers + 1)]
    panel.set_xticks(range(len(parts)), ["emb.", *numbers, "main\nhead", "2nd\nhead"], fontsize=SMALL)
    panel.set_yticks(range(len(CONTROLS)), list(PLACES.values()), fontsize=SMALL)
    panel.tick_params(length=0)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    words = "Grid, a row a place and a column a part of the model, with who may change it. The second task may change "
    words += f"every layer; the main task changes with it in the place {'; '.join(told_rows)}. Nobody changes the "
    return Drawn(figure, words + "embeddings, and each task has its own head.")


def _box(panel: Axes, row: int, column: int, who: str) -> None:
    from matplotlib.patches import Rectangle

    panel.add_patch(
        Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, facecolor=WHO[who], alpha=0.45, edgecolor=FAINT, linewidth=1)
    )
    panel.text(column, row, who, ha="center", va="center", fontsize=SMALL - 1.5, color=INK)


def weight_curves(known: Known) -> Drawn:
    """Shares of the layer weight, a row a technique and a column a true place, whose layers are shaded."""
    import matplotlib.pyplot as plt

    rows = known.techniques
    size = (WIDTH, 1.15 * max(len(rows), 1) + 1.0)
    figure, axes = plt.subplots(
        max(len(rows), 1), len(CONTROLS), figsize=size, squeeze=False, sharex="col", sharey="row"
    )
    tasks = sort_tasks({found.cell.task for found in known.answers})
    for column, setting in enumerate(CONTROLS):
        axes[0, column].set_title(f"true place: {PLACES[setting]}", fontsize=SMALL)
        for row, technique in enumerate(rows):
            _place_panel(axes[row, column], known, technique, setting, tasks)
            axes[row, 0].set_ylabel(technique, fontsize=SMALL)
    for number, task in enumerate(tasks):
        axes[0, 0].plot([], [], color=PALETTE[number % len(PALETTE)], marker=MARKERS[number], markersize=4, label=task)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=SMALL)
    name_axes(figure, "layer", "share of the layer weight")
    return Drawn(figure, _curve_words(known))


def _place_panel(panel: Axes, known: Known, technique: str, setting: str, tasks: list[str]) -> None:
    here = [found for found in known.kept if found.technique == technique]
    panel.tick_params(labelsize=SMALL - 0.5, length=2)
    if not here:
        note(panel, "nothing\ncounts")
        panel.set_xticks([])
        panel.set_yticks([])
    for low, high in {target_layers(setting, len(found.weights[setting])) for found in here}:
        panel.axvspan(low - 0.5, high + 0.5, color=FAINT, alpha=0.2, linewidth=0)
    for found in here:
        share = known.share(found, setting)
        number = tasks.index(found.cell.task)
        look: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
        panel.plot(np.arange(1, len(share) + 1), share, markersize=3, linewidth=1.2, alpha=0.9, **look)
        panel.set_xticks(sorted({1, (len(share) + 1) // 2, len(share)}))
        panel.set_xlim(0.5, len(share) + 0.5)


def _curve_words(known: Known) -> str:
    words = "Line charts, a row a technique and a column a true place, whose two layers are shaded; layer across, "
    words += "share of the layer weight up, a line a task and seed. "
    if not known.kept:
        return words + "All panels are empty because no cell counts."
    parts = []
    for technique in known.techniques:
        inside = [hits for found in known.kept if found.technique == technique for hits in _inside(found)]
        parts.append(f"{technique}: {sum(inside)} of {len(inside)} peaks in the shade")
    return words + "; ".join(parts) + "."


def _inside(found: Any) -> list[bool]:
    return [
        int(np.argmax(weight)) + 1 in target_layers(setting, len(weight)) for setting, weight in found.weights.items()
    ]


def confusions(known: Known) -> Drawn:
    """Which place was answered where each was true, a panel a technique, with counts written in."""
    import matplotlib.pyplot as plt

    names = known.techniques
    rows = max(1, -(-len(names) // 2))
    figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 1.75 * rows + 0.5), squeeze=False)
    tables = {name: confusion(known.answers, name) for name in names}
    wide = any(table[:, -1].any() for table in tables.values())
    found = [*PLACES.values(), *([ELSEWHERE] if wide else [])]
    parts = []
    for panel, (name, table) in zip(axes.flat, tables.items(), strict=False):
        shown = table[:, : len(found)]
        panel.imshow(shown, vmin=0, vmax=max(float(table.sum(axis=1).max()), 1.0), aspect="auto")
        write_numbers(panel, shown, "{:.3g}")
        panel.set_title(name, fontsize=SMALL + 0.5)
        panel.set_xticks(range(len(found)), found, fontsize=SMALL - 1)
        panel.set_yticks(range(len(CONTROLS)), list(PLACES.values()), fontsize=SMALL - 1)
        panel.tick_params(length=0)
        panel.grid(False)
        parts.append(f"{name}: {np.trace(table):.3g} of {table.sum():.3g} on the diagonal")
    for panel in axes.flat[len(names) :]:
        panel.set_visible(False)
    name_axes(figure, "place of the top layer", "true place")
    words = "Squares of counts, one a technique: true place down, place of the top-weighted layer across. "
    return Drawn(figure, words + ("; ".join(parts) + "." if parts else "All are empty."))


def scores(known: Known) -> Drawn:
    """Accuracy@1 and @2 with intervals, the best constant answer, and the study's values."""
    import matplotlib.pyplot as plt

    names, table, parts = known.techniques, known.scores, []
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.42 * max(len(names), 1) + 1.5), sharey=True)
    for rank, panel in zip((1, 2), axes, strict=True):
        study = told(f"control accuracy_at_{rank} by technique").values
        for row, name in enumerate(names):
            colour, _, marker = LOOKS.get(name, (INK, "-", "o"))
            chosen = table[(table["technique"] == name) & (table["rank"] == rank)]
            for one in chosen.to_dict("records"):
                panel.plot([one["low"], one["high"]], [row, row], color=colour, linewidth=1.6)
                panel.plot([one["accuracy"]], [row], marker=marker, color=colour, markersize=5)
                panel.plot([one["constant"]] * 2, [row - 0.4, row + 0.4], color=INK, linestyle=":", linewidth=1.4)
                parts.append(f"{name} at {rank}: {one['accuracy']:z.2f} in {one['low']:z.2f} to {one['high']:z.2f}")
            if name in study:
                panel.plot([study[name]], [row + 0.27], marker="*", color=INK, markersize=6, linestyle="")
        panel.set_title(f"accuracy@{rank}", fontsize=SMALL + 0.5)
        panel.set_xlim(-0.03, 1.03)
        panel.set_xticks([0, 0.5, 1])
        panel.set_ylim(max(len(names), 1) - 0.5, -0.5)
        panel.set_yticks(range(len(names)), names, fontsize=SMALL)
        panel.tick_params(labelsize=SMALL, length=2)
    axes[0].plot([], [], color=INK, linestyle=":", linewidth=1.4, label="best constant answer")
    axes[0].plot([], [], marker="*", color=INK, markersize=6, linestyle="", label="the study (its models, nine tasks)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=SMALL)
    words = "Dots with horizontal intervals, a row a technique; left accuracy at 1, right accuracy at 2; a dotted line "
    words += "at the best constant answer, a star at the study's value. "
    return Drawn(figure, words + ("; ".join(parts) + "." if parts else "No cell counts, so there are only stars."))
