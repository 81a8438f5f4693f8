"""Run a benchmark: first the starts of all cells, then everything that is planted into them, side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from memloc.arms import INDEPENDENT, followed
from memloc.errors import MemlocError
from memloc.pipeline import Experiment
from memloc.planted.cells import Amount, PlantedCell
from memloc.planted.experiment import Plantings
from memloc.planted.removing import acquired_removal, planted_removal, removes
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE
from memloc.running import CellRun, Job, ready, remade, run_jobs, tell
from memloc.techniques.base import get_technique


def run_benchmark(
    plantings: Plantings, workers: int = 1, say: Callable[[str], None] = tell, threads: int | None = None
) -> list[CellRun]:
    """Fill the store with everything the profile asks for; arguments and result as of ``running.run_profile``.

    What is planted into a cell whose start failed is left out: it would fail in the same way.
    """
    ready(plantings.experiment)
    plantings.check()
    remake = remade(plantings.experiment)
    starts = [Job(amount, partial(_begin, remake, amount)) for amount in plantings.amounts()]
    say(f"{len(starts)} starts")
    begun = run_jobs(starts, workers, say, threads)
    failed = {run.cell for run in begun if run.error}
    kept = [amount for amount in plantings.amounts() if amount not in failed]
    cells = [cell for amount in kept for cell in plantings.cells(amount)]
    say(f"{len(cells)} places")
    jobs = [Job(amount, partial(_grown, remake, amount)) for amount in kept if ACQUIRED in plantings.asked.regimes]
    jobs += [Job(cell, partial(_go_on, remake, cell)) for cell in cells]
    return begun + run_jobs(jobs, workers, say, threads)


def _begin(remake: Callable[[], Experiment], amount: Amount) -> None:
    begin(Plantings(remake()), amount)


def _grown(remake: Callable[[], Experiment], amount: Amount) -> None:
    grown(Plantings(remake()), amount)


def _go_on(remake: Callable[[], Experiment], planted: PlantedCell) -> None:
    go_on(Plantings(remake()), planted)


def arms_of(plantings: Plantings, amount: Amount) -> list[str]:
    """The arms that all places of a cell share; those that these follow are trained with them."""
    asked = {arm for name in plantings.profile.techniques for arm in _arms(name)}
    arms = {"normal", *asked} - {"pretrained"}
    if BLIND in plantings.asked.regimes and "normal" in asked:
        arms.add(INDEPENDENT)
    return sorted({*arms, *(leader for arm in arms for leader in followed(arm))})


def _arms(technique: str) -> tuple[str, ...]:
    found = get_technique(technique)
    return (*found.arms, *found.optional)


def begin(plantings: Plantings, amount: Amount) -> None:
    """The arms that all places of a cell share."""
    for arm in arms_of(plantings, amount):
        plantings.at(amount.noise).checkpoint(amount.cell, arm)


def grown(plantings: Plantings, amount: Amount) -> None:
    """What localisers say of the memory that a cell acquired by itself."""
    experiment, asked = plantings.at(amount.noise), Asked()
    for name in plantings.localisers_acquired():
        asked.ask(name, ACQUIRED, partial(experiment.rows, amount.cell, name))
    if removes(plantings, amount, ACQUIRED):
        acquired_removal(plantings, amount)
    asked.tell()


def go_on(plantings: Plantings, planted: PlantedCell) -> None:
    """Plant, settle, and ask all localisers wherever there is ground truth."""
    wanted, asked = plantings.asked, Asked()
    if planted.place.is_control:
        for name in plantings.localisers(planted):
            asked.ask(name, BLIND, partial(plantings.rows, planted, BLIND, name))
        return asked.tell()
    for regime in (ORACLE, BLIND):
        names = plantings.localisers(planted, regime) if regime in wanted.regimes else ()
        for name in names if names and plantings.has_truth(planted, regime) else ():
            asked.ask(name, regime, partial(plantings.rows, planted, regime, name))
    if (
        removes(plantings, planted.amount, str(planted.place))
        and BLIND in wanted.regimes
        and plantings.has_truth(planted, BLIND)
    ):
        planted_removal(plantings, planted)
    asked.tell()


class Asked:
    """Who could not answer: one localiser that fails must not take what the others say with it."""

    def __init__(self) -> None:
        self.failed: dict[str, MemlocError] = {}

    def ask(self, name: str, regime: str, answer: Callable[[], object]) -> None:
        """Let a localiser answer; an error of its own is kept for the end."""
        try:
            answer()
        except MemlocError as error:
            self.failed[f"{name}, {regime}"] = error

    def tell(self) -> None:
        """Say who failed, and why.

        Raises:
            MemlocError: if somebody did; what the others said is in the store.
        """
        if self.failed:
            reasons = "; ".join(f"{who}: {error}" for who, error in self.failed.items())
            raise MemlocError("localisers that could not answer", reasons, "an answer; the others are in the store")
