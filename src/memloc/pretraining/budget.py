"""How long and how fast a model learns: a budget of tokens and its learning rates."""

from __future__ import annotations

from dataclasses import dataclass

from memloc.errors import MemlocError
from memloc.pretraining.tokens import LONGEST_ROW


@dataclass(frozen=True)
class Budget:
    """How long and how fast a model learns.

    Attributes:
        tokens: seen in all, of which the last ``decay`` part with a falling rate.
        batch: tokens of a step, a multiple of 512.
        rate: the highest learning rate.
        warm_up: tokens until it is reached.
        evaluate_every: tokens between held-out losses; ``evaluate_on``: held-out tokens.
    """

    tokens: int = 20_000_000
    batch: int = 4096
    rate: float = 1e-3
    warm_up: int = 1_000_000
    decay: float = 0.2
    weight_decay: float = 0.01
    clip: float = 1.0
    evaluate_every: int = 500_000
    evaluate_on: int = 65_536

    def __post_init__(self) -> None:
        if self.batch < LONGEST_ROW or self.batch % LONGEST_ROW:
            raise MemlocError("tokens of a step", self.batch, f"a multiple of {LONGEST_ROW}")
        if self.tokens < self.batch or not 0 < self.decay < 1:
            raise MemlocError("budget", (self.tokens, self.decay), "a step of tokens or more, and a decay in (0, 1)")

    @property
    def steps(self) -> int:
        return self.tokens // self.batch

    @property
    def decay_from(self) -> int:
        """The first step with a falling rate."""
        return self.steps - round(self.steps * self.decay)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step counted from 0."""
        warm = max(1, self.warm_up // self.batch)
        falling = (self.steps - step) / (self.steps - self.decay_from + 1) if step >= self.decay_from else 1.0
        return self.rate * min(1.0, (step + 1) / warm) * min(1.0, falling)
