"""Centroid analysis the plain way: one layer, one class pair and one example at a time, in batches of eight."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.models.classifier import Classifier
from memloc.techniques.centroids import LayerPositions, layer_positions
from memloc.techniques.states import layer_states
from memloc.training.batches import Encoded

BATCH = 8
SAME = 1e-6  # of a state's norm: what rounding leaves between equal centroids

Place = tuple[int, int, int]  # layer, given class a, original class b
Groups = dict[str, np.ndarray]  # positions of noisy, given and original, and the last two with _left_out


@torch.inference_mode()
def plain_states(model: Classifier, data: Encoded, rows: np.ndarray, layer: int) -> Tensor:
    """States [len(rows), d] of the classified token after one layer (0: before the first)."""
    device = next(model.parameters()).device
    found = []
    for i in range(0, len(rows), BATCH):
        ids, mask = data.tensors(rows[i : i + BATCH], device)
        states = model.backbone(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        found.append(model.pool(states[layer], mask))
    return torch.cat(found).double().cpu()


def position(h: Tensor, p_a: Tensor, p_b: Tensor) -> float:
    """t of one state."""
    line = p_b - p_a
    return float((h - p_a) @ line / (line @ line))


def plain_pair(in_a: Tensor, in_b: Tensor, in_n: Tensor) -> Groups:
    """Positions from the states of A, B and N; nothing where the two centroids are equal."""
    p_a, p_b = in_a.mean(dim=0), in_b.mean(dim=0)
    if float((p_b - p_a).norm()) <= SAME * float(p_a.norm()):
        return {}
    sum_a, sum_b, m, n = in_a.sum(dim=0), in_b.sum(dim=0), len(in_a) - 1, len(in_b) - 1
    found = {
        "noisy": [position(h, p_a, p_b) for h in in_n],
        "given": [position(h, p_a, p_b) for h in in_a],
        "original": [position(h, p_a, p_b) for h in in_b],
        "given_left_out": [position(h, (sum_a - h) / m, p_b) if m else np.nan for h in in_a],
        "original_left_out": [position(h, p_a, (sum_b - h) / n) if n else np.nan for h in in_b],
    }
    return {name: np.array(values) for name, values in found.items()}


def plain_centroids(model: Classifier, data: Encoded, classes: int, reuse_states: bool = False) -> dict[Place, Groups]:
    """Every layer and pair with noisy examples; members in the order of the data.

    Args:
        reuse_states: run the model once a layer for all pairs, instead of once a layer and pair for its examples.
    """
    clean, found = ~data.noisy, {}
    for layer in range(model.num_layers + 1):
        states = plain_states(model, data, np.arange(len(data)), layer) if reuse_states else None
        for a, b in permutations(range(classes), 2):
            noisy = data.noisy & (data.given == a) & (data.label == b)
            chosen = [clean & (data.label == a), clean & (data.label == b), noisy]
            if not all(group.any() for group in chosen):
                continue
            rows = [np.flatnonzero(group) for group in chosen]
            groups = [plain_states(model, data, r, layer) if states is None else states[r] for r in rows]
            if positions := plain_pair(*groups):
                found[layer, a, b] = positions
    return found


def our_centroids(model: Classifier, data: Encoded, classes: int) -> list[LayerPositions]:
    """The same positions, a layer at a time for all pairs."""
    return [layer_positions(states, data, classes) for states in layer_states(model, data)]


def of_pair(layer: LayerPositions, data: Encoded, a: int, b: int) -> Groups:
    """One pair's positions out of a layer's."""
    kind = data.label[~data.noisy]
    in_n = (data.given[data.noisy] == a) & (data.label[data.noisy] == b)
    return {
        "noisy": layer.noisy[in_n],
        "given": layer.given[kind == a, b],
        "original": 1 - layer.given[kind == b, a],
        "given_left_out": layer.left_out[kind == a, b],
        "original_left_out": 1 - layer.left_out[kind == b, a],
    }


def difference(plain: dict[Place, Groups], ours: list[LayerPositions], data: Encoded) -> float:
    """Largest difference of any position of either side, relative to it where it is above 1."""
    largest = 0.0
    for (layer, a, b), groups in plain.items():
        got = of_pair(ours[layer], data, a, b)
        for name, expected in groups.items():
            gap = np.abs(got[name] - expected) / np.maximum(1, np.abs(expected))
            if (np.isnan(got[name]) != np.isnan(expected)).any():
                return float("inf")
            largest = max(largest, float(np.nanmax(gap, initial=0)))
    return largest


def sides(world: World, **plain: Any) -> Sides:
    """Positions of all examples in all pairs at all layers of the perturbed model."""
    model, data, classes = world.perturbed, world.data, world.classes
    return Sides(
        plain=lambda: plain_centroids(model, data, classes, **plain),
        ours=lambda: our_centroids(model, data, classes),
        difference=lambda a, b: difference(a, b, data),
    )
