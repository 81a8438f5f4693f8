"""Models that learn side by side, each in a window of layers that begins at the same depth (method 3.2).

Each has its own copy of its window, of the final norm and of the head; all else is the perturbed model's memory. They
see the same batches, so they share what comes before the window, and the frozen layers after it run all at once.
"""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from memloc.config import check_training
from memloc.devices import autocast
from memloc.models.classifier import Classifier
from memloc.techniques.layerwise import apply_layer, finish, only_token
from memloc.techniques.prefix import Batch
from memloc.techniques.swapping import Window
from memloc.training.batches import derived_seed


@dataclass(frozen=True)
class Retraining:
    """How a window is retrained; the defaults are the study's where it tells them.

    Attributes:
        epochs, lr, batch_size, weight_decay: of AdamW.
        warmup: share of all steps in which the rate rises to ``lr``, before it falls linearly to 0.
        clip_norm: largest norm of a window's gradient, as in training.
        seed: of the held-out examples, the order of batches and dropout; one for all model seeds.
        dropout: on the pooled token, before the head.
        frozen_dropout: False runs frozen layers as in evaluation, so that the prefix can be kept; True lets their
            dropout act, as the published code does, and keeps nothing.
        precision: ``fp32``, or ``bf16`` (autocast).
        pooling: as in training.
    """

    epochs: int = 5
    lr: float = 3e-5
    batch_size: int = 8
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    seed: int = 42
    dropout: float = 0.1
    frozen_dropout: bool = False
    precision: str = "fp32"
    pooling: str = "token"

    def __post_init__(self) -> None:
        check_training(self, "retraining")

    def rate(self, step: int, total: int) -> float:
        """Learning rate of a step counted from 0: linear warm-up over int(warmup x total), then linear decay to 0."""
        warm = int(self.warmup * total)
        return self.lr * (step / warm if step < warm else (total - step) / max(1, total - warm))


def trainee(frozen: Classifier, pretrained: Classifier, window: Window, dropout: float) -> Classifier:
    """The frozen model with its window at the pre-trained values; window, final norm and head learn.

    Memory: the parts that learn. All others are the frozen model's own modules, seen through another model.
    """
    layers = [f"layer.{n}" for n in range(window[0], sum(window))]
    own = [*layers, "final", "head.main"]
    others = [module for name, modules in frozen.parts().items() if name not in own for module in modules]
    config = getattr(frozen.backbone, "config", None)
    model = copy.deepcopy(frozen, {id(shared): shared for shared in (*others, config)})
    for name in own:
        for module in model.parts()[name]:
            module.requires_grad_(True)
    model.load_parts(pretrained.part_state(layers))
    model.dropout.p = dropout
    return model


class Group:
    """Trainees whose windows begin at the same layer.

    A step on B examples runs l layers forward and backward for a window of l layers, and each frozen layer after a
    window forward and backward to its input; of k windows with one start these form one batch. Memory: 4 numbers for
    each parameter of each window, beside k x (L - start + 1) x B x T x d activations.

    Args:
        frozen: the perturbed model that all share, as `prefix.frozen_copy` gives it.
        pretrained: whose layers windows begin with.
        order: windows with one start, by length.
    """

    def __init__(self, frozen: Classifier, pretrained: Classifier, order: list[Window], how: Retraining) -> None:
        self.order, self.how = order, how
        self.frozen = frozen
        self.models = [trainee(frozen, pretrained, window, how.dropout) for window in order]
        self.learning = [[p for p in model.parameters() if p.requires_grad] for model in self.models]
        self.device = next(frozen.parameters()).device
        self.optimizer = torch.optim.AdamW(
            [p for parameters in self.learning for p in parameters],
            lr=how.lr,
            weight_decay=how.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )

    def train(self, mode: bool) -> None:
        """Switch dropout on where it acts in training: in windows and heads; with ``frozen_dropout`` everywhere."""
        for model, (start, length) in zip(self.models, self.order, strict=True):
            model.train(mode and self.how.frozen_dropout)
            model.dropout.train(mode)
            model.heads.train(mode)
            for number in range(start, start + length):
                model.layer(number).train(mode)

    def step(self, batch: Batch, labels: Tensor, number: int, total: int) -> None:
        """One step of every trainee on one batch; ``number`` of ``total`` steps, counted from 0."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.how.rate(number, total)
        losses = [functional.cross_entropy(logits, labels) for logits in self.logits(batch, number)]
        torch.stack(losses).sum().backward()
        for parameters in self.learning:
            self._clip(parameters)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _clip(self, parameters: list[nn.Parameter]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        # a look at the norm is free on a CPU and saves a pass; on a GPU it would wait for all that was asked before
        if self.device.type != "cpu" or norm > self.how.clip_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.how.clip_norm, norm)

    def logits(self, batch: Batch, step: int | None = None) -> list[Tensor]:
        """Logits [B, C] of every trainee.

        Args:
            step: of training; seeds each window's dropout, so that it does not depend on which others learn beside it.
        """
        with autocast(self.device, self.how.precision):
            if self.models[0].training:  # frozen layers drop out too
                return [self._whole(i, batch, step) for i in range(len(self.models))]
            token = self.frozen.pooled_token(batch.mask, self.how.pooling)
            opened = [self._window(i, batch, step) for i in range(len(self.models))]
            states = self._after(batch, token, [states for states, _ in opened])
            # variants stand one after the other
            places = torch.arange(len(states), device=states.device), token.repeat(len(self.models))
            parts = states[places].split(len(token))
            return [
                self._answer(i, part, random) for i, (part, (_, random)) in enumerate(zip(parts, opened, strict=True))
            ]

    def _whole(self, which: int, batch: Batch, step: int | None) -> Tensor:
        self._seed(which, step)
        return self.models[which](batch.ids, batch.mask, pooling=self.how.pooling).float()

    def _window(self, which: int, batch: Batch, step: int | None) -> tuple[Tensor, Tensor | None]:
        """States after a trainee's window, and the random state there in training: its head goes on from it."""
        model, (start, length) = self.models[which], self.order[which]
        self._seed(which, step)
        states = batch.states
        for number in range(start, start + length):
            states = apply_layer(model, number, states, batch.recording)
        return states, None if step is None else self._random_state()

    def _after(self, batch: Batch, token: Tensor, ended: list[Tensor]) -> Tensor:
        """Run the frozen layers after each window; a window joins the batch where it ends."""
        lasts = [sum(window) - 1 for window in self.order]
        states, joined, depth = ended[0], 1, self.frozen.num_layers
        for number in range(lasts[0] + 1, depth + 1):
            # a layer that learns runs whole, with the same dropout as in a model that runs alone
            with only_token(self.frozen, depth, token) if number == depth else contextlib.nullcontext():
                states = apply_layer(self.frozen, number, states, batch.recording)
            while joined < len(lasts) and lasts[joined] == number:
                states = torch.cat([states, ended[joined]])
                joined += 1
        return states

    def _answer(self, which: int, pooled: Tensor, random: Tensor | None) -> Tensor:
        if random is not None:
            self._set_random_state(random)
        return self.models[which].classify(finish(self.models[which], pooled)).float()

    def _random_state(self) -> Tensor:
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else torch.get_rng_state()

    def _set_random_state(self, state: Tensor) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)

    def _seed(self, which: int, step: int | None) -> None:
        if step is not None:
            torch.manual_seed(derived_seed("retraining", self.how.seed, *self.order[which], step))
