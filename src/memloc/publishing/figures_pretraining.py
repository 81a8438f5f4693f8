"""Figures of the shipped models: their losses while they were pretrained, and what that bought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memloc.publishing.figures import SMALL, WIDTH, Drawn, model_title, name_axes
from memloc.publishing.reading_pretraining import WORDS, Shipped, Worth
from memloc.publishing.style import FAINT, INK, MARKERS, PALETTE, sort_tasks


def loss_curves(models: Sequence[Shipped]) -> Drawn:
    """Held-out loss against tokens seen; masked models in a panel of their own, as they answer other questions."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharey=True)
    parts = []
    for panel, masked in zip(axes, (False, True), strict=True):
        panel.set_title("one gap at a time" if masked else "the next word", fontsize=SMALL + 0.5)
        panel.tick_params(labelsize=SMALL, length=2)
        for number, model in enumerate(models):
            if model.masked != masked:
                continue
            losses = model.losses[model.losses["split"] == "validation"]
            look = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
            panel.plot(losses["tokens"] / 1e6, losses["loss"], label=model.spec.title, markersize=3, **look)
            parts.append(f"{model.spec.title} from {losses['loss'].iloc[0]:z.2f} to {losses['loss'].iloc[-1]:z.2f}")
        panel.legend(fontsize=SMALL)
    name_axes(figure, "million tokens seen", "held-out loss (nats)")
    words = (
        "Falling curves of the loss on held-out text against tokens seen, causal models left and masked ones right. "
    )
    return Drawn(figure, words + "; ".join(parts) + ".")


def what_it_bought(worth: Worth) -> Drawn:
    """Accuracy from the pretrained start against the same shape's random start, a panel a model, a dot a task."""
    import matplotlib.pyplot as plt

    names = worth.pretrained
    rows = max(1, -(-len(names) // 2))
    figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 2.3 * rows + 0.6), squeeze=False, sharex=True, sharey=True)
    parts = []
    for panel, name, twin in zip(axes.flat, names, worth.twins, strict=False):
        means = {start: worth.mean(start) for start in (name, twin)}
        tasks = sort_tasks(set(means[name].index) & set(means[twin].index))
        across, up = (means[start].loc[tasks].to_numpy() for start in (twin, name))
        panel.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
        panel.plot(across, up, linestyle="", marker="o", color=PALETTE[0], markersize=5)
        panel.set_title(model_title(name), fontsize=SMALL + 0.5)
        panel.set_xlim(0.1, 1)
        panel.set_ylim(0.1, 1)
        panel.tick_params(labelsize=SMALL, length=2)
        parts.append(f"{model_title(name)}: above the diagonal on {int(np.sum(up > across))} of {len(tasks)} tasks")
    for panel in axes.flat[len(names) :]:
        panel.set_visible(False)
    name_axes(figure, "accuracy from random weights", "accuracy from pretrained ones")
    words = "Scatter plots, one a model, a dot a task: accuracy after fine-tuning from random weights across, from the "
    return Drawn(figure, words + "pretrained ones up, with the diagonal. " + "; ".join(parts) + ".")


def starts_by_task(worth: Worth) -> Drawn:
    """Accuracy of every start, a row a task: pretrained and random shipped models, a larger model, words, majority."""
    import matplotlib.pyplot as plt

    tasks = sort_tasks(worth.majority)
    figure, panel = plt.subplots(figsize=(WIDTH, 0.36 * len(tasks) + 1.5))
    kinds = [
        ("random weights", worth.twins, FAINT, "s"),
        ("pretrained here", worth.pretrained, PALETTE[0], "o"),
        *((model_title(name), [name], PALETTE[1], "D") for name in worth.yardsticks),
        (WORDS, [WORDS], PALETTE[2], "^"),
    ]
    parts = []
    for label, starts, colour, marker in kinds:
        means = [worth.mean(start) for start in starts]
        for mean in means:
            rows = [tasks.index(task) for task in mean.index]
            panel.plot(mean.to_numpy(), rows, linestyle="", marker=marker, color=colour, markersize=5, alpha=0.85)
        panel.plot([], [], linestyle="", marker=marker, color=colour, label=label)
        parts.append(f"{label}: {np.mean([mean.mean() for mean in means]):z.2f}")
    for row, task in enumerate(tasks):
        panel.plot([worth.majority[task]] * 2, [row - 0.35, row + 0.35], color=INK, linestyle=":", linewidth=1.4)
    panel.plot([], [], color=INK, linestyle=":", linewidth=1.4, label="majority class")
    panel.set_yticks(range(len(tasks)), tasks, fontsize=SMALL)
    panel.set_ylim(len(tasks) - 0.5, -0.5)
    panel.set_xlabel("validation accuracy", fontsize=SMALL + 1)
    panel.tick_params(labelsize=SMALL, length=2)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=SMALL)
    words = (
        "Dots of validation accuracy, a row a task, with a dotted line at the share of the majority class. Means over "
    )
    return Drawn(figure, words + f"tasks: {'; '.join(parts)}.")
