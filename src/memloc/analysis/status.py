"""What became of a cell: were its wrong labels memorised, and was its task learnt?

Both decide what the cell may be used for. A label that was not memorised has no place in the model, so a cell that did
not memorise is left out of every measurement of where memory is. A task that the normal arm leaves at chance says
nothing about how memory depends on what generalising needs, so such a cell is shown but left out of conclusions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from memloc.errors import MemlocError

MEMORISED = 0.95  # accuracy on the wrong given labels, at least
ALPHA = 0.01  # a run has tens of cells: at .05, one of twenty that learnt nothing would pass as learnt


@dataclass(frozen=True)
class CellStatus:
    """The end of a cell's training: accuracies in [0, 1] at the last epoch.

    Attributes:
        epochs: epochs the perturbed arm ran (its twins run as many).
        noisy, clean: accuracy of the perturbed arm on the given labels of noisy and of clean training examples.
        validation: accuracy of the perturbed arm on validation examples.
        normal: the same of the normal arm.
        majority: share of the most frequent class among the validation examples: the best constant answer.
        p_value: of the normal arm's validation accuracy, if the true one were ``majority``.
    """

    epochs: int
    noisy: float
    clean: float
    validation: float
    normal: float
    majority: float
    p_value: float

    @property
    def memorised(self) -> bool:
        """Whether the wrong labels are given back, by the threshold that the claims' rules use too."""
        return self.noisy >= MEMORISED

    @property
    def learnt(self) -> bool:
        """Whether the normal arm does better on validation than the best constant answer."""
        return self.p_value <= ALPHA


def last_score(trace: pd.DataFrame, split: str, group: str, metric: str = "accuracy") -> tuple[float, int]:
    """A score at the last epoch of a trace (``tables.TRACE``) and the number of examples behind it.

    Raises:
        MemlocError: if the trace has no such score.
    """
    chosen = trace[(trace["split"] == split) & (trace["group"] == group) & (trace["metric"] == metric)]
    if chosen.empty:
        raise MemlocError("score of a trace", f"{metric} of {group} in {split}", "one that the trace has")
    row = chosen.sort_values("epoch").iloc[-1]
    return float(row["value"]), int(row["n"])


def majority_rate(labels: Sequence[int] | np.ndarray | pd.Series) -> float:
    """The share of the most frequent label, which is the accuracy of the best constant answer.

    Raises:
        MemlocError: if there is no label.
    """
    if len(labels) == 0:
        raise MemlocError("labels", "none", "at least one")
    return float(np.unique(np.asarray(labels), return_counts=True)[1].max() / len(labels))


def p_above(accuracy: float, n: int, rate: float) -> float:
    """Exact one-sided binomial test: the chance of at least this accuracy on n examples if the true one is ``rate``.

    Where every example has the same class (``rate`` is 1) nothing can be better than constant, and the p value is 1.
    """
    return float(binomtest(round(accuracy * n), n, rate, alternative="greater").pvalue)


def cell_status(perturbed: pd.DataFrame, normal: pd.DataFrame, rows: int, majority: float) -> CellStatus:
    """The status of a cell from the traces of its two arms (``tables.TRACE``).

    Args:
        rows: number of validation examples.
        majority: their ``majority_rate``.

    Raises:
        MemlocError: if a trace lacks a score, or the arms were not judged on that many validation examples.
    """
    validation, n = last_score(perturbed, "validation", "all")
    normal_accuracy, n_normal = last_score(normal, "validation", "all")
    if not n == n_normal == rows:
        raise MemlocError("validation examples", (n, n_normal, rows), "the same number everywhere")
    return CellStatus(
        epochs=int(perturbed["epoch"].max()),
        noisy=last_score(perturbed, "train", "noisy")[0],
        clean=last_score(perturbed, "train", "clean")[0],
        validation=validation,
        normal=normal_accuracy,
        majority=majority,
        p_value=p_above(normal_accuracy, n, majority),
    )
