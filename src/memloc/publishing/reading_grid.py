"""What the chapter on the grid calls to get a released run of many tasks and models, by all techniques it has."""

from __future__ import annotations

from dataclasses import dataclass

from memloc.publishing.reading import AnyStudy, ByPlace, Swapping, open_release, read_swapping
from memloc.publishing.reading_techniques import WEIGHING, Beside, Told, asked_for, read_beside, read_told

RUN = "nano"


@dataclass(frozen=True)
class Whole:
    """A released run, technique by technique; None where it lacks one.

    Attributes:
        swapping: layer swapping.
        beside: all techniques that weigh layers.
        probing, centroids: their rows.
    """

    swapping: Swapping | None = None
    beside: Beside | None = None
    probing: Told | None = None
    centroids: Told | None = None

    @property
    def first(self) -> ByPlace | None:
        """Any of them, for what is the same in all: the study, and which places count."""
        return next((part for part in (self.swapping, self.beside, self.probing, self.centroids) if part), None)


def open_grid(name: str = RUN) -> Whole:
    """The released run of that name; empty where this copy of the book does not have it."""
    study = open_release(name)
    return read_grid(study) if study else Whole()


def read_grid(study: AnyStudy) -> Whole:
    """Everything a released run tells that the figures of the grid show."""
    weighing = [name for name in WEIGHING if asked_for(study, name)]
    beside = read_beside(study, weighing) if weighing else None
    status = beside.status if beside else None
    told = {name: read_told(study, name, status) for name in ("probing", "centroids") if asked_for(study, name)}
    swapping = read_swapping(study, status=status) if asked_for(study, "swapping") else None
    return Whole(swapping, beside, told.get("probing"), told.get("centroids"))
