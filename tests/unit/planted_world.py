"""Models in which a known layer, or known feed-forward units, alone make the wrong predictions, by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tiny import CLASSES, classifier, encoded, shake, spec
from torch.nn import functional

from memloc.models.classifier import Classifier, build_classifier
from memloc.techniques.base import Cell
from memloc.techniques.ff_units import outgoing
from memloc.techniques.layerwise import record
from memloc.training.batches import Encoded
from memloc.training.evaluate import predict

HIDDEN, FIRES = 32, 6.0
Planted = tuple[Classifier, Classifier, Encoded]  # with and without what was planted, and the examples


def cell(arms: dict[str, Classifier], data: Encoded, seed: int = 1) -> Cell:
    """What a technique is given, of models at hand."""
    return Cell("key", "task", spec().name, seed, CLASSES, data, lambda arm, memorised=False: arms[arm], tuple(arms))


def labelled(perturbed: Classifier, normal: Classifier, data: Encoded) -> Encoded:
    """The examples with the labels that the two models give: where they differ, the perturbed one's is wrong."""
    given, label = (predict(model, data, data.label).predicted for model in (perturbed, normal))
    noisy = given != label
    assert 3 <= noisy.sum() <= len(data) - 3, f"{noisy.sum()} of {len(data)} noisy: plant more or less"
    return replace(data, label=label, given=given, noisy=noisy)


def planted_layer(family: str, layers: int, number: int, n: int = 60) -> Planted:
    """All that the two models differ in is one layer, by as much as makes some predictions wrong and not all."""
    normal, data = classifier(family, layers), encoded(n)
    for by in (0.05, 0.1, 0.2, 0.4):
        perturbed = shake(normal.twin(), 7, [f"layer.{number}"], by)
        wrong = (predict(perturbed, data, data.label).predicted != predict(normal, data, data.label).predicted).sum()
        if wrong >= n // 10:
            break
    return perturbed, normal, labelled(perturbed, normal, data)


@torch.no_grad()
def planted_units(
    family: str,
    layers: int,
    number: int,
    units: tuple[int, ...] = (5,),
    write: float = 3.0,
    busy: float = 0.0,
    n: int = 24,
) -> Planted:
    """Units of one layer that fire on a third of the examples alone, and then write so much that one class is told.

    Examples are single tokens, fewer than the model is wide, so that such units exist exactly. Without what the units
    write the model is the normal one.

    Args:
        write: how much they write together, in sizes of the layer's input.
        busy: noise in all layers, so that other units have their say too.
    """
    # fresh layers change little, so that no other unit matters much; the head tells classes from the embeddings
    perturbed = shake(build_classifier(spec(family, layers, hidden=HIDDEN), {"main": CLASSES}), 0, ["head.main"], 1.0)
    if busy:
        shake(perturbed, 1, [f"layer.{i}" for i in range(1, layers + 1)], busy)
    data = encoded(n, lengths=(1, 1))
    written, ups = outgoing(perturbed, number), up_projections(perturbed, number)
    written[list(units)] = 0
    normal, label = perturbed.twin().eval(), predict(perturbed, data, data.label).predicted
    size = record(perturbed, *data.tensors(range(n))).inputs[number - 1].norm(dim=-1).mean()
    towards = functional.normalize(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(3)), dim=0)
    set_units(ups, units, torch.ones(n, dtype=torch.bool), seen(perturbed, number, data))
    written[list(units)] = towards * write * size / FIRES / len(units)
    told = predict(perturbed, data, data.label).predicted
    noisy = torch.from_numpy((told != label) & (np.cumsum(told != label) <= n // 3))
    set_units(ups, units, noisy, seen(perturbed, number, data))
    return perturbed.eval(), normal, labelled(perturbed, normal, data)


WRITERS = ("attn.attention.out_proj", "mlp.c_proj", "attention.dense", "mlp.dense_4h_to_h")  # of GPT-Neo and GPT-NeoX


@torch.no_grad()
def planted_move(family: str, layers: int, number: int, n: int = 60, noisy: int = 15) -> Planted:
    """Layers write nothing, so states stay as embedded, but for one: it moves noisy examples to their given class.

    Only families whose layers add to what they are given can be such. Examples are single tokens, those of a class near
    one another; half are of class 0, and of these some have class 1 as their wrong label.
    """
    fresh = build_classifier(spec(family, layers, hidden=2 * HIDDEN), {"main": CLASSES})
    perturbed = shake(fresh, 0, ["head.main"], 1.0)
    for layer in map(perturbed.layer, range(1, layers + 1)):
        for tensor in (t for name, module in layer.named_modules() if name in WRITERS for t in module.parameters()):
            tensor.zero_()
    generator = torch.Generator().manual_seed(1)
    centres = 4 * functional.normalize(torch.randn(2, 2 * HIDDEN, generator=generator), dim=1)
    label = np.arange(n) // (n // 2)
    wrong = np.arange(n) < noisy
    data = Encoded([[3 + i] for i in range(n)], np.arange(n), label, np.where(wrong, 1, label), wrong, pad_id=0)
    embedded = centres[torch.from_numpy(label)] + 0.3 * torch.randn(n, 2 * HIDDEN, generator=generator)
    perturbed.backbone.get_input_embeddings().weight[3 : 3 + n] = embedded
    units = tuple(range(8))
    written = outgoing(perturbed, number)
    normal = perturbed.twin().eval()
    set_units(up_projections(perturbed, number), units, torch.from_numpy(wrong), seen(perturbed, number, data))
    written[list(units)] = (centres[1] - centres[0]) / FIRES / len(units)
    return perturbed.eval(), normal, data


def up_projections(model: Classifier, number: int) -> list[torch.nn.Linear]:
    """The modules that compute a layer's units: one, or two where they are gated."""
    return [model.layer(number).get_submodule(path) for path in model.family.feed_forward[:-1]]  # type: ignore[misc]


def seen(model: Classifier, number: int, data: Encoded) -> torch.Tensor:
    """What a layer's units see of examples of one token, [N, d]."""
    inputs: list[torch.Tensor] = []
    first = up_projections(model, number)[0]
    hook = first.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].reshape(len(data), -1)))
    model(*data.tensors(range(len(data))))
    hook.remove()
    return inputs[0]


def set_units(ups: list[torch.nn.Linear], units: tuple[int, ...], fires: torch.Tensor, inputs: torch.Tensor) -> None:
    """Incoming weights with which the units are ``FIRES`` where ``fires`` [N] holds and about 0 elsewhere."""
    *values, gate = ups  # of gated units the value is 1 everywhere; of others the gate is all there is
    wanted_of = [(value, torch.ones(len(inputs))) for value in values]
    for module, wanted in [*wanted_of, (gate, torch.where(fires, FIRES, -2 * FIRES))]:
        row = torch.linalg.lstsq(inputs.double(), wanted.double()[:, None], driver="gelsd").solution[:, 0].float()
        module.weight[list(units)] = row
        if module.bias is not None:
            module.bias[list(units)] = 0
