"""Tables of the chapters: data frames ready to be read, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from memloc import tables
from memloc.data.catalogue import get_task, task_names
from memloc.data.generated import explain
from memloc.publishing.downloads import ONE_LINE, TABLES, csv
from memloc.publishing.figures import model_title
from memloc.publishing.reading import Study, Training
from memloc.publishing.style import sort_tasks

TEXT_LENGTH = 90  # characters of an example that are shown


def show_table(*frames: pd.DataFrame) -> Any:
    """Frames as tables of the book, one below the other; the same bytes each time."""
    from IPython.display import HTML

    # the runner turns these into files beside the page
    numbers = [text for frame in frames if (text := csv(frame))]
    return HTML("\n<br>\n".join(_html(frame) for frame in frames), metadata={TABLES: numbers} if numbers else None)


def _html(frame: pd.DataFrame) -> str:
    """No index, nothing cut off, texts at the left."""
    # cells of numbers and names stay on one line, and wide tables scroll; only columns of texts are wrapped
    shown = frame.astype(object).where(frame.notna(), "").map(lambda value: escape(str(value)))
    for column in shown:
        if shown[column].str.len().max() > ONE_LINE:
            shown[column] = '<div class="memloc-text">' + shown[column] + "</div>"
    with pd.option_context("display.max_colwidth", None):
        return str(shown.to_html(index=False, border=0, justify="left", escape=False, classes="memloc-table"))


def task_table(study: Study) -> pd.DataFrame:
    """The study's tasks: what they are, how many rows are used, where they come from."""
    rows = []
    for name in sort_tasks(study.profile.tasks):
        spec, data = get_task(name), study.experiment.dataset(name)
        rows.append(
            {
                "task": name,
                "what it is": spec.title,
                "group": spec.group,
                "classes": len(data.labels),
                **{split: len(getattr(data, split)) for split in ("train", "validation", "test")},
                "source": study.profile.source,
                "licence": spec.licence,
                "warning": spec.warning or "",
            }
        )
    return pd.DataFrame(rows)


def real_task_table() -> pd.DataFrame:
    """The twelve real tasks of the catalogue with their licences, whatever the study runs on."""
    specs = [get_task(name) for name in task_names(binarised=False) if get_task(name).group != "generated"]
    return pd.DataFrame(
        {
            "task": [spec.name for spec in specs],
            "what it is": [spec.title for spec in specs],
            "group": [spec.group for spec in specs],
            "classes": [len(spec.labels) for spec in specs],
            "licence": [spec.licence for spec in specs],
            "warning": [spec.warning or "" for spec in specs],
        }
    )


def rule_table(tasks: Iterable[str]) -> pd.DataFrame:
    """The rules of generated tasks, and the same two texts labelled by each of them."""
    told = {name: explain(get_task(name)) for name in tasks}
    return pd.DataFrame(
        {
            "task (generated)": list(told),
            "rule": [t["rule"] for t in told.values()],
            "example": [" | ".join(t["example"]["parts"]) for t in told.values()],
            **{kind: [_word(t["example"], kind) for t in told.values()] for kind in ("cue", "operator", "partner")},
            "label": [t["example"]["label"] for t in told.values()],
        }
    )


def _word(example: dict[str, Any], kind: str) -> str:
    return f"{example[kind]} ({example[f'{kind}_class']})"


def word_table(task: str = "gen-comp-6a") -> pd.DataFrame:
    """The words of a generated task that carry classes, by class."""
    told = explain(get_task(task))["words"]
    columns = {"cue": "cue", "operator": "operator (by shift)", "partner": "partner"}
    return pd.DataFrame(
        {"class": range(len(told["cue"])), **{head: [", ".join(w) for w in told[k]] for k, head in columns.items()}}
    )


def example_table(study: Study, show_warned: bool = False, per_task: int = 2) -> pd.DataFrame:
    """The first training examples of each task, cut short; masked where the catalogue warns of the content.

    Args:
        show_warned: show the texts of tasks with a warning too.
        per_task: examples of each task.
    """
    rows = []
    for name in sort_tasks(study.profile.tasks):
        spec, data = get_task(name), study.experiment.dataset(name)
        for parts, label in data.train[["parts", "label"]].head(per_task).itertuples(index=False):
            text = " | ".join(parts)
            shown = text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH].rstrip() + " …"
            masked = f"[not shown: {spec.warning}]"
            rows.append((name, masked if spec.warning and not show_warned else shown, data.labels[label]))
    return pd.DataFrame(rows, columns=["task", "text", "label"])


def perturbation_table(study: Study) -> pd.DataFrame:
    """What the perturbation did to each task, counted in the data themselves, and what must be 0."""
    rows = []
    for name in sort_tasks(study.profile.tasks):
        data = study.experiment.dataset(name)
        train, rate = data.train, study.profile.data_of(name).noise_rate
        noisy = train[train["group"] == "noisy"]
        by_rule = sum(int(rate * n) for n in train["label"].value_counts())
        held_out = pd.concat([data.validation, data.test])
        rows.append(
            {
                "task": name,
                "training examples": len(train),
                "noisy by the rule": by_rule,
                "noisy in the data": len(noisy),
                "noisy but given the original label": int((noisy["given"] == noisy["label"]).sum()),
                "clean but given another label": int(
                    ((train["group"] == "clean") & (train["given"] != train["label"])).sum()
                ),
                "held out and changed": int((held_out["given"] != held_out["label"]).sum()),
            }
        )
    return pd.DataFrame(rows)


def index_table(study: Study, task: str | None = None, rows: int = 4) -> pd.DataFrame:
    """The first clean and the first noisy rows of a task's index table: which example, its label, the label it was
    given. No texts."""
    data = study.experiment.dataset(task or sort_tasks(study.profile.tasks)[0])
    return data.train[tables.INDEX.names].groupby("group").head(rows).sort_index()


def status_table(training: Training) -> pd.DataFrame:
    """Every cell at the end of its training."""
    status = training.status
    percent = {
        "noisy": "noisy",
        "clean": "clean",
        "validation": "validation, perturbed",
        "normal": "validation, normal",
        "majority": "most frequent class",
    }
    return pd.DataFrame(
        {
            "task": status["task"],
            "model": status["model"].map(model_title),
            "seed": status["seed"],
            "epochs": status["epochs"],
            **{head: status[name].map("{:z.3f}".format) for name, head in percent.items()},
            "p": status["p_value"].map(lambda p: "< .001" if p < 0.001 else f"{p:z.3f}"),
            "labels": np.where(status["memorised"], "memorised", "not memorised"),
            "task learnt?": np.where(status["learnt"], "learnt", "not learnt"),
        }
    )


def made_table(study: Study, kinds: Iterable[str] = ("perturbed", "normal", "swapping")) -> pd.DataFrame:
    """The keys of the configurations behind the figures, a row a cell: arms of training, techniques, the data set."""
    from memloc.config import config_key

    experiment, rows = study.experiment, []
    for cell in experiment.cells():
        row: dict[str, Any] = {**cell._asdict(), "dataset": config_key(experiment.dataset_config(cell.task))}
        for kind in kinds:
            row[kind] = "missing" if cell in study.missing else study.numbers.key(cell, kind)
        rows.append(row)
    return pd.DataFrame(rows)


def data_keys(study: Study) -> pd.DataFrame:
    """The keys of the data sets alone, a row a task."""
    return made_table(study, ())[["task", "dataset"]].drop_duplicates()
