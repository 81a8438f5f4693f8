"""What chapters show of the released run on real data (``results/``), and of a copy of the book that has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pandas as pd

from memloc.analysis.curves import MAIN
from memloc.analysis.study import published
from memloc.config import TrainConfig
from memloc.pipeline import CellId
from memloc.publishing.facts import by_place, glue_all
from memloc.publishing.figures import Drawn, listed
from memloc.publishing.reading import (
    CELL,
    AnyStudy,
    ReleasedStudy,
    Swapping,
    Training,
    open_release,
    read_swapping,
    read_training,
    rules,
)
from memloc.publishing.reading_binarised import Binarised
from memloc.publishing.reading_control import Known, read_control
from memloc.publishing.reading_maps import Mapped, read_maps
from memloc.publishing.reading_pretraining import Worth
from memloc.publishing.reading_sensitivity import Sensitivity
from memloc.publishing.reading_techniques import WEIGHING, Beside, Told, asked_for, read_beside, read_told
from memloc.publishing.style import show
from memloc.publishing.tabulate import show_table
from memloc.publishing.tabulate_depth import beside_study

S = TypeVar("S", Training, Swapping, Told, Beside, Known, Mapped, Sensitivity, Binarised)
T = TypeVar("T", Training, Swapping, Told, Beside, Known, Mapped, Worth, Sensitivity, Binarised)
Shown = Training | Swapping | Told | Beside | Known | Mapped | Sensitivity | Binarised

ABSENT = "There is no released run on real data in this copy of the book, so this section is empty."
SETTINGS = {  # of TrainConfig, in words
    "epochs": "epochs at most",
    "batch_size": "batch size",
    "lr": "learning rate",
    "max_length": "tokens at most",
    "stop_when_memorised": "stopping when memorised",
}


# Released runs that chapters may show, in this order: those of all tasks and architectures first.
RELEASES = ("nano", "nano-retraining", "nano-maps", "small", "techniques", "maps")
CONTROLS = ("nano-control", "control")  # released runs with control arms, likewise
LACKS = "No released run on real data holds {what} yet, so this section is empty."


def _opened(names: Iterable[str]) -> Iterator[ReleasedStudy]:
    """Those of the runs that this copy has."""
    return (study for name in names if (study := open_release(name)))


def holding(technique: str) -> ReleasedStudy | None:
    """The first of the released runs that has a technique; None if none has."""
    return next((study for study in _opened(RELEASES) if asked_for(study, technique)), None)


def open_swapping() -> Swapping | None:
    """Layer swapping of a released run; None if none has it."""
    study = holding("swapping")
    return read_swapping(study) if study else None


def open_retraining() -> Swapping | None:
    """Layer retraining of a released run; None if none has it."""
    study = holding("retraining")
    return read_swapping(study, "retraining") if study else None


def open_told(technique: str) -> Told | None:
    """The rows of a technique in a released run; None if none has it."""
    study = holding(technique)
    return read_told(study, technique) if study else None


def open_beside() -> Beside | None:
    """All techniques that weigh layers, of the released run that has most of them; None if there is no run."""
    most = max(_opened(RELEASES), key=lambda study: sum(asked_for(study, name) for name in WEIGHING), default=None)
    return read_beside(most) if most else None


def open_maps() -> Mapped | None:
    """Memorisation maps of a released run; None if none has them."""
    study = holding("maps")
    return read_maps(study) if study else None


def open_training() -> Training | None:
    """Training of a released run; None if this copy has none."""
    study = next(_opened(RELEASES), None)
    return read_training(study) if study else None


def open_control() -> Known | None:
    """The control runs of a released run; None if this copy has none."""
    study = next(_opened(CONTROLS), None)
    return read_control(study) if study else None


def glue_findings(prefix: str, tell: Callable[[S], dict[str, str]], found: S, released: S | None) -> None:
    """Glue what is found on a page (``prefix-name``), and what its take-away says and rests on (``prefix-end-name``).

    A take-away rests on the run of this page where its tasks are real; where they are generated, on the released run on
    real data, if there is one.

    Args:
        tell: names and facts; the take-away has ``origin`` beside them.
        found: what the page shows first.
    """
    glue_all(prefix, tell(found), found)
    said = released if released is not None and found.study.generated else found
    whose = "The released" if isinstance(said.study, ReleasedStudy) else "This copy's"
    origin = f"{whose} run {said.study.profile.name}. {said.study.origin}"
    glue_all(f"{prefix}-end", {"origin": origin} | tell(said), said)


def show_figure(data: T | None, draw: Callable[[T], Drawn], name: str, caption: str) -> None:
    """Show a figure of the released run; its origin and command are added to the caption. Nothing if there is none."""
    if data is not None:
        drawn = draw(data)
        show(drawn.figure, name, f"{caption} {made(data.study)}", alt=drawn.alt)


def show_numbers(data: S | None, *tabulated: Callable[[S], pd.DataFrame]) -> Any:
    """Show tables of the released run and what the run is; nothing if there is none."""
    return None if data is None else show_table(*(table(data) for table in tabulated), about(data))


def show_tables(data: T | None, *tabulated: Callable[[T], pd.DataFrame]) -> Any:
    """Show tables of the released run without what the run is; nothing if there is none."""
    return None if data is None else show_table(*(table(data) for table in tabulated))


def made(study: AnyStudy) -> str:
    """For the end of a caption."""
    return study.made if isinstance(study, ReleasedStudy) else ""


def run_facts(data: Shown | None, technique: str = "") -> dict[str, str]:
    """Whether there is a released run with the technique, in one sentence for prose.

    Args:
        technique: that ``data`` are of, for a run that lacks it.
    """
    if data is None:
        return {"real": LACKS.format(what=technique) if technique and any(map(open_release, RELEASES)) else ABSENT}
    cells, missing = len(data.status), len(_missing(data))
    words = f"{data.study.origin} {cells} of {cells + missing} cells are in it."
    return {"real": words + (" The rest was not finished when it was released." if missing else "")}


def beside_facts(data: Beside | None) -> dict[str, str]:
    """The same of all techniques together: which are in the released run, and which are missing."""
    words = run_facts(data)["real"]
    if data is not None:
        words += f" Techniques in it: {listed(list(data.told))}."
        words += f" Not in it yet: {listed(data.missing)}." if data.missing else ""
    return {"real": words}


def about(data: Shown) -> pd.DataFrame:
    """What the released run is: tasks, models, what is in it and what is not, settings that are not the study's."""
    profile, status = data.study.profile, data.status
    kept = status[status["memorised"]]
    rows = {
        "profile": f"{profile.name}: {data.study.origin}",
        "training rows": profile.rows_told,
        "cells": by_place([CellId(*cell) for cell in status[CELL].itertuples(index=False)]),
        "not finished when it was released": _unfinished(data) or "none",
        "left out, labels not memorised": str(len(status) - len(kept)),
        "shown but not counted, task not learnt": str(int((~kept["learnt"]).sum())),
        "not as in the study": _settings(data.study) or "nothing",
    }
    if tuned := [task for task in profile.tasks if task in rules().settings.exploratory_tasks]:
        rows["exploratory"] = f"settings were chosen while looking at results on {listed(tuned)}"
    if isinstance(data, Beside) and data.missing:
        rows["techniques that are not in it"] = listed(data.missing)
    if isinstance(data, Swapping) and data.technique == "swapping":
        rows[f"beside {published().title}"] = beside_study(data)
    return pd.DataFrame({"the released run": list(rows), "": list(rows.values())})


def _missing(data: Shown) -> list[CellId]:
    return data.study.release.missing if isinstance(data.study, ReleasedStudy) else []


def _unfinished(data: Shown) -> str:
    """The cells that are missing and what each of them lacks: one technique is enough for a cell to be left out."""
    lacking: dict[str, list[CellId]] = {}
    entries = data.study.release.manifest["missing"] if isinstance(data.study, ReleasedStudy) else []
    for cell, entry in zip(_missing(data), entries, strict=True):
        lacks = entry.get("lacks", [])
        lacking.setdefault("" if MAIN in lacks else listed(lacks), []).append(cell)  # what was not begun lacks all
    return "; ".join(by_place(cells) + (f", without {what}" if what else "") for what, cells in lacking.items())


def _settings(study: AnyStudy) -> str:
    """Where training differs from the study's."""
    runs, told = study.profile.models.values(), []
    for field in dataclasses.fields(TrainConfig):
        values = sorted({getattr(run.training, field.name) for run in runs})
        if field.name in SETTINGS and values != [field.default]:
            told.append(f"{SETTINGS[field.name]} {_words(values)} (study: {_words([field.default])})")
    if any(run.training.precision == "bf16" for run in runs):
        told.append("bf16 autocast in training (evaluation and swapping: fp32)")
    return "; ".join(told)


def _words(values: list[Any]) -> str:
    return listed([{True: "yes", False: "no"}[v] if isinstance(v, bool) else f"{v:g}" for v in values])
