"""Feed-forward units: read what they do, scale it, and ask what difference that makes.

A layer's feed-forward block has F units; unit u of layer l writes its activation (after the non-linearity, and after
the gate in gated blocks) times column u of the down projection into the residual stream, at every position. A *mask* m
[L, F] multiplies the activations: 1 leaves a unit alone, 0 takes it out. Everything here acts on the input of the down
projection, which the model's family names, and so holds for every architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.gradients import differentiating, groups
from memloc.training.batches import Encoded, token_batches

ROUNDING = 1e-6  # of the largest score: what differs by less is the same number, added up in another order
Objective = Callable[[Tensor, Tensor], Tensor]  # logits [B, C] and given labels [B] to a sum over the batch


def down_projection(model: Classifier, number: int) -> nn.Module:
    """The module that layer ``number``'s units are the inputs of.

    Raises:
        MemlocError: if the model's family does not name it.
    """
    if not model.family.feed_forward:
        raise MemlocError(
            f"feed-forward units of family {model.family.name}",
            "none named",
            "a family with feed_forward in its catalogue entry; techniques over layers need none",
        )
    return model.layer(number).get_submodule(model.family.feed_forward[-1])


def outgoing(model: Classifier, number: int) -> Tensor:
    """What each unit of a layer writes per unit of activation, [F, d]; a view of the weights."""
    down = down_projection(model, number)
    weight: Tensor = down.weight  # type: ignore[assignment]
    # a linear layer keeps [out, in], the one-dimensional convolution of GPT-2 [in, out]
    return weight.t() if isinstance(down, nn.Linear) else weight


def unit_shape(model: Classifier) -> tuple[int, int]:
    """(L, F).

    Raises:
        MemlocError: if the family names no down projection, or layers differ in their number of units.
    """
    sizes = {len(outgoing(model, n)) for n in range(1, model.num_layers + 1)}
    if len(sizes) != 1:
        raise MemlocError("feed-forward units by layer", sorted(sizes), "the same number in every layer")
    return model.num_layers, sizes.pop()


@contextmanager
def masked(model: Classifier, mask: Tensor) -> Iterator[None]:
    """Inside, the activations of unit u of layer l are multiplied by ``mask[l - 1, u]``; gradients reach the mask."""

    def scale(row: Tensor) -> Callable[..., tuple[Tensor, ...]]:
        return lambda _module, args: (args[0] * row, *args[1:])

    rows = mask.unbind(0)
    hooks = [down_projection(model, n).register_forward_pre_hook(scale(row)) for n, row in enumerate(rows, 1)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def zeroed(model: Classifier, number: int, units: np.ndarray) -> Iterator[None]:
    """Inside, layer ``number`` takes K variants of a batch, one after the other, the k-th without unit ``units[k]``."""

    def remove(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = args[0].clone(memory_format=torch.contiguous_format)  # [K * B, T, F], or flattened to [K * B * T, F]
        states.view(len(units), -1, states.shape[-1])[torch.arange(len(units)), :, torch.from_numpy(units)] = 0
        return (states, *args[1:])

    hook = down_projection(model, number).register_forward_pre_hook(remove)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def reading(model: Classifier, see: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside, ``see`` gets the number of each layer and its units' activations, [B, T, F] or [B * T, F]."""

    def note(number: int) -> Callable[..., None]:
        return lambda _module, args: see(number, args[0])

    numbers = range(1, model.num_layers + 1)
    hooks = [down_projection(model, n).register_forward_pre_hook(note(n)) for n in numbers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def mask_gradient(
    model: Classifier,
    data: Encoded,
    rows: np.ndarray,
    objective: Objective,
    mask: Tensor,
    tokens: int,
    pooling: str = "token",
    label: str = "units",
) -> np.ndarray:
    """Mean over some examples of the gradient of an objective with respect to the mask, at a mask.

    Cost: one forward and one backward pass over ``rows``, without gradients of weights: linear in rows and L.
    Memory: activations of ``tokens`` tokens.

    Args:
        objective: to be summed over the examples of a batch.
        mask: [L, F], on the model's device.

    Returns:
        float64 [L, F].
    """
    mask = mask.detach().clone().requires_grad_(True)
    given = torch.tensor(data.given, device=mask.device)
    total = torch.zeros_like(mask, dtype=torch.float64, device="cpu")
    with (
        differentiating(model, []),
        tqdm(total=len(rows), desc=label, unit="example", leave=False, disable=None) as bar,
    ):
        for batch in token_batches(data.lengths[rows], tokens):
            chosen = rows[batch]
            with masked(model, mask):
                logits = model(*data.tensors(chosen, mask.device), pooling=pooling)
            (gradient,) = torch.autograd.grad(objective(logits, given[chosen.tolist()]), mask)
            total += gradient.double().cpu()
            bar.update(len(chosen))
    return total.numpy() / len(rows)


def noisy_beyond_clean(
    score: Callable[[np.ndarray], np.ndarray], data: Encoded, seed: int, against_clean: bool
) -> np.ndarray:
    """A score on the noisy examples minus the same on as many clean ones, so that what serves any example cancels.

    Args:
        score: of row numbers; mean scores of units, [L, F].
        seed: the model seed; the clean examples are drawn with it.
        against_clean: False leaves out the subtraction.

    Returns:
        float64 [L, F], exactly 0 where the two differ by no more than rounding does.
    """
    noisy, clean = groups(data, seed)
    if not against_clean:
        return score(noisy)
    of_noisy, of_clean = score(noisy), score(clean)
    difference = of_noisy - of_clean
    scale = max(np.abs(of_noisy).max(), np.abs(of_clean).max())
    return np.where(np.abs(difference) <= ROUNDING * scale, 0.0, difference)
