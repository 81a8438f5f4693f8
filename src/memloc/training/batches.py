"""Pre-tokenised examples, length-bucketed batches, and an order that depends on the seed alone.

The order must not look at labels: the normal arm is compared with its perturbed twin step by step (method 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from memloc.config import derived_seed
from memloc.errors import MemlocError
from memloc.models.tokenizer import Tokenizer

BUCKET = 16  # batches shuffled together before sorting by length


@dataclass
class Encoded:
    """N examples as token ids.

    Attributes:
        ids: N lists of token ids.
        idx: row numbers of the examples in their task, int64 [N].
        label, given: original and given labels, int64 [N].
        noisy: whether the given label is wrong, bool [N].
        pad_id: what fills short rows.
    """

    ids: list[list[int]]
    idx: np.ndarray
    label: np.ndarray
    given: np.ndarray
    noisy: np.ndarray
    pad_id: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(x) for x in self.ids])

    def tensors(self, rows: Sequence[int] | np.ndarray, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Ids and mask [B, T] of some rows, padded on the right to the longest of them."""
        longest = max(len(self.ids[r]) for r in rows)
        ids = np.full((len(rows), longest), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(self.ids[row])] = self.ids[row]
            mask[place, : len(self.ids[row])] = 1
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def encode(split: pd.DataFrame, tokenizer: Tokenizer, max_length: int) -> Encoded:
    """Tokenise a split once (columns of ``tables.SPLIT``).

    Raises:
        MemlocError: naming the example that has no tokens.
    """
    ids = [tokenizer.encode(list(parts), max_length) for parts in split["parts"]]
    for idx, tokens in zip(split["idx"], ids, strict=True):
        if not tokens:
            raise MemlocError("example without tokens", int(idx), "a text with at least one token")
    return Encoded(
        ids=ids,
        idx=split["idx"].to_numpy(np.int64),
        label=split["label"].to_numpy(np.int64),
        given=split["given"].to_numpy(np.int64),
        noisy=(split["group"] == "noisy").to_numpy(),
        pad_id=tokenizer.pad_id,
    )


def training_order(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of one epoch: a seeded shuffle, sorted by length within buckets of 16 batches, shuffled again.

    Args:
        lengths: tokens of each example [N].
        seed: the model seed.
        epoch: counted from 1; each epoch has its own order.

    Returns:
        ceil(N / batch_size) arrays of row numbers; every row once.
    """
    rng = np.random.default_rng(derived_seed("order", seed, epoch))
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), BUCKET * batch_size):
        bucket = order[start : start + BUCKET * batch_size]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def token_batches(lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Rows sorted by length, cut so that no padded batch holds more than ``tokens`` tokens (one example at least)."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= tokens:
            stop += 1
        yield order[start:stop]
        start = stop
