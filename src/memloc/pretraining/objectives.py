"""What the four models learn from: rows of the corpus, and the loss of their objective on them.

Both objectives see the same rows in the same order. A block is 512 consecutive ids; a batch is some blocks, cut into
rows of 128, in every eighth step left whole, so that all 512 positions are learnt. The first id of a row is replaced
by ``<s>``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from memloc.pretraining.fast import cross_entropy_sum
from memloc.pretraining.shares import MASKED, TO_MASK, TO_RANDOM
from memloc.pretraining.tokens import FIRST_WORD, LONGEST_ROW, MASK, START
from memloc.training.batches import derived_seed

ROW = 128
LONG_EVERY = 8
CHUNK = 512  # positions whose logits exist at a time: [512, 8192] floats are 16 MB; malloc gives 32 MB back


@dataclass
class Blocks:
    """The order in which a row of ids is read: every epoch a new permutation of its blocks.

    Attributes:
        ids: uint16 [N].
        blocks: of a batch.
        seed: with the step it decides everything.
    """

    ids: np.ndarray
    blocks: int
    seed: int

    def __post_init__(self) -> None:
        self.total = len(self.ids) // LONGEST_ROW
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def batch(self, step: int) -> Tensor:
        """Rows of a step counted from 0, int64 [blocks * 4, 128] or [blocks, 512]."""
        chosen = [self._block(place) for place in range(step * self.blocks, (step + 1) * self.blocks)]
        rows = np.stack([self.ids[b * LONGEST_ROW : (b + 1) * LONGEST_ROW] for b in chosen]).astype(np.int64)
        return as_rows(rows, LONGEST_ROW if step % LONG_EVERY == LONG_EVERY - 1 else ROW)

    def _block(self, place: int) -> int:
        epoch, inside = divmod(place, self.total)
        if epoch != self._epoch:
            rng = np.random.default_rng(derived_seed("pretraining order", self.seed, epoch))
            self._epoch, self._order = epoch, rng.permutation(self.total)
        return int(self._order[inside])


def as_rows(blocks: np.ndarray, length: int = ROW) -> Tensor:
    """Blocks of ids as rows that start with ``<s>``, int64 [R, length]."""
    rows = torch.from_numpy(np.ascontiguousarray(blocks).reshape(-1, length).copy())
    rows[:, 0] = START
    return rows


def mask_tokens(
    rows: Tensor, vocabulary: int, generator: torch.Generator, share: float = MASKED
) -> tuple[Tensor, Tensor]:
    """BERT's corruption: a share of the words is asked for; of these 80 % become ``<mask>``, 10 % any other word.

    Args:
        rows: int64 [R, T].

    Returns:
        the corrupted rows and which positions are asked for, bool [R, T]; never a special token.
    """
    draw = torch.rand(rows.shape, generator=generator)
    asked = (draw < share) & (rows >= FIRST_WORD)
    random = torch.randint(FIRST_WORD, vocabulary, rows.shape, generator=generator)
    corrupted = torch.where(asked & (draw < share * TO_MASK), MASK, rows)
    to_random = asked & (draw >= share * TO_MASK) & (draw < share * (TO_MASK + TO_RANDOM))
    return torch.where(to_random, random, corrupted), asked


@dataclass
class Batch:
    """What a model is given and asked: ids int64 [R, T], positions of answers [K] in the flat rows, answers [K]."""

    ids: Tensor
    places: Tensor
    answers: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(self.ids.to(device), self.places.to(device), self.answers.to(device))


def ask(rows: Tensor, masked: bool, vocabulary: int, *seed: object, share: float = MASKED) -> Batch:
    """The questions of an objective on some rows: masked words, or the next id of every position.

    Args:
        seed: what names the masks of these rows.
        share: of the words that are asked for, where they are masked.
    """
    if not masked:
        places = torch.arange(rows.numel()).view(rows.shape)[:, :-1].flatten()
        return Batch(rows, places, rows[:, 1:].flatten())
    generator = torch.Generator().manual_seed(derived_seed("pretraining masks", *seed))
    corrupted, asked = mask_tokens(rows, vocabulary, generator, share)
    places = asked.flatten().nonzero().squeeze(1)
    return Batch(corrupted, places, rows.flatten()[places])


def head_of(model: nn.Module) -> nn.Module:
    """From states to logits: BERT's transform and decoder, or a decoder's tied output embeddings."""
    head = getattr(model, "cls", None) or model.get_output_embeddings()  # type: ignore[operator]
    assert isinstance(head, nn.Module)
    return head


def backward(model: nn.Module, backbone: Callable[..., Any], batch: Batch) -> float:
    """Accumulate gradients of the mean cross-entropy of a batch; returns it.

    The head is run and differentiated a chunk at a time, so logits [K, V] never exist as a whole; the sum is the same.
    """
    states = backbone(input_ids=batch.ids).last_hidden_state.flatten(0, 1)[batch.places]
    cut = states.detach().requires_grad_()
    head, losses = head_of(model), []
    for start in range(0, len(batch.answers), CHUNK):
        logits = head(cut[start : start + CHUNK])
        answers = batch.answers[start : start + CHUNK]
        loss = cross_entropy_sum(logits, answers) / len(batch.answers)
        loss.backward()
        losses.append(loss.detach())
    states.backward(cut.grad)
    return float(torch.stack(losses).sum())


@torch.inference_mode()
def loss_sum(model: nn.Module, batch: Batch) -> tuple[float, int]:
    """Sum of cross-entropies over the questions of a batch, and their number."""
    backbone: Any = model.base_model
    states = backbone(input_ids=batch.ids).last_hidden_state.flatten(0, 1)[batch.places]
    total, head = 0.0, head_of(model)
    for start in range(0, len(batch.answers), CHUNK):
        logits = head(states[start : start + CHUNK]).float()
        total += float(functional.cross_entropy(logits, batch.answers[start : start + CHUNK], reduction="sum"))
    return total, len(batch.answers)
