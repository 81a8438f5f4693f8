"""An M-CoG along its attainable range: where each task and model memorises by swapping, beside the study's BERT."""

from __future__ import annotations

import pandas as pd

from memloc.analysis.intervals import Interval
from memloc.analysis.layers import attainable_range, relative_depth
from memloc.analysis.study import Published, published
from memloc.publishing.figures import listed, model_title
from memloc.publishing.reading import Swapping


def depth(interval: Interval, bounds: tuple[float, float]) -> Interval:
    """An M-CoG with its interval along the attainable range: 0 is memory in the first layer, 1 in the last."""
    return Interval(*(relative_depth(value, bounds) for value in (interval.value, interval.low, interval.high)))


def study_depth(told: Published[float], task: str) -> tuple[float, float]:
    """The study's M-CoG of a task along its model's attainable range, and how exactly it is known."""
    from memloc.windows import windows

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
                "M-CoG [95 %]": str(mcog),
                "attainable": f"{place.bounds[0]:z.2f} to {place.bounds[1]:z.2f}",
                "depth, 0 to 1 [95 %]": str(along),
                "interval over": place.unit,
            }
        if task in told.tasks:
            value, tolerance = study_depth(told, task)
            row |= {
                f"{told.title}, 0 to 1": f"{value:z.2f} ± {tolerance:z.3f}",
                f"M-CoG, {told.title}": f"{told.tasks[task]:z.2f}",
            }
        rows.append(row)
    table = pd.DataFrame(rows).fillna("")
    first = [c for c in ("task", "model", "status", "depth, 0 to 1 [95 %]", f"{told.title}, 0 to 1") if c in table]
    return table[[*first, *(c for c in table if c not in first)]]  # wide tables scroll: what is compared comes first


def beside_study(swapping: Swapping) -> str:
    """How the released run's depths lie to those of the study's BERT, in words, where there is something to compare."""
    told, parts = published(), []
    for model in swapping.study.profile.models:
        tasks = [task for task, of in swapping.counted if of == model and task in told.tasks]
        sides = [_side(swapping, task, model, told) for task in tasks]
        if sides:
            names = {side: [t for t, s in zip(tasks, sides, strict=True) if s == side] for side in sorted(set(sides))}
            parts.append(f"{model_title(model)} {'; '.join(f'{side} for {listed(t)}' for side, t in names.items())}")
    return ". ".join(parts) or "no combination here counts that can be compared"


def _side(swapping: Swapping, task: str, model: str, told: Published[float]) -> str:
    place = swapping.places[task, model]
    along, (value, tolerance) = depth(place.mcog, place.bounds), study_depth(told, task)
    if along.high < value - tolerance:
        return "lies nearer to the first layers"
    return "lies nearer to the last layers" if along.low > value + tolerance else "cannot be told apart from it"
