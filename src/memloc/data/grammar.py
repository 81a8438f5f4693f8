"""The texts of the generated tasks: word lists, word orders, and the crossed design they are drawn in. No labels here.

An example is two texts of four words. Text 1 holds a *cue* (a person) and an *operator* (an adverb), text 2 a *partner*
(a thing); cue and partner belong to one of six domains, an operator has a shift of 0 to 5, and all other words are
fillers. The two texts mirror each other: a place stands in text 2 where an operator stands in text 1. ``generated.py``
says what the labels are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from memloc.errors import MemlocError, unknown_name

SEED = 20240805
DOMAINS = 6
UNIT = DOMAINS**3  # rows in which cues, operators and partners are exactly crossed
KINDS = ("cue", "operator", "partner")
ATTEMPTS = 100  # at rows without a repeated text

# Every order has the same kinds of words, so the order changes positions and nothing else.
ORDERS_1 = (
    ("determiner", "cue", "operator", "verb"),
    ("operator", "determiner", "cue", "verb"),
    ("operator", "verb", "determiner", "cue"),
    ("determiner", "cue", "verb", "operator"),
)
ORDERS_2 = (
    ("determiner", "partner", "place", "state"),
    ("place", "determiner", "partner", "state"),
    ("place", "state", "determiner", "partner"),
    ("determiner", "partner", "state", "place"),
)


@functools.cache
def lexicons() -> dict[str, dict[str, Any]]:
    """The word lists of ``lexicons.yml`` by lexicon name. Shared: do not change them."""
    return yaml.safe_load(Path(__file__).with_name("lexicons.yml").read_text(encoding="utf-8"))


def lexicon_words(name: str) -> dict[str, list[str]]:
    """For each of ``KINDS`` its six words, in the order of the domains (operators: of the shifts)."""
    if name not in lexicons():
        raise unknown_name("lexicon", name, lexicons())
    lexicon = lexicons()[name]
    return {
        "cue": [domain["cue"] for domain in lexicon["domains"]],
        "operator": lexicon["operators"],
        "partner": [domain["partner"] for domain in lexicon["domains"]],
    }


def positions(kind: str) -> dict[str, Any]:
    """In which text (1 or 2) a kind of word stands, and its place there, counted from 1, in each word order."""
    text, orders = (1, ORDERS_1) if kind in ORDERS_1[0] else (2, ORDERS_2)
    return {"text": text, "places": [order.index(kind) + 1 for order in orders]}


def crossed() -> np.ndarray:
    """Every combination of the cue's domain, the operator's shift and the partner's domain, (216, 3), each 0..5."""
    return np.indices((DOMAINS,) * 3).reshape(3, -1).T


def draw(name: str, sizes: Mapping[str, int]) -> dict[str, pd.DataFrame]:
    """Draw splits of one lexicon, always the same ones for the same sizes; no text occurs twice in all of them.

    Args:
        name: a lexicon.
        sizes: rows by split. Multiples of ``UNIT`` are exactly crossed, multiples of 12 balanced in every label.

    Returns:
        Frames of ``idx``, ``parts`` (the two texts), the words ``cue, operator, partner``, their groups
        ``cue_class, operator_class, partner_class`` (0..5), and ``order_1, order_2``: each text's word order (0..3).

    Raises:
        MemlocError: for an unknown lexicon, or more rows than it has texts.
    """
    words = lexicon_words(name)
    rng = np.random.default_rng([SEED, *name.encode()])
    seen: set[tuple[str, str]] = set()
    splits = {}
    for split, n in sizes.items():
        rows = _content(words, n, rng)
        rows.insert(1, "parts", _new_texts(rows, lexicons()[name], rng, seen))
        splits[split] = rows
    return splits


def _content(words: dict[str, list[str]], n: int, rng: np.random.Generator) -> pd.DataFrame:
    """The words that carry classes, and the word orders, of n rows."""
    blocks = [crossed()[_balanced_order(rng)] for _ in range(0, n, UNIT)]
    # the last crossing may be cut short; crossings must not show in the order of rows
    cells = np.concatenate(blocks)[:n][rng.permutation(n)]
    rows = pd.DataFrame({"idx": np.arange(n, dtype=np.int64)})
    for kind, places in zip(KINDS, cells.T, strict=True):
        rows[kind] = np.array(words[kind])[places]
        rows[f"{kind}_class"] = places
    for order in ("order_1", "order_2"):
        rows[order] = rng.permutation(np.arange(n) % len(ORDERS_1))
    return rows


def _balanced_order(rng: np.random.Generator) -> np.ndarray:
    """A random order of the rows of ``crossed`` whose every twelve rows are balanced in the labels of every mechanism.

    Twelve rows share the sum c of their three numbers (mod 6) and have two neighbouring operators, k and k + 1, each
    with all cues x. So x, x + operator and the partner y = c - x - operator each take every value twice; and so does
    y - x = c - operator - 2x, because it has one parity with the first operator and the other with the second.
    """
    cue, operator, partner = crossed().T
    total = rng.permutation(DOMAINS)[(cue + operator + partner) % DOMAINS]
    pair = rng.permutation(DOMAINS // 2)[(operator - rng.integers(DOMAINS)) % DOMAINS // 2]
    return np.lexsort((rng.random(len(cue)), pair, total))


def _new_texts(
    rows: pd.DataFrame, lexicon: dict[str, Any], rng: np.random.Generator, seen: set[tuple[str, str]]
) -> list[list[str]]:
    """The two texts of every row, with fillers such that none repeats another or one of ``seen``, which is extended.

    Fillers are dealt, not drawn: every one occurs as often as any other of its kind. Rows that repeat a text exchange
    fillers and word orders (in place) with some others until no row does.
    """
    n = len(rows)
    fillers = {
        kind: np.array(words)[rng.permutation(np.arange(n) % len(words))] for kind, words in lexicon["fillers"].items()
    }
    for _ in range(ATTEMPTS):
        texts = _texts(rows, fillers, lexicon["determiner"])
        new: set[tuple[str, str]] = set()
        repeats = []
        for row, text in enumerate(texts):
            if text in seen or text in new:
                repeats.append(row)
            new.add(text)
        if not repeats:
            seen.update(new)
            return [list(text) for text in texts]
        others = rng.choice(n, min(n, len(repeats) + 10), replace=False)
        exchange = np.unique([*repeats, *others])
        for words in fillers.values():
            words[exchange] = words[rng.permutation(exchange)]
        for order in ("order_1", "order_2"):
            rows.loc[exchange, order] = rows[order].to_numpy()[rng.permutation(exchange)]
    raise MemlocError("rows of a generated task", n, "fewer: the lexicon does not give so many distinct texts")


def _texts(rows: pd.DataFrame, fillers: dict[str, np.ndarray], determiner: str) -> list[tuple[str, str]]:
    """The two texts of every row, its words in the row's word orders."""
    table = rows[list(KINDS)].assign(determiner=determiner, **fillers).to_dict("records")
    return [
        (" ".join(words[kind] for kind in ORDERS_1[first]), " ".join(words[kind] for kind in ORDERS_2[second]))
        for words, first, second in zip(table, rows["order_1"], rows["order_2"], strict=True)
    ]
