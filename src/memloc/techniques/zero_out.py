"""Zero-out (Chang et al. 2024): how much does the loss rise on noisy examples when one feed-forward unit is set to 0?

L x F units times N examples are too many forward passes for most models. So three cheap rankings name k candidates
each: the first-order estimate (minus the derivative of the loss with respect to the unit's scale), `activations`, and
`integrated_gradients`. The derivative alone would miss the strongest units: where a unit decides all by itself, a
little less of it changes nothing. Candidates are set to 0 one by one, and their scores are exact; the others keep the
estimate, but never rank above a candidate among the k best. ``share=1`` makes every unit exact. What happens to clean
examples as well is subtracted (``against_clean=False``: as published). Units that do for each other cannot be found by
taking them away one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from memloc.models.classifier import Classifier
from memloc.techniques.activations import mean_activity, written_norms
from memloc.techniques.base import Cell
from memloc.techniques.ff_units import mask_gradient, noisy_beyond_clean, unit_shape, zeroed
from memloc.techniques.gradients import objective_sum
from memloc.techniques.integrated_gradients import attributions
from memloc.techniques.layerwise import TOKENS_AT_ONCE, Recording, apply_layer, finish, only_token, record
from memloc.techniques.localiser import Located, localiser, located_by_units, top_units
from memloc.training.batches import Encoded, token_batches

IG_STEPS = 4  # a ranking of candidates need not be exact


@localiser("zero_out", defaults={"share": 0.01, "against_clean": True, "tokens": 1024})
def zero_out(cell: Cell, settings: Mapping[str, Any]) -> Located:
    """Scores of units [L, F], and of layers what the best ``share`` of all units add up to.

    Cost: for the rankings 1 + 1 + 4 forward and backward passes over twice the noisy examples; then k to 3 k units,
    each the layers from its own to the last: with F units a layer, share x L^2 F / 2 to three times as many
    applications of a layer. Memory: activations of ``tokens`` tokens, and of 4,096 tokens in one layer.

    Raises:
        MemlocError: if the family names no units, a group is empty, or the share is none.
    """
    model, data, tokens = cell.load("perturbed"), cell.train, settings["tokens"]
    label = f"zero_out {cell.task} {cell.model} {cell.seed}"

    def contrast(score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return noisy_beyond_clean(score, data, cell.seed, settings["against_clean"])

    rankings = [
        contrast(lambda rows: estimated_rise(model, data, rows, tokens, cell.pooling, label)),
        contrast(lambda rows: mean_activity(model, data, rows, "all", tokens, cell.pooling)) * written_norms(model),
        contrast(lambda rows: attributions(model, data, rows, IG_STEPS, "probability", tokens, cell.pooling)),
    ]
    units = candidates(rankings, top_units(settings["share"], rankings[0].size))
    exact = contrast(lambda rows: exact_rise(model, data, rows, units, tokens, cell.pooling, label))
    return located_by_units(completed(rankings[0], units, exact, settings["share"]), settings["share"])


def candidates(rankings: Sequence[np.ndarray], k: int) -> np.ndarray:
    """The k best of each ranking [L, F], once each: layers (from 1) and numbers of units, int64 [K, 2], sorted."""
    best = [np.argsort(-scores, axis=None, kind="stable")[:k] for scores in rankings]
    layers, units = np.unravel_index(np.unique(best), rankings[0].shape)
    return np.column_stack([layers + 1, units])


def completed(estimate: np.ndarray, units: np.ndarray, exact: np.ndarray, share: float) -> np.ndarray:
    """Scores [L, F]: exact ones of ``units``, estimates below the k-th best of these elsewhere."""
    last = np.sort(exact)[-top_units(share, estimate.size)]
    scores = np.minimum(estimate, np.nextafter(last, -np.inf) if last > 0 else last)  # below 0 nothing is counted
    scores[units[:, 0] - 1, units[:, 1]] = exact
    return scores


def estimated_rise(
    model: Classifier, data: Encoded, rows: np.ndarray, tokens: int = 1024, pooling: str = "token", label: str = ""
) -> np.ndarray:
    """First-order estimate of the rise of the mean loss when a unit is set to 0, float64 [L, F]."""
    ones = torch.ones(unit_shape(model), device=next(model.parameters()).device)
    return -mask_gradient(
        model, data, rows, lambda logits, given: objective_sum(logits, given, "nll"), ones, tokens, pooling, label
    )


@torch.inference_mode()
def exact_rise(
    model: Classifier,
    data: Encoded,
    rows: np.ndarray,
    units: np.ndarray,
    tokens: int = 1024,
    pooling: str = "token",
    label: str = "zero_out",
) -> np.ndarray:
    """Rise of the mean loss over some examples when a unit is set to 0, for each unit by itself, float64 [K].

    The layers below a unit's are run once for all units; in the last layer only the classified token goes on.

    Args:
        units: layers (from 1) and numbers of units, int64 [K, 2].
    """
    device = next(model.parameters()).device
    given = torch.tensor(data.given, device=device)
    risen, before = np.zeros(len(units)), 0.0
    with tqdm(total=len(rows), desc=label, unit="example", leave=False, disable=None) as bar:
        for batch in token_batches(data.lengths[rows], tokens):
            chosen = rows[batch]
            ids, mask = data.tensors(chosen, device)
            recording, token = record(model, ids, mask), model.pooled_token(mask, pooling)
            labels = given[chosen.tolist()]
            before += float(_losses(model(ids, mask, pooling=pooling), labels).sum())
            for places, states in _without(model, units, recording, token):
                pooled = states[torch.arange(len(states), device=device), token.repeat(len(places))]
                loss = _losses(model.classify(finish(model, pooled)), labels.repeat(len(places)))
                risen[places] += loss.view(len(places), -1).sum(dim=1).cpu().numpy()
            bar.update(len(chosen))
    return (risen - before) / len(rows)


def _losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.double(), labels, reduction="none")


def _without(
    model: Classifier, units: np.ndarray, recording: Recording, token: torch.Tensor
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Which units (places in ``units``) and the last layer's states without each, variant by variant."""
    last = model.num_layers
    at_once = max(1, TOKENS_AT_ONCE // recording.inputs[0].shape[:2].numel())  # as many as `apply_layer` takes
    for layer in range(1, last + 1):
        here = np.flatnonzero(units[:, 0] == layer)
        for start in range(0, len(here), at_once):
            places = here[start : start + at_once]
            states = recording.inputs[layer - 1].repeat(len(places), 1, 1)
            with only_token(model, last, token):
                with zeroed(model, layer, units[places, 1]):
                    states = apply_layer(model, layer, states, recording)
                for number in range(layer + 1, last + 1):
                    states = apply_layer(model, number, states, recording)
            yield places, states
