"""Numbers as tables and sentences tell them: a dash where there is none, no -0.00, intervals in brackets."""

from __future__ import annotations

import math

DASH = "–"


def number(value: float | None, digits: int = 2, sign: bool = False) -> str:
    """``0.42``; with ``sign`` ``+0.42``; a dash where there is no value, or none that is finite."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:{'+' if sign else ''}z.{digits}f}"


def brackets(low: float | None, high: float | None, digits: int = 2, sign: bool = False) -> str:
    """``[0.31, 0.55]``; a dash where an end is not known."""
    ends = [number(end, digits, sign) for end in (low, high)]
    return DASH if DASH in ends else f"[{', '.join(ends)}]"


def with_interval(
    value: float | None, low: float | None, high: float | None, digits: int = 2, sign: bool = False
) -> str:
    """``0.42 [0.31, 0.55]``; without brackets where nothing could be resampled; a dash where there is no value."""
    told, interval = number(value, digits, sign), brackets(low, high, digits, sign)
    return told if DASH in (told, interval) else f"{told} {interval}"
