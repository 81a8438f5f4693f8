"""Where a run differs: the same number of a part of its cells, from releases whose truth is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from released_world import run_of, write_release

from memloc.publishing import tabulate_checks as checks
from memloc.publishing.tabulate_ledger import Ledger, read_ledger

ROOT = Path(__file__).resolve().parents[2]
LEARNT, NOT_LEARNT = ["boolq", "cola", "sst2"], ["mrpc", "rte", "wic"]
SPREAD = [1, 4, 8, 12]
PART = "C04 no single layer forgets half, ≥ 0.9"


def written(root: Path, monkeypatch: pytest.MonkeyPatch, runs: dict[str, tuple[list[str], list[str]]]) -> Ledger:
    """The ledger of runs by name, with tasks and models.

    Small models keep what they did not learn in layer 1, but nano-opt has RTE everywhere; all else is spread out.
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)

    def held(task: str, model: str) -> list[int]:
        local = model.startswith("nano") and task in NOT_LEARNT and (task, model) != ("rte", "nano-opt")
        return [1] * len(SPREAD) if local else SPREAD

    for name, (tasks, models) in runs.items():
        run = run_of(name, {task: {} for task in tasks}, models, source="files")
        write_release(root / "results" / name, run, held, lambda *_: (6, 3), tuple(NOT_LEARNT))
    monkeypatch.chdir(root)
    return read_ledger()


def of_part(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """What is said of the part, by whose number it is: the number, and whether it is as asked."""
    rows = table[table["part"] == PART]
    assert not rows["of"].duplicated().any()
    return {row["of"]: (row["number"], row["as asked"]) for _, row in rows.iterrows()}


def test_a_number_stands_by_learnt_tasks_by_model_and_beside_wider_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = written(
        tmp_path,
        monkeypatch,
        {
            "nano": (LEARNT + NOT_LEARNT, ["nano-bert", "nano-opt"]),
            "small": (["sst2", "rte"], ["e5-small-enpt"]),
        },
    )
    assert of_part(checks.check_table(ledger)) == {
        "nano": ("0.50 (6 tasks)", "no"),
        "nano, tasks learnt": ("1.00 (3 tasks)", "yes"),
        "nano, tasks not learnt": ("0.00 (3 tasks)", "no"),  # for RTE nano-bert's single layer decides
        "nano, BERT (nano)": ("0.50 (6 tasks)", "no"),
        "nano, OPT (nano)": ("0.67 (6 tasks)", "no"),
        "small, e5-small (12 layers)": ("1.00 (2 tasks)", "yes"),
    }, "the study has published no number of this part"
    assert "nano in C" in checks.check_facts(ledger)["checked"]


def test_numbers_that_are_as_asked_or_of_too_little_data_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = written(tmp_path, monkeypatch, {"small": (NOT_LEARNT, ["nano-bert"])})
    assert checks.check_table(ledger).empty, "three tasks are no evidence, whatever they show"
    assert checks.check_facts(ledger) == {"checked": checks.NO_DIFFERENCE}
