"""The generated source: twelve tasks that differ in what generalising needs, and in nothing else.

Every example is two texts with a cue, an operator and a partner (``grammar.py``). The label is one of three functions
of these, the task's *mechanism*:

- ``cue``: the class of the cue - one word is enough;
- ``composition``: the cue's class moved on by the operator - two words of one text, neither tells anything alone;
- ``relation``: the step from the cue's class to the partner's - two words of two texts, no text tells anything alone.

All of it counts modulo the number of classes, so a two-class label is the six-class label mod 2 (the operators then
affirm or negate, the relation is "same" or "different"). The six tasks of a lexicon consist of *the same texts* in the
same order: lengths, vocabulary, word frequencies and positions are equal because they are identical, and a word that a
mechanism does not use is a distractor in it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from memloc.data import grammar
from memloc.data.grammar import DOMAINS, KINDS
from memloc.data.raw import RawTask
from memloc.data.specs import GeneratedSource, TaskSpec
from memloc.errors import MemlocError, unknown_name

GENERATOR_VERSION = 1  # raise it when the same specification would give other texts or labels
RELEVANT = {"cue": ("cue",), "composition": ("cue", "operator"), "relation": ("cue", "partner")}
RULES = {
    "cue": "label = class of the cue",
    "composition": "label = (class of the cue + shift of the operator) mod {classes}",
    "relation": "label = (class of the partner - class of the cue) mod {classes}",
}


def load_generated(spec: TaskSpec) -> RawTask:
    """Generate a task: splits ``train`` and ``validation`` with columns ``idx, parts, label``.

    Classes are exactly balanced where a split's size is a multiple of 12, and label, cue, operator and partner exactly
    independent (but for the mechanism) where it is one of ``grammar.UNIT`` (216); elsewhere nearly so. No text occurs
    twice, within or across splits. Of a binarised variant these are the rows of the task it is made from.

    Raises:
        MemlocError: for an unknown mechanism or lexicon, a number of classes that does not divide six, no rows.
    """
    source = _checked(spec)
    digest = hashlib.sha256()
    splits = {name: rows[["idx", "parts", "label"]].copy() for name, rows in load_factors(spec).items()}
    for frame in splits.values():
        digest.update(frame.to_json(orient="values").encode())
    fingerprint = {
        "source": "generated",
        "generator": GENERATOR_VERSION,
        "mechanism": source.mechanism,
        "classes": source.classes,
        "lexicon": source.lexicon,
        "n_train": source.n_train,
        "n_heldout": source.n_heldout,
        # guards against what a version number misses: an edited word, another random stream of numpy
        "content": digest.hexdigest(),
    }
    notes = [f"generated, not natural text: {RULES[source.mechanism].format(classes=source.classes)}"]
    return RawTask(splits=splits, fingerprint=fingerprint, notes=notes)


def load_factors(spec: TaskSpec) -> dict[str, pd.DataFrame]:
    """The splits of ``load_generated`` with what each example was made from.

    Returns:
        Frames as of ``grammar.draw``, with ``label``, and with ``cue_class``, ``operator_class`` (the shift) and
        ``partner_class`` counted modulo the number of classes.
    """
    source = _checked(spec)
    # drawn by lexicon, not by task: its six tasks share their texts
    splits = grammar.draw(source.lexicon, {"train": source.n_train, "validation": source.n_heldout})
    columns = [f"{kind}_class" for kind in KINDS]
    for rows in splits.values():
        rows.insert(2, "label", _label(source.mechanism, source.classes, rows[columns].to_numpy()))
        rows[columns] %= source.classes
    return splits


def best_accuracy(spec: TaskSpec, kinds: tuple[str, ...] = KINDS) -> float:
    """The best accuracy, on correct labels, of any rule that sees only these kinds of words of an example.

    Counted over the crossed design from which texts are drawn, not over a sample.

    Args:
        spec: a generated task.
        kinds: some of ``grammar.KINDS``; none of them gives the share of the most frequent label.

    Raises:
        MemlocError: for another kind of word, or a binarised variant.
    """
    source = _checked(spec, whole=True)
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("kind of word", kind, KINDS)
    cells = grammar.crossed()
    seen = np.zeros(len(cells), dtype=int)
    for kind in kinds:
        seen = seen * DOMAINS + cells[:, KINDS.index(kind)]
    counts = pd.crosstab(seen, _label(source.mechanism, source.classes, cells))
    return float(counts.max(axis=1).sum() / len(cells))


def bayes_accuracy(spec: TaskSpec) -> float:
    """The best possible accuracy on correct labels: 1.0, because the words of an example determine its label."""
    return best_accuracy(spec, KINDS)


def explain(spec: TaskSpec) -> dict[str, Any]:
    """What a task is made of, for readers: its rule, its words and one worked example. JSON data.

    Returns:
        ``mechanism, classes, lexicon, rule``; ``relevant`` and ``distractors`` (kinds of words); ``words``: kind ->
        words, listed by class (operators: by shift); ``positions``: kind -> ``text`` and ``places``, from 1;
        ``best_accuracy``: kinds joined by ``+`` -> accuracy of the best rule that sees only them; ``example``: the
        ``parts``, words, classes, ``label`` and ``label_name`` of one training row.

    Raises:
        MemlocError: for a binarised variant.
    """
    source = _checked(spec, whole=True)
    relevant = RELEVANT[source.mechanism]
    words = {
        kind: [listed[c :: source.classes] for c in range(source.classes)]
        for kind, listed in grammar.lexicon_words(source.lexicon).items()
    }
    views: tuple[tuple[str, ...], ...] = ((), *((kind,) for kind in KINDS), ("cue", "operator"), ("cue", "partner"))
    return {
        "mechanism": source.mechanism,
        "classes": source.classes,
        "lexicon": source.lexicon,
        "rule": RULES[source.mechanism].format(classes=source.classes),
        "relevant": list(relevant),
        "distractors": [kind for kind in KINDS if kind not in relevant],
        "words": words,
        "positions": {kind: grammar.positions(kind) for kind in KINDS},
        "best_accuracy": {"+".join(view) or "nothing": best_accuracy(spec, view) for view in views},
        "example": _example(spec),
    }


def _example(spec: TaskSpec) -> dict[str, Any]:
    """The first training row in which neither cue nor operator has class 0, so that the rule shows at work."""
    rows = load_factors(spec)["train"].drop(columns=["order_1", "order_2"])
    telling = rows[(rows["cue_class"] != 0) & (rows["operator_class"] != 0)]
    (record,) = (telling if len(telling) else rows).head(1).to_dict("records")
    values = {str(key): value.item() if isinstance(value, np.generic) else value for key, value in record.items()}
    return {**values, "label_name": spec.labels[values["label"]]}


def _checked(spec: TaskSpec, whole: bool = False) -> GeneratedSource:
    """The specification's generated source, once everything in it is usable; ``whole`` refuses binarised variants."""
    source = spec.generated
    if source is None:
        raise MemlocError(f"generated source of task {spec.name}", None, "a task that has one, such as gen-cue-2a")
    if whole and spec.binarised_from:
        raise MemlocError("generated task", spec.name, f"the task it is binarised from, {spec.binarised_from}")
    if source.mechanism not in RELEVANT:
        raise unknown_name("mechanism", source.mechanism, RELEVANT)
    if source.classes not in (2, 3, 6):
        raise MemlocError(f"classes of task {spec.name}", source.classes, "2, 3 or 6, which divide the six domains")
    for field in ("n_train", "n_heldout"):
        if (n := getattr(source, field)) < 1:
            raise MemlocError(f"{field} of task {spec.name}", n, f"1 or more; best a multiple of {grammar.UNIT}")
    return source


def _label(mechanism: str, classes: int, cells: np.ndarray) -> np.ndarray:
    """Labels (n,) of cells (n, 3), as in ``grammar.crossed``: a domain's class is its place modulo ``classes``."""
    cue, operator, partner = cells.T
    value = {"cue": cue, "composition": cue + operator, "relation": partner - cue}[mechanism]
    return value % classes
