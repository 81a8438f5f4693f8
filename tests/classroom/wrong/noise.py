"""Plausible wrong submissions to "noise"."""

from __future__ import annotations

from tests.classroom.assignment_world import Wrong

COUNT = "As many wrong labels as asked for"
ROUNDED = "The number of wrong labels is rounded, not cut off"
FAIR = "All other classes are equally likely"
ANYWHERE = "All rows are equally likely"
REPEATED = "The same seed gives the same labels, another seed others, and the original stays"
TABLE = "Original classes are rows, given labels columns"
GAP = "A class without examples keeps its row and column"
WRONG_COUNT = "Wrong labels are counted against what was asked for"
FAIRNESS = "Fairness of the noise, also at the edges"
FOR_GOOD = "From which epoch on, for good"
LAGS = "Lags of several runs, whatever the order of rows"

OTHERS = "(labels[rows] + rng.integers(1, classes, size=len(rows))) % classes"
DRAW = "rng.choice(len(labels), size=round(rate * len(labels)), replace=False)"

WRONG = (
    Wrong(
        "a row may draw its own label again",
        (COUNT, ROUNDED),
        {"perturb": {OTHERS: "rng.integers(0, classes, size=len(rows))"}},
    ),
    Wrong("rows may be drawn twice", (COUNT, ROUNDED), {"perturb": {"replace=False": "replace=True"}}),
    Wrong("always the next class", (FAIR,), {"perturb": {OTHERS: "(labels[rows] + 1) % classes"}}),
    Wrong("cut off instead of rounded", (ROUNDED,), {"perturb": {"round(": "int("}}),
    Wrong("the first rows", (ANYWHERE,), {"perturb": {DRAW: "np.arange(round(rate * len(labels)))"}}),
    Wrong("the labels that were given are changed", (REPEATED,), {"perturb": {"labels.copy()": "labels"}}),
    Wrong("the seed is not used", (REPEATED,), {"perturb": {"default_rng(seed)": "default_rng()"}}),
    Wrong(
        "rows and columns exchanged",
        (TABLE, GAP, FAIRNESS),
        {"confusion": {"(np.asarray(original, int), np.asarray(given, int))": "(given, original)"}},
    ),
    Wrong(
        "a table of the classes that occur",
        (GAP,),
        {"confusion": {"return table": "return pd.crosstab(np.asarray(original), np.asarray(given)).to_numpy()"}},
    ),
    Wrong("enough is called exact", (WRONG_COUNT,), {"verify": {"wrong.sum() ==": "wrong.sum() >="}}),
    Wrong("the diagonal is left in", (WRONG_COUNT, FAIRNESS), {"verify": {"np.fill_diagonal(table, 0)": "pass"}}),
    Wrong(
        "a class is compared with itself", (FAIRNESS,), {"verify": {"np.delete(table[a] / wrong[a], a)": "table[a]"}}
    ),
    Wrong(
        "the first epoch at the level, whatever follows",
        (FOR_GOOD,),
        {"reached": {"below = ": "return next((e for e, v in enumerate(curve, 1) if v >= level), None)\n    below = "}},
    ),
    Wrong("above the level instead of at it", (FOR_GOOD,), {"reached": {"< level": "<= level"}}),
    Wrong("epochs from 0", (FOR_GOOD,), {"reached": {"+ 2": "+ 1", "else 1": "else 0", "<= len": "< len"}}),
    Wrong("rows in the order they come", (LAGS,), {"lags": {'run = run.sort_values("epoch")': "pass"}}),
    Wrong(
        "never reached counts as 0",
        (LAGS,),
        {"lags": {"if None not in epochs:": "epochs = [e or 0 for e in epochs]\n        if True:"}},
    ),
)
