"""What techniques answered where the place is known, over all finished cells, and how sure their score is (method 2.1).

The rule by which a run is judged, whatever it finds:

1. A cell counts if its wrong labels were memorised in every control setting: an accuracy of ``MEMORISED`` or more on
   the noisy examples at the last epoch, as the claims require. What was not learnt has no place to be found.
2. A technique's answer is the order of its layer weights by its default rule (``analysis.weights``), one seed at a
   time. Accuracy@1 and @2 of it are those of ``analysis.control``.
3. A score is the mean over all cells and settings, each of them one trial, with a 95 % Wilson interval. For accuracy@2,
   whose trials may be half right, the interval is wider than need be: no share of its mean varies more than one of
   trials that are right or wrong.
4. A technique finds the place better than looking at nothing would if the whole interval lies above the score of the
   best constant answer.

Trials are not independent: settings of a cell share their data, seeds of a task too. The interval knows nothing of
that, so it speaks of these tasks and models and not of others; claims resample tasks instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.analysis.control import ControlScore, control_score, hits
from memloc.analysis.intervals import share_interval
from memloc.analysis.status import MEMORISED, last_score
from memloc.analysis.weights import WITHOUT_WEIGHTS, layer_weights
from memloc.arms import CONTROLS, target_layers

if TYPE_CHECKING:
    from memloc.analysis.numbers import Numbers
    from memloc.pipeline import CellId


@dataclass(frozen=True)
class Answers:
    """What one technique answered in the control settings of one cell.

    Attributes:
        cell: the cell.
        technique: its name.
        weights: setting to layer weights [L]; NaN where they are not defined.
        noisy: setting to the accuracy on noisy examples at the end of training: was there something to find?
    """

    cell: CellId
    technique: str
    weights: dict[str, np.ndarray]
    noisy: dict[str, float]

    @property
    def memorised(self) -> bool:
        """Whether the cell counts: its wrong labels were learnt in every setting."""
        return min(self.noisy.values()) >= MEMORISED

    @property
    def score(self) -> ControlScore | None:
        """Accuracy@1 and @2; None where the technique could not tell in some setting."""
        told = all(np.isfinite(weight).all() for weight in self.weights.values())
        return control_score(self.weights) if told else None


def control_settings(numbers: Numbers, cell: CellId) -> tuple[str, ...]:
    """The control settings of a cell; empty where it has none."""
    return tuple(setting for setting in numbers.settings(cell) if setting in CONTROLS)


def settings_memorised(numbers: Numbers, cell: CellId) -> dict[str, tuple[float, int]]:
    """Accuracy on noisy examples at the end of training, and their number, in every control setting of a cell."""
    return {s: last_score(numbers.trace(cell, s), "train", "noisy") for s in control_settings(numbers, cell)}


def weighing(numbers: Numbers, techniques: Sequence[str] | None = None) -> list[str]:
    """The techniques that weigh layers in the control, of those asked for."""
    control = numbers.profile.control
    asked = numbers.profile.techniques if techniques is None else techniques
    return [name for name in (control.techniques if control else ()) if name in asked and name not in WITHOUT_WEIGHTS]


def cell_answers(numbers: Numbers, cell: CellId, technique: str, variant: str | None = None) -> Answers:
    """What a technique answered on a cell that has control settings; what an experiment lacks is computed now.

    Args:
        variant: of the technique's rules (``weights.variants``); by default the first.
    """
    rows = {setting: numbers.rows(cell, technique, setting) for setting in control_settings(numbers, cell)}
    weights = {setting: layer_weights(of, variant).weight for setting, of in rows.items()}
    noisy = {setting: score for setting, (score, _) in settings_memorised(numbers, cell).items()}
    return Answers(cell, technique, weights, noisy)


def all_answers(numbers: Numbers) -> list[Answers]:
    """The answers of every technique on every cell that has control settings, cell by cell."""
    cells = [cell for cell in numbers.cells() if control_settings(numbers, cell)]
    return [cell_answers(numbers, cell, name) for cell in cells for name in weighing(numbers)]


SCORES = ["technique", "cells", "trials", "rank", "accuracy", "low", "high", "constant", "better"]


def score_table(answers: Sequence[Answers]) -> pd.DataFrame:
    """The scores by technique over all cells that count, a row a technique and rank.

    Returns:
        Columns ``SCORES``: cells, trials (cells times settings), rank (1 or 2), accuracy with its 95 % interval, the
        mean score of the best constant answer, and whether the interval lies above that.
    """
    rows = []
    for technique in dict.fromkeys(a.technique for a in answers):
        counted = [a.score for a in answers if a.technique == technique and a.memorised]
        scores = [score for score in counted if score is not None]
        trials = sum(len(score.settings) for score in scores)
        for rank in (1, 2) if scores else ():
            accuracy = float(np.mean([(score.at_1, score.at_2)[rank - 1] for score in scores]))
            constant = float(np.mean([(score.constant_1, score.constant_2)[rank - 1] for score in scores]))
            low, high = share_interval(accuracy, trials)
            rows.append((technique, len(scores), trials, rank, accuracy, low, high, constant, low > constant))
    return pd.DataFrame(rows, columns=SCORES)


def confusion(answers: Sequence[Answers], technique: str) -> np.ndarray:
    """How often each place was answered where each one was true, over the cells that count: float64 [3, 4].

    A row is a true place (first, middle, last), a column the place of the top layer; the fourth stands for layers that
    belong to none. Top layers of equal weight share their trial. Rows add up to their number of trials, but with fewer
    than six layers, where places overlap, a layer counts in each of its own.
    """
    table = np.zeros((len(CONTROLS), len(CONTROLS) + 1))
    for found in (a for a in answers if a.technique == technique and a.memorised and a.score):
        for setting, weight in found.weights.items():
            shares = [hits(weight, target_layers(place, len(weight)), 1) for place in CONTROLS]
            table[CONTROLS.index(setting)] += [*shares, max(0.0, 1 - sum(shares))]
    return table
