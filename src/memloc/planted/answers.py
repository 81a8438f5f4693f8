"""What a localiser answers: one distribution over the layers, from the rows of its technique.

An answer is a weight for each of the L layers, none below 0, together 1. Layer weights of ``analysis.weights`` are cut
off at 0 and divided by their sum. Where no layer has any weight, or the weights are not defined, the answer is the same
weight for every layer: it then scores what looking at nothing would.

| technique  | readings (the first is the one that removal goes by)                                           |
|------------|------------------------------------------------------------------------------------------------|
| swapping   | ``single``: E[1, l], windows of one layer alone; ``windows``: the mean over all window lengths  |
| retraining | the same; ``windows`` only where windows of every length were retrained                        |
| gradients  | the default rule of ``analysis.weights``, whose name is the reading's                           |
| probing    | likewise; and ``rise_of_given``, where noisy examples were scored on their given labels        |
| centroids  | ``displacement``, see below                                                                    |
| others     | their own rows of metric ``layer_weight``; the reading has no name                              |

``rise_of_given`` was chosen on control runs (``results/nano-control``), before what it says of anything planted was
looked at.

Centroid displacement of layer l is ``max(0, g_l - g_{l-1})`` with ``g_l = o_l - n_l``: n_l is the mean position of
noisy examples between the centroids of their given (0) and their original class (1), o_l that of clean examples of the
original class in the same pairs, each left out of its own centroid. So n_{l-1} - n_l is how far noisy examples move
towards the given class in layer l, and o_{l-1} - o_l how far clean ones do anyway. Where positions are not defined
before layer 1 (encoders' [CLS] is the same for all), nothing can be apart there: g_0 = 0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from memloc import tables
from memloc.analysis.curves import curve, trained_arm
from memloc.analysis.intervals import WINDOWED
from memloc.analysis.weights import layer_weights
from memloc.config import derived_seed
from memloc.errors import MemlocError

SINGLE, WINDOWS, DISPLACEMENT, GIVEN = "single", "windows", "displacement", "rise_of_given"
ALWAYS, RANDOM = "always", "random"  # answers that look at nothing
CELL = ["task", "model", "seed", "noise", "place"]


def distribution(weight: np.ndarray) -> np.ndarray:
    """Layer weights [L] as an answer: cut off at 0, divided by their sum; all alike where that leaves nothing.

    Raises:
        MemlocError: without a layer.
    """
    weight = np.asarray(weight, float)
    if weight.ndim != 1 or not len(weight):
        raise MemlocError("layer weights", weight.shape, "one for each layer")
    positive = np.where(np.isfinite(weight), weight, 0.0).clip(min=0)
    if not np.isfinite(weight).all() or not positive.sum() > 0:
        return np.full(len(weight), 1 / len(weight))
    return positive / positive.sum()


def answers(rows: pd.DataFrame, num_layers: int | None = None) -> dict[str, np.ndarray]:
    """The readings of a technique's rows, by their names: each an answer [L].

    Args:
        rows: ``tables.ROWS`` of one technique, cell and setting.
        num_layers: L, where it is known; without it the last layer there are rows of counts as the last.

    Raises:
        MemlocError: if the technique weighs no layers, or its rows are not those of one whole run.
    """
    technique = str(rows["technique"].iloc[0]) if len(rows) else ""
    if technique == "centroids":
        return {DISPLACEMENT: distribution(displacement(rows, num_layers))}
    found = layer_weights(rows, num_layers=num_layers)
    if technique not in WINDOWED:
        told = {found.variant: distribution(found.weight)}
        if technique == "probing" and ((rows["metric"] == "f1_given") & (rows["group"] == "noisy")).any():
            told[GIVEN] = distribution(layer_weights(rows, GIVEN, num_layers).weight)
        return told
    told = {SINGLE: distribution(found.single)} if found.single is not None else {}
    if len(found.lengths) == found.num_layers:
        told[WINDOWS] = distribution(found.weight)
    if not told:
        raise MemlocError(f"window lengths of {technique}", found.lengths, "length 1 among them, or all lengths")
    return told


def displacement(rows: pd.DataFrame, num_layers: int | None = None) -> np.ndarray:
    """How far noisy examples move towards their given class in each layer, beyond clean ones: float64 [L], 0 or more.

    Raises:
        MemlocError: if a layer from 1 on has no positions.
    """
    arm = trained_arm(rows)
    before = (rows["arm"] == arm) & (rows["metric"] == "noisy_mean") & (rows["layer"] == 0)
    first = 0 if before.any() else 1
    noisy = curve(rows, arm, "noisy_mean", "noisy", first, num_layers)
    clean = curve(rows, arm, "original_mean_left_out", "clean", first, num_layers)
    gap = clean - noisy
    return np.maximum(0, np.diff(gap if first == 0 else np.concatenate([[0.0], gap])))


def found_rows(
    rows: pd.DataFrame, noise: float, place: str, regime: str, num_layers: int | None = None
) -> pd.DataFrame:
    """All readings of a technique's rows as ``tables.FOUND``.

    Args:
        rows: of one cell and setting, with their columns task, model and seed.
        noise: share of the labels that are wrong.
        place: where they are, by the name of ``places.Place``.
        regime: ``oracle``, ``blind`` or ``acquired``.
    """
    told = answers(rows, num_layers)
    one = rows.iloc[0]
    cell = {"task": one["task"], "model": one["model"], "seed": int(one["seed"]), "noise": noise, "place": place}
    return _table([({**cell, "regime": regime}, str(one["technique"]), *reading) for reading in told.items()])


def _table(told: list[tuple[dict[str, object], str, str, np.ndarray]]) -> pd.DataFrame:
    """``tables.FOUND`` of (cell and regime, technique, variant, weights)."""
    lengths = [len(weights) for *_, weights in told]
    heads = pd.DataFrame([{**cell, "technique": name, "variant": variant} for cell, name, variant, _ in told])
    frame = heads.loc[np.repeat(np.arange(len(told)), lengths)].reset_index(drop=True)
    frame["layer"] = np.concatenate([np.zeros(0, np.int64), *(np.arange(1, n + 1) for n in lengths)])
    frame["weight"] = np.concatenate([np.zeros(0), *(weights for *_, weights in told)])
    return frame.reindex(columns=tables.FOUND.names)


def baselines(cells: pd.DataFrame) -> pd.DataFrame:
    """Answers that look at nothing, as ``tables.FOUND``: every layer as a constant, and weights drawn at random.

    Random weights are uniform among all distributions over L layers (Dirichlet, all parameters 1), drawn anew for every
    cell, place and regime.

    Args:
        cells: columns task, model, seed, noise, place, regime and layers (L).
    """
    told: list[tuple[dict[str, object], str, str, np.ndarray]] = []
    for row in cells.to_dict("records"):
        cell: dict[str, object] = {name: row[name] for name in (*CELL, "regime")}
        one_hot = np.eye(int(row["layers"]))
        told += [(cell, ALWAYS, f"layer {layer}", weight) for layer, weight in enumerate(one_hot, start=1)]
        rng = np.random.default_rng(derived_seed("random localiser", *cell.values()))
        told.append((cell, RANDOM, "", rng.dirichlet(np.ones(len(one_hot)))))
    return _table(told)


def attainable(variant: str, truth: np.ndarray) -> float:
    """The weight that a perfect localiser's answer puts on the true layers.

    Weights over all window lengths blur even a perfect answer. For them ideal rows are weighed in the same way: under
    a window the error on noisy examples is the share of the place that lies in it, so 1 in exactly the windows that
    hold a place of one layer. Every other answer can put all its weight on the true layers.

    Args:
        variant: name of the reading.
        truth: share of the place in each layer [L], together 1.
    """
    return _blurred(tuple(float(share) for share in truth)) if variant == WINDOWS else 1.0


@lru_cache(maxsize=1024)
def _blurred(truth: tuple[float, ...]) -> float:
    weight = answers(ideal_rows(np.array(truth)))[WINDOWS]
    return float(weight[np.array(truth) > 0].sum())


def ideal_rows(truth: np.ndarray, technique: str = "swapping") -> pd.DataFrame:
    """The rows of swapping, or of retraining, if each window undid just the share of the place that lies in it."""
    from memloc.windows import windows

    accuracy = [1 - float(truth[start - 1 : start - 1 + length].sum()) for start, length in windows(len(truth))]
    start, length = zip(*windows(len(truth)), strict=True)
    cell = {"technique": technique, "task": "", "model": "", "seed": 1, "arm": "perturbed", "layer": None}
    where = {"window_start": start, "window_length": length, "group": "noisy"}
    return pd.DataFrame({**where, "metric": "accuracy", "value": accuracy, "n": 1, **cell})
