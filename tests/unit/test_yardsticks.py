"""What a pretrained start is worth: ordinary fine-tuning, random weights of the same shape, and counted words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import profile
from transformers import AutoModel

from memloc import tables
from memloc.config import DataConfig
from memloc.data.catalogue import get_task
from memloc.data.loaded import LoadedData
from memloc.data.prepare import load_raw, prepare
from memloc.models.backbone import build_backbone
from memloc.models.catalogue import get_model, model_config
from memloc.pipeline import CellId, Experiment
from memloc.store import Store
from memloc.training.words import bag_of_words

CELL = CellId("gen-cue-2a", "micro-bert", 1)


def made(root: Path, **changes: object) -> Experiment:
    return Experiment(profile(**changes), Store(root), "cpu")


def test_ordinary_fine_tuning_changes_every_part_and_learns_the_original_labels(tmp_path: Path) -> None:
    experiment = made(tmp_path, extra_arms=["fine_tuned"], techniques={})
    experiment.run_cell(CELL)
    artefact = experiment.checkpoint(CELL, "fine_tuned")
    start = experiment.fresh(CELL).part_state(("embeddings",))
    learnt = {name: t for name, t in load_file(artefact.file("last.safetensors")).items() if name in start}
    assert learnt
    assert any(not torch.equal(learnt[name], start[name]) for name in learnt)
    trace = tables.read(artefact.file("trace.parquet"), tables.TRACE)
    both = trace[(trace.split == "train") & (trace.group == "noisy")].pivot(
        index="epoch", columns="metric", values="value"
    )
    assert (both["accuracy"] == both["accuracy_original"]).all(), "scored on other labels than the original ones"
    assert set(trace.epoch) == {2}, "epochs were scored that nobody compares"
    assert json.loads(artefact.file("summary.json").read_text())["epochs_run"] == 2
    assert not (tmp_path / "store/v1/checkpoint").joinpath("perturbed").exists()
    assert len(list((tmp_path / "store/v1/checkpoint").iterdir())) == 1, "a twin was trained that nobody asked for"


def data(seed: int = 1) -> LoadedData:
    spec = get_task("gen-cue-2a")
    found = prepare(load_raw(spec, "generated", None), spec, DataConfig(seed=seed, cap=200, validation_cap=100))
    return LoadedData({}, found.train, found.validation, found.test, list(spec.labels), found.report)


def test_bag_of_words_learns_what_words_tell_and_nothing_where_labels_are_shuffled() -> None:
    given = data()
    scores = bag_of_words(given).set_index(["split", "metric"])["value"]
    assert scores["validation", "accuracy"] > 0.8
    assert bag_of_words(given).equals(bag_of_words(data()))
    shuffled = given.train["label"].sample(frac=1, random_state=0).to_numpy()
    chance = bag_of_words(replace(given, train=given.train.assign(label=shuffled)))
    assert chance.set_index(["split", "metric"])["value"]["validation", "accuracy"] < 0.7


def test_bag_of_words_is_an_arm_of_its_own(tmp_path: Path) -> None:
    experiment = made(tmp_path, extra_arms=["bag_of_words"], techniques={})
    experiment.run_cell(CELL)
    trace = tables.read(experiment.checkpoint(CELL, "bag_of_words").file("trace.parquet"), tables.TRACE)
    assert set(trace.split) == {"train", "validation"}


def test_random_weights_of_a_checkpoints_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = build_backbone(get_model("micro-bert")).half()
    with torch.no_grad():
        stored.get_parameter("encoder.layer.0.attention.self.query.weight").add_(1.0)
    stored.save_pretrained(tmp_path / "mine")
    entry = get_model(str(tmp_path / "mine"))
    drawn = replace(entry, name="mine-random", random=True)
    assert not drawn.pretrained
    first, again, kept = build_backbone(drawn), build_backbone(drawn), build_backbone(entry)
    weights, others = first.state_dict(), kept.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in again.state_dict().items())
    assert {name: t.shape for name, t in weights.items()} == {name: t.shape for name, t in others.items()}
    name = "encoder.layer.0.attention.self.query.weight"
    assert weights[name].dtype == torch.float32
    assert not torch.allclose(weights[name], others[name], atol=0.5)
    assert torch.equal(AutoModel.from_pretrained(tmp_path / "mine").float().state_dict()[name], others[name])
    assert model_config(drawn)["weights"] == "random"
    assert model_config(drawn) != model_config(replace(entry, name="mine-random"))
