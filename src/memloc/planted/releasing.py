"""A released benchmark: its tables and a manifest in one folder, numbers only, as other released runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.errors import MemlocError
from memloc.planted.experiment import Plantings
from memloc.planted.results import TABLES, Results, join, results, results_of
from memloc.profiles import Profile
from memloc.profiles.loading import parse_profile, profile_content
from memloc.releasing import put, refuse_other
from memloc.sealed import read_sealed

KIND = "planted"
FILES = {f"{name}.parquet": schema for name, schema in TABLES.items()}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark and its numbers, from the store or from a release.

    Attributes:
        profile: what was asked for.
        results: the tables.
        version: format and tables as they were released, in words; empty for one from the store.
    """

    profile: Profile
    results: Results
    version: str = ""


def release(plantings: Plantings, folder: Path | str, keep: bool = False) -> Path:
    """Write everything that the store has of a benchmark; nothing is computed.

    A release that is there is replaced as a whole, or stays as it is if anything fails.

    Args:
        keep: whether what the release that is there has of a cell is kept, all of it, where the store has less of it
            and the configurations are those that the profile has now.

    Raises:
        MemlocError: if nothing was planted yet, the folder holds something else than a release, or cells are to be kept
            of one that is damaged.
    """
    folder = Path(os.path.abspath(folder))
    refuse_other(folder, FILES)
    found = _with_kept(plantings, read_benchmark(folder)) if keep and folder.exists() else results(plantings)
    if found.planted.empty:
        made_by = f"a profile that was run: memloc benchmark --profile {plantings.profile.name}"
        raise MemlocError("planted cells in the store", "none", made_by)
    manifest: dict[str, Any] = {
        "kind": KIND,
        "profile_name": plantings.profile.name,
        "profile": profile_content(plantings.profile),
        "artefacts": found.keys,
        "missing": found.missing,
    }
    put(folder, manifest, {f"{name}.parquet": getattr(found, name) for name in TABLES}, FILES)
    return folder


def _with_kept(plantings: Plantings, earlier: Benchmark) -> Results:
    """The results in the store, and of cells that it has less of those released earlier."""
    now, then = profile_content(plantings.profile), profile_content(earlier.profile)
    if any(now[name] != then[name] for name in ("planted", "techniques")):
        return results(plantings)  # the keys of what follows on parts that the store lacks cannot be compared
    parts = []
    for amount in plantings.amounts():
        here, kept = results_of(plantings, amount), earlier.results.of(amount)
        more = _flat(kept.keys)
        same = all(more.get(name, key) == key for name, key in _flat(here.sought).items())
        parts.append(kept if same and len(more) > len(_flat(here.keys)) else here)
    return join(parts)


def _flat(keys: dict[str, dict[str, str]]) -> dict[tuple[str, str], str]:
    return {(what, name): key for what, named in keys.items() for name, key in named.items()}


def read_benchmark(folder: Path | str) -> Benchmark:
    """A released benchmark, after every byte was checked against its manifest; an older one is migrated in memory.

    Raises:
        MemlocError: if a file is missing or altered, or it is of a version that cannot be read, or of another kind.
    """
    sealed = read_sealed(folder, "memloc benchmark --release FOLDER")
    manifest = sealed.manifest
    if manifest.get("kind") != KIND:
        raise MemlocError("released run", str(folder), "one of a benchmark with planted memorisation")
    frames: dict[str, pd.DataFrame] = sealed.frames(FILES)
    told = {name: frames[f"{name}.parquet"] for name in TABLES}
    found = Results(**told, missing=manifest["missing"], keys=manifest["artefacts"], sought={})
    return Benchmark(parse_profile(manifest["profile_name"], manifest["profile"]), found, sealed.version)
