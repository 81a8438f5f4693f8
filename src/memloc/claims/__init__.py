"""The fifteen findings as rules that were committed before the first run, and the verdicts on them."""

from memloc.claims.ledger import Commit, first_run_commit, rule_commit
from memloc.claims.load import load_claims
from memloc.claims.schema import Claim, Claims
from memloc.claims.verdict import PartResult, Verdict, judge, judge_all

__all__ = [
    "Claim",
    "Claims",
    "Commit",
    "PartResult",
    "Verdict",
    "first_run_commit",
    "judge",
    "judge_all",
    "load_claims",
    "rule_commit",
]
