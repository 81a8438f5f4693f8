"""The summary of swapping, against a model of three layers that can be worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.summary import COLUMNS, shortest_forgetting, swapping_metrics, swapping_summary, training_summary
from memloc.claims import judge_all, load_claims
from memloc.pipeline import CellId
from memloc.publishing.worked import ACCURACY


def rows(accuracy: dict[tuple[int, int], float], clean: float = 0.99) -> pd.DataFrame:
    """Tidy rows of one cell."""
    made = [
        (start, length, group, value if group == "noisy" else clean - 0.01 * (start == 1), n)
        for (start, length), value in accuracy.items()
        for group, n in (("noisy", 20), ("clean", 100))
    ]
    frame = pd.DataFrame(made, columns=["window_start", "window_length", "group", "value", "n"])
    fixed = {"run_key": "k", "task": "trec", "model": "m", "seed": 1, "arm": "perturbed", "technique": "swapping"}
    return frame.assign(**fixed, layer=None, metric="accuracy")


def trace(noisy: float = 0.98) -> pd.DataFrame:
    return pd.DataFrame(
        [(1, "train", "noisy", "accuracy", noisy, 20)], columns=["epoch", "split", "group", "metric", "value", "n"]
    )


def values(frame: pd.DataFrame) -> dict[str, float]:
    single = frame[frame["layer"].isna()]
    return dict(zip(single["metric"], single["value"], strict=True))


def test_every_metric_by_hand() -> None:
    frame = swapping_metrics(rows(dict(ACCURACY)), 3)
    found = values(frame)
    assert found["window_coverage"] == 1
    assert found["acc_clean_min_window"] == pytest.approx(0.98)
    assert found["acc_clean_mean_window"] == pytest.approx(0.985)
    assert found["acc_noisy_single_layer_min"] == pytest.approx(0.4)
    assert found["smallest_window_forgetting_90"] == 2, "layers 2 and 3 leave .1"
    weights = [(0.1 + 0.8 + 1) / 3, (0.6 + 0.85 + 1) / 3, (0.2 + 0.9 + 1) / 3]
    mcog = (weights[0] + 2 * weights[1] + 3 * weights[2]) / sum(weights)
    assert found["mcog"] == pytest.approx(mcog)
    # memory wholly in layer 1: w = (1, 1 + .5 + ..., ...): E rows (1,0,0), (1,.5,0), (1,1,1), so w = (3, 1.5, 1) / 3
    low = (3 + 2 * 1.5 + 3 * 1) / 5.5
    assert found["mcog_attainable_low"] == pytest.approx(low)
    assert found["mcog_attainable_high"] == pytest.approx(4 - low)
    assert found["mcog_relative"] == pytest.approx((mcog - low) / (4 - 2 * low))
    assert found["mcog_centred"] == pytest.approx((mcog - 2) / 3)
    assert frame.loc[frame["metric"] == "layer_weight", "value"].tolist() == pytest.approx(weights)
    assert frame.loc[frame["metric"] == "layer_weight_k1", "value"].tolist() == pytest.approx([0.1, 0.6, 0.2])
    assert frame.loc[frame["metric"] == "layer_weight", "layer"].tolist() == [1, 2, 3]


def test_missing_windows_leave_only_the_coverage() -> None:
    part = {window: value for window, value in ACCURACY.items() if window != (1, 3)}
    assert values(swapping_metrics(rows(part), 3)) == {"window_coverage": pytest.approx(5 / 6)}


def test_shortest_forgetting() -> None:
    windows = [(1, 1), (1, 2), (2, 1)]
    assert shortest_forgetting(windows, np.array([0.5, 0.1, 0.11]), 2) == 2
    assert shortest_forgetting(windows, np.array([0.5, 0.2, 0.3]), 2) == 3, "L + 1 where none forgets"


def test_training_rows_are_what_the_requirements_ask_for() -> None:
    frame = training_summary(trace(0.97), 12)
    assert values(frame) == {"num_layers": 12, "accuracy_noisy": 0.97}
    assert set(frame["technique"]) == {"training"}


def numbers(cells: list[CellId], noisy: float = 0.98) -> SimpleNamespace:
    """What the summary asks for, with the same two tables for each cell."""
    accuracy = {(s, k): 1 - 0.15 * k for s in range(1, 7) for k in range(1, 8 - s)}
    return SimpleNamespace(
        cells=lambda: cells, rows=lambda cell, name: rows(accuracy), trace=lambda cell, arm: trace(noisy)
    )


def test_claims_can_be_judged_by_it() -> None:
    names = ("wic", "rte", "mrpc", "cola", "boolq", "sst2")
    cells = [CellId(task, "minilm-l6", seed) for task in names for seed in (1, 2)]
    summary = swapping_summary(numbers(cells))  # type: ignore[arg-type]
    assert list(summary.columns) == COLUMNS
    assert set(summary["metric"]) <= set(load_claims().settings.metrics)
    verdicts = judge_all(summary).set_index("claim")["verdict"]
    assert verdicts["C04"] == "holds", "no single layer forgets half, and 90 % needs six layers"
    forgotten = swapping_summary(numbers(cells, noisy=0.9))  # type: ignore[arg-type]
    assert judge_all(forgotten).set_index("claim").loc["C04", "verdict"] == "cannot tell", "nothing was memorised"


def test_no_cells_give_an_empty_summary_that_can_be_judged() -> None:
    summary = swapping_summary(numbers([]))  # type: ignore[arg-type]
    assert set(judge_all(summary)["verdict"]) == {"cannot tell"}
