"""Predictions and scores against scikit-learn and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from tiny import classifier, encoded
from torch.nn import functional

from memloc.training.evaluate import macro_f1, predict, scores


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 4, 30), rng.integers(0, 5, 30)
    assert macro_f1(true, predicted) == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0))


def test_macro_f1_counts_a_class_that_is_never_right_as_nought() -> None:
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 0])) == pytest.approx((0.8 + 0) / 2)
    assert macro_f1(np.array([], int), np.array([], int)) == 0.0


@pytest.mark.parametrize("family", ["bert", "gpt_neo"])
def test_predictions_equal_one_example_at_a_time(family: str) -> None:
    model, data = classifier(family), encoded(n=9)
    model.train()
    got = predict(model, data, data.given)
    assert model.training, "the mode is as it was"
    model.eval()
    for row in range(9):
        with torch.inference_mode():
            logits = model(*data.tensors([row]))
        assert got.predicted[row] == logits.argmax().item()
        loss = functional.cross_entropy(logits, torch.tensor(data.given[[row]])).item()
        assert got.loss[row] == pytest.approx(loss, abs=1e-4)


def test_scores_by_group() -> None:
    data = encoded(n=9)
    model = classifier()
    got = predict(model, data, data.given)
    got.predicted = data.label.copy()  # a model that knows the truth
    table = scores("train", data, data.given, got).set_index(["group", "metric"])
    assert table["value"]["noisy", "accuracy"] == 0
    assert table["value"]["clean", "accuracy"] == table["value"]["noisy", "accuracy_original"] == 1
    assert table["value"]["all", "accuracy"] == pytest.approx(6 / 9)
    assert table["value"]["noisy", "loss"] == pytest.approx(got.loss[data.noisy].mean())
    assert table["value"]["all", "macro_f1"] == pytest.approx(f1_score(data.given, data.label, average="macro"))
    assert table["n"].xs("accuracy", level="metric").to_dict() == {"all": 9, "noisy": 3, "clean": 6}
    assert set(scores("validation", data, data.label, got)["group"]) == {"all"}
