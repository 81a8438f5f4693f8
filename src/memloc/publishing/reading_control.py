"""What a chapter calls to get the control runs of a study: memorisation in places that were chosen beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from memloc.analysis.answers import Answers, all_answers, cell_answers, control_settings, score_table
from memloc.analysis.weights import variants
from memloc.arms import CONTROLS
from memloc.pipeline import CellId
from memloc.publishing.reading import CELL, AnyStudy, ByPlace, Place, read_training

PLACES = {setting: setting.removeprefix("control_") for setting in CONTROLS}  # how figures and tables call them


@dataclass(frozen=True)
class Known(ByPlace):
    """The control runs of a study.

    Attributes:
        study: the study.
        status: one row a cell with control settings: ``task, model, seed``, ``memorised`` (the wrong labels, in every
            control setting) and ``learnt`` (the task, by the ordinary twin).
        places: (task, model) to the answers that count: of cells that memorised in every control setting, by
            techniques that could tell in each.
        answers: what every technique answered on every cell.
        epochs: how long each cell's control settings were trained.
    """

    study: AnyStudy
    status: pd.DataFrame
    places: dict[Place, list[Answers]]
    answers: Sequence[Answers]
    epochs: dict[tuple[CellId, str], int]

    def _own_rows(self) -> dict[str, pd.DataFrame]:
        return {"scores": self.scores}

    @cached_property
    def techniques(self) -> list[str]:
        """The techniques that answered, in the order of the profile."""
        return list(dict.fromkeys(found.technique for found in self.answers))

    @cached_property
    def kept(self) -> list[Answers]:
        """The answers that count, in one list."""
        return [found for place in self.places.values() for found in place]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``analysis.answers.score_table``."""
        return score_table(self.answers)

    @cached_property
    def by_rule(self) -> dict[tuple[str, str], list[Answers]]:
        """Of techniques that have several rules: technique and rule to the answers of the cells that count."""
        return {
            (technique, rule): [cell_answers(self.study.numbers, of.cell, technique, rule) for of in here]
            for technique in self.techniques
            if (here := [of for of in self.kept if of.technique == technique])
            for rule in variants(technique)
        }

    def share(self, found: Answers, setting: str) -> np.ndarray:
        """Layer weights divided by their sum, so that techniques can be drawn on one scale; zeros stay zeros."""
        weight = found.weights[setting]
        total = float(weight.sum())
        return weight / total if total else weight


def by_place(answers: Sequence[Answers]) -> dict[Place, list[Answers]]:
    """The answers that count, by (task, model)."""
    found: dict[Place, list[Answers]] = {}
    for one in answers:
        if one.memorised and one.score:
            found.setdefault((one.cell.task, one.cell.model), []).append(one)
    return found


def read_control(study: AnyStudy) -> Known:
    """The control runs of every cell that has them; what the store of an experiment lacks is computed now."""
    numbers = study.numbers
    answers = all_answers(numbers)
    cells = {found.cell: found.memorised for found in answers}
    epochs = {(c, s): int(numbers.trace(c, s)["epoch"].max()) for c in cells for s in control_settings(numbers, c)}
    status = read_training(study, arms=()).status
    named = [CellId(*row) for row in status[CELL].itertuples(index=False)]
    status = status.assign(memorised=[cells.get(cell, False) for cell in named])
    status = status[[cell in cells for cell in named]].reset_index(drop=True)
    return Known(study, status, by_place(answers), answers, epochs)
