"""One training run: fine-tune a classifier on given labels until it has memorised them (method 2).

A run is cut into epochs. Everything random in an epoch (order, dropout) comes from (seed, epoch), so a run that was
stopped and resumed at an epoch ends in the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from memloc import tables
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, derived_seed, training_order
from memloc.training.evaluate import predict, scores

log = logging.getLogger(__name__)

RESUME_EVERY = 60.0  # seconds between resume points


@dataclass
class Plan:
    """What a run must do beyond its settings.

    Attributes:
        parts: the parts of the model that learn.
        labels: the labels it learns, int64 [N].
        stop_after: the epoch at which to stop whatever the scores say (a twin's), or None.
        memorised_at: the epoch to keep as ``memorised`` (a twin's), or None to find it by macro-F1.
    """

    parts: list[str]
    labels: np.ndarray
    stop_after: int | None = None
    memorised_at: int | None = None


@dataclass
class _State:
    epoch: int = 0
    memorised_epoch: int | None = None
    memorised: dict[str, Tensor] = field(default_factory=dict)
    trace: list[pd.DataFrame] = field(default_factory=list)


class Trainer:
    """Trains one classifier and leaves ``last.safetensors``, ``trace.parquet`` and ``summary.json`` in a folder, and
    ``memorised.safetensors`` where the memorised epoch is not the last one.

    Cost: about 3 x epochs x N forward passes of L layers for training, epochs x (N + V) for the trace, where V is the
    number of validation examples. Memory: weights, gradients and two moments of the parts that learn.
    """

    def __init__(
        self, model: Classifier, train: Encoded, validation: Encoded, config: TrainConfig, seed: int, plan: Plan
    ) -> None:
        self.model, self.train_data, self.validation = model, train, validation
        self.config, self.seed, self.plan = config, seed, plan
        model.set_trainable(plan.parts)
        model.dropout.p = config.dropout
        self.device = next(model.parameters()).device
        self.learning = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.learning, lr=config.lr, weight_decay=config.weight_decay, fused=self.device.type in ("cpu", "cuda")
        )
        self.steps_per_epoch = -(-len(train) // config.batch_size)
        self.state = _State()
        self._labels = torch.tensor(plan.labels).to(self.device)

    def rate(self, step: int) -> float:
        """Learning rate at a step counted from 0: linear warm-up over int(warmup x steps), then linear decay to 0."""
        total = self.config.epochs * self.steps_per_epoch
        warm = int(self.config.warmup * total)
        if step < warm:
            return self.config.lr * step / max(1, warm)
        return self.config.lr * max(0.0, (total - step) / max(1, total - warm))

    def run(self, folder: Path, resume: Path, label: str = "") -> None:
        """Train to the end, from a resume point if there is one.

        Args:
            folder: where the results go.
            resume: folder of the resume point; made when needed.
            label: what the progress bar says.
        """
        self._restore(resume)
        saved = time.monotonic()
        with tqdm(
            total=self._last_epoch(), initial=self.state.epoch, desc=label, unit="epoch", leave=False, disable=None
        ) as bar:
            while not self._finished():
                self._epoch()
                bar.update()
                bar.set_postfix(noisy=f"{self._latest('noisy'):.2f}", clean=f"{self._latest('clean'):.2f}")
                self._note_memorised()
                if time.monotonic() - saved > RESUME_EVERY and not self._finished():
                    self._save_resume(resume)
                    saved = time.monotonic()
        self._write(folder)

    def _last_epoch(self) -> int:
        return min(self.config.epochs, self.plan.stop_after or self.config.epochs)

    def _finished(self) -> bool:
        stop_early = self.config.stop_when_memorised and self.plan.stop_after is None
        return self.state.epoch >= self._last_epoch() or (stop_early and self.state.memorised_epoch is not None)

    def _epoch(self) -> None:
        self.state.epoch += 1
        epoch = self.state.epoch
        torch.manual_seed(derived_seed("dropout", self.seed, epoch))
        self.model.train()
        first = (epoch - 1) * self.steps_per_epoch
        for number, rows in enumerate(
            training_order(self.train_data.lengths, self.config.batch_size, self.seed, epoch)
        ):
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate(first + number)
            self.step(rows)
        self.state.trace.append(self._evaluate(epoch))

    def step(self, rows: np.ndarray) -> None:
        """One optimiser step on some rows."""
        ids, mask = self.train_data.tensors(rows, self.device)
        with self._autocast():
            logits = self.model(ids, mask, pooling=self.config.pooling)
        loss = functional.cross_entropy(logits.float(), self._labels[torch.from_numpy(rows).to(self.device)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learning, self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.config.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def _evaluate(self, epoch: int) -> pd.DataFrame:
        frames = []
        for split, data, labels in (
            ("train", self.train_data, self.plan.labels),
            ("validation", self.validation, self.validation.label),
        ):
            frames.append(scores(split, data, labels, predict(self.model, data, labels, self.config.pooling)))
        return pd.concat(frames).assign(epoch=epoch)

    def _latest(self, group: str, metric: str = "accuracy") -> float:
        trace = self.state.trace[-1]
        chosen = trace[(trace.split == "train") & (trace.group == group) & (trace.metric == metric)]
        return float(chosen["value"].iloc[0]) if len(chosen) else float("nan")

    def _note_memorised(self) -> None:
        if self.state.memorised_epoch is not None:
            return
        if self.plan.stop_after is None:
            reached = self._latest("all", "macro_f1") >= self.config.memorised_f1
        else:
            reached = self.state.epoch == self.plan.memorised_at
        if reached:
            self.state.memorised_epoch = self.state.epoch
            self.state.memorised = self._weights()

    def _weights(self) -> dict[str, Tensor]:
        state = self.model.part_state(self.plan.parts)
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}

    def _write(self, folder: Path) -> None:
        save_file(self._weights(), folder / "last.safetensors")
        if self.state.memorised_epoch not in (None, self.state.epoch):
            save_file(self.state.memorised, folder / "memorised.safetensors")
        tables.write(pd.concat(self.state.trace, ignore_index=True), tables.TRACE, folder / "trace.parquet")
        summary = {
            "epochs_run": self.state.epoch,
            "memorised_epoch": self.state.memorised_epoch,
            "steps": self.state.epoch * self.steps_per_epoch,
        }
        (folder / "summary.json").write_text(json.dumps(summary, sort_keys=True))

    def _save_resume(self, resume: Path) -> None:
        """Write a resume point beside the old one, then put it in its place: a kill leaves one whole point."""
        resume.mkdir(parents=True, exist_ok=True)
        tensors = {f"weights/{k}": v for k, v in self._weights().items()}
        tensors |= {f"memorised/{k}": v for k, v in self.state.memorised.items()}
        for i, parameter in enumerate(self.learning):
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer/{i}/{key}"] = value.detach().cpu()
        meta = {
            "epoch": str(self.state.epoch),
            "memorised_epoch": json.dumps(self.state.memorised_epoch),
            "trace": json.dumps(pd.concat(self.state.trace).to_dict("records")),
        }
        save_file(tensors, resume / "point.tmp", metadata=meta)
        (resume / "point.tmp").replace(resume / "point.safetensors")

    def _restore(self, resume: Path) -> None:
        path = resume / "point.safetensors"
        if not path.exists():
            return
        try:
            with safe_open(path, "pt") as stream:
                meta = stream.metadata()
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            log.warning("training starts anew: %s is damaged (%s)", path, error)
            return

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_parts(below("weights/"))
        self.state.memorised = below("memorised/")
        for i, parameter in enumerate(self.learning):
            found = below(f"optimizer/{i}/")
            # fused steps count on the device, others on the CPU
            here = self.device if self.optimizer.defaults["fused"] else torch.device("cpu")
            self.optimizer.state[parameter] = {k: v.to(here if k == "step" else self.device) for k, v in found.items()}
        self.state.epoch = int(meta["epoch"])
        self.state.memorised_epoch = json.loads(meta["memorised_epoch"])
        self.state.trace = [pd.DataFrame(json.loads(meta["trace"]))]


def trained_parts(model: Classifier) -> list[str]:
    """The parts the study trains: every layer, the final norm and the heads; the embeddings stay frozen."""
    return [name for name in model.parts() if name != "embeddings"]
