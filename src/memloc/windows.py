"""Windows: runs of neighbouring layers, which are swapped or trained afresh together. Arithmetic alone, no models."""

from __future__ import annotations

Window = tuple[int, int]  # first layer (from 1) and number of layers


def windows(num_layers: int, longest: int | None = None) -> list[Window]:
    """All L (L + 1) / 2 contiguous windows, by first layer, then by length; or those of at most ``longest`` layers."""
    longest = longest or num_layers
    starts = range(1, num_layers + 1)
    return [(start, length) for start in starts for length in range(1, min(longest, num_layers - start + 1) + 1)]
