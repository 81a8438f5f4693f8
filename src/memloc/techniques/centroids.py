"""Centroid analysis (method 3.5): at which layer do wrongly labelled examples leave the company of their true class?

For every ordered pair of classes (a, b): A are the clean examples of a, B those of b, N the noisy examples with given
label a and original label b. Each state h is placed on the line through the two centroids,
``t(h) = (h - p_a).(p_b - p_a) / |p_b - p_a|^2``: 1 at the original class, 0 at the class of the wrong label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from memloc import tables
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.techniques.states import layer_states, mixed_model
from memloc.training.batches import Encoded, derived_seed

SAME = 1e-6  # centroids closer than this share of a state's typical norm differ by rounding of fp32 alone
BAND = {"p12.5": 12.5, "p50": 50.0, "p87.5": 87.5}


@dataclass(frozen=True)
class LayerPositions:
    """Positions at one layer, NaN where they are not defined (a class without clean examples, equal centroids).

    Attributes:
        noisy: t of each noisy example in its own pair, float64 [N noisy].
        given: t of clean examples of class k in the pairs (k, j), one column for each j, float64 [N clean, C]. In the
            pair (j, k), where they are members of B, the same examples are at 1 - t.
        left_out: the same with each example left out of its own centroid.
    """

    noisy: np.ndarray
    given: np.ndarray
    left_out: np.ndarray


def layer_positions(states: np.ndarray, data: Encoded, classes: int) -> LayerPositions:
    """Positions of all examples in all pairs at one layer.

    Everything follows from the products of states and centroids, H P^T [N, C] and P P^T [C, C]; leaving an example out
    moves its centroid along the line to itself, so that has a closed form. In float64, around the mean of all states:
    states of one layer often share a large component that would eat the digits of their differences.

    Cost: N x d x C multiplications; memory N x d + N x C numbers.

    Args:
        states: float32 [N, d].
        classes: C.
    """
    clean, kind = ~data.noisy, data.label[~data.noisy]
    h = states.astype(np.float64)
    tolerance = SAME**2 * float(np.mean(np.sum(h * h, axis=1)))
    h -= h.mean(axis=0)
    member = np.eye(classes)[kind]
    sizes = member.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centroids = (member.T @ h[clean]) / sizes[:, None]
        products, gram = h @ centroids.T, centroids @ centroids.T
        own = np.diag(gram)
        apart = own[:, None] + own[None, :] - 2 * gram  # |p_b - p_a|^2
        apart[apart <= tolerance] = np.nan

        a, b, row = data.given[data.noisy], data.label[data.noisy], np.flatnonzero(data.noisy)
        noisy = (products[row, b] - products[row, a] - gram[a, b] + gram[a, a]) / apart[a, b]

        near, rest = products[clean], sizes[kind, None] - 1
        mine = near[np.arange(len(kind)), kind][:, None]
        along = near - mine - gram[kind] + own[kind, None]  # (h - p_k).(p_j - p_k)
        square = np.sum(h[clean] ** 2, axis=1, keepdims=True) - 2 * mine + own[kind, None]  # |h - p_k|^2
        # without h the centroid is p_k - (h - p_k) / rest
        between = apart[kind] + 2 * along / rest + square / rest**2
        between[~(between > tolerance)] = np.nan
        left_out = (rest + 1) / rest * (along + square / rest) / between
    return LayerPositions(noisy, along / apart[kind], np.where(rest > 0, left_out, np.nan))


def pooled_pairs(data: Encoded, classes: int, least: int) -> np.ndarray:
    """Which ordered pairs (given class a, original class b) count in pooled numbers: bool [C, C].

    Args:
        least: noisy examples a pair must have.

    Raises:
        MemlocError: if no pair has so many.
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (data.given[data.noisy], data.label[data.noisy]), 1)
    clean = np.bincount(data.label[~data.noisy], minlength=classes) > 0
    found = (counts >= least) & clean[:, None] & clean[None, :]
    if not found.any():
        raise MemlocError(
            f"noisy examples in the largest of {classes * (classes - 1)} ordered class pairs",
            int(counts.max(initial=0)),
            f"{least} or more: more training rows, a higher noise rate, or a lower min_noisy of centroids",
        )
    return found


def summarise(layer: LayerPositions, data: Encoded, pooled: np.ndarray) -> list[dict[str, Any]]:
    """Rows of one layer: mean and band of each group over the pooled pairs; none where no position is defined."""
    kind = data.label[~data.noisy]
    as_given, as_original = pooled[kind], pooled.T[kind]
    groups = {
        ("noisy", ""): layer.noisy[pooled[data.given[data.noisy], data.label[data.noisy]]],
        ("given", ""): layer.given[as_given],
        ("original", ""): 1 - layer.given[as_original],
        ("given", "_left_out"): layer.left_out[as_given],
        ("original", "_left_out"): 1 - layer.left_out[as_original],
    }
    rows = []
    for (name, suffix), values in groups.items():
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        numbers = {"mean": values.mean()} | dict(zip(BAND, np.percentile(values, list(BAND.values())), strict=True))
        group = "noisy" if name == "noisy" else "clean"
        rows += [
            {"group": group, "metric": f"{name}_{what}{suffix}", "value": float(value), "n": len(values)}
            for what, value in numbers.items()
        ]
    return rows


def detail(layer: LayerPositions, data: Encoded, chosen: np.ndarray) -> pd.DataFrame:
    """Positions of one layer as a table: every noisy example, and of the clean ones those of ``chosen``.

    Args:
        chosen: places among the clean examples, int64 [M]; each is told in every pair of its class.
    """
    noisy = pd.DataFrame(
        {
            "given_class": data.given[data.noisy],
            "original_class": data.label[data.noisy],
            "member": "noisy",
            "idx": data.idx[data.noisy],
            "t": layer.noisy,
            "t_left_out": np.nan,
        }
    )
    kind, idx = data.label[~data.noisy][chosen], data.idx[~data.noisy][chosen]
    classes = layer.given.shape[1]
    own, other = np.repeat(kind, classes), np.tile(np.arange(classes), len(kind))
    t, left_out = layer.given[chosen].ravel(), layer.left_out[chosen].ravel()
    members = {"idx": np.repeat(idx, classes)}
    given = members | {"given_class": own, "original_class": other, "t": t, "t_left_out": left_out}
    original = members | {"given_class": other, "original_class": own, "t": 1 - t, "t_left_out": 1 - left_out}
    frames = [pd.DataFrame(given).assign(member="given"), pd.DataFrame(original).assign(member="original")]
    # a class is not at a distance from itself, so these rows are gone with the undefined ones
    return pd.concat([noisy, *frames]).dropna(subset=["t"])


def analyse(states: np.ndarray, data: Encoded, classes: int, least: int, members: int) -> Result:
    """Rows and positions of one arm from its states [L + 1, N, d], layer by layer.

    Args:
        least: see `pooled_pairs`.
        members: clean examples whose positions are told, drawn with a fixed seed.
    """
    pooled = pooled_pairs(data, classes, least)
    order = np.random.default_rng(derived_seed("centroids", "members")).permutation(int((~data.noisy).sum()))
    chosen = np.sort(order[:members])
    rows, positions = [], []
    for number, at_layer in enumerate(states):
        layer = layer_positions(at_layer, data, classes)
        rows += [{"layer": number, **row} for row in summarise(layer, data, pooled)]
        positions.append(detail(layer, data, chosen).assign(layer=number))
    return Result(pd.DataFrame(rows), {"positions": pd.concat(positions, ignore_index=True)})


@register_technique
class Centroids:
    """Positions between class centroids at every layer, of the perturbed model and of two half-replaced ones.

    The positions of all noisy examples are told, (L + 1) rows each, but of the clean ones only those of a seeded sample
    of ``members``: all of them would be 2 (L + 1)(C - 1) N rows. The rows are from all.

    Cost: one forward pass an arm, then N x d x C products a layer. Memory: (L + 1) x N x d floats beside the model, for
    one arm at a time; half-replaced models share the weights of both arms.
    """

    name: ClassVar[str] = "centroids"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed",)
    optional: ClassVar[tuple[str, ...]] = ("normal",)
    defaults: ClassVar[Mapping[str, Any]] = {"tokens": 1024, "min_noisy": 3, "members": 400}

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        for name, lowest in (("tokens", 1), ("min_noisy", 1), ("members", 0)):
            if settings[name] < lowest:
                raise MemlocError(f"centroids.{name}", settings[name], f"{lowest} or more")
        pooled_pairs(cell.train, cell.classes, settings["min_noisy"])  # before any model is loaded
        results = {}
        for arm, model in self._models(cell).items():
            label = f"centroids {cell.task} {cell.model} {cell.seed} {arm}"
            states = layer_states(model, cell.train, cell.pooling, settings["tokens"], label)
            results[arm] = analyse(states, cell.train, cell.classes, settings["min_noisy"], settings["members"])
        rows = pd.concat([found.rows.assign(arm=arm) for arm, found in results.items()], ignore_index=True)
        positions = pd.concat([found.details["positions"].assign(arm=arm) for arm, found in results.items()])
        return Result(rows, {"positions": positions[tables.POSITIONS.names]})

    def _models(self, cell: Cell) -> dict[str, Classifier]:
        perturbed = cell.load("perturbed")
        if "normal" not in cell.arms:
            return {"perturbed": perturbed}
        normal, depth = cell.load("normal"), perturbed.num_layers
        return {
            "perturbed": perturbed,
            "lower_from_normal": mixed_model(perturbed, normal, range(1, depth // 2 + 1)),
            "upper_from_normal": mixed_model(perturbed, normal, range(depth // 2 + 1, depth + 1)),
        }
