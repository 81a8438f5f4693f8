"""Variants of a profile: the same profile with one setting changed, called ``profile@variant``.

A profile's file names them under ``variants``, each with the setting it changes, as in
``noise-0.05: {data: {noise_rate: 0.05}}``. One setting at a time: what differs then has one cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from memloc.config import PLAIN_NAME
from memloc.errors import MemlocError, unknown_name

if TYPE_CHECKING:
    from memloc.profiles.loading import Profile

MARK = "@"  # between a profile and its variant
EVERY = "*"  # in the place of a variant: the profile and all of them
FIELD = "variants"
ACCEPTED = "one setting of data, of training or of a technique, such as {data: {seed: 2}}"
DEPTH = {"data": 2, "training": 2, "techniques": 3}  # how deep a setting lies, by field of the profile

Place = tuple[str, ...]  # of a setting in a profile, as ("data", "seed")


def split_name(name: str) -> tuple[str, str | None]:
    """A profile and its variant, None where none is named; a path may hold the mark too."""
    profile, mark, variant = name.rpartition(MARK)
    return (profile, variant) if mark and not name.endswith(".yml") else (name, None)


def is_variant(name: str) -> bool:
    """Whether a profile of this name, or its released run, is a variant of another."""
    return split_name(name)[1] is not None


def varied(profile: str, content: Mapping[str, Any], variants: Any) -> Iterator[tuple[str, Place, dict[str, Any]]]:
    """Every variant by name: where the setting stands that it changes, and the whole profile with it as plain data.

    Args:
        profile: its name.
        content: the profile without its variants.
        variants: what its file says of them.

    Raises:
        MemlocError: naming the variant at fault, what it says and what is accepted.
    """
    if not isinstance(variants, dict):
        raise MemlocError(f"{FIELD} of profile {profile}", variants, "a mapping of names to what each changes")
    for name, change in variants.items():
        if not PLAIN_NAME.fullmatch(str(name)) or str(name).endswith(".yml"):  # part of names of folders, and typed
            accepted = "a name of letters, digits, points, dashes and underscores that is no file's"
            raise MemlocError(f"name of a variant of profile {profile}", name, accepted)
        place, value = _one_setting(f"variant {name} of profile {profile}", change)
        if place[0] == "techniques" and place[1] not in (known := content.get("techniques") or {}):
            raise unknown_name(f"technique of variant {name} of profile {profile}", place[1], known)
        told = f"{content['purpose']} Variant: {'.'.join(place)} is {value}."
        yield str(name), place, {**_with(content, place, value), "purpose": told}


def _one_setting(where: str, change: Any) -> tuple[Place, Any]:
    """Where the one setting of a variant stands, and its value."""
    place: Place = ()
    value = change
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        place = (*place, str(key))
    if not place or isinstance(value, dict) or DEPTH.get(place[0]) != len(place):
        raise MemlocError(where, change, ACCEPTED)
    return place, value


def _with(content: Mapping[str, Any] | None, place: Place, value: Any) -> dict[str, Any]:
    """Plain data with another value at a place."""
    inner = content or {}
    key, *rest = place
    return {**inner, key: _with(inner.get(key), tuple(rest), value) if rest else value}


def with_effect(base: Profile, variant: Profile, place: Place) -> Profile:
    """The variant, if it changes every cell of its profile: else results would be compared with themselves.

    Raises:
        MemlocError: naming the tasks or models for which it changes nothing: they have that setting of their own, or
            the profile has this value already.
    """
    same = {
        "data": [task for task in base.tasks if variant.data_of(task) == base.data_of(task)],
        "training": [m for m, run in base.models.items() if variant.models[m].training == run.training],
        "techniques": [name for name in place[1:2] if variant.techniques.get(name) == base.techniques.get(name)],
    }[place[0]]
    if same:
        accepted = "another value than the profile's, of a setting that no task and no model of it has of its own"
        raise MemlocError(f"variant {variant.name}: {'.'.join(place)} of {', '.join(same)}", "no change", accepted)
    return variant
