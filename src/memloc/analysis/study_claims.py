"""What the study's own numbers come to by the rules of the claims, so that ours can stand beside them.

Two ways, in this order: a number that the study itself printed or drew (sums of such numbers, where a rule takes a mean
or a difference), or the rule's own statistic over the study's published values by task and model.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.events import largest_step
from memloc.analysis.layers import attainable_range, relative_depth
from memloc.analysis.study import Published, all_published, told
from memloc.analysis.summary import COLUMNS, Metric

_AT_1, _PEARSON = "control accuracy_at_1 by technique", "agreement of techniques, mcog, pearson"
_CROSSING, _DEPTH = "relation of crossing with generalisation_score", "relation of mcog with generalisation_score"
_LARGER = "centroid events with opt-1.3b, spearman"
_FOUR = ("bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m")
_NLU = ("wic", "rte", "mrpc", "cola", "boolq")
_GENERALISING = ("trec", "reuters")

Term = tuple[float, str, str]  # factor, name and key of ``study.told``


def _one(name: str, key: str) -> tuple[Term, ...]:
    return ((1.0, name, key),)


def _less(name: str, first: str, second: str) -> tuple[Term, ...]:
    return (1.0, name, first), (-1.0, name, second)


def _after_separation(sign: int, which: str, tasks: tuple[str, ...]) -> tuple[Term, ...]:
    """The mean over tasks of crossing less initiation."""
    events = ((sign, "crossing"), (-sign, "initiation"))
    return tuple((factor / len(tasks), f"{event} {which}", task) for factor, event in events for task in tasks)


# by claim and part, as claims.yml names them
TOLD: dict[tuple[str, str], tuple[Term, ...]] = {
    ("C01", "swapping nearly always"): _one(_AT_1, "swapping"),
    ("C01", "retraining nearly always"): _one(_AT_1, "retraining"),
    ("C01", "gradients above the best constant answer"): _one(_AT_1, "gradients"),
    ("C01", "probing above the best constant answer"): _one(_AT_1, "probing"),
    **{
        ("C01", f"{name} behind both"): ((0.5, _AT_1, "swapping"), (0.5, _AT_1, "retraining"), (-1.0, _AT_1, name))
        for name in ("gradients", "probing")
    },
    **{
        ("C02", f"{first} over {second}"): _less(_AT_1, first, second)
        for first, second in itertools.product(("swapping", "retraining"), ("gradients", "probing"))
    },
    ("C08", "swapping with retraining"): _one(_PEARSON, "swapping retraining"),
    ("C08", "gradients with swapping"): _one(_PEARSON, "swapping gradients"),
    ("C08", "gradients with retraining"): _one(_PEARSON, "retraining gradients"),
    ("C08", "probing with swapping"): _one(_PEARSON, "swapping probing"),
    ("C08", "probing with retraining"): _one(_PEARSON, "retraining probing"),
    ("C11", "NLU crosses first"): _after_separation(1, "by task", _NLU),
    ("C11", "TREC and Reuters cross later than NLU"): (
        *_after_separation(1, "by task, first seed", _GENERALISING),
        *_after_separation(-1, "by task", _NLU),
    ),
    ("C11", "TREC and Reuters cross after separation"): _after_separation(1, "by task, first seed", _GENERALISING),
    ("C12", "crossing"): tuple((0.25, _CROSSING, model) for model in _FOUR),
    ("C12", "M-CoG"): tuple((0.25, _DEPTH, model) for model in _FOUR),
    ("C14", "crossing carries over"): _one(_LARGER, "crossing"),
    ("C14", "crossing more than initiation"): _less(_LARGER, "crossing", "initiation"),
    ("C14", "initiation does not"): _one(_LARGER, "initiation"),
    ("C15", "same order with two classes"): _one("binarised tasks", "mcog, spearman with multi-class"),
}
OTHERWISE = {  # where the study's number is not quite the rule's
    ("C11", "TREC and Reuters cross later than NLU"): "TREC and Reuters with the first seed",
    ("C12", "M-CoG"): "of the mean M-CoG of four techniques",
    ("C15", "same order with two classes"): "over all models together",
}


def told_value(claim: str, part: str) -> tuple[float, str] | None:
    """What the study told of one part of a claim: the number, and how it is known; None where it told nothing."""
    terms = TOLD.get((claim, part))
    if terms is None:
        return None
    found = [told(name) for _, name, _ in terms]
    value = sum(factor * numbers.values[key] for (factor, _, key), numbers in zip(terms, found, strict=True))
    how = "; ".join(dict.fromkeys([numbers.how for numbers in found]))
    extra = OTHERWISE.get((claim, part))
    return value, f"{how}; {extra}" if extra else how


@functools.cache
def study_summary() -> pd.DataFrame:
    """The study's published values by task and model, in the form of ``analysis.summary.summary``.

    What was not published for every layer is left out where a number would need it. Nothing is told of training.
    """
    frames = []
    for found in all_published():
        for task, value in found.tasks.items():
            metrics = list(_metrics(found, value))
            frame = pd.DataFrame(metrics, columns=["metric", "layer", "value"]).astype({"layer": "Float64"})
            frames.append(frame.assign(task=task, model=found.model, technique=found.technique))
    return pd.concat(frames, ignore_index=True).assign(run="study", seed=1, n=1)[COLUMNS]


def _metrics(found: Published[Any], value: Any) -> Iterator[Metric]:
    kind = (found.technique, found.metric)
    if kind == ("swapping", "mcog"):
        from memloc.windows import windows

        bounds = attainable_range(windows(found.layers), found.layers)
        yield "mcog", None, float(value)
        yield "mcog_attainable_low", None, float(bounds[0])
        yield "mcog_attainable_high", None, float(bounds[1])
        yield "mcog_relative", None, float(relative_depth(np.array(value), bounds))
        yield "mcog_centred", None, (float(value) - (found.layers + 1) / 2) / found.layers
    elif kind == ("swapping", "layer_weight"):
        yield from (("layer_weight", layer, float(w)) for layer, w in enumerate(np.atleast_1d(value), start=1))
    elif kind[0] == "centroids" and found.metric in ("crossing", "initiation"):
        yield found.metric, None, float(value)
    elif kind == ("centroids", "noisy_mean"):
        curve = np.atleast_1d(value)
        yield "noisy_start_position", None, float(curve[0])
        yield "noisy_end_position", None, float(curve[-1])
        if np.isfinite(curve).all():
            yield "noisy_largest_step", None, largest_step(curve)
