"""Faster ways to the same weights: the package's loop against the plain one, stored states against the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.training import part, plain_training
from benchmarks.world import Shape, build
from safetensors.torch import load_file
from tiny import CLASSES, FAMILIES, encoded, spec
from torch import Tensor

from memloc import tables
from memloc.config import TrainConfig
from memloc.models.backbone import build_backbone
from memloc.models.classifier import Classifier, build_classifier
from memloc.models.families import get_family
from memloc.training import evaluate, loop
from memloc.training.batches import training_order
from memloc.training.cached import final_states, is_constant
from memloc.training.loop import Plan, Trainer, trained_parts

CONFIG = TrainConfig(epochs=3, batch_size=8, lr=1e-3, dropout=0.0)


def fresh(family: str = "bert", layers: int = 2) -> Classifier:
    return build_classifier(spec(family, layers), {"main": CLASSES}, head_seed=1)


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox"])
@pytest.mark.parametrize("as_published", [True, False])
def test_equals_the_plain_loop_under_the_same_order(tmp_path: Path, family: str, as_published: bool) -> None:
    start, data, validation = fresh(family), encoded(21), encoded(6, seed=9)
    orders = [training_order(data.lengths, 8, 1, epoch) for epoch in (1, 2, 3)]
    plain = plain_training(start, data, validation, CONFIG, 1, orders, as_published)
    model = start.twin()
    run = Trainer(model, data, validation, CONFIG, 1, Plan(trained_parts(model), data.given))
    run.run(tmp_path, tmp_path / "none")
    ours = load_file(tmp_path / "last.safetensors")
    assert ours.keys() == plain.weights.keys()
    before = start.part_state(trained_parts(start))
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, plain.weights[name], atol=1e-5, rtol=1e-5, msg=name)
    moved = max(float((ours[name] - before[name]).abs().max()) for name in ours)
    assert moved > 1e-3, "much more than the tolerance"
    trace = tables.read(tmp_path / "trace.parquet", tables.TRACE)
    losses = trace[(trace.split == "train") & (trace.group == "all") & (trace.metric == "loss")]["value"]
    np.testing.assert_allclose(losses, plain.loss, atol=1e-5)


def test_the_benchmark_measures_both_sides_on_the_same_settings() -> None:
    from benchmarks.training import sides

    world = build(Shape("micro-bert", rows=48), torch.device("cpu"))
    both = sides(world)
    plain, ours = both.plain(), both.ours()
    assert both.difference(plain, ours) < 0.05, "orders differ, so weights do, but not what is learnt"
    assert both.difference(plain, plain) == 0
    assert plain.weights.keys() == ours.weights.keys()
    assert len(part(world.data, 5)) == 5


# -- the frozen arm on stored states -------------------------------------------------------------------------------


def frozen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stored: bool, family: str, config: TrainConfig
) -> tuple[dict[str, Tensor], Any, int]:
    """Weights, trace and how many times the backbone ran."""
    folder.mkdir(parents=True)
    model, data = fresh(family), encoded(20)
    passes = []
    model.backbone.register_forward_hook(lambda *_: passes.append(1))
    with monkeypatch.context() as patch:
        if not stored:
            patch.setattr(loop, "is_constant", lambda *_: False)
        Trainer(model, data, encoded(6, seed=9), config, 1, Plan(["head.main"], data.given)).run(
            folder, folder / "none"
        )
    return load_file(folder / "last.safetensors"), tables.read(folder / "trace.parquet", tables.TRACE), len(passes)


@pytest.mark.parametrize("family", FAMILIES)
def test_stored_states_train_the_same_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    config = TrainConfig(epochs=6, batch_size=8, lr=1e-2, dropout=0.0)
    one, trace, few = frozen(tmp_path / "stored", monkeypatch, True, family, config)
    other, trace_other, many = frozen(tmp_path / "plain", monkeypatch, False, family, config)
    assert few <= 2 + 2 < 6 * 3 <= many, "both splits once, and a look in both modes"
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-5, rtol=1e-5)
        assert not torch.equal(tensor, fresh(family).part_state(["head.main"])[name])
    np.testing.assert_allclose(trace["value"], trace_other["value"], atol=1e-5)
    assert trace.drop(columns="value").equals(trace_other.drop(columns="value"))


@pytest.mark.parametrize("family", ["bert", "gpt_neox"])
def test_the_heads_own_dropout_is_the_same_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    config = TrainConfig(epochs=4, batch_size=8, lr=1e-2, dropout=0.3)
    one, _, few = frozen(tmp_path / "stored", monkeypatch, True, family, config)
    other, _, many = frozen(tmp_path / "plain", monkeypatch, False, family, config)
    without, _, _ = frozen(
        tmp_path / "none", monkeypatch, True, family, TrainConfig(**{**config.__dict__, "dropout": 0})
    )
    assert few < many
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(tensor, without[name], atol=1e-4)


def test_a_stored_run_that_was_cut_off_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    config = TrainConfig(epochs=5, batch_size=8, lr=1e-2)

    def run() -> Trainer:
        model, data = fresh(), encoded(20)
        return Trainer(model, data, encoded(6, seed=9), config, 1, Plan(["head.main"], data.given))

    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    run().run(tmp_path / "whole", tmp_path / "whole" / "resume")
    first = run()
    step = first.step
    monkeypatch.setattr(first, "step", lambda rows: step(rows) if first.state.epoch < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        first.run(tmp_path / "cut", tmp_path / "cut" / "resume")
    run().run(tmp_path / "cut", tmp_path / "cut" / "resume")
    for name in ("last.safetensors", "trace.parquet"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def dropping(family: str, **config: float) -> Classifier:
    """A model whose backbone has dropout of its own, as a stock checkpoint may."""
    backbone = build_backbone(spec(family, 2))
    shape = backbone.config.to_dict() | config
    from transformers import AutoModel

    changed: Any = AutoModel.from_config(type(backbone.config)(**shape))
    changed.load_state_dict(backbone.state_dict(), strict=False)
    return Classifier(changed, get_family(family), {"main": CLASSES})


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("bert", {"hidden_dropout_prob": 0.1}),
        ("bert", {"attention_probs_dropout_prob": 0.1}),
        ("opt", {"dropout": 0.1}),
        ("opt", {"layerdrop": 0.05}),
        ("gpt_neo", {"resid_dropout": 0.1}),
        ("gpt_neox", {"hidden_dropout": 0.01}),
    ],
)
def test_a_backbone_that_drops_out_is_left_as_it_is(family: str, config: dict[str, float]) -> None:
    model, data = dropping(family, **config), encoded(20)
    assert not is_constant(model, ["head.main"], data, CONFIG)
    assert is_constant(fresh(family), ["head.main"], data, CONFIG)


def test_when_states_may_be_stored() -> None:
    data, model = encoded(20), fresh()
    assert is_constant(model, ["head.main"], data, CONFIG)
    assert not is_constant(model, ["layer.2", "head.main"], data, CONFIG)
    assert not is_constant(model, ["head.main"], data, TrainConfig(precision="bf16"))
    assert is_constant(model, ["head.main"], data, TrainConfig(pooling="last_column")), "BERT has no last column"
    assert not is_constant(fresh("opt"), ["head.main"], data, TrainConfig(pooling="last_column"))


def test_looking_changes_neither_mode_nor_random_numbers() -> None:
    for training in (True, False):
        model = dropping("bert", hidden_dropout_prob=0.5).train(training)
        before = torch.get_rng_state()
        is_constant(model, ["head.main"], encoded(20), CONFIG)
        assert torch.equal(before, torch.get_rng_state())
        assert model.training == training


def test_stored_states_are_those_of_each_example_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_fits", {"tokens": 20})
    for family in FAMILIES:
        model, data = fresh(family).train(), encoded(9)
        states = final_states(model, data)
        assert model.training
        with torch.inference_mode():
            model.eval()
            alone = torch.cat([model.pool(model.hidden(*(b := data.tensors([n]))), b[1]) for n in range(9)])
        torch.testing.assert_close(states, alone, atol=1e-5, rtol=1e-5)
