"""Hidden checks of "centroids": random states, missing classes, equal centroids, repeated pairs, edges of curves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from memloc.classroom.checks import Ask, check, require, same

CROSSINGS = {
    "above until the last layer": ([0.9, 0.8, 0.4], 3),
    "below at all layers": ([0.4, 0.3, 0.1], 0),
    "falls, comes back, falls again": ([0.9, 0.2, 0.7, 0.6, 0.1, 0.2], 5),
    "starts below, comes up, falls": ([0.3, 0.8, 0.4, 0.2], 3),
}
NEVER = {
    "never below": ([0.9, 0.7], 3),
    "falls, but ends above": ([0.9, 0.2, 0.6], 4),
    "ends at exactly one half": ([0.9, 0.7, 0.5], 4),
    "one layer, below": ([0.2], 0),
    "exactly one half before the fall": ([0.9, 0.5, 0.4], 3),
}


class Points(NamedTuple):
    """Random states of one layer and what is known of them; the names are those of the notebook's arguments."""

    states: np.ndarray
    labels: np.ndarray
    given: np.ndarray
    noisy: np.ndarray
    classes: int


def points(variant: Any, what: int, rows: int = 60, classes: int = 4) -> Points:
    """Classes of uneven size around centres of their own; a quarter noisy, in some pairs more than in others."""
    rng = np.random.default_rng([variant.seed, what])
    labels = rng.choice(classes, size=rows, p=np.arange(classes, 0, -1) / sum(range(classes + 1)))
    labels[:classes] = range(classes)
    noisy = np.arange(rows) % 4 == 3
    noisy[:classes] = False
    step = np.where(rng.random(rows) < 0.7, 1, 2)
    given = np.where(noisy, (labels + step) % classes, labels)
    states = rng.normal(size=(classes, 5))[labels] * 2 + rng.normal(size=(rows, 5)) + 10
    return Points(states, labels, given, noisy, classes)


def centres(p: Points) -> np.ndarray:
    """Centroids, one sum after the other."""
    found = np.full((p.classes, p.states.shape[1]), np.nan)
    for label in range(p.classes):
        members = [p.states[i] for i in range(len(p.labels)) if p.labels[i] == label and not p.noisy[i]]
        if members:
            found[label] = sum(members) / len(members)
    return found


def t_of(state: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """The position of one state."""
    return float(sum((state - start) * (end - start)) / sum((end - start) ** 2))


@check("Centroids of clean examples", part="centroids", points=1)
def clean_centroids(ask: Ask, variant: Any) -> None:
    """Classes of uneven size; noisy examples lie elsewhere and must not count."""
    p = points(variant, 1)
    got = ask("centroids(states, labels, noisy, classes)", **{k: v for k, v in p._asdict().items() if k != "given"})
    require(same(got, centres(p)), "The centroids are not the means of the clean examples.")


@check("A class without clean examples", part="centroids", points=0.5)
def missing_class(ask: Ask, variant: Any) -> None:
    """Class 1 has one example, a noisy one, and class 3 has none."""
    p = Points(points(variant, 2, 6).states, np.array([0, 0, 1, 2, 2, 2]), np.zeros(6, int), np.arange(6) == 2, 4)
    got = ask("centroids(s, l, n, 4)", s=p.states, l=p.labels, n=p.noisy)
    require(same(got, centres(p)), "A class without clean examples has another row than nan, or spoils other rows.")


@check("Positions on the line", part="position", points=1)
def on_the_line(ask: Ask, variant: Any) -> None:
    """Centroids away from the origin, positions outside of [0, 1]."""
    p = points(variant, 3)
    start, end = centres(p)[:2]
    expected = [t_of(state, start, end) for state in p.states]
    got = ask("position(states, a, b)", states=p.states, a=start, b=end)
    require(not same(got, [1 - t for t in expected]), "0 and 1 are exchanged.")
    require(same(got, expected), "The positions are not right.")


@check("Equal centroids have no line", part="position", points=0.5)
def no_line(ask: Ask, variant: Any) -> None:
    """Equal, and not at the origin."""
    p = points(variant, 4, 6)
    got = ask("position(states, a, a.copy())", states=p.states, a=p.states[0])
    require(same(got, np.full(6, np.nan)), "Equal centroids must give nan for every example.")


@check("Each noisy example between its own two classes", part="noisy_positions", points=1.5)
def own_pairs(ask: Ask, variant: Any) -> None:
    """Four classes, all kinds of pairs."""
    p = points(variant, 5)
    at = centres(p)
    rows = np.flatnonzero(p.noisy)
    expected = [t_of(p.states[row], at[p.given[row]], at[p.labels[row]]) for row in rows]
    got = ask("noisy_positions(states, labels, given, noisy, classes)", **p._asdict())
    require(not same(got, [1 - t for t in expected]), "The true class must be at 1 and the wrong one at 0.")
    require(same(got, expected), "The positions of the noisy examples are not right.")


def curves(ask: Ask, cases: dict[str, tuple[list[float], int]]) -> None:
    """The crossings of curves of some kinds."""
    for what, (curve, expected) in cases.items():
        require(
            same(ask("crossing(np.array(c))", c=curve), expected), f"The crossing is not right for a curve: {what}."
        )


@check("The last fall below one half", part="crossing", points=1)
def falls(ask: Ask, variant: Any) -> None:
    """Curves that end below."""
    curves(ask, CROSSINGS)


@check("Curves that never cross, or sit on the line", part="crossing", points=1)
def never(ask: Ask, variant: Any) -> None:
    """Ends above, touches exactly, has one layer."""
    curves(ask, NEVER)


@check("Percentiles of clean examples, each pair once", part="bands", points=1.5)
def pooled(ask: Ask, variant: Any) -> None:
    """Some pairs have many noisy examples, some none; order of the pair matters."""
    p = points(variant, 6, 80)
    at, group_a, group_b = centres(p), [], []
    for a in range(p.classes):
        for b in range(p.classes):
            if any(p.noisy & (p.given == a) & (p.labels == b)):
                group_a += [t_of(s, at[a], at[b]) for s in p.states[~p.noisy & (p.labels == a)]]
                group_b += [t_of(s, at[a], at[b]) for s in p.states[~p.noisy & (p.labels == b)]]
    expected = [float(np.percentile(group_a, 87.5)), float(np.percentile(group_b, 12.5))]
    got = ask("list(bands(states, labels, given, noisy, classes))", **p._asdict())
    require(not same(got, expected[::-1]), "The two numbers are exchanged.", share=0.5)
    require(same(got, expected), "The percentiles are not right.")


@check("Apart from a layer on", part="initiation", points=1)
def apart(ask: Ask, variant: Any) -> None:
    """From the start, after one relapse and after two."""
    for a, b, expected in (
        ([0.1, 0.1], [0.9, 0.9], 1),
        ([0.6, 0.1, 0.1], [0.5, 0.9, 0.9], 2),
        ([0.1, 0.6, 0.1, 0.7, 0.2], [0.9, 0.5, 0.9, 0.5, 0.8], 5),
    ):
        require(same(ask("initiation(np.array(a), np.array(b))", a=a, b=b), expected), "The layer is not right.")


@check("Classes that are not apart at the end", part="initiation", points=1)
def mixed(ask: Ask, variant: Any) -> None:
    """Never apart, apart for a while, and equal at the last layer."""
    for a, b, expected in (
        ([0.6, 0.7], [0.5, 0.5], 3),
        ([0.1, 0.1, 0.6], [0.9, 0.9, 0.5], 4),
        ([0.1, 0.5], [0.9, 0.5], 3),
    ):
        got = ask("initiation(np.array(a), np.array(b))", a=a, b=b)
        require(same(got, expected), "Classes that are not apart at the last layer have initiation L + 1.")
