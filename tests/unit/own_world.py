"""Checkpoints as other people make them: tiny random classifiers of stock transformers with tokenizers of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
WORDS = [f"w{i}" for i in range(36)]
ENCODERS = ["bert", "roberta", "xlm-roberta"]
KINDS = [*ENCODERS, "opt", "gpt_neo", "gpt_neox", "llama", "gpt2", "mistral"]
NAMES = ["sports", "weather", "music"]
PAD, START, END = 0, 1, 2


def config(kind: str, layers: int = 2, classes: int = 3, **changes: Any) -> Any:
    """A configuration with a vocabulary of 40 and a width of 16."""
    shape: dict[str, Any] = {"vocab_size": 40, "hidden_size": 16, "max_position_embeddings": 64, "pad_token_id": PAD}
    shape |= {"bos_token_id": START, "eos_token_id": END, "num_labels": classes}
    if kind == "gpt_neo":
        shape |= {"num_layers": layers, "num_heads": 2, "attention_types": [[["global"], layers]]}
    else:
        shape |= {"num_hidden_layers": layers, "num_attention_heads": 2}
    if kind == "opt":
        shape |= {"ffn_dim": 32, "word_embed_proj_dim": 16}
    elif kind != "gpt2":
        shape |= {"intermediate_size": 32}
    if kind in ("llama", "mistral", "qwen2", "qwen3"):
        shape |= {"num_key_value_heads": 2}
    names = NAMES[:classes]
    shape |= {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    return AutoConfig.for_model(kind, **{**shape, **changes})


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Words by number, with the family's own way to mark one text or two."""
    fast = Tokenizer(WordLevel({token: i for i, token in enumerate([*SPECIAL, *WORDS])}, unk_token="<unk>"))
    fast.pre_tokenizer = WhitespaceSplit()
    marks: dict[str, tuple[str, str]] = {
        "bert": ("<s> $A </s>", "<s> $A </s> $B:1 </s>:1"),
        "roberta": ("<s> $A </s>", "<s> $A </s> </s> $B </s>"),
        "opt": ("<s> $A", "<s> $A </s> $B"),
        "llama": ("<s> $A </s>", "<s> $A </s> <s> $B </s>"),
    }
    one, two = marks.get({"xlm-roberta": "roberta"}.get(kind, kind), ("$A", "$A $B"))
    special = [("<s>", START), ("</s>", END)]
    fast.post_processor = TemplateProcessing(single=one, pair=two, special_tokens=special)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if kind in ("bert", "gpt2") else [])]
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=inputs,
    )


def stock(kind: str, seed: int = 0, **changes: Any) -> Any:
    """A stock classifier with weights large enough that every layer has its say."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_config(config(kind, **changes))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.2)
    return model.eval()


def saved(model: Any, kind: str, folder: Path) -> Path:
    """Model and tokenizer as ``save_pretrained`` leaves them."""
    model.save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return folder


def sentences(n: int = 24, pairs: bool = False, seed: int = 0, classes: int = 3) -> pd.DataFrame:
    """Generated texts whose class is in their words, every fourth with a wrong given label (class names)."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    words = [rng.choice(WORDS, rng.integers(3, 8)).tolist() + [WORDS[k]] * 2 for k in label]
    noisy = np.arange(n) % 4 == 0
    given = np.where(noisy, (label + 1) % classes, label)
    texts = [" ".join(rng.permutation(w)) for w in words]
    told = {"text_a": texts, "text_b": [" ".join(rng.choice(WORDS, 3)) for _ in texts]} if pairs else {"text": texts}
    names = np.array(NAMES)
    return pd.DataFrame({**told, "given": names[given], "label": names[label]})


def fine_tuned(model: Any, kind: str, frame: pd.DataFrame, column: str, steps: int = 60) -> Any:
    """A plain loop over the whole table, as anybody might write it; nothing of this package takes part."""
    words = tokenizer(kind)
    batch = words(frame["text"].tolist(), padding=True, return_tensors="pt")
    labels = torch.tensor([NAMES.index(name) for name in frame[column]])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        model.train()
        for _ in range(steps):
            model(**batch, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.eval()
