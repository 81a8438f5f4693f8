"""Hidden checks of "swapping": other models, windows at both ends, accuracies in another order, empty groups."""

from __future__ import annotations

from typing import Any

import kit
import numpy as np

from memloc.classroom.checks import Ask, check, require, same

CLOSE = 1e-4  # logits of two processes may differ in their last bits
LAYERS = 4


def seeds(variant: Any, what: int) -> tuple[int, int]:
    """Seeds of two random models of the student's own."""
    first = (variant.seed * 7 + what) % 100_000
    return first, first + 1


def sentences(variant: Any, what: int, rows: int = 12) -> np.ndarray:
    """Random words as numbers, [rows, 7]."""
    return np.random.default_rng([variant.seed, what]).integers(1, 100, size=(rows, 7))


def mixed_logits(first: int, second: int, start: int, length: int, ids: np.ndarray) -> np.ndarray:
    """What the right model says, by copying weights one by one."""
    mixed, source = kit.model(first, LAYERS), kit.model(second, LAYERS)
    for place in range(start - 1, start - 1 + length):
        mixed.layers[place].load_state_dict(source.layers[place].state_dict())
    return kit.logits(mixed, ids)


def swapped(ask: Ask, variant: Any, windows: list[tuple[int, int]], message: str) -> None:
    """The student's mixed models say what the right ones do."""
    (a, b), ids = seeds(variant, 1), sentences(variant, 1)
    for start, length in windows:
        code = "kit.logits(swap_window(kit.model(a, L), kit.model(b, L), start, length), ids)"
        got = ask(code, a=a, b=b, L=LAYERS, start=start, length=length, ids=ids)
        require(same(got, mixed_logits(a, b, start, length, ids), CLOSE), message)


@check("The window comes from the other model, the rest stays", part="swap_window", points=1)
def in_the_middle(ask: Ask, variant: Any) -> None:
    """Windows that touch neither end."""
    swapped(ask, variant, [(2, 1), (2, 2)], "A model with a window in the middle is not the right mixture.")


@check("Windows at the first and at the last layer", part="swap_window", points=0.5)
def at_the_ends(ask: Ask, variant: Any) -> None:
    """Layer 1, the last layer, and all layers."""
    swapped(
        ask, variant, [(1, 1), (LAYERS, 1), (1, LAYERS)], "A model with a window at an end is not the right mixture."
    )


@check("Both models stay as they are, also later", part="swap_window", points=1)
def untouched(ask: Ask, variant: Any) -> None:
    """After swapping, and after the new model was changed."""
    (a, b), ids = seeds(variant, 2), sentences(variant, 2)
    code = (
        "(lambda first, second: (lambda new: [{spoil} kit.logits(first, ids), kit.logits(second, ids)])"
        "(swap_window(first, second, 2, 2)))(kit.model(a, L), kit.model(b, L))"
    )
    spoil = "[p.data.zero_() for p in new.parameters()] and"
    expected = [kit.logits(kit.model(seed, LAYERS), ids) for seed in (a, b)]
    for change, message in (("", "Swapping changes a model it was given."), (spoil, "Models share their weights.")):
        got = ask(code.format(spoil=change), a=a, b=b, L=LAYERS, ids=ids)
        require(isinstance(got, list) and len(got) == 2, "swap_window does not return a model.")
        require(all(same(one, right, CLOSE) for one, right in zip(got, expected, strict=True)), message)


def shares(ask: Ask, variant: Any, given: np.ndarray, noisy: np.ndarray, ids: np.ndarray) -> list[Any]:
    """What ``accuracies`` tells of a random model."""
    code = "list(accuracies(kit.model(seed), torch.as_tensor(ids), given, noisy))"
    return ask(code, seed=seeds(variant, 3)[0], ids=ids, given=given, noisy=noisy)


@check("Accuracy on given labels, noisy and clean apart", part="accuracies", points=1)
def both_groups(ask: Ask, variant: Any) -> None:
    """Labels of which some are the model's answers; groups of uneven size."""
    ids, rng = sentences(variant, 3, 30), np.random.default_rng([variant.seed, 4])
    answers = kit.logits(kit.model(seeds(variant, 3)[0]), ids).argmax(axis=1)
    noisy = np.arange(30) % 5 == 0
    hit = np.arange(30) % 4 == 0
    given = np.where(hit, answers, (answers + rng.integers(1, 3, 30)) % 3)
    got = shares(ask, variant, given, noisy, ids)
    expected = [sum(hit[noisy].tolist()) / 6, sum(hit[~noisy].tolist()) / 24]
    require(not same(got, expected[::-1]), "The two groups are exchanged.")
    require(same(got, expected), "The shares of given labels are not right.")


@check("A group without examples", part="accuracies", points=0.5)
def empty_group(ask: Ask, variant: Any) -> None:
    """No noisy example at all, then no clean one."""
    ids = sentences(variant, 5)
    answers = kit.logits(kit.model(seeds(variant, 3)[0]), ids).argmax(axis=1)
    for noisy, expected in ((np.zeros(12, bool), [np.nan, 1.0]), (np.ones(12, bool), [1.0, np.nan])):
        require(same(shares(ask, variant, answers, noisy, ids), expected), "An empty group has no share: nan.")


@check("Every window once, in order", part="all_windows", points=1)
def windows_in_order(ask: Ask, variant: Any) -> None:
    """One layer, two, and seven."""
    for layers in (1, 2, 7):
        got = ask("[[int(start), int(length)] for start, length in all_windows(n)]", n=layers)
        expected = []
        for length in range(1, layers + 1):
            start = 1
            while start + length - 1 <= layers:
                expected.append([start, length])
                start += 1
        require(
            isinstance(got, list) and sorted(got) == sorted(expected), "Windows are missing, or there are too many."
        )
        require(got == expected, "The windows come in another order.", share=0.5)


def windows_of(layers: int) -> list[list[int]]:
    """All windows, longest first: another order than the notebook's."""
    return [[start, n] for n in range(layers, 0, -1) for start in range(layers - n + 1, 0, -1)]


def error_of(windows: list[list[int]], accuracy: np.ndarray, layers: int) -> np.ndarray:
    """E by adding up each window into the layers it holds."""
    total, count = np.zeros((layers, layers)), np.zeros((layers, layers))
    for (start, length), value in zip(windows, accuracy, strict=True):
        total[length - 1, start - 1 : start - 1 + length] += value
        count[length - 1, start - 1 : start - 1 + length] += 1
    return 1 - total / count


@check("Memorisation error for windows in any order", part="memorisation_error", points=2)
def error_table(ask: Ask, variant: Any) -> None:
    """Random accuracies of five layers; nothing in them is symmetric."""
    windows = windows_of(5)
    accuracy = np.random.default_rng([variant.seed, 6]).random(len(windows))
    got = ask("memorisation_error([tuple(w) for w in windows], accuracy, 5)", windows=windows, accuracy=accuracy)
    expected = error_of(windows, accuracy, 5)
    require(not same(got, expected.T), "Rows and columns are exchanged.", share=0.5)
    require(same(got, expected), "The memorisation error is not right.")


@check("Layer weights are the mean over lengths", part="weights", points=0.5)
def weights_of_layers(ask: Ask, variant: Any) -> None:
    """A table that is not square in its numbers."""
    error = np.random.default_rng([variant.seed, 7]).random((4, 4))
    expected = [sum(float(error[k, layer]) for k in range(4)) / 4 for layer in range(4)]
    require(same(ask("layer_weights(error)", error=error), expected), "The layer weights are not right.")


@check("The centre of gravity counts layers from 1", part="weights", points=1)
def centre(ask: Ask, variant: Any) -> None:
    """Weights that do not sum to 1, all weight on one layer, and none at all."""
    drawn = np.random.default_rng([variant.seed, 8]).random(6) * 3
    expected = sum((i + 1) * float(w) for i, w in enumerate(drawn)) / sum(float(w) for w in drawn)
    require(same(ask("centre_of_gravity(w)", w=drawn), expected), "The centre of gravity is not right.")
    require(same(ask("centre_of_gravity(w)", w=[0.0, 0.0, 0.7]), 3.0), "Weight in layer 3 alone lies at 3.")
    require(
        same(ask("centre_of_gravity(w)", w=[0.0, 0.0]), np.nan), "Without any weight there is no centre.", share=0.5
    )


@check("The range a centre of gravity can reach", part="attainable_range", points=1.5)
def reachable(ask: Ask, variant: Any) -> None:
    """Other depths than the visible one; one layer has a range of one point."""
    for layers in (1, 5, 6):
        ends = []
        for layer in (1, layers):
            windows = windows_of(layers)
            gone = np.array([not start <= layer < start + length for start, length in windows], float)
            weights = error_of(windows, gone, layers).mean(axis=0)
            ends.append(float((weights * np.arange(1, layers + 1)).sum() / weights.sum()))
        require(same(ask("list(attainable_range(n))", n=layers), ends, 1e-5), "The attainable range is not right.")
