"""How well a technique finds memorisation where it is known to be (method 2.1): accuracy@1 and accuracy@2.

The input is one array of layer weights for each control setting. Beside every score stand the chance of a random layer
and the best constant answer: one that names the same layers whatever the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from memloc.arms import CONTROLS, target_layers
from memloc.errors import MemlocError, unknown_name

RANKS = (1, 2)


@dataclass(frozen=True)
class ControlScore:
    """How one technique did on the control settings of one (task, model).

    Attributes:
        at_1: share of the settings whose top layer is a target layer.
        at_2: mean, over settings and the two top layers, of "is a target layer".
        chance: the same of a random layer.
        constant_1, constant_2: of the best answer that is the same in every setting.
        constant_layers: the layer and the pair of layers behind them, from 1; the lowest where several are as good.
        num_layers: L.
        settings: the settings scored.
    """

    at_1: float
    at_2: float
    chance: float
    constant_1: float
    constant_2: float
    constant_layers: tuple[tuple[int, ...], tuple[int, ...]]
    num_layers: int
    settings: tuple[str, ...]


class Constant(NamedTuple):
    """An answer that looks at nothing: its layers, from 1, and its score."""

    layers: tuple[int, ...]
    score: float


def hits(weight: np.ndarray, targets: Sequence[int], rank: int) -> float:
    """The share of the ``rank`` top-weighted layers that are target layers, in [0, 1].

    Layers with equal weights share the places they hold together: the score is the mean over all orders of equal ones.
    So weights that are all alike score what a random layer would.

    Args:
        weight: layer weights [L]; their scale does not matter.
        targets: target layers, from 1.

    Raises:
        MemlocError: if a weight is NaN or infinite, there are fewer layers than ``rank``, or a target is not a layer.
    """
    weight = np.asarray(weight, float)
    if weight.ndim != 1 or len(weight) < rank:
        raise MemlocError("layer weights", weight.shape, f"one for each layer, {rank} or more")
    if not np.isfinite(weight).all():
        layer = int(np.argmin(np.isfinite(weight))) + 1
        raise MemlocError(f"weight of layer {layer}", float(weight[layer - 1]), "a finite number")
    if not all(1 <= layer <= len(weight) for layer in targets):
        raise MemlocError("target layers", tuple(targets), f"layers of 1 to {len(weight)}")
    is_target = np.isin(np.arange(1, len(weight) + 1), list(targets))
    found, left = 0.0, rank
    for value in np.unique(weight)[::-1]:
        alike = weight == value
        places = min(left, int(alike.sum()))
        found += places * float(is_target[alike].mean())
        left -= places
        if not left:
            break
    return found / rank


def best_constant(settings: Sequence[str], num_layers: int, rank: int) -> Constant:
    """The best of all constant answers of ``rank`` layers, by its score over the settings.

    Cost: L choose ``rank`` answers.
    """
    targets = [set(target_layers(setting, num_layers)) for setting in settings]
    answers = [
        Constant(layers, float(np.mean([len(target & set(layers)) / rank for target in targets])))
        for layers in combinations(range(1, num_layers + 1), rank)
    ]
    return max(answers, key=lambda answer: answer.score)  # the first, and so the lowest, of those that are as good


def control_score(weights: Mapping[str, np.ndarray]) -> ControlScore:
    """The score of one technique on one (task, model).

    Args:
        weights: control setting to layer weights [L].

    Raises:
        MemlocError: for an unknown setting, none at all, models of different depth, or weights that are not finite.
    """
    for setting in weights:
        if setting not in CONTROLS:
            raise unknown_name("control setting", setting, CONTROLS)
    settings = tuple(setting for setting in CONTROLS if setting in weights)
    depths = {np.asarray(weights[setting]).shape for setting in settings}
    if len(depths) != 1:
        raise MemlocError("layer weights of control settings", sorted(depths), "one array [L] a setting, L alike")
    (num_layers, *_) = depths.pop()
    targets = {setting: target_layers(setting, num_layers) for setting in settings}
    at_1, at_2 = (float(np.mean([hits(weights[s], targets[s], rank) for s in settings])) for rank in RANKS)
    constants = [best_constant(settings, num_layers, rank) for rank in RANKS]
    return ControlScore(
        at_1=at_1,
        at_2=at_2,
        chance=float(np.mean([len(targets[setting]) / num_layers for setting in settings])),
        constant_1=constants[0].score,
        constant_2=constants[1].score,
        constant_layers=(constants[0].layers, constants[1].layers),
        num_layers=num_layers,
        settings=settings,
    )


def control_table(found: Mapping[tuple[str, str, str], Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Scores of several (technique, model, task), a row each.

    Args:
        found: (technique, model, task) to the weights of its control settings.

    Returns:
        Columns technique, model, task, layers, settings (their number), accuracy_at_1, accuracy_at_2, chance,
        constant_at_1, constant_at_2 (shares in [0, 1]), constant_layer and constant_pair (from 1).
    """
    rows = []
    for (technique, model, task), weights in found.items():
        score = control_score(weights)
        rows.append(
            {
                "technique": technique,
                "model": model,
                "task": task,
                "layers": score.num_layers,
                "settings": len(score.settings),
                "accuracy_at_1": score.at_1,
                "accuracy_at_2": score.at_2,
                "chance": score.chance,
                "constant_at_1": score.constant_1,
                "constant_at_2": score.constant_2,
                "constant_layer": score.constant_layers[0][0],
                "constant_pair": "{}, {}".format(*score.constant_layers[1]),
            }
        )
    return pd.DataFrame(rows)
