"""What a profile asks of the control arms (method 2.1)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from memloc.errors import MemlocError, unknown_name


@dataclass(frozen=True)
class Control:
    """Memorisation in a known place: a second task is trained beside each task of the profile.

    Attributes:
        auxiliary: name of the second task. As a main task it has no control arms itself.
        techniques: techniques of the profile that look for the known place.
        lr_share: the second task's learning rate as a share of ``training.lr``.
        seeds: model seeds; empty: the first one of each model.
    """

    auxiliary: str
    techniques: tuple[str, ...]
    lr_share: float = 0.5
    seeds: tuple[int, ...] = ()


FIELDS = ("auxiliary", "techniques", "lr_share", "seeds")


def parse_control(
    profile: str, content: Mapping[str, Any] | None, tasks: Collection[str], techniques: Collection[str]
) -> Control | None:
    """The control of a profile from plain data.

    Args:
        tasks, techniques: names in the profile.

    Raises:
        MemlocError: naming the field, the value and what is accepted.
    """
    if content is None:
        return None
    where = f"control of profile {profile}"
    for name in content:
        if name not in FIELDS:
            raise unknown_name(f"setting in {where}", name, FIELDS)
    auxiliary, chosen = content.get("auxiliary"), content.get("techniques")
    if not isinstance(auxiliary, str) or all(task == auxiliary for task in tasks):
        raise MemlocError(f"auxiliary of {where}", auxiliary, "the name of a task beside the profile's only one")
    if not isinstance(chosen, list) or not chosen:
        raise MemlocError(f"techniques of {where}", chosen, "a list of the profile's techniques")
    for name in chosen:
        if name not in techniques:
            raise unknown_name(f"technique of {where}", str(name), techniques)
    share, seeds = content.get("lr_share", 0.5), content.get("seeds") or []
    if type(share) not in (int, float) or not 0 < share < math.inf:
        raise MemlocError(f"lr_share of {where}", share, "a positive number")
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds):
        raise MemlocError(f"seeds of {where}", seeds, "a list of whole numbers")
    return Control(auxiliary, tuple(dict.fromkeys(chosen)), float(share), tuple(dict.fromkeys(seeds)))


def control_content(control: Control) -> dict[str, Any]:
    """Plain data of which ``parse_control`` makes the same."""
    return {
        "auxiliary": control.auxiliary,
        "techniques": list(control.techniques),
        "lr_share": control.lr_share,
        "seeds": list(control.seeds),
    }
