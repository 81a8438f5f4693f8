"""From a profile to artefacts: what a cell needs, in which order, through the store.

Everything is asked for by configuration. What the store has is used, what it lacks is computed, whoever asks: the
command line, a chapter, or a test.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from memloc import tables
from memloc.config import config_key
from memloc.data.catalogue import get_task
from memloc.data.prepare import load_raw, prepare
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model, model_config
from memloc.profiles import Profile
from memloc.store import RESUME, Artefact, Store

if TYPE_CHECKING:
    import torch

    from memloc.models.classifier import Classifier
    from memloc.training.batches import Encoded

TRAINING_VERSION = 1  # raised when the same settings would train other weights
DATASET_VERSION = 1
ARMS = ("perturbed", "normal", "frozen")


class CellId(NamedTuple):
    """One (task, model, seed)."""

    task: str
    model: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task} {self.model} seed {self.seed}"


@dataclass
class LoadedData:
    """A task's data set as the store holds it.

    Attributes:
        config: its full configuration.
        train, validation, test: tables of ``tables.SPLIT``.
        labels: class names, position = integer label.
        report: counts made on the way (see ``memloc.data.prepare``).
    """

    config: dict[str, Any]
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    labels: list[str]
    report: dict[str, Any]


@dataclass
class Experiment:
    """A profile on this machine.

    Args:
        profile: what to run.
        store: where artefacts are.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        data_dir: folder of the ``files`` source; ``MEMLOC_DATA`` by default.
    """

    profile: Profile
    store: Store = field(default_factory=Store)
    device: str = "auto"
    data_dir: Path | None = None
    _fingerprints: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    _datasets: dict[str, LoadedData] = field(default_factory=dict, repr=False)

    @cached_property
    def torch_device(self) -> torch.device:
        from memloc.devices import resolve_device

        return resolve_device(self.device)

    def _noted(self) -> dict[str, Any]:
        """For the sidecar: what may change the last bits of a result and is no setting."""
        import torch

        return {"device": str(self.torch_device), "threads": torch.get_num_threads()}

    def check(self) -> None:
        """Look up what costs nothing to look up: device, arms, techniques and their settings.

        Raises:
            MemlocError: for the first that is unknown here, before anything is read or written.
        """
        from memloc.techniques.base import get_technique, settings_of

        for name, settings in self.profile.techniques.items():
            settings_of(get_technique(name), settings)
        for arm in self.profile.extra_arms:
            if arm not in ARMS:
                raise MemlocError("arm", arm, ARMS)
        _ = self.torch_device

    def cells(self) -> list[CellId]:
        """Every (task, model, seed) of the profile."""
        models = self.profile.models.items()
        return [CellId(task, model, seed) for task in self.profile.tasks for model, run in models for seed in run.seeds]

    # -- data ------------------------------------------------------------------------------------------------------

    def dataset_config(self, task: str) -> dict[str, Any]:
        """The full configuration of a task's data set; reads the source to know what it holds now."""
        spec = get_task(task)
        if task not in self._fingerprints:
            self._fingerprints[task] = load_raw(spec, self.profile.source, self.data_dir).fingerprint
        return {
            "version": DATASET_VERSION,
            "task": task,
            "task_version": spec.version,
            "source": self.profile.source,
            "fingerprint": self._fingerprints[task],
            "data": asdict(self.profile.data),
        }

    def dataset(self, task: str) -> LoadedData:
        """The perturbed data set of a task, from the store or made; read and checked once an experiment."""
        if task not in self._datasets:
            self._datasets[task] = self._dataset(task)
        return self._datasets[task]

    def _dataset(self, task: str) -> LoadedData:
        config = self.dataset_config(task)

        def make(folder: Path) -> None:
            spec = get_task(task)
            made = prepare(load_raw(spec, self.profile.source, self.data_dir), spec, self.profile.data)
            for split in ("train", "validation", "test"):
                tables.write(getattr(made, split), tables.SPLIT, folder / f"{split}.parquet")
            tables.write(made.index(), tables.INDEX, folder / "index.parquet")
            facts = {"labels": list(made.spec.labels), "report": made.report}
            (folder / "facts.json").write_text(json.dumps(facts, sort_keys=True, ensure_ascii=False), encoding="utf-8")

        artefact = self.store.get_or_make("dataset", config, make)
        facts = json.loads(artefact.file("facts.json").read_text(encoding="utf-8"))
        splits = {s: tables.read(artefact.file(f"{s}.parquet"), tables.SPLIT) for s in ("train", "validation", "test")}
        return LoadedData(
            config, splits["train"], splits["validation"], splits["test"], facts["labels"], facts["report"]
        )

    # -- training --------------------------------------------------------------------------------------------------

    def checkpoint_config(self, cell: CellId, arm: str) -> dict[str, Any]:
        """The full configuration of a trained arm; arms that follow the perturbed one's steps contain its key."""
        if arm not in ARMS:
            raise MemlocError("arm", arm, ARMS)
        config = {
            "version": TRAINING_VERSION,
            "arm": arm,
            "dataset": self.dataset_config(cell.task),
            "model": model_config(get_model(cell.model)),
            "seed": cell.seed,
            "training": asdict(self.profile.models[cell.model].training),
        }
        return config if arm == "perturbed" else config | {"twin": config_key(config | {"arm": "perturbed"})}

    def checkpoint(self, cell: CellId, arm: str) -> Artefact:
        """A trained arm, from the store or trained now (its twin first)."""
        config = self.checkpoint_config(cell, arm)
        return self.store.get_or_make(
            "checkpoint", config, lambda folder: self._train(folder, cell, arm), self._noted()
        )

    def _train(self, folder: Path, cell: CellId, arm: str) -> None:
        from memloc.training.loop import Plan, Trainer, trained_parts

        training = self.profile.models[cell.model].training
        model, train = self.fresh(cell), self.encoded(cell, "train")
        parts = [p for p in trained_parts(model) if arm != "frozen" or p.startswith("head.")]
        plan = Plan(parts, train.label if arm == "normal" else train.given)
        if arm != "perturbed":
            twin = json.loads(self.checkpoint(cell, "perturbed").file("summary.json").read_text())
            plan.stop_after, plan.memorised_at = twin["epochs_run"], twin["memorised_epoch"]
        trainer = Trainer(model, train, self.encoded(cell, "validation"), training, cell.seed, plan)
        trainer.run(folder, folder / RESUME, f"training {cell} {arm}")

    def fresh(self, cell: CellId) -> Classifier:
        """The untrained start on the run's device: the same for every arm of a seed."""
        from memloc.models.classifier import build_classifier
        from memloc.training.batches import derived_seed

        classes = {"main": len(self.dataset(cell.task).labels)}
        model = build_classifier(get_model(cell.model), classes, head_seed=derived_seed("head", cell.seed))
        return model.to(self.torch_device)

    def encoded(self, cell: CellId, split: str) -> Encoded:
        """A split as the model's token ids."""
        from memloc.models.catalogue import locate
        from memloc.models.tokenizer import load_tokenizer
        from memloc.training.batches import encode

        spec = get_model(cell.model)
        tokenizer = load_tokenizer(locate(spec) if spec.pretrained else None, spec.architecture)
        limit = self.profile.models[cell.model].training.max_length
        return encode(getattr(self.dataset(cell.task), split), tokenizer, limit)

    def load(self, cell: CellId, arm: str, which: str = "last") -> Classifier:
        """A trained arm as a classifier in evaluation mode; ``pretrained`` is the untrained start.

        Args:
            which: ``last``; ``memorised``, the first epoch at which the labels were memorised; or ``first memorised``,
                the same where they were, and the last epoch where they never were.

        Raises:
            MemlocError: if the memorised checkpoint is asked for and the labels never were.
        """
        from safetensors.torch import load_file

        model = self.fresh(cell).eval()
        if arm == "pretrained":
            return model
        artefact = self.checkpoint(cell, arm)
        if which != "last":
            summary = json.loads(artefact.file("summary.json").read_text())
            if which == "memorised" and summary["memorised_epoch"] is None:
                raise MemlocError(
                    f"memorised checkpoint of {cell} {arm}", None, "labels memorised in training; or which='last'"
                )
            which = "last" if summary["memorised_epoch"] in (None, summary["epochs_run"]) else "memorised"
        model.load_parts(load_file(artefact.file(f"{which}.safetensors")))
        return model

    # -- techniques ------------------------------------------------------------------------------------------------

    def technique_config(self, cell: CellId, name: str) -> dict[str, Any]:
        """The full configuration of a technique's rows: its settings and the arms they come from."""
        from memloc.techniques.base import get_technique, settings_of

        technique = get_technique(name)
        return {
            "technique": name,
            "version": technique.version,
            "settings": settings_of(technique, self.profile.techniques.get(name)),
            "arms": {
                arm: self.checkpoint_config(cell, arm)
                for arm in (*technique.arms, *technique.optional)
                if arm != "pretrained"
            },
            "cell": cell._asdict(),
        }

    def rows(self, cell: CellId, name: str) -> Artefact:
        """The tidy rows of a technique on a cell, from the store or computed now (the arms it needs first)."""
        config = self.technique_config(cell, name)
        return self.store.get_or_make(
            "rows", config, lambda folder: self._localise(folder, cell, name, config), self._noted()
        )

    def _localise(self, folder: Path, cell: CellId, name: str, config: dict[str, Any]) -> None:
        from memloc.techniques.base import Cell, get_technique

        for arm in config["arms"]:
            self.checkpoint(cell, arm)  # here, and not when it is loaded: a technique may have switched gradients off
        key = config_key(config)
        given = Cell(
            run_key=key,
            **cell._asdict(),
            classes=len(self.dataset(cell.task).labels),
            train=self.encoded(cell, "train"),
            load=lambda arm, memorised=False: self.load(cell, arm, "first memorised" if memorised else "last"),
            arms=("pretrained", *config["arms"]),
            resume=folder / RESUME,
            pooling=self.profile.models[cell.model].training.pooling,
        )
        result = get_technique(name).run(given, config["settings"])
        rows = result.rows.assign(run_key=key, technique=name, **cell._asdict())
        for column in set(tables.ROWS.names) - set(rows.columns):
            rows[column] = None
        tables.write(rows[tables.ROWS.names], tables.ROWS, folder / "rows.parquet")
        for detail, frame in result.details.items():
            tables.write(frame, tables.DETAILS[detail], folder / f"{detail}.parquet")

    # -- whole runs ------------------------------------------------------------------------------------------------

    def run_cell(self, cell: CellId) -> None:
        """Everything the profile asks of one cell."""
        for arm in self.profile.extra_arms:
            self.checkpoint(cell, arm)
        for name in self.profile.techniques:
            self.rows(cell, name)
