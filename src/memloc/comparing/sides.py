"""What is compared: a released run, or the study's published numbers, as one tidy summary and its verdicts."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from memloc.analysis.status import MEMORISED
from memloc.analysis.study_claims import study_summary
from memloc.analysis.summary import summary
from memloc.claims import Verdict, judge
from memloc.models.catalogue import get_model
from memloc.publishing.reading import rules
from memloc.publishing.tabulate_claims import real_rows
from memloc.publishing.tabulate_ledger import STUDY, of_source
from memloc.released import find_release, read_release

PAPER = ("study", "paper")  # how it is called for


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        name: as tables call it.
        rows: ``task, model, seed, technique, metric, layer, value`` of the cells that memorised.
        left_out: cells that did not, as ``(task, model, seed)``.
    """

    name: str
    rows: pd.DataFrame
    left_out: list[tuple[str, str, int]]

    @cached_property
    def means(self) -> pd.Series:
        """Values by ``task, model, technique, metric, layer`` (-1 where a metric has none), means over seeds."""
        rows = self.rows.assign(layer=self.rows["layer"].fillna(-1).astype(int))
        return rows.groupby(["task", "model", "technique", "metric", "layer"])["value"].mean()

    @property
    def runs(self) -> set[tuple[object, ...]]:
        """What tells rows of the same trained models: cell, technique and the key of the rows."""
        rows = self.rows[self.rows["technique"] != "training"]
        return set(rows[["task", "model", "seed", "technique", "run"]].itertuples(index=False, name=None))

    @property
    def tasks(self) -> list[str]:
        """The tasks in it, in order of appearance."""
        return list(dict.fromkeys(self.rows["task"]))

    @property
    def models(self) -> list[str]:
        """The models in it, in order of appearance."""
        return list(dict.fromkeys(self.rows["model"]))

    def verdicts(
        self, tasks: Collection[str] | None = None, models: Collection[str] | None = None
    ) -> dict[str, Verdict]:
        """Every claim by its rule; generated tasks and random weights are evidence of none.

        Args:
            tasks, models: the ones to judge by; all by default.
        """
        rows = real_rows(self.rows)
        rows = rows if tasks is None else rows[rows["task"].isin(tasks)]
        rows = rows if models is None else rows[rows["model"].isin(models)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # one unit has no spread
            return {claim.id: judge(of_source(claim, self.name), rows) for claim in rules().claims}


def read_side(asked: str) -> Side:
    """A side by name.

    Args:
        asked: ``study`` or ``paper``, a name in ``results/`` of the book's folder, or the folder of a released run.

    Raises:
        MemlocError: if there is none of that name, or its files were altered.
    """
    if asked in PAPER:
        return Side(STUDY, study_summary(), [])
    folder = find_release(asked, PAPER)
    release = read_release(folder)
    rows = summary(release)
    noisy = rows[(rows["technique"] == "training") & (rows["metric"] == "accuracy_noisy")]
    bad = noisy.loc[noisy["value"] < MEMORISED, ["task", "model", "seed"]]
    left_out = [(str(t), str(m), int(s)) for t, m, s in bad.itertuples(index=False)]
    cells = pd.MultiIndex.from_frame(rows[["task", "model", "seed"]])
    return Side(folder.resolve().name, rows[~cells.isin(left_out)], left_out)


def read_sides(first: str, second: str) -> tuple[Side, Side]:
    """Both sides, under names that tell them apart: folders of one name are called by their paths.

    Raises:
        MemlocError: as `read_side`.
    """
    sides, asked = [read_side(first), read_side(second)], (first, second)
    if sides[0].name == sides[1].name != STUDY:
        names = asked if first != second else (first, f"{second} again")
        sides = [replace(side, name=name) for side, name in zip(sides, names, strict=True)]
    return sides[0], sides[1]


def partners(first: Side, second: Side) -> list[tuple[str, str]]:
    """Which model is held beside which: the same one, else one of its family, the nearest in depth."""
    found = []
    for model in first.models:
        spec = get_model(model)
        alike = [other for other in second.models if get_model(other).architecture.name == spec.architecture.name]
        if model in second.models:
            found.append((model, model))
        elif alike:
            found.append((model, min(alike, key=lambda other: abs(get_model(other).layers - spec.layers))))
    return found
