"""Measured seconds beside a formula: two numbers, seconds = a + b x work, and exponents of growth with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memloc.errors import MemlocError


@dataclass(frozen=True)
class Fit:
    """A straight line over work.

    Attributes:
        fixed: a, seconds that nothing but the call costs; never negative.
        rate: b, seconds for a unit of work.
    """

    fixed: float
    rate: float

    def seconds(self, work: Sequence[float] | np.ndarray) -> np.ndarray:
        """What the line says."""
        return self.fixed + self.rate * np.asarray(work, float)

    def deviation(self, work: Sequence[float] | np.ndarray, seconds: Sequence[float] | np.ndarray) -> float:
        """The largest distance of a measured time from the line, as a share of the line."""
        line = self.seconds(work)
        return float(np.max(np.abs(np.asarray(seconds, float) - line) / line))


@dataclass(frozen=True)
class Exponent:
    """How seconds grow with a size: as its power ``value``, with a 95 % interval (infinite from two points)."""

    value: float
    low: float
    high: float


def fit_line(work: Sequence[float] | np.ndarray, seconds: Sequence[float] | np.ndarray) -> Fit:
    """The line with the least squares of *relative* distances, so that small runs count as much as long ones.

    Raises:
        MemlocError: without two different amounts of work, or for seconds or work that are not positive.
    """
    from scipy.optimize import nnls

    x, y = np.asarray(work, float), np.asarray(seconds, float)
    if x.shape != y.shape or len(np.unique(x)) < 2:
        raise MemlocError("points of a fit", x.tolist(), "two different amounts of work or more, with seconds each")
    if not ((x > 0).all() and (y > 0).all()):
        raise MemlocError("points of a fit", [x.tolist(), y.tolist()], "positive work and seconds")
    scale = x.max()  # work is counted in billions: the two columns must be of one size
    (fixed, rate), _ = nnls(np.stack([1 / y, x / scale / y], axis=1), np.ones(len(x)))
    return Fit(float(fixed), float(rate / scale))


def exponent(sizes: Sequence[float] | np.ndarray, seconds: Sequence[float] | np.ndarray) -> Exponent:
    """The slope of the logarithms, by least squares, with Student's 95 % interval.

    Raises:
        MemlocError: without two different sizes.
    """
    from scipy.stats import t

    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(seconds, float))
    if len(np.unique(x)) < 2:
        raise MemlocError("sizes of an exponent", list(sizes), "two different ones or more")
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    free = len(x) - 2
    if free < 1:
        return Exponent(slope, float("-inf"), float("inf"))
    rest = y - y.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / free / (centred @ centred)) * t.ppf(0.975, free))
    return Exponent(slope, slope - error, slope + error)
