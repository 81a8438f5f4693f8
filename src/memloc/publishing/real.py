"""What chapters show of the released run on real data (``results/``), and of a copy of the book that has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

from memloc.analysis.intervals import Interval
from memloc.analysis.layers import relative_depth
from memloc.analysis.study import Published, published
from memloc.claims import load_claims
from memloc.config import TrainConfig
from memloc.pipeline import CellId
from memloc.publishing.facts import where
from memloc.publishing.figures import Drawn, listed, model_title
from memloc.publishing.reading import (
    CELL,
    AnyStudy,
    ReleasedStudy,
    Swapping,
    Training,
    open_release,
    read_swapping,
    read_training,
)
from memloc.publishing.style import show
from memloc.publishing.tabulate import show_table

T = TypeVar("T", Training, Swapping)

ABSENT = "There is no released run on real data in this copy of the book, so this section is empty."
SETTINGS = {  # of TrainConfig, in words
    "epochs": "epochs at most",
    "batch_size": "batch size",
    "lr": "learning rate",
    "max_length": "tokens at most",
    "stop_when_memorised": "stopping when memorised",
}


def open_swapping(name: str = "small") -> Swapping | None:
    """Layer swapping of a released run; None if this copy has none."""
    study = open_release(name)
    return read_swapping(study) if study else None


def open_training(name: str = "small") -> Training | None:
    """Training of a released run; None if this copy has none."""
    study = open_release(name)
    return read_training(study) if study else None


def show_figure(data: T | None, draw: Callable[[T], Drawn], name: str, caption: str) -> None:
    """Show a figure of the released run; its origin and command are added to the caption. Nothing if there is none."""
    if data is not None:
        drawn = draw(data)
        show(drawn.figure, name, f"{caption} {made(data.study)}", alt=drawn.alt)


def show_numbers(data: T | None, tabulated: Callable[[T], pd.DataFrame]) -> Any:
    """Show a table of the released run; nothing if there is none."""
    return None if data is None else show_table(tabulated(data))


def made(study: AnyStudy) -> str:
    """For the end of a caption."""
    return study.made if isinstance(study, ReleasedStudy) else ""


def run_facts(data: Training | Swapping | None) -> dict[str, str]:
    """What the released run is: tasks, models, settings that are not the study's, what is in it and what is not."""
    if data is None:
        return {"real": ABSENT, **dict.fromkeys(("real-settings", "real-cells"), "")}
    profile = data.study.profile
    models = listed([model_title(model) for model in profile.models])
    rows = f"at most {profile.data.cap} training rows a task" if profile.data.cap else "all training rows"
    return {
        "real": f"{data.study.origin} The tasks are {listed(profile.tasks)}; the models, {models}; {rows}.",
        "real-settings": _settings(data.study),
        "real-cells": _cells(data),
    }


def _settings(study: AnyStudy) -> str:
    """Where training differs from the study's, and what that means for the tasks it was tuned on."""
    runs, told = study.profile.models.values(), []
    for field in dataclasses.fields(TrainConfig):
        values = sorted({getattr(run.training, field.name) for run in runs})
        if field.name in SETTINGS and values != [field.default]:
            told.append(f"{SETTINGS[field.name]} {_words(values)} (study: {_words([field.default])})")
    if any(run.training.precision == "bf16" for run in runs):
        told.append("bf16 autocast in training (evaluation and swapping: fp32)")
    tuned = [task for task in study.profile.tasks if task in load_claims().settings.exploratory_tasks]
    looked = f" Settings were chosen while looking at {listed(tuned)}, whose results are exploratory." if tuned else ""
    return f"What is not as in the study: {'; '.join(told)}.{looked}" if told else f"Settings are the study's.{looked}"


def _words(values: list[Any]) -> str:
    return listed([{True: "yes", False: "no"}[v] if isinstance(v, bool) else f"{v:g}" for v in values])


def _cells(data: Training | Swapping) -> str:
    """How many cells, with which seeds, and how many of them say nothing."""
    status = data.status
    missing = data.study.release.missing if isinstance(data.study, ReleasedStudy) else []
    left = f" Not finished when it was released: {_by_place(missing)}." if missing else ""
    kept = status[status["memorised"]]
    there = [CellId(*cell) for cell in status[CELL].itertuples(index=False)]
    return (
        f"{len(there)} of {len(there) + len(missing)} cells are in it: {_by_place(there)}.{left} "
        f"Left out because the wrong labels were not memorised: {len(status) - len(kept)}. "
        f"Shown but not counted because the task was not learnt: {int((~kept['learnt']).sum())}."
    )


def _by_place(cells: list[CellId]) -> str:
    """Cells in words, the seeds of a task and model together."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        seeds.setdefault((cell.task, cell.model), []).append(cell.seed)
    told = [
        f"{where(place)} ({'seed' if len(own) == 1 else 'seeds'} {listed([str(seed) for seed in own])})"
        for place, own in seeds.items()
    ]
    return "; ".join(told)


def depth(interval: Interval, bounds: tuple[float, float]) -> Interval:
    """An M-CoG with its interval along the attainable range: 0 is memory in the first layer, 1 in the last."""
    return Interval(*(relative_depth(value, bounds) for value in (interval.value, interval.low, interval.high)))


def study_depth(told: Published, task: str) -> tuple[float, float]:
    """The study's M-CoG of a task along its model's attainable range, and how exactly it is known."""
    from memloc.analysis.layers import attainable_range
    from memloc.techniques.swapping import windows

    low, high = attainable_range(windows(told.layers), told.layers)
    return float(relative_depth(told.tasks[task], (low, high))), told.tolerance / (high - low)


def depth_table(swapping: Swapping) -> pd.DataFrame:
    """Where each task and model memorises, in layers and along the attainable range, beside the study's BERT."""
    told, rows = published(), []
    for task, model in swapping.all_places:
        row = {"task": task, "model": model_title(model), "status": "not memorised"}
        if place := swapping.places.get((task, model)):
            mcog, along = place.mcog, depth(place.mcog, place.bounds)
            row |= {
                "status": "" if (task, model) in swapping.counted else "not learnt",
                "seeds": str(place.seeds),
                "noisy examples": str(place.noisy),
                "M-CoG [95 %]": f"{mcog.value:.2f} [{mcog.low:.2f}, {mcog.high:.2f}]",
                "attainable": f"{place.bounds[0]:.2f} to {place.bounds[1]:.2f}",
                "depth, 0 to 1 [95 %]": f"{along.value:.2f} [{along.low:.2f}, {along.high:.2f}]",
                "interval over": place.unit,
            }
        if task in told.tasks:
            value, tolerance = study_depth(told, task)
            row |= {f"{told.title}, 0 to 1": f"{value:.2f} ± {tolerance:.3f}", "its M-CoG": f"{told.tasks[task]:.2f}"}
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def beside_study(swapping: Swapping | None) -> dict[str, str]:
    """How the released run's depths lie to those of the study's BERT, in words, where there is something to compare."""
    if swapping is None:
        return {"real-beside": ""}
    told, parts = published(), []
    for model in swapping.study.profile.models:
        tasks = [task for task, of in swapping.counted if of == model and task in told.tasks]
        sides = [_side(swapping, task, model, told) for task in tasks]
        if sides:
            names = {side: [t for t, s in zip(tasks, sides, strict=True) if s == side] for side in sorted(set(sides))}
            parts.append(f"{model_title(model)} {'; '.join(f'{side} for {listed(t)}' for side, t in names.items())}")
    if not parts:
        return {"real-beside": f"No combination here counts that can be compared with {told.title}."}
    return {"real-beside": f"Compared with {told.title} on the same task: {'. '.join(parts)}."}


def _side(swapping: Swapping, task: str, model: str, told: Published) -> str:
    place = swapping.places[task, model]
    along, (value, tolerance) = depth(place.mcog, place.bounds), study_depth(told, task)
    if along.high < value - tolerance:
        return "lies nearer to the first layers"
    return "lies nearer to the last layers" if along.low > value + tolerance else "cannot be told apart from it"
