"""Memorisation maps (method 3.6): what do models say of an example that they have, and have not, been trained on?

Many models learn the perturbed labels of a random half of the examples each. An example's memorisation is the mean
probability of its given label by the models that saw it, its generalisation score the same by those that did not, and
its counterfactual memorisation is what the first has more than the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from memloc.analysis.mapping import map_of
from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.memory import TOGETHER_BYTES
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.techniques.resuming import Pieces
from memloc.techniques.together import Together
from memloc.training.batches import Encoded
from memloc.training.ensemble import Member, given_probability, members, start_of, train_member
from memloc.training.loop import trained_parts

NARROW, TOGETHER_CPU = 128, 10

SUMMARIES: dict[str, tuple[str, Callable[[np.ndarray], Any]]] = {
    "generalisation_mean": ("generalisation", np.mean),
    "generalisation_median": ("generalisation", np.median),
    "memorisation_mean": ("memorisation", np.mean),
    "counterfactual_mean": ("counterfactual", np.mean),
}


@register_technique
class Maps:
    """A map of all training examples from an ensemble that is trained here, from the pre-trained start.

    Cost: of M members, 3 x epochs x share x N forward passes each for training and N for the probabilities. Memory: the
    start's weights, and as many training runs as there are members together (`Together`). Finished members are kept
    where the cell says, so that a killed run goes on with the next group.
    """

    name: ClassVar[str] = "maps"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("pretrained",)
    optional: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {
        "members": 30,
        "epochs": 10,
        "lr": 3e-5,
        "batch_size": 8,
        "weight_decay": 0.01,
        "share": 0.5,
        "balanced": False,
        "precision": "fp32",
        "together": 0,  # members trained at once; 0 leaves it to `members_together`
    }

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        probability, seen = ensemble_probabilities(cell, settings)
        details = map_of(cell.train.idx, cell.train.noisy, probability, seen)
        return Result(summarise(details), {"map": details})


def ensemble_probabilities(cell: Cell, settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Each member's probability of each example's given label, and whether it was trained on it.

    Returns:
        float64 [M, N] and bool [M, N].

    Raises:
        MemlocError: for settings out of range, or a member whose probabilities are no numbers.
    """
    own = {name: settings[name] for name in ("epochs", "lr", "batch_size", "weight_decay", "precision")}
    config = TrainConfig(**own, pooling=cell.pooling)
    if settings["together"] < 0 or (settings["together"] > 1 and cell.pooling != "token"):
        accepted = "0 (as many as pay), or a number; 0 or 1 where pooling is last_column"
        raise MemlocError("maps.together", settings["together"], accepted)
    data = cell.train
    chosen = members(len(data), settings["members"], cell.seed, settings["share"], settings["balanced"])
    probability, seen = np.empty((len(chosen), len(data))), np.zeros((len(chosen), len(data)), bool)
    for number, member in enumerate(chosen):
        seen[number, member.rows] = True
    pieces, waiting = Pieces(cell.resume, cell.run_key), []
    for number in range(len(chosen)):
        if pieces.done(f"member-{number + 1}"):
            probability[number] = pieces.get(f"member-{number + 1}")["probability"]
        else:
            waiting.append(number)
    if not waiting:
        return probability, seen
    model = cell.load("pretrained")
    size = settings["together"] or members_together(model, config)
    # groups are cut from all members, so that a resumed run trains the same ones together
    groups = [range(i, min(i + size, len(chosen))) for i in range(0, len(chosen), size)]
    label = f"maps {cell.task} {cell.model} {cell.seed}"
    with tqdm(total=len(chosen), initial=len(chosen) - len(waiting), desc=label, leave=False, disable=None) as bar:
        for group in (g for g in groups if set(g) & set(waiting)):
            for number, found in zip(group, ensemble(model, data, [chosen[i] for i in group], config), strict=True):
                if not np.isfinite(found).all():
                    raise MemlocError(f"probabilities of member {number + 1}", "not finite", "a lower lr of maps")
                probability[number] = found
                pieces.put(f"member-{number + 1}", {"probability": found})
                bar.update(number in waiting)
    return probability, seen


def members_together(model: Classifier, config: TrainConfig) -> int:
    """How many members to train at once where the settings leave it open; the same for a model on any such device.

    On a CPU it pays for narrow models only, whose operations are too small to keep a core busy (measured on one core,
    6 members: hidden 64 twice as fast, 128 1.4 times, 384 0.75 times). On a GPU what fits 16 GB beside activations.
    """
    device = next(model.parameters()).device
    if config.pooling != "token" or device.type not in ("cpu", "cuda"):
        return 1
    if device.type == "cpu":
        return TOGETHER_CPU if int(model.heads["main"].in_features) <= NARROW else 1  # type: ignore[arg-type]
    learnt = sum(tensor.numel() for tensor in model.part_state(trained_parts(model)).values())
    return max(1, int(TOGETHER_BYTES // (16 * learnt)))  # weights, gradients and two moments of four bytes


def ensemble(model: Classifier, data: Encoded, chosen: Sequence[Member], config: TrainConfig) -> Iterator[np.ndarray]:
    """Train members at once, or one where there is one, and tell each one's probabilities, float64 [N].

    Args:
        model: at the pre-trained start, as which it is left again at the end.
    """
    start = start_of(model)
    if len(chosen) == 1:
        train_member(model, start, data, chosen[0], config)
        yield given_probability(model, data, config.pooling)
    else:
        stack = Together(model, data, chosen, config)
        stack.train()
        for number in range(len(chosen)):
            model.load_parts(start | stack.of(number))
            yield given_probability(model, data, config.pooling)
    model.load_parts(start)


def summarise(details: pd.DataFrame) -> pd.DataFrame:
    """Rows of a map: over all examples, the clean and the noisy ones; examples without a value do not count."""
    rows = []
    for group in ("clean", "noisy", "all"):
        chosen = details if group == "all" else details[details.group == group]
        for metric, (column, function) in SUMMARIES.items():
            values = chosen[column].dropna().to_numpy()
            if len(values):
                value = float(function(values))
                rows.append({"layer": None, "group": group, "metric": metric, "value": value, "n": len(values)})
    return pd.DataFrame(rows).assign(arm="perturbed")
