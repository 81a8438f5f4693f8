"""How well somebody tells noisy from clean examples who sees nothing but the given label.

Wrong labels fall on classes by the size of the *other* classes, right ones by a class's own size. So where classes
differ in size, a rare label is a wrong one more often than a common label is, and a probe that reads the given label
tells noisy from clean in part, without knowing the original one. Where classes are alike it has to know both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memloc.errors import MemlocError


def noisy_f1_of_given_alone(counts: Sequence[int] | np.ndarray, rate: float) -> float:
    """The best F1 of *noisy* that an answer by the given label can have, of expected numbers of examples.

    Args:
        counts: examples of each original class, [C].
        rate: share of every class whose label is wrong; the wrong one is any other class with the same probability.

    Returns:
        F1 in [0, 1]; calling everything noisy gives 2 rate / (1 + rate), the least there is.

    Raises:
        MemlocError: with fewer than two classes, an empty one, or a rate that is not between 0 and 1.

    Cost: sorting C classes. The best set of labels to call noisy is one of the C that hold the likeliest ones: adding a
    label raises F1 exactly if its share of noisy examples is above half of the F1 so far.
    """
    sizes = np.asarray(counts, float)
    if sizes.ndim != 1 or len(sizes) < 2 or not (sizes > 0).all():
        raise MemlocError("examples of each class", list(counts), "two classes or more, none empty")
    if not 0 < rate < 1:
        raise MemlocError("share of wrong labels", rate, "more than 0, less than 1")
    noisy = rate * (sizes.sum() - sizes) / (len(sizes) - 1)
    given = noisy + (1 - rate) * sizes
    order = np.argsort(-noisy / given)
    return float((2 * np.cumsum(noisy[order]) / (np.cumsum(given[order]) + noisy.sum())).max())
