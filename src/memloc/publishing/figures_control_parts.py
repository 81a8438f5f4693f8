"""Figures of the control, in parts: scores by task and by model, and where each rule of gradients puts the weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memloc.arms import CONTROLS, target_layers
from memloc.publishing.figures import SMALL, WIDTH, Drawn, model_title, name_axes, note, span
from memloc.publishing.figures_beside import LOOKS
from memloc.publishing.figures_techniques import RULES
from memloc.publishing.reading_control import PLACES, Known
from memloc.publishing.style import FAINT, INK, sort_models, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Parts = dict[str, dict[str, float]]  # a task or a model to accuracy@1 by technique


def accuracy_by(known: Known, part: str) -> Parts:
    """Accuracy@1 of every technique, the mean over the cells that count.

    Args:
        part: ``task`` or ``model``.
    """
    sort = sort_tasks if part == "task" else sort_models
    names = sort({getattr(found.cell, part) for found in known.kept})
    return {name: _accuracies(known, part, name) for name in names}


def _accuracies(known: Known, part: str, name: str) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for found in known.kept:
        if getattr(found.cell, part) == name and found.score:
            scores.setdefault(found.technique, []).append(found.score.at_1)
    return {technique: float(np.mean(of)) for technique, of in scores.items()}


def by_task_and_model(known: Known) -> Drawn:
    """Accuracy@1 by task and by model, a mark a technique; dotted: the best constant answer."""
    import matplotlib.pyplot as plt

    tasks, models = accuracy_by(known, "task"), accuracy_by(known, "model")
    rows = [max(len(tasks), 1), max(len(models), 1)]
    size = (WIDTH, 0.5 * sum(rows) + 1.9)
    figure, axes = plt.subplots(2, 1, figsize=size, height_ratios=rows, sharex=True)
    _parts(axes[0], known, tasks, list(tasks))
    _parts(axes[1], known, models, [model_title(name) for name in models])
    for name in known.techniques:
        colour, _, marker = LOOKS.get(name, (INK, "-", "o"))
        axes[0].plot([], [], marker, color=colour, markersize=5, label=name)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=SMALL)
    axes[1].set_xlabel("accuracy@1", fontsize=SMALL + 1)
    told = [
        f"{name}: " + ", ".join(f"{technique} {value:z.2f}" for technique, value in of.items())
        for name, of in {**tasks, **{model_title(name): of for name, of in models.items()}}.items()
    ]
    words = "Marks, above a row a task and below a row a model, a mark a technique: share of places that were found. "
    return Drawn(figure, words + ("; ".join(told) + "." if told else "Nothing counts."))


def _parts(panel: Axes, known: Known, found: Parts, titles: list[str]) -> None:
    names, constants = known.techniques, [score.constant_1 for of in known.kept if (score := of.score)]
    for row, of in enumerate(found.values()):
        for technique, value in of.items():
            colour, _, marker = LOOKS.get(technique, (INK, "-", "o"))
            at = row + 0.7 * ((names.index(technique) + 0.5) / len(names) - 0.5)
            panel.plot([value], [at], marker, color=colour, markersize=5)
    if constants:
        panel.axvline(float(np.mean(constants)), color=INK, linestyle=":", linewidth=1.2)
    else:
        note(panel, "nothing counts")
    panel.set_xlim(-0.03, 1.03)
    panel.set_ylim(max(len(found), 1) - 0.5, -0.5)
    panel.set_yticks(range(len(found)), titles, fontsize=SMALL)
    panel.tick_params(labelsize=SMALL, length=2)


def rule_curves(known: Known) -> Drawn:
    """Layer weights of gradients by three of its rules, a panel a true place: means over the cells that count."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(CONTROLS), figsize=(WIDTH, 2.4), sharey=True)
    peaks: dict[str, list[float]] = {}
    for panel, setting in zip(axes, CONTROLS, strict=True):
        panel.set_title(f"true place: {PLACES[setting]}", fontsize=SMALL)
        panel.tick_params(labelsize=SMALL - 0.5, length=2)
        for rule, (label, colour, line) in RULES.items():
            here = [found.weights[setting] for found in known.by_rule.get(("gradients", rule), [])]
            depths = {len(weight) for weight in here}
            if len(depths) != 1:  # layers of models of different depth have no common mean
                continue
            mean = np.mean(here, axis=0)
            low, high = target_layers(setting, len(mean))
            panel.axvspan(low - 0.5, high + 0.5, color=FAINT, alpha=0.1, linewidth=0)
            panel.plot(np.arange(1, len(mean) + 1), mean, color=colour, linestyle=line, linewidth=1.4, label=label)
            panel.set_xticks(sorted({1, (len(mean) + 1) // 2, len(mean)}))
            peaks.setdefault(PLACES[setting], []).append(1 + int(np.argmax(mean)))
        if PLACES[setting] not in peaks:
            note(panel, "nothing\ncounts")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=SMALL)
    name_axes(figure, "layer", "layer weight (sum 1)")
    words = "Line charts, a panel a true place, whose layers are shaded; layer across, layer weight up, a line a rule. "
    told = "; ".join(f"{place}: {span(of, 0)}" for place, of in peaks.items())
    return Drawn(figure, words + (f"Layers of the peaks: {told}." if told else "All are empty."))
