"""Slimming (Liu et al. 2017; Chang et al. 2024): gates over feed-forward units, trained under an L1 penalty.

Each unit has a gate of 0 to 1, which costs as much as it is open (`mask_training` says what a gate does and what is
learnt). Gates start where the model is as it was: nothing switched off (``forget``), everything on (``keep``). A unit's
score is its gate at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memloc.techniques.base import Cell
from memloc.techniques.ff_units import unit_shape
from memloc.techniques.localiser import Located, localiser, located_by_units
from memloc.techniques.mask_training import DEFAULTS, MaskTraining, train_gate


class L1Gate:
    """Gates that are the parameter itself, held between 0 and 1.

    Args:
        shape: (L, F).
        start: of every gate.
    """

    def __init__(self, shape: tuple[int, int], start: float, device: torch.device) -> None:
        self.parameter = torch.full(shape, start, device=device).requires_grad_(True)

    def gates(self, step: int) -> Tensor:
        return self.parameter * 1

    def cost(self) -> Tensor:
        return self.parameter.sum()

    @torch.no_grad()
    def after_step(self) -> None:
        self.parameter.clamp_(0, 1)


@localiser("slimming", defaults=DEFAULTS)
def slimming(cell: Cell, settings: Mapping[str, Any]) -> Located:
    """Scores of units [L, F], 0 to 1, and of layers what the best ``share`` of all units add up to.

    Cost and errors: see `mask_training.train_gate`. Where nothing has to be switched off, all scores are 0.
    """
    model = cell.load("perturbed")
    how = MaskTraining.of(cell, settings, model)
    start = 0.0 if how.objective == "forget" else 1.0
    gate = L1Gate(unit_shape(model), start, next(model.parameters()).device)
    train_gate(model, cell.train, gate, how, f"slimming {cell.task} {cell.model} {cell.seed}")
    return located_by_units(gate.parameter.detach().cpu().numpy().astype(np.float64), settings["share"])
