"""From swapping's rows to the summary by which claims are judged, in the vocabulary of ``claims.yml``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.analysis.layers import (
    Window,
    attainable_range,
    centre_of_gravity,
    layer_weight,
    memorisation_error,
    window_accuracy,
)
from memloc.analysis.status import last_score

if TYPE_CHECKING:
    from memloc.analysis.numbers import Numbers

COLUMNS = ["run", "task", "model", "seed", "technique", "metric", "layer", "value", "n"]
FORGOTTEN = 0.1  # accuracy on noisy examples that counts as 90 % forgotten


def shortest_forgetting(windows: Sequence[Window], accuracy: np.ndarray, num_layers: int) -> int:
    """Length of the shortest window that leaves accuracy at most .1 on noisy examples; L + 1 if none does.

    Args:
        accuracy: accuracy on noisy examples by window, [W].
    """
    lengths = [length for (_, length), value in zip(windows, accuracy, strict=True) if value <= FORGOTTEN]
    return min(lengths, default=num_layers + 1)


def training_summary(trace: pd.DataFrame, num_layers: int) -> pd.DataFrame:
    """What the requirements of the claims ask of training, from the trace of the perturbed arm."""
    noisy, n = last_score(trace, "train", "noisy")
    rows = [("num_layers", num_layers, n), ("accuracy_noisy", noisy, n)]
    return pd.DataFrame(rows, columns=["metric", "value", "n"]).assign(technique="training", layer=None)


def swapping_metrics(rows: pd.DataFrame, num_layers: int) -> pd.DataFrame:
    """Every metric of swapping from the tidy rows of one cell: ``metric, layer, value, n, technique``.

    Where not all windows were measured, only the coverage is told: the other numbers would be of something else.
    """
    windows, noisy = window_accuracy(rows, "noisy")
    n = int(rows.loc[rows["group"] == "noisy", "n"].max())
    coverage = len(windows) / (num_layers * (num_layers + 1) / 2)
    found: list[tuple[str, int | None, float]] = [("window_coverage", None, coverage)]
    if coverage == 1:
        found += _whole(windows, noisy, window_accuracy(rows, "clean")[1], num_layers)
    frame = pd.DataFrame(found, columns=["metric", "layer", "value"])
    return frame.assign(n=n, technique="swapping")


def _whole(
    windows: list[Window], noisy: np.ndarray, clean: np.ndarray, num_layers: int
) -> list[tuple[str, int | None, float]]:
    error = memorisation_error(noisy, windows, num_layers)
    weight = layer_weight(error)
    mcog = float(centre_of_gravity(weight))
    low, high = attainable_range(windows, num_layers)
    single: list[tuple[str, int | None, float]] = [
        ("acc_clean_min_window", None, float(clean.min())),
        ("acc_clean_mean_window", None, float(clean.mean())),
        ("acc_noisy_single_layer_min", None, float(1 - error[0].max())),
        ("smallest_window_forgetting_90", None, shortest_forgetting(windows, noisy, num_layers)),
        ("mcog", None, mcog),
        ("mcog_attainable_low", None, low),
        ("mcog_attainable_high", None, high),
        ("mcog_relative", None, (mcog - low) / (high - low) if high > low else float("nan")),
        ("mcog_centred", None, (mcog - (num_layers + 1) / 2) / num_layers),
    ]
    curves = (("layer_weight", weight), ("layer_weight_k1", error[0]))
    return single + [(name, layer, float(v)) for name, values in curves for layer, v in enumerate(values, start=1)]


def swapping_summary(numbers: Numbers) -> pd.DataFrame:
    """The summary that ``memloc.claims.judge_all`` takes, as far as training and swapping provide it.

    Every cell there is is in it, memorised or not: the claims' own requirements leave cells out.

    Returns:
        ``run, task, model, seed, technique, metric, layer, value, n``; ``run`` is the key of the swapping rows.
    """
    frames = list(_cells(numbers))
    return pd.concat(frames, ignore_index=True)[COLUMNS] if frames else pd.DataFrame(columns=COLUMNS)


def _cells(numbers: Numbers) -> Iterator[pd.DataFrame]:
    from memloc.models.catalogue import get_model

    for cell in numbers.cells():
        num_layers = get_model(cell.model).layers
        rows = numbers.rows(cell, "swapping")
        parts = [training_summary(numbers.trace(cell, "perturbed"), num_layers), swapping_metrics(rows, num_layers)]
        run = rows["run_key"].iloc[0]
        yield pd.concat([p.astype({"layer": "Float64"}) for p in parts]).assign(run=run, **cell._asdict())
