"""Bootstrap intervals of layer curves and M-CoG: over examples within a cell, over seeds from three seeds up."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from memloc.analysis.layers import (
    attainable_range,
    centre_of_gravity,
    layer_weight,
    layers_of,
    lengths_of,
    memorisation_error,
    rescaled,
)
from memloc.analysis.weights import layer_weights
from memloc.errors import MemlocError
from memloc.wording import with_interval

SEEDS_FOR_INTERVAL = 3
WINDOWED = ("swapping", "retraining")
COVERS = {  # what the interval of a technique's M-CoG is over
    **dict.fromkeys(WINDOWED, "noisy examples, and seeds from three up"),
    "gradients": "seeds from three up; the norms are of group means, and examples would take a backward pass each",
    "probing": "seeds from three up; which examples a probe got right is not kept",
}


@dataclass
class Interval:
    """A value with a percentile interval; arrays carry the layer axis [L]."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __str__(self) -> str:
        """One number in words, ``6.19 [6.07, 6.31]``; without brackets where nothing could be resampled."""
        return self.told()

    def told(self, digits: int = 2, sign: bool = False) -> str:
        """The same with other digits, or with a sign."""
        return with_interval(float(self.value), float(self.low), float(self.high), digits, sign)


@dataclass
class Localisation:
    """Where one (task, model) memorises, averaged over its seeds.

    Attributes:
        error: memorisation error [K, L] (window length, layer), mean over seeds; K = L where all lengths were measured.
        weight: layer weight w_l with its interval.
        weight_k1: the same from single layers alone; NaN where no single layers were measured.
        mcog: centre of gravity of ``weight``.
        mcog_k1: centre of gravity of ``weight_k1``.
        bounds: M-CoG of memory wholly in the first and wholly in the last layer.
        clean: lowest accuracy on clean examples over all windows, mean over seeds.
        seeds: number of seeds.
        unit: what the interval resamples: ``"examples"`` or ``"seeds and examples"``.
        noisy: number of noisy examples.
        lengths: the K window lengths.
    """

    error: np.ndarray
    weight: Interval
    weight_k1: Interval
    mcog: Interval
    mcog_k1: Interval
    bounds: tuple[float, float]
    clean: float
    seeds: int
    unit: str
    noisy: int
    lengths: tuple[int, ...] = ()

    @property
    def centre_k1(self) -> str:
        """The M-CoG of single layers, or in words why there is none."""
        if np.isfinite(self.mcog_k1.value):
            return f"{self.mcog_k1.value:z.2f}"
        if 1 not in self.lengths:
            return "single layers were not run"
        return "no single layer forgets" if np.isfinite(self.weight_k1.value).all() else "all layers forget nothing"

    @property
    def most_by_one(self) -> str:
        """The most that a single layer makes a model forget, and which layer, in words."""
        weight = self.weight_k1.value
        if not np.isfinite(weight).all():
            return "–"
        layer = int(np.argmax(weight))
        return f"{weight[layer]:z.2f} (layer {layer + 1})" if weight[layer] > 0 else "nothing"


def share_interval(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of n trials; the share may be a mean of trials that are partly right.

    Unlike a bootstrap it has a width where every trial went the same way.

    Raises:
        MemlocError: without a trial, or if the share is not one.
    """
    if n < 1 or not 0 <= share <= 1:
        raise MemlocError("share of trials", (share, n), "a number from 0 to 1, of one trial or more")
    z = float(ndtri((1 + level) / 2))
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((centre + sign * spread) / (1 + z * z / n) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def correct_matrix(outcomes: pd.DataFrame, group: str) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Windows and a bool matrix [W, n] of the group's outcomes, examples in the order of ``idx``.

    Raises:
        MemlocError: if an example lacks an outcome in some window, or has two.
    """
    chosen = outcomes[outcomes["group"] == group]
    pairs = chosen.groupby(["window_start", "window_length"]).ngroups * chosen["idx"].nunique()
    if pairs != len(chosen) or chosen.duplicated(["window_start", "window_length", "idx"]).any():
        raise MemlocError(f"{group} outcomes", f"{len(chosen)} rows", f"{pairs}: one for every window and example")
    wide = chosen.pivot(index=["window_start", "window_length"], columns="idx", values="correct").sort_index()
    return [(int(s), int(k)) for s, k in wide.index], wide.to_numpy(bool)


def localise(
    outcomes: dict[int, pd.DataFrame],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    technique: str = "swapping",
) -> Localisation:
    """Curves and intervals of one (task, model).

    The interval resamples noisy examples with replacement, the same draw in every seed (the examples are the same);
    from three seeds up it resamples the seeds too. It covers which examples were made noisy and, from three seeds up,
    training; it says nothing about other tasks. Heatmaps are averaged over seeds before weights are taken. Retraining
    is rescaled within every draw, by what the drawn examples leave when all layers are retrained.

    Cost: resamples x seeds x W x n multiplications, done as one matrix product a seed.

    Args:
        outcomes: seed to the outcomes table of its swapping or retraining.
        resamples: bootstrap draws.
        seed: of the draws.
        level: coverage asked for.
        technique: ``swapping`` or ``retraining``.

    Raises:
        MemlocError: if there is no seed, no noisy example, the technique has no windows, or the seeds differ in
            windows or examples.
    """
    if technique not in WINDOWED:
        raise MemlocError("technique with outcomes by window", technique, WINDOWED)
    windows, matrices = _matched(outcomes)
    n, num_layers, lengths = matrices[0].shape[1], layers_of(windows), lengths_of(windows)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    per_seed = np.stack([draws @ matrix.T.astype(float) for matrix in matrices])  # [S, R, W]
    observed = np.stack([matrix.mean(axis=1) for matrix in matrices])  # [S, W]
    if technique == "retraining":
        per_seed, observed = (rescaled(accuracy, windows, num_layers) for accuracy in (per_seed, observed))
    across = len(matrices) >= SEEDS_FOR_INTERVAL
    everyone = np.tile(np.arange(len(matrices)), (resamples, 1))
    picks = rng.integers(len(matrices), size=everyone.shape) if across else everyone
    resampled = per_seed[picks, np.arange(resamples)[:, None]].mean(axis=1)
    errors = memorisation_error(resampled, windows, num_layers, lengths)
    error = memorisation_error(observed.mean(axis=0), windows, num_layers, lengths)
    nothing = np.full(num_layers, np.nan)
    single = error[0] if lengths[0] == 1 else nothing
    singles = errors[:, 0] if lengths[0] == 1 else np.tile(nothing, (resamples, 1))
    weight, weights = layer_weight(error), layer_weight(errors)
    clean = [correct_matrix(frame, "clean")[1].mean(axis=1).min() for frame in outcomes.values()]
    return Localisation(
        error=error,
        weight=_interval(weight, weights, level),
        weight_k1=_interval(single, singles, level),
        mcog=_interval(centre_of_gravity(weight), centre_of_gravity(weights), level),
        mcog_k1=_interval(centre_of_gravity(single), centre_of_gravity(singles), level),
        bounds=attainable_range(windows, num_layers, lengths),
        clean=float(np.mean(clean)),
        seeds=len(matrices),
        unit="seeds and examples" if across else "examples",
        noisy=n,
        lengths=lengths,
    )


def centre_over_seeds(
    seeds: Sequence[pd.DataFrame], variant: str | None = None, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """M-CoG of a technique whose rows say nothing of single examples, with an interval over seeds from three up.

    All draws of as many seeds as there are, with replacement, are counted where they are no more than ``resamples``.
    It covers what another order of training would change, and not which examples were made noisy.

    Cost: one weighing a different draw: at most (2S - 1)! / (S! (S - 1)!), 10 for 3 seeds and 126 for 5.

    Args:
        seeds: tidy rows, one frame a seed.
        variant: as for ``layer_weights``.
    """
    number = len(seeds)
    value = np.array(layer_weights(seeds, variant).mcog)
    if number < SEEDS_FOR_INTERVAL:
        return Interval(value, np.array(np.nan), np.array(np.nan))
    draws: Iterable[Sequence[int]] = itertools.product(range(number), repeat=number)
    if number**number > resamples:
        draws = np.random.default_rng(seed).integers(number, size=(resamples, number)).tolist()
    counted = Counter(tuple(sorted(draw)) for draw in draws)
    centres = [
        layer_weights([seeds[s].assign(seed=place) for place, s in enumerate(draw)], variant).mcog for draw in counted
    ]
    return _interval(value, np.repeat(centres, list(counted.values())), level)


def _matched(outcomes: dict[int, pd.DataFrame]) -> tuple[list[tuple[int, int]], list[np.ndarray]]:
    """Windows, and a bool matrix [W, n] of noisy examples for every seed, checked to be about the same things."""
    if not outcomes:
        raise MemlocError("outcomes", "no seed", "at least one")
    parts = [correct_matrix(frame, "noisy") for frame in outcomes.values()]
    windows, n = parts[0][0], parts[0][1].shape[1]
    examples = [np.sort(frame.loc[frame["group"] == "noisy", "idx"].unique()) for frame in outcomes.values()]
    if n == 0 or any(w != windows for w, _ in parts) or any(not np.array_equal(e, examples[0]) for e in examples):
        raise MemlocError("outcomes", [m.shape for _, m in parts], "the same windows and noisy examples in every seed")
    return windows, [matrix for _, matrix in parts]


def _interval(value: np.ndarray, draws: np.ndarray, level: float) -> Interval:
    """Percentiles of the draws [R, ...] that have a value; NaN where none has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy warns of places where no draw has one
        low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(value, low, high)
