"""The published findings: what the rules of the claims say of the run of this copy and of a released run, part by part.

Findings are about natural language and pre-trained models. Rows of generated tasks or of models with random weights are
no evidence for or against them, so they are not given to the rules.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Iterable, Mapping

import pandas as pd

from memloc.analysis.study_claims import study_summary, told_value
from memloc.analysis.summary import COLUMNS, summary
from memloc.claims import first_run_commit, rule_commit
from memloc.claims.schema import Claim, Part
from memloc.claims.values import check_summary, eligible, extract
from memloc.claims.verdict import PartResult, judge, measure
from memloc.data.catalogue import get_task
from memloc.models.catalogue import get_model
from memloc.publishing import project_root
from memloc.publishing.reading import AnyStudy, ByPlace, rules
from memloc.wording import DASH

NUMBERS = {  # what a statistic is, in words
    "share_of_units": "share",
    "mean_over_units": "mean",
    "difference_between_groups": "difference of means",
    "correlation_over_units": "correlation",
    "agreement_between_models": "lowest correlation",
    "difference_of_correlations": "difference of correlations",
}
RELATED = ("correlation_over_units", "agreement_between_models", "difference_of_correlations")  # need three units
AGREEMENT = ("C08", "C09")  # of techniques, and of models
EXPLORATORY = " (exploratory)"  # settings were chosen while looking at one of its tasks
BY_RULE = "the rule's own number, from values read off published figures"


def about(*techniques: str) -> list[str]:
    """Ids of the claims in which one of the techniques has a part."""
    return [c.id for c in rules().claims if {technique for technique, _ in c.needs} & set(techniques)]


def claims_tables(
    claims: Iterable[str], found: ByPlace, released: ByPlace | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numbers and verdicts of some claims, for this copy's run and for the released one where there is one.

    Returns:
        One row a part (the study's number, ours, what the rule asks), and one row a claim (verdicts and reasons).
    """
    runs = {"this copy": found.study} | ({"released run": released.study} if released is not None else {})
    return tables_of(claims, runs)


def tables_of(claims: Iterable[str], runs: Mapping[str, AnyStudy]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same for runs by what the tables call them; without any, what the study says and the rules ask."""
    known = rules()
    chosen = [known[name] for name in claims]
    told = {name: evidence(study, chosen) for name, study in runs.items()}
    numbers = [_number_row(claim, part, told) for claim in chosen for part in claim.parts]
    table = pd.DataFrame(
        {
            "claim": [claim.id for claim in chosen],
            "finding": [claim.finding for claim in chosen],
            "rule": [f"version {claim.version}" for claim in chosen],
        }
    )
    for name, rows in told.items():
        verdicts = [judge(claim, rows) for claim in chosen]
        table[f"verdict, {name}"] = [v.verdict + (EXPLORATORY if v.exploratory else "") for v in verdicts]
        table[f"reason, {name}"] = [verdict.reason for verdict in verdicts]
    return pd.DataFrame(numbers), table


def evidence(study: AnyStudy, claims: Iterable[Claim]) -> pd.DataFrame:
    """The summary of a study's real tasks and pre-trained models, as far as the claims read it.

    Nothing is computed for a study that has neither, and no technique that its profile does not ask for.
    """
    models = [name for name in study.profile.models if get_model(name).pretrained]
    if study.generated or not models:
        return pd.DataFrame(columns=COLUMNS)
    read = {technique for claim in claims for technique, _ in claim.needs}
    return real_rows(summary(study.numbers, techniques=tuple(n for n in study.profile.techniques if n in read)))


def real_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a summary that are of real tasks and pre-trained models."""
    tasks = {task for task in rows["task"].unique() if get_task(task).group != "generated"}
    models = {model for model in rows["model"].unique() if get_model(model).pretrained}
    return rows[rows["task"].isin(tasks) & rows["model"].isin(models)]


def _number_row(claim: Claim, part: Part, told: dict[str, pd.DataFrame]) -> dict[str, str]:
    """One part: what is measured, what the rule asks of it, the study's number and ours."""
    study, how = known_of_study(claim, part)
    sign = "≤" if part.direction == "below" else "≥"
    return {
        "claim": claim.id,
        "part": part.name,
        "number": NUMBERS[part.statistic],
        "rule asks": f"{sign} {part.threshold:g}",
        "the study": study,
        **{
            run: number_told(described(claim, part, rows), claim.unit) if len(rows) else DASH
            for run, rows in told.items()
        },
        "how the study's is known": how,
    }


@functools.cache
def _study_part(claim: str, part: str) -> PartResult:
    """The rule's number of the study's published values; the study's own models count as having memorised."""
    chosen = rules()[claim]
    (found,) = (p for p in chosen.parts if p.name == part)
    return described(dataclasses.replace(chosen, requires=()), found, study_summary())


def known_of_study(claim: Claim, part: Part) -> tuple[str, str]:
    """The study's number of a part in words, and how it is known; empty where it is not."""
    if (known := told_value(claim.id, part.name)) is not None:
        return f"{known[0]:z.2f}", known[1]
    found = _study_part(claim.id, part.name)
    return (DASH, "") if math.isnan(found.statistic) else (number_told(found, claim.unit), BY_RULE)


def study_number(claim: Claim, part: Part) -> float:
    """The study's number of a part; NaN where it is not known."""
    known = told_value(claim.id, part.name)
    return _study_part(claim.id, part.name).statistic if known is None else known[0]


def described(claim: Claim, part: Part, rows: pd.DataFrame) -> PartResult:
    """A part's number from however few units it can be computed: for reading, where the rule itself asks for more.

    It takes as many models as the rule does, since the lowest of two models is not the lowest of four; and its interval
    is as wide as the rule's, which spends its error on all parts of the claim.
    """
    least = {"units": 3 if part.statistic in RELATED else 1, "models": claim.minimum["models"], "seeds": 1}
    asked = dataclasses.replace(claim, minimum=least)
    check_summary(rows, claim.settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one unit has no spread, and its interval is not shown
        return measure(dataclasses.replace(part, minimum=0), extract(part, eligible(asked, rows), asked), asked)


def number_told(found: PartResult, unit: str) -> str:
    """A part's number and how many units it is of; a dash where it is not known."""
    if math.isnan(found.statistic):
        return DASH
    return f"{found.statistic:z.2f} ({units(found, unit)})"


def units(found: PartResult, unit: str) -> str:
    """How many units a number was computed from, and of tasks of how many models, in words."""
    words = _many(found.n_units, {"task": "task", "run": "trained model"}[unit])
    return f"{words}, {_many(len(found.models), 'model')}" if unit == "task" else words


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def commits() -> dict[str, str]:
    """When the rules were fixed and when results were first committed, in words; git is asked."""
    rule = rule_commit()
    first = first_run_commit(project_root() / "results")
    words = f"commit {rule.hash} of {rule.date[:10]}{', changed since' if rule.modified else ''}" if rule else ""
    return {
        "rule": words or "a commit that cannot be told here (no git history)",
        "first-run": f"commit {first.hash} of {first.date[:10]}" if first else "not committed yet",
    }
