"""Tables of layer swapping: where each task and model memorises, and what the rules of the claims say about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.summary import shortest_forgetting, summary
from memloc.claims import first_run_commit, judge_all, load_claims, rule_commit
from memloc.data.catalogue import get_task
from memloc.models.catalogue import get_model
from memloc.publishing import project_root
from memloc.publishing.figures import model_title
from memloc.publishing.reading import CELL, Place, Swapping


def swapping_table(swapping: Swapping) -> pd.DataFrame:
    """Where each task and model memorises, in numbers; a place that was not memorised has none."""
    rows = [_swapping_row(swapping, place) for place in swapping.all_places]
    return pd.DataFrame(rows).fillna("")


def _swapping_row(swapping: Swapping, place: Place) -> dict[str, Any]:
    row: dict[str, Any] = {"task": place[0], "model": model_title(place[1])}
    if place not in swapping.places:
        return row | {"status": "not memorised"}
    found = swapping.places[place]
    single = int(np.argmax(found.weight_k1.value))
    return row | {
        "status": "" if place in swapping.counted else "not learnt",
        "seeds": str(found.seeds),
        "noisy examples": str(found.noisy),
        "M-CoG [95 %]": f"{found.mcog.value:.2f} [{found.mcog.low:.2f}, {found.mcog.high:.2f}]",
        "attainable": f"{found.bounds[0]:.2f} to {found.bounds[1]:.2f}",
        "M-CoG, k = 1": f"{found.mcog_k1.value:.2f}",
        "most forgotten by one layer": f"{found.weight_k1.value[single]:.2f} (layer {single + 1})",
        "shortest window that forgets 90 %": shortest_window(swapping, place),
        "lowest accuracy on clean": f"{found.clean:.3f}",
    }


def shortest_window(swapping: Swapping, place: Place) -> str:
    """Length of the shortest window that forgets nine in ten noisy examples, seeds averaged; or ``none``."""
    rows = swapping.rows.merge(swapping.status.loc[swapping.status["memorised"], CELL])
    here = rows[(rows["task"] == place[0]) & (rows["model"] == place[1])]
    noisy = here[here["group"] == "noisy"].groupby(["window_start", "window_length"])["value"].mean()
    num_layers = len(swapping.places[place].weight.value)
    length = shortest_forgetting(list(noisy.index), noisy.to_numpy(), num_layers)
    return str(length) if length <= num_layers else "none"


def claims_table(swapping: Swapping, released: Swapping | None = None) -> pd.DataFrame:
    """The claims that swapping can speak to, and their verdicts on this study and on the released run."""
    provided = {"swapping", "training"}
    relevant = [c for c in load_claims().claims if {technique for technique, _ in c.needs} <= provided]
    table = pd.DataFrame(
        {
            "claim": [claim.id for claim in relevant],
            "finding": [claim.finding for claim in relevant],
            "rule": [f"version {claim.version}" for claim in relevant],
        }
    )
    for run, end in ((swapping, ""), (released, ", released run")):
        if run is not None:
            verdicts = _verdicts(run).loc[table["claim"]]
            for column in ("verdict", "reason"):
                table[f"{column}{end}"] = verdicts[column].to_numpy()
    return table


def _verdicts(swapping: Swapping) -> pd.DataFrame:
    """The verdicts on a study's real tasks and pre-trained models, by claim.

    Findings are about natural language and pre-trained models. Rows of generated tasks or of models with random
    weights are no evidence for or against them, so they are not given to the rules.
    """
    told = summary(swapping.study.numbers, techniques=("swapping",))
    real = told["task"].map(lambda t: get_task(t).group != "generated").astype(bool)
    trained = told["model"].map(lambda m: get_model(m).pretrained).astype(bool)
    real &= swapping.study.profile.source != "generated"
    return judge_all(told[real & trained]).query("not superseded").set_index("claim")


def commits() -> dict[str, str]:
    """When the rules were fixed and when results were first committed, in words; git is asked."""
    rule = rule_commit()
    first = first_run_commit(project_root() / "results")
    words = f"commit {rule.hash} of {rule.date[:10]}{', changed since' if rule.modified else ''}" if rule else ""
    return {
        "rule": words or "a commit that cannot be told here (no git history)",
        "first-run": f"commit {first.hash} of {first.date[:10]}" if first else "not committed yet",
    }
