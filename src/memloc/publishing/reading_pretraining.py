"""What a chapter calls to get the models that ship with the package: how they were pretrained, and what it bought."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from memloc import tables
from memloc.analysis.status import last_score
from memloc.arms import YARDSTICKS
from memloc.config import KEY_LENGTH
from memloc.manifest import digest
from memloc.models.catalogue import ModelSpec, get_model, locate, model_names
from memloc.publishing.reading import ReleasedStudy, open_release
from memloc.publishing.sources import Source
from memloc.publishing.style import sort_models

FOLDER = "memloc/models/weights/"  # of the package, where the shipped models lie
RANDOM = "-random"  # ends the names of models of the same shape without pretraining
WORDS = "bag of words"
FINE_TUNED, BAG_OF_WORDS = YARDSTICKS


@dataclass(frozen=True)
class Shipped:
    """One shipped model.

    Attributes:
        spec: its catalogue entry.
        folder: its files.
        losses: ``tables.PRETRAINING``.
        parameters: number of weights.
        megabytes: of the file of weights.
    """

    spec: ModelSpec
    folder: Path
    losses: pd.DataFrame
    parameters: int
    megabytes: float

    @property
    def masked(self) -> bool:
        """Whether it learnt to fill gaps, and not to go on."""
        return self.spec.architecture.pool == "first"

    @property
    def source(self) -> Source:
        """Its losses, and what names its weights."""
        weights = digest(self.folder / "model.safetensors")[:KEY_LENGTH]
        losses = self.losses.to_csv(index=False, lineterminator="\n")
        return Source(f"Shipped model `{self.spec.name}`: weights `{weights}`", rows={f"{self.spec.name}.csv": losses})

    def held_out(self) -> tuple[int, float]:
        """Tokens seen and the held-out loss in nats, at the end."""
        last = self.losses[self.losses["split"] == "validation"].iloc[-1]
        return int(last["tokens"]), float(last["loss"])


def shipped_models() -> list[Shipped]:
    """The models in the package that were pretrained here, in the catalogue's order."""
    specs = [get_model(name) for name in model_names()]
    return [_shipped(spec) for spec in specs if spec.location.startswith(FOLDER) and spec.pretrained]


def _shipped(spec: ModelSpec) -> Shipped:
    folder = locate(spec)
    weights = folder / "model.safetensors"
    with weights.open("rb") as stream:  # the file begins with the length of its header, and the header
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    count = sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    losses = tables.read(folder / "loss.parquet", tables.PRETRAINING)
    return Shipped(spec, folder, losses, count, weights.stat().st_size / 1e6)


@dataclass(frozen=True)
class Worth:
    """Ordinary fine-tuning from different starts.

    Attributes:
        study: the released run.
        scores: one row a task, start and seed: ``task, start, seed, accuracy`` on validation examples after the last
            epoch. A start is a model's name, or ``bag of words``, which has one row a task.
        majority: task to the share of its most frequent class among the validation examples.
    """

    study: ReleasedStudy
    scores: pd.DataFrame
    majority: dict[str, float]

    @property
    def pretrained(self) -> list[str]:
        """The shipped models that were fine-tuned from both starts."""
        there = set(self.scores["start"])
        return sort_models(name for name in self.study.profile.models if {name, f"{name}{RANDOM}"} <= there)

    @property
    def twins(self) -> list[str]:
        """Their twins of random weights, in the same order."""
        return [f"{name}{RANDOM}" for name in self.pretrained]

    @property
    def yardsticks(self) -> list[str]:
        """The models that were fine-tuned from their own weights alone."""
        others = {*self.pretrained, *self.twins, WORDS}
        return [name for name in dict.fromkeys(self.scores["start"]) if name not in others]

    def seeds(self) -> pd.Series:
        """How many seeds there are, by start and task."""
        return self.scores.groupby(["start", "task"])["seed"].nunique()

    def mean(self, start: str) -> pd.Series:
        """Mean accuracy over seeds by task."""
        chosen = self.scores[self.scores["start"] == start]
        return chosen.groupby("task")["accuracy"].mean()


def open_worth(name: str = "worth") -> Worth | None:
    """The released comparison of starts; None if this copy has none."""
    study = open_release(name)
    return read_worth(study) if study else None


def read_worth(study: ReleasedStudy) -> Worth:
    """Validation accuracy at the last epoch of every start, from a release's traces."""
    numbers, rows, majority = study.numbers, [], {}
    for cell in numbers.cells():
        for arm, start, seed in ((FINE_TUNED, cell.model, cell.seed), (BAG_OF_WORDS, WORDS, 0)):
            accuracy, _ = last_score(numbers.trace(cell, arm), "validation", "all")
            rows.append({"task": cell.task, "start": start, "seed": seed, "accuracy": accuracy})
        majority[cell.task] = numbers.held_out(cell).majority
    scores = pd.DataFrame(rows).drop_duplicates(ignore_index=True)  # words know no model: the same for each
    return Worth(study, scores, majority)
