"""Places of a model into which wrong labels are planted, and what a perfect localiser would say of each.

A place is written as one word: ``layer:5``, ``band:4-6`` (these layers, both ends included), ``units:0.01`` (this share
of all feed-forward units, drawn at random), ``spread`` (every layer its own part of the wrong labels), and the study's
``control_first``, ``control_middle``, ``control_last`` (method 2.1). Layers count from 1, units of a layer from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memloc.arms import CONTROLS, target_layers
from memloc.config import derived_seed
from memloc.errors import MemlocError, unknown_name

KINDS = ("layer", "band", "units", "spread", *CONTROLS)
EVERY_LAYER = "layer:*"  # in lists of places: one place for each layer
_FORMS = {"layer": "layer:5", "band": "band:4-6", "units": "units:0.01"}


@dataclass(frozen=True)
class Place:
    """Where wrong labels were planted.

    Attributes:
        kind: one of ``KINDS``.
        first, last: layers of a ``layer`` or ``band``, else 0.
        share: of all feed-forward units, in (0, 1), of ``units``, else 0.
    """

    kind: str
    first: int = 0
    last: int = 0
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("kind of place", self.kind, KINDS)
        if self.kind in ("layer", "band") and not 1 <= self.first <= self.last:
            raise MemlocError(f"layers of a {self.kind}", (self.first, self.last), "1 or more, in rising order")
        if self.kind == "layer" and self.first != self.last:
            raise MemlocError("layers of a layer", (self.first, self.last), "one; several are a band")
        if self.kind == "units" and not 0 < self.share < 1:
            raise MemlocError("share of units", self.share, "a share between 0 and 1, both excluded")

    def __str__(self) -> str:
        if self.kind == "layer":
            return f"layer:{self.first}"
        if self.kind == "band":
            return f"band:{self.first}-{self.last}"
        return f"units:{self.share:g}" if self.kind == "units" else self.kind

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that ``str`` wrote.

        Raises:
            MemlocError: for an unknown kind, with the nearest known ones, or a kind that is told in another form.
        """
        kind, colon, rest = str(text).partition(":")
        if kind not in KINDS:
            raise unknown_name("kind of place", kind, KINDS)
        accepted = _FORMS.get(kind, kind)
        if kind not in _FORMS:
            if colon:
                raise MemlocError("place", text, accepted)
            return cls(kind)
        try:
            if kind == "units":
                return cls(kind, share=float(rest))
            first, last = re.fullmatch(r"(\d+)(?:-(\d+))?", rest).groups()  # type: ignore[union-attr]
        except (ValueError, AttributeError) as error:
            raise MemlocError("place", text, f"a place as {accepted}") from error
        if (last is None) != (kind == "layer"):
            raise MemlocError("place", text, f"a place as {accepted}")
        return cls(kind, int(first), int(last or first))

    @property
    def is_control(self) -> bool:
        """Whether it is one of the study's control settings: trained into two layers, not injected."""
        return self.kind in CONTROLS

    def within(self, num_layers: int) -> Place:
        """Itself, after its layers were looked for in a model of L layers.

        Raises:
            MemlocError: if the model has not got them.
        """
        if self.last > num_layers:
            raise MemlocError("place", str(self), f"layers from 1 to {num_layers}")
        if self.is_control:
            target_layers(self.kind, num_layers)
        return self

    def layers(self, num_layers: int) -> tuple[int, ...]:
        """The layers in which the place may be: all of them for ``units`` and ``spread``."""
        self.within(num_layers)
        if self.is_control:
            return target_layers(self.kind, num_layers)
        if self.first:
            return tuple(range(self.first, self.last + 1))
        return tuple(range(1, num_layers + 1))


def places(names: Iterable[str], num_layers: int) -> tuple[Place, ...]:
    """The places of a list in a model of L layers; ``layer:*`` stands for every layer.

    Raises:
        MemlocError: for a name that is no place, or not one of this model.
    """
    every = [f"layer:{number}" for number in range(1, num_layers + 1)]
    written = [name for text in names for name in (every if text == EVERY_LAYER else [text])]
    return tuple(dict.fromkeys(Place.parse(name).within(num_layers) for name in written))


def truth(place: Place, num_layers: int, units: np.ndarray | None = None) -> np.ndarray:
    """The true distribution over layers, float64 [L], which sums to 1.

    Equal parts for the layers of a layer, band, spread or control. Of ``units`` the share that lies in each layer.

    Args:
        units: those that were drawn (`drawn_units`); without them, what is expected before drawing: equal parts.

    Raises:
        MemlocError: if the model has not got the place.
    """
    found = np.zeros(num_layers)
    if place.kind == "units" and units is not None:
        found += np.bincount(units[:, 0] - 1, minlength=num_layers)
    else:
        found[np.array(place.layers(num_layers)) - 1] = 1
    return found / found.sum()


def drawn_units(place: Place, num_layers: int, width: int, seed: int) -> np.ndarray:
    """The units of a ``units`` place: a seeded draw from all L x F feed-forward units, without replacement.

    Args:
        width: F, units of a layer.
        seed: of the planted cell (``Amount.seed``).

    Returns:
        int64 [n, 2] of layer (from 1) and unit (from 0), sorted; n = share x L x F, rounded, and at least 1.

    Raises:
        MemlocError: for another kind of place.
    """
    if place.kind != "units":
        raise MemlocError("place with drawn units", str(place), "a place of the kind units")
    total = num_layers * width
    rng = np.random.default_rng(derived_seed("planted units", place, num_layers, width, seed))
    chosen = np.sort(rng.choice(total, max(1, round(place.share * total)), replace=False))
    return np.stack([chosen // width + 1, chosen % width], axis=1)
