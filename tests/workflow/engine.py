"""What the tests of the workflow share: tasks in files, a call of Snakemake, and the bytes of a store."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("one", "two")

needs_snakemake = pytest.mark.skipif(
    importlib.util.find_spec("snakemake") is None, reason="no snakemake: make setup EXTRAS=dev,cluster"
)


class World:
    """A folder with data, a catalogue, a profile and a home.

    Args:
        folder: where all of it lies.
        changes: to the profile.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder, self.home = folder, folder / "home"
        self.profile = folder / "tiny.yml"
        content: dict[str, Any] = {
            "purpose": "tests",
            "source": "files",
            "tasks": list(TASKS),
            "models": {"micro-bert": {}},
            "seeds": [1],
            "data": {"cap": 40, "validation_cap": 20, "test_cap": 20},
            "training": {"epochs": 1, "batch_size": 16, "lr": 1e-3, "max_length": 32},
            "techniques": {"swapping": {}},
            "resamples": 10,
        }
        self.profile.write_text(yaml.safe_dump({**content, **changes}))
        for task in TASKS:
            (folder / "data" / task).mkdir(parents=True)
            for split, rows in (("train", 60), ("test", 30)):
                texts = [f"{task} word{i % 7} and word{i}" for i in range(rows)]
                label = [i % 2 for i in range(rows)]
                frame = pd.DataFrame({"text": texts, "label": label, "label_name": [("a", "b")[i] for i in label]})
                frame.to_parquet(folder / "data" / task / f"{split}.parquet")
        self.catalogue({})

    def catalogue(self, versions: dict[str, int]) -> None:
        """Write the catalogue, with tasks of these versions."""
        tasks = {
            task: {
                "title": task,
                "group": "topic",
                "labels": ["a", "b"],
                "licence": "MIT",
                "version": versions.get(task, 1),
                "files": {"folder": task, "splits": {"train": "train", "test": "test"}, "columns": ["text"]},
            }
            for task in TASKS
        }
        (self.folder / "mine.yml").write_text(yaml.safe_dump({"tasks": tasks}))

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """What a call needs; the package is that of this checkout."""
        return {
            **os.environ,
            "MEMLOC_HOME": str(home or self.home),
            "MEMLOC_CATALOGUE": str(self.folder / "mine.yml"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def command(self, engine: str, *more: str, config: dict[str, Any] | None = None) -> list[str]:
        """The call of Snakemake."""
        options = {"profile": self.profile, "data": self.folder / "data", "device": "cpu", **(config or {})}
        chosen = [f"{name}={value}" for name, value in options.items()]
        profile = ["--snakefile", ROOT / "workflow" / "Snakefile", "--profile", ROOT / "workflow" / "profiles" / engine]
        words = [*profile, "--directory", self.folder, *more, "--config", *chosen]
        return [sys.executable, "-m", "snakemake", *map(str, words)]

    def snakemake(self, engine: str, *more: str, **config: Any) -> tuple[int, str]:
        """Its exit status and what it said."""
        command = self.command(engine, *more, config=config)
        done = subprocess.run(
            command, env=self.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
        )
        return done.returncode, done.stdout

    def memloc(self, *words: str, home: Path | None = None) -> None:
        """Call memloc with this profile."""
        command = [sys.executable, "-m", "memloc.cli", *words, "--profile", str(self.profile)]
        subprocess.run([*command, "--data", str(self.folder / "data"), "--device", "cpu"], check=True,
                       env=self.environment(home), stdout=subprocess.DEVNULL)  # fmt: skip

    @property
    def release(self) -> Path:
        """Where the workflow writes the numbers."""
        return self.home / "workflow" / "release" / "tiny"

    def estimates(self, seconds: float) -> Path:
        """A file that says how long every cell takes."""
        each = {"hours": 2 * seconds / 3600, "training": seconds / 3600, "gigabytes": 0.1, "mean_tokens": 5.0}
        models = yaml.safe_load(self.profile.read_text())["models"]
        told = [
            {"task": task, "model": model, **each, "memory": 0.5, "device_memory": 0.0}
            for task in TASKS
            for model in models
        ]
        path = self.folder / "sizes.json"
        path.write_text(json.dumps({"format": 1, "profile": "tiny", "estimates": told}))
        return path


def store(home: Path) -> dict[str, bytes]:
    """Every file of a store but the sidecars."""
    found = (home / "store").rglob("*")
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in found if p.is_file() and p.name != "run.json"}


def tables(folder: Path) -> dict[str, bytes]:
    """The tables of a release."""
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def broken_model(folder: Path) -> Path:
    """A checkpoint that can be named and not be loaded."""
    folder.mkdir()
    config = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 8}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_text("no weights")
    return folder
