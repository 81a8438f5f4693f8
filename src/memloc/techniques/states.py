"""Hidden states of the classified token after every layer, for techniques that look at states and change nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.layerwise import before_layers
from memloc.training.batches import Encoded, token_batches


@torch.inference_mode()
def layer_states(
    model: Classifier, data: Encoded, pooling: str = "token", tokens: int = 1024, label: str = "hidden states"
) -> np.ndarray:
    """States of one token of every example: before the first layer and after each one, all from a single pass.

    The state after layer L is what the head sees, so it includes decoders' final norm, as in stock ``hidden_states``.
    The state before layer 1 is the sum of the embeddings (for encoders the same [CLS] state for every example).

    Cost: one forward pass of N examples, batches of similar length. Memory: (L + 1) x N x d numbers for the result and
    one batch's states beside the model, whatever N.

    Args:
        model: in evaluation mode, or it is put there for the pass.
        data: N examples.
        pooling: as in training.
        tokens: padded tokens of a batch.
        label: what the progress bar says.

    Returns:
        float32 [L + 1, N, d], examples in the order of ``data``.

    Raises:
        MemlocError: naming the first example whose states are no numbers, or for a family whose final modules change
            the width of the states, so that layers cannot be compared.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    result = np.empty((0, 0, 0), np.float32)
    try:
        with tqdm(total=len(data), desc=label, unit="example", leave=False, disable=None) as bar:
            for rows in token_batches(data.lengths, tokens):
                states = batch_states(model, *data.tensors(rows, device), pooling).float().cpu().numpy()
                if not result.size:
                    result = np.empty((len(states), len(data), states.shape[-1]), np.float32)
                result[:, rows] = states
                bar.update(len(rows))
    finally:
        model.train(was_training)
    finite = np.isfinite(result).all(axis=(0, 2))
    if not finite.all():
        raise MemlocError("hidden states of example", int(data.idx[np.argmin(finite)]), "finite numbers at every layer")
    return result


def batch_states(model: Classifier, ids: Tensor, mask: Tensor, pooling: str = "token") -> Tensor:
    """The same of one batch on the model's device: [L + 1, B, d]."""
    found: list[Tensor] = []

    def keep(args: tuple[Any, ...], _extra: dict[str, Any]) -> None:
        found.append(model.pool(args[0], mask, pooling))

    with before_layers(model, keep):
        last = model.pool(model.hidden(ids, mask), mask, pooling)
    if last.shape != found[0].shape:
        raise MemlocError("width after the final modules", last.shape[-1], f"{found[0].shape[-1]}, that of the layers")
    return torch.stack([*found, last])


def mixed_model(base: Classifier, other: Classifier, numbers: Iterable[int]) -> Classifier:
    """``base`` with some layers of ``other``, sharing the weights of both: for reading, never for training.

    Cost: no weights are copied; neither model changes.

    Args:
        numbers: layers (from 1) that come from ``other``.

    Raises:
        MemlocError: if the models do not have the same number of layers, or not such a layer.
    """
    if base.num_layers != other.num_layers:
        raise MemlocError("layers of the other model", other.num_layers, f"{base.num_layers}, as the first one")
    shared: dict[int, Any] = {id(p): p for model in (base, other) for p in model.parameters()}
    mixed = copy.deepcopy(base, shared)
    layers = mixed.backbone.get_submodule(mixed.family.layers)
    for number in numbers:
        # modules of its own, so that hooks and modes set on the mixture stay there
        layers[number - 1] = copy.deepcopy(other.layer(number), shared)  # type: ignore[operator]
    return mixed
