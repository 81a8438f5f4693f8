"""The swapping engine against what it stands for: every mixed model, built and run whole, one example at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import CLASSES, FAMILIES, classifier, encoded, pair, profile, shake, spec
from torch import Tensor
from transformers import AutoConfig, AutoModel

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.models.families import get_family
from memloc.pipeline import CellId, Experiment
from memloc.techniques import layerwise
from memloc.techniques.base import Cell, get_technique
from memloc.techniques.layerwise import apply_layer, only_token, record
from memloc.techniques.swapping import summarise, swap_logits, swap_predictions, windows
from memloc.training.batches import Encoded
from memloc.training.evaluate import predict


def mixed_model(perturbed: Classifier, normal: Classifier, window: tuple[int, int]) -> Classifier:
    """The perturbed model with the window's layers loaded from the normal one."""
    start, length = window
    mixed = perturbed.twin()
    mixed.load_parts(normal.part_state([f"layer.{n}" for n in range(start, start + length)]))
    return mixed.eval()


@torch.inference_mode()
def reference(perturbed: Classifier, normal: Classifier, data: Encoded) -> Tensor:
    """Logits [windows, N, C], nothing shared between windows or examples, no padding."""
    answers = []
    for window in windows(perturbed.num_layers):
        mixed = mixed_model(perturbed, normal, window)
        answers.append(torch.cat([mixed(*data.tensors([row])) for row in range(len(data))]))
    return torch.stack(answers)


def check(perturbed: Classifier, normal: Classifier, data: Encoded, tokens: int = 40) -> None:
    expected = reference(perturbed, normal, data)
    rows = np.arange(len(data))
    torch.testing.assert_close(swap_logits(perturbed, normal, *data.tensors(rows)), expected, atol=2e-5, rtol=1e-5)
    predicted = swap_predictions(perturbed, normal, data, tokens)
    np.testing.assert_array_equal(predicted, expected.argmax(dim=-1).numpy())
    # every window is a model of its own here, or the comparison would show little
    assert len(torch.unique(expected[:, 0].round(decimals=4), dim=0)) == len(windows(perturbed.num_layers))


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_mixed_models_on_every_window(family: str) -> None:
    check(*pair(family, layers=3), encoded(n=7))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_treats_only_the_classified_token_by_itself(family: str) -> None:
    model = classifier(family)
    ids, mask = encoded(n=3, lengths=(6, 9)).tensors(range(3))
    recording, token = record(model, ids, mask), model.pooled_token(mask)
    last = model.num_layers
    whole = apply_layer(model, last, recording.inputs[-1].repeat(2, 1, 1), recording)
    seen: list[int] = []

    def count(_module: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0].numel() // args[0].shape[-1])

    with only_token(model, last, token):
        for block in model.family.tokenwise:
            model.layer(last).get_submodule(block.split(" ... ")[0]).register_forward_pre_hook(count)
        found = apply_layer(model, last, recording.inputs[-1].repeat(2, 1, 1), recording)
    assert seen == [6, 6]  # attention and feed-forward, two variants of three examples
    for variant in (slice(0, 3), slice(3, 6)):
        torch.testing.assert_close(model.pool(found[variant], mask), model.pool(whole[variant], mask))


def test_a_layer_on_a_cpu_takes_few_tokens_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    ids, mask = encoded(n=3, lengths=(6, 9)).tensors(range(3))
    recording = record(model, ids, mask)
    states = torch.cat([recording.inputs[1] + i for i in range(5)])
    whole = apply_layer(model, 2, states, recording)
    seen: list[int] = []
    model.layer(2).register_forward_pre_hook(lambda _module, args: seen.append(len(args[0])))
    monkeypatch.setattr(layerwise, "TOKENS_AT_ONCE", 2 * 3 * mask.shape[1])
    torch.testing.assert_close(apply_layer(model, 2, states, recording), whole)
    assert seen == [6, 6, 3]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_equals_the_mixed_models_without_padding(family: str, n: int) -> None:
    # five rows of five tokens: the batch axis must not be taken for the one of positions
    check(*pair(family, layers=2), encoded(n=n, lengths=(5, 5)))


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox"])
def test_equals_the_mixed_models_of_twelve_layers(family: str) -> None:
    perturbed, normal = pair(family, layers=12)
    data = encoded(n=3, lengths=(3, 6))
    expected = reference(perturbed, normal, data)
    got = swap_logits(perturbed, normal, *data.tensors([0, 1, 2]))
    assert len(got) == 78
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(swap_predictions(perturbed, normal, data), expected.argmax(-1).numpy())


def gpt_neo(window_size: int) -> Classifier:
    config = AutoConfig.for_model(
        "gpt_neo",
        vocab_size=2048,
        hidden_size=16,
        num_layers=4,
        num_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        attention_types=[[["global", "local"], 2]],
        window_size=window_size,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = AutoModel.from_config(config)
    return shake(Classifier(backbone, get_family("gpt_neo"), {"main": CLASSES}), 3)


def test_local_attention_shorter_than_the_text() -> None:
    data = encoded(n=5, lengths=(9, 14))
    perturbed = gpt_neo(window_size=3)
    check(perturbed, shake(perturbed.twin(), 4), data)
    with torch.inference_mode():
        everywhere = gpt_neo(window_size=64)(*data.tensors([0]))
        assert not torch.allclose(perturbed(*data.tensors([0])), everywhere), "the window must be felt"


@pytest.mark.parametrize("family", FAMILIES)
def test_swapping_a_model_with_itself_changes_nothing(family: str) -> None:
    model, data = classifier(family), encoded()
    logits = swap_logits(model, model.twin(), *data.tensors(range(len(data))))
    # not to the bit: a matrix product of more rows may add up in another order
    torch.testing.assert_close(logits, logits[:1].expand_as(logits), atol=1e-5, rtol=1e-5)
    predicted = swap_predictions(model, model, data)
    expected = predict(model, data, data.given).predicted
    np.testing.assert_array_equal(predicted, np.tile(expected, (len(predicted), 1)))


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox"])
def test_all_layers_swapped_is_the_normal_model_under_the_perturbed_head(family: str) -> None:
    (perturbed, normal), data = pair(family), encoded()
    other_way = normal.twin().eval()
    other_way.load_parts(perturbed.part_state(["final", "head.main"]))
    batch = data.tensors(range(len(data)))
    with torch.inference_mode():
        expected = other_way(*batch)
    logits = swap_logits(perturbed, normal, *batch)[windows(3).index((1, 3))]
    torch.testing.assert_close(logits, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "gpt_neox"])
@pytest.mark.parametrize("planted", [1, 2, 4])
def test_a_difference_in_one_layer_shows_in_the_windows_that_hold_it_and_no_other(family: str, planted: int) -> None:
    perturbed, data = classifier(family, layers=4), encoded()
    normal = shake(perturbed.twin(), 1, [f"layer.{planted}"])
    batch = data.tensors(range(len(data)))
    with torch.inference_mode():
        untouched = perturbed(*batch)
    for (start, length), logits in zip(windows(4), swap_logits(perturbed, normal, *batch), strict=True):
        changed = not torch.allclose(logits, untouched, atol=1e-4)
        assert changed == (start <= planted < start + length), (start, length)


@pytest.mark.parametrize("tokens", [1, 9, 37, 4096])
def test_the_size_of_batches_changes_no_result(tokens: int) -> None:
    perturbed, normal = pair("opt")
    data = encoded(n=11)
    expected = swap_predictions(perturbed, normal, data, tokens=64)
    np.testing.assert_array_equal(swap_predictions(perturbed, normal, data, tokens=tokens), expected)


def test_last_column_pooling_reads_the_padding_as_published() -> None:
    (perturbed, normal), data = pair("opt"), encoded()
    batch = data.tensors(range(len(data)))
    with torch.inference_mode():
        expected = torch.stack([mixed_model(perturbed, normal, w)(*batch, pooling="last_column") for w in windows(3)])
    got = swap_logits(perturbed, normal, *batch, pooling="last_column")
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-5)
    assert not torch.allclose(got, swap_logits(perturbed, normal, *batch))


def test_models_of_different_depth_are_refused() -> None:
    with pytest.raises(MemlocError, match="layers of the normal model: 2; accepted: 3"):
        swap_predictions(classifier(layers=3), classifier(layers=2), encoded())


def test_windows() -> None:
    assert windows(3) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1)]
    assert (len(windows(12)), len(windows(24))) == (78, 300)


def test_rows_and_outcomes_count_the_given_labels() -> None:
    data = encoded(n=6)
    predicted = np.stack([data.given, data.label, (data.given + 1) % CLASSES])
    result = summarise(predicted, windows(2), data)
    accuracy = result.rows.set_index(["window_start", "window_length", "group"])["value"]
    assert accuracy[1, 1].to_dict() == {"noisy": 1.0, "clean": 1.0}
    assert accuracy[1, 2].to_dict() == {"noisy": 0.0, "clean": 1.0}
    assert accuracy[2, 1].to_dict() == {"noisy": 0.0, "clean": 0.0}
    assert result.rows.set_index("group")["n"].to_dict() == {"noisy": 2, "clean": 4}
    assert set(result.details) == {"outcomes"}
    outcomes = result.details["outcomes"]
    first = outcomes[(outcomes.window_start == 1) & (outcomes.window_length == 2)]
    assert first["idx"].tolist() == data.idx.tolist()
    assert first["correct"].tolist() == (~data.noisy).tolist()


def test_the_technique_takes_its_arms_from_the_cell() -> None:
    arms = dict(zip(("perturbed", "normal"), pair("bert", layers=2), strict=True))
    cell = Cell("key", "task", spec().name, 1, 3, encoded(), arms.__getitem__, tuple(arms))
    result = get_technique("swapping").run(cell, {"tokens": 64})
    assert set(result.rows["arm"]) == {"perturbed"}
    assert len(result.rows) == 3 * 2


def test_short_windows_alone_are_those_of_all_windows() -> None:
    arms = dict(zip(("perturbed", "normal"), pair("gpt_neo", layers=3), strict=True))
    cell = Cell("key", "task", spec().name, 1, 3, encoded(), arms.__getitem__, tuple(arms))
    whole = get_technique("swapping").run(cell, {"tokens": 64}).rows
    for longest in (1, 2):
        short = get_technique("swapping").run(cell, {"tokens": 64, "longest": longest}).rows
        expected = whole[whole["window_length"] <= longest].reset_index(drop=True)
        assert short.astype(object).equals(expected.astype(object))


def test_a_setting_that_came_later_is_in_a_key_where_it_is_no_default() -> None:
    cell = CellId("gen-cue-2a", "micro-bert", 1)
    configs = [
        Experiment(profile(techniques={"swapping": {"longest": n}})).technique_config(cell, "swapping") for n in (0, 1)
    ]
    assert [config["settings"] for config in configs] == [{"tokens": 1024}, {"tokens": 1024, "longest": 1}]
