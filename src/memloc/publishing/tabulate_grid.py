"""Tables of the page of the whole grid."""

from __future__ import annotations

import pandas as pd

from memloc.pipeline import CellId
from memloc.publishing.reading_techniques import Told
from memloc.publishing.studies import ReleasedStudy
from memloc.publishing.style import sort_tasks
from memloc.wording import DASH


def rows_table(centroids: Told) -> pd.DataFrame:
    """How many examples there are of each task, and how many noisy ones of a pair of classes (given, original).

    Few of a pair are left out of centroid positions; the last column says how many noisy examples are in the others.
    """
    study = centroids.study
    assert isinstance(study, ReleasedStudy)  # whose manifest has the counts
    rows = []
    for task in sort_tasks({place[0] for place in centroids.all_places}):
        cells = [cell for cell in study.release.cells() if cell.task == task]
        counts = {study.release.training_rows(cell) for cell in cells}
        classes = study.release.classes(cells[0])
        pairs = classes * (classes - 1)
        pooled = {_pooled(study, cell) for cell in cells}
        rows.append(
            {
                "task": task,
                "training rows": _either([train for train, _ in counts]),
                "noisy": _either([noisy for _, noisy in counts]),
                "classes": str(classes),
                "ordered pairs": str(pairs),
                "noisy a pair": f"{sum(noisy for _, noisy in counts) / len(counts) / pairs:.1f}",
                "noisy in pairs that count": _either(pooled),
            }
        )
    return pd.DataFrame(rows)


def _pooled(study: ReleasedStudy, cell: CellId) -> int:
    rows = study.numbers.rows(cell, "centroids")
    return int(rows.loc[(rows["metric"] == "noisy_mean") & (rows["arm"] == "perturbed"), "n"].max())


def _either(values: list[int] | set[int]) -> str:
    """One number, or the lowest and the highest where data seeds or models differ."""
    known = sorted(set(values))
    if not known:
        return DASH
    return str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"
