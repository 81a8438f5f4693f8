"""What the shipped models say, asked of them or read where released tables are shown: words for gaps, continuations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from memloc import tables
from memloc.config import config_key
from memloc.errors import MemlocError
from memloc.manifest import digest
from memloc.publishing import project_root
from memloc.publishing.reading_pretraining import Shipped
from memloc.publishing.studies import RENEW, reads_released
from memloc.sealed import read_sealed

NAME = "shipped-samples"  # of the release
FILES = {"said.parquet": tables.SAID}
VERSION = 1

# our own words; what a model makes of them is computed
GAPS = (
    "a dog is an ___ that barks.",
    "she opened the ___ and went into the house.",
    "the king and the ___ were married.",
    "two and two make ___.",
    "paris is the capital of ___.",
)
BEGINNINGS = ("a horse is an animal that", "she looked at him and", "to start the program, you have to")


def said(models: Sequence[Shipped]) -> pd.DataFrame:
    """What the models say (``tables.SAID``); the released answers where released tables are shown."""
    if reads_released():
        return read_said(project_root() / "results" / NAME, models)
    return ask(models)


def ask(models: Sequence[Shipped]) -> pd.DataFrame:
    """Five words for each gap by the models that fill gaps, one continuation of each beginning by the others."""
    from memloc.pretraining.samples import fill_gaps, go_on

    frames = []
    for model in models:
        if model.masked:
            found = fill_gaps(model.folder, GAPS).rename(columns={"sentence": "prompt", "word": "text"})
        else:
            found = pd.DataFrame({"prompt": BEGINNINGS, "rank": 1, "text": go_on(model.folder, BEGINNINGS)})
            found["probability"] = float("nan")
        frames.append(found.assign(model=model.spec.name))
    return pd.concat(frames, ignore_index=True)[tables.SAID.names]


def release_said(models: Sequence[Shipped], folder: Path) -> Path:
    """Write what the models say now; a release that is there is replaced."""
    from memloc.releasing import put, refuse_other

    refuse_other(folder, FILES)
    put(folder, {"kind": NAME, "key": config_key(_config(models))}, {"said.parquet": ask(models)}, FILES)
    return folder


def read_said(folder: Path, models: Sequence[Shipped]) -> pd.DataFrame:
    """The released answers, after every byte was checked.

    Raises:
        MemlocError: if there are none, they were altered, or other models or questions were asked.
    """
    sealed = read_sealed(folder, RENEW)
    if (told := sealed.manifest.get("key")) != (key := config_key(_config(models))):
        raise MemlocError(f"key of {folder}", told, f"{key}: {RENEW}")
    return sealed.frames(FILES)["said.parquet"]


def _config(models: Sequence[Shipped]) -> dict[str, Any]:
    weights = {model.spec.name: digest(model.folder / "model.safetensors") for model in models}
    return {"version": VERSION, "gaps": list(GAPS), "beginnings": list(BEGINNINGS), "weights": weights}
