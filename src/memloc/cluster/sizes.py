"""How long a cell takes and how much memory: what ``memloc estimate --save`` wrote, and what a planner reads of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError
from memloc.publishing.chapters import write_text_whole

if TYPE_CHECKING:
    from memloc.estimating import Estimate
    from memloc.profiles import Profile

FORMAT = 1


@dataclass(frozen=True)
class Size:
    """Of one cell: seconds of its training and of its analyses, megabytes of its process and on its device."""

    training: float
    analyses: float
    memory: int
    device_memory: int

    @property
    def seconds(self) -> float:
        """Of all its work."""
        return self.training + self.analyses


def save(estimates: Iterable[Estimate], profile: Profile, path: Path) -> None:
    """Write estimates to a file; `read_sizes` reads it."""
    content = {"format": FORMAT, "profile": profile.name, "estimates": [asdict(one) for one in estimates]}
    write_text_whole(path, json.dumps(content, indent=1) + "\n")


def read_sizes(path: Path, profile: Profile) -> dict[tuple[str, str], Size]:
    """The size of a cell by task and model; hours of all seeds are divided among them.

    Raises:
        MemlocError: for a file that `save` did not write.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return {
            (one["task"], one["model"]): _size(one, len(profile.models[one["model"]].seeds))
            for one in content["estimates"]
            if one["model"] in profile.models
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"a file of memloc estimate --save ({type(error).__name__}: {error})"
        raise MemlocError("estimates", str(path), told) from error


def _size(one: dict[str, Any], seeds: int) -> Size:
    training = one["training"] * 3600 / seeds
    analyses = (one["hours"] - one["training"]) * 3600 / seeds
    return Size(training, analyses, round(one["memory"] * 1000), round(one["device_memory"] * 1000))
