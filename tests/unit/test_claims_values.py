"""From rows to units: which cells take part, and how they are averaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from claims_world import LARGER, MODELS, MULTICLASS, TASKS, depth, table, true_world

from memloc.claims import judge, load_claims
from memloc.claims.values import eligible, extract
from memloc.errors import MemlocError

CLAIMS = load_claims()


def _sample(claim_id, index=0, summary=None, **changes):
    claim = CLAIMS[claim_id]
    if summary is None:
        summary = table({**true_world(), **changes.pop("world", {})}, only=claim.needs, **changes)
    return extract(claim.parts[index], eligible(claim, summary), claim)


def test_seeds_are_averaged_before_models():
    """One model with two seeds and three with one: each model counts once."""
    summary = table(true_world(), seeds=(1,), only=CLAIMS["C05"].needs)
    more = table({**true_world(), ("swapping", "mcog"): lambda t, m, s: 20.0}, models=MODELS[:1], seeds=(2,))
    got = _sample("C05", summary=pd.concat([summary, more]))
    first = summary[(summary["metric"] == "mcog") & (summary["task"] == got.units[0])].set_index("model")["value"]
    expected = ((first[MODELS[0]] + 20) / 2 + sum(first[m] for m in MODELS[1:])) / 4
    assert got.arrays["value"][0, 0] == pytest.approx(expected)
    assert got.seeds == 1


def test_the_larger_model_and_binarised_tasks_stay_out_unless_asked_for():
    assert _sample("C05").units == tuple(sorted(TASKS))
    assert _sample("C05").models == tuple(sorted(MODELS))
    assert LARGER in _sample("C14").models
    binary = _sample("C15", world={("swapping", "mcog"): lambda t, m, s: depth(t) + 100 * t.endswith("v2")})
    assert binary.units == tuple(sorted(MULTICLASS))
    assert (binary.arrays["other"] - binary.arrays["value"] == 100).all()


def test_a_cell_that_misses_a_requirement_is_left_out_and_named():
    world = {("training", "accuracy_noisy"): lambda t, m, s: 0.5 if (t, m) == ("trec", "opt-125m") else 0.99}
    sample = _sample("C05", world=world)
    assert "trec" not in sample.units
    assert sample.incomplete == ("trec",)
    claim = CLAIMS["C05"]
    assert "trec" in judge(claim, table({**true_world(), **world}, only=claim.needs)).reason


def test_a_requirement_touches_only_the_techniques_it_applies_to():
    """An ensemble has no trained model of its own that could have memorised or not."""
    claim = CLAIMS["C12"]
    summary = table(true_world(), only=claim.needs)
    summary.loc[summary["technique"] == "maps", "seed"] = 0
    assert len(_sample("C12", summary=summary.drop_duplicates()).units) == len(TASKS)


def test_missing_windows_leave_a_cell_out():
    world = {("swapping", "window_coverage"): lambda t, m, s: 0.9 if t == "sst2" else 1.0}
    assert "sst2" not in _sample("C03", world=world).units


def test_differences_and_minima_over_models():
    sample = _sample("C07")
    assert sample.arrays["value"][:, 0] == pytest.approx(-0.6)
    assert sample.models == tuple(sorted(MODELS))


def test_several_techniques_are_averaged_and_all_needed():
    assert _sample("C01", 4).arrays["value"].mean() == pytest.approx(0.99 - 0.65, abs=0.05)
    claim = CLAIMS["C01"]
    summary = table(true_world(), only=claim.needs)
    assert _sample("C01", 4, summary=summary[summary["technique"] != "retraining"]).units == ()


def test_the_trend_over_layers_needs_all_of_them():
    falling = _sample("C06", 1)
    assert falling.arrays["value"] == pytest.approx(-1)
    claim = CLAIMS["C06"]
    summary = table(true_world(), only=claim.needs)
    gap = summary[~((summary["metric"] == "layer_weight") & (summary["layer"] == 2) & (summary["task"] == "rte"))]
    assert "rte" in _sample("C06", 1, summary=gap).incomplete
    flat = table(true_world(), only=claim.needs, weight=lambda task, layer: 0.5)
    assert _sample("C06", 1, summary=flat).arrays["value"] == pytest.approx(0)


def test_units_of_the_mrpc_claim_are_trained_models():
    sample = _sample("C13", models=MODELS[:2])
    assert len(sample.units) == 6
    assert sample.units[0] == "bert-base-cased seed 1"
    assert sample.tasks == ("mrpc",)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda s: s.drop(columns="layer"), "missing columns of the summary.*layer"),
        (lambda s: pd.concat([s, s.iloc[:1]]), "each thing measured once"),
        (lambda s: s.assign(value=np.inf), "finite numbers"),
    ],
)
def test_a_spoilt_summary_is_refused(spoil, told):
    summary = table(true_world(), tasks=TASKS[:2], only=CLAIMS["C05"].needs)
    with pytest.raises(MemlocError, match=told):
        judge("C05", spoil(summary))


def test_empty_values_count_as_not_measured():
    claim = CLAIMS["C05"]
    summary = table(true_world(), only=claim.needs)
    summary.loc[(summary["metric"] == "mcog") & (summary["task"] == "wic"), "value"] = np.nan
    assert "wic" not in _sample("C05", summary=summary).units
