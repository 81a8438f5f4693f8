"""Findings in chapters: the study's number, ours, what the rule asks, the verdict; of worlds whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest
from claims_world import table, true_world

from memloc.analysis.study_claims import OTHERWISE, TOLD, study_summary, told_value
from memloc.claims import load_claims
from memloc.profiles import load_profile
from memloc.publishing import tabulate_claims
from memloc.publishing.reading import ByPlace, ReleasedStudy
from memloc.publishing.tabulate_claims import about, claims_tables
from memloc.released import Release

Told = Callable[[str], ByPlace]


class Found(ByPlace):
    """A study and nothing else: all that the tables of claims ask for."""

    def __init__(self, profile: str) -> None:
        release = Release(load_profile(profile), {"cells": [], "missing": []}, {})
        self.study = ReleasedStudy(release, f"results/{profile}")


class _Study(ReleasedStudy):
    profile = load_profile("paper")  # a run of which nothing is finished would have no models


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], ByPlace]:
    """A run on real tasks and pre-trained models that tells what it is given."""

    def make(rows: pd.DataFrame) -> ByPlace:
        made: Any = Found("paper")
        made.study = _Study(made.study.release, "results/paper")
        monkeypatch.setattr(tabulate_claims, "summary", lambda numbers, techniques: rows)
        return made

    return make


def test_every_number_of_the_study_belongs_to_a_part_of_a_claim() -> None:
    parts = {(claim.id, part.name) for claim in load_claims().claims for part in claim.parts}
    assert set(TOLD) <= parts
    assert set(OTHERWISE) <= set(TOLD)
    for claim, part in TOLD:
        assert told_value(claim, part) is not None, "a name or key that the study's numbers lack is an error"
    assert told_value("C04", "no single layer forgets half") is None
    assert not study_summary().duplicated(["task", "model", "technique", "metric", "layer"]).any()


def test_the_study_stands_beside_ours_part_by_part(found: Callable[[pd.DataFrame], ByPlace]) -> None:
    world = found(table(true_world()))
    numbers, verdicts = claims_tables(("C02", "C07", "C08"), world)
    rows = numbers.set_index(["claim", "part"])
    assert rows.loc[("C08", "swapping with retraining"), "the study"] == "0.97", "written in its figure"
    assert rows.loc[("C08", "swapping with retraining"), "this copy"] == "1.00 (12 tasks, 4 models)"
    assert rows.loc[("C02", "swapping over gradients"), "the study"] == "0.33", ".98 less .65"
    assert rows.loc[("C07", "lowest of four"), "the study"] == "1.00 (12 tasks, 4 models)", (
        "by the rule, from digitised centres"
    )
    assert rows.loc[("C07", "lowest of four"), "how the study's is known"] == tabulate_claims.BY_RULE
    assert told_value("C11", "TREC and Reuters cross after separation")[0] == pytest.approx(2.5)  # type: ignore[index]
    later, how = told_value("C11", "TREC and Reuters cross later than NLU") or (0.0, "")
    assert later == pytest.approx(2.5 + (2.84 + 3.17 + 2.16 + 2.58 + 5.58) / 5)
    assert how.endswith("TREC and Reuters with the first seed")
    assert verdicts["verdict, this copy"].tolist() == ["holds (exploratory)"] * 3, (
        "settings were chosen on TREC and SST-2"
    )


def test_few_tasks_have_numbers_but_no_verdict(found: Callable[[pd.DataFrame], ByPlace]) -> None:
    few = table(true_world(), tasks=("rte", "mrpc", "cola"), models=("bert-base-cased",))
    numbers, verdicts = claims_tables(("C08", "C10", "C09", "C13"), found(few))
    assert set(verdicts["verdict, this copy"]) == {"cannot tell"}
    assert verdicts["reason, this copy"].str.contains("too little data").all()
    ours = numbers.set_index("part")["this copy"]
    assert ours["swapping with retraining"] == "1.00 (3 tasks, 1 model)"
    assert ours["start near the original class"] == "0.90 (3 tasks, 1 model)"
    assert ours["lower half kept stays wrong"] == "1.00 (3 trained models)"
    assert ours["every pair positive"] == "–", "one model agrees with nobody"
    two = claims_tables(("C08",), found(few[few["task"] != "cola"]))[0]
    assert set(two["this copy"]) == {"–"}, "two points always lie on a line"


def test_generated_tasks_are_no_evidence_and_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(numbers: Any, techniques: Sequence[str]) -> pd.DataFrame:
        raise AssertionError("computed for nothing")

    monkeypatch.setattr(tabulate_claims, "summary", fail)
    made: Any = Found("smoke")
    numbers, verdicts = claims_tables(about("probing"), made, made)
    assert set(numbers["this copy"]) == set(numbers["released run"]) == {"–"}
    assert set(verdicts["verdict, released run"]) == {"cannot tell"}
    assert (numbers["the study"] != "–").all()


def test_claims_about_a_technique() -> None:
    assert about("retraining") == about("gradients") == about("probing") == ["C01", "C02", "C08"]
    assert about("centroids") == ["C10", "C11", "C12", "C13", "C14"]
    assert {"C03", "C04", "C15"} <= set(about("swapping"))
