"""A released run with control settings: the same answers as the store's, and nothing lost or mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import profile

from memloc.analysis.answers import all_answers, cell_answers
from memloc.analysis.numbers import Computed
from memloc.analysis.summary import summary
from memloc.arms import CONTROL_ARMS, CONTROLS, SETTINGS
from memloc.errors import MemlocError
from memloc.pipeline import CellId, Experiment
from memloc.released import Release, read_release
from memloc.releasing import release
from memloc.store import Store

CELL, LATER = CellId("gen-cue-2a", "micro-bert", 1), CellId("gen-cue-2a", "micro-bert", 2)
TECHNIQUES = ["swapping", "gradients"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """One finished cell with its three control settings, and one that lacks a single technique in a single setting."""
    control = {"auxiliary": "gen-comp-2a", "techniques": TECHNIQUES, "seeds": [1, 2]}
    chosen = profile(control=control, techniques={name: {} for name in TECHNIQUES}, seeds=[1, 2])
    experiment = Experiment(chosen, Store(tmp_path_factory.mktemp("home")), "cpu")
    experiment.run_cell(CELL)
    for setting in SETTINGS:
        for name in TECHNIQUES:
            if (setting, name) != ("control_last", "gradients"):
                experiment.rows(LATER, name, setting)
    return experiment


@pytest.fixture
def found(made: Experiment, tmp_path: Path) -> Release:
    return read_release(release(made, tmp_path / "tests"))


def test_rows_of_every_setting_are_those_of_the_store(made: Experiment, found: Release) -> None:
    computed = Computed(made)
    assert found.cells() == [CELL]
    assert found.settings(CELL) == computed.settings(CELL) == SETTINGS
    for setting in SETTINGS:
        for name in TECHNIQUES:
            ours, theirs = computed.rows(CELL, name, setting), found.rows(CELL, name, setting)
            # in one table with techniques that have no windows, whole numbers beside gaps become others
            pd.testing.assert_frame_equal(theirs, ours, check_dtype=False)
    for arm in ("perturbed", "normal", "frozen", *CONTROL_ARMS):
        pd.testing.assert_frame_equal(found.trace(CELL, arm), computed.trace(CELL, arm))
    pd.testing.assert_frame_equal(found.outcomes(CELL, "swapping"), computed.outcomes(CELL, "swapping"))


def test_answers_and_summary_are_those_of_the_store(made: Experiment, found: Release) -> None:
    theirs, ours = all_answers(found), [cell_answers(Computed(made), CELL, name) for name in TECHNIQUES]
    assert [(a.cell, a.technique, a.score, a.noisy) for a in theirs] == [
        (a.cell, a.technique, a.score, a.noisy) for a in ours
    ]
    for one, other in zip(theirs, ours, strict=True):
        assert all(np.array_equal(one.weights[s], other.weights[s]) for s in CONTROLS)
    told = summary(found)
    assert {"accuracy_at_1", "accuracy_at_2", "control_accuracy_noisy"} <= set(told["metric"])


def test_the_manifest_tells_settings_apart_and_names_the_second_task(made: Experiment, found: Release) -> None:
    (entry,) = found.manifest["cells"]
    assert set(entry["rows"]) == set(TECHNIQUES)
    assert set(entry["control"]) == set(CONTROLS)
    for setting in CONTROLS:
        for name in TECHNIQUES:
            assert entry["control"][setting][name]["key"] == made.rows(CELL, name, setting).key
    assert set(entry["checkpoints"]) == {"perturbed", "normal", "frozen", *CONTROL_ARMS}
    assert entry["auxiliary"]["train"] == len(made.dataset("gen-comp-2a").train)
    assert entry["auxiliary"]["key"] != entry["dataset"]["key"]


def test_a_cell_that_lacks_one_setting_of_one_technique_is_not_in_it(found: Release) -> None:
    assert found.manifest["missing"] == [{**LATER._asdict(), "lacks": ["gradients in control_last"]}]
    with pytest.raises(MemlocError, match="cell of the released run"):
        found.rows(LATER, "swapping", "control_first")


def test_a_setting_that_was_not_run_is_refused_by_name(found: Release) -> None:
    with pytest.raises(MemlocError, match="setting of gradients in the released run: 'control_frist'"):
        found.rows(CELL, "gradients", "control_frist")
