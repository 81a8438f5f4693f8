"""Worked examples of the techniques, small enough to follow by hand and computed by the functions of the analysis.

All numbers that go in are made up. Texts call them so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from memloc.analysis.correlation import correlation
from memloc.analysis.curves import FROZEN, MAIN
from memloc.analysis.events import crossing, largest_step
from memloc.analysis.layers import (
    attainable_range,
    centre_of_gravity,
    layer_weight,
    memorisation_error,
    relative_depth,
    rescaled,
)
from memloc.analysis.status import p_above
from memloc.analysis.weights import LayerWeights, layer_weights
from memloc.publishing.worked import window_table
from memloc.windows import Window, windows

Worked = tuple[pd.DataFrame, dict[str, str]]
Values = Mapping[tuple[str, str], Sequence[float]]  # by layer, of an arm and a metric

ASKED, MOST_FREQUENT = 20, 12  # validation examples, and how many of them have the most frequent label
RIGHT = (14, 16, 17, 18)


def lucky_answers() -> Worked:
    """How many right answers of twenty are more than luck, if always naming the most frequent label gives twelve?

    Returns:
        The probability of so many right answers or more by number of right answers; and the numbers of the text.
    """
    rate = MOST_FREQUENT / ASKED
    chance = {right: p_above(right / ASKED, ASKED, rate) for right in RIGHT}
    shown = pd.DataFrame(
        {
            "right answers": list(chance),
            "accuracy": [f"{right / ASKED:z.2f}" for right in chance],
            "p": [f"{value:z.3f}" for value in chance.values()],
        }
    )
    told = {"asked": str(ASKED), "frequent": str(MOST_FREQUENT), "rate": f"{rate:.1f}"}
    return shown, told | {f"p-{right}": f"{value:z.3f}" for right, value in chance.items()}


# accuracy on noisy examples after retraining each window of a made-up model of three layers
RETRAINED: Mapping[Window, float] = {
    (1, 1): 0.9,
    (2, 1): 0.6,
    (3, 1): 0.8,
    (1, 2): 0.4,
    (2, 2): 0.3,
    (1, 3): 0.2,
}


def three_retrained() -> Worked:
    """Retraining in a made-up model of three layers.

    Returns:
        By window its accuracy, the rescaled one and what that makes forgotten; and the numbers of the text: m, layer
        weights and M-CoG, and the M-CoG without rescaling.
    """
    order = windows(3)
    accuracy = np.array([RETRAINED[window] for window in order])
    scaled = rescaled(accuracy, order, 3)
    told = {"a": [f"{value:.1f}" for value in accuracy], "a′": [f"{value:z.3f}" for value in scaled]}
    shown = window_table(order, {**told, "forgotten, 1 − a′": [f"{1 - value:z.3f}" for value in scaled]})
    plain, weight = (layer_weight(memorisation_error(values, order, 3)) for values in (accuracy, scaled))
    low, high = attainable_range(order, 3)
    numbers = {
        "whole": f"{RETRAINED[1, 3]:.1f}",
        "single": f"{RETRAINED[2, 1]:.1f}",
        "scaled": f"{scaled[order.index((2, 1))]:z.3f}",
        **{f"w{layer}": f"{value:z.3f}" for layer, value in enumerate(weight, start=1)},
        "mcog": f"{centre_of_gravity(weight):z.3f}",
        "plain": f"{centre_of_gravity(plain):z.3f}",
        "low": f"{low:z.2f}",
        "high": f"{high:z.2f}",
    }
    return shown, numbers


def weighed(technique: str, values: Values, variant: str | None = None, first: int = 1) -> LayerWeights:
    """Layer weights of made-up values, as of those of a run.

    Args:
        values: of an arm and a metric, by layer, [L] or one more with ``first=0``.
        variant, first: the technique's rule, and the layer that values begin with.
    """
    rows = [
        {"technique": technique, "seed": 1, "arm": arm, "layer": layer, "group": None, "metric": metric, "value": value}
        for (arm, metric), by_layer in values.items()
        for layer, value in enumerate(by_layer, start=first)
    ]
    return layer_weights(pd.DataFrame(rows), variant)


# mean gradients of two parameters in each of two layers of a made-up model: of noisy and of clean examples
PULLS = (((4.0, -1.0), (1.0, 2.0)), ((2.0, 3.0), (1.0, 2.0)))
FROZEN_PULLS = (3.0, 2.0)  # G of the same layers in the frozen arm


def two_pulls() -> Worked:
    """Forgetting gradients in a made-up model of two layers with two parameters each.

    Returns:
        By layer the mean gradients, their difference, its L1 norm, that of the frozen arm, ratio and weights; and the
        numbers of the text.
    """
    noisy, clean = (np.array([layer[group] for layer in PULLS]) for group in (0, 1))
    pulled = {"difference": np.abs(noisy - clean).sum(axis=1), "noisy": np.abs(noisy).sum(axis=1)}
    values = {(MAIN, f"logit_l1_{part}"): by_layer for part, by_layer in pulled.items()}
    values[FROZEN, "logit_l1_difference"] = np.array(FROZEN_PULLS)
    weight = weighed("gradients", values, "logit_l1_difference_frozen").weight
    bare = weighed("gradients", values, "logit_l1_difference_none").weight
    alone = weighed("gradients", values, "logit_l1_noisy_none").weight
    shown = pd.DataFrame(
        {
            "layer": [1, 2],
            "noisy": [_vector(values) for values in noisy],
            "clean": [_vector(values) for values in clean],
            "difference": [_vector(values) for values in noisy - clean],
            "G": [f"{value:g}" for value in pulled["difference"]],
            "G, frozen arm": [f"{value:g}" for value in FROZEN_PULLS],
            "r": [f"{value:g}" for value in pulled["difference"] / FROZEN_PULLS],
            "weight": [f"{value:z.2f}" for value in weight],
        }
    )
    numbers = {"weight": weight[0], "bare": bare[0], "alone": alone[0]}
    size = {"g": f"{pulled['difference'][0]:g}", "noisy": f"{pulled['noisy'][0]:g}"}
    return shown, size | {name: f"{value:z.2f}" for name, value in numbers.items()}


def _vector(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}".replace("-", "−") for value in values) + ")"


# F1 of telling noisy from clean by two probe seeds, after layers 1 to 4 of a made-up model; and of the frozen arm
PROBED = ((0.16, 0.30, 0.40, 0.50), (0.04, 0.34, 0.10, 0.52))
FROZEN_F1 = 0.10


def two_probes() -> Worked:
    """Probing in a made-up model of four layers, with two probe seeds.

    Returns:
        F1 by layer of each probe seed, their mean and its rise; and the mean of the rises, beside; and the numbers of
        the text.
    """
    by_seed = np.array(PROBED)
    mean = by_seed.mean(axis=0)
    start = np.full((len(by_seed), 1), FROZEN_F1)
    rises = np.maximum(0, np.diff(np.hstack([start, by_seed]), axis=1))
    # what layer 1 is compared with stands where layer 0 would
    first = weighed("probing", {(MAIN, "f1_noise"): [FROZEN_F1, *mean]}, "rise_of_means", first=0)
    other = weighed("probing", {(MAIN, "rise_noise_by_seed"): rises.mean(axis=0)}, "rise_by_seed")
    shown = pd.DataFrame(
        {
            "layer": range(1, len(mean) + 1),
            **{f"probe seed {n}": [f"{value:z.2f}" for value in f1] for n, f1 in enumerate(by_seed, start=1)},
            "mean": [f"{value:z.2f}" for value in mean],
            "weight: rise of the mean": [f"{value:z.2f}" for value in first.weight],
            "mean of the rises": [f"{value:z.2f}" for value in other.weight],
        }
    )
    numbers = {"frozen": f"{FROZEN_F1:z.2f}", "fall": f"{by_seed[1, 2] - by_seed[1, 1]:z.2f}".replace("-", "−")}
    told = {"sum": first.weight.sum(), "mcog": first.mcog, "sum-rises": other.weight.sum(), "mcog-rises": other.mcog}
    return shown, numbers | {name: f"{value:z.2f}" for name, value in told.items()}


# after layers 1 to 4 of a made-up model with two hidden units: the centroids of the label that was given and of the
# original one, and the state of a noisy example
STATES = (
    ((0.0, 0.0), (2.0, 0.0), (1.8, 0.5)),
    ((0.0, 0.0), (2.0, 2.0), (1.0, 1.6)),
    ((0.0, 1.0), (3.0, 1.0), (0.9, 2.0)),
    ((0.0, 1.0), (4.0, 1.0), (0.4, 1.0)),
)


def position(given: Sequence[float], original: Sequence[float], state: Sequence[float]) -> float:
    """t of a state on the line through two centroids: 1 at the original class, 0 at the wrong label's."""
    start, end, at = (np.array(point) for point in (given, original, state))
    way = end - start
    return float((at - start) @ way / (way @ way))


def one_path() -> Worked:
    """The way of one noisy example from one class to another in a made-up model of four layers.

    Returns:
        By layer the two centroids, the state and its position; and the numbers of the text.
    """
    found = np.array([position(*points) for points in STATES])
    points = np.array(STATES)
    shown = pd.DataFrame(
        {
            "layer": range(1, len(found) + 1),
            "centroid of the given label": [_vector(values) for values in points[:, 0]],
            "centroid of the original label": [_vector(values) for values in points[:, 1]],
            "state": [_vector(values) for values in points[:, 2]],
            "position t": [f"{value:z.2f}" for value in found],
        }
    )
    numbers = {"t2": f"{found[1]:z.2f}", "way": f"{found[0] - found[-1]:z.2f}", "fall": f"{-np.diff(found).min():z.2f}"}
    return shown, numbers | {"cross": str(crossing(found)), "step": f"{largest_step(found):z.2f}"}


# M-CoG of four made-up combinations of task and model, of twelve layers, by two techniques
CENTRES: Mapping[str, tuple[float, float]] = {
    "first": (5.5, 4.0),
    "second": (6.0, 6.1),
    "third": (6.3, 5.2),
    "fourth": (7.0, 7.9),
}


def two_scales() -> Worked:
    """Do two techniques agree on four made-up combinations of task and model?

    Returns:
        M-CoG by each technique, its depth, and the products that make the correlation; and the numbers of the text.
    """
    layers = 12
    bounds = (attainable_range(windows(layers), layers), (1.0, float(layers)))
    both = np.array(list(CENTRES.values())).T
    depth = [relative_depth(values, ends) for values, ends in zip(both, bounds, strict=True)]
    away = both - both.mean(axis=1, keepdims=True)
    shown = pd.DataFrame(
        {
            "": list(CENTRES),
            "swapping": [f"{value:.1f}" for value in both[0]],
            "depth": [f"{value:z.2f}" for value in depth[0]],
            "gradients": [f"{value:.1f}" for value in both[1]],
            "depth ": [f"{value:z.2f}" for value in depth[1]],
            "x − mean": [_signed(value) for value in away[0]],
            "y − mean": [_signed(value) for value in away[1]],
            "product": [_signed(value) for value in away[0] * away[1]],
        }
    )
    squares = (away**2).sum(axis=1)
    numbers = {"products": (away[0] * away[1]).sum(), "squares-x": squares[0], "squares-y": squares[1]}
    numbers["r"] = float(correlation(both[0], both[1], "pearson")[0])
    numbers |= {"fourth-x": depth[0][3], "fourth-y": depth[1][3]}
    told = {f"fourth-{name}": str(shown[name].iloc[-1]) for name in ("swapping", "gradients")}
    return shown, told | {name: f"{value:z.2f}" for name, value in numbers.items()}


def _signed(value: float) -> str:
    return f"{value:+z.2f}".replace("-", "−")
