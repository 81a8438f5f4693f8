"""The random draws of data preparation, each from its own seeded generator, so that none depends on another's size."""

from __future__ import annotations

import heapq

import numpy as np
import pandas as pd

from memloc.config import DataConfig
from memloc.errors import MemlocError

# Streams of random numbers. A stream's number is part of its seed: never change or reuse one.
SPLIT, HALVE, CAP, PERTURB = 1, 2, 3, 4


def generator(seed: int, *stream: int) -> np.random.Generator:
    """The generator of a stream, such as ``generator(config.seed, PERTURB, label)``."""
    if seed < 0:
        raise MemlocError("data.seed", seed, "0 or a positive number")
    return np.random.default_rng([seed, *stream])


def split_rows(frame: pd.DataFrame, first: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shuffle, then part: ``first`` rows and the others, each in the order of the frame."""
    order = rng.permutation(len(frame))
    return frame.iloc[np.sort(order[:first])], frame.iloc[np.sort(order[first:])]


def cap_counts(counts: list[int], cap: int, floor: int) -> list[int]:
    """How many rows each class keeps: in proportion, no fewer than ``floor`` where it has them, ``cap`` in total.

    After the floors, rows are given out one at a time to the class with the largest ``count / (kept + 1/2)``
    (Sainte-Lague), so a larger cap never takes a row from a class. Floors win over a cap that is smaller than them.

    Args:
        counts: rows of each class.
        cap: total to keep; 0 keeps all.
        floor: rows that every class keeps where it has them.
    """
    if not cap or cap >= sum(counts):
        return list(counts)
    kept = [min(floor, count) for count in counts]
    queue = [(-count / (kept[i] + 0.5), i) for i, count in enumerate(counts) if kept[i] < count]
    heapq.heapify(queue)
    for _ in range(cap - sum(kept)):
        _, i = heapq.heappop(queue)
        kept[i] += 1
        if kept[i] < counts[i]:
            heapq.heappush(queue, (-counts[i] / (kept[i] + 0.5), i))
    return kept


def cap_rows(frame: pd.DataFrame, classes: int, cap: int, floor: int, seed: int, stream: int) -> pd.DataFrame:
    """A stratified part of a split; the rows of a smaller cap are among those of a larger one.

    Args:
        frame: rows with ``label``.
        classes: number of classes.
        cap: rows to keep; 0 keeps all.
        floor: rows a class keeps where it has them.
        seed: the data seed.
        stream: a number for the split, so that splits are drawn independently.
    """
    labels = frame["label"].to_numpy()
    members = [np.flatnonzero(labels == label) for label in range(classes)]
    kept = cap_counts([len(rows) for rows in members], cap, floor)
    chosen = [generator(seed, CAP, stream, i).permutation(rows)[: kept[i]] for i, rows in enumerate(members)]
    return frame.iloc[np.sort(np.concatenate(chosen))]


def perturb(frame: pd.DataFrame, labels: tuple[str, ...], task: str, config: DataConfig) -> pd.DataFrame:
    """Give ``int(rate * n)`` rows of each class a label of another class, drawn uniformly (method, section 1.2).

    Args:
        frame: training rows with ``label``.
        labels: the class names.
        task: the task's name, for messages.
        config: noise rate and seed.

    Returns:
        The same rows with ``given`` (label to train on) and ``group`` (``noisy`` where it is wrong, else ``clean``).

    Raises:
        MemlocError: if a class has so few rows that none would be noisy.
    """
    original = frame["label"].to_numpy()
    given = original.copy()
    for label, name in enumerate(labels):
        rows = np.flatnonzero(original == label)
        noisy = int(config.noise_rate * len(rows))
        if not noisy:
            least = int(np.ceil(1 / config.noise_rate))
            thing = f"training rows of class {name!r} of task {task}"
            raise MemlocError(thing, len(rows), f"{least} or more, so that a share of {config.noise_rate} is one row")
        rng = generator(config.seed, PERTURB, label)
        chosen = rng.permutation(rows)[:noisy]
        given[chosen] = (label + rng.integers(1, len(labels), size=noisy)) % len(labels)
    return frame.assign(given=given, group=np.where(given == original, "clean", "noisy"))
