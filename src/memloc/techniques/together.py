"""Several models of one shape trained at once: their weights stacked, every layer one batched product (``torch.func``).

The members of an ensemble differ in weights, rows and order, but take the same steps at the same time. Embeddings are
frozen, so one pass through them serves all; then each layer runs for all members in a single call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map

from memloc.config import TrainConfig
from memloc.devices import autocast
from memloc.models.classifier import Classifier
from memloc.techniques.prefix import Shell
from memloc.training.batches import Encoded, derived_seed
from memloc.training.ensemble import Member, epoch_order, fresh_head
from memloc.training.loop import trained_parts

Stack = dict[str, Tensor]  # tensor of a part by name, [M, ...]


class Together:
    """M members with stacked weights.

    One step costs what M steps cost in arithmetic, but one call for each operation instead of M, and padding to the
    longest row of M batches. Memory: M times one training run's weights, gradients, moments and activations.

    Args:
        model: at the start that the members share; not changed.
        data: N examples.
        members: with rows of the same number.
        config: as for one member. ``pooling="last_column"`` is not for this, as it depends on a batch's own padding.
    """

    def __init__(self, model: Classifier, data: Encoded, members: Sequence[Member], config: TrainConfig) -> None:
        self.model, self.data, self.members, self.config = model, data, members, config
        self.device = next(model.parameters()).device
        self.shell = Shell(model, *data.tensors([0], self.device))
        heads = [fresh_head(model, derived_seed("head", member.seed)) for member in members]
        start = model.part_state(trained_parts(model))
        buffers = {b.data_ptr() for b in model.buffers()}  # in a state too, but no training changes them
        self.stack: Stack = {}
        for key, tensor in start.items():
            if tensor.data_ptr() in buffers:
                continue
            own = [head[key].to(self.device) for head in heads] if key in heads[0] else [tensor] * len(members)
            self.stack[key] = torch.stack([t.detach() for t in own]).requires_grad_()
        learning = list(self.stack.values())
        self.optimizer = torch.optim.AdamW(
            learning, lr=config.lr, weight_decay=config.weight_decay, fused=self.device.type in ("cpu", "cuda")
        )

    def of(self, number: int) -> dict[str, Tensor]:
        """The trained tensors of one member, as `Classifier.load_parts` names them."""
        return {key: tensor[number].detach() for key, tensor in self.stack.items()}

    def train(self) -> None:
        """All steps of all members."""
        batch, device = self.config.batch_size, self.device
        steps = self.config.epochs * -(-len(self.members[0].rows) // batch)
        number = 0
        seeds = [member.seed for member in self.members]
        with torch.random.fork_rng([device] if device.type == "cuda" else []), self._modes():
            for epoch in range(1, self.config.epochs + 1):
                torch.manual_seed(derived_seed("dropout", *seeds, epoch))
                orders = [epoch_order(member, self.data.lengths, batch, epoch) for member in self.members]
                for rows in zip(*orders, strict=True):
                    for group in self.optimizer.param_groups:
                        group["lr"] = self._rate(number, steps)
                    self.step(rows)
                    number += 1

    def _rate(self, step: int, steps: int) -> float:
        """As `Learner.rate`."""
        warm = int(self.config.warmup * steps)
        return self.config.lr * (step / warm if step < warm else (steps - step) / max(1, steps - warm))

    @contextlib.contextmanager
    def _modes(self) -> Iterator[None]:
        """Training mode, and attention that can be batched again (on a CPU the fast kernel would be looped over)."""
        was_training, rate = self.model.training, self.model.dropout.p
        self.model.train()
        self.model.dropout.p = self.config.dropout
        try:
            with sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else contextlib.nullcontext():
                yield
        finally:
            self.model.train(was_training)
            self.model.dropout.p = rate

    def step(self, rows: Sequence[np.ndarray]) -> None:
        """One step of every member on its own rows; shorter batches are filled up with rows that do not count."""
        width = max(map(len, rows))
        filled = np.concatenate([np.concatenate([r, np.repeat(r[:1], width - len(r))]) for r in rows])
        counts = torch.tensor([len(r) for r in rows], device=self.device)
        real = torch.arange(width, device=self.device) < counts[:, None]
        with autocast(self.device, self.config.precision):
            logits = self.logits(*self.data.tensors(filled, self.device)).float()
        labels = torch.from_numpy(self.data.given[filled]).to(self.device)
        loss = functional.cross_entropy(logits.flatten(0, 1), labels, reduction="none").view_as(real)
        # members share nothing that learns, so the sum of their losses gives each its own gradient
        ((loss * real).sum(dim=1) / counts).sum().backward()
        self._clip()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _clip(self) -> None:
        gradients = [t.grad for t in self.stack.values() if t.grad is not None]
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        share = (self.config.clip_norm / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(share.view(-1, *[1] * (gradient.dim() - 1)))

    def _apply(self, part: str, place: int, module: nn.Module, states: Tensor, *extra: Any, **named: Any) -> Tensor:
        prefix = f"{part}/{place}/"
        weights = {k.removeprefix(prefix): v for k, v in self.stack.items() if k.startswith(prefix)}
        size = states.shape[0] * states.shape[1]

        def rowwise(value: Any) -> bool:
            return isinstance(value, Tensor) and value.dim() > 1 and value.shape[0] == size and size > 1

        def call(weights: Stack, states: Tensor, extra: Any, named: Any) -> Tensor:
            out = functional_call(module, weights, (states, *extra), named)
            return out[0] if isinstance(out, tuple) else out

        others = (extra, named)
        dims = tree_map(lambda v: 0 if rowwise(v) else None, others)
        others = tree_map(lambda v: v.view(len(states), -1, *v.shape[1:]) if rowwise(v) else v, others)
        return vmap(call, in_dims=(0, 0, *dims), randomness="different")(weights, states, *others)

    def logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits [M, B, C] of ids and mask [M * B, T], member by member."""
        recording = self.shell.record(ids, mask)
        many = len(self.members)
        states = recording.inputs[0].view(many, -1, *recording.inputs[0].shape[1:])
        for n in range(1, self.model.num_layers + 1):
            extra, named = recording.extras[n - 1]
            states = self._apply(f"layer.{n}", 0, self.model.layer(n), states, *extra, **named)
        pooled = self.model.pool(states.flatten(0, 1), mask, self.config.pooling).view(many, -1, states.shape[-1])
        for place, module in enumerate(self.model.parts()["final"]):
            pooled = self._apply("final", place, module, pooled)
        return self._apply("head.main", 0, self.model.heads["main"], self.model.dropout(pooled))
