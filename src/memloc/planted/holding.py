"""The weights that a place is made of: which tensors of a model may change, and which entries of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.planted.places import Place, drawn_units
from memloc.techniques.ff_units import unit_shape

Holding = dict[str, Tensor | None]  # name as in `Classifier.part_state`: the entries that may change, None for all


def parts_of(place: Place, num_layers: int) -> list[str]:
    """The parts of the model that hold the place."""
    return [f"layer.{number}" for number in place.layers(num_layers)]


def holding(model: Classifier, place: Place, seed: int) -> Holding:
    """What may change: of whole layers all matrices and biases but those of norms; of units their rows and columns.

    A unit is a row of each projection up to it, its entries of their biases, and a column of the projection down.
    Memory: a byte for each entry of the projections, for units alone.

    Raises:
        MemlocError: if the model has not got the place, or its family does not say where units are.
    """
    if place.is_control:
        raise MemlocError("place to inject into", str(place), "layer, band, units or spread; controls are trained")
    if place.kind == "units":
        return _units(model, place, seed)
    return {
        f"layer.{number}/0/{path}.{name}" if path else f"layer.{number}/0/{name}": None
        for number in place.layers(model.num_layers)
        for path, module in model.layer(number).named_modules()
        if not is_norm(module)
        for name, _ in module.named_parameters(recurse=False)
    }


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalises: families bring classes of their own, but all of them say so in their names."""
    return "norm" in type(module).__name__.lower()


def _units(model: Classifier, place: Place, seed: int) -> Holding:
    num_layers, width = unit_shape(model)
    drawn = drawn_units(place, num_layers, width, seed)
    found: Holding = {}
    for number in range(1, num_layers + 1):
        units = drawn[drawn[:, 0] == number, 1]
        if not len(units):
            continue
        *ups, down = model.family.feed_forward
        for path in model.family.feed_forward:
            module = model.layer(number).get_submodule(path)
            for name, tensor in module.named_parameters():
                if path == down and name == "bias":
                    continue  # of the layer, not of a unit
                mask = torch.zeros_like(tensor, dtype=torch.bool)
                # a linear layer keeps [out, in], the one-dimensional convolution of GPT-2 [in, out]
                rows = name == "bias" or (path in ups) == isinstance(module, nn.Linear)
                mask[(units,) if rows else (slice(None), units)] = True
                found[f"layer.{number}/0/{path}.{name}"] = mask
    return found


@torch.no_grad()
def put_back(model: Classifier, start: Mapping[str, Tensor], held: Holding) -> None:
    """Give a place the weights it started from; all other weights stay.

    Args:
        start: tensors by the names of ``Classifier.part_state``; those of the place at least.
    """
    own = model.part_state({name.split("/", 1)[0] for name in held})
    for name, mask in held.items():
        before = start[name].to(own[name])
        own[name].copy_(before if mask is None else torch.where(mask.to(before.device), before, own[name]))
