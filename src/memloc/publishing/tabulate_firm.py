"""How firm the verdicts on released runs are: over learnt tasks alone, corrected for their number, and in other runs.

Like every look that was chosen with the results known, these can weaken a verdict and not make one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from memloc.claims import Claim, Verdict, judge
from memloc.claims.verdict import HOLDS, OPEN, holm
from memloc.publishing.figures import listed
from memloc.publishing.reading import CELL
from memloc.publishing.tabulate_ledger import Ledger, told_p
from memloc.wording import DASH

TOO_FEW = "too few tasks"
NONE_HOLDS = "No finding holds on a released run"
COLUMNS = [
    "finding",
    "run",
    "verdict",
    "over learnt cells",
    "p",
    "p, Holm, run",
    "p, Holm, all runs",
    "another run, there",
]


@dataclass(frozen=True)
class Firm:
    """A verdict on a run, and what becomes of it.

    Attributes:
        learnt: the verdict over the cells that learnt their task.
        within, over_all: its p value by Holm's method, among the findings of its run, and among those of all runs.
        elsewhere: a run that says the opposite, to what it says over the tasks and models of this one.
    """

    claim: Claim
    run: str
    verdict: Verdict
    learnt: Verdict
    within: float
    over_all: float
    elsewhere: dict[str, str]


def firmness(ledger: Ledger) -> list[Firm]:
    """Of every finding that holds on a released run, or does not; what is open has nothing to lose."""
    told = list(ledger.judged())
    over_all = holm(pd.Series([found.p_value for _, _, found in told]))
    learnt = {run: _learnt(ledger.rows[run], ledger.status[run]) for run in {run for _, run, _ in told}}
    return [
        Firm(
            claim,
            run,
            found,
            judge(claim, learnt[run]),
            ledger.adjusted(run)[ledger.claims.index(claim)],
            float(over_all[at]),
            {
                other: judge(claim, _alike(ledger.rows[other], ledger.rows[run])).verdict
                for of, other, verdict in told
                if of is claim and verdict.verdict not in (OPEN, found.verdict)
            },
        )
        for at, (claim, run, found) in enumerate(told)
        if found.verdict != OPEN
    ]


def firm_table(found: list[Firm]) -> pd.DataFrame:
    """One row for each of them."""
    rows = [
        (
            firm.claim.id,
            firm.run,
            firm.verdict.verdict,
            _over_learnt(firm.learnt),
            told_p(firm.verdict.p_value),
            told_p(firm.within),
            told_p(firm.over_all),
            "; ".join(f"{run}: {word}" for run, word in firm.elsewhere.items()) or DASH,
        )
        for firm in found
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def firm_facts(found: list[Firm]) -> dict[str, str]:
    """How many of the findings that hold would still do so, in words."""
    holds = [firm for firm in found if firm.verdict.verdict == HOLDS]
    if not holds:
        return {"firm": f"{NONE_HOLDS}."}
    alpha = holds[0].claim.settings.alpha
    left = {
        "over learnt cells alone": [firm for firm in holds if firm.learnt.verdict == HOLDS],
        "by Holm's method within its run": [firm for firm in holds if firm.within <= alpha],
        "by Holm's method over all runs": [firm for firm in holds if firm.over_all <= alpha],
    }
    told = [f"{_named(of)} {where}" for where, of in left.items()]
    return {"firm": f"Findings that hold on a run: {len(holds)}. Of these would be left: {'; '.join(told)}."}


def _named(found: list[Firm]) -> str:
    return listed([f"{firm.claim.id} ({firm.run})" for firm in found]) or "none"


def _learnt(rows: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    """The rows of cells that learnt their task, by the rule of ``analysis.status``."""
    return _in(rows, status.loc[status["learnt"], CELL])


def _alike(rows: pd.DataFrame, as_in: pd.DataFrame) -> pd.DataFrame:
    """The rows of the tasks and models that another run has too."""
    return _in(rows, as_in[["task", "model"]].drop_duplicates())


def _in(rows: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    keys = list(chosen.columns)
    return rows[pd.MultiIndex.from_frame(rows[keys]).isin(pd.MultiIndex.from_frame(chosen))]


def _over_learnt(found: Verdict) -> str:
    """The verdict, and whether there is one only for want of data."""
    return TOO_FEW if math.isnan(found.statistic) else found.verdict
