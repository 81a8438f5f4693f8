"""What a page of the atlas calls to get its data: every released run, narrowed to one task or one family of models.

Runs are found by looking into ``results/``, so that a run that is released later appears by itself. Two runs may share
cells; what was computed once is shown once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from memloc import tables
from memloc.analysis.intervals import WINDOWED, Interval
from memloc.analysis.weights import KNOWN, WITHOUT_WEIGHTS, LayerWeights
from memloc.data.counting import COUNTS
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId
from memloc.profiles.loading import GENERATED
from memloc.profiles.variants import is_variant
from memloc.publishing import project_root
from memloc.publishing.atlas import page_name
from memloc.publishing.reading import CELL, Place, ReleasedStudy, open_release, read_swapping, read_training
from memloc.publishing.reading_techniques import WEIGHING, Told, read_told
from memloc.sealed import MANIFEST, kind_of, read_manifest

# runs that are known, in this order; others follow by name
FIRST = ("nano", "nano-retraining", "nano-maps", "nano-control", "small", "techniques", "maps", "control")


@dataclass(frozen=True)
class Found:
    """Where one technique of one released run puts the memory of one task and model.

    Attributes:
        run: the run's name, the folder below ``results/``.
        technique, place: what was asked, and of which task and model.
        weights: layer weights by the technique's default rule, with the attainable range of their M-CoG.
        centre: M-CoG with its interval, where there is one.
        seeds: number of seeds that memorised.
        counted: whether conclusions rest on it: the task was learnt too.
    """

    run: str
    technique: str
    place: Place
    weights: LayerWeights
    centre: Interval
    seeds: int
    counted: bool


@dataclass(frozen=True)
class Entry:
    """What the released runs tell of one task, or of one family.

    Attributes:
        name: of the task or family.
        runs: the runs that have cells of it, narrowed to these cells, by name.
    """

    name: str
    runs: dict[str, ReleasedStudy]
    _told: dict[tuple[str, str], Told | None] = field(default_factory=dict, compare=False, repr=False)
    _status: dict[str, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    @property
    def folders(self) -> list[str]:
        """Of the runs, as seen from the root of the book."""
        return [study.folder for study in self.runs.values()]

    @cached_property
    def found(self) -> list[Found]:
        """Everything that weighs layers; techniques in the order of all figures."""
        several = [(run, name) for run, study in self.runs.items() for name in study.profile.techniques]
        order = sorted(dict.fromkeys(name for _, name in several), key=_order)
        return [f for name in order for run, technique in several if technique == name for f in self._of(run, name)]

    def _of(self, run: str, technique: str) -> list[Found]:
        told = self.told(run, technique)
        if told is None or not weighs(told):
            return []
        windowed = read_swapping(told.study, technique, told.status).places if technique in WINDOWED else {}
        return [
            Found(
                run,
                technique,
                place,
                told.weights[place],
                windowed[place].mcog if windowed else told.centre(place),
                len(seeds),
                place in told.counted,
            )
            for place, seeds in told.places.items()
        ]

    def told(self, run: str, technique: str) -> Told | None:
        """The rows of a technique in a run, without those that another run has too."""
        if (run, technique) not in self._told:
            self._told[run, technique] = self._read(run, technique)
        return self._told[run, technique]

    def _read(self, run: str, technique: str) -> Told | None:
        study = self.runs[run]
        if technique not in study.profile.techniques:
            return None
        kept = narrowed(study, lambda cell: not self._repeats(run, (cell.task, cell.model), technique))
        return read_told(kept, technique, self._status_of(run, kept)) if kept else None

    def _status_of(self, run: str, part: ReleasedStudy) -> pd.DataFrame:
        """How the cells of a part of a run were trained; read once a run, since every technique asks for it."""
        if run not in self._status:
            self._status[run] = read_training(self.runs[run], arms=()).status
        whole, cells = self._status[run], set(part.numbers.cells())
        chosen = [CellId(*row) in cells for row in whole[CELL].itertuples(index=False)]
        return whole[chosen].reset_index(drop=True)

    def all_told(self, technique: str) -> dict[str, Told]:
        """The same of every run that has the technique, by run."""
        return {run: told for run in self.runs if (told := self.told(run, technique)) is not None}

    def _repeats(self, run: str, place: Place, technique: str) -> bool:
        """Whether another run holds all that this one tells of a place, or an earlier one the same."""
        own, names = _keys(self.runs[run], place, technique), list(self.runs)
        others = {other: _keys(study, place, technique) for other, study in self.runs.items() if other != run}
        return any(
            own < keys or (own == keys and names.index(other) < names.index(run)) for other, keys in others.items()
        )


def _keys(study: ReleasedStudy, place: Place, technique: str) -> set[str]:
    """The keys of the rows that a run has of a technique on one task and model, a seed each."""
    cells = [entry for entry in study.release.manifest["cells"] if (entry["task"], entry["model"]) == place]
    return {entry["rows"][technique]["key"] for entry in cells if technique in entry["rows"]}


def _order(technique: str) -> tuple[int, str]:
    return (WEIGHING.index(technique) if technique in WEIGHING else len(WEIGHING), technique)


def weighs(told: Told) -> bool:
    """Whether a technique weighs layers: ours do or do not by name, a later one's rows say so."""
    name = told.technique
    if name in KNOWN:
        return name not in WITHOUT_WEIGHTS
    return all((rows["metric"] == "layer_weight").any() for seeds in told.places.values() for rows in seeds)


def run_names(results: Path | None = None) -> list[str]:
    """Names of the released runs of cells in ``results/`` on tasks that people wrote.

    A release of another kind names its kind. Generated tasks are shown in the chapters, where they are called so.
    Variants of a profile are no evidence beside it: they are the same cells with one setting changed. A run without
    techniques, as the comparison of starts, locates nothing.
    """
    folder = results or project_root() / "results"
    manifests = {
        path.parent.name: read_manifest(path.parent)
        for path in folder.glob(f"*/{MANIFEST}")
        if not is_variant(path.parent.name) and not kind_of(path)
    }
    profiles = {name: told["profile"] for name, told in manifests.items()}
    names = [name for name, told in profiles.items() if told["source"] != GENERATED and told["techniques"]]
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def narrowed(study: ReleasedStudy, keep: Callable[[CellId], bool]) -> ReleasedStudy | None:
    """A released run with some of its cells; None if it has none of them."""
    release = study.release.narrowed(keep)
    return replace(study, release=release) if release.cells() else None


def read_task(task: str) -> Entry:
    """What the released runs tell of a task.

    Raises:
        MemlocError: if the atlas has no such task, or a run is altered.
    """
    page_name("task", task)
    return _entry(task, lambda cell: cell.task == task)


def read_family(family: str) -> Entry:
    """What the released runs tell of the models of a family.

    Raises:
        MemlocError: if the atlas has no such family, or a run is altered.
    """
    page_name("family", family)
    return _entry(family, lambda cell: get_model(cell.model).architecture.name == family)


def _entry(name: str, keep: Callable[[CellId], bool]) -> Entry:
    opened = {run: study for run in run_names() if (study := open_release(run))}
    return Entry(name, {run: part for run, study in opened.items() if (part := narrowed(study, keep))})


def read_counts(path: Path | None = None) -> pd.DataFrame:
    """Rows and words of the study's tasks (``counting.COUNTS``); empty where a copy of the book has none.

    Raises:
        MemlocError: if the table is another, or of another version.
    """
    path = path or project_root() / "results" / "data" / "counts.parquet"
    return tables.read(path, COUNTS) if path.is_file() else pd.DataFrame(columns=COUNTS.names)
