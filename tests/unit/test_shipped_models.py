"""The four shipped models: alike in everything but architecture and objective, readable, and told about."""

from __future__ import annotations

import json

import pytest
import torch

from memloc.models.backbone import build_backbone
from memloc.models.catalogue import get_model, locate
from memloc.models.tokenizer import load_tokenizer
from memloc.publishing.reading_pretraining import RANDOM, shipped_models

NAMES = ["nano-bert", "nano-opt", "nano-gpt-neo", "nano-gpt-neox"]


def test_the_four_are_in_the_package_and_saw_the_same() -> None:
    models = shipped_models()
    assert [model.spec.name for model in models] == NAMES
    assert len({model.spec.family for model in models}) == 4
    assert len({(model.spec.layers, model.spec.hidden) for model in models}) == 1
    assert len({model.held_out()[0] for model in models}) == 1, "not the same number of tokens"
    sizes = [model.parameters for model in models]
    assert max(sizes) < 1.05 * min(sizes)
    words = [json.loads((model.folder / "tokenizer.json").read_text())["model"]["vocab"] for model in models]
    assert all(found == words[0] for found in words[1:]), "tokenizers differ"


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_without_a_word_and_is_more_than_its_random_twin(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = get_model(name)
    backbone, drawn = build_backbone(spec), build_backbone(get_model(f"{name}{RANDOM}"))
    assert capfd.readouterr() == ("", "")
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}
    weights, others = backbone.state_dict(), drawn.state_dict()
    assert {key: t.shape for key, t in weights.items()} == {key: t.shape for key, t in others.items()}
    assert sum(not torch.allclose(weights[key], others[key], atol=0.05) for key in weights) > 6 * spec.layers
    tokenizer = load_tokenizer(locate(spec), spec.architecture)
    assert len(tokenizer.encode(["the old man went home"], 64)) < 12, "common words are in pieces"


@pytest.mark.parametrize("name", NAMES)
def test_its_card_says_what_a_user_must_know(name: str) -> None:
    card = (locate(get_model(name)) / "README.md").read_text()
    for told in ("held-out loss", "licence", "Limits", "| wordnet-base |", "twelve\ntasks"):
        assert told in card, told
