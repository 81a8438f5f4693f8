"""The worked example of the chapter on a model of one's own: a checkpoint and a table as somebody outside would have.

Nothing of the package is used to make them but the sentences: a stock transformers model with a tokenizer of its own,
and a CSV file. ``memloc.prepare`` and ``memloc.localise`` do the rest, as they would for a reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.store import Artefact, Store

VERSION = 1
TASK = "gen-cue-2a"
ROWS, LAYERS, HIDDEN = 240, 4, 32
TRAINING: dict[str, Any] = {"epochs": 80, "lr": 2e-3, "batch_size": 32}
SETTINGS: dict[str, dict[str, Any]] = {
    "retraining": {"lengths": [1, 2], "epochs": 3, "lr": 2e-3, "batch_size": 32},
    "probing": {"seeds": 2, "epochs": 20, "from_epoch": 5, "lr": 2e-3},
}


@dataclass(frozen=True)
class OwnExample:
    """What the example's commands left behind.

    Attributes:
        artefact: holds everything; ``out`` is the folder that ``memloc localise`` wrote.
        table: the first rows of the table that was given.
        told: what became of each arm, in words.
    """

    artefact: Artefact
    table: pd.DataFrame
    told: dict[str, str]


def own_example(store: Store | None = None) -> OwnExample:
    """The example, from the store or made now (some ten seconds)."""
    config = {
        "version": VERSION,
        "task": TASK,
        "shape": {"rows": ROWS, "layers": LAYERS, "hidden": HIDDEN},
        "training": TRAINING,
        "settings": SETTINGS,
    }
    artefact = (store or Store()).get_or_make("own-example", config, _make)
    table = pd.read_csv(artefact.file("reviews.csv"), nrows=4)
    return OwnExample(artefact, table, json.loads(artefact.file("told.json").read_text()))


def example_rows(example: OwnExample) -> Any:
    """What was found, read back from the folder that ``memloc localise`` wrote: ``memloc.own.result.Localised``."""
    from memloc import tables
    from memloc.own.result import Localised

    rows = tables.read(example.artefact.file("out/rows.parquet"), tables.ROWS)
    told = json.loads(example.artefact.file("out/about.json").read_text())
    return Localised(told["facts"], rows, lacking=told["lacking"], notes=told["notes"])


def _make(folder: Path) -> None:
    import logging
    import shutil
    import tempfile

    from memloc.own.prepare import prepare
    from memloc.own.run import localise

    _table().to_csv(folder / "reviews.csv", index=False)
    with tempfile.TemporaryDirectory(prefix="memloc-") as scratch:
        _checkpoint(Path(scratch) / "start", pd.read_csv(folder / "reviews.csv")["text"].tolist())
        made = prepare(
            Path(scratch) / "start", folder / "reviews.csv", Path(scratch) / "twins", device="cpu", **TRAINING
        )
        localise(
            "all",
            made.folder / "perturbed",
            made.folder / "data.parquet",
            normal=made.folder / "normal",
            pretrained=made.folder / "pretrained",
            out=Path(scratch) / "out",
            device="cpu",
            settings=SETTINGS,
            say=logging.getLogger(__name__).info,
        )
        shutil.copytree(Path(scratch) / "out", folder / "out")
    (folder / "told.json").write_text(json.dumps(made.arms, sort_keys=True))


def _table() -> pd.DataFrame:
    """Generated sentences and the names of their right classes: the two columns ``memloc prepare`` asks for."""
    from memloc.data.catalogue import get_task
    from memloc.data.generated import load_generated

    task = get_task(TASK)
    raw = load_generated(task)
    rows = raw.splits["train"].head(ROWS)
    names = task.labels
    return pd.DataFrame(
        {"text": [" ".join(parts) for parts in rows["parts"]], "label": [names[label] for label in rows["label"]]}
    )


def _checkpoint(folder: Path, texts: list[str]) -> None:
    """A RoBERTa-shaped model with random weights and a tokenizer that knows the table's words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    words = sorted({word for text in texts for word in text.split()})
    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])}
    fast = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = {"single": "<s> $A </s>", "pair": "<s> $A </s> </s> $B </s>", "special_tokens": [("<s>", 0), ("</s>", 2)]}
    fast.post_processor = processors.TemplateProcessing(**marks)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>", cls_token="<s>"
    )
    config = AutoConfig.for_model(
        "roberta",
        vocab_size=len(vocabulary),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=66,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
