"""The stock models' mathematics at half precision with fewer passes through memory; only training at bf16 uses it.

Fused attention of a CPU works in fp32 and its backward pass takes twice as long as its forward pass; at rows of 128 to
512 and heads of 32 the products alone, as bf16 matrix products with scores kept, are faster: 1.8 times at 128 tokens.
Softmax and sums inside products are fp32 and rounded once. Parameters and their names are the stock models'.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from memloc.errors import MemlocError

NAME = "products_in_half"
BLOCK = 128  # queries at a time where later keys need no scores


class _Attention(Function):
    """Softmax attention of queries, keys and values [N, T, D]; no position sees what ``hidden`` [T, T] rules out."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None, scale: float, block: int
    ) -> Tensor:
        query = query * scale
        states, shares = torch.empty_like(query), []
        for start in range(0, query.shape[1], block):
            rows = slice(start, start + block)
            end = query.shape[1] if hidden is None else start + block
            scores = torch.bmm(query[:, rows], key[:, :end].transpose(1, 2))
            if hidden is not None:
                scores += hidden[rows, :end]
            shares.append(torch.softmax(scores, -1))
            states[:, rows] = torch.bmm(shares[-1], value[:, :end])
        ctx.save_for_backward(query, key, value, *shares)
        ctx.scale, ctx.block = scale, block
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *shares = ctx.saved_tensors
        (given,) = gradients
        to_query, to_key, to_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for start, share in zip(range(0, query.shape[1], ctx.block), shares, strict=True):
            rows, end = slice(start, start + ctx.block), share.shape[2]
            to_value[:, :end] += torch.bmm(share.transpose(1, 2), given[:, rows])
            to_share = torch.bmm(given[:, rows], value[:, :end].transpose(1, 2))
            to_scores = torch._softmax_backward_data(to_share, share, -1, share.dtype)
            to_query[:, rows] = torch.bmm(to_scores, key[:, :end])
            to_key[:, :end] += torch.bmm(to_scores.transpose(1, 2), query[:, rows])
        return to_query * ctx.scale, to_key, to_value, None, None, None


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    visible: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Attention of whole rows, ``[R, H, T, D]`` each; ``visible`` (bool [T, T], never a later key) limits it.

    Cost: scores, R * H * T * T numbers of ``dtype`` (default: the query's), are kept for the backward pass.
    """
    rows, heads, length, width = query.shape
    dtype = dtype or query.dtype
    hidden = None
    if visible is not None:
        hidden = torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(~visible, float("-inf"))
    flat = [states.to(dtype).reshape(rows * heads, length, width) for states in (query, key, value)]
    block = length if visible is None else min(BLOCK, length)
    with torch.autocast(query.device.type, enabled=False):
        return _Attention.apply(*flat, hidden, scale, block).view(rows, heads, length, width)


class _CrossEntropySum(Function):
    """Sum of cross-entropies of logits [K, V] with the shares of the classes kept in the logits' precision."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, answers: Tensor) -> Tensor:
        shares = torch.softmax(logits, -1)
        ctx.save_for_backward(shares, answers)
        chosen = shares.gather(1, answers[:, None]).float()
        return -chosen.clamp_min(torch.finfo(torch.float32).tiny).log().sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        shares, answers = ctx.saved_tensors
        shares[torch.arange(len(answers), device=answers.device), answers] -= 1
        return shares.mul_(gradients[0]), None


def cross_entropy_sum(logits: Tensor, answers: Tensor) -> Tensor:
    """Sum over [K] answers, for learning: one pass over logits [K, V], none copied to fp32; backward works once.

    Of bf16 logits the gradient is what autocast would round it to; each term is exact to 0.4 % of a probability.
    """
    with torch.autocast(logits.device.type, enabled=False):
        return _CrossEntropySum.apply(logits, answers)


def compute_in_half(model: nn.Module) -> None:
    """Make a stock model, in place, train faster inside bf16 autocast; for rows without padding only.

    Attention of BERT, OPT and GPT-NeoX goes through transformers' own registry. GPT-Neo has no such door: its layers'
    product step is exchanged, and its activation, a chain of seven operations, for the fused one of the same formula.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.activations import NewGELUActivation
    from transformers.masking_utils import sdpa_mask

    config: Any = model.config
    if config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, _stock_attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)  # none for whole rows
        model.set_attn_implementation(NAME)  # type: ignore[operator]
    for module in list(model.modules()):
        if hasattr(module, "_attn"):
            module._attn = _GPTNeoStep(module.bias)  # type: ignore[assignment, arg-type]
        if isinstance(getattr(module, "act", None), NewGELUActivation):
            module.act = nn.GELU("tanh")


def _stock_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    if mask is not None:
        raise MemlocError("rows of pretraining", "padded ones", "rows without padding")
    told = options.get("is_causal")
    causal = bool(module.is_causal if told is None else told)
    length = query.shape[2]
    visible = torch.ones(length, length, dtype=torch.bool, device=query.device).tril() if causal else None
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    states = attention(query, key, value, scale, visible, value.dtype)
    return states.transpose(1, 2), None


class _GPTNeoStep:
    """GPT-Neo's scores (never scaled), softmax and products; ``visible`` bool [1, 1, 512, 512] holds its window."""

    def __init__(self, visible: Tensor) -> None:
        self.visible = visible[0, 0]

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, _mask: Tensor | None = None) -> tuple[Tensor, None]:
        length = query.shape[2]
        return attention(query, key, value, 1.0, self.visible[:length, :length], value.dtype), None
