"""What `memloc results` shows of every technique, from artefacts written by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from memloc import tables
from memloc.analysis.overview import outside, overview
from memloc.pipeline import CellId
from memloc.techniques.swapping import windows
from memloc.wording import DASH

LAYERS = 3
CURVES = {
    "gradients": [
        ("perturbed", "logit_l1_difference", None, [1.0, 0, 1]),
        ("frozen", "logit_l1_difference", None, [1.0] * 3),
    ],
    "centroids": [
        ("perturbed", "noisy_mean", "noisy", [0.9, 0.6, 0.1]),
        ("perturbed", "given_p87.5", "clean", [0.9, 0.2, 0.1]),
        ("perturbed", "original_p12.5", "clean", [0.1, 0.8, 0.9]),
    ],
    "mine": [("perturbed", "something", None, [1.0, 2, 3])],
    "maps": [("perturbed", "generalisation_mean", "clean", [0.25])],
}


def written(folder: Path, technique: str, seed: int) -> SimpleNamespace:
    """An artefact with rows, and with outcomes where a technique has windows: memory in layer 1."""
    folder = folder / f"{technique}{seed}"
    folder.mkdir()
    cell = {"run_key": "k", "task": "trec", "model": "m", "seed": seed, "technique": technique, "n": 4}
    if technique in CURVES:
        made = [
            {"arm": arm, "metric": metric, "group": group, "layer": layer, "value": value}
            for arm, metric, group, curve in CURVES[technique]
            for layer, value in enumerate(curve, start=1)
        ]
        frame = pd.DataFrame(made)
    else:
        outcomes = [
            (s, k, idx, "noisy" if idx < 4 else "clean", idx >= 4 or s > 1 or (idx == 0 and technique == "retraining"))
            for s, k in windows(LAYERS)
            for idx in range(6)
        ]
        told = pd.DataFrame(outcomes, columns=tables.OUTCOMES.names)
        tables.write(told, tables.OUTCOMES, folder / "outcomes.parquet")
        keys = ["window_start", "window_length", "group"]
        frame = (
            told.groupby(keys)["correct"]
            .mean()
            .rename("value")
            .reset_index()
            .assign(arm="perturbed", metric="accuracy")
        )
    missing = {column: None for column in ("layer", "window_start", "window_length", "group") if column not in frame}
    tables.write(frame.assign(**cell, **missing), tables.ROWS, folder / "rows.parquet")
    return SimpleNamespace(file=lambda name: folder / name)


@pytest.fixture
def shown(tmp_path: Path) -> pd.DataFrame:
    """Seeds 1 and 2 asked for; only the first is there."""
    techniques = ("swapping", "retraining", *CURVES)
    found = {technique: written(tmp_path, technique, 1) for technique in techniques}
    experiment = SimpleNamespace(
        profile=SimpleNamespace(
            tasks=("trec",), models={"m": SimpleNamespace(seeds=(1, 2))}, techniques=techniques, resamples=20
        ),
        cells=lambda: [CellId("trec", "m", 1), CellId("trec", "m", 2)],
        technique_config=lambda cell, technique: (cell.seed, technique),
        checkpoint_config=lambda cell, arm: None,
        store=SimpleNamespace(
            find=lambda kind, config: found[config[1]] if kind == "rows" and config[0] == 1 else None
        ),
    )
    return overview(experiment).set_index("technique")  # type: ignore[arg-type]


def test_every_technique_shows_its_place_and_the_range_it_can_have(shown: pd.DataFrame) -> None:
    assert shown["seeds"].tolist() == ["1/2"] * 6
    assert shown["M-CoG"].tolist() == ["1.64", "1.64", "2.00", DASH, DASH, DASH]
    assert shown["attainable"].tolist() == ["1.64 to 2.36", "1.64 to 2.36", "1.00 to 3.00", DASH, DASH, DASH]
    assert shown["depth"].tolist() == ["0.00", "0.00", "0.50", DASH, DASH, DASH]


def test_intervals_where_there_are_outcomes(shown: pd.DataFrame) -> None:
    assert shown["over"].tolist() == ["examples", "examples", "no interval", DASH, DASH, DASH]
    assert shown.loc["gradients", "95 % interval"] == DASH
    assert shown.loc["swapping", "95 % interval"] == "1.64 to 1.64"
    assert "noisy acc." not in shown, "there is no checkpoint"


def test_what_weighs_no_layers_says_what_it_tells_instead(shown: pd.DataFrame) -> None:
    assert shown.loc["centroids", "instead"] == "crossing 3.0, initiation 2.0"
    assert shown.loc["maps", "instead"] == "generalisation score 0.250"
    assert "layer_weight" in shown.loc["mine", "instead"]


def test_a_depth_outside_its_range_is_explained() -> None:
    frame = pd.DataFrame({"technique": ["swapping", "retraining", "maps"], "depth": ["0.43", "-0.12", DASH]})
    assert outside(frame).startswith("A depth below 0 or above 1 (retraining)")
    assert outside(frame[frame["technique"] != "retraining"]) == ""
    assert outside(frame.drop(columns="depth")) == ""
