"""Worked examples small enough to follow by hand, computed by the functions that the experiments use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import correlation
from memloc.analysis.draws import spread
from memloc.analysis.layers import (
    attainable_range,
    centre_of_gravity,
    layer_share,
    layer_weight,
    memorisation_error,
    relative_depth,
)
from memloc.analysis.mapping import map_of
from memloc.config import DataConfig
from memloc.data.sampling import perturb
from memloc.windows import Window, windows

ROUNDING = 1e-9  # correlations that differ by less are the same
CLASSES = {"apple": 14, "pear": 20, "plum": 7}
# accuracy on noisy examples under each window of a made-up model of three layers that remembers mostly in layer 2
ACCURACY: Mapping[Window, float] = {
    (1, 1): 0.9,
    (2, 1): 0.4,
    (3, 1): 0.8,
    (1, 2): 0.2,
    (2, 2): 0.1,
    (1, 3): 0.0,
}


def perturbed_fruit(rate: float = 0.15) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rule on 41 made-up examples of three classes.

    Returns:
        By class: rows, ``rate`` times rows, and that rounded down; and the rows that became noisy.
    """
    names = tuple(CLASSES)
    labels = [label for label, count in enumerate(CLASSES.values()) for _ in range(count)]
    frame = pd.DataFrame({"idx": range(len(labels)), "label": labels})
    made = perturb(frame, names, "fruit", DataConfig(noise_rate=rate))
    noisy = made[made["group"] == "noisy"]
    counts = pd.DataFrame(
        {
            "class": names,
            "examples": list(CLASSES.values()),
            f"{rate:g} times that": [f"{rate * count:z.2f}" for count in CLASSES.values()],
            "noisy": [int((noisy["label"] == label).sum()) for label in range(len(names))],
        }
    )
    shown = noisy.assign(label=[names[i] for i in noisy["label"]], given=[names[i] for i in noisy["given"]])
    return counts, shown[["idx", "label", "given"]].reset_index(drop=True)


def window_table(order: Sequence[Window], columns: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Windows by the layers they hold, short ones first, and what is told of each."""
    layers = [", ".join(str(start + i) for i in range(length)) for start, length in order]
    table = pd.DataFrame({"window": layers, "length": [length for _, length in order], **columns})
    return table.sort_values("length", kind="stable")


def three_layers() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Swapping in a made-up model of three layers.

    Returns:
        The six windows with their accuracies; E by window length (rows) and layer (columns), with the layer weights
        below; and the numbers of the text: M-CoG and its attainable range.
    """
    order = windows(3)
    accuracy = [ACCURACY[window] for window in order]
    given = window_table(order, {"accuracy on noisy": [f"{value:.1f}" for value in accuracy]})
    error = memorisation_error(pd.Series(accuracy).to_numpy(), order, 3)
    weight = layer_weight(error)
    names = [*(f"k = {k}" for k in (1, 2, 3)), "layer weight"]
    shown = pd.DataFrame([*error, weight], columns=["layer 1", "layer 2", "layer 3"]).map("{:z.3f}".format)
    shown.insert(0, "", names)
    low, high = attainable_range(order, 3)
    numbers = {
        "middle": f"{error[1, 1]:z.2f}",
        **{f"w{layer}": f"{value:z.3f}" for layer, value in enumerate(weight, start=1)},
        "mcog": f"{centre_of_gravity(weight):z.2f}",
        "low": f"{low:z.2f}",
        "high": f"{high:z.2f}",
    }
    return given, shown, numbers


# probability of the given label by four made-up models, with a star where they were trained on the example
TOLD: Mapping[str, tuple[str, ...]] = {
    "usual": ("0.9*", "0.9*", "0.8", "0.8"),
    "odd, but right": ("0.9*", "0.3", "0.8*", "0.2"),
    "wrong label": ("0.0", "0.9*", "0.1", "0.7*"),
    "hard": ("0.2", "0.1", "0.4*", "0.4*"),
}


def four_models() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """The map of four examples by four made-up models, each trained on half of them.

    Returns:
        What every model says (a star where it was trained on the example); the map; and the numbers of the text.
    """
    probability = np.array([[float(word.rstrip("*")) for word in row] for row in TOLD.values()]).T
    seen = np.array([[word.endswith("*") for word in row] for row in TOLD.values()]).T
    noisy = np.array(["wrong" in name for name in TOLD])
    found = map_of(np.arange(len(TOLD)), noisy, probability, seen)
    given = pd.DataFrame(list(TOLD.values()), columns=[f"model {n}" for n in range(1, 5)])
    given.insert(0, "example", list(TOLD))
    columns = ["memorisation", "generalisation", "counterfactual"]
    shown = found[columns].map("{:z.2f}".format)
    shown.insert(0, "example", list(TOLD))
    wrong = list(TOLD).index("wrong label")
    numbers = {name: str(shown.loc[wrong, name]) for name in columns}
    score = found.loc[found["group"] == "clean", "generalisation"].mean()
    return given, shown, numbers | {"score": f"{score:z.2f}", "clean": str(int((~noisy).sum()))}


# M-CoG of four made-up tasks with all their classes, and with two
CENTRES: Mapping[str, tuple[float, float]] = {
    "apples": (5.0, 5.2),
    "pears": (5.4, 5.1),
    "plums": (6.1, 6.3),
    "nuts": (6.6, 6.0),
}


def two_orders() -> tuple[pd.DataFrame, dict[str, str]]:
    """Do four made-up tasks keep their order? Ranks, and how many of all orders agree as well.

    Returns:
        The ranks by task and their squared differences; and the numbers of the text.
    """
    both = np.array(list(CENTRES.values()))
    place = both.argsort(axis=0).argsort(axis=0) + 1
    first, second = place.T
    squares = (first - second) ** 2
    shown = pd.DataFrame(
        {
            "task": list(CENTRES),
            "M-CoG, all classes": [f"{value:.1f}" for value in both[:, 0]],
            "M-CoG, two classes": [f"{value:.1f}" for value in both[:, 1]],
            "rank": first,
            "rank with two": second,
            "d²": squares,
        }
    )
    found = float(correlation(both[:, 0], both[:, 1], "spearman")[0])
    orders = [correlation(first, np.array(order), "spearman")[0] for order in permutations(second)]
    close = sum(value >= found - ROUNDING for value in orders)
    numbers = {"sum": squares.sum(), "orders": len(orders), "close": close}
    words = {name: str(int(value)) for name, value in numbers.items()}
    return shown, words | {"rho": f"{found:.1f}", "p": f"{close / len(orders):z.2f}"}


DEPTHS = (2, 4, 6, 12, 24)


def held_by_half(layers: int) -> tuple[float, tuple[float, float]]:
    """M-CoG and its attainable range where each wrong label is in one layer, evenly over the first half of them."""
    order = windows(layers)
    held = range(1, layers // 2 + 1)
    accuracy = np.array([1 - np.mean([start <= at < start + length for at in held]) for start, length in order])
    weight = layer_weight(memorisation_error(accuracy, order, layers))
    return float(centre_of_gravity(weight)), attainable_range(order, layers)


def first_half() -> tuple[pd.DataFrame, dict[str, str]]:
    """One memory, evenly over the first half of the layers, in models of several depths.

    Returns:
        A row a model: M-CoG, the share of the layers below it, its depth; and the numbers of the text.
    """
    rows: list[dict[str, object]] = []
    numbers: dict[str, str] = {}
    for layers in DEPTHS:
        mcog, bounds = held_by_half(layers)
        share, depth = float(layer_share(mcog, layers)), float(relative_depth(mcog, bounds))
        told = {"mcog": f"{mcog:z.2f}", "share": f"{share:z.3f}", "depth": f"{depth:z.2f}"}
        numbers |= {f"{name}-{layers}": value for name, value in told.items()}
        attainable = f"{bounds[0]:z.2f} to {bounds[1]:z.2f}"
        row = {"layers": layers, "M-CoG": told["mcog"], "attainable": attainable}
        rows.append({**row, "share of the layers below it": told["share"], "depth": told["depth"]})
    return pd.DataFrame(rows), numbers


# depths of two made-up combinations of task and model in three draws of the data, and, on the data of the first draw,
# with another learning rate
DRAWS: Mapping[str, tuple[float, ...]] = {"first task": (0.40, 0.44, 0.42), "second task": (0.60, 0.52, 0.56)}
OTHER_RATE = {"first task": 0.50, "second task": 0.38}


def three_draws() -> tuple[pd.DataFrame, dict[str, str]]:
    """Three draws of the data and a variant, for two made-up places.

    Returns:
        Depths with their means and squared distances from them; and the numbers of the text.
    """
    values = {place: np.array(depths) for place, depths in DRAWS.items()}
    squares = {place: float(((of - of.mean()) ** 2).sum()) for place, of in values.items()}
    shown = pd.DataFrame([[f"{depth:z.2f}" for depth in depths] for depths in DRAWS.values()])
    shown.columns = pd.Index([f"draw {n}" for n in range(1, shown.shape[1] + 1)])
    shown.insert(0, "", list(DRAWS))
    shown["mean"] = [f"{of.mean():z.2f}" for of in values.values()]
    shown["sum of squared distances"] = [f"{square:.4f}" for square in squares.values()]
    shown["variant"] = [f"{OTHER_RATE[place]:z.2f}" for place in DRAWS]
    changes = {place: OTHER_RATE[place] - DRAWS[place][0] for place in DRAWS}
    shown["change from draw 1"] = [f"{change:+z.2f}" for change in changes.values()]
    found = spread(list(DRAWS.values()))
    assert found
    numbers: dict[str, str] = {
        "squares": f"{sum(squares.values()):.4f}",
        "freedom": str(found.freedom),
        "deviation": f"{found.deviation:z.3f}",
        "quantile": f"{found.limit / found.deviation / 2**0.5:z.2f}",
        "limit": f"{found.limit:z.2f}",
        **{f"change-{n}": f"{change:+z.2f}" for n, change in enumerate(changes.values(), start=1)},
    }
    return shown, numbers
