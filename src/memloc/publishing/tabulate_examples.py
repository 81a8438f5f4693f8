"""Single examples on a page of the atlas: by number alone, and with their texts only where the reader has the data."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from memloc.data.catalogue import get_task
from memloc.errors import MemlocError
from memloc.publishing.atlas import page_name
from memloc.publishing.figures import listed, model_title
from memloc.publishing.reading import Place, open_study
from memloc.publishing.reading_atlas import Entry
from memloc.publishing.reading_maps import together
from memloc.publishing.tabulate import example_table

SHOWN = 5  # examples a row
HARDEST = "clean, hardest: least probable by models not trained on it"
MOST = "clean, most memorised: probability gained by training on it"
GUESSED = "noisy, least memorised: probability of the wrong label gained by training on it"
KEPT = "noisy, hardest to forget: share of swapped windows that leave its wrong label"
LOST = "noisy, first forgotten: share of swapped windows that leave its wrong label"


def hardest_table(entry: Entry) -> pd.DataFrame:
    """The examples at the ends of each scale, as numbers of rows in the published file; never their texts."""
    rows = [row for run in entry.runs for row in (*_by_maps(entry, run), *_by_swapping(entry, run))]
    return pd.DataFrame(rows or [{"examples": "neither maps nor swapping were run"}])


def _by_maps(entry: Entry, run: str) -> Iterator[dict[str, str]]:
    for place, frame in _details(entry, run, "maps", "map"):
        found = together(frame).set_index("idx")
        clean, noisy = (found[found["group"] == group] for group in ("clean", "noisy"))
        yield _row(run, place, HARDEST, clean["generalisation"].nsmallest(SHOWN))
        yield _row(run, place, MOST, clean["counterfactual"].nlargest(SHOWN))
        yield _row(run, place, GUESSED, noisy["counterfactual"].nsmallest(SHOWN))


def _by_swapping(entry: Entry, run: str) -> Iterator[dict[str, str]]:
    for place, frames in _details(entry, run, "swapping", "outcomes"):
        whole = pd.concat(frames)
        kept = whole[whole["group"] == "noisy"].groupby("idx")["correct"].mean()
        yield _row(run, place, KEPT, kept.nlargest(SHOWN))
        yield _row(run, place, LOST, kept.nsmallest(SHOWN))


def _details(entry: Entry, run: str, technique: str, name: str) -> Iterator[tuple[Place, list[pd.DataFrame]]]:
    """A table of a technique by place, a frame a seed that memorised, without what another run has too."""
    if (told := entry.told(run, technique)) is None:
        return
    for place in told.places:
        cells = [cell for cell in told.study.numbers.cells() if (cell.task, cell.model) == place]
        yield place, [told.study.numbers.detail(cell, technique, name) for cell in cells]


def _row(run: str, place: Place, what: str, values: pd.Series) -> dict[str, str]:
    told = [f"{idx} ({value:z.2f})" for idx, value in values.items()]
    return {"examples": what, "rows of the published file (value)": listed(told)} | {
        "model": model_title(place[1]),
        "run": run,
    }


def examples(task: str, source: str | None, unmask: bool = False, rows: int = SHOWN) -> pd.DataFrame:
    """The first training examples, where the page is executed with data at hand; else a sentence.

    Args:
        task: of the atlas.
        source: ``hub`` or ``files``, where the reader has the data; None shows no text.
        unmask: show texts that the catalogue warns of too.
        rows: how many.

    Raises:
        MemlocError: if the data cannot be read from that source, or ``unmask`` is no truth value.
    """
    page_name("task", task)
    if type(unmask) is not bool:
        raise MemlocError("unmask", unmask, "True or False")
    if source in (None, "generated"):  # what a chapter on generated tasks was asked for says nothing of real ones
        return pd.DataFrame({"examples": ["not shown: this copy was made without the texts"]})
    shown = example_table(open_study("paper", source, [task]), unmask, rows)
    hidden = get_task(task).warning and not unmask
    return shown.assign(note="masked") if hidden else shown
