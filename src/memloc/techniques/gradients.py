"""Forgetting gradients (method 3.3): which layers would have to move for the wrong labels to lose their hold?

The objective is minus the logit of the given label (or minus its log-probability), its gradient a mean over a group of
training examples. What noisy examples pull at beyond what any example pulls at is the difference of two such means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.training.batches import Encoded, derived_seed, token_batches

OBJECTIVES = ("logit", "nll")
Place = tuple[int, str]  # layer (from 1) and name of a parameter in it


@register_technique
class ForgettingGradients:
    """Norms of the mean gradients of noisy examples, of as many clean ones, and of their difference, layer by layer.

    The perturbed arm is read where it first had memorised its labels, the frozen arm (its body is the pre-trained one)
    at its last epoch; both see the same two groups.
    """

    name: ClassVar[str] = "gradients"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed",)
    optional: ClassVar[tuple[str, ...]] = ("frozen",)
    defaults: ClassVar[Mapping[str, Any]] = {"tokens": 512}

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        noisy, clean = groups(cell.train, cell.seed)
        found = []
        for arm in ("perturbed", "frozen"):
            if arm not in cell.arms:
                continue
            model = cell.load(arm, True) if arm == "perturbed" else cell.load(arm)
            check_finite(model, arm)
            label = f"gradients {cell.task} {cell.model} {cell.seed} {arm}"
            pulls = [
                mean_gradients(model, cell.train, rows, OBJECTIVES, settings["tokens"], cell.pooling, label)
                for rows in (noisy, clean)
            ]
            found += [norms(objective, *(p[objective] for p in pulls)).assign(arm=arm) for objective in OBJECTIVES]
            del model, pulls  # one arm at a time in memory
        return summarise(pd.concat(found, ignore_index=True), len(noisy))


def groups(data: Encoded, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of all noisy examples and of as many clean ones (all of these where there are fewer), both sorted.

    Args:
        seed: the model seed; the clean examples are drawn with it.

    Raises:
        MemlocError: if one of the groups is empty.
    """
    noisy, clean = np.flatnonzero(data.noisy), np.flatnonzero(~data.noisy)
    for name, rows in (("noisy", noisy), ("clean", clean)):
        if not len(rows):
            raise MemlocError(f"{name} training examples", 0, "one at least")
    rng = np.random.default_rng(derived_seed("gradients", "clean group", seed))
    return noisy, np.sort(rng.choice(clean, min(len(noisy), len(clean)), replace=False))


def objective_sum(logits: Tensor, given: Tensor, objective: str) -> Tensor:
    """What is differentiated, summed over a batch: logits [B, C] and given labels [B] to a number.

    Raises:
        MemlocError: for an unknown objective.
    """
    if objective == "logit":
        return -logits.gather(1, given[:, None]).sum()
    if objective == "nll":
        return functional.cross_entropy(logits, given, reduction="sum")
    raise MemlocError("objective of gradients", objective, OBJECTIVES)


def layer_parameters(model: Classifier) -> dict[Place, torch.nn.Parameter]:
    """The parameters of layers 1..L; embeddings, final norm and heads belong to no layer."""
    return {(n, name): p for n in range(1, model.num_layers + 1) for name, p in model.layer(n).named_parameters()}


def mean_gradients(
    model: Classifier,
    data: Encoded,
    rows: np.ndarray,
    objectives: Sequence[str] = OBJECTIVES,
    tokens: int = 512,
    pooling: str = "token",
    label: str = "gradients",
) -> dict[str, dict[Place, Tensor]]:
    """Mean gradient of each objective over some examples, for every parameter of every layer.

    The mean of gradients is the gradient of the sum, divided: so one backward pass serves a whole batch of examples of
    similar length, and both objectives share the forward pass. Nothing is differentiated below layer 1.

    Cost: one forward pass and one backward pass an objective of ``len(rows)`` examples, so linear in rows and in L.
    Memory: an array of all layers' parameters for each objective and one for the batch at hand, beside the activations
    of ``tokens`` tokens, whatever N.

    Args:
        model: in evaluation mode; it is left as it was.
        rows: row numbers of the group in ``data``.
        tokens: padded tokens of a batch.

    Returns:
        By objective and place, on the model's device.

    Raises:
        MemlocError: if a gradient is not finite, naming the tensor.
    """
    parameters = layer_parameters(model)
    tensors = list(parameters.values())
    sums = {objective: [torch.zeros_like(p) for p in tensors] for objective in objectives}
    device = tensors[0].device
    given = torch.tensor(data.given, device=device)
    with (
        differentiating(model, tensors),
        tqdm(total=len(rows), desc=label, unit="example", leave=False, disable=None) as bar,
    ):
        for batch in token_batches(data.lengths[rows], tokens):
            chosen = rows[batch]
            logits = model(*data.tensors(chosen, device), pooling=pooling)
            for objective in objectives:
                value = objective_sum(logits, given[torch.from_numpy(chosen).to(device)], objective)
                # not .backward(): a batch that runs out of memory half-way must leave the sums as they were
                new = torch.autograd.grad(
                    value, tensors, retain_graph=objective != objectives[-1], allow_unused=True, materialize_grads=True
                )
                torch._foreach_add_(sums[objective], new)
                del new
            bar.update(len(chosen))
    for gradients in sums.values():
        torch._foreach_div_(gradients, len(rows))
    found = {objective: dict(zip(parameters, gradients, strict=True)) for objective, gradients in sums.items()}
    for objective, means in found.items():
        _check_all_finite({f"layer.{n} {name}": g for (n, name), g in means.items()}, f"{objective} gradient of")
    return found


@contextmanager
def differentiating(model: Classifier, tensors: list[torch.nn.Parameter]) -> Iterator[None]:
    """Evaluation mode, gradients of these tensors alone; afterwards the model is as before."""
    learning, training = [p for p in model.parameters() if p.requires_grad], model.training
    try:
        model.eval().requires_grad_(False)
        for tensor in tensors:
            tensor.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        model.requires_grad_(False).train(training)
        for parameter in learning:
            parameter.requires_grad_(True)


def check_finite(model: Classifier, arm: str) -> None:
    """Weights that are no numbers would make every layer's norm NaN: name the first such tensor instead.

    Raises:
        MemlocError: naming arm, part and tensor.
    """
    _check_all_finite(model.part_state(model.parts()), f"{arm} arm:")


def _check_all_finite(tensors: Mapping[str, Tensor], what: str) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise MemlocError(f"{what} {name}", "NaN or infinite values", "finite numbers")


def norms(objective: str, noisy: Mapping[Place, Tensor], clean: Mapping[Place, Tensor]) -> pd.DataFrame:
    """L1 and L2 norms of two mean gradients and of their difference, one row per tensor and norm.

    Returns:
        Columns layer, tensor, metric (``<objective>_<l1|l2>_<difference|noisy|clean>``) and value.
    """
    rows = []
    for (layer, tensor), gradient in noisy.items():
        other = clean[layer, tensor]
        for of, values in (("difference", gradient - other), ("noisy", gradient), ("clean", other)):
            for order in (1, 2):
                value = float(torch.linalg.vector_norm(values.double(), order))
                rows.append((layer, tensor, f"{objective}_l{order}_{of}", value))
    return pd.DataFrame(rows, columns=["layer", "tensor", "metric", "value"])


def summarise(tensors: pd.DataFrame, n: int) -> Result:
    """Rows and details from the norms of all tensors: a layer's value is the sum over its tensors.

    Args:
        tensors: columns arm, layer, tensor, metric, value.
        n: number of noisy examples.
    """
    tensors = tensors.assign(n=n)
    rows = tensors.groupby(["arm", "metric", "layer"], as_index=False, sort=False)["value"].sum().assign(n=n)
    return Result(rows, {"tensors": tensors})
