"""Each of the fifteen rules reaches each of its three verdicts, and tells why it could not."""

from __future__ import annotations

import pandas as pd
import pytest
from claims_world import DEEP, LARGER, MIXED, MODELS, MULTICLASS, NLU, TASKS, depth, table, true_world

from memloc.claims import judge, judge_all, load_claims
from memloc.errors import MemlocError

CLAIMS = load_claims()
IDS = [claim.id for claim in CLAIMS.claims]


def _mixed(task, model, seed):
    return MIXED[depth(task)]


def _some(*tasks):
    """1 for the named tasks, else 0: how far a table departs from the finding."""
    return lambda task: float(task in tasks)


few = _some(*TASKS[2:4], *TASKS[5:7])  # four of twelve, two of nine control tasks, two of five NLU tasks

# What differs from the world in which the finding is true, so that the rule must say no.
REFUTED = {
    "C01": {("swapping", "accuracy_at_1"): lambda t, m, s: 0.6 + 0.01 * depth(t)},
    "C02": {("probing", "accuracy_at_1"): lambda t, m, s: 0.97},
    "C03": {("swapping", "acc_clean_min_window"): lambda t, m, s: 0.9 if m == MODELS[0] and depth(t) > 3 else 0.99},
    "C04": {("swapping", "acc_noisy_single_layer_min"): lambda t, m, s: 0.3 if depth(t) > 3 else 0.8},
    "C05": {("swapping", "mcog"): lambda t, m, s: 7 - 0.08 * depth(t)},
    "C06": {("swapping", "mcog_centred"): lambda t, m, s: 0.1 + 0.001 * depth(t)},
    "C07": {("swapping", "mcog"): lambda t, m, s: 6.0 - (m == "opt-125m")},
    "C08": {("retraining", "mcog"): lambda t, m, s: 7 - 0.08 * depth(t)},
    "C09": {("swapping", "mcog"): lambda t, m, s: depth(t) * (-1 if m == "opt-125m" else 1)},
    "C10": {("centroids", "noisy_end_position"): lambda t, m, s: 0.6 + 0.01 * depth(t)},
    "C11": {("centroids", "initiation"): lambda t, m, s: 2 + 0.1 * depth(t)},
    "C12": {("maps", "generalisation_score"): lambda t, m, s: 0.9 - 0.04 * depth(t)},
    "C13": {("centroids", "noisy_end_position_upper_from_normal"): lambda t, m, s: 0.8},
    "C14": {("centroids", "crossing"): lambda t, m, s: 3 + depth(t) * (-1 if m == LARGER else 1)},
    "C15": {("swapping", "mcog"): lambda t, m, s: depth(t) * (-1 if t.endswith("v2") else 1)},
}
# What is neither shown nor excluded.
OPEN = {
    "C01": {("gradients", "accuracy_at_1"): lambda t, m, s: 0.36 + 0.3 * (depth(t) % 2) - 0.15},
    "C02": {("probing", "accuracy_at_1"): lambda t, m, s: 1.0 - 0.35 * (depth(t) % 3 == 0)},
    "C03": {("swapping", "acc_clean_min_window"): lambda t, m, s: 0.985 - 0.01 * few(t) * (depth(t) < 6)},
    "C04": {("swapping", "smallest_window_forgetting_90"): lambda t, m, s: 4 - 2 * few(t) * (depth(t) < 4)},
    "C05": {("swapping", "mcog"): lambda t, m, s: 6 + 0.01 * _mixed(t, m, s)},
    "C06": {("swapping", "mcog_centred"): lambda t, m, s: 0.05 - 0.01 * depth(t)},
    "C07": {("swapping", "mcog"): lambda t, m, s: 6 + (m == "pythia-160m") * (1 if t == "rte" else -1)},
    "C08": {("gradients", "mcog"): lambda t, m, s: 6 + 0.08 * depth(t) + 0.5 * ((depth(t) * 5) % 7 > 4)},
    "C09": {("swapping", "mcog"): lambda t, m, s: _mixed(t, m, s) if m == "opt-125m" else depth(t)},
    "C10": {("centroids", "noisy_largest_step"): lambda t, m, s: 0.4 + 0.4 * few(t) * (depth(t) < 4)},
    "C11": {("centroids", "crossing"): lambda t, m, s: 5 + 4 * (depth(t) % 3)},
    "C12": {("maps", "generalisation_score"): _mixed},
    "C13": {("centroids", "noisy_end_position_lower_from_normal"): lambda t, m, s: 0.8 - 0.5 * (s == 3)},
    "C14": {("centroids", "crossing"): lambda t, m, s: MIXED[depth(t)] if m == LARGER else depth(t)},
    "C15": {("swapping", "mcog"): lambda t, m, s: MIXED[depth(t)] if t.endswith("v2") else depth(t)},
}


def _judge(claim_id, changes=None, **restricted):
    claim = CLAIMS[claim_id]
    return judge(claim, table({**true_world(), **(changes or {})}, only=claim.needs, **restricted))


@pytest.mark.parametrize("claim_id", IDS)
def test_holds(claim_id):
    verdict = _judge(claim_id)
    assert verdict.verdict == "holds", verdict
    assert verdict.p_value <= 0.05
    assert verdict.interval[0] <= verdict.statistic <= verdict.interval[1]


@pytest.mark.parametrize("claim_id", IDS)
def test_does_not_hold(claim_id):
    verdict = _judge(claim_id, REFUTED[claim_id])
    assert verdict.verdict == "does not hold", verdict


@pytest.mark.parametrize("claim_id", IDS)
def test_cannot_tell(claim_id):
    verdict = _judge(claim_id, OPEN[claim_id])
    assert verdict.verdict == "cannot tell", verdict
    assert "too little data" not in verdict.reason
    assert verdict.statistic == verdict.statistic  # a number, not a gap


# The smallest tables that can still show the finding (elsewhere the whole set of tasks is the minimum).
SMALLEST = {
    "C01": ("wic", "cola", "sst5", "sst2", "reuters"),
    "C02": ("wic", "cola", "sst5", "sst2", "reuters"),
    "C03": NLU,
    "C04": NLU,
    "C05": (*NLU[:3], *DEEP),
    "C06": NLU,
    "C07": TASKS[:6],
    "C08": (*TASKS[:3], *TASKS[-3:]),
    "C09": TASKS[:6],
    "C10": NLU,
    "C12": TASKS[:6],
}


@pytest.mark.parametrize("claim_id", SMALLEST)
def test_the_minimum_suffices_and_one_task_fewer_does_not(claim_id):
    tasks = SMALLEST[claim_id]
    assert _judge(claim_id, tasks=tasks).verdict == "holds"
    verdict = _judge(claim_id, tasks=tasks[1:])
    assert (verdict.verdict, "too little data" in verdict.reason) == ("cannot tell", True)
    assert verdict.p_value != verdict.p_value  # not a number


@pytest.mark.parametrize(
    ("claim_id", "restricted", "told"),
    [
        ("C07", {"models": MODELS[:3]}, "no eligible rows of mcog of swapping (models: neox)"),
        ("C07", {"models": MODELS[1:]}, "3 of at least 4 models"),
        ("C09", {"models": MODELS[:2]}, "2 of at least 3 models"),
        ("C13", {"seeds": (1, 2)}, "2 of at least 3 seeds"),
        ("C14", {"models": MODELS}, "no eligible rows of crossing of centroids (models: larger)"),
        ("C05", {"tasks": [t for t in TASKS if t not in NLU[1:]]}, "1 tasks in the group and 7 outside"),
        ("C05", {"tasks": (*NLU, *DEEP[:1])}, "6 of at least 7 tasks"),
        ("C13", {"models": MODELS[:1]}, "3 of at least 5 trained models"),
        ("C15", {"tasks": TASKS}, "no eligible rows of mcog of swapping (binarised tasks)"),
        ("C15", {"tasks": [*TASKS, *(f"{t}v2" for t in MULTICLASS[1:])]}, "left out as not complete: sst5"),
        ("C11", {"tasks": [t for t in TASKS if t != "reuters"]}, "6 of at least 7 tasks"),
    ],
)
def test_minimum_data_is_named(claim_id, restricted, told):
    verdict = _judge(claim_id, **restricted)
    assert (verdict.verdict, told in verdict.reason) == ("cannot tell", True), verdict.reason


def test_exploratory_only_where_a_task_seen_in_development_contributed():
    assert _judge("C12").exploratory
    assert _judge("C12", tasks=[t for t in TASKS if t != "trec"]).exploratory
    assert not _judge("C12", tasks=[t for t in TASKS if t not in ("trec", "sst2")]).exploratory
    assert _judge("C01").exploratory  # the control tasks leave TREC out, not SST-2
    assert not _judge("C13").exploratory


def test_unknown_claims_and_metrics_are_answered_with_near_misses():
    summary = table(true_world(), tasks=TASKS[:1])
    with pytest.raises(MemlocError, match=r"unknown claim.*'C1'.*did you mean"):
        judge("C1", summary)
    with pytest.raises(MemlocError, match=r"unknown metric.*'mcogg'.*did you mean mcog"):
        judge("C05", summary.replace({"metric": {"mcog": "mcogg"}}))


def test_judge_all_gives_each_claim_once_with_holm_beside_it():
    frame = judge_all(table(true_world()))
    assert set(frame["verdict"]) == {"holds"}
    frame = frame[~frame["superseded"]].set_index("claim")
    assert list(frame.index) == IDS
    assert (frame["p_holm"] >= frame["p_value"]).all()
    assert frame["p_holm"].min() == pytest.approx(15 * frame["p_value"].min())
    assert frame.loc["C05", ["low", "statistic", "high"]].is_monotonic_increasing


def test_pythia_s_place_is_taken_by_the_model_of_its_family():
    """Version 2 of C07 judges the shipped models as version 1 judged the study's, and the study's as before."""
    named = dict(zip(MODELS, ("nano-bert", "nano-opt", "nano-gpt-neo", "nano-gpt-neox"), strict=True))
    summary = table(true_world())
    told = {}
    for models, rows in (("study", summary), ("shipped", summary.replace({"model": named}))):
        frame = judge_all(rows).query("claim == 'C07'").set_index("rule_version")
        told[models] = frame["statistic"].to_dict(), frame["verdict"].to_dict()
    assert told["study"][0][1] == told["study"][0][2] == told["shipped"][0][2]
    assert told["study"][1] == {1: "holds", 2: "holds"}
    assert told["shipped"][1] == {1: "cannot tell", 2: "holds"}


def test_holm_by_hand():
    from memloc.claims.verdict import holm

    adjusted = holm(pd.Series({"a": 0.03, "b": 0.01, "c": float("nan"), "d": 0.04}))
    assert adjusted.round(6).to_dict() == pytest.approx(
        {"a": 0.06, "b": 0.03, "c": float("nan"), "d": 0.06}, nan_ok=True
    )


def test_an_empty_summary_cannot_tell_anything():
    frame = judge_all(table(true_world()).iloc[:0])
    assert set(frame["verdict"]) == {"cannot tell"}
    assert frame["p_holm"].isna().all()
