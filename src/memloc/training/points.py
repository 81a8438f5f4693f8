"""Resume points: tensors and a few words of one run in one file, which is whole whenever the run is killed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

log = logging.getLogger(__name__)

POINT = "point.safetensors"


def save_point(folder: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, str]) -> None:
    """Write a resume point beside the old one, then put it in its place: a kill leaves one whole point."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / "point.tmp", metadata=dict(meta))
    # safetensors keeps files to their owner; who may write the folder may go on from here
    (folder / "point.tmp").chmod(folder.stat().st_mode & 0o666)
    (folder / "point.tmp").replace(folder / POINT)


def load_point(folder: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The resume point of a folder; None if there is none, or if it is damaged, which is told."""
    path = folder / POINT
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as stream:
            meta = stream.metadata()
        return load_file(path), meta
    except (SafetensorError, OSError) as error:
        log.warning("training starts anew: %s is damaged (%s)", path, error)
        return None
