"""From a profile to artefacts: what a cell needs, in which order, through the store.

Everything is asked for by configuration. What the store has is used, what it lacks is computed, whoever asks: the
command line, a chapter, or a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc import tables
from memloc.arms import (
    ARMS,
    AUXILIARY,
    CONTROL_ARMS,
    INDEPENDENT,
    arm_of,
    auxiliary_parts,
    followed,
    learns_original,
    main_parts,
    scored,
)
from memloc.config import config_key
from memloc.configurations import CellId
from memloc.data.loaded import LoadedData
from memloc.errors import MemlocError
from memloc.materials import Materials
from memloc.memory import told_what_to_lower
from memloc.profiles import Profile
from memloc.store import RESUME, Artefact, Store

if TYPE_CHECKING:
    from memloc.models.classifier import Classifier
    from memloc.techniques.base import Cell
    from memloc.training.streams import Stream

__all__ = ["ARMS", "CellId", "Experiment", "LoadedData"]


@dataclass
class Experiment(Materials):
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

    def noted(self) -> dict[str, Any]:
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

    # -- training --------------------------------------------------------------------------------------------------

    def checkpoint(self, cell: CellId, arm: str) -> Artefact:
        """A trained arm, from the store or trained now (its twin first)."""
        config = self.checkpoint_config(cell, arm)
        return self.store.get_or_make("checkpoint", config, lambda folder: self._train(folder, cell, arm), self.noted())

    def _train(self, folder: Path, cell: CellId, arm: str) -> None:
        from memloc.training.batches import derived_seed
        from memloc.training.loop import Plan, Trainer
        from memloc.training.words import write_bag_of_words

        if arm == "bag_of_words":
            write_bag_of_words(self.dataset(cell.task), folder)
            return
        training = self.profile.models[cell.model].training
        joint = arm in CONTROL_ARMS
        seed = derived_seed(INDEPENDENT, cell.seed) if arm == INDEPENDENT else cell.seed
        model, train = self.fresh(cell._replace(seed=seed), joint), self.encoded(cell, "train")
        labels = train.label if learns_original(arm) else train.given
        plan = Plan(main_parts(arm, model.parts(), model.num_layers), labels, scored=scored(arm))
        twins = [json.loads(self.checkpoint(cell, leader).file("summary.json").read_text()) for leader in followed(arm)]
        if twins:
            plan.stop_after = max(twin["epochs_run"] for twin in twins)
            memorised = [twin["memorised_epoch"] for twin in twins]
            plan.memorised_at = None if None in memorised else max(memorised)
        if joint:
            plan.beside = self._auxiliary(cell, model)
        what = f"training {cell} {arm}"
        with told_what_to_lower(what, "training.batch_size or training.max_length"):
            trainer = Trainer(model, train, self.encoded(cell, "validation"), training, seed, plan)
            trainer.run(folder, folder / RESUME, what)

    def _auxiliary(self, cell: CellId, model: Classifier) -> Stream:
        """The control's second task, on its original labels."""
        from memloc.training.streams import Stream

        control = self.control(cell)
        data = self.encoded(cell._replace(task=control.auxiliary), "train")
        lr = self.profile.models[cell.model].training.lr * control.lr_share
        return Stream(data, data.label, auxiliary_parts(model.parts()), lr, AUXILIARY)

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

        def ready() -> None:
            for arm in config["arms"]:
                self.checkpoint(cell, arm_of(setting, arm))

        def load(arm: str, memorised: bool = False) -> Classifier:
            return self.load(cell, arm_of(setting, arm), "first memorised" if memorised else "last")

        return self.localised(cell, config, ready, load, setting)

    def localised(
        self,
        cell: CellId,
        config: dict[str, Any],
        ready: Callable[[], None],
        load: Callable[..., Classifier],
        setting: str = "main",
    ) -> Artefact:
        """The rows of a technique from any arms.

        Args:
            config: from ``rows_config``.
            ready: makes the arms. It is called first, and not when one is loaded: a technique may have switched
                gradients off by then.
            load: as in ``Cell``.
        """
        noted = self.noted()

        def make(folder: Path) -> None:
            ready()
            given = self.given(cell, config, load, folder / RESUME)
            self._localise(folder, given, setting, config["technique"], noted)

        return self.store.get_or_make("rows", config, make, noted)

    def given(
        self, cell: CellId, config: dict[str, Any], load: Callable[..., Classifier], resume: Path | None = None
    ) -> Cell:
        """What a technique is given, of arms that are made; arguments as in ``localised``."""
        from memloc.techniques.base import Cell

        return Cell(
            run_key=config_key(config),
            **cell._asdict(),
            classes=len(self.dataset(cell.task).labels),
            train=self.encoded(cell, "train"),
            load=load,
            arms=("pretrained", *config["arms"]),
            resume=resume,
            pooling=self.profile.models[cell.model].training.pooling,
        )

    def _localise(self, folder: Path, given: Cell, setting: str, name: str, noted: dict[str, Any]) -> None:
        """Write a technique's tables; what ran at once in smaller pieces than asked for goes into the sidecar."""
        from memloc.techniques.base import get_technique, settings_of
        from memloc.techniques.measuring import in_setting, measured

        settings = settings_of(get_technique(name), self.profile.techniques.get(name))
        rows, details, used = measured(name, given, settings)
        noted.update({key: used[key] for key in used if used[key] != settings[key]})
        tables.write(in_setting(rows, setting), tables.ROWS, folder / "rows.parquet")
        for detail, frame in details.items():
            tables.write(in_setting(frame, setting), tables.DETAILS[detail], folder / f"{detail}.parquet")

    # -- whole runs ------------------------------------------------------------------------------------------------

    def tasks(self) -> tuple[str, ...]:
        """Every task whose data are needed: the profile's, and the control's second one."""
        control = self.profile.control
        return tuple(dict.fromkeys((*self.profile.tasks, *((control.auxiliary,) if control else ()))))

    def has(self, cell: CellId) -> bool:
        """Whether the store has everything that the profile asks of a cell."""
        return all(self.store.has(kind, key) for kind, key in self.makes(cell))

    def run_cell(self, cell: CellId) -> None:
        """Everything the profile asks of one cell."""
        self.train_cell(cell)
        self.analyse_cell(cell)

    def train_cell(self, cell: CellId) -> None:
        """All arms of one cell."""
        for arm in self.arms(cell):
            self.checkpoint(cell, arm)

    def analyse_cell(self, cell: CellId) -> None:
        """All techniques on one cell; arms that are not there are trained first."""
        for setting in self.settings(cell):
            for name in self.techniques(setting):
                self.rows(cell, name, setting)
