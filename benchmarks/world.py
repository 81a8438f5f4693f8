"""What benchmarks measure on: four arms of one model and some examples. Time does not depend on what was learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.models.classifier import Classifier, build_classifier
from memloc.pipeline import CellId, Experiment
from memloc.profiles import load_profile
from memloc.training.batches import Encoded, derived_seed

NOISE = 0.02  # standard deviation of what makes an arm differ from the start


@dataclass(frozen=True)
class World:
    """Four arms of one model (the untrained start and three copies with seeded noise in their layers) and N examples.

    Attributes:
        perturbed, normal, pretrained, frozen: the arms, in evaluation mode on ``device``.
        data: the examples; about 15 % of them are marked noisy, whatever their text.
        classes: number of classes C.
    """

    perturbed: Classifier
    normal: Classifier
    pretrained: Classifier
    frozen: Classifier
    data: Encoded
    classes: int
    device: torch.device


@dataclass(frozen=True)
class Shape:
    """What a benchmark's world is made of.

    Attributes:
        model: a name of the catalogue.
        layers: keep only the first ones; 0 keeps all.
        hidden: width of a model with random weights; 0 keeps its own.
        task, source: whose texts; tasks of the ``generated`` source need no data.
        rows: number of examples N.
        classes: number of classes C; labels are drawn anew where the task has another number. 0: the task's own.
    """

    model: str = "tiny-bert"
    layers: int = 0
    hidden: int = 0
    task: str = "gen-comp-2a"
    source: str = "generated"
    rows: int = 600
    classes: int = 0


def build(shape: Shape, device: torch.device, data_dir: Path | None = None) -> World:
    """The world of a shape; the same shape gives the same world.

    Raises:
        MemlocError: for an unknown model or task, a source that cannot be read, or a width that cannot be had.
    """
    profile = load_profile("mini").narrowed([shape.task], [shape.model], [1], shape.source)
    profile = profile.with_data(cap=0)
    experiment = Experiment(profile, device=str(device), data_dir=data_dir)
    data = experiment.encoded(CellId(shape.task, shape.model, 1), "train")
    classes = shape.classes or int(data.given.max()) + 1
    data = _sample(data, shape.rows, classes)
    spec = get_model(shape.model)
    if shape.hidden:
        if spec.source != "builtin":
            raise MemlocError("hidden", shape.hidden, f"0: {shape.model} has weights of one width")
        spec = replace(spec, hidden=shape.hidden)
    start = build_classifier(spec, {"main": classes}, head_seed=1).eval()
    if shape.layers:
        del start.backbone.get_submodule(start.family.layers)[shape.layers :]  # type: ignore[operator]
    start = start.to(device)
    arms = [changed(start, name) for name in ("perturbed", "normal", "frozen")]
    return World(arms[0], arms[1], start, arms[2], data, classes, device)


def _sample(data: Encoded, rows: int, classes: int) -> Encoded:
    """The first ``rows`` of a seeded order, repeated where there are fewer, with labels for that many classes."""
    rng = np.random.default_rng(derived_seed("benchmark", rows, classes))
    order = np.resize(rng.permutation(len(data)), rows)
    label = data.label[order] if classes == data.given.max() + 1 else rng.integers(classes, size=rows)
    noisy = rng.random(rows) < 0.15
    given = np.where(noisy, (label + rng.integers(1, classes, size=rows)) % classes, label)
    return Encoded([data.ids[i] for i in order], np.arange(rows), label, given, noisy, data.pad_id)


@torch.no_grad()
def changed(start: Classifier, name: str) -> Classifier:
    """A copy of the start as an arm: with seeded noise in its layers, except for the frozen and the untrained arm."""
    model = start.twin()
    generator = torch.Generator().manual_seed(derived_seed("benchmark", name))
    for number in range(1, model.num_layers + 1) if name not in ("frozen", "pretrained") else ():
        for parameter in model.layer(number).parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.add_(noise * NOISE)
    return model.eval()
