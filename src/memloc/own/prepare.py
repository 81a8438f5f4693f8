"""`memloc prepare`: wrong labels in a table of your own, and the twins that learn it, as ordinary checkpoints."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.analysis.status import last_score
from memloc.arms import learns_original, main_parts
from memloc.config import DataConfig, TrainConfig, canonical_json, config_key
from memloc.disk import explained
from memloc.errors import MemlocError
from memloc.memory import told_what_to_lower
from memloc.own.checkpoints import OwnCheckpoint, find
from memloc.own.folder import OutFolder
from memloc.own.table import OwnTable, encode_own, read_frame, texts_of

if TYPE_CHECKING:
    from memloc.own.classifier import OwnClassifier
    from memloc.training.batches import Encoded

DATA = "data.parquet"
log = logging.getLogger(__name__)


@dataclass
class Prepared:
    """What `prepare` left behind.

    Attributes:
        folder: holds a checkpoint an arm and ``data.parquet``, the table for `memloc.localise`.
        arms: what became of each arm, in words.
    """

    folder: Path
    arms: dict[str, str]

    def options(self) -> list[str]:
        """The options of ``memloc localise`` for this folder."""
        chosen = ["--model", str(self.folder / "perturbed"), "--data", str(self.folder / DATA)]
        for arm in self.arms:
            chosen += [] if arm == "perturbed" else [f"--{arm}", str(self.folder / arm)]
        return chosen


def prepare(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    noise: float = 0.15,
    held_out: float = 0.1,
    epochs: int = 50,
    lr: float = 1e-5,
    batch_size: int = 8,
    seed: int = 1,
    frozen: bool = False,
    max_length: int | None = None,
    device: str = "auto",
    say: Callable[[str], None] = log.info,
) -> Prepared:
    """Give a share of a table wrong labels and train a classifier and its twin on it (method 1.2 and 2).

    The perturbed arm learns the given labels until it has memorised them, or ``epochs`` long; the normal arm learns the
    right ones for exactly as many steps in the same order. Both start from the same weights, kept as ``pretrained``.
    All are written by ``save_pretrained``: safetensors, configuration, tokenizer. The same call again goes on where a
    stopped one was: after its finished arms, at the last resume point (one a minute) of the arm it was training.

    Args:
        model: what training starts from, with or without a head; a head for other classes is drawn anew.
        data: a table with ``text`` or ``text_a`` and ``text_b``, and the right ``label``.
        out: a new folder.
        noise: share of wrong labels in each class.
        held_out: share of rows kept for validation; not perturbed.
        frozen: also train an arm of which only the head learns, the baseline of gradients and probing.
        max_length: tokens of an example.
        say: told which arm begins, and what became of it.

    Raises:
        MemlocError: for bad input, before anything is written.
    """
    from memloc.devices import resolve_device

    where, target = resolve_device(device), Path(out).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise MemlocError("output folder", str(target), "a new or an empty folder")
    if not 0 <= held_out < 1:
        raise MemlocError("share of held-out rows", held_out, "0 or more and less than 1")
    start = find(model)
    if start.base is not None:
        raise MemlocError("model", start.title, "a whole model, no adapter: merge it first")
    start.check_finite()
    names, train, validation = wrong_labels(Path(data), DataConfig(seed=seed, noise_rate=noise), held_out)
    config = TrainConfig(epochs=epochs, lr=lr, batch_size=batch_size, dropout=0.0, stop_when_memorised=True)
    classifier, tokenizer = fresh(start, names, seed)
    learnt, kept = (_encoded(frame, classifier, tokenizer, max_length) for frame in (train, validation))
    if max_length is not None:
        tokenizer.model_max_length = max_length  # whoever uses the checkpoints must cut texts at the same place
    settings = {"noise": noise, "seed": seed, "training": vars(config), "model": start.sha256, "classes": names}
    about = json.loads(canonical_json(settings))
    rows = [hashlib.sha256(frame.to_json().encode()).hexdigest() for frame in (train, validation)]
    key = config_key({**about, "rows": rows, "frozen": frozen, "tokens": tokenizer.model_max_length})
    folder = OutFolder(target, key)
    folder.open()
    work = folder.work
    with explained(work):
        train.to_parquet(work / DATA, index=False)
        _save(classifier, tokenizer, work / "pretrained")
        classifier.to(where)
        told = {}
        for arm in ("perturbed", "normal", *(["frozen"] if frozen else [])):
            say(f"{arm}: training on {len(learnt)} rows, at most {epochs} epochs; interrupted, the same call goes on")
            told[arm] = _train(classifier, arm, learnt, kept, config, seed, work)
            say(f"{arm}: {told[arm]}")
            tokenizer.save_pretrained(work / arm)
        (work / "about.json").write_text(json.dumps(about, indent=1))
    folder.publish()
    return Prepared(Path(out), {**told, "pretrained": "what they started from"})


def wrong_labels(path: Path, config: DataConfig, held_out: float) -> tuple[list[str], pd.DataFrame, pd.DataFrame]:
    """Class names, perturbed training rows and held-out rows of a table with right labels.

    Both frames have ``idx``, the text columns, ``label`` and ``given`` (class names) and ``noisy``.

    Raises:
        MemlocError: for a missing column, an empty text, or a class too small to perturb.
    """
    from memloc.data.sampling import SPLIT, generator, perturb, split_rows

    frame = read_frame(path)
    texts_of(frame, path.name)
    if "label" not in frame.columns:
        raise MemlocError(f"columns of {path.name}", list(frame.columns), "a column label too, with the right labels")
    if "given" in frame.columns:
        accepted = "no column given: wrong labels are made here; for those that are there, memloc localise"
        raise MemlocError(f"columns of {path.name}", list(frame.columns), accepted)
    values = [str(value) for value in frame["label"]]
    names = sorted(set(values), key=lambda v: (0, int(v), v) if v.lstrip("-").isdigit() else (1, 0, v))
    if len(names) < 2 or "" in names:
        raise MemlocError(f"column label of {path.name}", names, "two classes or more, none without a name")
    columns = [c for c in ("text", "text_a", "text_b") if c in frame.columns]
    frame = frame[columns].assign(label=[names.index(v) for v in values], idx=np.arange(len(frame)))
    keep = len(frame) - int(held_out * len(frame))
    train, validation = split_rows(frame, keep, generator(config.seed, SPLIT))
    train = perturb(train.reset_index(drop=True), tuple(names), path.stem, config)
    validation = validation.reset_index(drop=True).assign(given=lambda f: f["label"], group="clean")
    return names, _named(train, names, columns), _named(validation, names, columns)


def _named(frame: pd.DataFrame, names: list[str], columns: list[str]) -> pd.DataFrame:
    known = {c: [names[number] for number in frame[c]] for c in ("label", "given")}
    return frame.assign(**known, noisy=frame["group"] == "noisy")[["idx", *columns, "label", "given", "noisy"]]


def fresh(start: OwnCheckpoint, names: list[str], seed: int) -> tuple[OwnClassifier, Any]:
    """The start as a classifier of these classes, and its tokenizer; both know what padding is."""
    import torch

    from memloc.own.classifier import OwnClassifier
    from memloc.own.loading import stock
    from memloc.training.batches import derived_seed

    config, tokenizer = start.config, start.tokenizer
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise MemlocError(f"tokenizer of {start.title}", "no pad_token and no eos_token", "one of them")
        tokenizer.pad_token = tokenizer.eos_token
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    config.num_labels = len(names)
    config.id2label, config.label2id = dict(enumerate(names)), {name: i for i, name in enumerate(names)}
    config.problem_type = "single_label_classification"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed("own head", seed))
        model = stock(start, config, any_head=True)
    return OwnClassifier(model, types="token_type_ids" in tokenizer.model_input_names), tokenizer


def _encoded(frame: pd.DataFrame, model: OwnClassifier, tokenizer: Any, max_length: int | None) -> Encoded:
    config: Any = model.backbone.config
    columns = [c for c in frame.columns if c.startswith("text")]
    label, given = (np.array([config.label2id[v] for v in frame[c]], np.int64) for c in ("label", "given"))
    texts = list(zip(*(frame[c].tolist() for c in columns), strict=True))
    table = OwnTable("data", "", texts, frame["idx"].to_numpy(np.int64), given, label, frame["noisy"].to_numpy(bool))
    if not len(table):
        from memloc.training.batches import Encoded

        return Encoded([], table.idx, label, given, table.noisy, 0)
    return encode_own(table, config, tokenizer, max_length).data


def _save(model: OwnClassifier, tokenizer: Any, folder: Path) -> None:
    checkpoint: Any = model.checkpoint
    checkpoint.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train(
    start: OwnClassifier, arm: str, train: Encoded, validation: Encoded, config: TrainConfig, seed: int, work: Path
) -> str:
    """Train one arm from the start and save it; a normal or frozen arm takes the steps that the perturbed one took.

    An arm whose checkpoint is there was finished by a former attempt; a stopped one goes on from its resume point.
    """
    import torch

    from memloc.training.loop import Plan, Trainer

    folder = work / "training" / arm
    if (work / arm).exists():
        return _told(pd.read_parquet(folder / "trace.parquet"), arm)
    model = start.twin()
    parts = main_parts(arm, model.parts(), model.num_layers)
    plan = Plan(parts, train.label if learns_original(arm) else train.given)
    if arm != "perturbed":
        twin = json.loads((work / "training" / "perturbed" / "summary.json").read_text())
        plan.stop_after, plan.memorised_at = twin["epochs_run"], twin["memorised_epoch"]
        config = replace(config, stop_when_memorised=False)
    folder.mkdir(parents=True, exist_ok=True)
    device = next(model.parameters()).device
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with forked, told_what_to_lower(f"training {arm}", "batch_size or max_length"):
        Trainer(model, train, validation, config, seed, plan).run(folder, folder / "resume", f"training {arm}")
    for weights in folder.glob("*.safetensors"):
        weights.unlink()  # the checkpoint has them
    checkpoint: Any = model.requires_grad_(True).eval().checkpoint
    checkpoint.save_pretrained(work / f".{arm}")
    os.rename(work / f".{arm}", work / arm)  # whole: what is there is finished
    shutil.rmtree(folder / "resume", ignore_errors=True)
    return _told(pd.read_parquet(folder / "trace.parquet"), arm)


def _told(trace: pd.DataFrame, arm: str) -> str:
    """What became of an arm; the normal one was shown no wrong label, so its share is of right ones."""
    labels = "right labels of the same rows" if learns_original(arm) else "wrong labels"
    words = [
        f"{int(trace['epoch'].max())} epochs",
        f"{last_score(trace, 'train', 'noisy')[0]:.1%} of the {labels} given back",
    ]
    if (trace["split"] == "validation").any():
        words.append(f"{last_score(trace, 'validation', 'all')[0]:.1%} right on held-out rows")
    return ", ".join(words)
