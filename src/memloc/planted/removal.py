"""Localise and delete: does taking out what a localiser points to make the model forget what it was not shown?

The wrong labels are halved by a seed. A localiser sees one half (and all clean examples); what it points to is taken
out, and scored on the other half: how many of its wrong labels are forgotten, and how many clean ones are kept. Beside
it stands the mean over removals of equal size that look at nothing.

- *Layers*: the k heaviest layers get their pretrained weights back, k the number of true layers, or each of ``SIZES``
  where the place is not known. Beside them stand all other single layers, or ``draws`` seeded sets of k (all, where
  there are no more).
- *Units*: where a technique scores feed-forward units, the highest ``share`` of all are set to 0, beside ``draws``
  seeded sets of as many.

Cost: every technique once on the half; then L (L + 3) / 2 layer applications to the scored examples for all single
layers, and a forward pass for every other set. Removals are kept, so a second technique on the same cell adds few.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import torch

from memloc import tables
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.planted.answers import answers
from memloc.planted.places import Place, drawn_units, truth
from memloc.planted.settle import accuracies, by_group
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.techniques.ff_units import masked, unit_shape
from memloc.techniques.localiser import top_units
from memloc.techniques.measuring import measured
from memloc.techniques.retraining import subset
from memloc.techniques.states import mixed_model
from memloc.techniques.swapping import swap_predictions
from memloc.training.batches import Encoded, derived_seed

log = logging.getLogger(__name__)

Accuracies = tuple[float, float]  # of the noisy and of the clean examples, on their given labels
DRAWS, SHARE, CLEAN = 20, 0.01, 300
SIZES = (1, 2, 4, 6, 8)  # layers taken out where the place is not known: acquired memory takes several


def halves(data: Encoded, seed: int, clean: int = CLEAN) -> tuple[Encoded, Encoded]:
    """What a localiser sees (half of the noisy examples, all clean ones) and what is scored (the others, some clean).

    Args:
        seed: the model seed.
        clean: at most so many clean examples are scored, a seeded sample.

    Raises:
        MemlocError: with fewer than two noisy examples, or no clean one.
    """
    noisy, right = np.flatnonzero(data.noisy), np.flatnonzero(~data.noisy)
    if len(noisy) < 2 or not len(right):
        raise MemlocError("noisy and clean examples", (len(noisy), len(right)), "two noisy and one clean at least")
    rng = np.random.default_rng(derived_seed("removal halves", seed))
    noisy, sample = rng.permutation(noisy), rng.permutation(right)[:clean]
    middle = len(noisy) // 2
    seen, scored = np.concatenate([noisy[:middle], right]), np.concatenate([noisy[middle:], sample])
    return subset(data, np.sort(seen)), subset(data, np.sort(scored))


@dataclass
class Removals:
    """What is left of a model's accuracies when some of it is taken out; each removal is measured once.

    Attributes:
        model, start: the model, and the one that layers are taken back from.
        data: the scored examples.
    """

    model: Classifier
    start: Classifier
    data: Encoded
    pooling: str = "token"
    _known: dict[tuple[int, ...], Accuracies] = field(default_factory=dict, repr=False)
    _silenced: dict[bytes, Accuracies] = field(default_factory=dict, repr=False)

    def layers(self, chosen: Sequence[int]) -> Accuracies:
        """With these layers (from 1) set back; none chosen: of the model as it is."""
        key = tuple(sorted(chosen))
        if len(key) == 1 and key not in self._known:  # all single layers share what is alike, and all are asked for
            right = swap_predictions(self.model, self.start, self.data, pooling=self.pooling, longest=1)
            for number, found in enumerate(right == self.data.given, start=1):
                self._known[number,] = by_group(found, self.data)
        elif key not in self._known:
            mixed = mixed_model(self.model, self.start, key) if key else self.model
            self._known[key] = accuracies(mixed, self.data, self.pooling)
        return self._known[key]

    def units(self, chosen: np.ndarray) -> Accuracies:
        """With these feed-forward units (of all L x F, layer by layer) set to 0."""
        key = np.sort(chosen).tobytes()
        if key not in self._silenced:
            self._silenced[key] = self._without(chosen)
        return self._silenced[key]

    def _without(self, chosen: np.ndarray) -> Accuracies:
        mask = torch.ones(unit_shape(self.model), device=next(self.model.parameters()).device)
        mask.view(-1)[torch.from_numpy(chosen).to(mask.device)] = 0
        with masked(self.model, mask):
            return accuracies(self.model, self.data, self.pooling)


def other_sets(chosen: tuple[int, ...], num_layers: int, draws: int, seed: int) -> list[tuple[int, ...]]:
    """Other sets of as many layers: all for one layer, or where there are no more than ``draws``, else drawn ones."""
    size = len(chosen)
    if size == 1 or comb(num_layers, size) - 1 <= draws:
        return [other for other in combinations(range(1, num_layers + 1), size) if other != chosen]
    rng = np.random.default_rng(derived_seed("removed layers", seed, num_layers, size))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < draws:
        drawn = tuple(sorted(int(layer) for layer in rng.choice(num_layers, size, replace=False) + 1))
        if drawn != chosen:
            found[drawn] = None
    return list(found)


def heaviest(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of the highest scores, in rising order; equal ones come in any order, or the first layer would gain."""
    order = rng.permutation(len(scores))
    return np.sort(order[np.argsort(-scores[order], kind="stable")[:count]])


def removal(
    given: Mapping[str, Cell],
    settings: Mapping[str, Mapping[str, Any]],
    place: Place | None,
    planted: int = 0,
    draws: int = DRAWS,
    share: float = SHARE,
    clean: int = CLEAN,
) -> pd.DataFrame:
    """What taking out does, for every technique.

    Args:
        given: technique to what it is given of one cell, the same ``perturbed`` model and examples for all.
        settings: technique to what is changed of its defaults.
        place: where the wrong labels are; None where nobody knows.
        planted: the seed by which units were drawn that they were planted into.
        draws: removals that look at nothing, where not all of them are made.
        share: of the feed-forward units, for techniques that score them.
        clean: as for ``halves``.

    Returns:
        The columns of ``tables.REMOVAL`` from ``technique`` on, a row a technique and removal. A place in every layer
        leaves no other layers to take out, so it has rows of units alone. A technique that cannot do with half of the
        noisy examples has no rows; the log says why.
    """
    cell = next(iter(given.values()))
    seen, scored = halves(cell.train, cell.seed, clean)
    known = Removals(cell.load("perturbed"), cell.load("pretrained"), scored, cell.pooling)
    before, rows = known.layers(()), []
    for name, of_technique in given.items():
        half = replace(of_technique, train=seen, resume=None)
        try:
            found, details, _ = measured(name, half, settings_of(get_technique(name), settings.get(name)))
        except MemlocError as error:
            log.warning("%s of %s %s seed %d cannot do with half: %s", name, cell.task, cell.model, cell.seed, error)
            continue
        variant, weight = next(iter(answers(found, known.model.num_layers).items()))
        ties = np.random.default_rng(derived_seed("removal ties", of_technique.run_key))
        made = list(_layers(known, weight, place, ties, cell.seed, draws))
        if "units" in details:
            made.append(_units(known, details["units"], place, planted, ties, cell.seed, draws, share))
        rows += [{"technique": name, "variant": variant, **row} for row in made]
    frame = pd.DataFrame(rows).assign(noisy_before=before[0], clean_before=before[1], n_noisy=int(scored.noisy.sum()))
    return frame.reindex(columns=tables.REMOVAL.names[tables.REMOVAL.names.index("technique") :])


def _layers(
    known: Removals, weight: np.ndarray, place: Place | None, ties: np.random.Generator, seed: int, draws: int
) -> Iterator[dict[str, Any]]:
    """Rows of the heaviest layers."""
    depth = len(weight)
    true = truth(place, depth) > 0 if place else None
    sizes = SIZES if true is None else (int(true.sum()),)
    for size in (size for size in sizes if size < depth):
        chosen = tuple(int(layer) + 1 for layer in heaviest(weight, size, ties))
        others = [known.layers(other) for other in other_sets(chosen, depth, draws, seed)]
        inside = None if true is None else float(np.mean([true[layer - 1] for layer in chosen]))
        removed = "layers:" + ",".join(map(str, chosen))
        yield _row(removed, inside, known.layers(chosen), others)


def _units(
    known: Removals,
    units: pd.DataFrame,
    place: Place | None,
    planted: int,
    ties: np.random.Generator,
    seed: int,
    draws: int,
    share: float,
) -> dict[str, Any]:
    """The row of the highest units."""
    depth, width = unit_shape(known.model)
    units = units.sort_values(["layer", "unit"])
    if len(units) != depth * width:
        raise MemlocError("units with a score", len(units), f"{depth} x {width}, all there are")
    count = top_units(share, depth * width)
    chosen = heaviest(units["score"].to_numpy(float), count, ties)
    rng = np.random.default_rng(derived_seed("removed units", seed, depth, width, count))
    others = [known.units(rng.choice(depth * width, count, replace=False)) for _ in range(draws)]
    inside = None
    if place is not None and place.kind == "units":
        layer, unit = drawn_units(place, depth, width, planted).T
        inside = float(np.isin(chosen, (layer - 1) * width + unit).mean())
    elif place is not None:
        inside = float(np.isin(chosen // width + 1, place.layers(depth)).mean())
    return _row(f"units:{share:g}", inside, known.units(chosen), others)


def _row(removed: str, inside: float | None, after: Accuracies, others: list[Accuracies]) -> dict[str, Any]:
    random = np.mean(others, axis=0) if others else (None, None)
    told = {"removed": removed, "is_true": inside, "noisy_after": after[0], "clean_after": after[1]}
    return told | {"noisy_after_random": random[0], "clean_after_random": random[1], "n_random": len(others)}
