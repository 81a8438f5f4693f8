"""Which jobs a profile becomes: a cell's training and its analyses, or several small cells together.

A cell that is long enough gets two jobs, one to train its arms and one for its techniques. Cells that are too short for
a job of their own, and cells that share a device by memory, do all their work together in one: what one of them lacks
then stops no other. They are of one task, so that a new version of a task repeats no job of another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from memloc.cluster.sizes import Size
from memloc.config import config_key
from memloc.configurations import CellId, Key
from memloc.errors import MemlocError
from memloc.pipeline import Experiment

Sizes = Mapping[tuple[str, str], Size]


@dataclass(frozen=True)
class Work:
    """One job.

    Attributes:
        name: unique, and another one when anything it computes has another key.
        stage: ``train``, ``analyse`` or ``all``.
        cells: what it is about.
        makes: the artefacts it leaves in the store.
        needs: names of jobs that come first.
        side: cells at a time.
        seconds: how long it is estimated to take, all cells; None if nobody knows.
        memory, device_memory: megabytes, of all cells at a time; None if nobody knows.
    """

    name: str
    stage: str
    cells: tuple[CellId, ...]
    makes: tuple[Key, ...]
    needs: tuple[str, ...] = ()
    side: int = 1
    seconds: float | None = None
    memory: int | None = None
    device_memory: int | None = None


@dataclass(frozen=True)
class Packing:
    """How cells are put together.

    Attributes:
        shortest: seconds below which a job is not worth its start.
        device_memory: megabytes of the device that a job gets, which its cells share; 0 for one cell at a time.
    """

    shortest: float = 300.0
    device_memory: int = 0

    def __post_init__(self) -> None:
        for name, value in (("shortest job", self.shortest), ("memory of the device", self.device_memory)):
            if not value >= 0:
                raise MemlocError(name, value, "0 or more")

    def side(self, size: Size | None) -> int:
        """How many cells of this size fit on the device."""
        if size is None or not self.device_memory or not size.device_memory:
            return 1
        return max(1, self.device_memory // size.device_memory)


@dataclass
class _Pack:
    """Cells that share a job; ``seconds`` is how long it takes, None if it is not known."""

    cells: list[CellId]
    sizes: list[Size]
    side: int

    @property
    def seconds(self) -> float | None:
        return sum(size.seconds for size in self.sizes) / self.side if len(self.sizes) == len(self.cells) else None

    def short(self, packing: Packing) -> bool:
        """Whether it is not worth a start."""
        return self.seconds is not None and self.seconds < packing.shortest


def works(experiment: Experiment, sizes: Sizes, packing: Packing) -> list[Work]:
    """Every job of a profile; each comes after those it needs."""
    found: list[Work] = []
    for task in experiment.profile.tasks:
        for pack in _packs([cell for cell in experiment.cells() if cell.task == task], sizes, packing):
            alone = pack.sizes[0] if len(pack.cells) == 1 and pack.sizes else None
            if len(pack.cells) > 1 or (alone and min(alone.training, alone.analyses) < packing.shortest):
                found.append(_work(experiment, "all", pack))
                continue
            train = _work(experiment, "train", pack)
            found += [train, _work(experiment, "analyse", pack, (train.name,))]
    return found


def _packs(cells: Sequence[CellId], sizes: Sizes, packing: Packing) -> list[_Pack]:
    """Cells of a task in their order, put together where they are short or fit on one device; unknown ones alone."""
    packs: list[_Pack] = []
    for cell in cells:
        size = sizes.get((cell.task, cell.model))
        one = _Pack([cell], [size] if size else [], packing.side(size))
        last = packs[-1] if packs else None
        if last is None or not _together(last, one, packing):
            packs.append(one)
        else:
            _join(last, one)
    if len(packs) > 1 and packs[-1].short(packing) and packs[-2].seconds is not None:  # the rest of a task
        _join(packs[-2], packs.pop())
    for pack in packs:
        pack.side = min(pack.side, len(pack.cells))
    return packs


def _together(last: _Pack, one: _Pack, packing: Packing) -> bool:
    """Whether a cell joins the cells before it."""
    if last.seconds is None or one.seconds is None:
        return False
    fits = len(last.cells) < min(last.side, one.side)
    return fits or (last.short(packing) and one.short(packing))


def _join(pack: _Pack, one: _Pack) -> None:
    pack.cells += one.cells
    pack.sizes += one.sizes
    pack.side = min(pack.side, one.side)  # the largest cell says how many fit


def _work(experiment: Experiment, stage: str, pack: _Pack, needs: tuple[str, ...] = ()) -> Work:
    cells = tuple(pack.cells)
    makes = tuple(key for cell in cells for key in experiment.makes(cell, stage))
    models = "-".join(dict.fromkeys(cell.model for cell in cells))
    seeds = "-".join(str(seed) for seed in dict.fromkeys(cell.seed for cell in cells))
    told = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{stage}.{cells[0].task}.{models}.{seeds}")[:100]
    key = config_key({"stage": stage, "cells": [list(cell) for cell in cells], "makes": [list(key) for key in makes]})
    work = Work(f"{told}.{key[:12]}", stage, cells, makes, needs, pack.side)
    if pack.seconds is None:
        return work
    parts = {"train": ("training",), "analyse": ("analyses",)}.get(stage, ("training", "analyses"))
    return replace(
        work,
        seconds=sum(getattr(size, part) for size in pack.sizes for part in parts) / pack.side,
        memory=pack.side * max(size.memory for size in pack.sizes),
        device_memory=pack.side * max(size.device_memory for size in pack.sizes),
    )
