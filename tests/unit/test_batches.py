"""Token ids, batches and the order of training, which must not look at labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import encoded

from memloc.errors import MemlocError
from memloc.models.tokenizer import HashTokenizer
from memloc.training.batches import BUCKET, derived_seed, encode, token_batches, training_order


def split(texts: list[list[str]]) -> pd.DataFrame:
    n = len(texts)
    return pd.DataFrame(
        {"idx": np.arange(n) + 5, "parts": texts, "label": [0] * n, "given": [1] * n, "group": ["noisy"] * n}
    )


def test_encoding_keeps_rows_and_cuts_long_texts() -> None:
    data = encode(split([["one two three"], ["four"]]), HashTokenizer("last"), max_length=2)
    assert [len(ids) for ids in data.ids] == [2, 1]
    assert (data.idx.tolist(), data.given.tolist(), data.noisy.tolist()) == ([5, 6], [1, 1], [True, True])


def test_a_text_without_tokens_is_named() -> None:
    with pytest.raises(MemlocError, match="example without tokens: 6"):
        encode(split([["one"], ["  "]]), HashTokenizer("last"), max_length=9)


def test_padding_is_on_the_right_and_masked() -> None:
    data = encoded(n=4)
    ids, mask = data.tensors([2, 0])
    assert ids.shape == mask.shape == (2, max(len(data.ids[2]), len(data.ids[0])))
    for row, example in enumerate((2, 0)):
        length = len(data.ids[example])
        assert ids[row, :length].tolist() == data.ids[example]
        assert mask[row].tolist() == [1] * length + [0] * (ids.shape[1] - length)
    assert ids[mask == 0].unique().tolist() in ([], [data.pad_id])
    assert ids.dtype == torch.int64


@pytest.mark.parametrize("n", [1, 7, 64, 333])
def test_an_epoch_takes_every_row_once_in_full_batches(n: int) -> None:
    batches = training_order(np.arange(n) % 13, 8, seed=1, epoch=1)
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    assert len(batches) == -(-n // 8)
    assert sorted(map(len, batches))[1:] == [8] * (len(batches) - 1)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 100)

    def flat(seed: int, epoch: int) -> list[int]:
        np.random.seed(epoch)
        return np.concatenate(training_order(lengths, 8, seed, epoch)).tolist()

    assert flat(1, 1) == flat(1, 1)
    orders = {tuple(flat(seed, epoch)) for seed in (1, 2) for epoch in (1, 2, 3)}
    assert len(orders) == 6


def test_batches_hold_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 8 * BUCKET * 4)
    spread = [np.ptp(lengths[rows]) for rows in training_order(lengths, 8, 1, 1)]
    assert np.mean(spread) < 30, "an unsorted order spreads over about 155"


def test_derived_seeds_are_fixed_and_tell_their_names_apart() -> None:
    assert derived_seed("order", 1, 2) == 3813040664733615634
    assert len({derived_seed("a", 1), derived_seed("a", 2), derived_seed("b", 1), derived_seed("a", 1, 1)}) == 4
    assert 0 <= derived_seed("x") < 2**63


@pytest.mark.parametrize("tokens", [1, 10, 64, 10_000])
def test_evaluation_batches_hold_at_most_so_many_tokens(tokens: int) -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 50)
    batches = list(token_batches(lengths, tokens))
    assert sorted(np.concatenate(batches).tolist()) == list(range(50))
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= tokens for rows in batches)
    if tokens == 10_000:
        assert len(batches) == 1
