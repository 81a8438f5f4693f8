"""Plausible wrong submissions to "centroids"."""

from __future__ import annotations

from tests.classroom.assignment_world import Wrong

CENTROIDS = "Centroids of clean examples"
MISSING = "A class without clean examples"
LINE = "Positions on the line"
EQUAL = "Equal centroids have no line"
OWN = "Each noisy example between its own two classes"
FALL = "The last fall below one half"
NEVER = "Curves that never cross, or sit on the line"
BANDS = "Percentiles of clean examples, each pair once"
APART = "Apart from a layer on"
MIXED = "Classes that are not apart at the end"

PAIRS = "set(zip(given[noisy].tolist(), labels[noisy].tolist(), strict=True))"

WRONG = (
    Wrong(
        "noisy examples pull at the centroids",
        (CENTROIDS, MISSING, OWN, BANDS),
        {"centroids": {" & ~np.asarray(noisy, bool)": ""}},
    ),
    Wrong("a missing class lies at the origin", (MISSING,), {"centroids": {", np.nan)": ", 0.0)"}}),
    Wrong(
        "not divided by the squared length",
        (LINE, OWN, BANDS),
        {"position": {"square = float(line @ line)": "square = float(line @ line) ** 0.5"}},
    ),
    Wrong(
        "the first centroid is not subtracted",
        (LINE, OWN, BANDS),
        {"position": {"(np.asarray(states) - p_a)": "np.asarray(states)"}},
    ),
    Wrong("0 where there is no line", (EQUAL,), {"position": {"square if square else np.nan": "max(square, 1e-12)"}}),
    Wrong(
        "the pair is turned round",
        (OWN,),
        {"noisy_positions": {"centres[given[row]], centres[labels[row]]": "centres[labels[row]], centres[given[row]]"}},
    ),
    Wrong(
        "the first fall",
        (FALL,),
        {
            "crossing": {
                "above = np": "falls = [i + 2 for i in range(len(below) - 1) if below[i + 1] and not below[i]]\n"
                "    return falls[0] if falls else 0\n    above = np"
            }
        },
    ),
    Wrong("the last layer above", (FALL, NEVER), {"crossing": {"int(above[-1]) + 2": "int(above[-1]) + 1"}}),
    Wrong("one half counts as below", (NEVER,), {"crossing": {"< 0.5": "<= 0.5"}}),
    Wrong(
        "a curve that ends above has crossed where it fell",
        (NEVER,),
        {
            "crossing": {
                "if not below[-1]:": "if not below.any():",
                "above = np.flatnonzero(~below)": "above = np.flatnonzero(~below[: np.flatnonzero(below)[-1]])",
            }
        },
    ),
    Wrong("a pair counts once for each noisy example", (BANDS,), {"bands": {PAIRS: PAIRS[4:-1]}}),
    Wrong(
        "all pairs of classes",
        (BANDS,),
        {"bands": {PAIRS: "[(a, b) for a in range(classes) for b in range(classes) if a != b]"}},
    ),
    Wrong("the outer percentiles", (BANDS,), {"bands": {"12.5)": "100 - 12.5)", "87.5)": "12.5)"}}),
    Wrong(
        "the first layer that is apart",
        (APART, MIXED),
        {
            "initiation": {
                "return int(mixed[-1])": "apart = [i for i in range(len(upper_a)) if i not in mixed]\n"
                "    return apart[0] + 1 if apart else len(upper_a) + 1\n    return int(mixed[-1])"
            }
        },
    ),
    Wrong("equal counts as apart", (MIXED,), {"initiation": {"asarray(upper_a) < np": "asarray(upper_a) <= np"}}),
    Wrong(
        "None where there is none",
        (MIXED,),
        {
            "initiation": {
                "return int": "if len(mixed) and mixed[-1] == len(upper_a) - 1:\n        return None\n    return int"
            }
        },
    ),
)
