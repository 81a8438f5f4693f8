"""The worked example of the chapter on a model of one's own: a checkpoint and a table as somebody outside would have.

Nothing of the package is used to make them but the sentences: a stock transformers model with a tokenizer of its own,
and a CSV file. ``memloc.prepare`` and ``memloc.localise`` do the rest, as they would for a reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from memloc import tables
from memloc.config import config_key
from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.studies import RENEW, reads_released
from memloc.sealed import read_sealed
from memloc.store import Store

if TYPE_CHECKING:
    from memloc.own.result import Localised

NAME, OUT = "own-example", "out/"  # of the artefact and the release; the folder in it that the command wrote
FILES = {"rows.parquet": tables.ROWS}
SHOWN = 4  # rows of the table
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
        key: of everything that decides it.
        told: what became of each arm, in words.
        about: what ``memloc localise`` says of model, data and techniques in ``about.json``.
        rows: tidy rows (``tables.ROWS``) of the techniques.
        files: of the folder that it wrote, by name, with their bytes.
    """

    key: str
    told: dict[str, str]
    about: dict[str, Any]
    rows: pd.DataFrame
    files: dict[str, int]
    command = "memloc book execute --only 10_your_own_model"

    @property
    def folder(self) -> str:
        """Of its release, as seen from the root of the book; empty where it was made here."""
        return f"results/{NAME}" if reads_released() else ""

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        """Its rows."""
        return {"rows": self.rows}

    @property
    def table(self) -> pd.DataFrame:
        """The first rows of the table that was given."""
        return _table().head(SHOWN)


def own_example(store: Store | None = None) -> OwnExample:
    """The example, from the store or made now (some ten seconds); the released one where released tables are shown."""
    if store is None and reads_released():
        return read_own_example(project_root() / "results" / NAME)
    made = (store or Store()).get_or_make(NAME, _config(), _make)
    about, told = (json.loads(made.file(name).read_text()) for name in ("out/about.json", "told.json"))
    files = {name: made.file(name).stat().st_size for name in sorted(made.files) if name.startswith(OUT)}
    rows = tables.read(made.file(f"{OUT}rows.parquet"), tables.ROWS)
    return OwnExample(made.key, told, about, rows, {name.removeprefix(OUT): size for name, size in files.items()})


def example_rows(example: OwnExample) -> Localised:
    """What was found, as ``memloc localise`` gives it back."""
    from memloc.own.result import Localised

    about = example.about
    return Localised(about["facts"], example.rows, lacking=about["lacking"], notes=about["notes"])


def release_own_example(example: OwnExample, folder: Path) -> Path:
    """Write what the chapter shows of the example; a release that is there is replaced."""
    from memloc.releasing import put, refuse_other

    refuse_other(folder, FILES)
    said = {name: getattr(example, name) for name in ("key", "told", "about", "files")}
    put(folder, {"kind": NAME, **said}, {"rows.parquet": example.rows}, FILES)
    return folder


def read_own_example(folder: Path) -> OwnExample:
    """The released example, after every byte was checked.

    Raises:
        MemlocError: if there is none, it was altered, or it is one of other settings.
    """
    sealed = read_sealed(folder, RENEW)
    manifest = sealed.manifest
    if manifest.get("key") != (key := config_key(_config())):
        raise MemlocError(f"key of {folder}", manifest.get("key"), f"{key}: {RENEW}")
    rows = sealed.frames(FILES)["rows.parquet"]
    return OwnExample(key, manifest["told"], manifest["about"], rows, manifest["files"])


def _config() -> dict[str, Any]:
    return {
        "version": VERSION,
        "task": TASK,
        "shape": {"rows": ROWS, "layers": LAYERS, "hidden": HIDDEN},
        "training": TRAINING,
        "settings": SETTINGS,
    }


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
