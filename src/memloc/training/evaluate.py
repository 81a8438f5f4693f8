"""Predictions of a classifier over a split, and the scores a trace records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from memloc.memory import with_less
from memloc.models.classifier import Classifier
from memloc.training.batches import Encoded, token_batches

EVALUATION_TOKENS = 4096
_fits: dict[str, Any] = {"tokens": EVALUATION_TOKENS}  # what fitted last: to try more again would only fail again

T = TypeVar("T")


@dataclass
class Predictions:
    """Of N examples: predicted class int64 [N] and cross-entropy of the labels asked about, float64 [N]."""

    predicted: np.ndarray
    loss: np.ndarray


def in_batches_that_fit(what: str, run: Callable[[int], T]) -> T:
    """Run something that learns nothing on batches of so many tokens; where memory runs out, on half as many.

    What fitted is kept for the rest of the process. Results do not depend on it.

    Raises:
        MemlocError: if a batch of the smallest size does not fit.
    """
    found, fitted = with_less(what, lambda settings: run(settings["tokens"]), _fits)
    _fits.update(fitted)
    return found


@torch.inference_mode()
def predict(
    model: Classifier, data: Encoded, labels: np.ndarray, pooling: str = "token", head: str = "main"
) -> Predictions:
    """Run every example once in evaluation mode; batches of similar length, at most 4,096 tokens each."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    target = torch.tensor(labels)

    def run(tokens: int) -> Predictions:
        predicted, loss = np.empty(len(data), np.int64), np.empty(len(data))
        for rows in token_batches(data.lengths, tokens):
            ids, mask = data.tensors(rows, device)
            logits = model(ids, mask, head, pooling).float().cpu()
            predicted[rows] = logits.argmax(dim=1).numpy()
            loss[rows] = functional.cross_entropy(logits, target[rows], reduction="none").numpy()
        return Predictions(predicted, loss)

    try:
        return in_batches_that_fit("predictions", run)
    finally:
        model.train(was_training)


@torch.inference_mode()
def predict_pooled(model: Classifier, pooled: Tensor, labels: np.ndarray, head: str = "main") -> Predictions:
    """The same from stored states of the classified token [N, d]: one matrix product."""
    was_training = model.training
    logits = model.eval().classify(pooled, head).float().cpu()
    model.train(was_training)
    loss = functional.cross_entropy(logits, torch.tensor(labels), reduction="none")
    return Predictions(logits.argmax(dim=1).numpy(), loss.numpy().astype(float))


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes that occur in either; 0 for a class never predicted rightly."""
    classes = np.union1d(true, predicted)
    hits = np.array([np.sum((true == c) & (predicted == c)) for c in classes])
    sizes = np.array([np.sum(true == c) + np.sum(predicted == c) for c in classes])
    return float(np.mean(2 * hits / sizes)) if len(classes) else 0.0


def scores(split: str, data: Encoded, given: np.ndarray, got: Predictions) -> pd.DataFrame:
    """Trace rows of one evaluation: accuracy, macro-F1 and loss on the arm's labels, accuracy on the original ones.

    Args:
        split: ``train`` or ``validation``.
        given: the labels of the arm (perturbed or not) int64 [N]; the loss is theirs too.
    """
    groups = {"all": np.ones(len(data), bool), "noisy": data.noisy, "clean": ~data.noisy}
    rows = []
    for group, chosen in groups.items():
        n = int(chosen.sum())
        if n == 0 or (split != "train" and group != "all"):
            continue
        predicted, labels = got.predicted[chosen], given[chosen]
        for metric, value in (
            ("accuracy", np.mean(predicted == labels)),
            ("accuracy_original", np.mean(predicted == data.label[chosen])),
            ("macro_f1", macro_f1(labels, predicted)),
            ("loss", np.mean(got.loss[chosen])),
        ):
            rows.append({"split": split, "group": group, "metric": metric, "value": float(value), "n": n})
    return pd.DataFrame(rows)
