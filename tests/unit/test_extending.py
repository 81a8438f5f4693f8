"""A task, a model and a technique of a user's own: one entry or file each, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from test_cli import OWN, home, memloc, written
from test_swapping import check
from tiny import encoded, shake
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

from memloc import tables
from memloc.models.catalogue import get_model
from memloc.models.classifier import build_classifier
from memloc.pipeline import CellId, Experiment
from memloc.profiles import load_profile
from memloc.techniques import base
from memloc.techniques.base import Cell, Result, register_technique

__all__ = ["home"]  # a fixture of the command line's tests

WORDS = [f"w{i}" for i in range(40)]


class Moved:
    """How far training moved each layer: the norm of the difference from the start."""

    name: ClassVar[str] = "moved"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed", "pretrained")
    optional: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {"power": 2.0}

    @torch.no_grad()
    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        after, before = cell.load("perturbed"), cell.load("pretrained")
        rows = []
        for n in range(1, after.num_layers + 1):
            pairs = zip(after.layer(n).parameters(), before.layer(n).parameters(), strict=True)
            moved = sum(float((a - b).abs().pow(settings["power"]).sum()) for a, b in pairs)
            rows.append({"arm": "perturbed", "layer": n, "metric": "moved", "value": moved, "n": len(cell.train)})
        return Result(pd.DataFrame(rows))


@pytest.fixture
def technique() -> Iterator[None]:
    register_technique(Moved)
    yield
    base._registry.pop("moved")


@pytest.fixture
def world(home: Path, tmp_path: Path) -> list[str]:
    """Files, a GPT-2 that the package does not know, and the options that name them."""
    rng = np.random.default_rng(0)
    (tmp_path / "data" / "mine").mkdir(parents=True)
    for name, n in (("train", 48), ("test", 24)):
        label = np.arange(n) % 3
        texts = [" ".join(rng.choice(WORDS, rng.integers(4, 9))) for _ in range(n)]
        frame = pd.DataFrame({"text": texts, "label": label, "label_name": np.array(["a", "b", "c"])[label]})
        frame.to_parquet(tmp_path / "data" / "mine" / f"{name}.parquet")

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2Model(GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=64))
    model.save_pretrained(tmp_path / "gpt2")
    fast = Tokenizer(
        WordLevel({"<unk>": 0, "|": 1, **{word: i + 2 for i, word in enumerate(WORDS)}}, unk_token="<unk>")
    )
    fast.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=fast, unk_token="<unk>").save_pretrained(tmp_path / "gpt2")

    family = {"name": "gpt2", "layers": "h", "embeddings": ["wte", "wpe"], "final": ["ln_f"], "model_type": "gpt2"}
    entry = {"title": "GPT-2", "family": family, "source": "folder", "location": str(tmp_path / "gpt2")}
    source = {"folder": "mine", "splits": {"train": "train", "test": "test"}, "columns": ["text"]}
    task = {"title": "Mine", "group": "topic", "labels": ["a", "b", "c"], "licence": "MIT", "files": source}
    content = {"tasks": {"mine": task}, "models": {"gpt2-mine": {**entry, "layers": 2, "hidden": 16, "licence": "MIT"}}}
    catalogue = written(tmp_path / "mine.yml", content)
    return ["--catalogue", catalogue]


def test_all_three_through_the_command_line(
    world: list[str], technique: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {"source": "files", "tasks": ["mine"], "models": {"gpt2-mine": {}}, "data": {}}
    own = written(tmp_path / "own.yml", {**OWN, **changed, "techniques": {"swapping": {}, "moved": {"power": 1.0}}})
    chosen = ["--profile", own, "--data", tmp_path / "data", "--device", "cpu"]
    for names in (["tasks"], ["models"]):
        assert memloc(*world, *names) == 0
    out = capsys.readouterr().out
    assert "minev2" in out, "more than two classes have a binarised variant"
    assert "gpt2-mine" in out

    assert memloc(*world, "run", *chosen) == 0, capsys.readouterr()
    assert memloc(*world, "results", *chosen, "--release", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "mine" in out
    assert "1/1" in out

    rows = tables.read(tmp_path / "out" / "rows.parquet", tables.ROWS)
    assert rows["technique"].value_counts().to_dict() == {"swapping": 6, "moved": 2}
    moved = rows[rows["technique"] == "moved"]
    assert moved["layer"].tolist() == [1, 2]
    assert (moved["value"] > 0).all()
    assert moved["window_start"].isna().all()
    assert moved[["task", "model", "seed"]].drop_duplicates().to_numpy().tolist() == [["mine", "gpt2-mine", 1]]

    made = Experiment(load_profile(own), device="cpu", data_dir=tmp_path / "data")
    assert made.dataset("mine").labels == ["a", "b", "c"]
    assert made.store.find("rows", made.technique_config(CellId("mine", "gpt2-mine", 1), "moved")) is not None
    assert not [p for p in home.rglob("*") if p.suffix in (".lock", ".partial")]


def test_swapping_holds_for_the_family_of_ones_own(world: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert memloc(*world, "models") == 0
    model = shake(build_classifier(get_model("gpt2-mine"), {"main": 3}), 0)
    data = encoded(5)
    data.ids = [[i % 42 for i in ids] for ids in data.ids]
    check(model, shake(model.twin(), 1), data)
