"""A backbone that nothing changes is run once: training the head alone on stored states of the classified token.

In the frozen arm only the head learns (method 2), so the backbone gives the same states in every epoch, unless it drops
out. An epoch then costs N heads and no layer, where it cost two passes of L layers for each example.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, token_batches
from memloc.training.evaluate import in_batches_that_fit

TRIED = 8  # examples on which training and evaluation mode are compared


def is_constant(model: Classifier, parts: Iterable[str], data: Encoded, config: TrainConfig) -> bool:
    """Whether training on the states of ``final_states`` is the same training as through the backbone.

    It is where only heads learn; the backbone gives the same bits in training mode as in evaluation mode, so that
    nothing drops out; it draws no random numbers that the head's own dropout would have got; the weights are used in
    fp32; and the pooled token is the example's own (``last_column`` depends on the batch's padding).
    """
    if not all(part.startswith("head.") for part in parts) or config.precision != "fp32":
        return False
    if config.pooling == "last_column" and model.family.pool != "first":
        return False
    if any(getattr(model.backbone.config, name, 0) for name in ("layerdrop", "encoder_layerdrop")):
        return False  # leaves out whole layers, but so rarely that a few examples may not show it
    device = next(model.parameters()).device
    ids, mask = data.tensors(np.arange(min(TRIED, len(data))), device)
    was_training = model.training
    cuda = [device] if device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(cuda):
        expected = model.eval().hidden(ids, mask)
        before = _random_state(device)
        got = model.train().hidden(ids, mask)
        drawn = not torch.equal(before, _random_state(device))
    model.train(was_training)
    return torch.equal(expected, got) and not (drawn and config.dropout > 0)


def _random_state(device: torch.device) -> Tensor:
    states = [torch.get_rng_state()] + ([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])
    return torch.cat(states)


@torch.no_grad()
def final_states(model: Classifier, data: Encoded, pooling: str = "token") -> Tensor:
    """The classified token's final state [N, d] of every example, on the model's device.

    Cost: N forward passes, once; memory N x d numbers.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device

    def run(tokens: int) -> Tensor:
        states: Tensor | None = None
        for rows in token_batches(data.lengths, tokens):
            ids, mask = data.tensors(rows, device)
            pooled = model.pool(model.hidden(ids, mask), mask, pooling)
            if states is None:
                states = pooled.new_empty(len(data), pooled.shape[-1])
            states[torch.from_numpy(rows).to(device)] = pooled
        return states if states is not None else torch.empty(0, 0, device=device)

    try:
        return in_batches_that_fit("states of the classified token", run)
    finally:
        model.train(was_training)
