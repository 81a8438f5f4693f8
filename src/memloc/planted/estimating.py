"""What is left of a benchmark, in hours, from what its finished parts took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from memloc.configurations import CellId
from memloc.planted.cells import Amount
from memloc.planted.experiment import Plantings
from memloc.planted.removing import removal_config, removes
from memloc.planted.running import arms_of
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE


class Part(NamedTuple):
    """One artefact that a benchmark asks for: what is alike in cost, of which cell, its kind and configuration."""

    what: str
    cell: CellId
    kind: str
    config: dict[str, Any]


@dataclass(frozen=True)
class Left:
    """What is left, if every place learns and keeps its labels.

    Attributes:
        done, parts: finished artefacts, and all of them.
        hours: of one process; of what `unmeasured` does not name.
        gigabytes: of the store when all is done, likewise.
        unmeasured: what no finished part of the same model tells about.
    """

    done: int
    parts: int
    hours: float
    gigabytes: float
    unmeasured: tuple[str, ...]


def parts(plantings: Plantings) -> Iterator[Part]:
    """Every artefact of a benchmark, if all places have ground truth; data sets are left out."""
    asked = plantings.asked
    for amount in plantings.amounts():
        yield from _starts(plantings, amount)
        for planted in plantings.cells(amount):
            cell, control = planted.cell, planted.place.is_control
            regimes = [BLIND] if control else [r for r in (ORACLE, BLIND) if r in asked.regimes]
            if not control:
                yield Part("planting", cell, "injected", plantings.injected_config(planted))
                if BLIND in regimes:
                    yield Part("settling", cell, "settled", plantings.settled_config(planted))
            for regime in regimes:
                for name in plantings.localisers(planted, regime):
                    yield Part(name, cell, "rows", plantings.rows_of(planted, regime, name))
            if BLIND in regimes and not control and removes(plantings, amount, str(planted.place)):
                yield Part("removal", cell, "removal", removal_config(plantings, amount, planted.place))


def _starts(plantings: Plantings, amount: Amount) -> Iterator[Part]:
    experiment = plantings.at(amount.noise)
    for arm in arms_of(plantings, amount):
        yield Part(f"training {arm}", amount.cell, "checkpoint", experiment.checkpoint_config(amount.cell, arm))
    if ACQUIRED in plantings.asked.regimes:
        for name in plantings.localisers_acquired():
            yield Part(name, amount.cell, "rows", experiment.technique_config(amount.cell, name))
        if removes(plantings, amount, ACQUIRED):
            yield Part("removal", amount.cell, "removal", removal_config(plantings, amount, None))


def left(plantings: Plantings) -> Left:
    """Hours and gigabytes of a benchmark, from the finished ones of its parts; nothing is computed.

    A part that is missing is taken to cost what finished ones of the same sort and model did for each token.
    """
    tokens: dict[tuple[str, str], int] = {}
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    bytes_: dict[tuple[str, str], list[int]] = defaultdict(list)
    missing: list[Part] = []
    every = list(parts(plantings))
    for part in every:
        data = part.cell.task, part.cell.model
        if data not in tokens:
            tokens[data] = int(plantings.experiment.encoded(part.cell, "train").lengths.sum())
        artefact = plantings.experiment.store.find(part.kind, part.config)
        if artefact is None:
            missing.append(part)
            continue
        sort = part.what, part.cell.model
        seconds[sort].append(float(artefact.sidecar.get("seconds", 0.0)) / tokens[data])
        bytes_[sort].append(sum(artefact.file(name).stat().st_size for name in artefact.files))
    known = [part for part in missing if (part.what, part.cell.model) in seconds]
    hours = sum(_mean(seconds[p.what, p.cell.model]) * tokens[p.cell.task, p.cell.model] for p in known) / 3600
    size = sum(sum(sizes) for sizes in bytes_.values()) + sum(_mean(bytes_[p.what, p.cell.model]) for p in known)
    unknown = sorted({f"{part.what} of {part.cell.model}" for part in missing if part not in known})
    return Left(len(every) - len(missing), len(every), hours, size / 1e9, tuple(unknown))


def _mean(values: list[float] | list[int]) -> float:
    return sum(values) / len(values)
