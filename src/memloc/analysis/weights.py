"""The layer weight of every technique, from its rows alone (method 4), and with it the M-CoG and its attainable range.

Seeds are averaged first (errors, F1 scores, gradients), weights are taken from the averages.

| technique  | weight of layer l                                                                   | M-CoG can reach |
|------------|-------------------------------------------------------------------------------------|-----------------|
| swapping   | mean over window lengths k of E[k, l]                                               | by its windows  |
| retraining | the same of the rescaled accuracy (a - m) / (1 - m)                                 | by its windows  |
| gradients  | r_l / sum r, r_l = G_l(trained) / G_l(frozen arm); variants name what G is          | 1 to L          |
| probing    | max(0, F1_l - F1_{l-1}) of telling noisy from clean; layer 1 against the frozen arm | 1 to L          |
| others     | their own rows of metric ``layer_weight``                                           | 1 to L          |

Probing's variant ``rise_of_given`` asks another question in the same way: macro F1 of the given label on noisy ones,
with layer 0 below layer 1, for the frozen arm's probes tell noise alone. It is ours and was found on control runs.

Centroids and maps weigh no layers; asking for their weights is an error that says what they tell instead.
Cost: linear in the number of rows; the windows' cells take L^2 W multiplications (11,232 with 12 layers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from memloc.analysis.curves import FROZEN, by_seed, curve, trained_arm
from memloc.analysis.layers import (
    Window,
    attainable_range,
    centre_of_gravity,
    layer_weight,
    layers_of,
    lengths_of,
    memorisation_error,
    relative_depth,
    rescaled,
    window_accuracy,
)
from memloc.errors import MemlocError, unknown_name

WITHOUT_WEIGHTS = {
    "centroids": "its events: crossing and initiation (memloc.analysis.events)",
    "maps": "its generalisation scores (memloc.analysis.relation)",
}
OBJECTIVES, NORMS, PARTS, BASELINES = ("logit", "nll"), ("l1", "l2"), ("difference", "noisy"), (FROZEN, "none")
_VARIANTS = {
    "gradients": tuple("_".join(parts) for parts in product(OBJECTIVES, NORMS, PARTS, BASELINES)),
    "probing": ("rise_of_means", "rise_by_seed", "rise_of_given"),
}


@dataclass(frozen=True)
class LayerWeights:
    """What one technique says about the layers of one (task, model).

    Attributes:
        technique: its name.
        variant: which of the technique's rules made the weights; empty where there is one.
        weight: w_l, float64 [L]; NaN where it is not defined.
        mcog: centre of gravity of ``weight``, in layers; NaN where it has none.
        bounds: M-CoG of memory wholly in layer 1 and wholly in layer L, as this technique would see it.
        seeds: number of seeds behind it.
        error: memorisation error [K, L] by window length and layer, or None.
        lengths: the K window lengths.
        baseline: what the first layer, or every layer, is measured against, in words; empty where nothing is.
        reason: why ``mcog`` is NaN; empty where it is a number.
    """

    technique: str
    variant: str
    weight: np.ndarray
    mcog: float
    bounds: tuple[float, float]
    seeds: int
    error: np.ndarray | None = None
    lengths: tuple[int, ...] = ()
    baseline: str = ""
    reason: str = ""

    @property
    def num_layers(self) -> int:
        """L."""
        return len(self.weight)

    @property
    def single(self) -> np.ndarray | None:
        """E[1, l], the error of single layers, [L]; None where no such windows were measured."""
        return self.error[0] if self.error is not None and self.lengths[0] == 1 else None

    @property
    def relative(self) -> float:
        """The M-CoG along its attainable range, 0 to 1; NaN where the range is a point."""
        return float(relative_depth(self.mcog, self.bounds))


def variants(technique: str) -> tuple[str, ...]:
    """Names of a technique's rules, the default first; empty where there is only one."""
    return _VARIANTS.get(technique, ())


def layer_weights(
    rows: pd.DataFrame | Sequence[pd.DataFrame], variant: str | None = None, num_layers: int | None = None
) -> LayerWeights:
    """Layer weights and M-CoG from the tidy rows of one technique on one task and model.

    Args:
        rows: of one setting, of one seed or of several (one frame, or one a seed).
        variant: one of ``variants(technique)``. By default the first; gradients without a frozen arm go without.
        num_layers: L, where it is known; without it the last layer there are rows of counts as the last.

    Raises:
        MemlocError: if the technique weighs no layers, a layer, window or arm is missing, a value is not finite, seeds
            differ in layers or windows, or the variant is unknown.
    """
    seeds = by_seed(rows)
    technique = str(seeds[0]["technique"].iloc[0])
    if technique in WITHOUT_WEIGHTS:
        raise MemlocError(
            "layer weights of technique", technique, f"not weighed by layer; see {WITHOUT_WEIGHTS[technique]}"
        )
    if variant is not None and variant not in variants(technique):
        raise unknown_name(f"variant of {technique}", variant, variants(technique) or ("none",))
    rule: Callable[[list[pd.DataFrame], str | None], LayerWeights] = _RULES.get(technique, _told)
    found = rule(seeds, variant)
    if num_layers not in (None, found.num_layers):
        raise MemlocError(f"layers of {technique}", found.num_layers, f"rows of all {num_layers} layers")
    return found


def _windows(seeds: list[pd.DataFrame], variant: str | None) -> LayerWeights:
    """Swapping and retraining: from accuracies under windows."""
    technique = str(seeds[0]["technique"].iloc[0])
    found = [window_accuracy(rows) for rows in seeds]
    windows: list[Window] = found[0][0]
    if not windows or any(other != windows for other, _ in found):
        raise MemlocError(f"windows of {technique}", [len(w) for w, _ in found], "the same ones in every seed")
    num_layers, lengths = layers_of(windows), lengths_of(windows)
    accuracy = np.stack([values for _, values in found])
    if not np.isfinite(accuracy).all():
        bad = windows[int(np.argwhere(~np.isfinite(accuracy))[0][1])]
        raise MemlocError(f"{technique} accuracy of window {bad}", "nan", "finite numbers")
    reason = ""
    if technique == "retraining":
        accuracy = rescaled(accuracy, windows, num_layers)
        if np.isnan(accuracy).any():
            reason = "retraining all layers forgets nothing (m = 1)"
    error = memorisation_error(accuracy, windows, num_layers, lengths).mean(axis=0)
    bounds = attainable_range(windows, num_layers, lengths)
    return _made(technique, "", layer_weight(error), bounds, len(seeds), reason, error=error, lengths=lengths)


def _gradients(seeds: list[pd.DataFrame], variant: str | None) -> LayerWeights:
    """Gradients: norms of the trained model's, over those of the arm in which only the head learnt."""
    with_frozen = [rows for rows in seeds if (rows["arm"] == FROZEN).any()]
    if variant is None:
        variant = _VARIANTS["gradients"][0] if with_frozen else _VARIANTS["gradients"][1]
    metric, baseline = variant.rsplit("_", 1)
    arm = trained_arm(pd.concat(seeds))
    trained = np.stack([curve(rows, arm, metric) for rows in _alike(seeds, arm, metric)]).mean(axis=0)
    ratio, reason = trained, ""
    if baseline == FROZEN:
        if not with_frozen:
            raise MemlocError("arm of gradients", "no frozen arm", f"rows of it, or variant {metric}_none")
        frozen = np.stack([curve(rows, FROZEN, metric, num_layers=len(trained)) for rows in with_frozen]).mean(axis=0)
        if (frozen == 0).any():
            reason = f"layer {int(np.argmin(frozen)) + 1} of the frozen arm has no gradient"
        ratio = trained / np.where(frozen == 0, np.nan, frozen)
    total = ratio.sum()
    if not reason and total == 0:
        reason = "no layer has a gradient"
    weight = ratio / (total if total else np.nan)
    told = "the frozen arm, layer by layer" if baseline == FROZEN else ""
    return _made("gradients", variant, weight, _single_range(weight), len(seeds), reason, baseline=told)


def _probing(seeds: list[pd.DataFrame], variant: str | None) -> LayerWeights:
    """Probing: how much better a layer tells noisy from clean examples, or given labels, than the layer before."""
    arm, variant = trained_arm(pd.concat(seeds)), variant or _VARIANTS["probing"][0]
    with_frozen = [rows for rows in seeds if (rows["arm"] == FROZEN).any()]
    baseline = "layer 1 of the frozen arm" if with_frozen else "layer 0, for there is no frozen arm"
    if variant == "rise_of_given":
        baseline, metric = "layer 0, for the frozen arm tells noise alone", "f1_given"
        found = [curve(rows, arm, metric, "noisy", first=0) for rows in _alike(seeds, arm, metric)]
        weight = np.maximum(0, np.diff(np.mean(found, axis=0)))
    elif variant == "rise_by_seed":
        metric = "rise_noise_by_seed"
        weight = np.stack([curve(rows, arm, metric) for rows in _alike(seeds, arm, metric)]).mean(axis=0)
    else:
        metric = "f1_noise"
        f1 = np.stack([curve(rows, arm, metric, first=0) for rows in _alike(seeds, arm, metric)]).mean(axis=0)
        if with_frozen:
            f1[0] = np.mean([curve(rows, FROZEN, metric, num_layers=len(f1) - 1)[0] for rows in with_frozen])
        weight = np.maximum(0, np.diff(f1))
    return _made("probing", variant, weight, _single_range(weight), len(seeds), "", baseline=baseline)


def _told(seeds: list[pd.DataFrame], variant: str | None) -> LayerWeights:
    """A technique this module does not know: its own rows say."""
    arm, metric = trained_arm(pd.concat(seeds)), "layer_weight"
    weight = np.stack([curve(rows, arm, metric) for rows in _alike(seeds, arm, metric)]).mean(axis=0)
    return _made(str(seeds[0]["technique"].iloc[0]), "", weight, _single_range(weight), len(seeds), "")


_RULES: dict[str, Callable[[list[pd.DataFrame], str | None], LayerWeights]] = {
    "swapping": _windows,
    "retraining": _windows,
    "gradients": _gradients,
    "probing": _probing,
}
KNOWN = (*_RULES, *WITHOUT_WEIGHTS)


def _alike(seeds: list[pd.DataFrame], arm: str, metric: str) -> list[pd.DataFrame]:
    """The same frames, after it was checked that every seed's has as many layers."""
    layers = [rows.loc[(rows["arm"] == arm) & (rows["metric"] == metric), "layer"].dropna() for rows in seeds]
    last = [int(found.max()) if len(found) else 0 for found in layers]
    if len(set(last)) > 1:
        raise MemlocError(f"layers of {metric}", last, "the same number in every seed")
    return seeds


def _single_range(weight: np.ndarray) -> tuple[float, float]:
    """Weights of single layers are not blurred: the M-CoG can be anywhere from 1 to L."""
    return 1.0, float(len(weight))


def _made(
    technique: str,
    variant: str,
    weight: np.ndarray,
    bounds: tuple[float, float],
    seeds: int,
    reason: str,
    error: np.ndarray | None = None,
    lengths: tuple[int, ...] = (),
    baseline: str = "",
) -> LayerWeights:
    mcog = float(centre_of_gravity(weight))
    if np.isnan(mcog) and not reason:
        reason = "no layer has any weight"
    return LayerWeights(technique, variant, weight, mcog, bounds, seeds, error, lengths, baseline, reason)
