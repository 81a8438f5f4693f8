"""Training runs: schedule, arms, stopping, and runs that were cut off and went on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny import CLASSES, encoded, spec
from torch import Tensor
from transformers import get_linear_schedule_with_warmup

from memloc import tables
from memloc.config import TrainConfig
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier, build_classifier
from memloc.training import loop
from memloc.training.batches import Encoded
from memloc.training.loop import Plan, Trainer, trained_parts

EASY = TrainConfig(epochs=12, batch_size=4, lr=1e-2, dropout=0.1)


def learnable(n: int = 12) -> Encoded:
    """Rows of three tokens, all different: easy to memorise."""
    return encoded(n, lengths=(3, 5))


def fresh(seed: int = 1, family: str = "bert", layers: int = 2) -> Classifier:
    return build_classifier(spec(family, layers), {"main": CLASSES}, head_seed=seed)


def trainer(config: TrainConfig = EASY, seed: int = 1, family: str = "bert", **plan: Any) -> Trainer:
    model, data = fresh(seed, family), learnable()
    return Trainer(
        model,
        data,
        encoded(6, seed=9),
        config,
        seed,
        Plan(**{"parts": trained_parts(model), "labels": data.given} | plan),
    )


def trained(folder: Path, **options: Any) -> tuple[dict[str, Tensor], pd.DataFrame, dict[str, Any]]:
    folder.mkdir(parents=True)
    trainer(**options).run(folder, folder / "resume")
    return read(folder)


def read(folder: Path) -> tuple[dict[str, Tensor], pd.DataFrame, dict[str, Any]]:
    trace = tables.read(folder / "trace.parquet", tables.TRACE)
    return load_file(folder / "last.safetensors"), trace, json.loads((folder / "summary.json").read_text())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.37, 1.0])
def test_learning_rate_is_that_of_transformers(warmup: float) -> None:
    config = TrainConfig(epochs=7, batch_size=4, lr=0.3, warmup=warmup)
    ours = trainer(config)
    steps = 7 * 3
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = get_linear_schedule_with_warmup(optimizer, int(warmup * steps), steps)
    for step in range(steps):
        assert ours.rate(step) == pytest.approx(schedule.get_last_lr()[0], abs=1e-12), step
        optimizer.step()
        schedule.step()


def test_every_step_takes_its_own_learning_rate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run, seen = trainer(TrainConfig(epochs=3, batch_size=4)), []
    monkeypatch.setattr(run, "step", lambda rows: seen.append(run.optimizer.param_groups[0]["lr"]))
    run.run(tmp_path, tmp_path / "resume")
    assert seen == [run.rate(step) for step in range(9)]


def test_wrong_labels_are_memorised_and_the_trace_tells_how(tmp_path: Path) -> None:
    weights, trace, summary = trained(tmp_path / "run")
    assert summary == {"epochs_run": 12, "memorised_epoch": summary["memorised_epoch"], "steps": 36}
    first = summary["memorised_epoch"]
    assert first is not None
    assert 1 < first < 12
    value = trace.set_index(["split", "group", "metric", "epoch"])["value"].sort_index()
    assert value["train", "noisy", "accuracy", 12] == 1
    assert value["train", "noisy", "accuracy_original", 12] == 0
    f1 = value["train", "all", "macro_f1"]
    assert f1[first] >= 0.993
    assert (f1[: first - 1] < 0.993).all()
    assert set(trace["epoch"]) == set(range(1, 13))
    for group in ("noisy", "clean", "all"):
        assert {"accuracy", "macro_f1", "loss"} <= set(value["train", group].index.get_level_values("metric"))
    assert {"accuracy", "macro_f1", "loss"} <= set(value["validation", "all"].index.get_level_values("metric"))
    assert value["train", "all", "loss", 12] < value["train", "all", "loss", 1]
    assert set(weights) == set(fresh().part_state(trained_parts(fresh())))
    memorised = load_file(tmp_path / "run" / "memorised.safetensors")
    assert memorised.keys() == weights.keys()
    assert not same(memorised, weights)


def test_the_memorised_checkpoint_has_memorised(tmp_path: Path) -> None:
    _, trace, summary = trained(tmp_path / "run")
    model, data = fresh(), learnable()
    model.load_parts(load_file(tmp_path / "run" / "memorised.safetensors"))
    got = loop.predict(model.eval(), data, data.given)
    at = trace[(trace.epoch == summary["memorised_epoch"]) & (trace.group == "all") & (trace.split == "train")]
    assert np.mean(got.predicted == data.given) == at.set_index("metric")["value"]["accuracy"]


def test_embeddings_are_not_touched() -> None:
    run = trainer(TrainConfig(epochs=1, batch_size=4, lr=0.1))
    before = {k: v.clone() for k, v in run.model.part_state(["embeddings", "layer.1"]).items()}
    run.step(np.arange(4))
    after = run.model.part_state(["embeddings", "layer.1"])
    assert {k.split("/")[0] for k in before if not torch.equal(before[k], after[k])} == {"layer.1"}


def test_stopping_early_keeps_the_schedule_of_the_whole_run(tmp_path: Path) -> None:
    config = TrainConfig(**{**EASY.__dict__, "stop_when_memorised": True})
    weights, trace, summary = trained(tmp_path / "early", config=config)
    whole, whole_trace, whole_summary = trained(tmp_path / "whole")
    first = whole_summary["memorised_epoch"]
    assert (summary["epochs_run"], summary["memorised_epoch"]) == (first, first)
    assert not (tmp_path / "early" / "memorised.safetensors").exists(), "last is the memorised one"
    assert same(weights, load_file(tmp_path / "whole" / "memorised.safetensors"))
    assert not same(weights, whole)
    pd.testing.assert_frame_equal(trace, whole_trace[whole_trace.epoch <= first].reset_index(drop=True))


def test_a_twin_stops_where_it_is_told_whatever_its_scores(tmp_path: Path) -> None:
    config = TrainConfig(**{**EASY.__dict__, "stop_when_memorised": True})
    labels = learnable().label
    _, trace, summary = trained(tmp_path / "twin", config=config, labels=labels, stop_after=5, memorised_at=2)
    assert summary == {"epochs_run": 5, "memorised_epoch": 2, "steps": 15}
    assert trace["epoch"].max() == 5
    assert (tmp_path / "twin" / "memorised.safetensors").exists()
    _, _, never = trained(tmp_path / "never", config=config, labels=labels, stop_after=12)
    assert never["memorised_epoch"] is None


def test_scoring_the_last_epoch_alone_changes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, trace, _ = trained(tmp_path / "each")
    folder = tmp_path / "last"
    folder.mkdir()
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    run = trainer(scored="last")
    cut_after(run, 3)
    with pytest.raises(Cut):
        run.run(folder, folder / "resume")
    trainer(scored="last").run(folder, folder / "resume")
    found, rows, _ = read(folder)
    assert same(weights, found)
    pd.testing.assert_frame_equal(rows, trace[trace["epoch"] == EASY.epochs].reset_index(drop=True))


def test_without_noise_the_twin_is_the_same_model_bit_for_bit(tmp_path: Path) -> None:
    clean = learnable().label
    perturbed, _, _ = trained(tmp_path / "perturbed", labels=clean)
    normal, _, _ = trained(tmp_path / "normal", labels=clean, stop_after=12, memorised_at=3)
    assert same(perturbed, normal)
    noisy, _, _ = trained(tmp_path / "noisy")
    assert not same(perturbed, noisy)


def test_the_normal_arm_takes_the_same_batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    orders = []
    for labels in (learnable().given, learnable().label):
        run, seen = trainer(labels=labels), []
        monkeypatch.setattr(run, "step", lambda rows, seen=seen: seen.append(rows.tolist()))
        run.run(tmp_path, tmp_path / "resume")
        orders.append(seen)
    assert orders[0] == orders[1]
    assert orders[0][:3] != orders[0][3:6]


def test_the_frozen_arm_changes_the_head_alone(tmp_path: Path) -> None:
    run = trainer(parts=["head.main"])
    start = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.run(tmp_path, tmp_path / "resume")
    changed = {k for k, v in run.model.state_dict().items() if not torch.equal(v, start[k])}
    assert changed == {"heads.main.weight", "heads.main.bias"}
    assert set(load_file(tmp_path / "last.safetensors")) == {"head.main/0/weight", "head.main/0/bias"}


@pytest.mark.parametrize("family", ["bert", "opt"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path, family: str) -> None:
    config = TrainConfig(epochs=2, batch_size=4, lr=1e-3)
    first, trace, _ = trained(tmp_path / "1", config=config, family=family)
    torch.manual_seed(99)  # what happened before must not matter
    again, trace_again, _ = trained(tmp_path / "2", config=config, family=family)
    other, _, _ = trained(tmp_path / "3", config=config, family=family, seed=2)
    assert same(first, again)
    pd.testing.assert_frame_equal(trace, trace_again)
    assert not same(first, other)


class Cut(Exception):
    """A run that is stopped from outside."""


def cut_after(run: Trainer, epoch: int) -> None:
    """Let the run fail in the middle of the epoch after this one."""
    step: Callable[[np.ndarray], None] = run.step

    def failing(rows: np.ndarray) -> None:
        if run.state.epoch == epoch + 1:
            step(rows)
            raise Cut
        step(rows)

    run.step = failing  # type: ignore[method-assign]


@pytest.mark.parametrize("epochs", [[1], [6], [11], [2, 9]])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: list[int]
) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    whole = trained(tmp_path / "whole")
    assert 2 < whole[2]["memorised_epoch"] < 9, "one cut lies before the memorised epoch, one after it"
    folder = tmp_path / "cut"
    folder.mkdir()
    for epoch in epochs:
        run = trainer()
        cut_after(run, epoch)
        with pytest.raises(Cut):
            run.run(folder, folder / "resume")
        torch.manual_seed(epoch)  # a new process starts with another generator
    run, began = trainer(), []
    evaluate = run._evaluate
    monkeypatch.setattr(run, "_evaluate", lambda epoch: (began.append(epoch), evaluate(epoch))[1])
    run.run(folder, folder / "resume")
    assert began == list(range(epochs[-1] + 1, 13)), "what was done is not done again"
    again = read(folder)
    assert same(whole[0], again[0])
    pd.testing.assert_frame_equal(whole[1], again[1])
    assert whole[2] == again[2]
    for name in ("last.safetensors", "memorised.safetensors", "trace.parquet", "summary.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_half_written_resume_point_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    run = trainer()
    cut_after(run, 3)
    with pytest.raises(Cut):
        run.run(tmp_path, tmp_path / "resume")
    (tmp_path / "resume" / "point.tmp").write_bytes(b"half")
    again = trainer()
    again._restore(tmp_path / "resume")
    assert again.state.epoch == 3


def test_a_damaged_resume_point_costs_the_work_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    run = trainer()
    cut_after(run, 3)
    with pytest.raises(Cut):
        run.run(tmp_path, tmp_path / "resume")
    point = tmp_path / "resume" / "point.safetensors"
    point.write_bytes(point.read_bytes()[:-100])
    again = trainer()
    again._restore(tmp_path / "resume")
    assert again.state.epoch == 0
    assert "point.safetensors" in caplog.text


def test_bf16_autocast_trains_fp32_weights(tmp_path: Path) -> None:
    config = TrainConfig(epochs=2, batch_size=4, lr=1e-3, precision="bf16")
    half, trace, _ = trained(tmp_path / "half", config=config)
    full, _, _ = trained(tmp_path / "full", config=TrainConfig(epochs=2, batch_size=4, lr=1e-3))
    assert {v.dtype for v in half.values()} == {torch.float32}
    assert np.isfinite(trace["value"]).all()
    assert not same(half, full)
    assert all(torch.allclose(half[k], full[k], atol=0.02) for k in full)


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"lr": 0.0}, {"dropout": 1.5}, {"warmup": -0.1}, {"clip_norm": 0.0}, {"precision": "fp16"},
     {"pooling": "mean"}, {"batch_size": 0}, {"weight_decay": -1.0}, {"lr": float("nan")}, {"memorised_f1": 99.3}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MemlocError, match=rf"training\.{next(iter(wrong))}"):
        TrainConfig(**wrong)
