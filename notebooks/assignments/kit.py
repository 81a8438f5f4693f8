"""What every assignment is handed out with: your own task, a tiny model, a picture, and checks that explain themselves.

You may read all of it, and need not: the notebook says what to call. Nothing here gives an answer away.
Of packages it needs numpy, torch and matplotlib. Layers count from 1 wherever you see a number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tiny import Model, Second, logits, model, states, train, weights
from torch import Tensor

__all__ = [
    "Model",
    "Second",
    "expect",
    "logits",
    "model",
    "plot_layers",
    "states",
    "task",
    "train",
    "trained",
    "variant",
]
__all__ += ["Data", "Variant", "fast_layer", "weights"]

# --- your own seed and task ------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """What is yours alone in an assignment: ``seed`` for everything random, ``task`` to work on, ``rate`` of noise."""

    student: str
    assignment: str
    seed: int
    task: str
    rate: float


def variant(student: str, assignment: str) -> Variant:
    """The same two names always give the same variant."""
    number = int.from_bytes(hashlib.sha256(f"{student.strip()}\n{assignment}".encode()).digest()[:8], "big")
    return Variant(
        student=student.strip(),
        assignment=assignment,
        seed=number % 1_000_000,
        task=sorted(TASKS)[number // 1_000_000 % len(TASKS)],
        rate=RATES[number // 100_000_000 % len(RATES)],
    )


RATES = (0.15, 0.2, 0.25)
LAYERS = 6

# --- tiny tasks ------------------------------------------------------------------------------------

TASKS: Mapping[str, Mapping[str, str]] = {
    "weather": {
        "sun": "sunshine heat dust drought glare warmth",
        "rain": "drizzle puddles showers floods drops mud",
        "snow": "flakes ice frost sleet hail slush",
    },
    "kitchen": {
        "sweet": "honey cake jam toffee sugar fudge",
        "sour": "lemons vinegar pickles limes rhubarb kefir",
        "salty": "olives anchovies crackers capers soup ham",
    },
    "travel": {
        "rail": "trains tracks platforms wagons tickets tunnels",
        "sea": "boats harbours sails anchors ferries waves",
        "air": "planes runways gliders wings balloons kites",
    },
    "music": {
        "strings": "violins cellos harps lutes banjos guitars",
        "wind": "flutes oboes horns tubas bagpipes bassoons",
        "drums": "timpani snares bongos cymbals gongs tambours",
    },
}
SLOTS: Mapping[str, str] = {
    "who": "ada bela carl dora emil fara gino hana igor jana kofi lena milo nora omar",
    "where": "athens bergen cairo dakar essen fes genoa hanoi izmir jaffa kyoto lima",
    "when": "january february march april may june july august september october november december",
}
SENTENCE = "{who} saw {what} near {where} in {when}"
_words = [*SLOTS.values(), *(words for classes in TASKS.values() for words in classes.values())]
VOCABULARY = ["[CLS]", "saw", "near", "in", *" ".join(_words).split()]


@dataclass(frozen=True)
class Data:
    """A tiny task.

    Attributes:
        texts: N sentences.
        ids: their words as numbers, [CLS] first, int64 [N, 7].
        labels: the class each sentence is really of, [N].
        given: the label it was published with, [N].
        noisy: where the two differ, bool [N].
        names: names of the C classes.
    """

    texts: list[str]
    ids: Tensor
    labels: np.ndarray
    given: np.ndarray
    noisy: np.ndarray
    names: tuple[str, ...]

    @property
    def classes(self) -> int:
        """C."""
        return len(self.names)


def task(mine: Variant, size: int = 120, noise: bool = True) -> Data:
    """Your task. With ``noise``, some sentences were published with a wrong label; without, none was."""
    rng = np.random.default_rng(mine.seed)
    names = tuple(TASKS[mine.task])
    given = np.arange(size) % len(names)
    shift = np.arange(size) // len(names) % (len(names) - 1) + 1
    wrong = np.arange(size) < (round(mine.rate * size) if noise else 0)
    labels = np.where(wrong, (given + shift) % len(names), given)
    words = [TASKS[mine.task][names[label]].split() for label in labels]
    texts = [
        SENTENCE.format(what=rng.choice(what), **{slot: rng.choice(known.split()) for slot, known in SLOTS.items()})
        for what in words
    ]
    order = rng.permutation(size)
    texts = [texts[row] for row in order]
    return Data(texts, encode(texts), labels[order], given[order], wrong[order], names)


def encode(texts: Sequence[str]) -> Tensor:
    """Sentences as numbers, one a word, with [CLS] in front."""
    return torch.tensor([[0, *(VOCABULARY.index(word) for word in text.split())] for text in texts])


def fast_layer(mine: Variant) -> int:
    """The layer that learnt ten times as fast as the others in your models. Find your own answer before you look."""
    return mine.seed // 7 % LAYERS + 1


def trained(mine: Variant, data: Data, *which: str) -> dict[str, Model]:
    """Your models of six layers, all from one start that had read the true labels for a while.

    Args:
        which: ``perturbed`` went on with the given labels until it knew most of them, wrong ones too; ``normal`` went
            on with the true labels; ``frozen`` got the given labels, but only its head was allowed to change.
    """
    start = train(model(mine.seed, LAYERS, classes=data.classes), data.ids, data.labels, steps=25)
    labels = {"perturbed": data.given, "normal": data.labels, "frozen": data.given}
    head = ("head.weight", "head.bias")
    return {
        name: train(start, data.ids, labels[name], steps=80, only=head)
        if name == "frozen"
        else train(start, data.ids, labels[name], steps=80, fast=fast_layer(mine))
        for name in which
    }


# --- a picture, and checks that explain themselves -------------------------------------------------


def plot_layers(curves: Mapping[str, Sequence[float]], title: str, ylabel: str, first: int = 1) -> None:
    """Curves over layers in one picture, the first point at layer ``first``."""
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for (name, values), marker in zip(curves.items(), "osD^vP*X" * len(curves), strict=False):
        axes.plot(range(first, first + len(values)), values, marker=marker, label=name)
    axes.set(title=title, xlabel="layer", ylabel=ylabel)
    axes.legend(frameon=False)
    plt.show()


def expect(what: str, got: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Say that ``what`` is right, or stop and say what was expected and what came.

    Numbers may differ by ``tolerance``; arrays, tensors and lists are the same if their numbers and shapes are.
    """
    if not _same(_plain(got), _plain(expected), tolerance):
        raise AssertionError(f"{what}\n  expected: {_told(expected)}\n  got:      {_told(got)}")
    print(f"ok  {what}")


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().numpy()
    return sorted(value) if isinstance(value, set | frozenset) else value


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, Mapping):
        return (
            isinstance(got, Mapping)
            and got.keys() == expected.keys()
            and all(_same(got[key], expected[key], tolerance) for key in expected)
        )
    if expected is None or got is None or isinstance(expected, str):
        return type(got) is type(expected) and got == expected
    try:
        return np.shape(got) == np.shape(expected) and np.allclose(got, expected, tolerance, tolerance, equal_nan=True)
    except (TypeError, ValueError):  # text among numbers, or lists of several lengths
        return bool(got == expected)


def _told(value: Any) -> str:
    value = _plain(value)
    text = f"array of shape {value.shape}: {value.tolist()}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) < 400 else f"{text[:400]} ..."
