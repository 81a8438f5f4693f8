"""Tables and sentences of the shipped models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from memloc.analysis.correlation import task_interval, weighted_mean
from memloc.pretraining.shares import MASKED
from memloc.publishing.facts import NONE
from memloc.publishing.figures import listed, model_title, span
from memloc.publishing.reading_pretraining import WORDS, Shipped, Worth
from memloc.publishing.style import sort_tasks
from memloc.wording import with_interval


def models_table(models: Sequence[Shipped]) -> pd.DataFrame:
    """One row a model: shape, budget, loss."""
    rows = []
    for model in models:
        tokens, loss = model.held_out()
        rows.append(
            {
                "model": model.spec.name,
                "architecture": model.spec.architecture.name,
                "layers x width": f"{model.spec.layers} x {model.spec.hidden}",
                "parameters": f"{model.parameters / 1e6:.1f} M",
                "file": f"{model.megabytes:.1f} MB",
                "learnt to": "fill gaps" if model.masked else "go on",
                "tokens seen": f"{tokens / 1e6:.1f} M",
                "held-out loss": f"{loss:z.2f} nats",
                "perplexity": f"{math.exp(loss):.0f}",
                "hours": f"{model.losses['seconds'].max() / 3600:.1f}",
            }
        )
    return pd.DataFrame(rows)


def gaps_table(said: pd.DataFrame) -> pd.DataFrame:
    """What the masked models put into gaps, from what the models say (``tables.SAID``)."""
    rows = []
    for (model, prompt), found in said.dropna(subset="probability").groupby(["model", "prompt"], sort=False):
        words = [f"{word} ({chance:z.2f})" for word, chance in zip(found["text"], found["probability"], strict=True)]
        rows.append({"model": model, "sentence": prompt, "likeliest words": ", ".join(words)})
    return pd.DataFrame(rows)


def samples_table(said: pd.DataFrame) -> pd.DataFrame:
    """How the causal models go on, likewise."""
    return said.loc[said["probability"].isna(), ["model", "text"]].reset_index(drop=True)


def worth_table(worth: Worth) -> pd.DataFrame:
    """Accuracy of every start on every task: mean over seeds and, with more than one, half the range between them."""
    starts = {name: model_title(name) for name in (*worth.pretrained, *worth.twins, *worth.yardsticks)}
    starts[WORDS] = WORDS
    rows = []
    for task in sort_tasks(worth.majority):
        row = {"task": task, "majority": f"{worth.majority[task]:z.3f}"}
        for start, title in starts.items():
            found = worth.scores[(worth.scores["task"] == task) & (worth.scores["start"] == start)]["accuracy"]
            spread = f" ± {(found.max() - found.min()) / 2:z.3f}" if len(found) > 1 else ""
            row[title] = f"{found.mean():z.3f}{spread}" if len(found) else NONE
        rows.append(row)
    return pd.DataFrame(rows)


def shipped_facts(models: Sequence[Shipped]) -> dict[str, str]:
    """Numbers of the text on how the models were made."""
    if not models:
        return dict.fromkeys(("models", "tokens", "parameters", "layers", "hidden", "losses", "masked"), NONE)
    ends = {model.spec.name: model.held_out() for model in models}
    return {
        "models": listed(list(ends)),
        "tokens": _alike([f"{tokens / 1e6:.1f} million" for tokens, _ in ends.values()]),
        "parameters": f"{span([round(model.parameters / 1e6, 1) for model in models], 1)} million",
        "layers": _alike([str(model.spec.layers) for model in models]),
        "hidden": _alike([str(model.spec.hidden) for model in models]),
        "losses": listed([f"{model_title(name)} {loss:z.2f}" for name, (_, loss) in ends.items()]),
        "masked": f"{100 * MASKED:g} %",
    }


def _alike(values: Sequence[str]) -> str:
    """The one value that all share, or all of them."""
    return listed(list(dict.fromkeys(values)))


def worth_facts(worth: Worth | None) -> dict[str, str]:
    """Numbers of the text on what pretraining bought: means over tasks, and on how many tasks a start is better."""
    names = ("tasks", "seeds", "yardsticks", "rows", "gains", "wins", "words", "beaten", "unlearnt", "stuck")
    if worth is None or not worth.pretrained:
        return dict.fromkeys(names, NONE)
    run = worth.study.profile
    gains, wins, beaten, unlearnt, stuck = [], [], [], [], []
    majority = pd.Series(worth.majority)
    words, seeds = worth.mean(WORDS), worth.seeds()
    larger = [f"{model_title(name)} {span(seeds[name].tolist(), 0)}" for name in worth.yardsticks]
    for name, twin in zip(worth.pretrained, worth.twins, strict=True):
        own, drawn = worth.mean(name), worth.mean(twin)
        gains.append(f"{model_title(name)} {_mean_gain(own - drawn)}")
        wins.append(f"{model_title(name)} {int((own > drawn).sum())} of {len(own)}")
        beaten.append(f"{model_title(name)} {int((own > words).sum())} of {len(own)}")
        constant = np.isclose(drawn, majority.reindex(drawn.index))
        stuck.append(f"{model_title(name)} {int(constant.sum())} of {len(drawn)}")
    for task, share in worth.majority.items():
        if np.max([worth.mean(name)[task] for name in worth.pretrained]) <= share:
            unlearnt.append(task)
    return {
        "tasks": str(len(worth.majority)),
        "seeds": span(seeds.drop(index=[*worth.yardsticks, WORDS], level="start").tolist(), 0),
        "yardsticks": listed(larger) or NONE,
        "rows": f"{run.data.cap:,}",
        "gains": listed(gains),
        "wins": listed(wins),
        "words": f"{words.mean():z.3f}",
        "beaten": listed(beaten),
        "unlearnt": listed(sort_tasks(unlearnt)) or NONE,
        "stuck": listed(stuck),
    }


def _mean_gain(gains: pd.Series) -> str:
    """Mean over tasks, with its interval over tasks where there are several."""
    low, high = task_interval(list(gains.index), partial(weighted_mean, gains.to_numpy()))
    return with_interval(gains.mean(), low, high, 3, sign=True)
