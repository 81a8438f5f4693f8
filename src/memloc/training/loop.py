"""One training run: fine-tune a classifier on given labels until it has memorised them (method 2).

A run is cut into epochs. Everything random in an epoch (order, dropout) comes from (seed, epoch), so a run that was
stopped and resumed at an epoch ends in the same weights as one that was not.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from memloc import tables
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, derived_seed
from memloc.training.cached import final_states, is_constant
from memloc.training.evaluate import Predictions, predict, predict_pooled, scores
from memloc.training.points import load_point, save_point
from memloc.training.streams import Learner, Stream, joint_order

RESUME_EVERY = 60.0  # seconds between resume points


@dataclass
class Plan:
    """What a run must do beyond its settings.

    Attributes:
        parts: the parts of the model that learn.
        labels: the labels it learns, int64 [N].
        stop_after: the epoch at which to stop whatever the scores say (a twin's), or None.
        memorised_at: the epoch to keep as ``memorised`` (a twin's), or None to find it by macro-F1.
        beside: a second task, trained together with the first (method 2.1), or None. Scores are the first task's.
        scored: ``each`` epoch, or the ``last`` one alone, where nobody asks how the run got there. Such a run is not
            stopped early.
    """

    parts: list[str]
    labels: np.ndarray
    stop_after: int | None = None
    memorised_at: int | None = None
    beside: Stream | None = None
    scored: Literal["each", "last"] = "each"


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
    number of validation examples (N + V where the last epoch alone is scored); a second task of M examples adds
    3 x epochs x M. Where only a head learns and nothing drops out in the backbone, N + V passes in all. Memory:
    weights, and of each task gradients and two moments of the parts that it may change.
    """

    def __init__(
        self, model: Classifier, train: Encoded, validation: Encoded, config: TrainConfig, seed: int, plan: Plan
    ) -> None:
        self.model, self.train_data, self.validation = model, train, validation
        self.config, self.seed, self.plan = config, seed, plan
        model.dropout.p = config.dropout
        self.device = next(model.parameters()).device
        streams = [Stream(train, plan.labels, plan.parts, config.lr), *([plan.beside] if plan.beside else [])]
        self.learners = [Learner(model, stream, config) for stream in streams]
        self.main = self._active = self.learners[0]
        self.main.take_over()
        self.optimizer, self.steps_per_epoch = self.main.optimizer, self.main.steps_per_epoch
        self.state = _State()
        self._pooled: dict[str, Tensor] = {}  # states of the classified token by split, where they never change

    def rate(self, step: int) -> float:
        """Learning rate of the (first) task at a step counted from 0."""
        return self.main.rate(step)

    def run(self, folder: Path, resume: Path, label: str = "") -> None:
        """Train to the end, from a resume point if there is one.

        Args:
            folder: where the results go.
            resume: folder of the resume point; made when needed.
            label: what the progress bar says.
        """
        self._restore(resume)
        if not self._finished() and self._constant():
            for split, data in (("train", self.train_data), ("validation", self.validation)):
                self._pooled[split] = final_states(self.model, data, self.config.pooling)
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(cuda):  # dropout draws from the generators that the caller uses too
            self._epochs(resume, label)
        self._write(folder)

    def _constant(self) -> bool:
        """Whether the backbone gives the same states in all epochs."""
        return self.plan.beside is None and is_constant(self.model, self.plan.parts, self.train_data, self.config)

    def _epochs(self, resume: Path, label: str) -> None:
        saved = time.monotonic()
        with tqdm(
            total=self._last_epoch(), initial=self.state.epoch, desc=label, unit="epoch", leave=False, disable=None
        ) as bar:
            while not self._finished():
                self._epoch()
                bar.update()
                if self.state.trace:
                    bar.set_postfix(noisy=f"{self._latest('noisy'):.2f}", clean=f"{self._latest('clean'):.2f}")
                    self._note_memorised()
                if time.monotonic() - saved > RESUME_EVERY and not self._finished():
                    self._save_resume(resume)
                    saved = time.monotonic()

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
        lengths = [learner.stream.data.lengths for learner in self.learners]
        steps = [(epoch - 1) * learner.steps_per_epoch for learner in self.learners]
        for turn, rows in joint_order(lengths, self.config.batch_size, self.seed, epoch):
            self.learners[turn].set_rate(steps[turn])
            steps[turn] += 1
            if turn == 0:
                self.step(rows)
            else:
                self._step(self.learners[turn], rows)
        if self.plan.scored == "each" or epoch == self._last_epoch():
            self.state.trace.append(self._evaluate(epoch))

    def step(self, rows: np.ndarray) -> None:
        """One optimiser step of the (first) task on some rows."""
        self._step(self.main, rows)

    def _step(self, learner: Learner, rows: np.ndarray) -> None:
        if learner is not self._active:
            learner.take_over()
            self._active = learner
        learner.step(rows, self._pooled.get("train"))

    def _evaluate(self, epoch: int) -> pd.DataFrame:
        frames = []
        for split, data, labels in (
            ("train", self.train_data, self.plan.labels),
            ("validation", self.validation, self.validation.label),
        ):
            frames.append(scores(split, data, labels, self._predict(split, data, labels)))
        return pd.concat(frames).assign(epoch=epoch)

    def _predict(self, split: str, data: Encoded, labels: np.ndarray) -> Predictions:
        if split in self._pooled:
            return predict_pooled(self.model, self._pooled[split], labels)
        return predict(self.model, data, labels, self.config.pooling)

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
        parts = dict.fromkeys(part for learner in self.learners for part in learner.stream.parts)
        state = self.model.part_state(parts)
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}

    def _write(self, folder: Path) -> None:
        save_file(self._weights(), folder / "last.safetensors")
        if self.state.memorised_epoch not in (None, self.state.epoch):
            save_file(self.state.memorised, folder / "memorised.safetensors")
        tables.write(pd.concat(self.state.trace, ignore_index=True), tables.TRACE, folder / "trace.parquet")
        summary: dict[str, int | float | None] = {
            "epochs_run": self.state.epoch,
            "memorised_epoch": self.state.memorised_epoch,
            "steps": self.state.epoch * self.steps_per_epoch,
        }
        if beside := self.plan.beside:
            got = predict(self.model, beside.data, beside.labels, self.config.pooling, beside.head)
            summary["accuracy_beside"] = float(np.mean(got.predicted == beside.labels))  # was the second task learnt?
        (folder / "summary.json").write_text(json.dumps(summary, sort_keys=True))

    def _save_resume(self, resume: Path) -> None:
        tensors = {f"weights/{k}": v for k, v in self._weights().items()}
        tensors |= {f"memorised/{k}": v for k, v in self.state.memorised.items()}
        for prefix, learner in self._optimisers():
            tensors |= {f"{prefix}{key}": value for key, value in learner.state().items()}
        meta = {
            "epoch": str(self.state.epoch),
            "memorised_epoch": json.dumps(self.state.memorised_epoch),
            "trace": json.dumps([row for frame in self.state.trace for row in frame.to_dict("records")]),
        }
        save_point(resume, tensors, meta)

    def _optimisers(self) -> list[tuple[str, Learner]]:
        """The learners and how a resume point calls their tensors."""
        return list(zip(("optimizer/", "optimizer-beside/"), self.learners, strict=False))

    def _restore(self, resume: Path) -> None:
        point = load_point(resume)
        if point is None:
            return
        tensors, meta = point

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_parts(below("weights/"))
        self.state.memorised = below("memorised/")
        for prefix, learner in self._optimisers():
            learner.load(below(prefix))
        self.state.epoch = int(meta["epoch"])
        self.state.memorised_epoch = json.loads(meta["memorised_epoch"])
        rows = json.loads(meta["trace"])
        self.state.trace = [pd.DataFrame(rows)] if rows else []


def trained_parts(model: Classifier) -> list[str]:
    """The parts the study trains: every layer, the final norm and the heads; the embeddings stay frozen."""
    return [name for name in model.parts() if name != "embeddings"]
