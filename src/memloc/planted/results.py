"""What the store has of a benchmark: what was planted, what was found, what it took, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from memloc import tables
from memloc.analysis.status import MEMORISED, last_score
from memloc.config import config_key
from memloc.models.catalogue import get_model
from memloc.planted.answers import found_rows
from memloc.planted.cells import Amount, PlantedCell
from memloc.planted.experiment import Plantings, told
from memloc.planted.recall import recalled
from memloc.planted.removing import FILE, removal_config, removes
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE
from memloc.store import Artefact

TABLES: dict[str, pa.Schema] = {
    "found": tables.FOUND,
    "planted": tables.PLANTED,
    "settled": tables.SETTLED,
    "asked": tables.ASKED,
    "recalled": tables.RECALLED,
    "removal": tables.REMOVAL,
}


@dataclass
class Results:
    """The tables of a benchmark.

    Attributes:
        found: what each localiser found (``tables.FOUND``).
        planted: what became of each place (``tables.PLANTED``).
        settled: the layers of every settled model (``tables.SETTLED``).
        asked: what asking took (``tables.ASKED``).
        recalled: how localisers of units did (``tables.RECALLED``).
        removal: what taking out did (``tables.REMOVAL``).
        missing: what was asked for and is not in the store.
        keys: of the artefacts, by what they are of.
        sought: the same with those of what is missing; empty for a released one.
    """

    found: pd.DataFrame
    planted: pd.DataFrame
    settled: pd.DataFrame
    asked: pd.DataFrame
    recalled: pd.DataFrame
    removal: pd.DataFrame
    missing: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    sought: dict[str, dict[str, str]] = field(default_factory=dict)

    def of(self, amount: Amount) -> Results:
        """What is told of one cell with one share of wrong labels."""
        whose = {**amount.cell._asdict(), "noise": amount.noise}

        def its(what: str) -> bool:
            return f"{what} ".startswith((f"{amount} ", f"{amount}: "))

        frames = {}
        for name in TABLES:
            frame = getattr(self, name)
            frames[name] = frame[(frame[list(whose)] == pd.Series(whose)).all(axis=1)]
        missing, keys, sought = (
            [what for what in self.missing if its(what)],
            *({what: named for what, named in of.items() if its(what)} for of in (self.keys, self.sought)),
        )
        return Results(**frames, missing=missing, keys=keys, sought=sought)


def results(plantings: Plantings) -> Results:
    """Read everything that is finished; nothing is computed. Cost: every artefact is read and checked once."""
    return join(results_of(plantings, amount) for amount in plantings.amounts())


def results_of(plantings: Plantings, amount: Amount) -> Results:
    """The same of one cell with one share of wrong labels."""
    reader = _Reader(plantings)
    reader.amount(amount)
    for planted in plantings.cells(amount):
        reader.place(planted)
    frames = {name: _joined(name, reader.frames[name], schema) for name, schema in TABLES.items()}
    return Results(**frames, missing=reader.missing, keys=reader.keys, sought=reader.sought)


def join(parts: Iterable[Results]) -> Results:
    """The results of several cells as one."""
    parts = list(parts)
    frames = {name: _joined(name, [getattr(one, name) for one in parts], schema) for name, schema in TABLES.items()}
    keys, sought = ({k: v for one in parts for k, v in getattr(one, name).items()} for name in ("keys", "sought"))
    return Results(**frames, missing=[what for one in parts for what in one.missing], keys=keys, sought=sought)


def _joined(name: str, frames: Iterable[pd.DataFrame], schema: pa.Schema) -> pd.DataFrame:
    whole = [frame for frame in frames if len(frame)]
    joined = pd.concat(whole, ignore_index=True) if whole else pd.DataFrame(columns=schema.names)
    return tables.validate(joined, schema, name).to_pandas()  # with the types that a release has, empty or not


class _Reader:
    def __init__(self, plantings: Plantings) -> None:
        self.plantings, self.store = plantings, plantings.experiment.store
        self.frames: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
        self.missing: list[str] = []
        self.keys: dict[str, dict[str, str]] = {}
        self.sought: dict[str, dict[str, str]] = {}

    def find(self, what: object, name: str, kind: str, config: dict[str, Any]) -> Artefact | None:
        self.sought.setdefault(str(what), {})[name] = config_key(config)
        artefact = self.store.find(kind, config)
        if artefact is None:
            self.missing.append(f"{what}: {name}")
        else:
            self.keys.setdefault(str(what), {})[name] = artefact.key
        return artefact

    def amount(self, amount: Amount) -> None:
        """What localisers say of the memory that a cell acquired by itself."""
        plantings, experiment = self.plantings, self.plantings.at(amount.noise)
        self.find(amount, "dataset", "dataset", experiment.dataset_config(amount.cell.task))
        if ACQUIRED not in plantings.asked.regimes:
            return
        for name in plantings.localisers_acquired():
            self.rows(amount, ACQUIRED, ACQUIRED, name, experiment.technique_config(amount.cell, name))
        if removes(plantings, amount, ACQUIRED):
            self.removal(amount, amount, removal_config(plantings, amount, None))

    def place(self, planted: PlantedCell) -> None:
        """What became of a place, and what localisers say of it."""
        plantings, place = self.plantings, str(planted.place)
        row = self.control(planted) if planted.place.is_control else self.planted(planted)
        if row is None:
            return
        whose = {**planted.cell._asdict(), "noise": planted.noise, "place": place}
        if told_of := row.pop("layers", None):
            numbered = pd.DataFrame(told_of).astype(float).assign(layer=range(1, len(told_of["noisy"]) + 1), **whose)
            self.frames["settled"].append(numbered)
        layers = get_model(planted.cell.model).layers
        self.frames["planted"].append(pd.DataFrame([{**_EMPTY, **row, **whose, "layers": layers}]))
        for regime in (ORACLE, BLIND):
            if regime in plantings.asked.regimes and row[f"has_truth_{regime}"]:
                for name in plantings.localisers(planted, regime):
                    self.rows(planted.amount, place, regime, name, plantings.rows_of(planted, regime, name))
        if not planted.place.is_control and row["has_truth_blind"] and removes(plantings, planted.amount, place):
            self.removal(planted, planted.amount, removal_config(plantings, planted.amount, planted.place))

    def planted(self, planted: PlantedCell) -> dict[str, Any] | None:
        injected = self.find(planted, "injected", "injected", self.plantings.injected_config(planted))
        if injected is None:
            return None
        row, made = told(injected), [injected]
        row |= {"has_truth_oracle": row["learnt"], "epochs_settled": 0, "has_truth_blind": False}
        if row["learnt"] and BLIND in self.plantings.asked.regimes:
            settled = self.find(planted, "settled", "settled", self.plantings.settled_config(planted))
            if settled is None:
                return None
            row |= told(settled)
            made.append(settled)
        return {**row, "seconds": _seconds(made)}

    def control(self, planted: PlantedCell) -> dict[str, Any] | None:
        """A control counts where its labels were memorised, as the study's cells do; nothing was started or settled."""
        experiment, kind = self.plantings.experiment, planted.place.kind
        arm = self.find(planted, kind, "checkpoint", experiment.checkpoint_config(planted.cell, kind))
        if arm is None:
            return None
        trace = tables.read(arm.file("trace.parquet"), tables.TRACE)
        noisy, clean = (last_score(trace, "train", group)[0] for group in ("noisy", "clean"))
        learnt = noisy >= MEMORISED
        row = {"noisy_injected": noisy, "clean_injected": clean, "learnt": learnt, "has_truth_blind": learnt}
        row |= {"epochs_injected": int(trace["epoch"].max()), "epochs_settled": 0, "has_truth_oracle": False}
        return {**row, "seconds": _seconds([arm])}

    def rows(self, amount: Amount, place: str, regime: str, technique: str, config: dict[str, Any]) -> None:
        what = f"{amount} {place}"
        artefact = self.find(what, f"{technique} {regime}", "rows", config)
        if artefact is None:
            return
        rows = tables.read(artefact.file("rows.parquet"), tables.ROWS)
        layers = get_model(amount.cell.model).layers
        self.frames["found"].append(found_rows(rows, amount.noise, place, regime, layers))
        whose = {**amount.cell._asdict(), "noise": amount.noise, "place": place}
        whose |= {"regime": regime, "technique": technique}
        self.frames["asked"].append(pd.DataFrame([{**whose, "seconds": _seconds([artefact])}]))
        if place.startswith("units:") and "units.parquet" in artefact.files:
            from memloc.planted.places import Place

            units = tables.read(artefact.file("units.parquet"), tables.DETAILS["units"])
            told_of = recalled(units, Place.parse(place), amount.seed)
            self.frames["recalled"].append(pd.DataFrame([{**whose, **told_of}]))

    def removal(self, what: object, amount: Amount, config: dict[str, Any]) -> None:
        if (artefact := self.find(what, "removal", "removal", config)) is not None:
            self.frames["removal"].append(tables.read(artefact.file(FILE), tables.REMOVAL))


_EMPTY = {field.name: None for field in tables.PLANTED if field.nullable}


def _seconds(made: Iterable[Artefact]) -> float:
    """What making took; 0 where nothing was noted."""
    return float(sum(artefact.sidecar.get("seconds", 0.0) for artefact in made))
