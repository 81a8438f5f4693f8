"""What learns in a training run: one stream of batches for each task, each with its own optimiser and schedule.

An ordinary run has one stream. A control's run has two (method 2.1), which share some of the model's parts; before a
stream's step everything else is told to want no gradient, so the backward pass ends at the lowest layer that it may
change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from memloc.config import TrainConfig
from memloc.devices import autocast
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, derived_seed, training_order


@dataclass
class Stream:
    """One task of a run.

    Attributes:
        data: N examples.
        labels: what is learnt of them, int64 [N].
        parts: the parts of the model that may change.
        lr: highest learning rate; the other settings are the run's.
        head: the head that answers.
    """

    data: Encoded
    labels: np.ndarray
    parts: list[str]
    lr: float
    head: str = "main"


class Learner:
    """A stream with its optimiser and schedule.

    Memory: gradients and two moments of the parts that may change.

    Raises:
        MemlocError: if there is not one label for each example, or nothing to learn from.
    """

    def __init__(self, model: Classifier, stream: Stream, config: TrainConfig) -> None:
        if not len(stream.data) or len(stream.labels) != len(stream.data):
            raise MemlocError(
                f"labels of head {stream.head}", len(stream.labels), f"one for each of {len(stream.data)} examples"
            )
        self.model, self.stream, self.config = model, stream, config
        self.device = next(model.parameters()).device
        self.parameters = self.chosen()
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=stream.lr, weight_decay=config.weight_decay, fused=self.device.type in ("cpu", "cuda")
        )
        self.steps_per_epoch = -(-len(stream.data) // config.batch_size)
        self._labels = torch.tensor(stream.labels).to(self.device)

    def chosen(self) -> list[nn.Parameter]:
        """What learns: all parameters of the stream's parts; everything else is told to want no gradient."""
        self.model.set_trainable(self.stream.parts)
        return [p for p in self.model.parameters() if p.requires_grad]

    def logits(self, rows: np.ndarray, pooled: Tensor | None = None) -> Tensor:
        """Logits [B, C] of some rows; ``pooled`` as in `step`."""
        if pooled is not None:
            return self.model.classify(pooled[torch.from_numpy(rows).to(self.device)], self.stream.head)
        ids, mask = self.stream.data.tensors(rows, self.device)
        return self.model(ids, mask, self.stream.head, self.config.pooling)

    def rate(self, step: int) -> float:
        """Learning rate at a step counted from 0: linear warm-up over int(warmup x steps), then linear decay to 0."""
        total = self.config.epochs * self.steps_per_epoch
        warm = int(self.config.warmup * total)
        if step < warm:
            return self.stream.lr * step / max(1, warm)
        return self.stream.lr * max(0.0, (total - step) / max(1, total - warm))

    def set_rate(self, step: int) -> None:
        """Take the learning rate of a step of this stream, counted from 0 over the whole run."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)

    def take_over(self) -> None:
        """Let gradients reach this stream's parts and nothing else."""
        self.model.requires_grad_(False)
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def step(self, rows: np.ndarray, pooled: Tensor | None = None) -> None:
        """One optimiser step on some rows; ``pooled`` [N, d] stands for the backbone where that never changes."""
        with autocast(self.device, self.config.precision):
            logits = self.logits(rows, pooled)
        loss = functional.cross_entropy(logits.float(), self._labels[torch.from_numpy(rows).to(self.device)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """The optimiser's tensors on the CPU, named ``<parameter number>/<moment>``."""
        return {
            f"{i}/{key}": value.detach().cpu()
            for i, parameter in enumerate(self.parameters)
            for key, value in self.optimizer.state[parameter].items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        for i, parameter in enumerate(self.parameters):
            found = {k.split("/", 1)[1]: v for k, v in state.items() if k.split("/", 1)[0] == str(i)}
            # fused steps count on the device, others on the CPU
            here = self.device if self.optimizer.defaults["fused"] else torch.device("cpu")
            self.optimizer.state[parameter] = {k: v.to(here if k == "step" else self.device) for k, v in found.items()}


def joint_order(lengths: Sequence[np.ndarray], batch_size: int, seed: int, epoch: int) -> list[tuple[int, np.ndarray]]:
    """The batches of one epoch of all streams: each stream's own order, and a seeded shuffle of whose turn it is.

    Labels have no say in it, so that twins take the same steps.

    Args:
        lengths: tokens of each example [N] of every stream.
        seed, epoch: as in ``training_order``, which gives the order of the first stream.

    Returns:
        (number of the stream, rows), every row of every stream once.
    """
    orders = [
        training_order(each, batch_size, seed if number == 0 else derived_seed("stream", number, seed), epoch)
        for number, each in enumerate(lengths)
    ]
    turns = np.repeat(np.arange(len(orders)), [len(order) for order in orders])
    if len(orders) > 1:
        turns = np.random.default_rng(derived_seed("turns", seed, epoch)).permutation(turns)
    waiting = [iter(order) for order in orders]
    return [(int(turn), next(waiting[turn])) for turn in turns]
