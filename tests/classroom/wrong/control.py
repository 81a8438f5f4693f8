"""Plausible wrong submissions to "control"."""

from __future__ import annotations

from tests.classroom.assignment_world import Wrong

PLACES = "The layers of each place"
ALIKE = "Names that begin alike, in twelve layers"
SECOND = "What nobody but the second task may change, and what nobody may"
CHANGED = "Any change counts, allowed ones do not"
VANISHED = "Parameters that vanish, appear or change their shape"
SCORED = "Accuracy@k over several controls"
TIES = "Of equal weights the lower layer is the heavier"
CONSTANT = "The best answer that looks at nothing"
BOOTSTRAP = "A bootstrap interval of the mean"
POINT = "Intervals that are a point"

IN_TARGETS = "if int(rest[0]) + 1 in targets[setting]:"
EQUAL = "np.array_equal(before[name], after[name], equal_nan=True)"

WRONG = (
    Wrong("layers counted from 0", (PLACES, ALIKE), {"plan": {"int(rest[0]) + 1 in": "int(rest[0]) in"}}),
    Wrong(
        "names by their beginning",
        (ALIKE,),
        {"plan": {IN_TARGETS: 'if any(name.startswith(f"layers.{n - 1}") for n in targets[setting]):'}},
    ),
    Wrong("the middle of six for every depth", (PLACES,), {"plan": {"num_layers // 2": "3"}}),
    Wrong(
        "the second task keeps out of the places",
        (SECOND,),
        {"plan": {'return {"main"': 'second = [name for name in second if name not in main]\n    return {"main"'}},
    ),
    Wrong(
        "the final norm trains with the main task",
        (PLACES, ALIKE, SECOND),
        {"plan": {'part == "head"': 'part in ("head", "norm")'}},
    ),
    Wrong(
        "the second task's head belongs to both",
        (PLACES, ALIKE, SECOND),
        {"plan": {'part == "head"': 'part.endswith("head")'}},
    ),
    Wrong(
        "nearly equal is equal",
        (CHANGED, VANISHED),
        {"broken": {EQUAL: "np.allclose(before[name], after[name], equal_nan=True)"}},
    ),
    Wrong(
        "sums are compared",
        (CHANGED,),
        {"broken": {EQUAL: "np.isclose(np.nansum(before[name]), np.nansum(after[name]), rtol=1e-15)"}},
    ),
    Wrong("nan is never equal", (CHANGED,), {"broken": {", equal_nan=True": ""}}),
    Wrong(
        "shapes are broadcast",
        (VANISHED,),
        {"broken": {EQUAL: "np.all((before[name] == after[name]) | np.isnan(before[name]))"}},
    ),
    Wrong("only what was there before", (VANISHED,), {"broken": {"before.keys() | after.keys()": "before.keys()"}}),
    Wrong("the allowed ones are not left out", (CHANGED, VANISHED), {"broken": {"name not in allowed and ": ""}}),
    Wrong("the lightest layers", (SCORED, TIES), {"accuracy_at": {"argsort(-np": "argsort(np"}}),
    Wrong(
        "divided by the number of targets",
        (SCORED,),
        {
            "accuracy_at": {
                "np.isin(heaviest, list(target)).mean()": "np.isin(heaviest, list(target)).sum() / len(target)"
            }
        },
    ),
    Wrong(
        "the higher of two equal layers",
        (TIES,),
        {"accuracy_at": {'np.argsort(-np.asarray(row, float), kind="stable")': 'np.argsort(row, kind="stable")[::-1]'}},
    ),
    Wrong("any hit counts in full", (SCORED,), {"accuracy_at": {").mean())\n    return": ").any())\n    return"}}),
    Wrong(
        "chance instead of the best constant",
        (CONSTANT,),
        {
            "best_constant": {
                "answers = ": "return float(np.mean([len(t) for t in targets])) / num_layers\n    answers = "
            }
        },
    ),
    Wrong(
        "the layers may be the same",
        (CONSTANT,),
        {
            "best_constant": {
                "answers = ": "layers = range(1, num_layers + 1)\n"
                "    return max(np.mean([n in t for t in targets]) for n in layers)\n    answers = "
            }
        },
    ),
    Wrong(
        "the spread of scores, not of their mean", (BOOTSTRAP,), {"interval": {"scores[chosen].mean(axis=1)": "scores"}}
    ),
    Wrong(
        "drawn without repetition",
        (BOOTSTRAP,),
        {"interval": {"scores[chosen].mean": "np.stack([scores] * draws).mean"}},
    ),
    Wrong("a 90 % interval", (BOOTSTRAP,), {"interval": {"[2.5, 97.5]": "[5, 95]"}}),
    Wrong("the seed is not used", (BOOTSTRAP,), {"interval": {"default_rng(seed)": "default_rng()"}}),
    Wrong(
        "a normal interval by n - 1",
        (POINT,),
        {
            "interval": {
                "return float(low)": "if len(scores) == 1:\n        return np.nan, np.nan\n    return float(low)"
            }
        },
    ),
)
