"""The study's own numbers: complete, checked when read, and in line with one another."""

from __future__ import annotations

import copy
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import spearmanr

from memloc.analysis import study
from memloc.analysis.agreement import between_techniques
from memloc.analysis.layers import centre_of_gravity
from memloc.analysis.study import (
    check,
    event_by_task,
    published,
    published_agreement,
    published_curves,
    told,
    told_names,
)
from memloc.data.catalogue import get_task
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model

FOUR = ("bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m")


def content() -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (study.FILE, study.CURVES))
    return copy.deepcopy(first), copy.deepcopy(second)


def test_models_and_tasks_are_those_of_the_catalogues() -> None:
    numbers, curves = content()
    for model, about in numbers["models"].items():
        assert get_model(model).layers == about["layers"]
    for entry in [*numbers["published"], *curves["curves"]]:
        for task in entry["tasks"]:
            get_task(task)
    assert set(numbers["models"]) == {*FOUR, "opt-1.3b"}


def test_every_number_has_its_source() -> None:
    references = (Path(__file__).parents[2] / "book" / "references.bib").read_text()
    assert f"{{{published().source}," in references
    assert told("control chance").source == published().source
    assert len(told_names()) == len(set(told_names()))


@pytest.mark.parametrize("model", [*FOUR, "opt-1.3b"])
def test_published_centres_follow_from_the_published_curves(model: str) -> None:
    curves, centres = published_curves(model=model), published(model=model)
    for task, curve in curves.tasks.items():
        weight = pd.Series(curve).interpolate(limit_direction="both").to_numpy()
        assert centre_of_gravity(weight) == pytest.approx(centres.tasks[task], abs=0.1)


def test_our_agreement_of_techniques_on_published_curves_is_the_published_one() -> None:
    """Curves of two techniques were published, and their correlation: the same definition must give about the same."""
    rows = []
    for model in FOUR:
        curves = [published_curves("swapping", "layer_weight", model), published_curves("probing", "f1_noise", model)]
        for task in curves[0].tasks:
            weight, f1 = (pd.Series(c.tasks[task]).interpolate(limit_direction="both").to_numpy() for c in curves)
            for technique, values in (("swapping", weight), ("probing", np.maximum(0, np.diff(f1, prepend=0)))):
                rows += [(task, model, technique, "layer_weight", layer, v) for layer, v in enumerate(values, start=1)]
                rows.append((task, model, technique, "mcog", None, float(centre_of_gravity(values))))
    table = pd.DataFrame(rows, columns=["task", "model", "technique", "metric", "layer", "value"])
    for layerwise, metric in ((True, "layer_weight"), (False, "mcog")):
        row = between_techniques(table, layerwise, resamples=10).iloc[0]
        found = told(f"agreement of techniques, {metric}, pearson").values["swapping probing"]
        assert row["value"] == pytest.approx(found, abs=0.1)
        assert row["n"] == (576 if layerwise else 48)


@pytest.mark.parametrize("measure", ["mcog", "layer_weight"])
def test_agreement_is_told_of_every_pair(measure: str) -> None:
    assert published_agreement("techniques", measure)[frozenset(("probing", "gradients"))] < 0.5
    assert set(published_agreement("models", measure)) == {frozenset(pair) for pair in combinations(FOUR, 2)}
    with pytest.raises(MemlocError, match="numbers of the study"):
        published_agreement("seeds", measure)


@pytest.mark.parametrize("event", ["crossing", "initiation"])
def test_events_of_tasks_and_their_variants_give_back_what_was_printed_of_them(event: str) -> None:
    layers = {task: layer for task, (layer, _) in event_by_task(event).items()}
    tasks = [task for task in layers if f"{task}v2" in layers]
    many, two = (np.array([layers[f"{task}{form}"] for task in tasks]) for form in ("", "v2"))
    printed = told("binarised tasks").values
    assert np.mean(two - many) == pytest.approx(printed[f"mean difference of {event}"], abs=0.005)
    rho = spearmanr(many, two).statistic
    assert rho == pytest.approx(printed[f"{event}, spearman with multi-class"], abs=0.005)
    over_seeds = told(f"{event} by task").values
    assert over_seeds.items() <= layers.items(), "the first seed stands in only where nothing else is known"
    with pytest.raises(MemlocError, match="event by task: 'crosing'"):
        event_by_task("crosing")


def test_unknown_numbers_are_refused_with_those_there_are() -> None:
    with pytest.raises(MemlocError, match="published numbers"):
        published("retraining")
    with pytest.raises(MemlocError, match="published curves"):
        published_curves("retraining")
    with pytest.raises(MemlocError, match="did you mean control chance"):
        told("control chanse")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, c: n["published"].append(n["published"][0]), "twice"),
        (lambda n, c: n["published"][0].pop("how"), "exactly how, metric, model"),
        (lambda n, c: n["published"][0].update(how=""), "how the numbers were read"),
        (lambda n, c: n["published"][0].update(model="bert-base"), "did you mean bert-base-cased"),
        (lambda n, c: n["published"][0].update(tolerance=-1), "tolerance of"),
        (lambda n, c: n["published"][0]["tasks"].update(trec="6"), "trec of published entry"),
        (lambda n, c: n["told"][0]["values"].update(swapping=float("nan")), "finite numbers"),
        (lambda n, c: c["curves"][0]["tasks"]["trec"].pop(), "12 layers"),
        (lambda n, c: c["curves"][0]["tasks"]["trec"].__setitem__(0, True), "trec of curves entry"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(change: Any, words: str) -> None:
    numbers, curves = content()
    check(numbers, curves)
    change(numbers, curves)
    with pytest.raises(MemlocError, match=words):
        check(numbers, curves)
