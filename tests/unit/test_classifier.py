"""Parts, freezing, pooling, heads and saved tensors of a classifier, for every family."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import CLASSES, FAMILIES, classifier, encoded, shake, spec
from torch.nn import functional
from transformers import AutoConfig, AutoModel, OPTConfig, OPTModel

from memloc.errors import MemlocError
from memloc.models.backbone import build_backbone
from memloc.models.catalogue import ModelSpec
from memloc.models.classifier import Classifier, build_classifier
from memloc.models.families import get_family
from memloc.training.loop import trained_parts


def gradients(model: Classifier, head: str = "main") -> set[str]:
    """The parts in which any parameter got a gradient, and those in which every one did."""
    model.zero_grad(set_to_none=True)
    ids, mask = encoded(n=5, lengths=(3, 8)).tensors(range(5))
    functional.cross_entropy(model(ids, mask, head), torch.tensor([0, 1, 1, 0, 1])).backward()
    touched = set()
    for name, modules in model.parts().items():
        got = [p.grad is not None for module in modules for p in module.parameters()]
        assert not got or all(got) or not any(got), f"{name} is half frozen"
        touched |= {name} if got and all(got) else set()
    return touched


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_lies_in_exactly_one_part(family: str) -> None:
    model = classifier(family)
    owned = [id(p) for modules in model.parts().values() for module in modules for p in module.parameters()]
    unaddressed = {n for n, p in model.named_parameters() if id(p) not in owned}
    assert not unaddressed
    assert len(owned) == len(set(owned))


@pytest.mark.parametrize("family", FAMILIES)
def test_exactly_the_parts_asked_for_get_gradients(family: str) -> None:
    model = classifier(family)
    final = {"final"} if model.parts()["final"] else set()
    for wanted in ({"layer.2"}, {"layer.1", "head.main"}, {"head.main"}, {"layer.1", "layer.3"}):
        model.set_trainable(wanted)
        assert gradients(model) == wanted
    model.set_trainable(trained_parts(model))
    assert gradients(model) == {"layer.1", "layer.2", "layer.3", "head.main"} | final
    assert all(not p.requires_grad for module in model.parts()["embeddings"] for p in module.parameters())


def test_freezing_an_unknown_part_is_refused() -> None:
    with pytest.raises(MemlocError, match=r"part of the model: \['layer.4'\]; accepted: embeddings, layer.1"):
        classifier().set_trainable(["layer.4", "layer.1"])


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_numbered_from_one(family: str) -> None:
    model = classifier(family)
    modules = list(model.backbone.get_submodule(model.family.layers))  # type: ignore[arg-type]
    assert [model.layer(n) for n in (1, 2, 3)] == modules
    for wrong in (0, 4, -1):
        with pytest.raises(MemlocError, match=f"layer: {wrong}; accepted: 1 to 3"):
            model.layer(wrong)


def test_pooling_with_padding() -> None:
    hidden = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    encoder, decoder = classifier("bert"), classifier("opt")
    assert torch.equal(encoder.pool(hidden, mask), hidden[:, 0])
    assert torch.equal(encoder.pool(hidden, mask, "last_column"), hidden[:, 0])
    assert torch.equal(decoder.pool(hidden, mask), torch.stack([hidden[0, 1], hidden[1, 3]]))
    assert torch.equal(decoder.pool(hidden, mask, "last_column"), hidden[:, 3])


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_does_not_change_an_example(family: str) -> None:
    model, data = classifier(family), encoded(n=5)
    with torch.inference_mode():
        together = model(*data.tensors(range(5)))
        alone = torch.cat([model(*data.tensors([row])) for row in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_heads_have_their_own_seed_and_a_second_head_its_own_weights() -> None:
    first, again, other = (build_classifier(spec(), {"main": 2, "extra": 4}, head_seed=s) for s in (1, 1, 2))
    assert torch.equal(first.heads["main"].weight, again.heads["main"].weight)
    assert not torch.equal(first.heads["main"].weight, other.heads["main"].weight)
    assert torch.equal(first.layer(1).state_dict()["attention.self.query.weight"],
                       other.layer(1).state_dict()["attention.self.query.weight"])  # fmt: skip
    assert first.heads["main"].bias.abs().sum() == 0
    ids, mask = encoded(n=2).tensors([0, 1])
    assert first(ids, mask).shape == (2, 2)
    assert first(ids, mask, head="extra").shape == (2, 4)
    first.set_trainable(["layer.3", "head.extra"])
    assert gradients(first, "extra") == {"layer.3", "head.extra"}


def test_the_head_start_is_small_and_normal() -> None:
    weight = build_classifier(spec(hidden=64), {"main": 500}).heads["main"].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_a_twin_shares_the_embeddings_and_nothing_else() -> None:
    model = classifier("opt")
    twin = model.twin()
    mine, its = dict(model.named_parameters()), dict(twin.named_parameters())
    shared = {name for name in mine if mine[name].data_ptr() == its[name].data_ptr()}
    assert shared == {"backbone.decoder.embed_tokens.weight", "backbone.decoder.embed_positions.weight"}
    before = {name: p.clone() for name, p in mine.items()}
    shake(twin, 5)
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_parts_bring_the_answers_back(family: str) -> None:
    model, data = classifier(family), encoded(n=4)
    state = {k: v.clone() for k, v in model.part_state(trained_parts(model)).items()}
    with torch.inference_mode():
        before = model(*data.tensors(range(4)))
        shake(model, 9)
        assert not torch.allclose(model(*data.tensors(range(4))), before)
        model.load_parts(state)
        assert torch.equal(model(*data.tensors(range(4))), before)


def test_loading_only_named_parts_leaves_the_others() -> None:
    model, other = classifier(seed=0), classifier(seed=1)
    before = {k: v.clone() for k, v in model.part_state(["layer.1", "layer.2"]).items()}
    model.load_parts(other.part_state(trained_parts(other)), ["layer.2"])
    after = model.part_state(["layer.1", "layer.2"])
    assert all(torch.equal(before[k], after[k]) == k.startswith("layer.1/") for k in before if "LayerNorm" not in k)


def test_tensors_that_do_not_fit_are_refused() -> None:
    model = classifier()
    state = dict(model.part_state(["layer.1", "head.main"]))
    missing = {k: v for k, v in state.items() if k != "head.main/0/bias"}
    with pytest.raises(MemlocError, match=r"tensors of a checkpoint: \['head.main/0/bias'\]"):
        model.load_parts(missing)
    with pytest.raises(MemlocError, match=r"tensors of a checkpoint: \['head.main/0/more'\]"):
        model.load_parts({**state, "head.main/0/more": torch.zeros(1)})
    with pytest.raises(MemlocError, match=r"shape of head.main/0/bias: \(7,\); accepted: \(3,\)"):
        model.load_parts({**state, "head.main/0/bias": torch.zeros(7)})
    with pytest.raises(MemlocError, match=r"part of the model: \['layer.9'\]"):
        model.load_parts({"layer.9/0/weight": torch.zeros(1)})


def test_built_in_weights_are_one_start_for_all_and_leave_the_generator_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first = build_backbone(spec())
    assert torch.equal(torch.rand(3), expected)
    again = build_backbone(spec())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def folder_spec(path: Path, family: str = "bert", **changes: int) -> ModelSpec:
    shape = {"layers": 2, "hidden": 16} | changes
    return ModelSpec(name="saved", title="saved", family=family, source="folder", location=str(path), **shape)  # type: ignore[arg-type]


def small_bert(**changes: object) -> torch.nn.Module:
    config = AutoConfig.for_model(
        "bert", vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return AutoModel.from_config(config, **changes)


def test_half_precision_checkpoints_are_loaded_as_float32(tmp_path: Path) -> None:
    small_bert(add_pooling_layer=False).half().save_pretrained(tmp_path)
    model = build_classifier(folder_spec(tmp_path), {"main": 2})
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.long))).all()


def test_the_pooler_is_left_out(tmp_path: Path) -> None:
    small_bert().save_pretrained(tmp_path)
    assert not [name for name, _ in build_backbone(folder_spec(tmp_path)).named_parameters() if "pooler" in name]


def test_pickled_weights_are_never_loaded(tmp_path: Path) -> None:
    model = small_bert()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(MemlocError, match=r"a folder with config.json and model.safetensors"):
        build_backbone(folder_spec(tmp_path))


def test_a_broken_checkpoint_is_told(tmp_path: Path) -> None:
    model = small_bert()
    model.save_pretrained(
        tmp_path, state_dict={k: v for k, v in model.state_dict().items() if "layer.1.output" not in k}
    )
    with pytest.raises(MemlocError, match=r"weights of model saved: 'no encoder.layer.1.output.*a checkpoint with all"):
        build_backbone(folder_spec(tmp_path))
    small_bert().save_pretrained(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MemlocError, match="weights of model saved"):
        build_backbone(folder_spec(tmp_path))


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    small_bert().save_pretrained(tmp_path)
    with pytest.raises(MemlocError, match=r"layers and hidden size of model saved: \(2, 16\); accepted: \(3, 16\)"):
        build_backbone(folder_spec(tmp_path, layers=3))


def test_projections_of_opt_350m_are_part_of_embeddings_and_end() -> None:
    config = OPTConfig(
        vocab_size=2048,
        hidden_size=16,
        word_embed_proj_dim=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=32,
        do_layer_norm_before=False,
    )
    model = Classifier(OPTModel(config), get_family("opt"), {"main": CLASSES})
    assert [type(m).__name__ for m in model.parts()["final"]] == ["Linear"]
    assert len(model.parts()["embeddings"]) == 3
    assert model(*encoded(n=3).tensors(range(3))).shape == (3, CLASSES)
