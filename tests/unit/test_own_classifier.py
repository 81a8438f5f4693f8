"""Own checkpoints keep their own logits, whatever their head, pooling, tokenizer and pair encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_world import END, KINDS, PAD, saved, sentences, stock
from tiny import shake

from memloc.own.checkpoints import find
from memloc.own.classifier import OwnClassifier
from memloc.own.loading import load
from memloc.own.table import encode_own, read_table
from memloc.techniques.swapping import swap_logits, windows
from memloc.training.batches import Encoded


def ours(folder: Path, data: Path, **options: Any) -> tuple[OwnClassifier, Encoded]:
    found = find(folder)
    table = read_table(data, found.config.label2id, found.config.num_labels)
    made = encode_own(table, found.config, found.tokenizer, **options)
    return load(found, made.types), made.data


@torch.inference_mode()
def theirs(model: Any, words: Any, *texts: list[str]) -> torch.Tensor:
    return model(**words(*texts, padding=True, return_tensors="pt")).logits


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_checkpoints_own_on_padded_batches(kind: str, pairs: bool, tmp_path: Path) -> None:
    model = stock(kind)
    saved(model, kind, tmp_path / "model")
    frame = sentences(9, pairs=pairs)
    frame.to_csv(tmp_path / "data.csv", index=False)
    classifier, data = ours(tmp_path / "model", tmp_path / "data.csv")
    assert len(set(data.lengths)) > 1, "some rows must be padded"
    columns = [frame[c].tolist() for c in (["text_a", "text_b"] if pairs else ["text"])]
    expected = theirs(model, find(tmp_path / "model").tokenizer, *columns)
    with torch.inference_mode():
        got = classifier(*data.tensors(range(len(data))))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert got.std(dim=0).min() > 1e-3, "examples must differ, or the comparison shows little"


def test_the_types_of_a_pair_are_felt(tmp_path: Path) -> None:
    saved(stock("bert"), "bert", tmp_path / "model")
    sentences(5, pairs=True).to_csv(tmp_path / "data.csv", index=False)
    classifier, data = ours(tmp_path / "model", tmp_path / "data.csv")
    ids, mask = data.tensors(range(5))
    with torch.inference_mode():
        assert not torch.allclose(classifier(ids, mask), classifier(ids % classifier.vocabulary, mask), atol=1e-4)


@pytest.mark.parametrize("kind", ["opt", "llama"])
def test_padding_that_is_the_end_of_a_text_too(kind: str, tmp_path: Path) -> None:
    """A pad id that equals the end of text, which the tokenizer writes: stock models then classify the token before."""
    model = stock(kind, pad_token_id=END)
    saved(model, kind, tmp_path / "model")
    frame = sentences(6)
    frame.to_csv(tmp_path / "data.csv", index=False)
    words = find(tmp_path / "model").tokenizer
    words.pad_token = "</s>"
    words.save_pretrained(tmp_path / "model")
    classifier, data = ours(tmp_path / "model", tmp_path / "data.csv")
    expected = theirs(model, words, frame["text"].tolist())
    with torch.inference_mode():
        got = classifier(*data.tensors(range(len(data))))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    if kind == "llama":
        assert all(ids[-1] != END for ids in data.ids)


def test_a_model_without_padding_classifies_the_last_token(tmp_path: Path) -> None:
    model = stock("gpt2", pad_token_id=None)
    saved(model, "gpt2", tmp_path / "model")
    frame = sentences(5)
    frame.to_csv(tmp_path / "data.csv", index=False)
    classifier, data = ours(tmp_path / "model", tmp_path / "data.csv")
    expected = torch.cat([theirs(model, find(tmp_path / "model").tokenizer, [text]) for text in frame["text"]])
    with torch.inference_mode():
        torch.testing.assert_close(classifier(*data.tensors(range(5))), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_swapping_equals_the_mixed_stock_models(kind: str, tmp_path: Path) -> None:
    saved(stock(kind, layers=3), kind, tmp_path / "model")
    sentences(5, pairs=True).to_csv(tmp_path / "data.csv", index=False)
    perturbed, data = ours(tmp_path / "model", tmp_path / "data.csv")
    normal = shake(perturbed.twin(), 1)
    batch = data.tensors(range(len(data)))
    expected = []
    for start, length in windows(3):
        mixed = perturbed.twin().eval()
        mixed.load_parts(normal.part_state([f"layer.{n}" for n in range(start, start + length)]))
        with torch.inference_mode():  # the whole stock model, its head included
            ids, mask = batch
            kinds = {"token_type_ids": ids // 40} if mixed.types else {}
            expected.append(mixed.checkpoint(input_ids=ids % 40, attention_mask=mask, **kinds).logits)
    got = swap_logits(perturbed, normal, *batch)
    torch.testing.assert_close(got, torch.stack(expected), atol=2e-5, rtol=1e-5)
    assert len(torch.unique(got[:, 0].round(decimals=4), dim=0)) == len(windows(3))


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_belongs_to_one_part(kind: str, tmp_path: Path) -> None:
    model = OwnClassifier(stock(kind))
    names = [f"{part}/{key}" for part in model.parts() for key in model.part_state([part])]
    assert len(names) == len(set(names))
    parts = {id(p) for modules in model.parts().values() for m in modules for p in m.parameters()}
    assert parts == {id(p) for p in model.parameters()}
    model.set_trainable(["head.main"])
    trained = {n for n, p in model.checkpoint.named_parameters() if p.requires_grad}
    assert trained
    assert all(n.split(".")[0] in ("score", "classifier") or ".pooler." in n for n in trained)
    assert not any(
        p is q for p, q in zip(model.parameters(), model.twin().parameters(), strict=True) if p.requires_grad
    )


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_families_that_are_laid_out_alike(kind: str) -> None:
    model = stock(kind)
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, PAD, PAD]])
    mask = (ids != PAD).long()
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(OwnClassifier(model)(ids, mask), expected, atol=1e-5, rtol=1e-5)


def test_ids_of_padding_are_the_models(tmp_path: Path) -> None:
    saved(stock("roberta"), "roberta", tmp_path / "model")
    sentences(4).to_csv(tmp_path / "data.csv", index=False)
    _, data = ours(tmp_path / "model", tmp_path / "data.csv")
    assert data.pad_id == PAD
    np.testing.assert_array_equal(data.noisy, [True, False, False, False])
