"""A model, its arms and a table, opened and checked before anything is computed; which techniques they allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.config import config_key
from memloc.errors import MemlocError, unknown_name
from memloc.own.checkpoints import OwnCheckpoint, find
from memloc.own.table import OwnEncoded, OwnTable, encode_own, read_table

if TYPE_CHECKING:
    import torch

    from memloc.techniques.base import Cell, Technique

TECHNIQUES = ("swapping", "retraining", "gradients", "probing", "centroids")  # the order in which they are told
OPTIONS = {"perturbed": "model", "normal": "normal", "pretrained": "pretrained", "frozen": "frozen"}
NEEDS_ORIGINALS = {"centroids": "it compares classes of given and of original labels"}
# a checkpoint's own head has the dropout it was made with; the study's comes on top of the pooled token
OWN_SETTINGS: dict[str, dict[str, Any]] = {"retraining": {"dropout": 0.0}}


@dataclass
class Job:
    """What techniques are run on.

    Attributes:
        arms: checkpoints by arm; ``perturbed`` is the model asked about.
        table: the examples and their labels.
        encoded: the same as the model's token ids.
        device: where to compute.
    """

    arms: dict[str, OwnCheckpoint]
    table: OwnTable
    encoded: OwnEncoded
    device: torch.device

    @property
    def model(self) -> OwnCheckpoint:
        return self.arms["perturbed"]

    @property
    def classes(self) -> int:
        return int(self.model.config.num_labels)

    def load(self, arm: str, memorised: bool = False) -> Any:
        """A new copy of an arm on the device, in evaluation mode; there is one checkpoint of each."""
        from memloc.own.loading import load

        head_of = self.model if arm == "pretrained" else None  # a start has no head for this task
        return load(self.arms[arm], self.encoded.types, head_of).to(self.device)

    def config(self, technique: Technique, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What a technique's rows depend on, as plain data without paths."""
        used = [arm for arm in (*technique.arms, *technique.optional) if arm in self.arms]
        return {
            "own": 1,
            "technique": technique.name,
            "version": technique.version,
            "settings": dict(settings),
            "weights": {arm: self.arms[arm].sha256 for arm in used},
            "data": self.table.sha256,
            "tokens": self.encoded.limit,
            "task": self.table.name,
            "model": self.model.name,
        }

    def cell(self, technique: Technique, settings: Mapping[str, Any], resume: Path | None) -> Cell:
        """What a technique is given."""
        from memloc.techniques.base import Cell

        return Cell(
            run_key=config_key(self.config(technique, settings)),
            task=self.table.name,
            model=self.model.name,
            seed=0,
            classes=self.classes,
            train=self.encoded.data,
            load=self.load,
            arms=tuple(self.arms),
            resume=resume,
        )


def open_job(
    model: str | Path,
    data: str | Path,
    normal: str | Path | None = None,
    pretrained: str | Path | None = None,
    frozen: str | Path | None = None,
    device: str = "auto",
    max_length: int | None = None,
) -> Job:
    """Find and check everything; nothing is written, no model is run.

    The start of an adapter is its base, so ``pretrained`` may be left out there.

    Raises:
        MemlocError: for the first thing that does not fit.
    """
    from memloc.devices import resolve_device
    from memloc.own.loading import check_alike, check_classes, check_classifier

    where = resolve_device(device)
    arms = {"perturbed": find(model)}
    arms |= {arm: find(given) for arm, given in (("normal", normal), ("frozen", frozen)) if given is not None}
    first = arms["perturbed"]
    if pretrained is not None:
        arms["pretrained"] = find(pretrained)
    elif first.base is not None:
        arms["pretrained"] = first.base
    check_classifier(first)
    for arm, other in arms.items():
        if arm != "perturbed":
            check_alike(first, other, arm)
        if arm in ("normal", "frozen"):
            check_classes(first, other, arm)
    config = first.config
    table = read_table(Path(data), {str(name): i for name, i in config.label2id.items()}, config.num_labels)
    for found in arms.values():
        found.check_finite()
    return Job(arms, table, encode_own(table, config, first.tokenizer, max_length), where)


@dataclass
class Planned:
    """One technique on a job.

    Attributes:
        name: of the technique.
        settings: what it will run with.
        lacks: why it cannot run, or empty.
        notes: what it runs without.
    """

    name: str
    settings: dict[str, Any]
    lacks: str = ""
    notes: list[str] = field(default_factory=list)


def wanted_techniques(technique: str) -> list[str]:
    """One technique by name, or ``all`` of ours.

    Raises:
        MemlocError: for an unknown name, with near misses.
    """
    import memloc.techniques  # noqa: F401 - registers them
    from memloc.techniques.base import technique_names

    known = [name for name in TECHNIQUES if name in technique_names()]
    others = [name for name in technique_names() if name not in (*TECHNIQUES, "maps")]  # somebody's own
    if technique == "all":
        return known
    if technique not in known + others:
        raise unknown_name("technique", technique, [*known, *others, "all"])
    return [technique]


def plan(job: Job, technique: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[Planned]:
    """Which techniques run, and what the others lack.

    Args:
        settings: changes of techniques' settings, by technique.

    Raises:
        MemlocError: for an unknown technique or setting; if no technique can run.
    """
    from memloc.techniques.base import get_technique, settings_of

    planned = []
    for name in wanted_techniques(technique):
        found = get_technique(name)
        one = Planned(name, settings_of(found, {**OWN_SETTINGS.get(name, {}), **(settings or {}).get(name, {})}))
        missing = [f"--{OPTIONS.get(arm, arm)}" for arm in found.arms if arm not in job.arms]
        if missing:
            one.lacks = f"it needs {' and '.join(missing)}"
        elif name in NEEDS_ORIGINALS and not job.table.has_originals:
            one.lacks = f"it needs a column label with original labels: {NEEDS_ORIGINALS[name]}"
        without = [f"--{OPTIONS.get(arm, arm)}" for arm in found.optional if arm not in job.arms]
        if without:
            one.notes.append(f"runs without {' and '.join(without)}")
        if name == "probing" and not job.table.has_originals:
            one.notes.append("tells nothing of original labels, which the table does not have")
        planned.append(one)
    if all(one.lacks for one in planned):
        told = "; ".join(f"{one.name}: {one.lacks}" for one in planned)
        raise MemlocError("techniques that can run", "none", f"what they lack ({told})")
    return planned
