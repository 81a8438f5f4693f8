"""Figures of the atlas: one task, or one family of models, over all techniques and all released runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memloc.analysis.study import all_published
from memloc.models.catalogue import get_model
from memloc.publishing.atlas import STUDIED
from memloc.publishing.figures import LINES, SMALL, WIDTH, Drawn, line_look, model_title, name_axes, note, span
from memloc.publishing.figures_panels import NOT_RUN
from memloc.publishing.reading_atlas import Entry, Found
from memloc.publishing.style import FAINT, INK, sort_models, sort_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = {  # technique and metric that the study drew by layer: what it is
    ("swapping", "layer_weight"): "swapping:\nlayer weight",
    ("centroids", "noisy_mean"): "centroids:\nposition of noisy",
    ("probing", "f1_noise"): "probing:\nF1 of noisy or not",
}
GROUPS = {"noisy_mean": "noisy"}  # of examples, where rows of a metric name one


def technique_weights(entry: Entry) -> Drawn:
    """Layer weights of a task, a row a technique and a column a model, a line a run."""
    import matplotlib.pyplot as plt

    techniques = list(dict.fromkeys(found.technique for found in entry.found))
    models = sort_models({found.place[1] for found in entry.found})
    runs = list(dict.fromkeys(found.run for found in entry.found))
    size = (WIDTH, 1.25 * len(techniques) + 1.0)
    figure, axes = plt.subplots(len(techniques), len(models), figsize=size, squeeze=False, sharex="col", sharey="row")
    for column, model in enumerate(models):
        axes[0, column].set_title(model_title(model), fontsize=SMALL + 0.5)
        for row, technique in enumerate(techniques):
            here = [f for f in entry.found if f.technique == technique and f.place[1] == model]
            _weights(axes[row, column], here, runs, get_model(model).layers)
            axes[row, 0].set_ylabel(technique, fontsize=SMALL)
    for number, run in enumerate(runs):  # every run has its place in the legend, whatever the first panel lacks
        axes[0, 0].plot([], [], label=f"run {run}", **line_look(number))
    _legend(figure, axes[0, 0], 3)
    name_axes(figure, "layer", "layer weight")
    words = "Line charts, a row a technique and a column a model: layer across, layer weight up. Layers of the peaks: "
    return Drawn(figure, words + _peaks(entry.found, techniques) + ".")


def _weights(panel: Axes, here: list[Found], runs: list[str], layers: int) -> None:
    panel.set_xlim(0.5, layers + 0.5)
    panel.set_xticks(sorted({1, (layers + 1) // 2, layers}))
    panel.tick_params(labelsize=SMALL, length=2)
    if not here:
        note(panel, NOT_RUN)
    for found in here:
        panel.plot(range(1, layers + 1), found.weights.weight, **line_look(runs.index(found.run)))


def _legend(figure: Any, panel: Axes, columns: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=SMALL - 0.5)


def _peaks(found: list[Found], techniques: list[str]) -> str:
    told = []
    for technique in techniques:
        known = [f.weights.weight for f in found if f.technique == technique and np.nanmax(f.weights.weight) > 0]
        told.append(f"{technique} {span([float(np.nanargmax(weight)) + 1 for weight in known], 0)}")
    return "; ".join(told)


def beside_study(entry: Entry) -> Drawn:
    """What the study drew by layer of a task, a panel a technique, a line a model; and the same of our runs."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(CURVES), 1, figsize=(WIDTH, 1.55 * len(CURVES) + 1.5), sharex=True)
    study = {(p.technique, p.metric, p.model): p.tasks.get(entry.name) for p in all_published()}
    told = []
    for panel, ((technique, metric), what) in zip(axes, CURVES.items(), strict=True):
        shown = [study.get((technique, metric, model)) for model in STUDIED]
        for number, values in enumerate(shown):
            if values is not None:
                panel.plot(_along(values), values, label=f"{model_title(STUDIED[number])} (study)", **line_look(number))
        ours = _ours(entry, technique, metric)
        for model, values in ours:
            panel.plot(_along(values), values, label=f"{model_title(model)}, ours", **_our_look(entry, model))
        known = sum(values is not None for values in shown)
        told.append(f"{technique}: {known} of the study, {len(ours)} of ours")
        _finish(panel, what)
    _one_legend(figure, list(axes))
    axes[-1].set_xlabel("layer / number of layers", fontsize=SMALL + 1)
    words = "Line charts, one below the other, a technique each: layer as a share of the number of layers across. "
    return Drawn(figure, f"{words}Lines: {'; '.join(told)}{_ends(entry, study)}.")


def _along(values: np.ndarray) -> np.ndarray:
    return np.arange(1, len(values) + 1) / len(values)


def _ours(entry: Entry, technique: str, metric: str) -> list[tuple[str, np.ndarray]]:
    """Our curves of the same, each with its model; a model that several runs have comes several times."""
    if metric == "layer_weight":
        return [(f.place[1], f.weights.weight) for f in entry.found if f.technique == technique]
    told, group = entry.all_told(technique).values(), GROUPS.get(metric)
    return [(place[1], of.mean(place, metric, group)) for of in told for place in of.places]


def _our_look(entry: Entry, model: str) -> dict[str, Any]:
    """Ours are in ink, a kind of line a model."""
    models = sort_models({name for study in entry.runs.values() for name in study.profile.models})
    return {"color": INK, "linewidth": 1.6, "linestyle": LINES[models.index(model) % len(LINES)]}


def _finish(panel: Axes, what: str) -> None:
    panel.set_ylabel(what, fontsize=SMALL)
    panel.set_xlim(0, 1.03)
    panel.tick_params(labelsize=SMALL, length=2)
    if not panel.lines:
        note(panel, "not published, not run")
    if what.startswith("centroids"):
        panel.axhline(0.5, color=FAINT, linewidth=0.9)


def _one_legend(figure: Any, panels: list[Axes]) -> None:
    """Each line once, whichever panel has it."""
    handles: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=2, fontsize=SMALL - 1)


def _ends(entry: Entry, study: dict[tuple[str, str, str], Any]) -> str:
    """The last value of the position of noisy examples, which tells whether they arrived at their wrong label."""
    last = [float(v[-1]) for (t, m, _), v in study.items() if (t, m) == ("centroids", "noisy_mean") and v is not None]
    ours = [float(values[-1]) for _, values in _ours(entry, "centroids", "noisy_mean")]
    told = [f"{name} {span(values)}" for name, values in (("the study", last), ("ours", ours)) if values]
    return f". Position of noisy examples at the last layer: {'; '.join(told)}" if told else ""


def family_weights(entry: Entry) -> Drawn:
    """Layer weights of a family's models, a row a technique and a column a model; in each, a row of shades a task."""
    import matplotlib.pyplot as plt

    techniques = list(dict.fromkeys(found.technique for found in entry.found))
    models = sort_models({found.place[1] for found in entry.found})
    rows = {t: max(len(_named(entry, t, m)) for m in models) for t in techniques}
    heights = [0.28 * rows[t] + 0.62 for t in techniques]
    size = (WIDTH, sum(heights) + 0.7)
    figure, axes = plt.subplots(
        len(techniques), len(models), figsize=size, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for row, technique in enumerate(techniques):
        for column, model in enumerate(models):
            panel = axes[row, column]
            above = f"{model_title(model)}\n" if row == 0 else ""
            panel.set_title(f"{above}{technique}", fontsize=SMALL)
            _shades(panel, _named(entry, technique, model))
    figure.supxlabel("layer", fontsize=SMALL + 1, color=INK)
    words = "Grids of shades, a panel a technique and a model, a row a task: layer across; the further from the "
    words += "background, the larger the layer's share of its row's weight. Layers of the peaks: "
    return Drawn(figure, words + _peaks(entry.found, techniques) + ".")


def _named(entry: Entry, technique: str, model: str) -> dict[str, np.ndarray]:
    """Weights divided by their sum, by task, and by run where a task has several."""
    here = [f for f in entry.found if f.technique == technique and f.place[1] == model]
    tasks = [found.place[0] for found in here]
    named = {}
    for found in sorted(here, key=lambda f: sort_tasks(tasks).index(f.place[0])):
        task, total = found.place[0], found.weights.weight.sum()
        label = task if tasks.count(task) == 1 else f"{task} ({found.run})"
        named[label] = found.weights.weight / total if total > 0 else np.full(len(found.weights.weight), np.nan)
    return named


def _shades(panel: Axes, rows: dict[str, np.ndarray]) -> None:
    panel.grid(False)
    if not rows:
        panel.set_axis_off()
        note(panel, NOT_RUN)
        return
    values = np.vstack(list(rows.values()))
    layers = values.shape[1]
    extent = (0.5, layers + 0.5, len(rows) - 0.5, -0.5)
    panel.imshow(values, aspect="auto", extent=extent, vmin=0)
    panel.set_xticks(sorted({1, (layers + 1) // 2, layers}))
    panel.set_yticks(range(len(rows)), list(rows), fontsize=SMALL - 1.5)
    panel.tick_params(labelsize=SMALL - 1, length=2)


def study_weights(model: str) -> Drawn:
    """The study's layer weights of one of its models by swapping, a row of shades a task."""
    import matplotlib.pyplot as plt

    (told,) = (p for p in all_published() if (p.technique, p.metric, p.model) == ("swapping", "layer_weight", model))
    tasks = sort_tasks(told.tasks)
    values = np.vstack([told.tasks[task] for task in tasks])
    figure, panel = plt.subplots(figsize=(WIDTH, 0.27 * len(tasks) + 1.4))
    image = panel.imshow(values, aspect="auto", extent=(0.5, told.layers + 0.5, len(tasks) - 0.5, -0.5))
    panel.set_xticks(range(1, told.layers + 1))
    panel.set_yticks(range(len(tasks)), tasks, fontsize=SMALL)
    panel.tick_params(labelsize=SMALL, length=2)
    panel.set_xlabel("layer", fontsize=SMALL + 1)
    panel.grid(False)
    bar = figure.colorbar(image, ax=panel, location="top", aspect=40, shrink=0.7, pad=0.03)
    bar.set_label("layer weight: share of noisy examples forgotten", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    peaks = [float(np.nanargmax(row)) + 1 for row in values]
    words = f"Grid of shades, a row each of {len(tasks)} tasks and a column each of {told.layers} layers. "
    words += f"Weights: {span(values.ravel().tolist())}; "
    return Drawn(figure, words + f"the heaviest layers of the tasks are layers {span(peaks, 0)}.")
