"""`memloc prepare`: wrong labels, twins that follow each other, checkpoints anybody can load; `localise` on them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from own_world import saved, sentences, stock, tokenizer
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import memloc
from memloc.cli import main
from memloc.errors import MemlocError
from memloc.own.checkpoints import find
from memloc.own.prepare import Prepared
from memloc.training import loop


def made(folder: Path, kind: str = "roberta", **changes: Any) -> Prepared:
    saved(stock(kind, classes=2), kind, folder / "start")  # a head for two classes: drawn anew for three
    sentences(60).drop(columns="given").to_csv(folder / "clean.csv", index=False)
    settings = {"epochs": 3, "lr": 1e-2, "device": "cpu", **changes}
    return memloc.prepare(folder / "start", folder / "clean.csv", folder / "out", **settings)


@pytest.mark.parametrize("kind", ["roberta", "gpt2"])
def test_twins_and_table(kind: str, tmp_path: Path) -> None:
    found = made(tmp_path, kind, frozen=True)
    out = tmp_path / "out"
    frame = pd.read_parquet(out / "data.parquet")
    assert len(frame) == 54
    assert (frame["noisy"] == (frame["given"] != frame["label"])).all()
    share = frame.groupby("label")["noisy"].agg(["sum", "size"])
    assert (share["sum"] == (0.15 * share["size"]).astype(int)).all()
    original = pd.read_csv(tmp_path / "clean.csv")
    assert frame["text"].tolist() == original["text"].iloc[frame["idx"]].tolist()
    assert frame["label"].tolist() == original["label"].iloc[frame["idx"]].tolist()

    weights = {
        arm: load_file(out / arm / "model.safetensors") for arm in ("pretrained", "perturbed", "normal", "frozen")
    }
    start = load_file(tmp_path / "start" / "model.safetensors")
    for arm, tensors in weights.items():
        changed = {name for name in tensors if name not in start or tensors[name].shape != start[name].shape}
        changed |= {n for n in tensors if n not in changed and not torch.equal(tensors[n], start[n])}
        in_layers = any(".layer." in name or ".h." in name for name in changed)
        assert in_layers == (arm in ("perturbed", "normal")), arm
        assert not any("embedding" in name or ".wte" in name for name in changed), arm
    epochs = [
        set(pd.read_parquet(out / "training" / arm / "trace.parquet")["epoch"]) for arm in ("perturbed", "normal")
    ]
    assert epochs[0] == epochs[1]

    model = AutoModelForSequenceClassification.from_pretrained(out / "perturbed")
    words = AutoTokenizer.from_pretrained(out / "perturbed")
    with torch.inference_mode():
        logits = model.eval()(**words(frame["text"].tolist(), padding=True, return_tensors="pt")).logits
    right = np.array([model.config.id2label[int(i)] for i in logits.argmax(-1)]) == frame["given"]
    assert f"{right[frame['noisy']].mean():.1%} of the wrong labels" in found.arms["perturbed"]


def test_localise_works_on_what_prepare_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(stock("bert"), "bert", tmp_path / "start")
    sentences(60, pairs=True).drop(columns="given").to_json(tmp_path / "clean.jsonl", orient="records", lines=True)
    command = "prepare --model start --data clean.jsonl --out out --epochs 2 --lr 1e-2 --device cpu"
    assert main(command.split()) == 0, capsys.readouterr()
    last = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert last[:2] == ["memloc", "localise"]
    assert main([*last[1:], "--technique", "swapping", "--device", "cpu"]) == 0, capsys.readouterr()
    assert (tmp_path / "out" / "localised" / "report.html").is_file()


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_random_state(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made(tmp_path / name, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    for arm in ("pretrained", "perturbed", "normal"):
        one, two = (load_file(tmp_path / name / "out" / arm / "model.safetensors") for name in ("a", "b"))
        assert all(torch.equal(one[n], two[n]) for n in one)


@pytest.mark.parametrize("stopped_at", ["perturbed 2", "normal 1", "normal 3", "frozen 2"])
def test_a_stopped_call_goes_on_to_the_same_bytes(
    stopped_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)  # a resume point after every epoch
    seen: list[str] = []
    arm, (run, epoch) = "", (loop.Trainer.run, loop.Trainer._epoch)

    def named(self: loop.Trainer, folder: Path, resume: Path, label: str = "") -> None:
        nonlocal arm
        arm = label.removeprefix("training ")
        run(self, folder, resume, label)

    def one(self: loop.Trainer) -> None:
        seen.append(f"{arm} {self.state.epoch + 1}")
        if seen[-1] == stopped_at and seen.count(stopped_at) == 1:
            raise KeyboardInterrupt
        epoch(self)

    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    made(tmp_path / "whole", frozen=True)
    monkeypatch.setattr(loop.Trainer, "run", named)
    monkeypatch.setattr(loop.Trainer, "_epoch", one)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "cut", frozen=True)
    assert not (tmp_path / "cut" / "out").exists()
    found = made(tmp_path / "cut", frozen=True)
    again = [step for step in seen if seen.count(step) > 1]
    assert again == [stopped_at] * 2, "only the epoch that was cut short is done twice"
    bytes_of = [
        {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "whole" / "out", tmp_path / "cut" / "out")
    ]
    assert bytes_of[0] == bytes_of[1]
    assert list(found.arms) == ["perturbed", "normal", "frozen", "pretrained"]


def test_another_call_does_not_go_on_from_a_stopped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "_epoch", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, epochs=1)
    assert (tmp_path / ".out.partial").is_dir()
    (tmp_path / ".out.partial" / "left").write_text("of the other call")
    made(tmp_path, epochs=1, lr=1e-3)
    assert not (tmp_path / "out" / "left").exists()


def test_a_start_without_a_head_and_without_padding(tmp_path: Path) -> None:
    folder = saved(stock("gpt2", pad_token_id=None), "gpt2", tmp_path / "start")
    words = tokenizer("gpt2")
    words.pad_token = None
    words.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: t for n, t in weights.items() if not n.startswith("score")}, folder / "model.safetensors", {"format": "pt"}
    )
    sentences(60).drop(columns="given").to_csv(tmp_path / "clean.csv", index=False)
    memloc.prepare(folder, tmp_path / "clean.csv", tmp_path / "out", epochs=1, device="cpu", held_out=0.0)
    config = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "normal").config
    assert config.pad_token_id == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 0.0}, "noise_rate: 0.0; accepted: a share between"),
        ({"noise": 0.01}, "training rows of class 'music' of task clean: .*accepted: 100 or more"),
        ({"held_out": 1.0}, "share of held-out rows: 1.0"),
        ({"lr": -1.0}, "training.lr: -1.0"),
        ({"max_length": 100}, "tokens of an example: 100; accepted: 1 to 63"),
    ],
)
def test_bad_input_leaves_nothing_behind(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match=message):
        made(tmp_path, **changes)
    assert {p.name for p in tmp_path.iterdir()} == {"start", "clean.csv"}


def test_checkpoints_cut_texts_where_training_did(tmp_path: Path) -> None:
    found = made(tmp_path, epochs=1, max_length=5)
    words = AutoTokenizer.from_pretrained(tmp_path / "out" / "perturbed")
    assert words.model_max_length == 5
    told = memloc.localise(
        "swapping", tmp_path / "out" / "perturbed", tmp_path / "out" / "data.parquet",
        normal=tmp_path / "out" / "normal", device="cpu",
    )  # fmt: skip
    assert f"{told.facts['accuracy_noisy']:.1%} of the wrong labels" in found.arms["perturbed"]
    assert told.facts["token_limit"] == 5


def test_a_table_with_given_labels_is_not_perturbed_again(tmp_path: Path) -> None:
    saved(stock("bert"), "bert", tmp_path / "start")
    sentences(40).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(MemlocError, match=r"columns of data.csv: .*accepted: no column given"):
        memloc.prepare(tmp_path / "start", tmp_path / "data.csv", tmp_path / "out", device="cpu")
    sentences(40).drop(columns=["given", "label"]).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(MemlocError, match=r"columns of data.csv: .*accepted: a column label too"):
        memloc.prepare(tmp_path / "start", tmp_path / "data.csv", tmp_path / "out", device="cpu")


def test_a_shipped_model_is_a_start_by_its_name() -> None:
    """Whoever has no checkpoint at hand can try the command offline."""
    found = find("nano-bert")
    assert (found.title, found.config.num_hidden_layers) == ("nano-bert", 12)
    with pytest.raises(MemlocError, match="or a pretrained model that `memloc models` lists"):
        find("nano-brt")
