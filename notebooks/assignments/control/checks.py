"""Hidden checks of "control": deeper models, names that begin alike, tiny changes, equal weights, exact intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from memloc.classroom.checks import Ask, check, require, same

PIECES = ("norm1.weight", "mix.weight", "mix.bias", "up.weight", "down.bias")
REST = ("embed.weight", "place.weight", "norm.weight", "norm.bias")
HEADS = {"main": ("head.weight", "head.bias"), "second": ("second_head.weight", "second_head.bias")}


def names_of(layers: int, variant: Any) -> list[str]:
    """Names of all parameters, in an order of the student's own."""
    names = [f"layers.{i}.{piece}" for i in range(layers) for piece in PIECES]
    names += [*REST, *HEADS["main"], *HEADS["second"]]
    return [names[i] for i in np.random.default_rng([variant.seed, 1]).permutation(len(names))]


def planned(ask: Ask, variant: Any, layers: int, setting: str) -> dict[str, Any]:
    """The student's plan, if it has both tasks."""
    got = ask("plan(names, layers, setting)", names=names_of(layers, variant), layers=layers, setting=setting)
    require(isinstance(got, dict) and {"main", "second"} <= got.keys(), 'The plan has no "main" or no "second".')
    require(all(isinstance(got[task], list) for task in ("main", "second")), "The plan does not hold lists of names.")
    return got


def expected_main(layers: int, targets: tuple[int, ...]) -> list[str]:
    """The main head and the layers, from 1, that the main task may change."""
    return sorted([*HEADS["main"], *(f"layers.{n - 1}.{piece}" for n in targets for piece in PIECES)])


@check("The layers of each place", part="plan", points=1.5)
def places(ask: Ask, variant: Any) -> None:
    """Six and eight layers."""
    for layers, setting, targets in (
        (6, "first", (1, 2)),
        (6, "middle", (3, 4)),
        (8, "middle", (4, 5)),
        (8, "last", (7, 8)),
    ):
        got = planned(ask, variant, layers, setting)["main"]
        require(sorted(got) == expected_main(layers, targets), f"The main task's names are not right for: {setting}.")


@check("Names that begin alike, in twelve layers", part="plan", points=1)
def alike(ask: Ask, variant: Any) -> None:
    """layers.1. is not the beginning of layers.10. and layers.11."""
    for setting, targets in (("first", (1, 2)), ("last", (11, 12))):
        got = planned(ask, variant, 12, setting)["main"]
        require(sorted(got) == expected_main(12, targets), "With twelve layers the main task's names are not right.")


@check("What nobody but the second task may change, and what nobody may", part="plan", points=1)
def second(ask: Ask, variant: Any) -> None:
    """All layers and its own head, whatever the setting; frozen means that the main task has its head alone."""
    expected = sorted([*HEADS["second"], *(f"layers.{i}.{piece}" for i in range(6) for piece in PIECES)])
    for setting in ("first", "frozen"):
        got = planned(ask, variant, 6, setting)
        require(sorted(got["second"]) == expected, "The second task's names are not right.")
    require(sorted(got["main"]) == sorted(HEADS["main"]), "Frozen, the main task may change its head and nothing else.")


def weights_of(variant: Any) -> dict[str, np.ndarray]:
    """Some parameters before training."""
    rng = np.random.default_rng([variant.seed, 2])
    return {name: rng.normal(size=(3, 4)) for name in ("d", "a", "c", "b")}


@check("Any change counts, allowed ones do not", part="broken", points=1)
def changed(ask: Ask, variant: Any) -> None:
    """One bit of one number; a change whose sum is zero; a nan that was there before."""
    before = weights_of(variant)
    before["a"][0, 0] = np.nan
    after = {name: array.copy() for name, array in before.items()}
    after["b"][1, 2] = np.nextafter(before["b"][1, 2], np.inf)
    after["d"][0, :2] = before["d"][0, :2] + np.array([1.0, -1.0])
    after["c"] += 1
    got = ask("list(broken(before, after, ['c']))", before=before, after=after)
    require(isinstance(got, list) and "c" not in got, "A change that was allowed is reported.")
    require(got == ["b", "d"], "The names that changed are not right, or not sorted.")


@check("Parameters that vanish, appear or change their shape", part="broken", points=0.5)
def vanished(ask: Ask, variant: Any) -> None:
    """Shapes that could be broadcast are different shapes."""
    before = {name: np.ones((3, 4)) for name in weights_of(variant)}
    after = {"a": np.ones((3, 4)), "b": np.ones((1, 4)), "d": np.ones(5), "e": np.ones(2)}
    got = ask("list(broken(before, after, ['d']))", before=before, after=after)
    require(got == ["b", "c", "e"], "A parameter that is gone, new or of another shape has changed.")


@check("Accuracy@k over several controls", part="accuracy_at", points=1)
def scored(ask: Ask, variant: Any) -> None:
    """Random weights of eight layers, three of them negative; targets of other sizes than k."""
    rng = np.random.default_rng([variant.seed, 3])
    weights = rng.normal(size=(5, 8))
    targets = [sorted(rng.choice(np.arange(1, 9), size=size, replace=False).tolist()) for size in (1, 2, 2, 3, 4)]
    for k in (1, 2, 3):
        shares = []
        for row, target in zip(weights.tolist(), targets, strict=True):
            top = sorted(range(1, 9), key=lambda layer, row=row: -row[layer - 1])[:k]  # type: ignore[misc]
            shares.append(sum(layer in target for layer in top) / k)
        got = ask("accuracy_at(weights, targets, k)", weights=weights, targets=targets, k=k)
        require(same(got, sum(shares) / 5), f"Accuracy@{k} is not right.")


@check("Of equal weights the lower layer is the heavier", part="accuracy_at", points=0.5)
def ties(ask: Ask, variant: Any) -> None:
    """Weights that are all alike, and two that share the second place."""
    for row, target, k, expected in (
        ([0.2] * 12, [1, 2], 2, 1.0),
        ([0.0] * 6, [5, 6], 1, 0.0),
        ([0.1, 0.3, 0.5, 0.3], [2, 3], 2, 1.0),
    ):
        got = ask("accuracy_at([row], [target], k)", row=row, target=target, k=k)
        require(same(got, expected), "Equal weights are not taken from the lowest layer on.")


@check("The best answer that looks at nothing", part="best_constant", points=1.5)
def constant(ask: Ask, variant: Any) -> None:
    """Places that overlap, places that do not, and more of one than of the others."""
    for targets, layers, k, expected in (
        ([[1, 2], [3, 4], [5, 6]], 6, 1, 1 / 3),
        ([[1, 2], [6, 7], [11, 12]], 12, 2, 1 / 3),
        ([[1, 2], [1, 2], [3, 4]], 4, 1, 2 / 3),
        ([[1, 2], [2, 3], [2, 4]], 5, 2, 2 / 3),
        ([[4], [4], [1]], 4, 2, 0.5),
    ):
        got = ask("best_constant(targets, layers, k)", targets=targets, layers=layers, k=k)
        require(same(got, expected), "The score of the best constant answer is not right.")


def exact(scores: np.ndarray) -> np.ndarray:
    """The interval from very many draws of our own."""
    means = np.random.default_rng(0).choice(scores, size=(20_000, len(scores))).mean(axis=1)
    return np.percentile(means, [2.5, 97.5])


@check("A bootstrap interval of the mean", part="interval", points=1.5)
def bootstrap(ask: Ask, variant: Any) -> None:
    """Few scores of uneven size; twice from one seed."""
    scores = np.round(np.random.default_rng([variant.seed, 4]).exponential(size=12), 2)
    got, again = (ask("list(interval(scores, 3, 4000))", scores=scores) for _ in range(2))
    require(same(got, again), "The same seed gives two intervals.", share=0.5)
    expected = exact(scores)
    width = float(expected[1] - expected[0])
    require(same(np.shape(got), (2,)) and got[0] <= got[1], "The interval is not a pair (low, high).")
    require(float(np.abs(np.subtract(got, expected)).max()) < 0.08 * width, "The ends of the interval are not right.")


@check("Intervals that are a point", part="interval", points=0.5)
def point(ask: Ask, variant: Any) -> None:
    """One score, and scores that are all alike."""
    for scores in ([0.25], [0.5] * 7):
        got = ask("list(interval(np.array(scores), 1, 50))", scores=scores)
        require(same(got, [scores[0]] * 2), "Where nothing varies, the interval is a point.")
