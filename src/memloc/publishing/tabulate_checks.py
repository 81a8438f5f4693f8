"""Where a released run does not come out as the rules ask: the same numbers of part of its cells, and of other models.

Which cells to look at was decided with the results known, so what is read here suggests reasons and settles none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from memloc.claims import Claim
from memloc.claims.schema import Part
from memloc.claims.verdict import HOLDS, PartResult
from memloc.models.catalogue import get_model
from memloc.publishing.facts import NONE
from memloc.publishing.figures import listed, model_title
from memloc.publishing.style import sort_models
from memloc.publishing.tabulate_claims import described, known_of_study, number_told, study_number
from memloc.publishing.tabulate_ledger import Ledger
from memloc.wording import DASH

THE_STUDY, LEARNT, NOT_LEARNT = "the study", "tasks learnt", "tasks not learnt"
SAME = 1e-9  # of a layer; means of errors of 0 and 1 leave rounding errors
NO_DIFFERENCE = "No released run has data enough for a rule and misses what it asks."


def differing(ledger: Ledger) -> Iterator[tuple[str, Claim, Part, PartResult]]:
    """The parts of rules in force for which a run has data enough, and whose number is not as asked."""
    for run in ledger.runs:
        for claim, verdict in zip(ledger.claims, ledger.verdicts[run], strict=True):
            if claim.superseded or ledger.repeats(run, claim):
                continue
            for part, found in zip(claim.parts, verdict.parts, strict=True):
                if found.verdict != HOLDS and _misses(part, found.statistic):
                    yield run, claim, part, found


def _misses(part: Part, value: float) -> bool:
    """Whether a number is on the wrong side of the threshold; one that is not known is on neither."""
    return value > part.threshold if part.direction == "below" else value < part.threshold


def check_table(ledger: Ledger) -> pd.DataFrame:
    """Of every run and part that misses: its number in the study, over all cells of the run, over those of tasks that
    were learnt and of those that were not, for every model alone, and of wider models in other runs; a row each.

    A cell counts as learnt as everywhere in the book (``analysis.status``). A task is among those that were learnt if
    every cell of the run was, and among those that were not if none was; others are in neither row.
    """
    found = list(differing(ledger))
    learnt = {run: _learnt(ledger.status[run]) for run in dict.fromkeys(run for run, *_ in found)}
    rows = [row for run, claim, part, of in found for row in _rows(ledger, learnt[run], run, claim, part, of)]
    return pd.DataFrame(rows, columns=["part", "of", "number", "as asked"])


def check_facts(ledger: Ledger) -> dict[str, str]:
    """What is in the table, in words, and where retraining cannot tell anything."""
    return {"checked": _missed(list(differing(ledger))), "still": unmoved(ledger)}


def _missed(found: list[tuple[str, Claim, Part, PartResult]]) -> str:
    """The findings by run of which a part misses what its rule asks."""
    if not found:
        return NO_DIFFERENCE
    told = [
        f"{run} in {listed(list(dict.fromkeys(claim.id for of, claim, *_ in found if of == run)))}"
        for run in dict.fromkeys(run for run, *_ in found)
    ]
    return f"Parts that miss what their rule asks, of tasks enough for the part: {'; '.join(told)}."


def unmoved(ledger: Ledger) -> str:
    """Of each run's cells that were retrained, how many have an M-CoG of exactly the middle, in words.

    It is there if nothing was forgotten but with all layers put back: then the one window of all layers decides.
    """
    told = []
    for run in ledger.runs:
        rows = ledger.rows[run]
        centres = rows[(rows["technique"] == "retraining") & (rows["metric"] == "mcog")].dropna(subset=["value"])
        middles = np.array([(get_model(model).layers + 1) / 2 for model in centres["model"]])
        still = np.isclose(centres["value"], middles, rtol=0, atol=SAME)
        if len(centres):
            told.append(f"{run} {int(still.sum())} of {len(centres)}")
    return "; ".join(told) or NONE


def _learnt(status: pd.DataFrame) -> dict[str, set[str]]:
    """The tasks of a run that all of its cells learnt, and those that none did."""
    by_task = status.groupby("task")["learnt"]
    of_all, of_any = by_task.all(), by_task.any()
    return {LEARNT: set(of_all.index[of_all]), NOT_LEARNT: set(of_any.index[~of_any])}


def _rows(
    ledger: Ledger, learnt: dict[str, set[str]], run: str, claim: Claim, part: Part, found: PartResult
) -> list[dict[str, str]]:
    """The rows of one part; what cannot be told has none."""
    rows = ledger.rows[run]
    # a variant of two classes is judged under the name of its task, and learnt or not by itself
    parts = {name: rows[rows["task"].isin(tasks)] for name, tasks in learnt.items()}
    parts |= {model_title(name): rows[rows["model"] == name] for name in sort_models(set(rows["model"]))}
    looks = {run: found} | {f"{run}, {name}": described(claim, part, of) for name, of in parts.items()}
    looks |= _wider(ledger, run, claim, part)
    study = known_of_study(claim, part)[0]
    asked = {"part": f"{claim.id} {part.name}, {'≤' if part.direction == 'below' else '≥'} {part.threshold:g}"}
    told = [asked | {"of": THE_STUDY, "number": study, "as asked": _as_asked(part, study_number(claim, part))}]
    told += [
        asked | {"of": name, "number": number_told(of, claim.unit), "as asked": _as_asked(part, of.statistic)}
        for name, of in looks.items()
    ]
    return [row for row in told if row["number"] != DASH]


def _as_asked(part: Part, value: float) -> str:
    return "no" if _misses(part, value) else "yes"


def _wider(ledger: Ledger, run: str, claim: Claim, part: Part) -> dict[str, PartResult]:
    """The same number of the models of other runs that are wider than any of this one."""
    width = max(get_model(name).hidden for name in set(ledger.rows[run]["model"]))
    found = {}
    for other in (name for name in ledger.runs if name != run and not ledger.repeats(name, claim)):
        rows = ledger.rows[other]
        for name in sort_models({name for name in rows["model"] if get_model(name).hidden > width}):
            found[f"{other}, {model_title(name)}"] = described(claim, part, rows[rows["model"] == name])
    return found
