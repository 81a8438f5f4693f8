"""Maps as chapters and released runs have them: seeds together, figures and sentences of maps whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from tiny import profile

from memloc import tables
from memloc.analysis.numbers import Computed
from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.publishing import figures_maps, tabulate_maps, worked
from memloc.publishing.reading import ReleasedStudy, Study
from memloc.publishing.reading_maps import Mapped, read_maps, together
from memloc.released import read_release
from memloc.releasing import release
from memloc.sealed import MANIFEST
from memloc.store import Store

mpl.use("agg")

QUICK = {"maps": {"members": 2, "epochs": 1, "balanced": True}}
CELL = CellId("gen-cue-2a", "micro-bert", 1)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """One cell with swapping and maps, which has memorised nothing; a second that is not finished."""
    chosen = profile(seeds=[1, 2], techniques={"swapping": {}, **QUICK})
    experiment = Experiment(chosen, Store(tmp_path_factory.mktemp("home")), "cpu")
    experiment.run_cell(CELL)
    return experiment


def frame(rows: list[tuple[int, str, float, float, int, int]]) -> pd.DataFrame:
    """A map from idx, group, memorisation, generalisation, and how many models saw an example and did not."""
    columns = ["idx", "group", "memorisation", "generalisation", "models_in", "models_out"]
    found = pd.DataFrame(rows, columns=columns)
    above = (found["memorisation"] - found["generalisation"]).clip(lower=0)
    return found.assign(counterfactual=above)[tables.MAP.names]


def test_a_released_run_tells_the_same_maps(made: Experiment, tmp_path: Path) -> None:
    found, computed = read_release(release(made, tmp_path / "run")), Computed(made)
    pd.testing.assert_frame_equal(found.detail(CELL, "maps", "map"), computed.detail(CELL, "maps", "map"))
    pd.testing.assert_frame_equal(found.detail(CELL, "swapping", "outcomes"), computed.outcomes(CELL, "swapping"))
    with pytest.raises(MemlocError, match=r"positions\.parquet"):
        found.detail(CELL, "centroids", "positions")
    ours = read_maps(Study(Experiment(profile(techniques=made.profile.techniques), made.store, "cpu"), "command"))
    theirs = read_maps(ReleasedStudy(found, "run"))
    place = CELL[:2]
    pd.testing.assert_frame_equal(ours.maps[place], theirs.maps[place])
    pd.testing.assert_frame_equal(tabulate_maps.map_table(ours), tabulate_maps.map_table(theirs))


def test_a_run_without_maps_has_no_such_file(made: Experiment, tmp_path: Path) -> None:
    without = Experiment(profile(), made.store, "cpu")
    folder = release(made, tmp_path / "run")
    assert (folder / "map.parquet").exists()
    release(without, folder)
    assert not (folder / "map.parquet").exists(), "a release is replaced as a whole"
    assert "map.parquet" not in json.loads((folder / MANIFEST).read_text())["tables"]
    with pytest.raises(MemlocError, match=r"map\.parquet.*accepted: rows\.parquet"):
        read_release(folder).detail(CELL, "maps", "map")
    with pytest.raises(MemlocError, match="technique of the released run: 'maps'"):
        read_maps(ReleasedStudy(read_release(folder), "run"))


def test_a_harmed_map_is_refused(made: Experiment, tmp_path: Path) -> None:
    folder = release(made, tmp_path / "run")
    (folder / "map.parquet").write_bytes(b"")
    with pytest.raises(MemlocError, match=r"map\.parquet"):
        read_release(folder)


def test_seeds_are_one_ensemble_with_all_their_members() -> None:
    nothing = float("nan")
    first = frame([(0, "clean", 0.9, 0.5, 3, 1), (1, "noisy", 0.8, nothing, 2, 0)])
    second = frame([(0, "clean", 0.5, 0.7, 1, 1), (1, "noisy", nothing, 0.1, 0, 2)])
    found = together([first, second]).set_index("idx")
    assert found.loc[0, "memorisation"] == pytest.approx((3 * 0.9 + 0.5) / 4)
    assert found.loc[0, "generalisation"] == pytest.approx(0.6)
    assert found.loc[0, "counterfactual"] == pytest.approx(0.2)
    assert found.loc[1, ["memorisation", "generalisation", "counterfactual"]].tolist() == pytest.approx([0.8, 0.1, 0.7])
    assert found.loc[1, ["models_in", "models_out"]].tolist() == [2, 2]
    tables.validate(together([first]), tables.MAP, "map")
    assert np.isnan(together([first]).set_index("idx").loc[1, "generalisation"]), "no model left it out"


# -- figures and tables: three tasks whose depth rises with their score ----------------------------------------------


TASKS, MODEL = ["gen-cue-2a", "gen-comp-2a", "gen-cue-6a"], "micro-bert"


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapped:
    """Scores .2, .5, .8; the first two tasks memorised in layer 1, the third in layer 2 and was not learnt."""
    from memloc.analysis.intervals import localise

    def outcomes(layer: int) -> pd.DataFrame:
        rows = [
            (start, length, idx, group, group == "clean" or not start <= layer < start + length)
            for start, length in ((1, 1), (2, 1), (1, 2))
            for idx, group in ((0, "noisy"), (1, "noisy"), (2, "clean"))
        ]
        return pd.DataFrame(rows, columns=tables.OUTCOMES.names)

    study = Study(Experiment(profile(tasks=TASKS), Store(tmp_path), "cpu"), "command")
    status = pd.DataFrame({"task": TASKS, "model": MODEL, "seed": 1, "memorised": True, "learnt": [True, True, False]})
    status["majority"] = [0.5, 0.75, 0.5]
    places = {(task, MODEL): localise({1: outcomes(layer)}, 20) for task, layer in zip(TASKS, (1, 1, 2), strict=True)}
    maps = {
        (task, MODEL): frame([*[(i, "clean", 0.9, score, 2, 2) for i in range(6)], (6, "noisy", 0.9, 0.1, 2, 2)])
        for task, score in zip(TASKS, (0.2, 0.5, 0.8), strict=True)
    }
    told = [
        (task, MODEL, 1, technique, metric, None, value)
        for task, score, along in zip(TASKS, (0.2, 0.5, 0.8), (0.1, 0.4, 0.9), strict=True)
        for technique, metric, value in (
            ("swapping", "mcog_relative", along),
            ("centroids", "crossing", 3 - 3 * along),
            ("training", "num_layers", 2),
            ("maps", "generalisation_score", score),
        )
    ]
    columns = ["task", "model", "seed", "technique", "metric", "layer", "value"]
    monkeypatch.setattr("memloc.publishing.reading_maps.summary", lambda *_: pd.DataFrame(told, columns=columns))
    return Mapped(study, status, places, maps)


def test_maps_are_drawn_where_they_are(mapped: Mapped) -> None:
    drawn = figures_maps.memorisation_maps(mapped)
    assert "clean examples 0.10 to 0.70; noisy examples 0.80" in drawn.alt
    panel = drawn.figure.axes[0]
    clean, noisy = (collection.get_offsets().tolist() for collection in panel.collections[:2])
    first = mapped.maps[TASKS[0], MODEL]
    at = (first.loc[0, "generalisation"], first.loc[0, "memorisation"])
    assert np.abs(np.subtract(clean[0], at)).max() <= 0.5 / figures_maps.BINS + 1e-9, "across: not trained on it"
    assert (len(clean), len(noisy)) == (1, 1)


def test_depth_is_drawn_against_the_score(mapped: Mapped) -> None:
    drawn = figures_maps.depth_scatter(mapped)
    assert "Scores: 0.20 to 0.80" in drawn.alt
    assert "depth by swapping: 1.00 of 3 points" in drawn.alt
    swapping, crossing = drawn.figure.axes[:2]
    points = [line for line in swapping.lines if line.get_marker() in ("o", "s", "^") and len(line.get_xdata())]
    assert sorted(float(line.get_xdata()[0]) for line in points) == pytest.approx([0.2, 0.5, 0.8])
    hollow = [line for line in points if line.get_markerfacecolor() == "none"]
    assert [float(line.get_xdata()[0]) for line in hollow] == pytest.approx([0.8]), "the task that was not learnt"
    assert float(hollow[0].get_ydata()[0]) == pytest.approx(1.0)
    assert any(len(line.get_xdata()) for line in crossing.lines)


def test_tables_and_sentences(mapped: Mapped) -> None:
    table = tabulate_maps.map_table(mapped).set_index("task")
    assert table.loc["gen-cue-2a", "generalisation score [95 %]"].startswith("0.20 [")
    assert table.loc["gen-cue-2a", "clean: in, out"] == "0.90, 0.20"
    assert table.loc["gen-cue-6a", "status"] == "not learnt"
    relation = tabulate_maps.relation_table(mapped).set_index(["depth", "models"])
    assert relation.loc[("M-CoG, swapping", "all"), "rho"] == "1.00"
    assert relation.loc[("crossing", "all"), "rho"] == "-1.00"
    assert relation.loc[("crossing", "all"), "study"] == "0.75"
    assert relation.loc[("M-CoG, swapping", "all"), "orders"] == 6
    assert float(relation.loc[("M-CoG, swapping", "all"), "p"]) == pytest.approx(2 / 6, abs=1e-3)
    facts = tabulate_maps.map_facts(mapped)
    assert facts["score-highest"].startswith("0.80 (gen-cue-6a")
    assert facts["share-lowest"].startswith("1.00")
    assert (facts["noisy-counterfactual"], facts["members"]) == ("0.80", "4")
    # a draw of three tasks is one task three times in one of nine cases, which correlates with nothing
    assert facts["rho-mcog"] == "1.00 (3 points of 3 tasks, p = 0.33)"


def test_a_score_stands_beside_that_of_guessing_by_frequency(mapped: Mapped) -> None:
    table = tabulate_maps.map_table(mapped).set_index("task")["score by frequency"]
    assert table.to_dict() == {"gen-cue-2a": "0.50", "gen-comp-2a": "0.62", "gen-cue-6a": "–"}
    assert tabulate_maps.map_facts(mapped)["rho-majority"] == "0.00 (3 points)"


def test_lines_of_one_counterfactual_memorisation_are_drawn(mapped: Mapped) -> None:
    dotted = [
        line for line in figures_maps.memorisation_maps(mapped).figure.axes[0].lines if line.get_linestyle() == ":"
    ]
    assert [float((line.get_ydata() - line.get_xdata())[0]) for line in dotted] == [0.25, 0.5, 0.75]


def test_with_two_tasks_there_is_no_interval_and_no_test(mapped: Mapped) -> None:
    short = Mapped(mapped.study, mapped.status.iloc[:2], mapped.places, mapped.maps)
    table = tabulate_maps.relation_table(short)
    assert set(table["rho"]) == set(table["p"]) == set(table["95 % over tasks"]) == {"–"}
    assert tabulate_maps.map_facts(short)["rho-mcog"] == "not known: too few points"


def test_only_cells_that_memorised_are_correlated(mapped: Mapped) -> None:
    forgetful = Mapped(mapped.study, mapped.status.assign(memorised=[True, True, False]), mapped.places, mapped.maps)
    assert set(forgetful.summary["task"]) == set(TASKS[:2])


def test_worked_example_is_as_by_hand() -> None:
    given, shown, numbers = worked.four_models()
    shown = shown.set_index("example")
    assert shown.loc["wrong label"].tolist() == ["0.80", "0.05", "0.75"]
    assert shown.loc["odd, but right"].tolist() == ["0.85", "0.25", "0.60"]
    assert numbers["score"] == f"{(0.8 + 0.25 + 0.15) / 3:.2f}"
    assert [row.count("*") for row in given.astype(str).agg("".join, axis=1)] == [2] * 4
    assert [column.str.contains("*", regex=False).sum() for _, column in given.iloc[:, 1:].items()] == [2] * 4
