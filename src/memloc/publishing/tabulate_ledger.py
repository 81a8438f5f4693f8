"""The ledger: every finding of the study by its rule, on the study's own numbers and on every released run.

A verdict needs the data that its rule asks for; numbers are shown from fewer, with how many there were, for reading.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from memloc.analysis.study import told
from memloc.analysis.study_claims import study_summary
from memloc.claims import Claim, Verdict, judge
from memloc.claims.schema import Part
from memloc.claims.verdict import HOLDS, OPEN, REFUTED, PartResult, holm
from memloc.publishing.figures import listed
from memloc.publishing.reading import open_release, read_training, rules
from memloc.publishing.reading_atlas import run_names
from memloc.publishing.tabulate_claims import (
    EXPLORATORY,
    NUMBERS,
    described,
    evidence,
    known_of_study,
    study_number,
    units,
)
from memloc.wording import DASH, with_interval

STUDY = "the study's numbers"
NOT_PUBLISHED = "too little is published by task and model to judge it"
NOT_KNOWN = "no number"
CLEAN = "swapping clean accuracy over all windows"
HALVES_TOLD = "half-replaced BERT on MRPC, mean position of noisy examples after the last layers"
SPARED = 0.98  # clean accuracy that claim C03 asks of a window
P_LEAST = 0.001
UNITS_FOR_INTERVAL = 3  # of two units Student's interval of a share can reach from -14 to 15


@dataclass(frozen=True)
class Ledger:
    """The claims, and what is known of each, by source: the study's published numbers, then the released runs.

    Attributes:
        claims: by number; a rule that was superseded after the one that took its place.
        rows: source to summary, as the rules take it.
        verdicts: source to the verdict on every claim.
    """

    claims: tuple[Claim, ...]
    rows: dict[str, pd.DataFrame]
    verdicts: dict[str, list[Verdict]]

    @property
    def runs(self) -> list[str]:
        """The released runs."""
        return [source for source in self.rows if source != STUDY]

    @property
    def folders(self) -> list[str]:
        """Of the released runs, as seen from the root of the book."""
        return [f"results/{run}" for run in self.runs]

    def adjusted(self, source: str) -> list[float]:
        """P values by Holm's method over the claims of one source that could be tested; NaN for the others and for
        superseded rules."""
        told = [float("nan") if verdict.superseded else verdict.p_value for verdict in self.verdicts[source]]
        return [float(p) for p in holm(pd.Series(told))]

    def repeats(self, run: str, claim: Claim) -> str:
        """The earlier run that has all rows a claim reads of this one; empty where this one says something new.

        Profiles share cells where their settings are the same. What comes from the same trained models is one piece of
        evidence, whatever runs it is in.
        """
        own = self._read[run, claim.id]
        earlier = self.runs[: self.runs.index(run)]
        return next((name for name in earlier if own and own <= self._read[name, claim.id]), "")

    @functools.cached_property
    def _read(self) -> dict[tuple[str, str], set[tuple[object, ...]]]:
        """What each claim reads of each run: cells, techniques and the keys of their rows."""
        found = {}
        for run in self.runs:
            rows = self.rows[run]
            measured = pd.MultiIndex.from_frame(rows[["technique", "metric"]])
            for claim in self.claims:
                needed = [pair for pair in claim.needs if pair[0] != "training"]
                keys = rows.loc[measured.isin(needed), ["technique", "task", "model", "seed", "run"]]
                found[run, claim.id] = set(keys.itertuples(index=False, name=None))
        return found

    @functools.cached_property
    def status(self) -> dict[str, pd.DataFrame]:
        """Of every released run, which cells memorised and learnt (``analysis.status``)."""
        studies = {run: open_release(run) for run in self.runs}
        return {run: read_training(study, arms=()).status for run, study in studies.items() if study}

    def judged(self) -> Iterator[tuple[Claim, str, Verdict]]:
        """The verdicts by rules in force of runs that have data enough, each piece of evidence once."""
        for position, claim in enumerate(self.claims):
            for run in self.runs:
                found = self.verdicts[run][position]
                if not (claim.superseded or np.isnan(found.statistic) or self.repeats(run, claim)):
                    yield claim, run, found

    def current(self, source: str) -> list[Verdict]:
        """The verdicts by the rules in force."""
        return [verdict for verdict in self.verdicts[source] if not verdict.superseded]


def name_of(claim: Claim) -> str:
    """The claim's number; of a superseded rule with its version."""
    return f"{claim.id} (version {claim.version}, superseded)" if claim.superseded else claim.id


def read_ledger() -> Ledger:
    """All claims on the study's numbers and on every released run of cells."""
    known = rules()
    claims = tuple(sorted((*known.claims, *known.superseded), key=lambda claim: (claim.id, -claim.version)))
    rows = {STUDY: study_summary()}
    for run in run_names():
        if study := open_release(run):
            rows[run] = evidence(study, claims)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one unit has no spread, and its interval is not shown
        verdicts = {source: [judge(of_source(claim, source), rows[source]) for claim in claims] for source in rows}
    return Ledger(claims, rows, verdicts)


def of_source(claim: Claim, source: str) -> Claim:
    """The claim as it is asked of a source: the study's models did memorise, so nothing is required of its numbers."""
    return dataclasses.replace(claim, requires=()) if source == STUDY else claim


def ledger_table(ledger: Ledger) -> pd.DataFrame:
    """One row a finding: what the rule says of every source, with the number that decided and its interval."""
    table = pd.DataFrame({"claim": [f"{name_of(claim)} {claim.title}" for claim in ledger.claims]})
    pairs = list(zip(ledger.claims, ledger.verdicts[STUDY], strict=True))
    table[STUDY] = [_reached(claim) if np.isnan(of.statistic) else _verdict(of, "") for claim, of in pairs]
    ours = [_ours(ledger, position) for position in range(len(ledger.claims))]
    return table.assign(**{"ours, by run": ours}) if ledger.runs else table


def _ours(ledger: Ledger, position: int) -> str:
    """The verdicts on a claim of the runs that have a number for it, one after another: a column each would not fit."""
    claim = ledger.claims[position]
    found = {run: ledger.verdicts[run][position] for run in ledger.runs if not ledger.repeats(run, claim)}
    told = [
        f"{run}: {_verdict(of, EXPLORATORY * of.exploratory)}"
        for run, of in found.items()
        if not np.isnan(of.statistic)
    ]
    return "; ".join(told) or OPEN


def _verdict(verdict: Verdict, mark: str) -> str:
    return f"{verdict.verdict}{mark}, {with_interval(verdict.statistic, *verdict.interval)}"


def _reached(claim: Claim) -> str:
    """Where the study's numbers are too few to be judged: how many of them lie where the rule asks them to."""
    sides = [
        (-1 if part.direction == "below" else 1, part.threshold, study_number(claim, part)) for part in claim.parts
    ]
    known = [side * (value - threshold) >= 0 for side, threshold, value in sides if not np.isnan(value)]
    if known:
        return f"not judged: {sum(known)} of {len(known)} numbers as asked"
    return f"not judged: {other_numbers().get(claim.id, NOT_KNOWN)}"


def other_numbers() -> dict[str, str]:
    """What the study tells of findings of which it told no number that a rule takes, by claim."""
    spared, halves = told(CLEAN), told(HALVES_TOLD)
    positions = [f"{value:z.2f} ({name})" for name, value in halves.values.items()]
    return {
        "C03": f"published is a mean of {spared.values['mean']:z.3f}, SD {spared.values['sd']:z.3f}, over all windows",
        "C13": f"published is one model, at {listed(positions)}, {halves.how}",
    }


def part_table(ledger: Ledger) -> pd.DataFrame:
    """One row a part of a finding: what is measured and asked, the study's number, ours with interval and units."""
    return pd.DataFrame([_part(ledger, claim, part) for claim in ledger.claims for part in claim.parts])


def _part(ledger: Ledger, claim: Claim, part: Part) -> dict[str, str]:
    number, how = known_of_study(claim, part)
    found = {run: described(claim, part, ledger.rows[run]) for run in ledger.runs if not ledger.repeats(run, claim)}
    told = [f"{run}: {_measured(of, claim)}" for run, of in found.items() if not np.isnan(of.statistic)]
    return {
        "claim": name_of(claim),
        "part": part.name,
        "number": NUMBERS[part.statistic],
        "rule asks": f"{'≤' if part.direction == 'below' else '≥'} {part.threshold:g}",
        "the study": number,
        "ours, by run": "; ".join(told) or DASH,
        "how the study's is known": how,
    }


def _measured(found: PartResult, claim: Claim) -> str:
    shown = found.interval if found.n_units >= UNITS_FOR_INTERVAL else (float("nan"), float("nan"))
    return f"{with_interval(found.statistic, *shown)} ({units(found, claim.unit)})"


def reason_table(ledger: Ledger) -> pd.DataFrame:
    """Why: one row for each reason that decided, with the runs it is true of and what was tested."""
    rows = []
    for position, claim in enumerate(ledger.claims):
        told: dict[tuple[str, ...], list[str]] = {}
        for source, verdicts in ledger.verdicts.items():
            if source != STUDY and ledger.repeats(source, claim):
                continue
            found, adjusted = verdicts[position], told_p(ledger.adjusted(source)[position])
            lacking = source == STUDY and np.isnan(found.statistic)
            reason = NOT_PUBLISHED if lacking else found.reason
            told.setdefault((found.verdict, told_p(found.p_value), adjusted, reason), []).append(source)
        for (verdict, p_value, p_holm, reason), sources in told.items():
            row = {"claim": name_of(claim), "of": listed(sources), "verdict": verdict, "reason": reason}
            rows.append(row | {"p": p_value, "p, Holm": p_holm})
    return pd.DataFrame(rows)


def told_p(value: float) -> str:
    """A p value in words; a dash where nothing was tested."""
    if np.isnan(value):
        return DASH
    return f"< {P_LEAST:g}" if value < P_LEAST else f"{value:z.3f}"


def rule_table(ledger: Ledger) -> pd.DataFrame:
    """The findings in words, how each was read, and when it holds."""
    return pd.DataFrame(
        {
            "claim": [name_of(claim) for claim in ledger.claims],
            "finding": [claim.finding for claim in ledger.claims],
            "how it was read": [claim.reading for claim in ledger.claims],
            "holds where": [claim.verdicts[HOLDS] for claim in ledger.claims],
            "rule": [f"version {claim.version}" for claim in ledger.claims],
        }
    )


def ledger_facts(ledger: Ledger) -> dict[str, str]:
    """Which verdicts there are, and how they are corrected for being many."""
    known = rules()
    study = Counter(v.verdict for v in ledger.current(STUDY) if not np.isnan(v.statistic))
    mean, sd = (told(CLEAN).values[name] for name in ("mean", "sd"))
    return {
        "claims": str(len(known.claims)),
        "alpha": f"{known.settings.alpha:g}",
        "study": _counted(study) if study else "none can be judged",
        "judged": str(sum(study.values())),
        **_by_verdict(ledger),
        "learnt": "; ".join(f"{run} {_learnt(ledger.status[run])}" for run in ledger.runs) or "there is none",
        "comparisons": known.multiple_comparisons.strip(),
        "unit": known.unit_of_resampling.strip(),
        "clean-mean": f"{mean:z.3f}",
        "clean-sd": f"{sd:z.3f}",
        # numbers between two ends vary most where all lie at the ends (Bhatia and Davis 2000)
        "clean-most": f"{np.sqrt((1 - mean) * (mean - SPARED)):z.3f}",
        "clean-spared": f"{SPARED:g}",
    }


def _by_verdict(ledger: Ledger) -> dict[str, str]:
    """The findings by verdict, each with the runs that say so; last those for which no run has data enough."""
    names = {HOLDS: "holds", REFUTED: "refuted", OPEN: "open"}
    found: dict[str, dict[str, list[str]]] = {name: {} for name in names.values()}
    for claim, run, verdict in ledger.judged():
        found[names[verdict.verdict]].setdefault(claim.id, []).append(run)
    judged = {claim for of in found.values() for claim in of}
    lacking = [claim.id for claim in ledger.claims if not claim.superseded and claim.id not in judged]
    words = {name: listed([f"{claim} ({', '.join(runs)})" for claim, runs in of.items()]) for name, of in found.items()}
    return {name: text or "none" for name, text in words.items()} | {"lacking": listed(lacking) or "none"}


def _learnt(status: pd.DataFrame) -> str:
    """How many of a run's cells learnt their task."""
    return f"{int(status['learnt'].sum())} of {len(status)}"


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{found[word]} {word}" for word in (HOLDS, REFUTED, OPEN))


def sources_sentence(ledger: Ledger) -> str:
    """What the findings are judged on, in one sentence."""
    if not ledger.runs:
        return "This copy of the book holds no released run, so only the study's own numbers are judged."
    names = listed([f"`{run}`" for run in ledger.runs])
    words = f"Judged on the study's published numbers, and on each of the released runs {names} by itself."
    shared = {
        run: listed(
            sorted({f"`{ledger.repeats(run, claim)}`" for claim in ledger.claims if ledger.repeats(run, claim)})
        )
        for run in ledger.runs
    }
    parts = [f"`{run}` with {others}" for run, others in shared.items() if others]
    return words + (
        f" Some share trained models: {'; '.join(parts)}. Where one has nothing else to say, only the other is named."
        if parts
        else ""
    )
