"""Finished pieces of long work, kept on disk: a killed run goes on at the next piece.

A piece is a few named arrays in one safetensors file. Each carries the key of the configuration it was computed for, so
that pieces never end up in another run's result.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from memloc.config import PLAIN_NAME
from memloc.errors import MemlocError

log = logging.getLogger(__name__)

ENDING = ".safetensors"


class Pieces:
    """Pieces by name in a folder.

    Writing one costs its size and a flush to the disk; looking one up reads it whole.

    Args:
        folder: made when the first piece is put; with None nothing is kept and nothing is ever done.
        run_key: key of the configuration of the work.
    """

    def __init__(self, folder: Path | None, run_key: str) -> None:
        self.folder, self.run_key = folder, run_key

    def done(self, name: str) -> bool:
        """Whether this piece is there and whole; a damaged one is told of and counts as not done.

        Raises:
            MemlocError: if the piece belongs to another configuration, or the name is no plain file name.
        """
        return self._read(name) is not None

    def get(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a piece.

        Raises:
            MemlocError: if it is not there, is damaged, or belongs to another configuration.
        """
        arrays = self._read(name)
        if arrays is None:
            raise MemlocError("finished piece", name, "a piece that is done")
        return arrays

    def put(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a piece: whole or not at all, whenever the process is killed."""
        from safetensors.numpy import save

        path = self._path(name)
        if path is None:
            return
        # a view of another order would be stored in the order of its memory
        content = save({key: np.array(array, order="C") for key, array in arrays.items()}, {"run_key": self.run_key})
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)

    def _path(self, name: str) -> Path | None:
        if not PLAIN_NAME.fullmatch(name):
            raise MemlocError("name of a piece", name, "letters, digits, points, dashes and underscores")
        return None if self.folder is None else self.folder / f"{name}{ENDING}"

    def _read(self, name: str) -> dict[str, np.ndarray] | None:
        from safetensors import SafetensorError, safe_open

        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                found = (file.metadata() or {}).get("run_key")
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (OSError, ValueError, SafetensorError) as error:
            log.warning("%s is damaged and computed again: %s", path, error)
            return None
        if found != self.run_key:
            raise MemlocError(f"finished piece {name}", found, f"one of the configuration {self.run_key}")
        return arrays
