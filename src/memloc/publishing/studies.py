"""What chapters call a study: an experiment (found in the store, or computed once and kept there) or a released run."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from memloc.analysis.numbers import Computed, Numbers
from memloc.config import config_key
from memloc.data.catalogue import get_task, is_built_in
from memloc.data.files import data_folder
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile, load_profile
from memloc.profiles.loading import GENERATED, profile_content
from memloc.released import Release
from memloc.sealed import MANIFEST

RELEASED = "MEMLOC_RELEASED"  # set: chapters show released tables, and train and measure nothing
FINISHED = "MEMLOC_FINISHED"  # set: chapters leave out cells that are not finished
RECOMPUTED = "MEMLOC_RECOMPUTED"  # set: chapters compute released runs afresh, from data and models
CHOICES = ("source", "tasks", "models", "seeds")  # parameters of a chapter that narrow its profile
RENEW = "memloc book release"  # makes anew what they show of the default profile


def reads_released() -> bool:
    """Whether released tables are to be shown in place of what an experiment computes."""
    return bool(os.environ.get(RELEASED))


def recomputes() -> bool:
    """Whether released runs are to be computed afresh in place of being read."""
    return bool(os.environ.get(RECOMPUTED))


def leaves_out() -> bool:
    """Whether cells that are not finished are left out in place of being computed."""
    return bool(os.environ.get(FINISHED))


def names_of(names: Sequence[str] | str | None) -> list[str] | None:
    """Names as a list, or as ``"trec,rte"``; None and nothing stand for the profile's.

    Raises:
        MemlocError: for what is neither.
    """
    if names is None or names == []:
        return None
    found = names.split(",") if isinstance(names, str) else names
    if not isinstance(found, Sequence) or not all(isinstance(name, str) for name in found):
        raise MemlocError("names", names, "names, separated by commas")
    return [name.strip() for name in found] or None


def numbers_of(seeds: Sequence[int] | int | str | None) -> list[int] | None:
    """Seeds as a list, one number, or ``"1,2"``.

    Raises:
        MemlocError: for what is no whole number.
    """
    if seeds is None or isinstance(seeds, int):
        return None if seeds is None else [seeds]
    try:
        return [int(seed) for seed in (seeds.split(",") if isinstance(seeds, str) else seeds)] or None
    except (TypeError, ValueError) as error:
        raise MemlocError("seeds", seeds, "whole numbers") from error


def check_choice(profile: str, given: Mapping[str, Any]) -> None:
    """Refuse a choice that no study can be made of before the page that is there is given up for it.

    Args:
        profile: a name, or a file.
        given: parameters of chapters; ``source, tasks, models, seeds, device`` are looked at, if there.

    Raises:
        MemlocError: for an unknown name, a source that a task has not got, a device that this machine has not got, or
            where files are asked for and no folder is named.
    """
    if given.get("device", "auto") not in ("auto", "cpu"):
        from memloc.devices import resolve_device  # torch, which takes a second and which readers have not got

        resolve_device(str(given["device"]))
    if not any(given.get(name) for name in CHOICES):
        return
    source, tasks, models, seeds = (given.get(name) for name in CHOICES)
    chosen = load_profile(profile).narrowed(names_of(tasks), names_of(models), numbers_of(seeds), source)
    for task in map(get_task, chosen.tasks):
        if chosen.source not in task.sources:
            raise MemlocError(f"source of task {task.name}", chosen.source, task.sources)
    if chosen.source == "files" and not reads_released():
        data_folder()


def marked(words: Sequence[str]) -> str:
    """A mark for prose (HTML) that says these words, and one that released tables were read; empty without words."""
    told = [", ".join(words), *(["read from released tables"] if reads_released() else [])] if words else []
    return " ".join(f'<span class="memloc-generated">{one}</span>' for one in told)


class AnyRun(ABC):
    """What was run and what it is, from its profile."""

    @property
    @abstractmethod
    def profile(self) -> Profile:
        """What was run."""

    @property
    def generated(self) -> bool:
        """Whether the texts are generated."""
        return self.profile.source == GENERATED

    @property
    def random_models(self) -> list[str]:
        """The models that start from random weights."""
        return [name for name in self.profile.models if not get_model(name).pretrained]

    @property
    def evidence(self) -> bool:
        """Whether results say something about natural language and pre-trained models."""
        return not self.generated and not self.random_models

    @property
    def key(self) -> str:
        """The key of its configuration: of every setting of its profile."""
        return config_key(profile_content(self.profile))

    @property
    def origin(self) -> str:
        """Where the results come from, in one sentence for captions and prose."""
        own = not all(map(is_built_in, self.profile.tasks))
        texts = f"{'Tasks of your own' if own else 'Real tasks'} (source: {self.profile.source})"
        texts = "Generated tasks" if self.generated else texts
        models, random = self.profile.models, self.random_models
        kinds = {0: "pre-trained models", len(models): "models with random initial weights"}
        return f"{texts}; {kinds.get(len(random), 'some models with random initial weights')}."

    @property
    def mark(self) -> str:
        """A mark for prose (HTML) where something is generated or random; empty for real data and models."""
        return marked(["generated tasks"] * self.generated + ["random initial weights"] * bool(self.random_models))


class AnyStudy(AnyRun):
    """A run of cells and techniques; the two kinds of study below say where its numbers come from.

    Attributes:
        computes: whether what is asked and not there yet is computed.
    """

    computes: bool = False

    @property
    @abstractmethod
    def numbers(self) -> Numbers:
        """Where all numbers come from."""

    @property
    def profile(self) -> Profile:
        """What was run."""
        return self.numbers.profile


def _with_cells(run: Profile, cells: Sequence[CellId]) -> Profile:
    """A profile without the tasks and models that have no cell among these."""
    tasks, models = {cell.task for cell in cells}, {cell.model for cell in cells}
    kept = {model: of for model, of in run.models.items() if model in models}
    return replace(run, tasks=tuple(task for task in run.tasks if task in tasks), models=kept)


@dataclass(frozen=True)
class ReleasedStudy(AnyStudy):
    """A released run, read without data, models or store.

    Attributes:
        release: where all numbers come from.
        folder: its folder, as seen from the root of the book.
    """

    release: Release
    folder: str

    @property
    def numbers(self) -> Numbers:
        return self.release

    @cached_property
    def profile(self) -> Profile:
        """What was run, without tasks and models of which no cell is finished: figures would show empty panels."""
        return _with_cells(self.release.profile, self.release.cells())

    @property
    def command(self) -> str:
        """Makes the same, where data and models are."""
        run = f"--profile {self.profile.name}"
        return f"memloc run {run} && memloc results {run} --release {self.folder}"

    @property
    def made(self) -> str:
        """For the end of a caption: origin, command, and where the keys are."""
        return f"**{self.origin}** Data: `{self.command}`; keys: `{self.folder}/{MANIFEST}`."


@dataclass(frozen=True)
class Study(AnyStudy):
    """An experiment and the command that computes the same.

    Attributes:
        experiment: where data sets come from, and numbers unless they were released.
        command: fills the store with everything the chapters show.
        finished: show what the store has, and compute nothing.
        released: the release of the same run whose numbers are shown; nothing is trained or measured.
    """

    experiment: Experiment
    command: str
    finished: bool = False
    released: ReleasedStudy | None = None

    @property
    def computes(self) -> bool:  # type: ignore[override]
        return self.released is None

    @property
    def numbers(self) -> Numbers:
        return self.released.numbers if self.released else Computed(self.experiment, self.finished)

    @cached_property
    def profile(self) -> Profile:
        """What was run."""
        run = self.experiment.profile
        return _with_cells(run, self.numbers.cells()) if self.finished or self.released else run

    @cached_property
    def missing(self) -> list[CellId]:
        """The cells that are left out because something of them is not in the store."""
        shown = self.numbers.cells()
        return [cell for cell in self.experiment.cells() if cell not in shown]

    @property
    def folder(self) -> str:
        """Of the release that its numbers are read from, as seen from the root of the book; empty if there is none."""
        return self.released.folder if self.released else ""

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        """Its cells and their data sets."""
        of_task = {task: self._data_of(task) for task in self.profile.tasks}
        cells = [{**cell._asdict(), **of_task[cell.task]} for cell in self.experiment.cells() if cell.task in of_task]
        return {"cells": pd.DataFrame(cells)}

    def _data_of(self, task: str) -> dict[str, str | int | float]:
        config = self.profile.data_of(task)
        return {
            "dataset": config_key(self.experiment.dataset_config(task)),
            "source": self.profile.source,
            "training_rows": len(self.experiment.dataset(task).train),
            "noise_rate": config.noise_rate,
            "data_seed": config.seed,
        }

    def made(self, label: str) -> str:
        """For the end of a caption: origin, command, and where the keys are; ``label`` is that section's."""
        read = f", read from `{self.released.folder}`" if self.released else ""
        return f"**{self.origin}** Data: `{self.command}`{read}; keys: {{ref}}`{label}`."
