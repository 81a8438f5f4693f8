"""Run a stock backbone layer by layer: from token ids to the first layer's input, then any layer on any states.

Stock layers need more than hidden states (masks, rotary angles), and each family computes these in its own way. Instead
of copying that code, one ordinary forward pass is made and what every layer was called with is recorded. This holds for
any backbone whose layers take the hidden states as their first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from memloc.models.classifier import Classifier


@dataclass
class Recording:
    """One batch's passage through a model of L layers.

    Attributes:
        inputs: hidden states before layers 1..L, each [B, T, d].
        extras: what layers 1..L were called with beside them, positional and named.
        size: B.
    """

    inputs: list[Tensor]
    extras: list[tuple[tuple[Any, ...], dict[str, Any]]]
    size: int


def record(model: Classifier, ids: Tensor, mask: Tensor) -> Recording:
    """Run the model on a batch and keep what each layer was given. Cost: one forward pass, L x B x T x d memory."""
    recording = Recording([], [], len(ids))

    def keep(args: tuple[Any, ...], extra: dict[str, Any]) -> None:
        recording.inputs.append(args[0])
        recording.extras.append((args[1:], extra))

    with before_layers(model, keep):
        model.hidden(ids, mask)
    return recording


@contextmanager
def before_layers(model: Classifier, see: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> Iterator[None]:
    """Inside, ``see`` gets what each layer is called with, positional and named, before it runs."""

    def hook(_module: torch.nn.Module, args: tuple[Any, ...], extra: dict[str, Any]) -> None:
        see(args, extra)

    hooks = [model.layer(n).register_forward_pre_hook(hook, with_kwargs=True) for n in range(1, model.num_layers + 1)]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()


TOKENS_AT_ONCE = 4096  # of a layer on a CPU: its inner states (4 d wide) stay in the tens of megabytes


def apply_layer(model: Classifier, number: int, states: Tensor, recording: Recording) -> Tensor:
    """Layer ``number`` on states [K * B, T, d]: K variants of the recorded batch, variant by variant.

    On a CPU at most ``TOKENS_AT_ONCE`` tokens (one variant at least) go through the layer together: more gain no time
    there, and the layer's inner states would grow with K.
    """
    variants = max(1, TOKENS_AT_ONCE // (recording.size * states.shape[1]))
    if states.device.type != "cpu" or len(states) <= variants * recording.size:
        return _apply(model, number, states, recording)
    return torch.cat([_apply(model, number, part, recording) for part in states.split(variants * recording.size)])


def _apply(model: Classifier, number: int, states: Tensor, recording: Recording) -> Tensor:
    copies = len(states) // recording.size
    positional, named = recording.extras[number - 1]
    positional = _repeat(positional, recording.size, copies)
    named = {k: _repeat(v, recording.size, copies) for k, v in named.items()}
    out = model.layer(number)(states, *positional, **named)
    return out[0] if isinstance(out, tuple) else out


def _repeat(value: Any, size: int, copies: int) -> Any:
    """Repeat along the batch what has one row per example; leave what is shared by all."""
    if copies == 1:
        return value
    # one axis alone counts positions, also where a batch happens to have as many rows
    if isinstance(value, Tensor) and value.dim() > 1 and value.shape[0] == size and size > 1:
        return value.repeat(copies, *[1] * (value.dim() - 1))
    if isinstance(value, (tuple, list)):
        return type(value)(_repeat(v, size, copies) for v in value)
    return value


@contextmanager
def only_token(model: Classifier, number: int, position: Tensor) -> Iterator[None]:
    """Inside, layer ``number`` need be right for one token of each example alone; its other outputs mean nothing.

    Attention still sees every token; what treats tokens one by one (the family's ``tokenwise`` blocks) is run on the
    asked one, and its result stands in every place: residual sums then come out right at ``position``. Three quarters
    of a layer's multiplications are saved.

    Args:
        position: of the token, int64 [B]; the layer is given K variants of the B examples, variant by variant.
    """
    shapes: list[torch.Size] = []

    def pick(_module: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = args[0]  # [K * B, T, d], or [K * B * T, d] where a family flattens it
        shapes.append(states.shape)
        flat = states.reshape(-1, states.shape[-1])
        tokens = length if states.dim() == 2 else states.shape[1]
        examples = torch.arange(len(flat) // tokens, device=states.device)
        return (flat[examples * tokens + position.repeat(len(examples) // len(position))][:, None], *args[1:])

    def spread(_module: torch.nn.Module, _args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        before = shapes.pop()
        wide = out.expand(-1, length if len(before) == 2 else before[1], -1)
        return wide.reshape(-1, out.shape[-1]) if len(before) == 2 else wide

    length = 0

    def note_length(_module: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        nonlocal length
        length = args[0].shape[1]

    layer = model.layer(number)
    hooks = [layer.register_forward_pre_hook(note_length)]
    for block in model.family.tokenwise:
        first, _, last = block.partition(" ... ")
        hooks.append(layer.get_submodule(first).register_forward_pre_hook(pick))
        hooks.append(layer.get_submodule(last or first).register_forward_hook(spread))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def finish(model: Classifier, states: Tensor) -> Tensor:
    """The family's final norm (nothing for encoders) on states of any leading shape."""
    for module in model.parts()["final"]:
        states = module(states)
    return states
