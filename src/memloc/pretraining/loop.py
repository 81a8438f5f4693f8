"""Pretraining of one model: a budget of tokens in steps, resumable at any step, extendable to a larger budget.

The learning rate warms up, stays, and falls over the last part of the budget. What the model was before it fell (the
*trunk*) is kept, so that a run whose budget is raised goes on from there as if the larger one had been given at once.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from memloc import tables
from memloc.errors import MemlocError
from memloc.pretraining.budget import Budget
from memloc.pretraining.fast import compute_in_half
from memloc.pretraining.objectives import ROW, Blocks, as_rows, ask, backward, loss_sum
from memloc.pretraining.shapes import Shape, build, is_masked
from memloc.pretraining.shares import MASKED_HELD_OUT
from memloc.pretraining.tokens import LONGEST_ROW
from memloc.training.batches import derived_seed
from memloc.training.points import load_point, save_point


@dataclass(frozen=True)
class Engine:
    """How steps are computed; changes last bits and speed, nothing that is meant.

    Attributes:
        half: bf16 autocast; fp32 sums and weights.
        compiled: ``torch.compile`` of the backbone.
    """

    device: str = "cpu"
    half: bool = False
    compiled: bool = False
    save_every: float = 180.0  # seconds


@dataclass
class _State:
    step: int = 0
    seconds: float = 0.0
    losses: list[dict[str, Any]] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)  # training losses since the last entry


class Pretrainer:
    """One run in a folder of its own: ``point.safetensors``, ``trunk/`` and ``loss.parquet``.

    Cost: six multiplications a weight and token; memory: weights four times, states of one batch, one chunk of logits.
    """

    def __init__(
        self,
        family: str,
        shape: Shape,
        ids: np.ndarray,
        held_out: np.ndarray,
        budget: Budget,
        seed: int,
        folder: Path,
        engine: Engine | None = None,
    ) -> None:
        self.family, self.shape, self.budget, self.seed, self.folder = family, shape, budget, seed, folder
        self.engine = engine or Engine()
        self.device = torch.device(self.engine.device)
        if len(ids) < LONGEST_ROW or len(held_out) < LONGEST_ROW:
            raise MemlocError("tokens of the corpus", (len(ids), len(held_out)), f"{LONGEST_ROW} or more in each split")
        self.masked = is_masked(family)
        self.blocks = Blocks(ids, budget.batch // LONGEST_ROW, seed)
        used = min(len(held_out), budget.evaluate_on) // LONGEST_ROW * LONGEST_ROW
        self.held_out = as_rows(np.asarray(held_out[:used]).astype(np.int64), ROW)
        self.model = build(family, shape, seed).to(self.device)
        if self.engine.half and self.device.type == "cpu":
            compute_in_half(self.model)
        backbone: Any = self.model.base_model
        self.backbone: Any = torch.compile(backbone) if self.engine.compiled else backbone
        self.optimizer = torch.optim.AdamW(self._groups(), lr=budget.rate, betas=(0.9, 0.98), fused=True)
        self.state = _State()

    def _groups(self) -> list[dict[str, Any]]:
        """Matrices decay, vectors do not."""
        weights = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim <= 1]
        return [
            {"params": weights, "weight_decay": self.budget.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]

    def run(self, steps: int | None = None) -> None:
        """Learn to the end of the budget, or at most some steps of it, from where the folder's points say."""
        self._restore()
        last = min(self.budget.steps, self.state.step + steps) if steps else self.budget.steps
        saved = time.monotonic()
        with tqdm(
            total=self.budget.steps * self.budget.batch,
            initial=self.state.step * self.budget.batch,
            desc=self.family,
            unit="token",
            unit_scale=True,
            disable=None,
        ) as bar:
            while self.state.step < last:
                self._timed_step()
                bar.update(self.budget.batch)
                if self.state.step == self.budget.decay_from:
                    self._save(self.folder / "trunk")
                if self._is_due() or self.state.step == self.budget.steps:
                    bar.set_postfix(loss=f"{self._note_losses():.3f}")
                if time.monotonic() - saved > self.engine.save_every:
                    self._save(self.folder)
                    saved = time.monotonic()
        self._save(self.folder)

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self.state.step >= self.budget.steps

    def _timed_step(self) -> None:
        began = time.monotonic()
        self.state.sums.append(self.step(self.state.step))
        self.state.step += 1
        self.state.seconds += time.monotonic() - began

    def step(self, step: int) -> float:
        """One optimiser step; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate_at(step)
        batch = ask(self.blocks.batch(step), self.masked, self.shape.vocabulary, self.seed, step).to(self.device)
        with self._precision():
            loss = backward(self.model, self.backbone, batch)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.budget.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.engine.half)

    def _is_due(self) -> bool:
        every = max(1, self.budget.evaluate_every // self.budget.batch)
        return self.state.step % every == 0

    def held_out_loss(self) -> tuple[float, int]:
        """Mean cross-entropy on the held-out rows and the number of questions; the same masks every time."""
        total, count = 0.0, 0
        self.model.eval()
        for number, rows in enumerate(self.held_out.split(32)):
            asked = ask(rows, self.masked, self.shape.vocabulary, "validation", number, share=MASKED_HELD_OUT)
            batch = asked.to(self.device)
            with self._precision():
                loss, questions = loss_sum(self.model, batch)
            total, count = total + loss, count + questions
        self.model.train()
        return total / count, count

    def _note_losses(self) -> float:
        tokens = self.state.step * self.budget.batch
        loss, count = self.held_out_loss()
        means = {"train": (float(np.mean(self.state.sums)), len(self.state.sums)), "validation": (loss, count)}
        for split, (value, n) in means.items():
            entry = {"tokens": tokens, "split": split, "loss": value, "n": n, "seconds": self.state.seconds}
            self.state.losses.append(entry)
        self.state.sums = []
        self.folder.mkdir(parents=True, exist_ok=True)
        tables.write(self.losses(), tables.PRETRAINING, self.folder / "loss.parquet")
        return loss

    def losses(self) -> pd.DataFrame:
        """The loss table so far (``tables.PRETRAINING``)."""
        return pd.DataFrame(self.state.losses, columns=tables.PRETRAINING.names)

    def half_copy(self) -> nn.Module:
        """The model in half precision; this one stays as it is."""
        copy = build(self.family, self.shape, self.seed)
        copy.load_state_dict(self.model.state_dict())
        return copy.half().eval()

    def identity(self) -> dict[str, Any]:
        """What may not change between the sittings of a run: everything but the length of the budget."""
        budget = asdict(replace(self.budget, tokens=self.budget.batch))
        data = {"blocks": self.blocks.total, "first": derived_seed(*np.asarray(self.blocks.ids[:LONGEST_ROW]).tolist())}
        return {"family": self.family, "shape": asdict(self.shape), "budget": budget, "seed": self.seed, "data": data}

    def _save(self, folder: Path) -> None:
        tensors = {f"weights/{name}": p.detach() for name, p in self.model.named_parameters()}
        for name, p in self.model.named_parameters():
            for key, value in self.optimizer.state[p].items():
                tensors[f"optimizer/{key}/{name}"] = value
        meta = {"identity": json.dumps(self.identity(), sort_keys=True), "state": json.dumps(asdict(self.state))}
        meta["decay_from"] = str(self.budget.decay_from)
        save_point(folder, tensors, meta)

    def _restore(self) -> None:
        """Take over the latest usable point: the run's own, or the trunk where the budget was changed after it."""
        for folder in (self.folder, self.folder / "trunk"):
            point = load_point(folder)
            if point is None:
                continue
            tensors, meta = point
            if json.loads(meta["identity"]) != json.loads(json.dumps(self.identity())):
                raise MemlocError("resume point", str(folder), "one of the same model, data and settings")
            state = _State(**json.loads(meta["state"]))
            falls_from = int(meta["decay_from"])
            usable = falls_from if state.step > falls_from else max(state.step, self.budget.decay_from)
            if usable == self.budget.decay_from:
                self._load(tensors)
                self.state = state
                return
        if (self.folder / "point.safetensors").exists():
            raise MemlocError("budget", self.budget.tokens, "the run's own, or a larger one")

    def _load(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(tensors[f"weights/{name}"])
                found = {
                    k.split("/")[1]: v
                    for k, v in tensors.items()
                    if k.startswith("optimizer/") and k.endswith(f"/{name}")
                }
                self.optimizer.state[p] = {k: v.to(p.device) for k, v in found.items()}
