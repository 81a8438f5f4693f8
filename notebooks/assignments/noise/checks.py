"""Hidden checks of "noise": numbers drawn from the student's seed, and the edges that the visible checks leave out."""

from __future__ import annotations

from typing import Any

import numpy as np

from memloc.classroom.checks import Ask, check, require, same

CURVES = {
    "falls again": ([0.2, 0.9, 0.5, 0.9, 1.0], 0.9, 4),
    "falls at the end": ([0.95, 1.0, 0.8], 0.9, None),
    "exactly at the level": ([0.3, 0.9, 0.9], 0.9, 2),
    "from the start": ([0.9, 0.95], 0.9, 1),
    "only at the end": ([0.1, 0.2, 0.91], 0.9, 3),
}


def drawn(variant: Any, what: int) -> np.random.Generator:
    """A generator of the student's own, another one for each purpose."""
    return np.random.default_rng([variant.seed, what])


def perturbed(ask: Ask, labels: np.ndarray, classes: int, rate: float, seed: int) -> np.ndarray:
    """What ``perturb`` makes of labels; whatever has another shape is of no use to any check."""
    got = np.asarray(ask("perturb(labels, classes, rate, seed)", labels=labels, classes=classes, rate=rate, seed=seed))
    require(got.shape == labels.shape, "perturb does not return one label for each example.")
    require(got.dtype.kind in "iu", "perturb does not return whole numbers.")
    return got


@check("As many wrong labels as asked for", part="perturb", points=1.5)
def count(ask: Ask, variant: Any) -> None:
    """Whole numbers of rows, classes of uneven size, several seeds."""
    rng = drawn(variant, 1)
    for rate in (0.15, 0.25, 0.5, 1.0):
        rows = 20 * int(rng.integers(5, 12))
        labels = rng.choice(4, size=rows, p=[0.55, 0.25, 0.15, 0.05])
        got = perturbed(ask, labels, 4, rate, int(rng.integers(1000)))
        require(
            int((got != labels).sum()) == round(rate * rows), "The number of wrong labels is not the one asked for."
        )
        require(bool(((got >= 0) & (got < 4)).all()), "Some given labels are no classes.")


@check("The number of wrong labels is rounded, not cut off", part="perturb", points=0.5)
def rounded(ask: Ask, variant: Any) -> None:
    """11 rows at .15 are 1.65, so 2; 9 at .15 are 1.35, so 1."""
    seed = int(drawn(variant, 2).integers(1000))
    for rows in (11, 9, 31):
        labels = np.arange(rows) % 3
        got = perturbed(ask, labels, 3, 0.15, seed)
        require(int((got != labels).sum()) == round(0.15 * rows), "rate * N is rounded in another way than by round().")


@check("All other classes are equally likely", part="perturb", points=1)
def fair(ask: Ask, variant: Any) -> None:
    """3000 rows, five classes, half of them wrong: each share is .25 with a standard error of .025."""
    labels = drawn(variant, 3).integers(0, 5, size=3000)
    got = perturbed(ask, labels, 5, 0.5, variant.seed)
    for a in range(5):
        wrong = got[(labels == a) & (got != labels)]
        shares = [float(np.mean(wrong == b)) if len(wrong) else 0.0 for b in range(5) if b != a]
        require(max(abs(share - 0.25) for share in shares) < 0.12, "Wrong labels prefer some classes to others.")


@check("All rows are equally likely", part="perturb", points=0.5)
def anywhere(ask: Ask, variant: Any) -> None:
    """Each quarter of 800 rows holds its part of the wrong labels."""
    labels = np.sort(drawn(variant, 4).integers(0, 3, size=800))
    got = perturbed(ask, labels, 3, 0.5, variant.seed)
    shares = np.array([part.mean() for part in np.split(got != labels, 4)])
    mean = float(shares.mean())
    even = mean > 0 and float(np.abs(shares - mean).max()) < 0.15
    require(even, "Some rows are more likely to be wrong than others.")


@check("The same seed gives the same labels, another seed others, and the original stays", part="perturb", points=1)
def repeated(ask: Ask, variant: Any) -> None:
    """Also where somebody else draws random numbers in between."""
    labels = drawn(variant, 5).integers(0, 3, size=200)
    first = perturbed(ask, labels, 3, 0.3, variant.seed)
    ask("float(np.random.random())")
    require(same(perturbed(ask, labels, 3, 0.3, variant.seed), first), "The same seed gives two different answers.")
    other = perturbed(ask, labels, 3, 0.3, variant.seed + 1)
    require(not same(other, first), "Two seeds give the same answer.")
    after = ask("(lambda array: (perturb(array, 3, 0.3, 1), array)[1])(np.array(labels))", labels=labels)
    require(same(after, labels), "perturb changes the labels it was given.")


def counted(original: np.ndarray, given: np.ndarray, classes: int) -> list[list[int]]:
    """The table, one example after the other."""
    table = [[0] * classes for _ in range(classes)]
    for a, b in zip(original.tolist(), given.tolist(), strict=True):
        table[a][b] += 1
    return table


@check("Original classes are rows, given labels columns", part="confusion", points=1)
def table_of_all(ask: Ask, variant: Any) -> None:
    """Uneven classes, so that the transposed table is another one."""
    rng = drawn(variant, 6)
    original, given = rng.choice(3, 60, p=[0.6, 0.3, 0.1]), rng.integers(0, 3, 60)
    got = ask("confusion(original, given, 3)", original=original, given=given)
    expected = counted(original, given, 3)
    require(not same(got, np.transpose(expected)), "Rows and columns of the table are exchanged.")
    require(same(got, expected), "The table has wrong counts.")


@check("A class without examples keeps its row and column", part="confusion", points=0.5)
def table_with_a_gap(ask: Ask, variant: Any) -> None:
    """Classes 1 and 4 of five have no examples, and nobody is given 4."""
    original = drawn(variant, 7).choice([0, 2, 3], 40)
    given = np.where(np.arange(40) % 7 == 0, (original + 2) % 4, original)
    got = ask("confusion(original, given, 5)", original=original, given=given)
    require(same(got, counted(original, given, 5)), "The table is wrong where classes have no examples.")


def verified(ask: Ask, original: np.ndarray, given: np.ndarray, classes: int, rate: float) -> dict[str, Any]:
    """What ``verify`` says, if it is a dictionary with the three names."""
    got = ask("verify(o, g, c, r)", o=original, g=given, c=classes, r=rate)
    told = isinstance(got, dict) and {"wrong", "exact", "furthest"} <= got.keys()
    require(told, 'verify does not return a dictionary with "wrong", "exact" and "furthest".')
    return got


@check("Wrong labels are counted against what was asked for", part="verify", points=1)
def verified_count(ask: Ask, variant: Any) -> None:
    """One too few, exactly right, and one too many; wrong labels of several classes."""
    original = drawn(variant, 8).integers(0, 3, size=50)
    for wrong in (9, 10, 11):
        given = np.where(np.arange(50) < wrong, (original + 1) % 3, original)
        got = verified(ask, original, given, 3, 0.2)
        require(same(got["wrong"], wrong), "The number of wrong labels is not right.")
        require(same(got["exact"], wrong == 10), '"exact" is not right.')


@check("Fairness of the noise, also at the edges", part="verify", points=1)
def verified_fairness(ask: Ask, variant: Any) -> None:
    """A class without wrong labels, two classes, no wrong label at all."""
    original = np.repeat([0, 1, 2, 3], [8, 4, 6, 5])
    given = original.copy()
    to = drawn(variant, 9).permutation([1, 2, 2, 2, 3])  # 8 of class 0, of which 5 became something else
    given[:5] = to
    given[8:11] = [0, 2, 3]  # of class 1, fair
    got = verified(ask, original, given, 4, 0.3)["furthest"]
    require(same(got, 3 / 5 - 1 / 3), "The distance from fair noise is not right where some classes are all clean.")
    got = verified(ask, np.array([0, 0, 1]), np.array([1, 0, 1]), 2, 0.3)["furthest"]
    require(same(got, 0.0), "With two classes noise cannot be unfair.")
    got = verified(ask, original, original, 4, 0.0)["furthest"]
    require(same(got, 0.0), "Without wrong labels the distance is 0.")


@check("From which epoch on, for good", part="reached", points=1)
def for_good(ask: Ask, variant: Any) -> None:
    """Levels met exactly, curves that fall again, curves that never stay."""
    for what, (curve, level, expected) in CURVES.items():
        got = ask("reached(np.array(curve), level)", curve=curve, level=level)
        require(same(got, expected), f"The epoch is not right for a curve of this kind: {what}.")


@check("Lags of several runs, whatever the order of rows", part="lags", points=1)
def lags_of_runs(ask: Ask, variant: Any) -> None:
    """Two runs of one task, one run that never gets there, one task without any lag; rows shuffled."""
    rng = drawn(variant, 10)
    late = int(rng.integers(2, 5))
    runs = [("t", "m", 1, 1, 1 + late), ("t", "n", 1, 2, 3), ("t", "n", 2, 1, None), ("u", "m", 1, None, None)]
    rows = [
        (task, model, seed, epoch, group, 1.0 if epoch >= (from_on or 99) else 0.1)
        for task, model, seed, clean, noisy in runs
        for group, from_on in (("clean", clean), ("noisy", noisy))
        for epoch in range(1, 13)
    ]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    names = ("task", "model", "seed", "epoch", "group", "accuracy")
    table = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    got = ask("lags(pd.DataFrame(table), 0.5)", table=table)
    require(isinstance(got, dict) and set(got) == {"t"}, "The answer has other tasks than those with a lag.")
    require(same(got["t"], (late + 1) / 2), "The mean lag of a task is not right.")
