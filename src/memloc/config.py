"""Configurations and their keys.

A configuration is plain JSON data. Its key is a hash of its canonical form, so equal settings meet in the same artefact
whatever the order in which they were written down.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from memloc.errors import MemlocError, unknown_name

KEY_LENGTH = 20
OF_ONES_OWN = "one of your own comes with memloc --catalogue FILE, or MEMLOC_CATALOGUE"  # told where a name is unknown

# a name that is part of a file's name or shown as it is: it climbs out of no folder and holds no markup
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

T = TypeVar("T")


def canonical_json(config: Mapping[str, Any]) -> str:
    """The one spelling of a configuration: sorted keys, no spaces, no NaN."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def config_key(config: Mapping[str, Any]) -> str:
    """The first 20 hexadecimal digits (80 bits) of the SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(config).encode()).hexdigest()[:KEY_LENGTH]


def home() -> Path:
    """Where artefacts live: ``MEMLOC_HOME``, or ``.memloc`` in the working directory.

    In a folder of the book it is the book's: a chapter opened by hand runs in the folder of its source.
    """
    if asked := os.environ.get("MEMLOC_HOME"):
        return Path(asked).resolve()
    return (book_above(Path.cwd()) or Path.cwd()) / ".memloc"


def book_above(start: Path) -> Path | None:
    """The nearest folder, from ``start`` upwards, that holds a book: ``_config.yml`` and ``_toc.yml``."""
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "_config.yml").is_file():
            return folder
    return None


def user_catalogues() -> list[Path]:
    """Catalogue files of the user's own, from ``MEMLOC_CATALOGUE`` (several separated as in PATH).

    An environment variable, so that worker processes and chapters see the same entries as the command behind them.
    """
    return [Path(name) for name in os.environ.get("MEMLOC_CATALOGUE", "").split(os.pathsep) if name]


def program() -> str:
    """``memloc`` as a reader has to call it for what was made here: with the user's catalogues, by their file names."""
    return " ".join(["memloc", *(f"--catalogue {shlex.quote(path.name)}" for path in user_catalogues())])


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build a configuration dataclass, refusing unknown fields and values of the wrong type.

    Raises:
        MemlocError: naming the field, the value and what is accepted.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in fields:
            raise unknown_name(f"setting in {where}", name, fields)
        default = fields[name].default
        if isinstance(default, bool):
            ok = isinstance(value, bool)
        elif isinstance(default, float):
            ok = isinstance(value, (int, float)) and not isinstance(value, bool)
        elif isinstance(default, int):
            ok = isinstance(value, int) and not isinstance(value, bool)
        elif isinstance(default, str):
            ok = isinstance(value, str)
        else:
            ok = True
        if not ok:
            raise MemlocError(f"{where}.{name}", value, f"a value of type {type(default).__name__}")
    typed = {name: float(v) if isinstance(fields[name].default, float) else v for name, v in values.items()}
    return cls(**typed)


def check_training(settings: object, where: str) -> None:
    """Check the settings of an optimiser run, those that there are of `TrainConfig`'s.

    Raises:
        MemlocError: naming the first that is out of its range.
    """
    given = vars(settings)
    for name in ("epochs", "batch_size", "max_length"):
        if name in given and given[name] < 1:
            raise MemlocError(f"{where}.{name}", given[name], "a positive number")
    for name in ("lr", "clip_norm"):
        if not 0 < given[name] < float("inf"):  # also refuses NaN
            raise MemlocError(f"{where}.{name}", given[name], "a positive number")
    if not 0 <= given["weight_decay"] < float("inf"):
        raise MemlocError(f"{where}.weight_decay", given["weight_decay"], "0 or a positive number")
    for name in ("dropout", "warmup", "memorised_f1"):
        if name in given and not 0 <= given[name] <= 1:
            raise MemlocError(f"{where}.{name}", given[name], "a share between 0 and 1")
    for name, accepted in (("pooling", ["token", "last_column"]), ("precision", ["fp32", "bf16"])):
        if given[name] not in accepted:
            raise MemlocError(f"{where}.{name}", given[name], accepted)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How a task's rows become a perturbed training set (method: sections 1.1 and 1.2)."""

    seed: int = 1
    noise_rate: float = 0.15
    cap: int = 0  # training rows kept, stratified; 0 keeps all
    floor: int = 20  # rows a class keeps under a cap, where it has them
    validation_cap: int = 0
    test_cap: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.noise_rate < 1:
            raise MemlocError("data.noise_rate", self.noise_rate, "a share between 0 and 1, both excluded")
        for name in ("cap", "floor", "validation_cap", "test_cap"):
            if getattr(self, name) < 0:
                raise MemlocError(f"data.{name}", getattr(self, name), "0 (no limit) or a positive number")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a classifier is trained (method: section 2). The defaults are the study's."""

    epochs: int = 50
    batch_size: int = 8
    lr: float = 1e-5
    weight_decay: float = 0.01
    warmup: float = 0.1  # share of all steps
    clip_norm: float = 1.0
    dropout: float = 0.1  # on the pooled token, before the head
    max_length: int = 512
    memorised_f1: float = 0.993  # macro-F1 on the given training labels that counts as memorised
    stop_when_memorised: bool = False
    pooling: str = "token"  # "last_column" reproduces the published code on padded batches
    precision: str = "fp32"  # or "bf16" (autocast)

    def __post_init__(self) -> None:
        check_training(self, "training")


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from what names it, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
