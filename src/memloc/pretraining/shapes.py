"""The four models: stock transformers classes of one shape, from seeded random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memloc.errors import unknown_name
from memloc.pretraining.tokens import END, LONGEST_ROW, PAD, START, VOCABULARY
from memloc.training.batches import derived_seed

FAMILIES = ("bert", "opt", "gpt_neo", "gpt_neox")


@dataclass(frozen=True)
class Shape:
    """What is alike in all four."""

    layers: int = 12
    hidden: int = 128
    heads: int = 4
    vocabulary: int = VOCABULARY
    positions: int = LONGEST_ROW
    initial: float = 0.05  # standard deviation of random weights; the usual .02 is for a width of 768


def is_masked(family: str) -> bool:
    """Whether a family's objective is masked words; the others' is the next word."""
    return family == "bert"


def config_of(family: str, shape: Shape) -> Any:
    """The stock configuration of a family in a shape: tied embeddings, nothing dropped out.

    Raises:
        MemlocError: for an unknown family.
    """
    from transformers import AutoConfig

    if family not in FAMILIES:
        raise unknown_name("model family", family, FAMILIES)
    values: dict[str, Any] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "max_position_embeddings": shape.positions,
        "pad_token_id": PAD,
        "bos_token_id": START,
        "eos_token_id": END,
        "tie_word_embeddings": True,
        "use_cache": False,
        "init_std" if family == "opt" else "initializer_range": shape.initial,
    }
    wide = 4 * shape.hidden
    if family == "gpt_neo":
        kinds = [[["global", "local"], shape.layers // 2]]
        values |= {"num_layers": shape.layers, "num_heads": shape.heads, "attention_types": kinds}
        return AutoConfig.for_model(family, **values, intermediate_size=wide)
    values |= {"num_hidden_layers": shape.layers, "num_attention_heads": shape.heads}
    if family == "opt":
        return AutoConfig.for_model(family, **values, ffn_dim=wide, word_embed_proj_dim=shape.hidden, dropout=0.0)
    if family == "bert":
        values |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return AutoConfig.for_model(family, **values, intermediate_size=wide)


def build(family: str, shape: Shape, seed: int) -> nn.Module:
    """A model with its language-model head, in training mode; the caller's random state stays as it was."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if is_masked(family) else AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed("pretraining weights", seed))
        return kind.from_config(config_of(family, shape)).train()
