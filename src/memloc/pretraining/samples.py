"""What a pretrained model says: its words for a gap, and its continuation of a beginning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from memloc.errors import MemlocError
from memloc.models.quiet import quietly
from memloc.training.batches import derived_seed

GAP = "___"


def _load(folder: Path, masked: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    kind = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    with quietly():
        model = kind.from_pretrained(folder, dtype=torch.float32, local_files_only=True, use_safetensors=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


@torch.inference_mode()
def fill_gaps(folder: Path, sentences: Sequence[str], words: int = 5) -> pd.DataFrame:
    """The likeliest words for the one gap (``___``) of each sentence, by a masked language model.

    Returns:
        A row a sentence and word: ``sentence``, ``rank`` from 1, ``word``, ``probability``.

    Raises:
        MemlocError: for a sentence without exactly one gap.
    """
    model, tokenizer = _load(folder, masked=True)
    rows = []
    for sentence in sentences:
        if sentence.count(GAP) != 1:
            raise MemlocError("sentence to fill", sentence, f"one with {GAP} once")
        before, after = (part.strip() for part in sentence.split(GAP))
        pieces = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, after)]
        ids = [tokenizer.bos_token_id, *pieces[0], tokenizer.mask_token_id, *pieces[1], tokenizer.eos_token_id]
        at = 1 + len(pieces[0])
        chances = model(torch.tensor([ids])).logits[0, at].softmax(dim=-1)
        top = chances.topk(words)
        rows += [
            {"sentence": sentence, "rank": rank, "word": tokenizer.decode([token]).strip(), "probability": value}
            for rank, (value, token) in enumerate(zip(top.values.tolist(), top.indices.tolist(), strict=True), start=1)
        ]
    return pd.DataFrame(rows)


@torch.inference_mode()
def go_on(folder: Path, beginnings: Sequence[str], tokens: int = 40, seed: int = 1) -> list[str]:
    """Each beginning with a continuation, drawn from the 40 likeliest words at temperature 0.8 by a causal model.

    The same seed gives the same text; the caller's random state stays as it was.
    """
    model, tokenizer = _load(folder, masked=False)
    texts = []
    for beginning in beginnings:
        ids = torch.tensor([tokenizer(beginning)["input_ids"]])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed("sample", seed, beginning))
            told = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=True,
                top_k=40,
                temperature=0.8,
                pad_token_id=tokenizer.pad_token_id,
            )
        texts.append(tokenizer.decode(told[0], skip_special_tokens=True).strip())
    return texts
