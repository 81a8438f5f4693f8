"""Out of memory in a run: what learns nothing goes on with less, to the same bytes; training says what to lower."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_pipeline import CELL, experiment, files, run_profile
from tiny import classifier, encoded

from memloc.memory import told_what_to_lower
from memloc.models.classifier import Classifier
from memloc.techniques import swapping
from memloc.training import evaluate
from memloc.training.cached import final_states
from memloc.training.evaluate import predict
from memloc.training.loop import Trainer

NO_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB\nmore that nobody needs to read"


@pytest.fixture(autouse=True)
def nothing_was_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test found to fit must not reach another."""
    monkeypatch.setattr(evaluate, "_fits", {"tokens": evaluate.EVALUATION_TOKENS})


def short(of: Callable[..., Any], tokens: int) -> Callable[..., Any]:
    """A function that lacks memory where its third or fourth argument, the tokens, is above a number."""

    def run(*given: Any) -> Any:
        if given[3] > tokens:
            raise RuntimeError(NO_MEMORY)
        return of(*given)

    return run


def test_a_technique_goes_on_with_less_and_the_same_bytes_under_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_profile(experiment(tmp_path / "enough"))
    monkeypatch.setattr(swapping, "swap_predictions", short(swapping.swap_predictions, 256))
    with caplog.at_level(logging.WARNING):
        runs = run_profile(experiment(tmp_path / "short"))
    assert [run.error for run in runs] == [""]
    assert files(tmp_path / "short") == files(tmp_path / "enough")
    said = [record.getMessage() for record in caplog.records if "ran out of memory" in record.getMessage()]
    assert [line.split("with ")[1] for line in said] == ["tokens 512 instead of 1024", "tokens 256 instead of 512"]
    assert all(line.startswith(f"swapping of {CELL} ran") for line in said)
    noted = [experiment(tmp_path / home).rows(CELL, "swapping").sidecar.get("tokens") for home in ("enough", "short")]
    assert noted == [None, 256], "the sidecar, which is in no key, tells what was had"


def test_where_nothing_fits_the_cell_fails_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "swap_predictions", short(swapping.swap_predictions, 0))
    (run,) = run_profile(experiment(tmp_path))
    assert f"memory for swapping of {CELL}: 'CUDA out of memory" in run.error
    assert "accepted: a device with more memory, or shorter texts" in run.error


def test_training_keeps_its_batch_size_and_says_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def step(self: Trainer, rows: np.ndarray) -> None:
        sizes.append(len(rows))
        raise RuntimeError(NO_MEMORY)

    monkeypatch.setattr(Trainer, "step", step)
    (run,) = run_profile(experiment(tmp_path))
    assert len(sizes) == 1, "it is not tried again with less"
    assert f"memory for training {CELL} perturbed" in run.error
    assert "a lower training.batch_size or training.max_length" in run.error
    assert "nobody needs to read" not in run.error


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"), told_what_to_lower("training", "batch_size"):
        raise RuntimeError("shape")


def test_scoring_goes_on_in_batches_that_fit_and_remembers_them(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = classifier(), encoded(n=30)
    expected, states = predict(model, data, data.given), final_states(model, data)
    tried: list[int] = []
    hidden = Classifier.hidden

    def limited(self: Classifier, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tried.append(ids.numel())
        if ids.numel() > 70:
            raise RuntimeError(NO_MEMORY)
        return hidden(self, ids, mask)

    monkeypatch.setattr(Classifier, "hidden", limited)
    model.train()
    found = predict(model, data, data.given)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-5)
    assert model.training, "the mode is put back"
    assert max(tried) > 70
    tried.clear()
    torch.testing.assert_close(final_states(model, data), states, rtol=1e-5, atol=1e-6)
    assert max(tried) <= 70, "what did not fit is not tried again"
