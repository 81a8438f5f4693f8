"""Formulas against what is counted while the techniques run, and against the techniques' own counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.training import our_training
from tiny import CLASSES, encoded, spec
from torch import Tensor, nn

from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier, build_classifier
from memloc.scale.costs import (
    FORMULAS,
    WORDS,
    Shape,
    cost_of,
    layer_parameters,
    partial_training,
    retrained_windows,
    swapped_layers,
)
from memloc.techniques import retraining
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.training.batches import Encoded

N, LAYERS = 30, 3


def model() -> Classifier:
    return build_classifier(spec("bert", LAYERS), {"main": CLASSES}, head_seed=1).eval()


def counted(models: list[Classifier], run: Callable[[], object]) -> int:
    """Applications while something runs: one forwards, two backwards, for each example and layer."""
    found = 0

    def passed(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal found
        states = output[0] if isinstance(output, tuple) else output
        found += len(states)
        if states.requires_grad:
            states.register_hook(back)

    def back(gradient: Tensor) -> None:
        nonlocal found
        found += 2 * len(gradient)

    layers = [one.layer(n) for one in models for n in range(1, LAYERS + 1)]
    hooks = [layer.register_forward_hook(passed) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    return found


def cell(models: dict[str, Classifier], data: Encoded) -> Cell:
    return Cell("key", "task", "tiny", 1, CLASSES, data, lambda arm, _=False: models[arm], tuple(models))


CASES: list[tuple[str, dict[str, Any]]] = [
    ("swapping", {}),
    ("swapping", {"longest": 1}),
    ("swapping", {"longest": 2}),
    ("gradients", {}),
    ("probing", {"seeds": 1, "epochs": 2, "from_epoch": 1}),
    ("maps", {"members": 2, "epochs": 3, "together": 1}),
]


@pytest.mark.parametrize(("name", "changed"), CASES, ids=str)
def test_formulas_are_what_techniques_apply(name: str, changed: dict[str, Any]) -> None:
    technique, data = get_technique(name), encoded(N)
    how = settings_of(technique, changed)
    models = {arm: model() for arm in ("perturbed", "normal", "pretrained", "frozen")}
    shape = Shape(N, LAYERS, CLASSES, noise=data.noisy.mean())
    found = counted(list(models.values()), lambda: technique.run(cell(models, data), how))
    assert found == cost_of(name, shape, how).applications


def test_centroids_run_three_models_once() -> None:
    models, data = {arm: model() for arm in ("perturbed", "normal")}, encoded(N)
    technique = get_technique("centroids")
    how = settings_of(technique, {"min_noisy": 1})
    found = counted(list(models.values()), lambda: technique.run(cell(models, data), how))
    # modules of the mixtures' exchanged layers are copies, so a third of their passes is seen elsewhere
    assert found <= cost_of("centroids", Shape(N, LAYERS, CLASSES), how).applications == 3 * N * LAYERS
    assert found >= 2 * N * LAYERS


def test_training_is_what_the_loop_applies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    start, data, validation = model(), encoded(N), encoded(9, seed=2)
    config = TrainConfig(epochs=2, batch_size=8)
    monkeypatch.setattr(Classifier, "twin", lambda self: self)
    found = counted([start], lambda: our_training(start, data, validation, config))
    shape = Shape(N, LAYERS, validation=len(validation))
    assert found == cost_of("training", shape, {"epochs": 2, "batch_size": 8}).applications == 2 * (4 * N + 9) * LAYERS


def test_a_step_that_changes_few_layers_goes_back_to_the_lowest() -> None:
    shape, how = Shape(N, 12), {"epochs": 1, "batch_size": 8}
    scored = 12 * N
    assert partial_training(shape, how, 1, 2).applications == (12 + 12 + 2) * N + scored
    assert partial_training(shape, how, 11, 2).applications == (12 + 2 + 2) * N + scored
    assert partial_training(shape, how, 13).applications == 12 * N + scored


@pytest.mark.parametrize("lengths", [None, "all", [1], [1, 3]])
def test_retraining_counts_as_its_progress_bar(lengths: Any) -> None:
    order = retraining.chosen_windows(5, lengths)
    assert retrained_windows(5, lengths) == order
    data = encoded(60)
    noisy, chosen = int(data.noisy.sum()), retraining.split(data, 1)
    how = settings_of(get_technique("retraining"), {"lengths": lengths, "epochs": 4})
    steps = 4 * len(chosen.learnt) * sum(retraining._cost(5, window) for window in order)
    asked = len(chosen.asked) * sum(5 - start + 1 for start, _ in order)
    found = cost_of("retraining", Shape(60, 5, noise=noisy / 60), how)
    assert found.applications == 60 * 5 + steps + asked


def test_swapping_in_the_docstrings_numbers() -> None:
    assert swapped_layers(12) == 376
    assert [swapped_layers(n, 1) for n in (2, 12)] == [2 + 3, 12 + 78]
    assert [swapped_layers(n) for n in (1, 4)] == [2, 4 + 10 + 10]


def test_weights_of_a_layer_are_counted_right() -> None:
    own = model()
    hidden = own.backbone.config.hidden_size  # type: ignore[union-attr]
    assert layer_parameters(hidden) == sum(p.numel() for p in own.layer(1).parameters())


def test_operations_are_two_a_weight_and_token() -> None:
    shape = Shape(10, 2, hidden=8, tokens=5)
    cost = cost_of("swapping", shape, {"tokens": 1024})
    assert cost.flops(shape) == 10 * swapped_layers(2) * 2 * layer_parameters(8) * 5


def test_every_formula_has_its_words_and_strangers_are_refused() -> None:
    assert set(FORMULAS) == set(WORDS)
    with pytest.raises(MemlocError, match="unknown technique with a formula: 'swaping'"):
        cost_of("swaping", Shape(1, 1), {})
    with pytest.raises(MemlocError, match="rows of a shape"):
        Shape(0, 1)


def test_noisy_examples_are_those_of_the_data() -> None:
    noisy = encoded(N).noisy
    assert Shape(N, 1, noise=float(np.mean(noisy))).noisy == noisy.sum()
