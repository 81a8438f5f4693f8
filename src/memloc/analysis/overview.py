"""What a store holds of a profile's results, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc import tables
from memloc.analysis.events import centroid_events
from memloc.analysis.intervals import WINDOWED, Interval, centre_over_seeds, localise
from memloc.analysis.layers import relative_depth
from memloc.analysis.weights import layer_weights
from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.wording import DASH, number

if TYPE_CHECKING:
    from memloc.store import Artefact

Found = dict[int, "Artefact"]  # by seed


def found_rows(experiment: Experiment) -> dict[tuple[str, str, str], Found]:
    """What is in the store, by (task, model, technique) and seed; nothing is computed."""
    found: dict[tuple[str, str, str], Found] = {}
    for technique in experiment.profile.techniques:
        for cell in experiment.cells():
            artefact = experiment.store.find("rows", experiment.technique_config(cell, technique))
            if artefact is not None:
                found.setdefault((cell.task, cell.model, technique), {})[cell.seed] = artefact
    return found


def noisy_accuracy(experiment: Experiment, cell: CellId) -> float:
    """Accuracy on the noisy examples' given labels after the perturbed arm's last epoch; NaN if it is not there."""
    artefact = experiment.store.find("checkpoint", experiment.checkpoint_config(cell, "perturbed"))
    if artefact is None:
        return float("nan")
    trace = tables.read(artefact.file("trace.parquet"), tables.TRACE)
    last = trace[(trace["epoch"] == trace["epoch"].max()) & (trace["split"] == "train")]
    return float(last[(last["group"] == "noisy") & (last["metric"] == "accuracy")]["value"].iloc[0])


def overview(experiment: Experiment) -> pd.DataFrame:
    """One row per (task, model, technique): seeds in the store, noisy accuracy (lowest seed), M-CoG with its range.

    M-CoG of swapping and retraining have an interval over examples, from three seeds up over seeds too; those of other
    techniques over seeds alone. Techniques that weigh no layers show what they tell instead. M-CoG of different
    techniques are on different scales: the depth, 0 to 1 along the attainable range, stands beside each.

    Returns:
        A frame of strings ready to print.
    """
    rows, found = [], found_rows(experiment)
    for task in experiment.profile.tasks:
        for model, run in experiment.profile.models.items():
            for technique in experiment.profile.techniques:
                seeds = found.get((task, model, technique), {})
                row = {"task": task, "model": model, "technique": technique, "seeds": f"{len(seeds)}/{len(run.seeds)}"}
                if seeds:
                    noisy = [noisy_accuracy(experiment, CellId(task, model, seed)) for seed in seeds]
                    if not np.isnan(noisy).all():  # maps are made without the cell's own training
                        row["noisy acc."] = f"{np.nanmin(noisy):z.3f}"
                    row |= _told(technique, seeds, experiment.profile.resamples)
                rows.append(row)
    return pd.DataFrame(rows).fillna(DASH)


def outside(frame: pd.DataFrame) -> str:
    """What to make of M-CoG outside their attainable range, if the overview has any; empty if not."""
    if "depth" not in frame:
        return ""  # nothing is in the store
    depth = pd.to_numeric(frame["depth"], errors="coerce")
    techniques = sorted(set(frame.loc[(depth < 0) | (depth > 1), "technique"]))
    if not techniques:
        return ""
    return (
        f"A depth below 0 or above 1 ({', '.join(techniques)}): the attainable range takes for granted that no window "
        "forgets more than all layers together, and here some do."
    )


def _told(technique: str, seeds: Found, resamples: int) -> dict[str, str]:
    """What a technique tells of one task and model."""
    frames = [tables.read(artefact.file("rows.parquet"), tables.ROWS) for artefact in seeds.values()]
    if technique in WINDOWED:
        return _windowed(technique, seeds, resamples)
    if technique == "maps":
        frame = pd.concat(frames)
        clean = frame[(frame["metric"] == "generalisation_mean") & (frame["group"] == "clean")]["value"]
        return {"instead": f"generalisation score {clean.mean():z.3f}"}
    try:
        if technique == "centroids":
            events = pd.DataFrame([centroid_events(frame) for frame in frames]).mean()
            return {"instead": f"crossing {events['crossing']:.1f}, initiation {events['initiation']:.1f}"}
        weights = layer_weights(frames)
    except MemlocError as error:  # a layer without positions; somebody's own technique that weighs no layers
        return {"instead": str(error)}
    centre = centre_over_seeds(frames)
    over = "seeds" if np.isfinite(centre.low) else "no interval"
    told = _place(centre, weights.relative, weights.bounds) | {"over": over}
    return told | ({"instead": weights.reason} if weights.reason else {})


def _windowed(technique: str, seeds: Found, resamples: int) -> dict[str, str]:
    outcomes = {s: tables.read(artefact.file("outcomes.parquet"), tables.OUTCOMES) for s, artefact in seeds.items()}
    place = localise(outcomes, resamples, technique=technique)
    return _place(place.mcog, float(relative_depth(place.mcog.value, place.bounds)), place.bounds) | {
        "over": place.unit,
        "M-CoG (k=1)": place.centre_k1,
        "clean acc.": f"{place.clean:z.3f}",
    }


def _place(centre: Interval, depth: float, bounds: tuple[float, float]) -> dict[str, str]:
    """What is no number, such as the centre of a place where nothing weighs, is shown as a dash."""
    return {
        "M-CoG": number(float(centre.value)),
        "attainable": f"{bounds[0]:z.2f} to {bounds[1]:z.2f}",
        "depth": number(depth),
        "95 % interval": f"{centre.low:z.2f} to {centre.high:z.2f}" if np.isfinite(centre.low) else DASH,
    }
