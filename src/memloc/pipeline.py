"""From a profile to artefacts: what a cell needs, in which order, through the store.

Everything is asked for by configuration. What the store has is used, what it lacks is computed, whoever asks: the
command line, a chapter, or a test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from memloc import tables
from memloc.arms import (
    ARMS,
    AUXILIARY,
    CONTROL_ARMS,
    MAIN,
    arm_of,
    auxiliary_parts,
    followed,
    learns_original,
    main_parts,
)
from memloc.config import config_key
from memloc.configurations import CellId, Configurations
from memloc.data.catalogue import get_task
from memloc.data.loaded import LoadedData, read_dataset, write_dataset
from memloc.data.prepare import load_raw, prepare
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.profiles import Profile
from memloc.store import RESUME, Artefact, Store

if TYPE_CHECKING:
    import torch

    from memloc.models.classifier import Classifier
    from memloc.training.batches import Encoded
    from memloc.training.streams import Stream

__all__ = ["ARMS", "CellId", "Experiment", "LoadedData"]


@dataclass
class Experiment(Configurations):
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

    # -- data ------------------------------------------------------------------------------------------------------

    def dataset(self, task: str) -> LoadedData:
        """The perturbed data set of a task, from the store or made; read and checked once an experiment."""
        if task not in self._datasets:
            self._datasets[task] = self._dataset(task)
        return self._datasets[task]

    def _dataset(self, task: str) -> LoadedData:
        config = self.dataset_config(task)

        def make(folder: Path) -> None:
            spec = get_task(task)
            write_dataset(prepare(load_raw(spec, self.profile.source, self.data_dir), spec, self.profile.data), folder)

        return read_dataset(self.store.get_or_make("dataset", config, make))

    # -- training --------------------------------------------------------------------------------------------------

    def checkpoint(self, cell: CellId, arm: str) -> Artefact:
        """A trained arm, from the store or trained now (its twin first)."""
        config = self.checkpoint_config(cell, arm)
        return self.store.get_or_make(
            "checkpoint", config, lambda folder: self._train(folder, cell, arm), self._noted()
        )

    def _train(self, folder: Path, cell: CellId, arm: str) -> None:
        from memloc.training.loop import Plan, Trainer

        training = self.profile.models[cell.model].training
        joint = arm in CONTROL_ARMS
        model, train = self.fresh(cell, joint), self.encoded(cell, "train")
        labels = train.label if learns_original(arm) else train.given
        plan = Plan(main_parts(arm, model.parts(), model.num_layers), labels)
        twins = [json.loads(self.checkpoint(cell, leader).file("summary.json").read_text()) for leader in followed(arm)]
        if twins:
            plan.stop_after = max(twin["epochs_run"] for twin in twins)
            memorised = [twin["memorised_epoch"] for twin in twins]
            plan.memorised_at = None if None in memorised else max(memorised)
        if joint:
            plan.beside = self._auxiliary(cell, model)
        trainer = Trainer(model, train, self.encoded(cell, "validation"), training, cell.seed, plan)
        trainer.run(folder, folder / RESUME, f"training {cell} {arm}")

    def _auxiliary(self, cell: CellId, model: Classifier) -> Stream:
        """The control's second task, on its original labels."""
        from memloc.training.streams import Stream

        control = self.control(cell)
        data = self.encoded(cell._replace(task=control.auxiliary), "train")
        lr = self.profile.models[cell.model].training.lr * control.lr_share
        return Stream(data, data.label, auxiliary_parts(model.parts()), lr, AUXILIARY)

    def fresh(self, cell: CellId, joint: bool = False) -> Classifier:
        """The untrained start on the run's device: the same for every arm of a seed.

        Args:
            joint: with the control's second head.
        """
        from memloc.models.classifier import build_classifier
        from memloc.training.batches import derived_seed

        classes = {MAIN: len(self.dataset(cell.task).labels)}
        if joint:
            classes[AUXILIARY] = len(self.dataset(self.control(cell).auxiliary).labels)
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
        if which in ("memorised", "first memorised"):
            summary = json.loads(artefact.file("summary.json").read_text())
            if which == "memorised" and summary["memorised_epoch"] is None:
                raise MemlocError(
                    f"memorised checkpoint of {cell} {arm}", None, "labels memorised in training; or which='last'"
                )
            which = "last" if summary["memorised_epoch"] in (None, summary["epochs_run"]) else "memorised"
        state = load_file(artefact.file(f"{which}.safetensors"))
        parts = {name.split("/", 1)[0] for name in state} - {f"head.{AUXILIARY}"}  # techniques ask about the main task
        model.load_parts(state, sorted(parts))
        return model

    # -- techniques ------------------------------------------------------------------------------------------------

    def rows(self, cell: CellId, name: str, setting: str = "main") -> Artefact:
        """The tidy rows of a technique on a cell, from the store or computed now (the arms it needs first).

        Args:
            setting: ``main``, or one of ``CONTROLS``, whose arms then stand for those the technique asks for.
        """
        config = self.technique_config(cell, name, setting)
        return self.store.get_or_make(
            "rows", config, lambda folder: self._localise(folder, cell, name, config, setting), self._noted()
        )

    def _localise(self, folder: Path, cell: CellId, name: str, config: dict[str, Any], setting: str) -> None:
        from memloc.techniques.base import Cell, get_technique

        for arm in config["arms"]:  # here, and not when it is loaded: a technique may have switched gradients off
            self.checkpoint(cell, arm_of(setting, arm))
        key = config_key(config)

        def load(arm: str, memorised: bool = False) -> Classifier:
            return self.load(cell, arm_of(setting, arm), "first memorised" if memorised else "last")

        given = Cell(
            run_key=key,
            **cell._asdict(),
            classes=len(self.dataset(cell.task).labels),
            train=self.encoded(cell, "train"),
            load=load,
            arms=("pretrained", *config["arms"]),
            resume=folder / RESUME,
            pooling=self.profile.models[cell.model].training.pooling,
        )

        def named(frame: pd.DataFrame) -> pd.DataFrame:
            """In a control, rows say which one, where they would say perturbed."""
            told = "arm" in frame and setting != "main"
            return frame.assign(arm=frame["arm"].replace({"perturbed": setting})) if told else frame

        result = get_technique(name).run(given, config["settings"])
        rows = result.rows.assign(run_key=key, technique=name, **cell._asdict())
        for column in set(tables.ROWS.names) - set(rows.columns):
            rows[column] = None
        tables.write(named(rows[tables.ROWS.names]), tables.ROWS, folder / "rows.parquet")
        for detail, frame in result.details.items():
            tables.write(named(frame), tables.DETAILS[detail], folder / f"{detail}.parquet")

    # -- whole runs ------------------------------------------------------------------------------------------------

    def tasks(self) -> tuple[str, ...]:
        """Every task whose data are needed: the profile's, and the control's second one."""
        control = self.profile.control
        return tuple(dict.fromkeys((*self.profile.tasks, *((control.auxiliary,) if control else ()))))

    def run_cell(self, cell: CellId) -> None:
        """Everything the profile asks of one cell."""
        for arm in self.profile.extra_arms:
            self.checkpoint(cell, arm)
        for setting in self.settings(cell):
            for name in self.techniques(setting):
                self.rows(cell, name, setting)
