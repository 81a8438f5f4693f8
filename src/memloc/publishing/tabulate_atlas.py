"""Tables and sentences of the atlas: what a task or a family is, what was run on it, and the study's numbers beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.study import Published, all_published, published
from memloc.data.catalogue import get_task
from memloc.models.catalogue import get_model, model_names
from memloc.models.families import get_family
from memloc.publishing.atlas import STUDIED, families, tasks
from memloc.publishing.figures import Drawn, listed, model_title
from memloc.publishing.figures_centroids import EVENTS, events_of
from memloc.publishing.reading import Place, rules
from memloc.publishing.reading_atlas import Entry, Found, read_counts, read_task
from memloc.publishing.style import show
from memloc.publishing.tabulate import show_table
from memloc.publishing.tabulate_depth import study_depth
from memloc.wording import DASH, number

NO_RUN = "No released run in this copy of the book has {what}, so what follows shows the study's own numbers alone."
POOLS = {"first": "the first token", "last": "the last token that is not padding"}


def card_table(task: str) -> pd.DataFrame:
    """The data card of a task, from its entry in the catalogue."""
    spec = get_task(task)
    rows = {
        "what it is": spec.title,
        "group": spec.group,
        "classes": f"{len(spec.labels)}: {listed(spec.labels)}",
        "labels left out": listed(spec.drop_labels) or "none",
        "licence": spec.licence,
        "warning": spec.warning or "none",
        "published as": f"{spec.hub.repo}, {spec.hub.config or spec.hub.folder or 'one configuration'}, at "
        f"{spec.hub.revision[:12]}"
        if spec.hub
        else "not on the hub",
    }
    told = pd.DataFrame({"data card": list(rows), "": list(rows.values())})
    notes = pd.DataFrame({"data card": "to know", "": spec.notes or ["nothing that differs from the published data"]})
    return pd.concat([told, notes], ignore_index=True)


def size_table(task: str) -> pd.DataFrame:
    """Rows of each split, all together and by class, and how long texts are; a sentence where nothing was counted."""
    counts, spec = read_counts(), get_task(task)
    counts = counts[counts["task"] == task]
    if counts.empty:
        return pd.DataFrame({"rows and lengths": ["not counted in this copy of the book"]})
    rows = []
    for label in (None, *range(len(spec.labels))):
        here = counts[counts["label"].isna() if label is None else counts["label"] == label].set_index("split")
        row: dict[str, str] = {"class": "all" if label is None else spec.labels[label]}
        row |= {f"rows, {split}": str(of["rows"]) for split, of in here.iterrows()}
        rows.append(row | {"words in training: median [5 %, 95 %]": _words(here.loc["train"])})
    return pd.DataFrame(rows)


def _words(counted: Any) -> str:
    return f"{counted['words_median']:.0f} [{counted['words_p5']:.0f}, {counted['words_p95']:.0f}]"


def runs_table(entry: Entry) -> pd.DataFrame:
    """Which released runs have cells of it: tasks, models, seeds, rows, and what was measured."""
    rows = []
    for run, study in entry.runs.items():
        cells = study.numbers.cells()
        rows.append(
            {
                "run": run,
                "tasks": listed(list(study.profile.tasks)),
                "models": listed([model_title(model) for model in study.profile.models]),
                "seeds": str(len({cell.seed for cell in cells})),
                "training rows": study.profile.rows_told,
                "measured": listed(list(study.profile.techniques)),
                "": "exploratory" if set(study.profile.tasks) <= _exploratory() else "",
            }
        )
    return pd.DataFrame(rows or [{"run": "none"}])


def _exploratory() -> set[str]:
    return set(rules().settings.exploratory_tasks)


def centre_table(entry: Entry, by_task: bool = False) -> pd.DataFrame:
    """M-CoG of every technique, model and run with its attainable range.

    Args:
        by_task: of several tasks, with a column for them.
    """
    rows = [({"task": f.place[0]} if by_task else {}) | _centre_row(f) for f in entry.found]
    return pd.DataFrame(rows or [{"technique": "nothing was run"}])


def _centre_row(found: Found) -> dict[str, str]:
    low, high = found.weights.bounds
    return {
        "technique": found.technique,
        "model": model_title(found.place[1]),
        "run": found.run,
        "M-CoG [95 %]": str(found.centre),
        "attainable": f"{low:z.2f} to {high:z.2f}",
        "depth, 0 to 1": number(found.weights.relative),
        "seeds": str(found.seeds),
        "": "" if found.counted else "task not learnt",
    }


def event_table(entry: Entry) -> pd.DataFrame:
    """Layers at which noisy examples cross over, and classes begin to stand apart, by run and model."""
    rows = []
    for technique in EVENTS:
        for run, told in entry.all_told(technique).items():
            for found in events_of(told).to_dict("records"):
                first, second = (_layer(found[name], str(found["model"])) for name in EVENTS[technique])
                where = {"technique": technique, "model": model_title(str(found["model"])), "run": run}
                rows.append(where | {"memorised by layer": first, "classes apart from layer": second})
    return pd.DataFrame(rows or [{"technique": "no events: neither centroids nor probing was run"}])


def _layer(value: float, model: str) -> str:
    if not np.isfinite(value):
        return DASH
    last = get_model(model).layers
    return "never" if value > last else "before layer 1" if value == 0 else f"{value:g} of {last}"


def study_table(entry: Entry) -> pd.DataFrame:
    """The study's numbers of a task, a row a model, and ours of the same below them."""
    swapping = {found.model: found for found in _published("swapping", "mcog")}
    four, crossing = (
        {found.model: found for found in _published(*kind)}
        for kind in (("mean of four techniques", "mcog"), ("centroids", "crossing"))
    )
    rows = [
        {
            "whose": "the study's",
            "model": model_title(model),
            "layers": str(of.layers),
            "M-CoG, swapping": f"{of.tasks[entry.name]:z.2f} ± {of.tolerance:g}",
            "its depth, 0 to 1": number(study_depth(of, entry.name)[0]),
            "mean M-CoG of four techniques": _told(four, model, entry.name, ".2f"),
            "crossing (layer)": _told(crossing, model, entry.name, "g"),
        }
        for model, of in swapping.items()
    ]
    return pd.DataFrame(rows + _our_rows(entry)).fillna(DASH)


def _our_rows(entry: Entry) -> list[dict[str, str]]:
    """Swapping and crossing of our runs, a row a run and model that has either."""
    rows: dict[tuple[str, Place], dict[str, str]] = {}
    for found in (f for f in entry.found if f.technique == "swapping"):
        values = {"M-CoG, swapping": str(found.centre), "its depth, 0 to 1": number(found.weights.relative)}
        rows[found.run, found.place] = values
    for run, told in entry.all_told("centroids").items():
        for event in events_of(told).to_dict("records"):
            place = (str(event["task"]), str(event["model"]))
            rows.setdefault((run, place), {})["crossing (layer)"] = _layer(event["crossing"], place[1])
    return [
        {"whose": f"ours, run {run}", "model": model_title(model), "layers": str(get_model(model).layers)} | values
        for (run, (_, model)), values in rows.items()
    ]


def _published(technique: str, metric: str) -> list[Published[float]]:
    return [found for found in all_published() if (found.technique, found.metric) == (technique, metric)]


def _told(numbers: Mapping[str, Published[float]], model: str, task: str, form: str) -> str:
    found = numbers.get(model)
    return DASH if found is None else f"{found.tasks[task]:{form}} ± {found.tolerance:g}"


def index_table() -> pd.DataFrame:
    """The study's tasks: classes, group, rows, length, licence, which runs there are."""
    counts = read_counts()
    whole = counts[counts["label"].isna() & (counts["split"] == "train")].set_index("task")
    rows = []
    for name in tasks():
        spec, known = get_task(name), name in whole.index
        rows.append(
            {
                "task": name,
                "group": spec.group,
                "classes": str(len(spec.labels)),
                "training rows": str(whole.loc[name, "rows"]) if known else DASH,
                "words: median [5 %, 95 %]": _words(whole.loc[name]) if known else DASH,
                "released runs": listed(list(read_task(name).runs)) or "none",
                "warning": spec.warning or "",
                "licence": spec.licence,
            }
        )
    return pd.DataFrame(rows)


def family_card(family: str) -> pd.DataFrame:
    """What a family is: how its models read a text, and which models of it the catalogue has."""
    kind, study = get_family(family), get_model(families()[family])
    rows = {
        "the study's model": f"{study.title}: {study.location}, {study.layers} layers of width {study.hidden}",
        "its licence": study.licence,
        "what the head reads": POOLS[kind.pool],
        "between the parts of an example": f"the tokenizer's {kind.separator}" if "token" in kind.separator else "|",
        "layers lie in": kind.layers,
    }
    return pd.DataFrame({"family": list(rows), "": list(rows.values())})


def member_table(family: str) -> pd.DataFrame:
    """The catalogue's models of a family: the study's own, and those that stand in for it where it cannot be run."""
    own, rows = (*STUDIED, *rules().settings.models["larger"]), []
    for spec in (get_model(name) for name in model_names()):
        if spec.architecture.name == family:
            stands = "stands in" if spec.pretrained else "stands in: shows that the method works, no evidence"
            row = {"model": spec.name, "role": "the study's" if spec.name in own else stands}
            row |= {"layers": str(spec.layers), "width": str(spec.hidden)}
            weights = "pre-trained" if spec.pretrained else "random"
            rows.append(row | {"weights": weights, "licence": spec.licence, "note": spec.notes})
    return pd.DataFrame(rows)


def family_study_table(family: str) -> pd.DataFrame:
    """The study's M-CoG of its model of a family by task, and where on the attainable range of its layers it lies."""
    model = families()[family]
    swapping, four = (published(name, "mcog", model) for name in ("swapping", "mean of four techniques"))
    crossing = published("centroids", "crossing", model)
    return pd.DataFrame(
        {
            "task": tasks(),
            "M-CoG, swapping": [f"{swapping.tasks[task]:z.2f}" for task in tasks()],
            "depth, 0 to 1": [number(study_depth(swapping, task)[0]) for task in tasks()],
            "mean M-CoG of four techniques": [f"{four.tasks[task]:z.2f}" for task in tasks()],
            f"crossing (layer of {crossing.layers})": [f"{crossing.tasks[task]:g}" for task in tasks()],
        }
    )


def entry_facts(entry: Entry) -> dict[str, str]:
    """Whether there are runs, in one sentence, and how the study's numbers are known."""
    what = f"a cell of {entry.name}"
    cells = {cell for study in entry.runs.values() for cell in study.numbers.cells()}
    words = NO_RUN.format(what=what)
    if entry.runs:
        words = f"Cells of it in the released runs {listed(list(entry.runs))}: {len(cells)}, each a task, a model and "
        words += "a seed. Sizes, models and settings are reduced and not the study's."
    swapping = published()
    return {"runs": words, "how": swapping.how, "tolerance": f"{swapping.tolerance:g}"}


def show_found(entry: Entry, draw: Callable[[Entry], Drawn], name: str, caption: str) -> Any:
    """Show a figure of what was run, or a line that says that nothing was."""
    if not entry.found:
        return show_table(pd.DataFrame({"figure": ["nothing was run yet, so there is nothing to draw"]}))
    drawn = draw(entry)
    show(drawn.figure, name, caption, alt=drawn.alt)
    return None
