"""Stock transformers models of catalogue entries: from safetensors, or a shape of ours with seeded random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from memloc.errors import MemlocError
from memloc.models.catalogue import ModelSpec, locate
from memloc.models.quiet import quietly
from memloc.models.tokenizer import HASH_VOCABULARY, PAD

BUILTIN_SEED = 0
BUILTIN_POSITIONS = 512


def build_backbone(spec: ModelSpec) -> nn.Module:
    """The stock transformers model of a catalogue entry, in fp32.

    Random weights come from a fixed seed: "pretrained" means the same start for every run.

    Raises:
        MemlocError: if the checkpoint's shape is not the entry's.
    """
    from transformers import AutoConfig

    if spec.source == "builtin":
        model = _from_nothing(AutoConfig.for_model(spec.architecture.model_type, **_builtin_shape(spec)), spec)
    elif spec.random:
        model = _from_nothing(AutoConfig.from_pretrained(locate(spec), local_files_only=True), spec)
    else:
        model = _load_checkpoint(locate(spec), spec)
    shape = (model.get_submodule(spec.architecture.layers).__len__(), model.config.hidden_size)
    if shape != (spec.layers, spec.hidden):
        raise MemlocError(f"layers and hidden size of model {spec.name}", shape, f"{(spec.layers, spec.hidden)}")
    return model


def _from_nothing(config: Any, spec: ModelSpec) -> Any:
    """Random weights in fp32, the same at every call; the caller's random state stays as it was."""
    from transformers import AutoModel

    config.dtype = torch.float32  # a checkpoint's configuration may say half precision
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(BUILTIN_SEED)
        model = AutoModel.from_config(config, **_without_pooler(spec))
    return model.float()


def _load_checkpoint(folder: Path, spec: ModelSpec) -> nn.Module:
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        with quietly():
            model, told = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,  # transformers keeps a checkpoint's dtype, and an fp32 head crashes on fp16 states
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **_without_pooler(spec),
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise MemlocError(f"weights of model {spec.name}", str(folder), "a readable safetensors checkpoint") from error
    if missing := sorted(told["missing_keys"]):  # transformers would go on with random weights there
        raise MemlocError(f"weights of model {spec.name}", f"no {missing[0]}", "a checkpoint with all weights")
    return model


def _without_pooler(spec: ModelSpec) -> dict[str, Any]:
    return {"add_pooling_layer": False} if spec.architecture.model_type in ("bert", "roberta") else {}


def _builtin_shape(spec: ModelSpec) -> dict[str, Any]:
    """Each architecture's own words for the same shape."""
    shape: dict[str, Any] = {
        "vocab_size": HASH_VOCABULARY,
        "hidden_size": spec.hidden,
        "max_position_embeddings": BUILTIN_POSITIONS,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    wide = 4 * spec.hidden
    if spec.architecture.name == "gpt_neo":
        local = (spec.layers + 1) // 2
        kinds = [[["global", "local"], local]] if spec.layers % 2 == 0 else [[["global"], spec.layers]]
        return shape | {
            "num_layers": spec.layers,
            "num_heads": spec.heads,
            "attention_types": kinds,
            "intermediate_size": wide,
        }
    shape |= {"num_hidden_layers": spec.layers, "num_attention_heads": spec.heads}
    # BERT and OPT drop out a tenth by default, GPT-Neo and GPT-NeoX nothing: here all are alike
    if spec.architecture.name == "opt":
        return shape | {"ffn_dim": wide, "word_embed_proj_dim": spec.hidden, "dropout": 0.0}
    if spec.architecture.name in ("bert", "roberta"):
        shape |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return shape | {"intermediate_size": wide}
