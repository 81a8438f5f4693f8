"""Pretraining's faster steps against the stock models': the same loss and gradients, all families, short and long."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from memloc.errors import MemlocError
from memloc.pretraining.fast import attention, compute_in_half, cross_entropy_sum
from memloc.pretraining.objectives import Batch, as_rows, ask, backward
from memloc.pretraining.shapes import FAMILIES, Shape, build, is_masked
from memloc.pretraining.tokens import FIRST_WORD

MICRO = Shape(layers=2, hidden=32, heads=2, vocabulary=300)


def batch_of(family: str, length: int) -> Batch:
    row = np.random.default_rng(0).integers(FIRST_WORD, 300, 1024)
    return ask(as_rows(row.astype(np.int64), length), is_masked(family), 300, 1)


def sharp(family: str) -> nn.Module:
    """A model whose attention is far from uniform, so that a wrong mask or scale shows."""
    model = build(family, MICRO, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6)
    return model


def stock(model: nn.Module, batch: Batch) -> tuple[float, torch.Tensor]:
    """Loss and gradients as written from the objective: stock model, all logits, one cross-entropy."""
    logits = model(input_ids=batch.ids).logits.flatten(0, 1)[batch.places]
    loss = functional.cross_entropy(logits.float(), batch.answers)
    loss.backward()
    return float(loss.detach()), gradients(model)


def gradients(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def fast(model: nn.Module, batch: Batch) -> tuple[float, torch.Tensor]:
    compute_in_half(model)
    return backward(model, model.base_model, batch), gradients(model)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [128, 512])
@pytest.mark.parametrize("family", FAMILIES)
def test_in_fp32_it_is_the_stock_model(family: str, length: int) -> None:
    batch = batch_of(family, length)
    loss, found = fast(sharp(family), batch)
    expected, gradient = stock(sharp(family), batch)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert float((found - gradient).norm() / gradient.norm()) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_in_bf16_it_is_as_near_to_fp32_as_the_stock_model_is(family: str) -> None:
    batch = batch_of(family, 512)
    expected, gradient = stock(sharp(family), batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, found = fast(sharp(family), batch)
        stock_loss, stock_gradient = stock(sharp(family), batch)
    assert abs(loss - expected) < 2 * abs(stock_loss - expected) + 2e-3 * expected
    off, stock_off = (float((g - gradient).norm() / gradient.norm()) for g in (found, stock_gradient))
    assert off < 1.5 * stock_off + 0.01


def test_attention_and_its_gradients_by_hand() -> None:
    torch.manual_seed(0)
    states = [torch.randn(2, 3, 300, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    window = torch.ones(300, 300, dtype=torch.bool).tril().triu(-70)
    for visible in (None, window):
        scores = states[0] @ states[1].transpose(2, 3) * 0.7
        if visible is not None:
            scores = scores.masked_fill(~visible, float("-inf"))
        expected = torch.softmax(scores, -1) @ states[2]
        got = attention(*states, 0.7, visible)
        assert torch.allclose(got, expected)
        given = torch.randn_like(expected)
        pairs = zip(torch.autograd.grad(got, states, given), torch.autograd.grad(expected, states, given), strict=True)
        assert all(torch.allclose(a, b) for a, b in pairs)


def test_cross_entropy_of_half_precision_logits() -> None:
    torch.manual_seed(0)
    logits = (4 * torch.randn(64, 500)).bfloat16().requires_grad_()
    answers = torch.randint(0, 500, (64,))
    expected = functional.cross_entropy(logits.float(), answers, reduction="sum")
    (gradient,) = torch.autograd.grad(expected / 64, logits)
    got = cross_entropy_sum(logits, answers)
    (found,) = torch.autograd.grad(got / 64, logits)
    assert float(got.detach()) == pytest.approx(float(expected.detach()), rel=1e-3)
    assert torch.allclose(found.float(), gradient.float(), rtol=0.02, atol=1e-6)


def test_an_answer_thought_impossible_costs_much_but_is_no_infinity() -> None:
    logits = torch.tensor([[0.0, 500.0]], requires_grad=True)
    loss = cross_entropy_sum(logits, torch.tensor([0]))
    loss.backward()
    assert 80 < float(loss.detach()) < float("inf")
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_padded_rows_are_refused() -> None:
    model = build("opt", MICRO, 1)
    compute_in_half(model)
    padded = torch.tensor([[1, 1, 1, 0]])
    with pytest.raises(MemlocError, match="padding"):
        model(input_ids=torch.tensor([[1, 9, 9, 0]]), attention_mask=padded)
