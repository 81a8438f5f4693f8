"""One kind of error for bad input: what it was about, what was given, what would be accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MemlocError(Exception):
    """Bad input or an unusable state of the world, told in one line.

    Args:
        thing: what the value was for, such as ``"task"`` or ``"column"``.
        value: what was given.
        accepted: what would have been accepted, as a sentence fragment or a list of names.
    """

    def __init__(self, thing: str, value: object, accepted: str | Iterable[str]) -> None:
        self.thing = thing
        self.value = value
        self.accepted = accepted if isinstance(accepted, str) else ", ".join(accepted)
        super().__init__(f"{thing}: {value!r}; accepted: {self.accepted}")


class Corrupt(MemlocError):
    """A stored file is truncated, altered or missing. The store recomputes instead of passing this on."""


def unknown_name(kind: str, name: str, known: Iterable[str], else_from: str = "") -> MemlocError:
    """The error for a name that is not in a catalogue, naming the nearest ones that are, and where others come from."""
    names = sorted(known)
    more = f"; {else_from}" if else_from else ""
    lowered = {known.lower(): known for known in reversed(names)}
    near = [lowered[close] for close in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]
    if near:
        asked = f"did you mean {' or '.join(near)}? ({len(names)} are known)"
        return MemlocError(f"unknown {kind}", name, asked + more)
    return MemlocError(f"unknown {kind}", name, ", ".join(names) + more)
