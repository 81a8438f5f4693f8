"""What a store holds of a profile's results, as one table."""

from __future__ import annotations

import pandas as pd

from memloc import tables
from memloc.analysis.intervals import localise
from memloc.pipeline import CellId, Experiment

TECHNIQUE = "swapping"


def found_outcomes(experiment: Experiment) -> dict[tuple[str, str], dict[int, pd.DataFrame]]:
    """Outcomes of swapping that are in the store, by (task, model) and seed; nothing is computed."""
    found: dict[tuple[str, str], dict[int, pd.DataFrame]] = {}
    for cell in experiment.cells():
        artefact = experiment.store.find("rows", experiment.technique_config(cell, TECHNIQUE))
        if artefact is not None:
            outcomes = tables.read(artefact.file("outcomes.parquet"), tables.OUTCOMES)
            found.setdefault((cell.task, cell.model), {})[cell.seed] = outcomes
    return found


def noisy_accuracy(experiment: Experiment, cell: CellId) -> float:
    """Accuracy on the noisy examples' given labels after the perturbed arm's last epoch."""
    artefact = experiment.store.find("checkpoint", experiment.checkpoint_config(cell, "perturbed"))
    if artefact is None:
        return float("nan")
    trace = tables.read(artefact.file("trace.parquet"), tables.TRACE)
    last = trace[(trace["epoch"] == trace["epoch"].max()) & (trace["split"] == "train")]
    return float(last[(last["group"] == "noisy") & (last["metric"] == "accuracy")]["value"].iloc[0])


def overview(experiment: Experiment) -> pd.DataFrame:
    """One row per (task, model): seeds in the store, noisy accuracy (lowest seed), M-CoG with its interval and range.

    Returns:
        A frame of strings ready to print.
    """
    rows = []
    found = found_outcomes(experiment)
    for task in experiment.profile.tasks:
        for model, run in experiment.profile.models.items():
            seeds = found.get((task, model), {})
            row = {"task": task, "model": model, "seeds": f"{len(seeds)}/{len(run.seeds)}"}
            if seeds:
                place = localise(seeds, experiment.profile.resamples)
                noisy = min(noisy_accuracy(experiment, CellId(task, model, seed)) for seed in seeds)
                row |= {
                    "noisy acc.": f"{noisy:.3f}",
                    "M-CoG": f"{place.mcog.value:.2f}",
                    "95 % interval": f"{place.mcog.low:.2f} to {place.mcog.high:.2f}",
                    "over": place.unit,
                    "M-CoG (k=1)": f"{place.mcog_k1.value:.2f}",
                    "attainable": f"{place.bounds[0]:.2f} to {place.bounds[1]:.2f}",
                    "clean acc.": f"{place.clean:.3f}",
                }
            rows.append(row)
    return pd.DataFrame(rows).fillna("-")
