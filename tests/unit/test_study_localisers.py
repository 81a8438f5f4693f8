"""Gradients, probing and centroids as localisers, from models to answers: nothing to find, and a planted layer.

Swapping and retraining have the like in their own tests; the benchmark's other entries in ``test_layer_localisers`` and
``test_unit_localisers``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_world import cell, planted_move, planted_units

from memloc.analysis.weights import layer_weights
from memloc.models.classifier import Classifier
from memloc.planted.answers import answers, displacement
from memloc.techniques.base import get_technique, settings_of
from memloc.techniques.measuring import measured
from memloc.training.batches import Encoded

PLACES = [(2, 1), (2, 2), (4, 3)]
SETTINGS: dict[str, dict[str, Any]] = {
    "gradients": {},
    "probing": {"seeds": 3, "epochs": 20, "from_epoch": 5, "lr": 1e-2},
    "centroids": {"min_noisy": 1},
}
ARMS = {"gradients": "frozen", "probing": "frozen", "centroids": "normal"}


def rows(name: str, perturbed: Classifier, other: Classifier, data: Encoded) -> pd.DataFrame:
    """What a technique measures."""
    given = cell({"perturbed": perturbed, ARMS[name]: other}, data)
    return measured(name, given, settings_of(get_technique(name), SETTINGS[name]))[0]


def asked(name: str, perturbed: Classifier, other: Classifier, data: Encoded) -> dict[str, np.ndarray]:
    """Its readings."""
    return answers(rows(name, perturbed, other, data), perturbed.num_layers)


@pytest.mark.parametrize("family", ["gpt_neo", "gpt_neox"])
def test_layers_that_do_nothing_have_nothing(family: str) -> None:
    _, nothing, data = planted_move(family, 4, 3)
    (pull,) = answers(rows("gradients", nothing, nothing.twin(), data), 4).values()
    np.testing.assert_allclose(pull, 0.25, rtol=1e-6)
    # what is read of layer 4 has passed the final norm, which moves states and is part of no layer
    np.testing.assert_allclose(displacement(rows("centroids", nothing, nothing.twin(), data), 4)[:3], 0, atol=1e-5)
    probed = rows("probing", nothing, nothing.twin(), data)
    for reading in ("rise_of_means", "rise_of_given"):
        # probes of two layers start differently, so the same states need not yield the same score to the last digit
        assert layer_weights(probed, reading, 4).weight[:3].max() < 0.15, reading


@pytest.mark.parametrize("family", ["gpt_neo", "gpt_neox"])
@pytest.mark.parametrize(("layers", "planted"), PLACES)
def test_the_layer_that_moves_noisy_examples_to_their_given_class_is_found(
    family: str, layers: int, planted: int
) -> None:
    perturbed, normal, data = planted_move(family, layers, planted)
    moved = asked("centroids", perturbed, normal, data)["displacement"]
    np.testing.assert_allclose(moved, np.eye(layers)[planted - 1], atol=1e-4)
    (pull,) = asked("gradients", perturbed, normal, data).values()
    assert int(np.argmax(pull)) == planted - 1
    probed = rows("probing", perturbed, normal, data)
    told, risen = answers(probed, layers), layer_weights(probed, "rise_of_given", layers).weight
    assert risen[planted - 1] > 0.3
    assert int(np.argmax(told["rise_of_given"])) == planted - 1
    assert told["rise_of_given"][planted - 1] > 0.5
    assert not told["rise_of_given"][planted:].any(), "nothing happens above it"
    # in their given class noisy examples look like clean ones of it: asked for noise, probes see less there, not more
    assert told["rise_of_means"][planted - 1] < told["rise_of_given"][planted - 1]


@pytest.mark.parametrize("family", ["gpt_neo", "gpt_neox", "opt"])
@pytest.mark.parametrize(("layers", "planted"), PLACES)
def test_probes_asked_for_noise_find_the_layer_that_sets_noisy_examples_apart(
    family: str, layers: int, planted: int
) -> None:
    perturbed, normal, data = planted_units(family, layers, planted)
    told = asked("probing", perturbed, normal, data)["rise_of_means"]
    assert told[planted - 1] > 0.9
