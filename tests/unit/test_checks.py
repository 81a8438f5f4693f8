"""Where a run differs: the same number of a part of its cells, from releases whose truth is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from released_world import run_of, write_release

from memloc.publishing import tabulate_checks as checks
from memloc.publishing import tabulate_firm as firm
from memloc.publishing.tabulate_ledger import Ledger, ledger_table, part_table, read_ledger

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
        "nano": ("0.50 (6 tasks, 2 models)", "no"),
        "nano, tasks learnt": ("1.00 (3 tasks, 2 models)", "yes"),
        "nano, tasks not learnt": ("0.00 (3 tasks, 2 models)", "no"),  # for RTE nano-bert's single layer decides
        "nano, BERT (nano)": ("0.50 (6 tasks, 1 model)", "no"),
        "nano, OPT (nano)": ("0.67 (6 tasks, 1 model)", "no"),
        "small, e5-small (12 layers)": ("1.00 (2 tasks, 1 model)", "yes"),
    }, "the study has published no number of this part"
    assert "nano in C" in checks.check_facts(ledger)["checked"]


def test_numbers_that_are_as_asked_or_of_too_little_data_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = written(tmp_path, monkeypatch, {"small": (NOT_LEARNT, ["nano-bert"])})
    assert checks.check_table(ledger).empty, "three tasks are no evidence, whatever they show"
    assert checks.check_facts(ledger) == {"checked": checks.NO_DIFFERENCE, "still": "none"}


def test_centres_that_only_the_window_of_all_layers_decides_are_counted() -> None:
    def rows(technique: str, model: str, values: list[float]) -> pd.DataFrame:
        return pd.DataFrame({"technique": technique, "metric": "mcog", "model": model, "value": values})

    twelve, six = rows("retraining", "nano-bert", [6.5, 6.49, 3.5]), rows("retraining", "minilm-l6", [3.5, 6.5])
    own = {"first": pd.concat([twelve, six]), "second": rows("swapping", "nano-bert", [6.5]), "third": six}
    assert checks.unmoved(Ledger((), own, {})) == "first 2 of 5; third 1 of 2"


def test_a_run_that_has_nothing_but_cells_of_an_earlier_one_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the same key come from the same trained models."""
    both = {"nano": (LEARNT + NOT_LEARNT, ["nano-bert", "nano-opt"]), "nano-maps": (LEARNT, ["nano-bert"])}
    ledger = written(tmp_path, monkeypatch, both)
    claims = {claim.id: claim for claim in ledger.claims if not claim.superseded}
    assert ledger.repeats("nano-maps", claims["C04"]) == "nano"
    assert ledger.repeats("nano", claims["C04"]) == ""
    assert ledger.repeats("nano-maps", claims["C01"]) == "", "what has no rows repeats nothing"
    assert "nano-maps" not in str(ledger_table(ledger).set_index("claim").filter(like="C04", axis=0).to_numpy())
    assert "nano-maps" not in str(part_table(ledger)["ours, by run"].tolist())
    assert not checks.check_table(ledger)["of"].str.startswith("nano-maps").any()
    alone = ledger.rows["nano-maps"].assign(run="another")
    ledger.rows["nano-maps"] = alone
    ledger.__dict__.pop("_read")
    assert ledger.repeats("nano-maps", claims["C04"]) == "", "the same cells trained anew are new evidence"


def test_a_task_that_some_models_learnt_is_in_neither_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = written(tmp_path, monkeypatch, {"nano": (LEARNT + NOT_LEARNT, ["nano-bert", "nano-opt"])})
    status = ledger.status["nano"]
    mixed = status.assign(learnt=status["learnt"] | ((status["task"] == "wic") & (status["model"] == "nano-opt")))
    ledger.status["nano"] = mixed
    told = of_part(checks.check_table(ledger))
    assert told["nano, tasks learnt"][0] == "1.00 (3 tasks, 2 models)"
    assert told["nano, tasks not learnt"][0] == "0.00 (2 tasks, 2 models)"


def test_a_verdict_is_asked_again_of_what_was_learnt_and_of_other_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C04 fails by the tasks that were not learnt, all in layer 1, and holds in a run without them."""
    models = ["nano-bert", "nano-opt"]
    other = ["sst5", "emotion", "implicithate", "stormfront", "reuters"]
    ledger = written(
        tmp_path,
        monkeypatch,
        {"nano": ([*NOT_LEARNT, *LEARNT], ["nano-bert"]), "small": ([*LEARNT, *other], models)},
    )
    found = firm.firmness(ledger)
    told = {(of.claim.id, of.run): of for of in found}
    holds = told["C04", "small"]
    assert (holds.verdict.verdict, holds.learnt.verdict) == ("holds", "holds"), "all of it was learnt"
    assert holds.verdict.p_value <= holds.within <= holds.over_all
    fails = told["C04", "nano"]
    assert (fails.verdict.verdict, fails.learnt.verdict) == ("does not hold", "cannot tell"), "three tasks are too few"
    assert fails.elsewhere == {"small": "cannot tell"}, "of the three tasks that both have"
    table = firm.firm_table(found).set_index(["finding", "run"])
    assert len(table) == len(told)
    assert "C04 (small) over learnt cells alone" in firm.firm_facts(found)["firm"]


def test_a_copy_where_nothing_holds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = written(tmp_path, monkeypatch, {"small": (NOT_LEARNT, ["nano-bert"])})
    found = firm.firmness(ledger)
    assert firm.firm_table(found).empty
    assert firm.firm_facts(found) == {"firm": f"{firm.NONE_HOLDS}."}
