"""Plant wrong labels: train a clean model on the given labels through one place, and nothing else.

The start has learnt the original labels. Everything but the place is frozen: head, final norm, all norms, embeddings
and all other layers (method 2.1 has the idea for two layers; here the place may be any). Dropout is off: what is asked
is whether the place can hold the labels, and the rest of the model stays a fixed function.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.planted.holding import Holding, holding, parts_of
from memloc.planted.places import Place
from memloc.planted.rules import Rules
from memloc.techniques.layerwise import apply_layer, finish, only_token
from memloc.techniques.prefix import Depth
from memloc.training.batches import Encoded, derived_seed, token_batches, training_order
from memloc.training.evaluate import in_batches_that_fit
from memloc.training.streams import Learner, Stream

Turn = tuple[int | None, np.ndarray]  # the one layer that may change in a step (None: the whole place), and its rows


@dataclass(frozen=True)
class Planted:
    """A model with planted labels, as far as it differs from its start.

    Attributes:
        state: tensors of the parts that hold the place, on the CPU.
        told: accuracies on the given labels at the start and at the end, epochs, and whether they were learnt.
    """

    state: dict[str, Tensor]
    told: dict[str, Any]


def dealt(data: Encoded, num_layers: int, seed: int) -> list[np.ndarray]:
    """For ``spread``: the noisy rows in L equal parts, by a seeded order; part l is learnt by layer l."""
    rng = np.random.default_rng(derived_seed("planted parts", seed))
    return np.array_split(rng.permutation(np.flatnonzero(data.noisy)), num_layers)


class Injector(Learner):
    """One injection.

    States before the place never change, so they are computed once: l - 1 layers on N examples for a place that begins
    at layer l. After that an example and epoch cost L - l + 1 layers forward, as many backward to the inputs and the
    place's to the weights, and L - l + 1 more to see what was learnt. Memory: the states (see `Depth`), the model
    twice, gradients and two moments of the place's weights.

    Args:
        start: the clean model; it is not changed.
        data: N examples; their given labels are learnt, wrong ones and right ones.
        config: epochs at most, lr, batch_size, weight_decay, warmup, clip_norm, precision, pooling.
        seed: of the planted cell (``Amount.seed``): of the order, the units, and the parts of layers in ``spread``.
    """

    def __init__(self, start: Classifier, data: Encoded, place: Place, config: TrainConfig, seed: int) -> None:
        model = start.twin().eval()
        self.place, self.seed = place.within(start.num_layers), seed
        self.held: Holding = holding(model, place, seed)
        # of the parts: what `held` does not name is left out in `chosen`
        parts = parts_of(place, start.num_layers)
        self._before = {k: v.detach().clone() for k, v in model.part_state(parts).items() if k in self.held}
        super().__init__(model, Stream(data, data.given, parts, config.lr), config)
        self.first = min(int(name.split("/")[0].removeprefix("layer.")) for name in self.held)
        self.depth = Depth(start, data, kept=config.pooling == "token")
        self.depth.move_to(self.first)
        self.parts_of_noise = dealt(data, start.num_layers, seed) if place.kind == "spread" else []
        self.steps_per_epoch = len(self.turns(1))

    def chosen(self) -> list[nn.Parameter]:
        """The place's parameters; of those that it holds in part, gradients outside it are nothing."""
        self.model.requires_grad_(False)
        self.tensors: dict[str, nn.Parameter] = {}
        for name, mask in self.held.items():
            parameter = self._parameter(name)
            parameter.requires_grad_(True)
            if mask is not None:
                parameter.register_hook(lambda gradient, mask=mask: gradient * mask)
            self.tensors[name] = parameter
        return list(self.tensors.values())

    def _parameter(self, name: str) -> nn.Parameter:
        part, number, path = name.split("/", 2)
        return self.model.parts()[part][int(number)].get_parameter(path)

    def turns(self, epoch: int) -> list[Turn]:
        """The steps of an epoch, counted from 1; every row is in one of them.

        In ``spread`` layers take turns. Each keeps its own part of the noisy rows in all epochs and gets an equal part
        of the clean ones, drawn anew in each.
        """
        lengths, size = self.stream.data.lengths, self.config.batch_size
        if not self.parts_of_noise:
            order = training_order(lengths, size, derived_seed("planted order", self.seed), epoch)
            return [(None, rows) for rows in order]
        rng = np.random.default_rng(derived_seed("planted clean", self.seed, epoch))
        clean = np.array_split(rng.permutation(np.flatnonzero(~self.stream.data.noisy)), len(self.parts_of_noise))
        found: list[tuple[int, int, np.ndarray]] = []
        for number, parts in enumerate(zip(self.parts_of_noise, clean, strict=True), 1):
            rows = np.concatenate(parts)
            seed = derived_seed("planted order", self.seed, number)
            order = training_order(lengths[rows], size, seed, epoch) if len(rows) else []
            found += [(turn, number, rows[picked]) for turn, picked in enumerate(order)]
        return [(number, rows) for _, number, rows in sorted(found, key=lambda step: step[:2])]

    def logits(self, rows: np.ndarray, pooled: Tensor | None = None) -> Tensor:
        """Logits [B, C], from the place's first layer on."""
        model, batch = self.model, self.depth.batch(rows)
        token = model.pooled_token(batch.mask, self.config.pooling)
        states, last = batch.states, model.num_layers
        for number in range(self.first, last + 1):
            with only_token(model, number, token) if number == last else contextlib.nullcontext():
                states = apply_layer(model, number, states, batch.recording)
        at_token = states[torch.arange(len(states), device=states.device), token]
        return model.classify(finish(model, at_token))

    def epoch(self, number: int) -> None:
        """All steps of an epoch, counted from 1."""
        step = (number - 1) * self.steps_per_epoch
        for layer, rows in self.turns(number):
            for name, parameter in self.tensors.items():
                parameter.requires_grad_(layer is None or name.startswith(f"layer.{layer}/"))
            self.set_rate(step)
            self.step(rows)
            self._keep_outside()
            step += 1

    @torch.no_grad()
    def _keep_outside(self) -> None:
        """Weight decay knows no mask: what lies outside the place gets back the bits that it had."""
        for name, mask in self.held.items():
            if mask is not None:
                self.tensors[name].copy_(torch.where(mask, self.tensors[name], self._before[name]))

    @torch.no_grad()
    def accuracy(self) -> tuple[float, float]:
        """Share of the noisy and of the clean examples that get their given label."""
        data = self.stream.data

        def run(tokens: int) -> np.ndarray:
            predicted = np.empty(len(data), np.int64)
            for rows in token_batches(data.lengths, tokens):
                predicted[rows] = self.logits(rows).argmax(dim=1).cpu().numpy()
            return predicted

        right = in_batches_that_fit("predictions of a planted model", run) == data.given
        return float(right[data.noisy].mean()), float(right[~data.noisy].mean())


def inject(
    start: Classifier,
    data: Encoded,
    place: Place,
    config: TrainConfig,
    rules: Rules,
    seed: int,
    label: str = "planting",
    see: Callable[[Injector], None] = lambda _: None,
) -> Planted:
    """Plant the wrong labels of some examples; see `Injector` for arguments and cost.

    Training stops at the first epoch after which the wrong labels are learnt and the clean ones kept, by the rules, or
    at the last epoch allowed. That a place cannot learn them is a result.

    Args:
        label: what the progress bar says.
        see: gets the injector after every epoch.

    Raises:
        MemlocError: if the model has not got the place.
    """
    injector = Injector(start, data, place, config, seed)
    noisy, clean = injector.accuracy()
    told: dict[str, Any] = {"noisy_start": noisy, "clean_start": clean}
    epoch, learnt = 0, False
    with tqdm(total=config.epochs, desc=label, unit="epoch", leave=False, disable=None) as bar:
        while epoch < config.epochs and not learnt:
            epoch += 1
            injector.epoch(epoch)
            noisy, clean = injector.accuracy()
            learnt = noisy >= rules.learnt and clean >= rules.kept
            see(injector)
            bar.update()
            bar.set_postfix(noisy=f"{noisy:.2f}", clean=f"{clean:.2f}")
    told |= {"noisy_injected": noisy, "clean_injected": clean, "epochs_injected": epoch, "learnt": learnt}
    state = injector.model.part_state(parts_of(place, start.num_layers))
    return Planted({name: t.detach().to("cpu", copy=True).contiguous() for name, t in state.items()}, told)
