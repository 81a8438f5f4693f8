"""Tables and sentences of the control: who memorised, what was found, and an example by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.analysis.answers import Answers, score_table
from memloc.analysis.correlation import correlation
from memloc.analysis.curves import curve
from memloc.analysis.given_alone import noisy_f1_of_given_alone
from memloc.analysis.study import told
from memloc.arms import CONTROLS, target_layers
from memloc.pipeline import CellId
from memloc.publishing.facts import NONE, by_place
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading_atlas import read_counts
from memloc.publishing.reading_control import PLACES, Known
from memloc.publishing.style import sort_tasks
from memloc.publishing.tabulate_claims import claims_tables
from memloc.wording import DASH, number

DEVELOPMENT = ("trec", "mrpc")  # on which the study chose its rule of gradients
ASKED = ("rise_of_means", "rise_of_given")  # rules of probing: is it noisy, and which label was it given
FINDINGS = ("C01", "C02")  # the claims about the control
# layer weights that a made-up technique gives a made-up model of six layers in the three settings
WEIGHTS = {
    "control_first": (0.40, 0.30, 0.10, 0.10, 0.06, 0.04),
    "control_middle": (0.05, 0.30, 0.35, 0.15, 0.10, 0.05),
    "control_last": (0.10, 0.08, 0.32, 0.25, 0.15, 0.10),
}


def three_places() -> tuple[pd.DataFrame, dict[str, str]]:
    """The scores of a made-up technique on one made-up model, by the functions that score real ones.

    Returns:
        A row a setting: true layers, weights, the two top layers and what they score; and the numbers of the text.
    """
    weights = {setting: np.array(values) for setting, values in WEIGHTS.items()}
    found = Answers(CellId("", "", 1), "made-up", weights, dict.fromkeys(CONTROLS, 1.0))
    rows = []
    for setting, weight in weights.items():
        targets, order = target_layers(setting, len(weight)), np.argsort(-weight) + 1
        rows.append(
            {
                "true place": PLACES[setting],
                "layers": f"{targets[0]}, {targets[1]}",
                **{f"w{n}": f"{value:z.2f}" for n, value in enumerate(weight, start=1)},
                "top": str(order[0]),
                "found@1": f"{float(order[0] in targets):g}",
                "top two": f"{order[0]}, {order[1]}",
                "found@2": f"{np.isin(order[:2], targets).mean():g}",
            }
        )
    first, second = score_table([found]).astype({"accuracy": float}).to_dict("records")
    numbers = {"at1": first["accuracy"], "at2": second["accuracy"]}
    numbers |= {name: first[name] for name in ("low", "high", "constant")}
    return pd.DataFrame(rows), {name: f"{value:z.2f}" for name, value in numbers.items()}


def runs_table(known: Known) -> pd.DataFrame:
    """Every control run: how long it trained, and whether its wrong labels were memorised."""
    first = {found.cell: found for found in known.answers}
    rows = []
    for cell, found in first.items():
        for setting, noisy in found.noisy.items():
            rows.append(
                {
                    "task": cell.task,
                    "model": model_title(cell.model),
                    "seed": str(cell.seed),
                    "place": PLACES[setting],
                    "layers": "{}, {}".format(*target_layers(setting, len(found.weights[setting]))),
                    "epochs": str(known.epochs[cell, setting]),
                    "accuracy on noisy": f"{noisy:z.3f}",
                    "counts": "yes" if found.memorised else "no",
                }
            )
    return pd.DataFrame(rows)


def answers_table(known: Known) -> pd.DataFrame:
    """The top layers of every technique in every control run that counts."""
    rows = []
    for found in known.kept:
        row = {"task": found.cell.task, "model": model_title(found.cell.model), "seed": str(found.cell.seed)}
        row["technique"] = found.technique
        for setting, weight in found.weights.items():
            order = np.argsort(-weight, kind="stable") + 1
            row[f"{PLACES[setting]} ({'{}, {}'.format(*target_layers(setting, len(weight)))})"] = (
                f"{order[0]}, {order[1]}"
            )
        rows.append(row)
    return pd.DataFrame(rows).fillna("") if rows else pd.DataFrame({"two top layers": ["nothing counts"]})


def scores_table(known: Known) -> pd.DataFrame:
    """Accuracy@1 and @2 of every technique beside the best constant answer and the study."""
    rows, table = [], known.scores
    for technique in known.techniques:
        row = {"technique": technique, "control runs": "0"}
        for rank in (1, 2):
            study = told(f"control accuracy_at_{rank} by technique").values.get(technique)
            chosen = table[(table["technique"] == technique) & (table["rank"] == rank)]
            for one in chosen.to_dict("records"):
                row["control runs"] = str(one["trials"])
                row[f"accuracy@{rank} [95 %]"] = f"{one['accuracy']:z.2f} [{one['low']:z.2f}, {one['high']:z.2f}]"
                row[f"best constant@{rank}"] = f"{one['constant']:z.2f}"
                row[f"above it@{rank}"] = (
                    "yes" if one["better"] else "cannot tell" if one["high"] > one["constant"] else "no"
                )
            row[f"study@{rank}"] = number(study)
        rows.append(row)
    return pd.DataFrame(rows).fillna(DASH)


def gradient_rules(known: Known) -> pd.DataFrame:
    """What every rule of gradients scores, over the study's development pair and over the other tasks."""
    return _rules(known, "gradients")


def probing_rules(known: Known) -> pd.DataFrame:
    """The same of probing."""
    return _rules(known, "probing")


def _rules(known: Known, asked: str) -> pd.DataFrame:
    rows = []
    for rule, answers in ((rule, found) for (name, rule), found in known.by_rule.items() if name == asked):
        row = {"rule": rule.replace("_", " ")}
        for name, inside in (("development pair", True), ("other tasks", False)):
            found = score_table([of for of in answers if (of.cell.task in DEVELOPMENT) == inside])
            row[f"{name}: runs"] = str(found["trials"].max()) if len(found) else "0"
            for rank in (1, 2):
                chosen = found.loc[found["rank"] == rank, "accuracy"]
                row[f"{name}: @{rank}"] = number(chosen.iloc[0] if len(chosen) else None)
        rows.append(row)
    return pd.DataFrame(rows) if rows else pd.DataFrame({"rules": ["nothing counts"]})


def claim_numbers(known: Known) -> pd.DataFrame:
    """The parts of the findings about the control: the study's number, the released run's, and what the rule asks."""
    return _judged(known)[0]


def claim_verdicts(known: Known) -> pd.DataFrame:
    """The verdicts on these findings."""
    return _judged(known)[1]


def _judged(known: Known) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numbers and verdicts; what is judged here is the released run, and this copy has no other control runs."""
    first, second = (
        table.rename(columns=lambda name: str(name).replace("this copy", "released run"))
        for table in claims_tables(FINDINGS, known)
    )
    return first, second


def control_facts(known: Known | None) -> dict[str, str]:
    """The numbers of the text; the same names, without numbers, where this copy has no run."""
    if known is None:
        names = ("runs", "counted", "tasks", "noisy", "epochs", "at1", "at2", "better", "unclear", "missed", "windows")
        return dict.fromkeys(names, NONE)
    table = known.scores
    by_rank = {rank: table[table["rank"] == rank].set_index("technique") for rank in (1, 2)}
    cells = {found.cell: found for found in known.answers}
    counted = {found.cell for found in known.kept}
    first = by_rank[1]
    lengths = known.study.profile.techniques.get("retraining", {}).get("lengths") or "all"
    return {
        "runs": str(sum(len(found.noisy) for found in cells.values())),
        "counted": str(sum(len(found.noisy) for cell, found in cells.items() if cell in counted)),
        "tasks": by_place(list(cells)) or NONE,
        "noisy": span([value for found in cells.values() for value in found.noisy.values()], 3),
        "epochs": span([float(value) for value in known.epochs.values()], 0),
        **{f"at{rank}": _told(of) for rank, of in by_rank.items()},
        "better": listed(list(first.index[first["better"].astype(bool)])) or NONE,
        "unclear": listed(list(first.index[~first["better"].astype(bool)])) or NONE,
        "missed": missed(known),
        "windows": lengths if isinstance(lengths, str) else listed([str(length) for length in lengths]),
    }


def _told(table: pd.DataFrame) -> str:
    return "; ".join(f"{name} {value:z.2f}" for name, value in table["accuracy"].items()) or NONE


def missed(known: Known) -> str:
    """In how many of the runs that count a top layer was no target, in words: by technique and true place."""
    told = []
    for technique in known.techniques:
        here = [found for found in known.kept if found.technique == technique]
        wrong = {place: sum(not _right(found, setting) for found in here) for setting, place in PLACES.items()}
        parts = [f"{count} of {len(here)} {place}" for place, count in wrong.items() if count]
        told += [f"{technique} ({', '.join(parts)})"] if parts else []
    return listed(told) or NONE


def _right(found: Answers, setting: str) -> bool:
    weight = found.weights[setting]
    return int(np.argmax(weight)) + 1 in target_layers(setting, len(weight))


def asked_by_task(known: Known) -> pd.DataFrame:
    """Whether probing found the places of each task, by the question that probes were asked (``ASKED``), beside what
    the given label alone tells of noise: numbers, not words.

    Returns:
        Columns task, runs, alone (`noisy_f1_of_given_alone` of all its training examples; NaN where they were not
        counted), last (F1 of noisy after the last layer, the mean over runs) and one of ``ASKED`` each (accuracy@1).
    """
    counts = read_counts()
    counts = counts[(counts["split"] == "train") & counts["label"].notna()]
    rows = []
    for task in sort_tasks({found.cell.task for rule in ASKED for found in _asked(known, rule)}):
        here = {rule: [found for found in _asked(known, rule) if found.cell.task == task] for rule in ASKED}
        scores = {rule: [score.at_1 for found in of if (score := found.score)] for rule, of in here.items()}
        sizes = counts.loc[counts["task"] == task, "rows"].to_numpy()
        rate = known.study.profile.data_of(task).noise_rate
        last = [
            curve(known.study.numbers.rows(found.cell, "probing", setting), setting, "f1_noise")[-1]
            for found in here[ASKED[0]]
            for setting in found.weights
        ]
        rows.append(
            {
                "task": task,
                "runs": len(last),
                "alone": noisy_f1_of_given_alone(sizes, rate) if len(sizes) else np.nan,
                "last": float(np.mean(last)),
                **{rule: float(np.mean(of)) if of else np.nan for rule, of in scores.items()},
            }
        )
    return pd.DataFrame(rows, columns=["task", "runs", "alone", "last", *ASKED])


def _asked(known: Known, rule: str) -> list[Answers]:
    return known.by_rule.get(("probing", rule), [])


def asked_table(known: Known) -> pd.DataFrame:
    """The same in words."""
    heads = {
        "alone": "F1 of noisy by the given label alone",
        "last": "by probes after the last layer",
        ASKED[0]: "accuracy@1, noisy or clean?",
        ASKED[1]: "given label?",
    }
    frame = asked_by_task(known)
    told = {head: [number(value) for value in frame[name]] for name, head in heads.items()}
    return pd.DataFrame({"task": frame["task"], "control runs": frame["runs"].astype(str), **told})


def asked_facts(known: Known | None) -> dict[str, str]:
    """Of both questions over all runs: their accuracy@1, and its rank correlation over tasks with what the given label
    alone tells, for the first."""
    frame = asked_by_task(known) if known else pd.DataFrame()
    if known is None or frame.empty:
        return dict.fromkeys(("run", "runs", "tasks", "noise", "given", "rho"), NONE)
    noise, given = (number(np.average(frame[rule], weights=frame["runs"])) for rule in ASKED)
    rho = correlation(frame["alone"].to_numpy(), frame[ASKED[0]].to_numpy(), "spearman")[0]
    counts = {"runs": str(frame["runs"].sum()), "tasks": str(len(frame))}
    return {"run": known.study.profile.name, **counts, "noise": noise, "given": given, "rho": number(rho)}
