"""Write a released run (``released.py``) from the store. The same store gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from memloc import __version__, tables
from memloc.analysis.status import majority_rate
from memloc.arms import SETTINGS, arm_of
from memloc.config import config_key
from memloc.disk import Disk, Lock, explained
from memloc.errors import MemlocError
from memloc.manifest import digest, json_bytes
from memloc.migrating import FORMATS, schema_of
from memloc.pipeline import CellId, Experiment
from memloc.profiles.loading import parse_profile, profile_content
from memloc.released import CELL, EXTRA, FILES, read_release
from memloc.sealed import MANIFEST, Sealed, read_sealed, seal
from memloc.store import Artefact

Part = tuple[str, str]  # setting and name; data sets and arms stand in the main one, their names are unique
MAIN = SETTINGS[0]
ENDS = ("partial", "old")  # beside a release: while it is written, and the one that it replaces
TOLD = ("started", "seconds", "device", "threads", "versions", "git")  # of a sidecar; not its host and platform


def release(experiment: Experiment, folder: Path | str, keep: bool = False) -> Path:
    """Write the numbers of every finished cell of the profile; nothing is computed.

    A release that is there is replaced as a whole, or stays as it is if anything fails.

    Args:
        keep: whether cells that the store does not have are taken from the release that is there, if they were made
            with the configurations that the profile has now: so a run grows over several stores or machines.

    Raises:
        MemlocError: if no cell is finished, the folder holds something else than a release, or cells are to be kept
            of one that is damaged.
    """
    folder = Path(os.path.abspath(folder))
    refuse_other(folder, (*FILES, *EXTRA))
    earlier = _earlier(folder) if keep else {}
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in (*FILES, *EXTRA)}
    cells, missing = [], []
    for cell in experiment.cells():
        asked = _asked(experiment, cell)
        parts = {part: experiment.store.find(kind, config) for part, (kind, config) in asked.items()}
        lacking = sorted(_named(part) for part, artefact in parts.items() if artefact is None)
        kept = earlier.get(cell)
        if lacking and kept and kept.keys == {part: config_key(config) for part, (_, config) in asked.items()}:
            cells.append(kept.entry)
            for name, frame in kept.frames.items():
                frames[name].append(frame)
        elif lacking:
            missing.append({**cell._asdict(), "lacks": lacking})
        else:
            whole = {part: artefact for part, artefact in parts.items() if artefact is not None}
            cells.append(_entry(cell, whole))
            _collect(cell, whole, frames)
    if not cells:
        raise MemlocError("results", experiment.profile.name, "a profile that was run: memloc run --profile ...")
    manifest = {
        "profile_name": experiment.profile.name,
        "profile": profile_content(experiment.profile),
        "cells": cells,
        "missing": missing,
    }
    joined = {
        name: pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=FILES[name].names)
        for name, found in frames.items()
        if found or name in FILES
    }
    put(folder, manifest, joined, FILES | EXTRA)
    return folder


def release_each(experiments: Iterable[Experiment], folder: Path, keep: bool = False) -> list[Path]:
    """Release several profiles, each to a folder of its name below one; a profile of which no cell is finished is left
    out, for variants are run one after another.

    Returns:
        The folders that were written.
    """
    done = [one for one in experiments if any(one.has(cell) for cell in one.cells())]
    return [release(one, folder / one.profile.name, keep) for one in done]


def refuse_other(folder: Path, names: Iterable[str]) -> None:
    """Only a release, a folder of these files, may be replaced: whatever else is there is somebody's work.

    Raises:
        MemlocError: if the folder holds something else.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()) or there - {MANIFEST, *names}:
        raise MemlocError("folder to release to", str(folder), "a name that is free, or the folder of a release")


def _named(part: Part) -> str:
    """A part in the list of what a cell lacks."""
    setting, name = part
    return name if setting == MAIN else f"{name} in {setting}"


def _asked(experiment: Experiment, cell: CellId) -> dict[Part, tuple[str, dict[str, Any]]]:
    """Everything that a finished cell has in the store, by setting and name: its kind and configuration."""
    profile, settings = experiment.profile, experiment.settings(cell)
    rows = {(s, n): experiment.technique_config(cell, n, s) for s in settings for n in experiment.techniques(s)}
    arms = {arm_of(setting, arm): None for (setting, _), config in rows.items() for arm in config["arms"]}
    arms |= dict.fromkeys(profile.extra_arms)
    data = {"dataset": cell.task} | ({"auxiliary": experiment.control(cell).auxiliary} if len(settings) > 1 else {})
    asked = {(MAIN, name): ("dataset", experiment.dataset_config(task)) for name, task in data.items()}
    asked |= {(MAIN, arm): ("checkpoint", experiment.checkpoint_config(cell, arm)) for arm in arms}
    return asked | {part: ("rows", config) for part, config in rows.items()}


@dataclass(frozen=True)
class _Kept:
    """A cell of an earlier release: what its manifest says, and its part of the tables."""

    entry: dict[str, Any]
    frames: dict[str, pd.DataFrame]

    @property
    def keys(self) -> dict[Part, str]:
        data = {(MAIN, name): self.entry[name]["key"] for name in ("dataset", "auxiliary") if name in self.entry}
        arms = {(MAIN, name): made["key"] for name, made in self.entry["checkpoints"].items()}
        rows = {MAIN: self.entry["rows"], **self.entry.get("control", {})}
        return data | arms | {(setting, name): made["key"] for setting, of in rows.items() for name, made in of.items()}


def _earlier(folder: Path) -> dict[CellId, _Kept]:
    """The cells of the release that is there; none if there is none."""
    if not folder.exists():
        return {}
    found = read_release(folder)
    parts = {name: dict(list(frame.groupby(CELL, sort=False))) for name, frame in found.tables.items()}
    return {
        cell: _Kept(entry, {name: of[cell] for name, of in parts.items() if cell in of})
        for cell, entry in zip(found.cells(), found.manifest["cells"], strict=True)
    }


def _entry(cell: CellId, parts: Mapping[Part, Artefact]) -> dict[str, Any]:
    """What the manifest says of a cell; rows of a control setting stand apart from the main ones."""
    entry: dict[str, Any] = {**cell._asdict(), "checkpoints": {}, "rows": {}}
    for (setting, name), artefact in parts.items():
        made = {key: artefact.sidecar[key] for key in TOLD if key in artefact.sidecar}
        if artefact.kind == "dataset":
            entry[name] = {"key": artefact.key, **_counts(artefact)}
        elif artefact.kind == "checkpoint":
            summary = json.loads(artefact.file("summary.json").read_bytes())
            told = {key: summary[key] for key in ("epochs_run", "memorised_epoch")}
            entry["checkpoints"][name] = {"key": artefact.key, **told, "made": made}
        else:
            rows = entry["rows"] if setting == MAIN else entry.setdefault("control", {}).setdefault(setting, {})
            rows[name] = {"key": artefact.key, "settings": artefact.config["settings"], "made": made}
    return entry


def _counts(dataset: Artefact) -> dict[str, Any]:
    """Numbers of examples and classes; no text and no name leaves the data set."""
    index = tables.read(dataset.file("index.parquet"), tables.INDEX)
    labels = tables.read(dataset.file("validation.parquet"), tables.SPLIT)["label"]
    return {
        "classes": len(json.loads(dataset.file("facts.json").read_bytes())["labels"]),
        "train": len(index),
        "noisy": int((index["group"] == "noisy").sum()),
        "validation": {"rows": len(labels), "majority": majority_rate(labels)},
    }


def _collect(cell: CellId, parts: Mapping[Part, Artefact], frames: Mapping[str, list[pd.DataFrame]]) -> None:
    """Add a cell's tables to the release's; of control settings no outcomes or maps, which name no setting."""
    whose = cell._asdict()
    for (setting, name), artefact in parts.items():
        if artefact.kind == "checkpoint":
            trace = tables.read(artefact.file("trace.parquet"), tables.TRACE)
            frames["traces.parquet"].append(trace.assign(**whose, arm=name))
        if artefact.kind == "rows":
            frames["rows.parquet"].append(tables.read(artefact.file("rows.parquet"), tables.ROWS))
            for detail in ("outcomes", "map") if setting == MAIN else ():
                if (file := f"{detail}.parquet") in artefact.files:
                    told = tables.read(artefact.file(file), tables.DETAILS[detail])
                    frames[file].append(told.assign(**whose, technique=name))


def put(
    folder: Path, manifest: dict[str, Any], joined: Mapping[str, pd.DataFrame], schemas: Mapping[str, pa.Schema]
) -> None:
    """Write a release beside the folder, then exchange the two; what was there goes last.

    What a killed process left of an earlier attempt is put right first.

    Args:
        manifest: what is said of the tables; format and writer, sizes and hashes of the tables, and its own, are added.
        joined: the tables by file name.
        schemas: theirs.
    """
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with explained(folder), _writing(folder) as (partial, old):
        try:
            partial.mkdir()
            manifest |= {"format": FORMATS.current, "memloc": __version__, "tables": {}}
            for name, frame in joined.items():
                tables.write(frame, schemas[name], partial / name)
                manifest["tables"][name] = {"sha256": digest(partial / name), "size": (partial / name).stat().st_size}
            (partial / MANIFEST).write_bytes(json_bytes({**manifest, "sha256": seal(manifest)}))
            if folder.exists():
                os.rename(folder, old)
            os.rename(partial, folder)
        finally:
            _put_right(folder)


def migrate(folder: Path | str) -> Sealed:
    """Write a release of an older version anew, in the present one, with a note of what it was; whole or not at all.

    The note is the manifest's ``migrated``: the steps, the former hash of the manifest and those of the files.

    Returns:
        What was read; where it has no steps, nothing was written.

    Raises:
        MemlocError: if it is damaged, of a version that cannot be read, or what its steps made is no release.
    """
    folder = Path(os.path.abspath(folder))
    found = read_sealed(folder)
    if not found.steps:
        return found
    refuse_other(folder, found.stored["tables"])
    schemas = {name: schema_of(table, name) for name, table in found.tables.items()}
    if "profile" in found.manifest:
        parse_profile(found.manifest["profile_name"], found.manifest["profile"])
    note = {name: found.stored[name] for name in ("format", "sha256", "tables")} | {"steps": list(found.steps)}
    manifest = {**found.manifest, "migrated": [*found.manifest.get("migrated", []), note]}
    put(folder, manifest, found.frames(schemas), schemas)
    return found


@contextmanager
def _writing(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Alone at a release: where it is written, and where the one before it waits."""
    with _lock(folder):
        yield _put_right(folder)


def _lock(folder: Path) -> Lock:
    return Lock(folder.with_name(f".{folder.name}.lock"), Disk())


def _put_right(folder: Path) -> tuple[Path, Path]:
    """Take the release before where there is none, and remove the rest."""
    partial, old = (folder.with_name(f".{folder.name}.{end}") for end in ENDS)
    if old.exists() and not folder.exists():
        os.rename(old, folder)
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return partial, old


def mend_releases(parent: Path) -> list[Path]:
    """Put right what killed processes left beside the releases of a folder.

    Returns:
        What was there and is gone, sorted.
    """
    left = sorted(path for end in (*ENDS, "lock") for path in parent.glob(f".*.{end}"))
    for name in sorted({path.name[1:].rpartition(".")[0] for path in left}):
        with explained(parent), _lock(parent / name).if_free() as free:
            if free:  # else it is being written now
                _put_right(parent / name)
    return [path for path in left if not os.path.lexists(path)]
