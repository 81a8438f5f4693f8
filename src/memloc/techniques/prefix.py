"""The frozen part of a model before a layer, computed once and kept while the layers after it are trained.

What a layer is called with beside its states (masks, rotary angles) depends on ids and mask alone. `Shell` gets it from
the stock backbone with its layers taken out; `Depth` keeps all examples' states at one depth, and moves on layer by
layer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memloc.models.classifier import Classifier
from memloc.techniques.layerwise import Recording, apply_layer
from memloc.training.batches import Encoded, token_batches

TOKENS = 4096  # padded tokens of a batch that no gradient passes


def frozen_copy(model: Classifier) -> Classifier:
    """A copy in evaluation mode whose weights are the model's own memory and get no gradient."""
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    return copy.deepcopy(model, dict(shared)).eval()


class Shell:
    """A model without its layers: its embeddings, and what it would call each layer with. Costs no layer at all.

    Args:
        model: any classifier; a copy that shares its weights is kept.
        ids, mask: any batch; one forward pass shows what the family's layers answer with.
    """

    def __init__(self, model: Classifier, ids: Tensor, mask: Tensor) -> None:
        self.model = frozen_copy(model)
        self._found = Recording([], [], 0)
        layers = [self.model.layer(n) for n in range(1, model.num_layers + 1)]
        answers: list[int | None] = []  # of each layer: how long a tuple, or None for bare states
        hooks = [
            layer.register_forward_hook(
                lambda _m, _i, out: answers.append(len(out) if isinstance(out, tuple) else None)
            )
            for layer in layers
        ]
        with torch.no_grad():
            self.model.hidden(ids, mask)
        for hook in hooks:
            hook.remove()
        for layer, answer in zip(layers, answers, strict=True):
            setattr(layer, "forward", self._stub(answer))  # noqa: B010 (a method may not be assigned to)

    def _stub(self, answer: int | None) -> Callable[..., Any]:
        def forward(states: Tensor, *positional: Any, **named: Any) -> Any:
            self._found.inputs.append(states)
            self._found.extras.append((positional, named))
            return states if answer is None else (states, *[None] * (answer - 1))

        return forward

    @torch.no_grad()
    def record(self, ids: Tensor, mask: Tensor) -> Recording:
        """As `layerwise.record`, but the inputs of all layers are the embeddings' output [B, T, d]."""
        self._found = Recording([], [], len(ids))
        self.model.hidden(ids, mask)
        return self._found


@dataclass
class Batch:
    """Some examples before one layer.

    Attributes:
        ids, mask: [B, T].
        states: what the layer is given [B, T, d]; zero where there is padding, which no other token looks at.
        recording: what every layer is called with.
    """

    ids: Tensor
    mask: Tensor
    states: Tensor
    recording: Recording


class Depth:
    """All examples' states before layer `number`, starting from the first.

    Moving on costs one layer on all examples. Memory: the sum of all lengths x d numbers (10,000 examples of 64 tokens
    at d 384 in fp32: 983 MB), whatever L; with ``kept=False`` none, and the prefix is run again for every batch.

    Args:
        model: N examples' model; runs in evaluation mode and is not changed.
        data: N examples.
        kept: False where states of padding matter (``pooling="last_column"``): they depend on the batch.
    """

    def __init__(self, model: Classifier, data: Encoded, kept: bool = True) -> None:
        self.model, self.data, self.number = frozen_copy(model), data, 1
        self.device = next(model.parameters()).device
        self.shell = Shell(model, *data.tensors([0], self.device))
        lengths = data.lengths
        self._total = int(lengths.sum())
        self._offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)[:-1]])).to(self.device)
        self._batches = list(token_batches(lengths, TOKENS))
        self._states: Tensor | None = None
        if kept:
            self._keep(first=True)

    def move_to(self, number: int) -> None:
        """Go on until the states are those before layer ``number``."""
        while self.number < number:
            if self._states is not None:
                self._keep(first=False)
            self.number += 1

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """Some examples, padded on the right to the longest of them."""
        ids, mask = self.data.tensors(rows, self.device)
        recording = self.shell.record(ids, mask)
        if self._states is not None:
            return Batch(ids, mask, self._states[self._index(rows, mask)], recording)
        states = recording.inputs[0]
        with torch.no_grad():
            for number in range(1, self.number):
                states = apply_layer(self.model, number, states, recording)
        return Batch(ids, mask, states, recording)

    @torch.no_grad()
    def _keep(self, first: bool) -> None:
        """Keep the embeddings' output, or put the present layer's output in the place of its input."""
        for rows in self._batches:
            ids, mask = self.data.tensors(rows, self.device)
            recording = self.shell.record(ids, mask)
            index, real = self._index(rows, mask), mask.bool()
            if first or self._states is None:
                out = recording.inputs[0]
                if self._states is None:  # one row more than tokens: padding is read from there
                    self._states = torch.zeros(self._total + 1, out.shape[-1], device=self.device)
            else:
                out = apply_layer(self.model, self.number, self._states[index], recording)
            self._states[index[real]] = out[real].to(self._states.dtype)

    def _index(self, rows: Sequence[int] | np.ndarray, mask: Tensor) -> Tensor:
        """Where the tokens [B, T] of some examples are kept."""
        chosen = torch.as_tensor(np.asarray(rows), device=self.device)
        index = self._offsets[chosen, None] + torch.arange(mask.shape[1], device=self.device)
        return index.masked_fill(mask == 0, self._total)
