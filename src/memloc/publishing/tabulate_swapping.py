"""The table of layer swapping: where each task and model memorises."""

from __future__ import annotations

from typing import Any

import pandas as pd

from memloc.analysis.summary import shortest_forgetting
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
    return row | {
        "status": "" if place in swapping.counted else "not learnt",
        "seeds": str(found.seeds),
        "noisy examples": str(found.noisy),
        "M-CoG [95 %]": str(found.mcog),
        "attainable": f"{found.bounds[0]:z.2f} to {found.bounds[1]:z.2f}",
        "M-CoG, k = 1": found.centre_k1,
        "most forgotten by one layer": found.most_by_one,
        "shortest window that forgets 90 %": shortest_window(swapping, place),
        "lowest accuracy on clean": f"{found.clean:z.3f}",
    }


def shortest_window(swapping: Swapping, place: Place) -> str:
    """Length of the shortest window that forgets nine in ten noisy examples, seeds averaged; or ``none``."""
    rows = swapping.rows.merge(swapping.status.loc[swapping.status["memorised"], CELL])
    here = rows[(rows["task"] == place[0]) & (rows["model"] == place[1])]
    noisy = here[here["group"] == "noisy"].groupby(["window_start", "window_length"])["value"].mean()
    num_layers = len(swapping.places[place].weight.value)
    length = shortest_forgetting(list(noisy.index), noisy.to_numpy(), num_layers)
    return str(length) if length <= num_layers else "none"
