"""What names an artefact: the full configurations of data sets, trained arms and rows, from a profile.

The dictionaries made here are the keys of every store there is. A new setting adds an entry only where it is not the
default one, so that what was computed before is still found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from memloc.arms import ARMS, CONTROL_ARMS, INDEPENDENT, SETTINGS, arm_of, followed
from memloc.config import config_key
from memloc.data.catalogue import get_task
from memloc.data.prepare import load_raw
from memloc.declared import declared
from memloc.errors import MemlocError
from memloc.memory import HALVED
from memloc.models.catalogue import get_model, model_config
from memloc.profiles import Profile
from memloc.profiles.control import Control

TRAINING_VERSION = 1  # raised when the same settings would train other weights
FROZEN_VERSION = 2  # the same of the frozen arm; 2: on stored states of the backbone where nothing drops out
CONTROL_VERSION = 1  # the same of the control's arms
DATASET_VERSION = 1

Key = tuple[str, str]  # kind and key of an artefact


class CellId(NamedTuple):
    """One (task, model, seed)."""

    task: str
    model: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task} {self.model} seed {self.seed}"


class Configurations:
    """The configurations of a profile's cells; the part of an experiment that computes nothing."""

    profile: Profile
    data_dir: Path | None
    _fingerprints: dict[str, dict[str, Any]]

    def cells(self) -> list[CellId]:
        """Every (task, model, seed) of the profile."""
        models = self.profile.models.items()
        return [CellId(task, model, seed) for task in self.profile.tasks for model, run in models for seed in run.seeds]

    def techniques(self, setting: str = "main") -> tuple[str, ...]:
        """The techniques that the profile runs in a setting."""
        if setting == "main":
            return tuple(self.profile.techniques)
        return self.profile.control.techniques if self.profile.control else ()

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
            "data": asdict(self.profile.data_of(task)),
        }

    def checkpoint_config(self, cell: CellId, arm: str) -> dict[str, Any]:
        """The full configuration of a trained arm; arms that follow the steps of others contain their keys.

        Raises:
            MemlocError: for an unknown arm, or a control's arm where the profile has no control for the task.
        """
        if arm not in (known := (*ARMS, INDEPENDENT, *CONTROL_ARMS)):
            raise MemlocError("arm", arm, known)
        config = {
            "version": TRAINING_VERSION,
            "arm": arm,
            "dataset": self.dataset_config(cell.task),
            "model": model_config(get_model(cell.model)),
            "seed": cell.seed,
            "training": asdict(self.profile.models[cell.model].training),
        }
        if arm in CONTROL_ARMS:
            control = self.control(cell)
            auxiliary = self.dataset_config(control.auxiliary)
            config["control"] = {"version": CONTROL_VERSION, "auxiliary": auxiliary, "lr_share": control.lr_share}
        leaders = [config_key(config | {"arm": leader}) for leader in followed(arm)]
        if leaders:
            config["twin"] = leaders[0] if len(leaders) == 1 else leaders
        return config | {"version": FROZEN_VERSION} if arm == "frozen" else config

    def control(self, cell: CellId) -> Control:
        """What the profile asks of the control arms of a cell.

        Raises:
            MemlocError: if it asks for none, or the cell's task is the auxiliary one itself.
        """
        control = self.profile.control
        if control is None:
            raise MemlocError(f"control of profile {self.profile.name}", None, "a profile with the field control")
        if cell.task == control.auxiliary:
            raise MemlocError("task with control arms", cell.task, "another one than the auxiliary task")
        return control

    def settings(self, cell: CellId) -> tuple[str, ...]:
        """The settings that the profile runs a cell in: ``main``, and the control's where it has a control."""
        control = self.profile.control
        first = self.profile.models[cell.model].seeds[:1]
        if control is None or cell.task == control.auxiliary or cell.seed not in (control.seeds or first):
            return SETTINGS[:1]
        return SETTINGS

    def arms(self, cell: CellId) -> list[str]:
        """The arms that the profile trains for a cell: its techniques', in every setting, and those they follow."""
        named = set(self.profile.extra_arms)
        for setting in self.settings(cell):
            for name in self.techniques(setting):
                technique = declared(name)
                asked = {*technique.arms, *technique.optional} - {"pretrained"}
                named |= {arm_of(setting, arm) for arm in asked}
        named |= {leader for arm in named for leader in followed(arm)}
        return [arm for arm in (*ARMS, *CONTROL_ARMS) if arm in named]

    def makes(self, cell: CellId, stage: str = "all") -> list[Key]:
        """The artefacts that a stage of a cell's work leaves in the store; its data set is there before.

        Args:
            stage: ``train``, ``analyse`` or ``all``.
        """
        found: list[Key] = []
        if stage != "analyse":
            found += [("checkpoint", config_key(self.checkpoint_config(cell, arm))) for arm in self.arms(cell)]
        if stage != "train":
            found += [
                ("rows", config_key(self.technique_config(cell, name, setting)))
                for setting in self.settings(cell)
                for name in self.techniques(setting)
            ]
        return found

    def technique_config(self, cell: CellId, name: str, setting: str = "main") -> dict[str, Any]:
        """The full configuration of a technique's rows: its settings and the arms they come from, as it calls them."""
        config = self.rows_config(cell, name, lambda arm: self.checkpoint_config(cell, arm_of(setting, arm)))
        return config if setting == "main" else config | {"setting": setting}

    def rows_config(self, cell: CellId, name: str, made_from: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """The same of rows from any arms.

        Args:
            made_from: the configuration of what the technique gets for an arm that it asks for.
        """
        from memloc.techniques.base import get_technique, settings_of

        technique = get_technique(name)
        at_once = {key: value for key, value in technique.defaults.items() if key in HALVED}
        settings = settings_of(technique, self.profile.techniques.get(name)) | at_once
        added = getattr(technique, "added", ())
        config: dict[str, Any] = {
            "technique": name,
            "version": technique.version,
            # how much runs at once changes no result: whatever is asked for, and had, the key holds the default
            "settings": {k: v for k, v in settings.items() if k not in added or v != technique.defaults[k]},
            "arms": {arm: made_from(arm) for arm in (*technique.arms, *technique.optional) if arm != "pretrained"},
            "cell": cell._asdict(),
        }
        if not config["arms"]:  # nothing trained would say which examples and which model
            training = self.profile.models[cell.model].training
            config["start"] = {
                "dataset": self.dataset_config(cell.task),
                "model": model_config(get_model(cell.model)),
                "max_length": training.max_length,
                "pooling": training.pooling,
            }
        return config
