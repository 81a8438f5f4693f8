"""From the rows of finished cells to the summary by which claims are judged, in the vocabulary of ``claims.yml``.

What the rows at hand do not tell is absent; what they tell but cannot be measured (an M-CoG where nothing weighs) is
empty. A claim that needs either cannot be told, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.analysis.answers import cell_answers, settings_memorised, weighing
from memloc.analysis.curves import trained_arm
from memloc.analysis.events import centroid_events, probing_events
from memloc.analysis.layers import Window, layers_of, window_accuracy
from memloc.analysis.status import last_score
from memloc.analysis.weights import KNOWN, LayerWeights, layer_weights
from memloc.errors import MemlocError

if TYPE_CHECKING:
    from memloc.analysis.numbers import Numbers
    from memloc.pipeline import CellId

COLUMNS = ["run", "task", "model", "seed", "technique", "metric", "layer", "value", "n"]
FORGOTTEN = 0.1  # accuracy on noisy examples that counts as 90 % forgotten

Metric = tuple[str, int | None, float]  # name, layer, value


def shortest_forgetting(windows: Sequence[Window], accuracy: np.ndarray, num_layers: int) -> int:
    """Length of the shortest window that leaves accuracy at most .1 on noisy examples; L + 1 if none does.

    Args:
        accuracy: accuracy on noisy examples by window, [W].
    """
    lengths = [length for (_, length), value in zip(windows, accuracy, strict=True) if value <= FORGOTTEN]
    return min(lengths, default=num_layers + 1)


def normalised_score(score: float, classes: int) -> float:
    """(s - rand) / (1 - rand) of a macro-F1 score s, rand that of shuffled labels.

    Shuffled labels have as many examples of each class as the true ones, so a class with a share p is hit in a share p
    of its own: F1 is p, and the mean over C classes is 1 / C, whatever their sizes.
    """
    return (score - 1 / classes) / (1 - 1 / classes) if classes > 1 else float("nan")


def training_summary(trace: pd.DataFrame, num_layers: int, classes: int | None = None) -> pd.DataFrame:
    """What the requirements of the claims ask of training, and the validation score, from the perturbed arm's trace.

    Args:
        classes: number of classes C of the task; without it the validation score is left out.
    """
    noisy, n = last_score(trace, "train", "noisy")
    rows: list[tuple[str, float, int]] = [("num_layers", num_layers, n), ("accuracy_noisy", noisy, n)]
    if classes and ((trace["split"] == "validation") & (trace["metric"] == "macro_f1")).any():
        score, held_out = last_score(trace, "validation", "all", "macro_f1")
        rows.append(("validation_score_normalised", normalised_score(score, classes), held_out))
    return pd.DataFrame(rows, columns=["metric", "value", "n"]).assign(technique="training", layer=None)


def technique_metrics(rows: pd.DataFrame, num_layers: int) -> pd.DataFrame:
    """Every metric of a technique from the tidy rows of one cell: ``metric, layer, value, n, technique``."""
    technique = str(rows["technique"].iloc[0])
    if technique in ("swapping", "retraining"):
        found = _of_windows(rows, num_layers)
    elif technique == "centroids":
        found = _of_centroids(rows, num_layers)
    elif technique == "maps":
        found = [("generalisation_score", None, _generalisation(rows))]
    elif technique not in KNOWN and not (rows["metric"] == "layer_weight").any():
        found = []  # somebody's own technique that weighs no layers: no claim is about it
    else:
        found = weight_metrics(layer_weights(rows, num_layers=num_layers))
        if technique == "probing":
            found += [(name, None, value) for name, value in probing_events(rows).items()]
    noisy = rows[rows["group"] == "noisy"]
    n = int((rows if noisy.empty else noisy)["n"].max())
    return pd.DataFrame(found, columns=["metric", "layer", "value"]).assign(n=n, technique=technique)


def weight_metrics(weights: LayerWeights) -> list[Metric]:
    """Layer weights and what follows from them."""
    mcog, (low, high), num_layers = weights.mcog, weights.bounds, weights.num_layers
    found: list[Metric] = [
        ("mcog", None, mcog),
        ("mcog_attainable_low", None, low),
        ("mcog_attainable_high", None, high),
        ("mcog_relative", None, weights.relative),
        ("mcog_centred", None, (mcog - (num_layers + 1) / 2) / num_layers),
    ]
    for name, curve in (("layer_weight", weights.weight), ("layer_weight_k1", weights.single)):
        if curve is not None:
            found += [(name, layer, float(value)) for layer, value in enumerate(curve, start=1)]
    return found


def _of_windows(rows: pd.DataFrame, num_layers: int) -> list[Metric]:
    """Swapping and retraining.

    Where swapping lacks a window only the coverage is told: the other numbers would be of something else. Retraining
    may be run with chosen window lengths; its M-CoG then has a range of its own, which is told with it.
    """
    windows, noisy = window_accuracy(rows, "noisy")
    found: list[Metric] = [("window_coverage", None, len(windows) / (num_layers * (num_layers + 1) / 2))]
    whole = found[0][2] == 1
    if rows["technique"].iloc[0] == "swapping" and whole:
        clean, single = window_accuracy(rows, "clean")[1], [length == 1 for _, length in windows]
        found += [
            ("acc_clean_min_window", None, float(clean.min())),
            ("acc_clean_mean_window", None, float(clean.mean())),
            ("acc_noisy_single_layer_min", None, float(noisy[single].min())),
            ("smallest_window_forgetting_90", None, shortest_forgetting(windows, noisy, num_layers)),
        ]
    if whole or (rows["technique"].iloc[0] == "retraining" and layers_of(windows) == num_layers):
        found += weight_metrics(layer_weights(rows))
    return found


def _of_centroids(rows: pd.DataFrame, num_layers: int) -> list[Metric]:
    """Events, or empty ones where some layer places no example: all its centroids are the same there."""
    noisy = rows[(rows["metric"] == "noisy_mean") & (rows["arm"] == trained_arm(rows))]
    if not set(range(1, num_layers + 1)) <= set(noisy["layer"].dropna().astype(int)):
        return [("crossing", None, float("nan")), ("initiation", None, float("nan"))]
    return [(name, None, value) for name, value in centroid_events(rows).items()]


def _generalisation(rows: pd.DataFrame) -> float:
    chosen = rows[(rows["metric"] == "generalisation_mean") & (rows["group"] == "clean")]
    if len(chosen) != 1:
        raise MemlocError("rows of maps generalisation_mean of clean", len(chosen), "one")
    return float(chosen["value"].iloc[0])


def summary(numbers: Numbers, techniques: Sequence[str] | None = None) -> pd.DataFrame:
    """The summary that ``memloc.claims.judge_all`` takes, as far as training and techniques provide it.

    Every cell there is is in it, memorised or not: the claims' own requirements leave cells out.

    Args:
        techniques: by default all of the profile; what is asked for of an experiment and not there yet is computed.

    Returns:
        ``run, task, model, seed, technique, metric, layer, value, n``; ``run`` is the key of the technique's rows, for
        training that of the first technique's.
    """
    asked = tuple(numbers.profile.techniques) if techniques is None else tuple(techniques)
    parts = [(cell, part) for cell in numbers.cells() for part in _parts(numbers, cell, asked)]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    # joined once: a frame for every cell costs more than its numbers
    found = pd.concat([part.astype({"layer": "Float64"}) for _, part in parts], ignore_index=True)
    lengths = [len(part) for _, part in parts]
    for number, name in enumerate(("task", "model", "seed")):
        found[name] = np.repeat([cell[number] for cell, _ in parts], lengths)
    return found[COLUMNS]


def _parts(numbers: Numbers, cell: CellId, techniques: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The summary of one cell, without its name: of training, of every technique, of the control."""
    from memloc.models.catalogue import get_model

    num_layers = get_model(cell.model).layers
    rows = {name: numbers.rows(cell, name) for name in techniques}
    training = training_summary(numbers.trace(cell, "perturbed"), num_layers, numbers.classes(cell))
    yield training.assign(run=next(iter(rows.values()))["run_key"].iloc[0] if rows else "")
    for told in rows.values():
        yield technique_metrics(told, num_layers).assign(run=told["run_key"].iloc[0])
    yield from _control(numbers, cell, techniques)


def _control(numbers: Numbers, cell: CellId, techniques: Sequence[str]) -> list[pd.DataFrame]:
    """Where the wrong labels may sit in two known layers alone: was that found, and were they learnt there at all?"""
    noisy = settings_memorised(numbers, cell)
    if not noisy:
        return []
    lowest = {"metric": "control_accuracy_noisy", "value": min(s for s, _ in noisy.values())}
    parts = [pd.DataFrame([lowest | {"n": next(iter(noisy.values()))[1], "technique": "training", "run": ""}])]
    for name in weighing(numbers, techniques):
        # a setting in which nothing can be told leaves the share untold
        score = cell_answers(numbers, cell, name).score
        first, second = (score.at_1, score.at_2) if score else (float("nan"), float("nan"))
        told = pd.DataFrame({"metric": ["accuracy_at_1", "accuracy_at_2"], "value": [first, second]})
        key = numbers.rows(cell, name, next(iter(noisy)))["run_key"].iloc[0]
        parts.append(told.assign(technique=name, n=len(noisy), run=key))
    return [part.assign(layer=None) for part in parts]
