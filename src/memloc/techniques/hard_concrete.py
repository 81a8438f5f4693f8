"""Hard concrete gates over feed-forward units (Louizos et al. 2018; Chang et al. 2024), trained under an L0 penalty.

A gate is random and may be exactly 0 or 1: with u uniform on (0, 1) and one number log a a unit,

    s = sigmoid((log u - log(1 - u) + log a) / beta),   gate = min(1, max(0, s (zeta - gamma) + gamma)),

beta = 2/3, gamma = -.1, zeta = 1.1; it costs its probability of not being 0, sigmoid(log a - beta log(-gamma / zeta)).
What a gate does and what is learnt is told in `mask_training`. Gates start nearly shut (``forget``) or nearly open
(``keep``); a unit's score is how much more (``forget``) or simply how (``keep``) probable an open gate is at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memloc.techniques.base import Cell
from memloc.techniques.ff_units import unit_shape
from memloc.techniques.localiser import Located, localiser, located_by_units
from memloc.techniques.mask_training import DEFAULTS, MaskTraining, train_gate
from memloc.training.batches import derived_seed

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
START = 3.0  # |log a|: a fifth of the shut gates is not quite shut at a step, so that all are tried again and again


class HardConcreteGate:
    """Gates drawn anew at each step, from a generator of the seed and the step on the CPU, whatever the device.

    Args:
        shape: (L, F).
        start: log a of every gate.
    """

    def __init__(self, shape: tuple[int, int], start: float, device: torch.device, seed: int) -> None:
        self.parameter = torch.full(shape, start, device=device).requires_grad_(True)
        self.seed = seed

    def gates(self, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed("hard_concrete", self.seed, step))
        drawn = torch.rand(self.parameter.shape, generator=generator).clamp(1e-6, 1 - 1e-6).to(self.parameter.device)
        s = torch.sigmoid((drawn.logit() + self.parameter) / BETA)
        return (s * (ZETA - GAMMA) + GAMMA).clamp(0, 1)

    def open_probability(self) -> Tensor:
        """Of not being 0, [L, F]."""
        return torch.sigmoid(self.parameter - BETA * math.log(-GAMMA / ZETA))

    def cost(self) -> Tensor:
        return self.open_probability().sum()

    def after_step(self) -> None:
        """log a may be anything."""


@localiser("hard_concrete", defaults={**DEFAULTS, "lr": 10.0})
def hard_concrete(cell: Cell, settings: Mapping[str, Any]) -> Located:
    """Scores of units [L, F], 0 to 1, and of layers what the best ``share`` of all units add up to.

    Cost and errors: see `mask_training.train_gate`. Where nothing has to be switched off, all scores are 0.
    """
    model = cell.load("perturbed")
    how = MaskTraining.of(cell, settings, model)
    forget = how.objective == "forget"
    gate = HardConcreteGate(unit_shape(model), -START if forget else START, next(model.parameters()).device, how.seed)
    before = gate.open_probability().detach()
    train_gate(model, cell.train, gate, how, f"hard_concrete {cell.task} {cell.model} {cell.seed}")
    scores = gate.open_probability().detach()
    scores = (scores - before).clamp(min=0) if forget else scores
    return located_by_units(scores.double().cpu().numpy().astype(np.float64), settings["share"])
