"""Figures of training: how labels are memorised epoch by epoch, and what that does to validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import binomtest

from memloc.analysis.status import MEMORISED
from memloc.publishing.figures import Drawn, Grid, grid, legend_above, listed, name_axes, span
from memloc.publishing.reading import Training
from memloc.publishing.style import FAINT, GROUP_COLOURS, INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# arm, split, group: label, colour, line style
MEMORY = {
    ("perturbed", "train", "noisy"): ("noisy, perturbed arm", GROUP_COLOURS["noisy"], "-"),
    ("perturbed", "train", "clean"): ("clean, perturbed arm", GROUP_COLOURS["clean"], "--"),
    ("frozen", "train", "noisy"): ("noisy, frozen arm", PALETTE[3], ":"),
}
LEARNING = {
    ("normal", "validation", "all"): ("normal arm", PALETTE[2], "-"),
    ("perturbed", "validation", "all"): ("perturbed arm", GROUP_COLOURS["noisy"], "--"),
}


def memorisation_curves(training: Training) -> Drawn:
    """Accuracy on the given labels by epoch, one line a seed: noisy and clean examples, and noisy ones where only the
    head may learn."""
    figure, panels = _empty(training)
    for (task, model), panel in panels.items():
        panel.axhline(MEMORISED, color=FAINT, linewidth=0.8)
        for key, look in MEMORY.items():
            _lines(panel, training.traces, task, model, key, look)
    legend_above(figure, next(iter(panels.values())), 2)
    name_axes(figure, "epoch", "accuracy on the given labels")
    status = training.status
    reached, epochs = int(status["memorised"].sum()), status["epochs"]
    ahead = _clean_ahead(training.traces)
    frozen = _frozen_end(training.traces)
    head = (
        f" The frozen arm, where only the head learns, ends between {frozen[0]:z.2f} and {frozen[1]:z.2f}."
        if frozen
        else ""
    )
    return Drawn(
        figure,
        "Grid of line charts, a row a task and a column a model: accuracy on the given labels against the epoch. The "
        f"line of the noisy examples ends at or above {MEMORISED} in {reached} of {len(status)} runs, after "
        f"{span(epochs.tolist(), 0)} epochs; averaged over epochs it lies below that of the clean examples in "
        f"{ahead} runs.{head}",
    )


def _clean_ahead(traces: pd.DataFrame) -> int:
    """Perturbed runs whose clean examples, over all epochs, are answered as given more often than their noisy ones."""
    chosen = traces[(traces["arm"] == "perturbed") & (traces["split"] == "train") & (traces["metric"] == "accuracy")]
    means = chosen.groupby(["task", "model", "seed", "group"])["value"].mean().unstack("group")
    return int((means["clean"] > means["noisy"]).sum())


def _frozen_end(traces: pd.DataFrame) -> tuple[float, float] | None:
    chosen = traces[(traces["arm"] == "frozen") & (traces["group"] == "noisy") & (traces["metric"] == "accuracy")]
    if chosen.empty:
        return None
    last = chosen.sort_values("epoch").groupby(["task", "model", "seed"])["value"].last()
    return float(last.min()), float(last.max())


def validation_curves(training: Training) -> Drawn:
    """Accuracy on validation examples by epoch of the two twins, with an interval at the end and the best constant
    answer."""
    figure, panels = _empty(training)
    majority = training.status.groupby("task")["majority"].first()
    for (task, model), panel in panels.items():
        panel.axhline(majority[task], color=INK, linewidth=1, linestyle=":", label="most frequent class")
        for shift, (key, look) in enumerate(LEARNING.items()):
            _lines(panel, training.traces, task, model, key, look)
            _interval(panel, training.traces, task, model, key, look[1], shift)
    legend_above(figure, next(iter(panels.values())), 3)
    name_axes(figure, "epoch", "accuracy on validation examples")
    status = training.status
    not_learnt = sorted({t for t, ok in zip(status["task"], status["learnt"], strict=True) if not ok})
    tail = f"Not learnt in at least one run: {listed(not_learnt)}." if not_learnt else "Every run learnt its task."
    return Drawn(
        figure,
        "Grid of line charts, a row a task and a column a model: accuracy on validation examples against the epoch, "
        "for the normal and the perturbed arm, and a dotted line at the most frequent class. The normal arm ends above "
        f"the perturbed one in {int((status['normal'] > status['validation']).sum())} of {len(status)} runs. {tail}",
    )


def _empty(training: Training) -> Grid:
    models = training.study.profile.models
    figure, panels = grid(training.study.profile.tasks, list(models))
    for panel in panels.values():
        panel.set_ylim(-0.04, 1.04)
        panel.set_yticks([0, 0.5, 1])
    return Grid(figure, panels)


def _chosen(traces: pd.DataFrame, task: str, model: str, key: tuple[str, str, str]) -> pd.DataFrame:
    arm, split, group = key
    here = traces[(traces["task"] == task) & (traces["model"] == model) & (traces["arm"] == arm)]
    return here[(here["split"] == split) & (here["group"] == group) & (here["metric"] == "accuracy")]


def _lines(
    panel: Axes, traces: pd.DataFrame, task: str, model: str, key: tuple[str, str, str], look: tuple[str, str, str]
) -> None:
    """One line a seed: seeds stop at different epochs, so a mean over them would jump where one ends."""
    label: str | None = look[0]
    for _, line in _chosen(traces, task, model, key).groupby("seed"):
        line = line.sort_values("epoch")
        panel.plot(line["epoch"], line["value"], color=look[1], linestyle=look[2], linewidth=1.3, label=label)
        label = None


def _interval(
    panel: Axes, traces: pd.DataFrame, task: str, model: str, key: tuple[str, str, str], colour: str, shift: int
) -> None:
    """Wilson's 95 % interval of the last accuracy of the first seed, which is over the validation examples."""
    chosen = _chosen(traces, task, model, key)
    if chosen.empty:  # a released run may lack a task and model
        return
    line = chosen[chosen["seed"] == chosen["seed"].min()]
    end = line.loc[line["epoch"].idxmax()]
    low, high = binomtest(round(end["value"] * end["n"]), int(end["n"])).proportion_ci(method="wilson")
    away = end["epoch"] + (0.6 + 0.8 * shift) * traces["epoch"].max() / 40  # beside the lines' ends, and each other
    panel.plot([away, away], [low, high], color=colour, linewidth=2.2, solid_capstyle="butt")
