"""Figures, tables and sentences of the techniques beside swapping, from made-up rows whose truth is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from memloc.analysis.intervals import localise
from memloc.analysis.study import Published
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import Experiment
from memloc.profiles import load_profile
from memloc.publishing import facts_techniques as facts
from memloc.publishing import (
    figures_beside,
    figures_centroids,
    figures_swapping,
    figures_techniques,
    real,
    tabulate_beside,
    tabulate_techniques,
)
from memloc.publishing.reading import ReleasedStudy, Study, Swapping, open_study
from memloc.publishing.reading_techniques import WEIGHING, Beside, Told, asked_for, read_told
from memloc.released import Release
from memloc.store import Store
from memloc.techniques.retraining import chosen_windows

mpl.use("agg")

TASKS, MODELS = ["gen-cue-2a", "gen-comp-2a"], ["tiny-bert", "tiny-opt"]
PLACES = [(task, model) for task in TASKS for model in MODELS]
LAYERS = get_model("tiny-bert").layers
LAYER = np.arange(1, LAYERS + 1)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = open_study("smoke", tasks=TASKS, models=MODELS)
    return Study(Experiment(made.experiment.profile, Store(tmp_path), "cpu"), made.command)


def status(not_memorised: tuple[int, ...] = (), not_learnt: tuple[int, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(
        {"task": t, "model": m, "seed": 1, "memorised": i not in not_memorised, "learnt": i not in not_learnt}
        for i, (t, m) in enumerate(PLACES)
    )


def rows(technique: str, *curves: tuple[str, str, str | None, int, Any]) -> pd.DataFrame:
    """Tidy rows of one cell from curves: arm, metric, group, first layer, values."""
    made = [
        {"arm": arm, "layer": first + i, "group": group, "metric": metric, "value": float(value)}
        for arm, metric, group, first, values in curves
        for i, value in enumerate(values)
    ]
    empty = {"window_start": None, "window_length": None, "n": 9, "seed": 1, "technique": technique}
    return pd.DataFrame(made).assign(**empty)


def of_gradients(place: int) -> pd.DataFrame:
    """All the pull on layer ``place`` + 1 but for a little, in every rule; the frozen arm is the same everywhere."""
    pull = np.where(place + 1 == LAYER, 1.0, 0.01)
    curves = [
        (arm, f"{objective}_{norm}_{part}", None, 1, pull if arm == "perturbed" else np.ones(LAYERS))
        for arm in ("perturbed", "frozen")
        for objective in ("logit", "nll")
        for norm in ("l1", "l2")
        for part in ("difference", "noisy", "clean")
    ]
    return rows("gradients", *curves)


def of_probing(place: int) -> pd.DataFrame:
    """Noise is seen from layer ``place`` + 1 on, and so is the given label."""
    seen = (np.arange(LAYERS + 1) > place).astype(float)
    shared = {"noisy": 1 - seen, "clean": seen}
    curves: list[tuple[str, str, str | None, int, Any]] = [
        ("perturbed", "f1_noise", None, 0, seen),
        ("frozen", "f1_noise", None, 0, np.zeros(LAYERS + 1)),
        ("perturbed", "rise_noise_by_seed", None, 1, np.diff(seen) + 0.5),
    ]
    for group in ("noisy", "clean"):
        curves += [
            ("perturbed", "f1_given", group, 0, seen),
            ("perturbed", "f1_original", group, 0, shared[group]),
            ("perturbed", "f1_original_shuffled", group, 0, np.full(LAYERS + 1, 0.25)),
        ]
    return rows("probing", *curves)


def of_centroids(place: int) -> pd.DataFrame:
    """Noisy examples cross at layer ``place`` + 2; classes are apart from layer 2 on; layer 0 has no positions."""
    noisy = np.where(place + 2 > LAYER, 0.9, 0.1)
    curves: list[tuple[str, str, str | None, int, Any]] = []
    for arm, end in (("perturbed", noisy), ("lower_from_normal", noisy * 0 + 1.0), ("upper_from_normal", noisy * 0)):
        curves += [(arm, f"noisy_{n}", "noisy", 1, end) for n in ("mean", "p12.5", "p50", "p87.5")]
        for end_of, middle in (("given", 0.0), ("original", 1.0)):
            for name, away in (("mean", 0.0), ("p12.5", -0.3), ("p50", 0.0), ("p87.5", 0.3)):
                band = middle + away * np.where(LAYER < 2, 2.5, 1.0)
                curves += [(arm, f"{end_of}_{name}{tail}", "clean", 1, band) for tail in ("", "_left_out")]
    return rows("centroids", *curves)


MADE = {"gradients": of_gradients, "probing": of_probing, "centroids": of_centroids}


def told(study: Study, technique: str, not_memorised: tuple[int, ...] = (), not_learnt: tuple[int, ...] = ()) -> Told:
    frames = {place: [MADE[technique](i)] for i, place in enumerate(PLACES) if i not in not_memorised}
    return Told(study, status(not_memorised, not_learnt), technique, frames)


def windowed(study: Study, technique: str, lengths: list[int] | None = None) -> Swapping:
    """Memory of the first place in layer 1, of the second in layer 2, and so on; half is guessed right at the end."""
    tables, frames = {}, []
    for i, place in enumerate(PLACES):
        made = [
            (start, length, idx, group, group == "clean" or idx < 2 or not start <= i + 1 < start + length)
            for start, length in chosen_windows(LAYERS, lengths)
            for idx, group in ((0, "noisy"), (1, "noisy"), (2, "noisy"), (3, "noisy"), (4, "clean"))
        ]
        tables[place] = pd.DataFrame(made, columns=["window_start", "window_length", "idx", "group", "correct"])
        means = tables[place].groupby(["window_start", "window_length", "group"], as_index=False)["correct"]
        frames.append(means.agg(value="mean").assign(task=place[0], model=place[1], seed=1, n=4))
    found = {place: localise({1: table}, 20, technique=technique) for place, table in tables.items()}
    joined = pd.concat(frames).assign(metric="accuracy", arm="perturbed", technique=technique, layer=None)
    return Swapping(study, status(), joined, found, technique)


def as_told(data: Swapping) -> Told:
    cells = data.rows.groupby(["task", "model"])
    return Told(data.study, data.status, data.technique, {p: [cells.get_group(p)] for p in PLACES})


def side_by_side(study: Study, names: tuple[str, ...] = WEIGHING) -> Beside:
    of = {n: told(study, n) if n in MADE else as_told(windowed(study, n)) for n in names}
    places = {place: {n: of[n].weights[place] for n in names} for place in PLACES}
    windows = {n: windowed(study, n).places for n in names if n not in MADE}
    centres = {p: {n: windows[n][p].mcog if n in windows else of[n].centre(p) for n in names} for p in PLACES}
    return Beside(study, status(), of, tuple(n for n in WEIGHING if n not in names), places, centres)


def lines(panel: mpl.axes.Axes, label: str) -> list[float]:
    return next(line for line in panel.lines if line.get_label() == label).get_ydata().tolist()


def test_retraining_is_rescaled_and_has_the_lengths_that_were_run(study: Study) -> None:
    data = windowed(study, "retraining", [1, 3])
    drawn = figures_swapping.heatmaps(data)
    first = drawn.figure.axes[0]
    image = np.asarray(first.images[0].get_array())
    assert image.shape == (3, LAYERS), "lengths 1, 3 and 6"
    assert image[0].tolist() == [1.0] + [0.0] * (LAYERS - 1), "half is guessed right whatever is retrained: m = .5"
    assert [label.get_text() for label in first.get_yticklabels()] == ["1", "3", "6"]
    curves = figures_swapping.weight_curves(data)
    assert "rescaled" in curves.alt
    assert "over the windows that were run" in curves.alt
    assert lines(curves.figure.axes[0], "the windows that were run ($w_l$)")
    assert "over all windows" in figures_swapping.weight_curves(windowed(study, "retraining")).alt
    low, high = data.places[PLACES[0]].bounds
    assert (low, high) != pytest.approx(windowed(study, "retraining").places[PLACES[0]].bounds)
    row = tabulate_techniques.retraining_table(data).iloc[0]
    assert row["attainable"] == f"{low:.2f} to {high:.2f}"
    assert row["depth, 0 to 1"] == "0.00"
    assert row["noisy, all layers retrained (m)"] == "0.500"
    shaded = figures_swapping.centres(data).figure.axes[0].patches[0]
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == pytest.approx((low, high))
    assert "Empty" not in figures_techniques.side_effects(data).alt


def test_side_effects_put_windows_where_their_accuracies_are(study: Study) -> None:
    panel = figures_techniques.side_effects(windowed(study, "retraining", [1])).figure.axes[0]
    single = next(line for line in panel.lines if line.get_label() == "1 layer")
    assert sorted(single.get_xdata().tolist()) == [0.5] + [1.0] * (LAYERS - 1)
    assert set(single.get_ydata().tolist()) == {1.0}


def test_gradients(study: Study) -> None:
    data = told(study, "gradients", not_memorised=(1,), not_learnt=(2,))
    weights = lines(figures_techniques.gradient_weights(data).figure.axes[0], "against the frozen arm")
    assert weights[0] == pytest.approx(1 / (1 + 0.01 * (LAYERS - 1)))
    norms = figures_techniques.gradient_curves(data)
    assert lines(norms.figure.axes[0], "difference") == [1.0] + [0.01] * (LAYERS - 1)
    assert "largest: 1 to 4" in norms.alt
    assert "not\nmemorised" in [text.get_text() for text in norms.figure.axes[1].texts]
    table = tabulate_techniques.variant_table(data)
    assert len(table) == 16
    assert set(table["combinations"]) == {"2"}, "one of four was not memorised, another not learnt"
    assert set(table["r with the first row"]) == {"1.00"}
    facts_told = facts.gradient_facts(data)
    assert facts_told["lowest"].endswith("(gen-cue-2a, BERT (tiny))")
    assert facts_told["moved"].startswith("0.00"), "all rules say the same here"


def test_probing_shows_both_orders_of_averaging(study: Study) -> None:
    data = told(study, "probing")
    table = tabulate_techniques.probing_table(data)
    assert table["M-CoG, rise of means [95 %]"].tolist() == ["1.00", "2.00", "3.00", "4.00"]
    assert table["by seed"].tolist() == ["4.00"] * 4, "half a rise at each of six layers is added"
    assert table["given label known from layer"].tolist() == ["1", "2", "3", "4"]
    noise = figures_techniques.noise_curves(data).figure.axes[1]
    assert lines(noise, "F1 of noisy") == [0.0, 0.0] + [1.0] * (LAYERS - 1)
    assert [bar.get_height() for bar in noise.containers[0]] == [0.0, 1.0] + [0.0] * (LAYERS - 2)
    assert "at layers: 1 to 4" in figures_techniques.f1_curves(data).alt
    said = facts.probing_facts(data)
    assert said["added"].startswith("3.00")
    assert (said["event-known"], said["event-same"], said["event-first"]) == ("4", "4", "0")


def test_centroids(study: Study) -> None:
    data = told(study, "centroids")
    table = tabulate_techniques.centroid_table(data)
    assert table["crossing"].tolist() == ["2", "3", "4", "5"]
    assert table["initiation"].tolist() == ["2"] * 4
    assert table["largest step"].tolist() == ["1.00"] * 4
    positions = figures_centroids.positions(data).figure.axes[0]
    noisy = lines(positions, "noisy")
    assert np.isnan(noisy[0]), "layer 0 has no positions"
    assert noisy[1:3] == [0.9, 0.1]
    scatter = figures_centroids.event_scatter(data)
    points = {(float(p.get_xdata()[0]), float(p.get_ydata()[0])) for p in scatter.figure.axes[0].lines[1:]}
    assert points == {(2.0, 2.0), (4.0, 2.0)}
    assert "comes first in 0 and last in 3" in scatter.alt
    said = facts.centroid_facts(data)
    assert (said["event-last"], said["event-same"]) == ("3", "1")
    assert (said["lower-original"], said["upper-original"], said["halved"]) == ("4", "0", "4")
    assert "lower half normal: 1.00" in figures_centroids.halves(data).alt


@pytest.mark.parametrize(
    ("technique", "draw"),
    [
        ("probing", figures_techniques.noise_curves),
        ("centroids", figures_centroids.positions),
        ("swapping", figures_swapping.weight_curves),
    ],
)
def test_the_studys_curves_stand_in_panels_of_their_task_and_depth(study: Study, technique: str, draw: Any) -> None:
    data = windowed(study, technique) if technique == "swapping" else told(study, technique, not_memorised=(1,))
    curve = np.where(LAYER == 2, np.nan, LAYER / 10)
    published = Published("t", "m", "any", "BERT of the study", LAYERS, "read", 0.1, {TASKS[0]: curve}, "there")
    drawn = draw(data, published)
    stars = [[line for line in axes.lines if line.get_marker() == "*"] for axes in drawn.figure.axes]
    found = [line for line in stars[0] if len(line.get_xdata())]
    assert len(found) == 1, "one curve, and one line for the legend"
    assert found[0].get_xdata().tolist() == LAYER.tolist(), "layers from 1, whatever the panel begins with"
    assert np.array_equal(found[0].get_ydata(), curve, equal_nan=True)
    assert (technique != "swapping") or len(stars[1]) == 1
    assert not stars[2], "another task"
    assert "BERT of the study" in [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert drawn.alt.endswith(f"Stars: BERT of the study, for {TASKS[0]}.")
    other = dataclasses.replace(published, layers=LAYERS + 1)
    assert "Stars" not in draw(data, other).alt, "a model of another depth cannot share the axis"


def test_curves_side_by_side_have_one_sum(study: Study) -> None:
    data = side_by_side(study)
    panel = figures_beside.scaled_weights(data).figure.axes[0]
    drawn = [line.get_ydata() for line in panel.lines if len(line.get_ydata()) == LAYERS]
    assert len(drawn) == len(WEIGHING)
    assert [float(np.sum(line)) for line in drawn] == pytest.approx([1.0] * 4)
    depths = tabulate_beside.depth_table(data)
    assert depths["probing: M-CoG [95 %]"].tolist() == ["1.00", "2.00", "3.00", "4.00"], "one seed has no interval"
    assert depths["probing: depth"].tolist() == ["0.00", "0.20", "0.40", "0.60"]
    assert depths.loc[0, "swapping: depth"] == "0.00"
    assert "[" in depths.loc[0, "swapping: M-CoG [95 %]"], "over its noisy examples"
    told_ranges = tabulate_beside.range_table(data).set_index("attainable range of")
    assert told_ranges["95 % intervals over"].str.startswith(("noisy examples", "seeds")).all()
    ranges = told_ranges[f"{LAYERS} layers"]
    assert ranges["probing"] == "1.00 to 6.00"
    assert ranges["swapping"] != ranges["probing"]


def test_agreement_stands_beside_the_study(study: Study) -> None:
    data = side_by_side(study)
    table = tabulate_beside.agreement_table(data, "techniques").set_index(["compared", "first", "second"])
    row = table.loc[("M-CoG (Pearson)", "swapping", "retraining")]
    assert row["r"] == "1.00", "both see the same memory"
    assert row["study"] == "0.97"
    assert (row["points"], row["tasks"], row["95 % over tasks"]) == (4, 2, "–")
    assert table.loc[("layer weights (Pearson)", "swapping", "retraining"), "points"] == 4 * LAYERS
    squares = figures_beside.agreement_triangles(data).figure.axes
    written = [text.get_text() for text in squares[0].texts]
    assert "1.00\nn = 4" in written
    assert "0.97" in written
    models = tabulate_beside.agreement_table(data, "models")
    assert models["study"].tolist() == ["–", "–"], "the study has no tiny models"
    assert facts.beside_facts(data)["strongest"].startswith("1.00")


@pytest.mark.parametrize("lost", [{"not_memorised": (0, 1, 2, 3)}, {"not_learnt": (0, 1, 2, 3)}])
def test_nothing_that_counts_is_drawn_and_told(study: Study, lost: dict[str, tuple[int, ...]]) -> None:
    for technique in MADE:
        data = told(study, technique, **lost)
        draws = {
            "gradients": (figures_techniques.gradient_curves, figures_techniques.gradient_weights),
            "probing": (figures_techniques.f1_curves, figures_techniques.noise_curves, figures_centroids.event_scatter),
            "centroids": (figures_centroids.positions, figures_centroids.halves, figures_centroids.event_scatter),
        }[technique]
        assert all("nan" not in draw(data).alt for draw in draws)
    assert facts.gradient_facts(told(study, "gradients", **lost))["lowest"] == "none"
    assert facts.probing_facts(told(study, "probing", **lost))["event-known"] == "0"
    assert facts.centroid_facts(told(study, "centroids", **lost))["halved"] == "0"
    of = {n: told(study, n, **lost) for n in ("gradients", "probing")}
    places = {p: {n: of[n].weights[p] for n in of} for p in of["probing"].places}
    empty = Beside(study, of["probing"].status, of, ("swapping", "retraining"), places, {})
    assert "othing" in figures_beside.agreement_triangles(empty).alt
    assert tabulate_beside.agreement_table(empty, "techniques").empty
    assert facts.beside_facts(empty)["strongest"] == "none"
    assert figures_beside.scaled_weights(empty).alt


def test_a_released_run_may_lack_techniques(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = dataclasses.replace(load_profile("small"), techniques={"swapping": {}})
    released = ReleasedStudy(Release(profile, {"cells": [], "missing": []}, {}), "results/small")
    assert asked_for(released, "swapping")
    assert not asked_for(released, "probing")
    assert asked_for(study, "probing"), "an experiment computes what it lacks"
    with pytest.raises(MemlocError, match="technique of the released run: 'probing'; accepted: swapping"):
        read_told(released, "probing")
    monkeypatch.setattr(real, "open_release", lambda name: released)
    assert real.open_told("probing") is None
    more = ReleasedStudy(dataclasses.replace(released.release, profile=load_profile("smoke")), "results/techniques")
    monkeypatch.setattr(real, "open_release", {"techniques": more, "small": released}.get)
    assert real.holding("probing") is more
    grid = ReleasedStudy(released.release, "results/nano")
    monkeypatch.setattr(real, "open_release", {"nano": grid, "small": released, "techniques": more}.get)
    assert (real.holding("swapping"), real.holding("probing")) == (grid, more)
    monkeypatch.setattr(real, "open_release", {"small": released}.get)
    assert real.holding("swapping") is released
    assert real.holding("probing") is None
    assert real.open_retraining() is None
    assert "No released run on real data holds probing yet" in real.run_facts(None, "probing")["real"]
    monkeypatch.setattr(real, "open_release", lambda name: None)
    assert real.run_facts(None, "probing")["real"] == real.ABSENT
    assert real.beside_facts(None)["real"] == real.ABSENT
    assert real.show_tables(None, tabulate_beside.range_table) is None
    of_two = dataclasses.replace(side_by_side(study, ("swapping", "gradients")))
    said = real.beside_facts(of_two)["real"]
    assert "Techniques in it: swapping and gradients." in said
    assert "Not in it yet: retraining and probing." in said
