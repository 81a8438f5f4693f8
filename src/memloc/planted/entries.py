"""Which cells of a benchmark have ground truth, and who answered what on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from memloc.errors import MemlocError
from memloc.planted.answers import ALWAYS, CELL, RANDOM, baselines
from memloc.planted.places import Place, truth
from memloc.profiles.planting import BLIND, ORACLE

REGIMES = (BLIND, ORACLE)  # in which there is ground truth, the harder one first
BLOCK = ["task", "model", "seed", "noise"]
WHO = ["regime", "technique", "variant"]
NOT_LEARNT, NOT_SETTLED, NO_TRUTH = "not learnt", "did not settle", "restoring the place does not forget"
NO_START = "trained with a second task, so there is no start to compare with"


def kind_of(place: str) -> str:
    """What kind of place a name is of: ``layer``, ``band``, ``units``, ``spread``, ``control_first`` and so on."""
    return place.partition(":")[0]


def main_amount(planted: pd.DataFrame) -> float:
    """The share of wrong labels that most tasks have; the smallest of those where several do.

    Raises:
        MemlocError: if nothing was planted.
    """
    if planted.empty:
        raise MemlocError("planted cells", "none", "one or more")
    tasks = planted.groupby("noise")["task"].nunique()
    return float(tasks.index[int(tasks.to_numpy().argmax())])  # groups are sorted


def with_truth(planted: pd.DataFrame, noise: float | None = None) -> pd.DataFrame:
    """The cells that have ground truth, once for each regime: CELL, layers and regime.

    Args:
        noise: the amount; None takes all of them.
    """
    chosen = planted if noise is None else planted[np.isclose(planted["noise"], noise)]
    parts = [chosen[chosen[f"has_truth_{regime}"].astype(bool)].assign(regime=regime) for regime in REGIMES]
    return pd.concat(parts, ignore_index=True)[[*CELL, "layers", "regime"]]


def fates(planted: pd.DataFrame) -> pd.DataFrame:
    """What became of every cell, in words, in both regimes: CELL, layers and a column for each of ``REGIMES``.

    Empty where the cell has ground truth; else why it has not, the first reason that holds.
    """
    learnt, settled = planted["learnt"].astype(bool), planted["epochs_settled"] > 0
    control = np.array([Place.parse(place).is_control for place in planted["place"]], bool)
    why: dict[str, np.ndarray] = {}
    for regime in REGIMES:
        has = planted[f"has_truth_{regime}"].astype(bool)
        late = np.where(~settled, NOT_SETTLED, NO_TRUTH) if regime == BLIND else np.where(control, NO_START, NO_TRUTH)
        why[regime] = np.where(has, "", np.where(~learnt, NOT_LEARNT, late))
    return planted[[*CELL, "layers"]].assign(**why)


def with_baselines(found: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """What was found on these cells, and beside it the answers that look at nothing."""
    if cells.empty:
        return found[:0]
    told = found[~found["technique"].isin([ALWAYS, RANDOM])].merge(cells[[*CELL, "regime"]], on=[*CELL, "regime"])
    return pd.concat([told, baselines(cells)], ignore_index=True)


def _asked(found: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The cells on which anybody was asked: where nobody was, constants and random answers are no yardstick either."""
    keys = [*CELL, "regime"]
    asked = found.loc[~found["technique"].isin([ALWAYS, RANDOM]), keys].drop_duplicates()
    return cells.merge(asked, on=keys) if len(asked) else cells


@dataclass(frozen=True)
class Entry:
    """The answers of one localiser in one regime.

    Attributes:
        who: regime, technique, variant.
        cells: its n cells (CELL, layers, answered), sorted, layers of one depth side by side.
        weights: an answer [L] for each of them.
    """

    who: tuple[str, str, str]
    cells: pd.DataFrame
    weights: list[np.ndarray]

    def chosen(self, kinds: Sequence[str]) -> Entry:
        """The same on places of some kinds alone."""
        kept = [kind_of(place) in kinds for place in self.cells["place"]]
        weights = [w for w, keep in zip(self.weights, kept, strict=True) if keep]
        return Entry(self.who, self.cells[kept].reset_index(drop=True), weights)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each block: the numbers of its cells, their answers [n, L] and their places [n, L]."""
        for found in self.cells.groupby(BLOCK, sort=False).indices.values():
            rows = np.asarray(found)
            depth = int(self.cells["layers"].iloc[rows[0]])
            places = [truth(Place.parse(self.cells["place"].iloc[row]), depth) for row in rows]
            yield rows, np.stack([self.weights[row] for row in rows]), np.stack(places)


def entries(found: pd.DataFrame, cells: pd.DataFrame) -> list[Entry]:
    """Everybody's answers on these cells (``with_truth``), constants and random answers included.

    A localiser that answered in some places of a kind was asked about that kind: where it has no answer, it has found
    nothing, and gets the same weight for every layer. So nobody gains by failing where it is hard.

    Raises:
        MemlocError: if an answer has not one weight a layer.
    """
    if cells.empty:
        return []
    cells = _asked(found, cells)
    told = with_baselines(found, cells).merge(cells, on=[*CELL, "regime"])
    made = []
    for key, rows in told.groupby(WHO):
        who = (str(key[0]), str(key[1]), str(key[2]))
        of_kinds = cells["place"].map(kind_of).isin(set(rows["place"].map(kind_of)))
        asked = cells[(cells["regime"] == who[0]) & of_kinds]
        keys, weights = [], []
        for depth in sorted({int(layers) for layers in asked["layers"]}):
            alike, layers = rows[rows["layers"] == depth], list(range(1, depth + 1))
            if alike.duplicated([*CELL, "layer"]).any():
                raise MemlocError(f"answers of {who}", "several of one cell", "one weight a cell and layer")
            wide = alike.pivot(index=CELL, columns="layer", values="weight")
            if len(wide) and (list(wide.columns) != layers or wide.isna().to_numpy().any()):
                raise MemlocError(f"layers of {who}", list(wide.columns), f"1 to {depth} in every cell")
            every = pd.MultiIndex.from_frame(asked.loc[asked["layers"] == depth, CELL]).sort_values()
            wide = wide.reindex(every, columns=layers)
            answered = wide.notna().all(axis=1).to_numpy()
            keys.append(wide.index.to_frame(index=False).assign(layers=depth, answered=answered))
            weights += list(wide.fillna(1 / depth).to_numpy(float))
        made.append(Entry(who, pd.concat(keys, ignore_index=True), weights))
    return made
