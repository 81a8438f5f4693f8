"""How good an answer is where the place is known: scores of answers against places, in all pairs at once.

An answer is a distribution over L layers (``planted.answers``), a place a share of each layer; its true layers are
those with a share. All scores are 1 for a perfect answer but distances, which are 0. Ties are broken at random, and a
score is its expectation over that: an answer that is the same for all layers scores what a random layer would.

| score | of an answer w and a place                                                                              |
|-------|---------------------------------------------------------------------------------------------------------|
| top_1 | is the heaviest layer a true one?                                                                       |
| reciprocal_rank | 1 / rank of the best true layer, layers ordered by weight                                     |
| distance | sum over layers of w_l d(l), d(l) = layers to the nearest true one / (L - 1)                         |
| top_distance | d of the heaviest layer                                                                           |
| mass  | weight on the true layers / the same of a perfect localiser's answer (``answers.attainable``)           |

An answer over all windows can be sharper than a perfect localiser's, and its mass above 1.

Calibration asks something else: are answers flatter where memory is spread over all layers? It is the share of pairs
(a spread place, a place of one layer) of one cell in which the entropy of the first is the larger one, ties counting
half: the area under the curve, .5 by chance.

Everything here is arithmetic on arrays. Cost: n m L for n answers and m places.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from memloc.analysis.control import hits

DISTANCES = {"distance": "skill", "top_distance": "top_skill"}  # and what they are told as
SCORES = ("top_1", "reciprocal_rank", *DISTANCES, "mass")


def distances(truth: np.ndarray) -> np.ndarray:
    """d(l, place) for every layer: layers to the nearest true one, as a share of the L - 1 there are. [m, L]."""
    true, layers = truth > 0, np.arange(truth.shape[1])
    apart = np.abs(layers[:, None] - layers[None, :])  # [L, L']
    nearest = np.where(true[:, None, :], apart[None], truth.shape[1]).min(axis=2)
    return nearest / max(1, truth.shape[1] - 1)


def pair_scores(weights: np.ndarray, truth: np.ndarray, attainable: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of n answers if each of m places were the true one: [n, m] each.

    Args:
        weights: answers, [n, L], rows summing to 1.
        truth: places as shares of layers, [m, L].
        attainable: the mass that a perfect answer would put on the true layers of each place, [m].
    """
    true = truth > 0
    top = weights == weights.max(axis=1, keepdims=True)
    top = top / top.sum(axis=1, keepdims=True)
    return {
        "top_1": top @ true.T,
        "reciprocal_rank": reciprocal_ranks(weights, true),
        "distance": weights @ distances(truth).T,
        "top_distance": top @ distances(truth).T,
        "mass": (weights @ true.T) / attainable,
    }


def reciprocal_ranks(weights: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Expected 1 / rank of the best true layer where layers of equal weight come in any order. [n, m]."""
    best = np.where(true[None], weights[:, None, :], -np.inf).max(axis=2)[..., None]  # [n, m, 1]
    alike = weights[:, None, :] == best
    counts = ((weights[:, None, :] > best).sum(axis=2), alike.sum(axis=2), (alike & true[None]).sum(axis=2))
    expected = [_expected(int(a), int(t), int(m)) for a, t, m in zip(*(c.ravel() for c in counts), strict=True)]
    return np.array(expected).reshape(best.shape[:2])


@lru_cache(maxsize=4096)
def _expected(above: int, alike: int, true: int) -> float:
    """Of 1 / (above + place of the first of ``true`` ones among ``alike``), all orders equally likely."""
    ways = [comb(alike - place, true - 1) for place in range(1, alike - true + 2)]
    return sum(way / (above + place) for place, way in enumerate(ways, start=1)) / comb(alike, true)


def chance(truth: np.ndarray, attainable: np.ndarray) -> dict[str, np.ndarray]:
    """What a localiser that looks at nothing expects to score at each place, exactly: [m] each.

    Its weights are exchangeable between layers, so its top layer and its order of layers are any with equal
    probability, and each layer's expected weight is 1 / L.
    """
    flat = np.full((1, truth.shape[1]), 1 / truth.shape[1])
    return {name: values[0] for name, values in pair_scores(flat, truth, attainable).items()}


def entropy(weights: np.ndarray) -> np.ndarray:
    """Of answers [n, L], as a share of what it can be: 0 for one layer, 1 for all alike. [n]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(weights > 0, weights * np.log(weights), 0.0)
    # rounding must not order answers that are alike
    return np.round(-terms.sum(axis=1) / np.log(max(2, weights.shape[1])), 12)


def flatter(entropies: np.ndarray) -> np.ndarray:
    """Whether the first of two answers is the flatter one: 1, 0, or half where they are alike. [n, n]."""
    first, second = entropies[:, None], entropies[None, :]
    return (first > second) + 0.5 * (first == second)


def recall_at(scores: np.ndarray, true: np.ndarray, k: int | None = None) -> float:
    """Share of the true units among the k that score highest, in expectation over ties.

    Args:
        scores: one a unit, [U].
        true: which units hold the memory, bool [U].
        k: as many as are true by default, so that all can be found and recall is precision too; chance is k / U.
    """
    k = int(true.sum()) if k is None else k
    return hits(scores, [int(unit) + 1 for unit in np.flatnonzero(true)], k) * k / max(1, int(true.sum()))
