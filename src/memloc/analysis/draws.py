"""How far draws of the data move a number, and so how far two runs must lie apart to differ by more than that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from memloc.errors import MemlocError


@dataclass(frozen=True)
class Spread:
    """The spread of a number over draws, pooled over places.

    Attributes:
        deviation: standard deviation s of one draw.
        freedom: degrees of freedom f behind it: draws less one, summed over places.
        limit: t s sqrt(2), t the quantile of Student's distribution with f degrees of freedom: two draws of one place
            lie further apart in one of twenty cases (at the usual level).
    """

    deviation: float
    freedom: int
    limit: float


def spread(places: Sequence[Sequence[float]], level: float = 0.95) -> Spread | None:
    """The spread over draws. It takes draws to be independent and normal, and to spread alike in every place.

    Args:
        places: for each place the numbers of its draws; those that are not finite are left out.
        level: share of pairs of draws that lie within the limit.

    Returns:
        None if no place has two draws: then nothing is known of how far draws differ.

    Raises:
        MemlocError: if the level is no share.
    """
    if not 0 < level < 1:
        raise MemlocError("level of the spread over draws", level, "a share between 0 and 1")
    known = [np.array([value for value in values if np.isfinite(value)]) for values in places]
    several = [values for values in known if len(values) > 1]
    if not several:
        return None
    freedom = sum(len(values) - 1 for values in several)
    deviation = math.sqrt(sum(((values - values.mean()) ** 2).sum() for values in several) / freedom)
    return Spread(deviation, freedom, float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(2) * deviation)
