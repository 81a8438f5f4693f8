"""The summary, against models of three layers that can be worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.summary import (
    COLUMNS,
    normalised_score,
    shortest_forgetting,
    summary,
    technique_metrics,
    training_summary,
)
from memloc.claims import judge_all, load_claims
from memloc.errors import MemlocError
from memloc.pipeline import CellId
from memloc.publishing.worked import ACCURACY
from memloc.released import Release
from memloc.techniques.swapping import windows
from memloc.training.evaluate import macro_f1


def rows(accuracy: dict[tuple[int, int], float], clean: float = 0.99, technique: str = "swapping") -> pd.DataFrame:
    """Tidy rows of one cell."""
    made = [
        (start, length, group, value if group == "noisy" else clean - 0.01 * (start == 1), n)
        for (start, length), value in accuracy.items()
        for group, n in (("noisy", 20), ("clean", 100))
    ]
    frame = pd.DataFrame(made, columns=["window_start", "window_length", "group", "value", "n"])
    fixed = {"run_key": "k", "task": "trec", "model": "m", "seed": 1, "arm": "perturbed"}
    return frame.assign(**fixed, technique=technique, layer=None, metric="accuracy")


def trace(noisy: float = 0.98) -> pd.DataFrame:
    return pd.DataFrame(
        [(1, "train", "noisy", "accuracy", noisy, 20)], columns=["epoch", "split", "group", "metric", "value", "n"]
    )


def values(frame: pd.DataFrame) -> dict[str, float]:
    single = frame[frame["layer"].isna()]
    return dict(zip(single["metric"], single["value"], strict=True))


def test_every_metric_by_hand() -> None:
    frame = technique_metrics(rows(dict(ACCURACY)), 3)
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
    assert values(technique_metrics(rows(part), 3)) == {"window_coverage": pytest.approx(5 / 6)}


def test_shortest_forgetting() -> None:
    windows = [(1, 1), (1, 2), (2, 1)]
    assert shortest_forgetting(windows, np.array([0.5, 0.1, 0.11]), 2) == 2
    assert shortest_forgetting(windows, np.array([0.5, 0.2, 0.3]), 2) == 3, "L + 1 where none forgets"


def test_training_rows_are_what_the_requirements_ask_for() -> None:
    frame = training_summary(trace(0.97), 12)
    assert values(frame) == {"num_layers": 12, "accuracy_noisy": 0.97}
    assert set(frame["technique"]) == {"training"}


def layer_rows(technique: str, curves: dict[tuple[str, str, str | None], list[float]], first: int = 1) -> pd.DataFrame:
    """Rows of one cell by (arm, metric, group)."""
    made = [
        (arm, metric, group, first + place, value)
        for (arm, metric, group), values in curves.items()
        for place, value in enumerate(values)
    ]
    frame = pd.DataFrame(made, columns=["arm", "metric", "group", "layer", "value"])
    return frame.assign(technique=technique, run_key=technique, task="trec", model="m", seed=1, n=20)


def test_retraining_is_summed_up_with_all_and_with_chosen_window_lengths() -> None:
    frame = technique_metrics(rows(dict(ACCURACY), technique="retraining"), 3)
    found, low = values(frame), (3 + 2 * 1.5 + 3 * 1) / 5.5
    assert found["window_coverage"] == 1
    assert found["mcog_attainable_low"] == pytest.approx(low)
    assert "acc_clean_min_window" not in found, "a metric of swapping"
    floor = ACCURACY[1, 3]
    single = [1 - (ACCURACY[layer, 1] - floor) / (1 - floor) for layer in (1, 2, 3)]
    assert frame.loc[frame["metric"] == "layer_weight_k1", "value"].tolist() == pytest.approx(single)
    part = {window: value for window, value in ACCURACY.items() if window[1] != 2}
    chosen = values(technique_metrics(rows(part, technique="retraining"), 3))
    assert chosen["window_coverage"] == pytest.approx(4 / 6)
    assert chosen["mcog_attainable_low"] == pytest.approx((2 + 2 * 1 + 3 * 1) / 4), "w = (2, 1, 1) / 2"


GRADIENTS = {
    ("perturbed", "logit_l1_difference", None): [3.0, 4, 2],
    ("frozen", "logit_l1_difference", None): [1.0, 2, 2],
}
PROBING = {
    ("perturbed", "f1_noise", None): [0.0, 0.1, 0.4, 0.8],
    ("perturbed", "f1_given", "noisy"): [0.0, 0.1, 0.3, 0.9],
    ("perturbed", "f1_original", "noisy"): [0.0, 0.5, 0.5, 0.1],
    ("perturbed", "f1_original", "clean"): [0.0, 0.5, 0.7, 0.7],
    ("perturbed", "f1_original_shuffled", "clean"): [0.2, 0.2, 0.2, 0.2],
}
CENTROIDS = {
    ("perturbed", "noisy_mean", "noisy"): [0.9, 0.6, 0.1],
    ("perturbed", "given_p87.5", "clean"): [0.9, 0.2, 0.1],
    ("perturbed", "original_p12.5", "clean"): [0.1, 0.8, 0.9],
    ("upper_from_normal", "noisy_mean", "noisy"): [0.9, 0.6, 0.2],
    ("lower_from_normal", "noisy_mean", "noisy"): [0.9, 0.9, 0.8],
}


def maps_rows(value: float = 0.6) -> pd.DataFrame:
    frame = layer_rows("maps", {("perturbed", "generalisation_mean", g): [value] for g in ("clean", "noisy", "all")})
    return frame.assign(layer=None)


def test_gradients_and_probing_by_hand() -> None:
    gradients = values(technique_metrics(layer_rows("gradients", GRADIENTS), 3))
    assert gradients["mcog"] == pytest.approx((3 + 2 * 2 + 3 * 1) / 6)
    assert (gradients["mcog_attainable_low"], gradients["mcog_attainable_high"]) == (1, 3)
    assert gradients["mcog_relative"] == pytest.approx((10 / 6 - 1) / 2)
    assert gradients["mcog_centred"] == pytest.approx((10 / 6 - 2) / 3)
    probing = values(technique_metrics(layer_rows("probing", PROBING, first=0), 3))
    assert probing["mcog"] == pytest.approx((0.1 + 2 * 0.3 + 3 * 0.4) / 0.8)
    assert (probing["probing_memorisation"], probing["probing_initiation"]) == (3, 2)


def test_centroids_and_maps_by_hand() -> None:
    found = values(technique_metrics(layer_rows("centroids", CENTROIDS), 3))
    assert (found["crossing"], found["initiation"]) == (3, 2)
    assert found["noisy_end_position_lower_from_normal"] == 0.8
    gone = technique_metrics(layer_rows("centroids", CENTROIDS).query("layer != 1"), 3)
    assert np.isnan(values(gone)["crossing"]), "a layer at which no example has a position"
    assert values(technique_metrics(maps_rows(), 3)) == {"generalisation_score": 0.6}
    with pytest.raises(MemlocError, match="generalisation_mean of clean"):
        technique_metrics(maps_rows().query("group != 'clean'"), 3)


def test_a_technique_of_ones_own_counts_if_it_weighs_layers() -> None:
    found = values(technique_metrics(layer_rows("mine", {("perturbed", "layer_weight", None): [1, 0, 3]}), 3))
    assert found["mcog"] == pytest.approx(2.5)
    assert technique_metrics(layer_rows("mine", {("perturbed", "anything", None): [1]}), 3).empty


def test_rows_of_fewer_layers_than_the_model_has_are_refused() -> None:
    with pytest.raises(MemlocError, match="rows of all 4 layers"):
        technique_metrics(layer_rows("gradients", GRADIENTS), 4)


def test_the_validation_score_is_rescaled_by_that_of_shuffled_labels() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    shuffled = np.mean([macro_f1(labels, rng.permutation(labels)) for _ in range(2000)])
    assert shuffled == pytest.approx(1 / 3, abs=0.005), "whatever the sizes of the classes"
    assert normalised_score(1 / 3, 3) == pytest.approx(0)
    assert normalised_score(1, 3) == pytest.approx(1)
    assert np.isnan(normalised_score(1, 1))
    judged = pd.DataFrame([(1, "validation", "all", "macro_f1", 0.75, 50)], columns=trace().columns)
    found = values(training_summary(pd.concat([trace(), judged]), 12, classes=2))
    assert found["validation_score_normalised"] == pytest.approx(0.5)
    assert "validation_score_normalised" not in values(training_summary(trace(), 12, classes=2))


def numbers(cells: list[CellId], noisy: float = 0.98, more: dict[str, pd.DataFrame] | None = None) -> SimpleNamespace:
    """What the summary asks for, with the same tables for each cell."""
    accuracy = {(s, k): 1 - 0.15 * k for s in range(1, 7) for k in range(1, 8 - s)}
    tables = {"swapping": rows(accuracy)} | (more or {})
    return SimpleNamespace(
        profile=SimpleNamespace(techniques=tables, control=None),
        cells=lambda: cells,
        settings=lambda cell: ("main",),
        classes=lambda cell: 6,
        rows=lambda cell, name, setting="main": tables[name],
        trace=lambda cell, arm: trace(noisy),
    )


def test_claims_can_be_judged_by_it() -> None:
    names = ("wic", "rte", "mrpc", "cola", "boolq", "sst2")
    cells = [CellId(task, "minilm-l6", seed) for task in names for seed in (1, 2)]
    found = summary(numbers(cells))  # type: ignore[arg-type]
    assert list(found.columns) == COLUMNS
    assert set(found["metric"]) <= set(load_claims().settings.metrics)
    verdicts = judge_all(found).set_index("claim")["verdict"]
    assert verdicts["C04"] == "holds", "no single layer forgets half, and 90 % needs six layers"
    forgotten = summary(numbers(cells, noisy=0.9))  # type: ignore[arg-type]
    assert judge_all(forgotten).set_index("claim").loc["C04", "verdict"] == "cannot tell", "nothing was memorised"


def test_every_technique_is_in_it_under_its_own_key_or_those_asked_for() -> None:
    six = {(s, k): 1 - 0.1 * k for s in range(1, 7) for k in range(1, 8 - s)}
    more = {
        "retraining": rows(six, technique="retraining"),
        "gradients": layer_rows("gradients", {key: [*v, *v] for key, v in GRADIENTS.items()}),
        "centroids": layer_rows("centroids", {key: [*v, 0, 0, 0] for key, v in CENTROIDS.items()}),
        "maps": maps_rows(),
    }
    cell = CellId("trec", "minilm-l6", 1)
    found = summary(numbers([cell], more=more))  # type: ignore[arg-type]
    assert set(found["technique"]) == {"training", "swapping", *more}
    assert found.groupby("technique")["run"].first()[["training", "swapping", "maps"]].tolist() == ["k", "k", "maps"]
    assert set(found["metric"]) <= set(load_claims().settings.metrics)
    assert set(judge_all(found)["verdict"]) == {"cannot tell"}, "one task is not enough"
    only = summary(numbers([cell], more=more), techniques=["maps"])  # type: ignore[arg-type]
    assert set(only["technique"]) == {"training", "maps"}


def control_numbers(retraining: dict[str, float]) -> SimpleNamespace:
    """Control settings of a model with six layers: swapping finds the first two places, retraining none."""
    top = {"control_first": 2, "control_middle": 3, "control_last": 1}

    def of(cell: CellId, name: str, setting: str = "main") -> pd.DataFrame:
        layer = top.get(setting, 1)
        spared = {(s, k): 0.5 if s <= layer < s + k else 1.0 for s, k in windows(6)}
        if name == "retraining":
            spared = dict.fromkeys(windows(6), retraining[setting])
        arm = "perturbed" if setting == "main" else setting
        return rows(spared, technique=name).assign(arm=arm, run_key=f"{name} {setting}")

    found = numbers([CellId("wic", "minilm-l6", 1)])
    found.profile = SimpleNamespace(
        techniques=("swapping", "retraining", "maps"),
        control=SimpleNamespace(techniques=("swapping", "retraining", "maps")),
    )
    found.settings = lambda cell: ("main", *top)
    found.rows = lambda cell, name, setting="main": maps_rows() if name == "maps" else of(cell, name, setting)
    found.trace = lambda cell, arm: trace({"control_middle": 0.96}.get(arm, 0.99))
    return found


def test_control_settings_are_scored_and_their_lowest_accuracy_told() -> None:
    retraining = {"main": 1.0, "control_first": 0.5, "control_middle": 0.5, "control_last": 0.5}
    found = summary(control_numbers(retraining)).set_index(["technique", "metric"])  # type: ignore[arg-type]
    assert found.loc[("swapping", "accuracy_at_1"), "value"] == pytest.approx(2 / 3)
    assert found.loc[("swapping", "accuracy_at_1"), "run"] == "swapping control_first"
    assert found.loc[("training", "control_accuracy_noisy"), "value"] == 0.96
    assert found.loc[("training", "accuracy_noisy"), "value"] == 0.99
    assert found.loc[("retraining", "accuracy_at_1"), "value"] == pytest.approx(1 / 3), "alike weights: a random layer"
    assert ("maps", "accuracy_at_1") not in found.index
    flat = summary(control_numbers(retraining | {"control_last": 1.0}))  # type: ignore[arg-type]
    assert np.isnan(flat.set_index(["technique", "metric"]).loc[("retraining", "accuracy_at_2"), "value"])
    assert set(judge_all(flat)["verdict"]) == {"cannot tell"}


def test_a_released_run_tells_its_settings_apart() -> None:
    cell = CellId("wic", "minilm-l6", 1)
    made = control_numbers(dict.fromkeys(("main", "control_first", "control_middle", "control_last"), 0.5))
    parts = [made.rows(cell, "swapping", setting) for setting in made.settings(cell)]
    frozen = [part.assign(arm="frozen") for part in parts]  # called the same in every setting
    table = pd.concat([*parts, *frozen], ignore_index=True).assign(**cell._asdict())
    release = Release(made.profile, {"cells": [cell._asdict()]}, {"rows.parquet": table})
    assert release.settings(cell) == made.settings(cell)
    for setting in made.settings(cell):
        found = release.rows(cell, "swapping", setting)
        assert len(found) == 2 * len(parts[0])
        assert set(found["run_key"]) == {f"swapping {setting}"}
    with pytest.raises(MemlocError, match="setting of swapping in the released run: 'control_fist'"):
        release.rows(cell, "swapping", "control_fist")


def test_no_cells_give_an_empty_summary_that_can_be_judged() -> None:
    found = summary(numbers([]))  # type: ignore[arg-type]
    assert set(judge_all(found)["verdict"]) == {"cannot tell"}
