"""The ledger: fifteen findings on every source, and nothing that is said without the data for it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from memloc.claims import load_claims
from memloc.claims.verdict import OPEN
from memloc.publishing import tabulate_ledger
from memloc.publishing.tabulate_ledger import STUDY

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tabulate_ledger.Ledger:
    """The ledger of a copy of the project with one released run of four tasks."""
    root = tmp_path_factory.mktemp("ledger")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "results" / "small", root / "results" / "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return tabulate_ledger.read_ledger()


def test_every_finding_has_a_row_and_every_part_one(ledger: tabulate_ledger.Ledger) -> None:
    rules = load_claims()
    known = sorted((*rules.claims, *rules.superseded), key=lambda claim: (claim.id, -claim.version))
    names = [tabulate_ledger.name_of(claim) for claim in known]
    assert names[6:8] == ["C07", "C07 (version 1, superseded)"]
    table, parts = tabulate_ledger.ledger_table(ledger), tabulate_ledger.part_table(ledger)
    assert [text.split(" ")[0] for text in table["claim"]] == [claim.id for claim in known]
    assert all(text.startswith(name) for text, name in zip(table["claim"], names, strict=True))
    assert list(table.columns) == ["claim", STUDY, "ours, by run"]
    assert len(parts) == sum(len(claim.parts) for claim in known)
    assert set(tabulate_ledger.reason_table(ledger)["claim"]) == set(names)
    assert len(tabulate_ledger.rule_table(ledger)) == len(known)


def test_four_tasks_have_numbers_and_no_verdict(ledger: tabulate_ledger.Ledger) -> None:
    assert {verdict.verdict for verdict in ledger.verdicts["small"]} == {OPEN}
    told = tabulate_ledger.part_table(ledger).set_index(["claim", "part"])["ours, by run"]
    assert told["C06", "mean M-CoG before the middle"].startswith("small: ")
    assert told["C06", "mean M-CoG before the middle"].endswith("(4 tasks, 2 models)")
    assert set(tabulate_ledger.ledger_table(ledger)["ours, by run"]) == {OPEN}
    assert told["C07", "lowest of four"] == "–"
    reasons = tabulate_ledger.reason_table(ledger).set_index(["claim", "of"])["reason"]
    assert "4 of at least 5 tasks" in reasons["C04", "small"]


def test_the_studys_numbers_are_judged_where_they_suffice(ledger: tabulate_ledger.Ledger) -> None:
    told = tabulate_ledger.ledger_table(ledger).set_index("claim")[STUDY]
    by_id = {text.split(" ")[0]: value for text, value in told.items()}
    assert by_id["C07"].startswith("holds, 1.00")
    assert by_id["C01"] == "not judged: 6 of 6 numbers as asked"
    assert by_id["C13"].startswith("not judged: published is one model, at 0.30")
    assert by_id["C03"].startswith("not judged: published is a mean of 0.997, SD 0.012")
    assert by_id["C04"] == "not judged: no number"


def test_many_findings_are_corrected_for(ledger: tabulate_ledger.Ledger) -> None:
    told = zip(ledger.verdicts[STUDY], ledger.adjusted(STUDY), strict=True)
    pairs = [(verdict.p_value, q) for verdict, q in told if verdict.p_value == verdict.p_value and q == q]
    assert [verdict.claim for verdict in ledger.verdicts[STUDY] if verdict.superseded] == ["C07", "C08"]
    assert len(pairs) == sum(verdict.p_value == verdict.p_value for verdict in ledger.current(STUDY)), (
        "a rule that is no longer in force was counted"
    )
    assert len(pairs) >= 2
    assert all(q >= p for p, q in pairs)
    assert any(q > p for p, q in pairs)
    facts = tabulate_ledger.ledger_facts(ledger)
    assert "Holm" in facts["comparisons"]
    assert (facts["holds"], facts["refuted"], facts["open"]) == ("none", "none", "none")
    assert facts["lacking"].startswith("C01, C02"), "four tasks are too few for every rule"
    assert facts["lacking"].count("C") == 15
    assert re.fullmatch(r"small \d+ of \d+", facts["learnt"])
    assert float(facts["clean-most"]) < float(facts["clean-sd"]), "what the page says of the study's own windows"


def test_a_copy_without_runs_judges_the_study_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    alone = tabulate_ledger.read_ledger()
    assert alone.runs == []
    assert "no released run" in tabulate_ledger.sources_sentence(alone)
    assert list(tabulate_ledger.ledger_table(alone).columns) == ["claim", STUDY]
