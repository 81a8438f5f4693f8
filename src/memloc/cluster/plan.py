"""The plan of a run: a file that names every job with its artefacts, and stamps that say which are done.

Job processes read the plan and nothing else, so that what they compute is what was planned. A stamp is an empty sign
beside the store: it is there if the artefacts of its job are. Whatever made or removed those, `settle` puts the stamps
right, so ``memloc run`` and a workflow can take turns on one store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from memloc.cluster.jobs import Work
from memloc.config import PLAIN_NAME, config_key
from memloc.configurations import CellId, Key
from memloc.errors import MemlocError, unknown_name
from memloc.pipeline import Experiment
from memloc.profiles import Profile
from memloc.profiles.loading import parse_profile, profile_content
from memloc.publishing.chapters import write_text_whole
from memloc.store import Store

FORMAT = 1
FOLDER = "workflow"  # below MEMLOC_HOME: plans, stamps, logs


@dataclass(frozen=True)
class Plan:
    """What a profile becomes on a home.

    Attributes:
        profile: what is run.
        device: as of `Experiment`.
        data_dir: likewise.
        works: every job, each after those it needs.
    """

    profile: Profile
    device: str
    data_dir: Path | None
    works: tuple[Work, ...]

    @cached_property
    def by_name(self) -> dict[str, Work]:
        """The jobs by their names."""
        return {work.name: work for work in self.works}

    def work(self, name: str) -> Work:
        """A job by name.

        Raises:
            MemlocError: if there is none of that name, as after a change of the profile or the package.
        """
        if name not in self.by_name:
            raise unknown_name(f"job of the plan of profile {self.profile.name}", name, self.by_name)
        return self.by_name[name]

    @property
    def key(self) -> str:
        """Another one when any artefact of any cell is."""
        return config_key({"profile": profile_content(self.profile), "jobs": sorted(self.by_name)})[:12]

    def experiment(self, home: Path) -> Experiment:
        """The profile on this machine."""
        return Experiment(self.profile, Store(home), self.device, self.data_dir)

    def write(self, path: Path) -> None:
        """Write it, unless the file already says the same: engines look at times."""
        content = {
            "format": FORMAT,
            "name": self.profile.name,
            "key": self.key,
            "profile": profile_content(self.profile),
            "device": self.device,
            "data": str(self.data_dir) if self.data_dir else None,
            "jobs": [asdict(work) for work in self.works],
        }
        text = json.dumps(content, indent=1) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text_whole(path, text)


def read_plan(path: Path) -> Plan:
    """A plan from its file.

    Raises:
        MemlocError: for a file that `Plan.write` did not write.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        works = tuple(_work(entry) for entry in content["jobs"])
        data = Path(content["data"]) if content["data"] else None
        return Plan(parse_profile(content["name"], content["profile"]), content["device"], data, works)
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"a file of memloc cluster plan ({type(error).__name__}: {error})"
        raise MemlocError("plan", str(path), told) from error


def _work(entry: Mapping[str, Any]) -> Work:
    if not PLAIN_NAME.fullmatch(entry["name"]):  # the stamp and the log are called so
        raise ValueError(f"job called {entry['name']!r}")
    cells = tuple(CellId(*cell) for cell in entry["cells"])
    makes = tuple((kind, key) for kind, key in entry["makes"])
    return Work(**{**entry, "cells": cells, "makes": makes, "needs": tuple(entry["needs"])})


def stamp_of(home: Path, name: str) -> Path:
    """The stamp of a job, or of a release."""
    return home / FOLDER / "stamps" / f"{name}.json"


def stamp(home: Path, name: str, makes: Iterable[Key]) -> None:
    """Say that a job is done, naming its artefacts."""
    content = {"job": name, "artefacts": [f"{kind}/{key}" for kind, key in makes]}
    write_text_whole(stamp_of(home, name), json.dumps(content, indent=1) + "\n")


def lacks(home: Path, work: Work) -> list[Key]:
    """The artefacts of a job that the store has not got."""
    store = Store(home)
    return [(kind, key) for kind, key in work.makes if not store.has(kind, key)]


def settle(home: Path, plan: Plan) -> list[Work]:
    """Make every stamp say what the store says.

    Returns:
        The jobs that are left to do.
    """
    left = []
    for work in plan.works:
        if lacks(home, work):
            stamp_of(home, work.name).unlink(missing_ok=True)
            left.append(work)
        elif not stamp_of(home, work.name).is_file():
            stamp(home, work.name, work.makes)
    return left
