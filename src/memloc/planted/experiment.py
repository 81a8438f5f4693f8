"""A profile's benchmark on this machine: what is planted where, through the store, and what localisers say of it.

Every step is an artefact whose configuration contains that of the step before: the normal arm, the model with planted
labels (``injected``), the settled one (``settled``), rows.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.arms import INDEPENDENT
from memloc.config import TrainConfig
from memloc.configurations import CellId
from memloc.errors import MemlocError
from memloc.memory import told_what_to_lower
from memloc.models.catalogue import get_model
from memloc.pipeline import Experiment
from memloc.planted.cells import Amount, PlantedCell
from memloc.planted.places import places
from memloc.planted.rules import Rules, read_rules
from memloc.profiles import Profile
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE, Planting, changed
from memloc.store import Artefact

if TYPE_CHECKING:
    from memloc.models.classifier import Classifier
    from memloc.planted.inject import Planted
    from memloc.techniques.base import Cell

VERSION = 2  # raised when the same settings would plant, or settle to, other weights
WEIGHTS, SUMMARY = "planted.safetensors", "summary.json"


@dataclass
class Plantings:
    """The benchmark that a profile with the field ``planted`` asks for.

    Args:
        experiment: the profile on this machine, with its own share of wrong labels.
        rules: what decides whether labels were learnt and whether there is ground truth.

    Raises:
        MemlocError: if the profile has no such field.
    """

    experiment: Experiment
    rules: Rules = field(default_factory=read_rules)
    _amounts: dict[float, Experiment] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._amounts[self.profile.data.noise_rate] = self.experiment
        _ = self.asked

    @property
    def profile(self) -> Profile:
        return self.experiment.profile

    @property
    def asked(self) -> Planting:
        """What the profile asks for."""
        if self.profile.planted is None:
            raise MemlocError(f"planted of profile {self.profile.name}", None, "a profile with the field planted")
        return self.profile.planted

    def check(self) -> None:
        """As ``Experiment.check``; and every localiser must look at the model that labels were planted into."""
        from memloc.techniques.base import get_technique

        self.experiment.check()
        for name in self.profile.techniques:
            if "perturbed" not in (arms := get_technique(name).arms):
                raise MemlocError(f"arms of localiser {name}", arms, "perturbed among them")
        for amount in self.amounts():
            self.cells(amount)

    def at(self, noise: float) -> Experiment:
        """The experiment with this share of wrong labels."""
        if noise not in self._amounts:
            profile = self.profile.with_data(noise_rate=noise)
            self._amounts[noise] = dataclasses.replace(self.experiment, profile=profile, _datasets={})
        return self._amounts[noise]

    def amounts(self) -> list[Amount]:
        """Every cell of the profile with its own share of wrong labels; of first seeds, with those beside it too."""
        own = self.profile.data.noise_rate
        return [
            Amount(cell, noise)
            for cell in self.experiment.cells()
            for noise in dict.fromkeys((own, *self.asked.amounts.get(cell.task, ())))
            if noise == own or self._is_first(cell)
        ]

    def _is_first(self, cell: CellId) -> bool:
        return cell.seed == self.profile.models[cell.model].seeds[0]

    def cells(self, amount: Amount) -> list[PlantedCell]:
        """What is planted into a cell; controls only where the profile runs them, with its own share."""
        cell, noise = amount
        found = places(self.asked.places, get_model(cell.model).layers)
        controls = self.experiment.settings(cell) if noise == self.profile.data.noise_rate else ()
        return [PlantedCell(cell, noise, place) for place in found if not place.is_control or place.kind in controls]

    # -- models ----------------------------------------------------------------------------------------------------

    def training(self, planted: PlantedCell, step: str) -> TrainConfig:
        """How labels are planted (``injection``) or a model settles (``settling``)."""
        own = self.profile.models[planted.cell.model].training
        return changed(own, self.asked.settings(step, planted.place.kind), f"{step} of profile {self.profile.name}")

    def injected_config(self, planted: PlantedCell) -> dict[str, Any]:
        """The full configuration of a model with planted labels."""
        return {
            "version": VERSION,
            "start": self.at(planted.noise).checkpoint_config(planted.cell, "normal"),
            "place": str(planted.place),
            "training": dataclasses.asdict(self.training(planted, "injection")),
            "rules": {name: getattr(self.rules, name) for name in ("learnt", "kept")},
        }

    def settled_config(self, planted: PlantedCell) -> dict[str, Any]:
        """The full configuration of a settled model."""
        return {
            "version": VERSION,
            "injected": self.injected_config(planted),
            "training": dataclasses.asdict(self.training(planted, "settling")),
            "rules": {name: getattr(self.rules, name) for name in ("still_learnt", "forgets")},
        }

    def injected(self, planted: PlantedCell) -> Artefact:
        """The model with planted labels, from the store or made now (its start first)."""
        from memloc.planted.inject import inject

        cell, experiment, label = planted.cell, self.at(planted.noise), f"planting {planted}"

        def run() -> Planted:
            start, config, seed = (
                experiment.load(cell, "normal"),
                self.training(planted, "injection"),
                planted.amount.seed,
            )
            return inject(start, experiment.encoded(cell, "train"), planted.place, config, self.rules, seed, label)

        return self._made("injected", self.injected_config(planted), run, label)

    def settled(self, planted: PlantedCell) -> Artefact:
        """The settled model, from the store or made now (the one with planted labels first)."""
        from memloc.planted.settle import settle

        cell, experiment, label = planted.cell, self.at(planted.noise), f"settling {planted}"

        def run() -> Planted:
            injected, start = self.load(planted, ORACLE), experiment.load(cell, "normal")
            data, config = experiment.encoded(cell, "train"), self.training(planted, "settling")
            return settle(injected, start, data, planted.place, config, self.rules, planted.amount.seed, label)

        return self._made("settled", self.settled_config(planted), run, label)

    def _made(self, kind: str, config: dict[str, Any], run: Callable[[], Planted], what: str) -> Artefact:
        def make(folder: Path) -> None:
            from safetensors.torch import save_file

            with told_what_to_lower(what, "batch_size or training.max_length"):
                found = run()
            save_file(found.state, folder / WEIGHTS)
            (folder / SUMMARY).write_text(json.dumps(found.told, sort_keys=True))

        return self.experiment.store.get_or_make(kind, config, make, self.experiment.noted())

    def load(self, planted: PlantedCell, regime: str) -> Classifier:
        """The model that localisers are asked about, in evaluation mode: with planted labels, or the settled one."""
        from safetensors.torch import load_file

        model = self.at(planted.noise).load(planted.cell, "normal")
        artefact = self.injected(planted) if regime == ORACLE else self.settled(planted)
        model.load_parts(load_file(artefact.file(WEIGHTS)))
        return model

    # -- answers ---------------------------------------------------------------------------------------------------

    def has_truth(self, planted: PlantedCell, regime: str) -> bool:
        """Whether the place is known in a regime; the models are made if they are not there."""
        if planted.place.is_control or not told(self.injected(planted))["learnt"]:
            return False
        return regime == ORACLE or bool(told(self.settled(planted))["has_truth_blind"])

    def rows_config(self, planted: PlantedCell, regime: str, technique: str) -> dict[str, Any]:
        """The full configuration of a localiser's rows."""
        experiment = self.at(planted.noise)

        def made_from(arm: str) -> dict[str, Any]:
            if arm == "perturbed":
                return self.injected_config(planted) if regime == ORACLE else self.settled_config(planted)
            return experiment.checkpoint_config(planted.cell, stands_for(arm, regime))

        return experiment.rows_config(planted.cell, technique, made_from)

    def localisers(self, planted: PlantedCell, regime: str = BLIND) -> tuple[str, ...]:
        """Who is asked about a planted cell.

        What the oracle says is a check and no contest: it is asked for each model's first seed and the profile's own
        share of wrong labels alone.
        """
        if regime == ORACLE and not self.is_first(planted.amount):
            return ()
        names = self.experiment.techniques(planted.place.kind if planted.place.is_control else "main")
        return tuple(name for name in names if self.asked.asks(name, planted.place.kind))

    def localisers_acquired(self) -> tuple[str, ...]:
        """Who is asked about the memory that cells acquire by themselves."""
        return tuple(name for name in self.profile.techniques if self.asked.asks(name, ACQUIRED))

    def is_first(self, amount: Amount) -> bool:
        """Whether a cell is of its model's first seed and the profile's own share of wrong labels."""
        cell, noise = amount
        return self._is_first(cell) and noise == self.profile.data.noise_rate

    def rows_of(self, planted: PlantedCell, regime: str, technique: str) -> dict[str, Any]:
        """The configuration under which the store has the rows of a localiser, controls' included."""
        if planted.place.is_control:
            return self.experiment.technique_config(planted.cell, technique, planted.place.kind)
        return self.rows_config(planted, regime, technique)

    def rows(self, planted: PlantedCell, regime: str, technique: str) -> Artefact:
        """The rows of a localiser on a planted cell, from the store or computed now (the models it needs first)."""
        if planted.place.is_control:
            return self.experiment.rows(planted.cell, technique, planted.place.kind)
        config = self.rows_config(planted, regime, technique)
        ready = partial(self._make_ready, planted, regime, config["arms"])
        return self.at(planted.noise).localised(planted.cell, config, ready, self._loader(planted, regime))

    def given(self, planted: PlantedCell, regime: str, technique: str) -> Cell:
        """What a localiser is given on a planted cell: for whoever asks it about a part of the examples."""
        config = self.rows_config(planted, regime, technique)
        self._make_ready(planted, regime, config["arms"])
        return self.at(planted.noise).given(planted.cell, config, self._loader(planted, regime))

    def _make_ready(self, planted: PlantedCell, regime: str, arms: Iterable[str]) -> None:
        for arm in arms:
            if arm != "perturbed":
                self.at(planted.noise).checkpoint(planted.cell, stands_for(arm, regime))
            elif regime == ORACLE:
                self.injected(planted)
            else:
                self.settled(planted)

    def _loader(self, planted: PlantedCell, regime: str) -> Callable[..., Classifier]:
        def load(arm: str, memorised: bool = False) -> Classifier:
            if arm == "perturbed":
                return self.load(planted, regime)
            return self.at(planted.noise).load(planted.cell, stands_for(arm, regime))

        return load


def stands_for(arm: str, regime: str) -> str:
    """The arm that a localiser gets for the one it asks for: who is blind gets a stranger for the normal one."""
    return INDEPENDENT if arm == "normal" and regime == BLIND else arm


def told(artefact: Artefact) -> dict[str, Any]:
    """The summary of a planted or settled model."""
    return dict(json.loads(artefact.file(SUMMARY).read_bytes()))
