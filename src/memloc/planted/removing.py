"""Localise and delete (``removal.py``) on the cells of a benchmark, through the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc import tables
from memloc.models.catalogue import get_model
from memloc.planted.cells import Amount, PlantedCell
from memloc.planted.experiment import Plantings
from memloc.planted.places import Place, places
from memloc.profiles.planting import ACQUIRED, BLIND
from memloc.store import Artefact

if TYPE_CHECKING:
    from memloc.techniques.base import Cell

VERSION = 2  # raised when the same localisers would have other things taken out
FILE = "removal.parquet"


def removal_config(plantings: Plantings, amount: Amount, place: Place | None) -> dict[str, Any]:
    """The full configuration: those of all localisers' rows; place None is the memory acquired by itself."""
    if place is None:
        experiment = plantings.at(amount.noise)
        rows = {name: experiment.technique_config(amount.cell, name) for name in plantings.localisers_acquired()}
    else:
        planted = PlantedCell(*amount, place)
        rows = {name: plantings.rows_config(planted, BLIND, name) for name in plantings.localisers(planted)}
    return {"version": VERSION, "place": ACQUIRED if place is None else str(place), "rows": rows}


def removes(plantings: Plantings, amount: Amount, place: str) -> bool:
    """Whether what localisers point to is taken out here: in some places, for one seed and the profile's share."""
    asked = plantings.asked
    if not plantings.is_first(amount):
        return False
    named = [name for name in asked.removal if name != ACQUIRED]
    chosen = {str(found) for found in places(named, get_model(amount.cell.model).layers)}
    return place in chosen or (place == ACQUIRED and ACQUIRED in asked.removal)


def planted_removal(plantings: Plantings, planted: PlantedCell) -> Artefact:
    """What happens when what localisers point to in a settled model is taken out (``tables.REMOVAL``)."""
    return _kept(plantings, planted.amount, planted.place, lambda name: plantings.given(planted, BLIND, name))


def acquired_removal(plantings: Plantings, amount: Amount) -> Artefact:
    """The same of the ordinary perturbed arm."""
    experiment, cell = plantings.at(amount.noise), amount.cell

    def given(name: str) -> Cell:
        config = experiment.technique_config(cell, name)
        for arm in config["arms"]:
            experiment.checkpoint(cell, arm)
        return experiment.given(cell, config, lambda arm, memorised=False: experiment.load(cell, arm))

    return _kept(plantings, amount, None, given)


def _kept(plantings: Plantings, amount: Amount, place: Place | None, given: Callable[[str], Cell]) -> Artefact:
    from memloc.planted.removal import removal

    experiment, config = plantings.at(amount.noise), removal_config(plantings, amount, place)

    def make(folder: Path) -> None:
        settings = plantings.profile.techniques
        frame = removal({name: given(name) for name in config["rows"]}, settings, place, amount.seed)
        whose = {**amount.cell._asdict(), "noise": amount.noise, "place": config["place"]}
        frame = frame.assign(**whose, regime=ACQUIRED if place is None else BLIND)
        tables.write(frame[tables.REMOVAL.names], tables.REMOVAL, folder / FILE)

    return experiment.store.get_or_make("removal", config, make, experiment.noted())
