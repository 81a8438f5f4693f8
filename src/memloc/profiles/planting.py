"""What a profile asks of the benchmark with planted memorisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from memloc.config import TrainConfig, from_mapping
from memloc.errors import MemlocError, unknown_name

ORACLE, BLIND, ACQUIRED = REGIMES = ("oracle", "blind", "acquired")


@dataclass(frozen=True)
class Planting:
    """Where wrong labels are planted, how, and who is asked what about it.

    Attributes:
        places: names of places (``memloc.planted.places``); ``layer:*`` stands for every layer.
        regimes: ``oracle``, ``blind`` (DESIGN: planted memorisation), and ``acquired``: the ordinary perturbed arm.
        injection: settings of training while labels are planted, instead of the model's own; what it says below the
            name of a kind of place (``spread: {lr: 1.0e-3}``) holds there instead.
        settling: the same while the model settles.
        amounts: for some tasks, shares of wrong labels beside the profile's own; with each model's first seed.
        removal: places (and ``acquired``) in which localisers also see half of the wrong labels, and what they point to
            is taken out; with the profile's own share and each model's first seed.
        only: for some techniques, the kinds of places (or ``acquired``) that they are asked about, where asking about
            all of them would take too long.
    """

    places: tuple[str, ...]
    regimes: tuple[str, ...] = REGIMES
    injection: dict[str, Any] = field(default_factory=dict)
    settling: dict[str, Any] = field(default_factory=dict)
    amounts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    removal: tuple[str, ...] = ()
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def asks(self, technique: str, kind: str) -> bool:
        """Whether a technique is asked about a kind of place, or about ``acquired`` memory."""
        return technique not in self.only or kind in self.only[technique]

    def settings(self, step: str, kind: str) -> dict[str, Any]:
        """What is changed of training in a step (``injection`` or ``settling``) at a kind of place."""
        return settings_at(getattr(self, step), kind)


KINDS = {
    "places": list,
    "regimes": list,
    "injection": dict,
    "settling": dict,
    "amounts": dict,
    "removal": list,
    "only": dict,
}


def settings_at(told: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
    """Of a step's settings, those that hold at a kind of place, or without one those that hold in general."""
    from memloc.planted.places import KINDS as PLACES

    general = {name: value for name, value in told.items() if name not in PLACES}
    return general | (told.get(kind) or {})


def changed(training: TrainConfig, settings: Mapping[str, Any], where: str) -> TrainConfig:
    """Training with some settings changed.

    Raises:
        MemlocError: for one that there is not, or a value out of its range.
    """
    return from_mapping(TrainConfig, asdict(training) | dict(settings), where)


def parse_planting(profile: str, content: Mapping[str, Any] | None, techniques: Collection[str]) -> Planting | None:
    """The field ``planted`` of a profile, which runs some techniques, from plain data.

    Raises:
        MemlocError: naming the setting, the value and what is accepted.
    """
    from memloc.data.catalogue import get_task

    if content is None:
        return None
    where = f"planted of profile {profile}"
    for name, value in content.items():
        if name not in KINDS:
            raise unknown_name(f"setting in {where}", name, KINDS)
        if not isinstance(value, KINDS[name]):
            raise MemlocError(f"{name} of {where}", value, f"a value of type {KINDS[name].__name__}")
    places = _places(content.get("places"), where)
    if ACQUIRED in places:
        raise MemlocError(f"places of {where}", ACQUIRED, "places to plant into; it is a regime")
    removal = _places(content["removal"], where) if content.get("removal") else ()
    regimes = tuple(dict.fromkeys(content.get("regimes") or REGIMES))
    for regime in regimes:
        if regime not in REGIMES:
            raise unknown_name(f"regime of {where}", str(regime), REGIMES)
    for name in ("injection", "settling"):
        _check_step(content.get(name) or {}, f"{name} of {where}")
    amounts = {}
    for task, rates in (content.get("amounts") or {}).items():
        get_task(task)
        if not isinstance(rates, list) or not all(type(rate) is float and 0 < rate < 1 for rate in rates):
            raise MemlocError(f"amounts of {task} in {where}", rates, "a list of shares between 0 and 1")
        amounts[task] = tuple(dict.fromkeys(rates))
    own = {name: dict(content.get(name) or {}) for name in ("injection", "settling")}
    only = {}
    for technique, kinds in (content.get("only") or {}).items():
        if technique not in techniques:
            raise unknown_name(f"technique in only of {where}", str(technique), techniques)
        only[technique] = _kinds(technique, kinds, where)
    return Planting(places, regimes, **own, amounts=amounts, removal=removal, only=only)


def _kinds(technique: str, kinds: object, where: str) -> tuple[str, ...]:
    """Kinds of places that a technique is asked about."""
    from memloc.planted.places import KINDS as PLACES

    known = (*PLACES, ACQUIRED)
    if not isinstance(kinds, list) or not kinds:
        raise MemlocError(f"only of {technique} in {where}", kinds, f"a list of {', '.join(known)}")
    for kind in kinds:
        if kind not in known:
            raise unknown_name(f"kind of place for {technique} in {where}", str(kind), known)
    return tuple(dict.fromkeys(kinds))


def _check_step(told: Mapping[str, Any], where: str) -> None:
    """Settings of a step, in general and below names of kinds of places."""
    from memloc.planted.places import KINDS as PLACES

    changed(TrainConfig(), settings_at(told), where)
    for kind in told.keys() & set(PLACES):
        if not isinstance(told[kind], dict):
            raise MemlocError(f"{kind} in {where}", told[kind], "settings of training by name")
        changed(TrainConfig(), settings_at(told, kind), f"{kind} in {where}")


def _places(names: Sequence[str] | None, where: str) -> tuple[str, ...]:
    from memloc.planted.places import EVERY_LAYER, Place

    if not names:
        raise MemlocError(f"places of {where}", names, "a list of places")
    known = (EVERY_LAYER, ACQUIRED)
    return tuple(dict.fromkeys(name if name in known else str(Place.parse(name)) for name in names))


def planting_content(planting: Planting) -> dict[str, Any]:
    """Plain data of which ``parse_planting`` makes the same."""
    return {
        "places": list(planting.places),
        "regimes": list(planting.regimes),
        "injection": dict(planting.injection),
        "settling": dict(planting.settling),
        "removal": list(planting.removal),
        "amounts": {task: list(rates) for task, rates in planting.amounts.items()},
        "only": {technique: list(kinds) for technique, kinds in planting.only.items()},
    }
