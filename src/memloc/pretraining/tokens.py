"""One tokenizer for all four models, and the corpus as one long row of its ids on disk.

Byte-level BPE over lower-cased text: 8,192 entries must do, and two of a word in two cases would be a waste.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memloc.errors import Corrupt, MemlocError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 8192
PAD, START, END, UNKNOWN, MASK = 0, 1, 2, 3, 4
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<mask>")
FIRST_WORD = len(SPECIAL)
LONGEST_ROW = 512
SPLITS = ("train", "validation")
BATCH = 512  # documents tokenised at a time


def documents(path: Path) -> Iterator[str]:
    """The texts of a ``*.jsonl`` of `collect`, in order.

    Raises:
        MemlocError: if there is none.
    """
    if not path.is_file():
        raise MemlocError("corpus", str(path), "a folder that `memloc corpus` filled")
    with path.open() as stream:
        for line in stream:
            yield json.loads(line)["text"]


def train_tokenizer(texts: Iterator[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Learn merges from texts; the same texts in the same order give the same tokenizer."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),  # any text can be written
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer file.

    Raises:
        Corrupt: if it is none.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions
        raise Corrupt("tokenizer", str(path), "a tokenizer.json") from error


def for_model(tokenizer: Tokenizer, encoder: bool) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers' own: every text starts with ``<s>``; an encoder's also ends with ``</s>``.

    A decoder's last token, which a classifier reads, is so the last one of the text.
    """
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    own = Tokenizer.from_str(tokenizer.to_str())
    pattern = f"{SPECIAL[START]} $A" + (f" {SPECIAL[END]}" if encoder else "")
    own.post_processor = processors.TemplateProcessing(
        single=pattern, special_tokens=[(SPECIAL[START], START), (SPECIAL[END], END)]
    )
    start, end = SPECIAL[START], SPECIAL[END]
    names = {"bos_token": start, "cls_token": start, "eos_token": end, "sep_token": end}
    names |= {"pad_token": SPECIAL[PAD], "unk_token": SPECIAL[UNKNOWN], "mask_token": SPECIAL[MASK]}
    return PreTrainedTokenizerFast(
        tokenizer_object=own,
        model_max_length=LONGEST_ROW,
        padding_side="right",
        model_input_names=["input_ids", "attention_mask"],
        **names,
    )


def write_ids(texts: Iterator[str], tokenizer: Tokenizer, path: Path) -> int:
    """All texts as one row of ids (uint16, little-endian), each text followed by ``</s>``; returns how many.

    Cost: about 1 MB of text a second; memory: a batch of documents.
    """
    total = 0
    with path.with_suffix(".tmp").open("wb") as stream:
        for batch in _batched(texts):
            for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
                ids = np.array([*encoding.ids, END], "<u2")
                stream.write(ids.tobytes())
                total += len(ids)
    path.with_suffix(".tmp").replace(path)
    return total


def _batched(texts: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def prepare_tokens(corpus: Path, vocabulary: int = VOCABULARY) -> dict[str, int]:
    """Tokenizer and ids of a collected corpus, made once: ``tokenizer.json``, ``train.bin``, ``validation.bin``.

    Returns:
        the number of tokens of each split.
    """
    path = corpus / "tokenizer.json"
    if not path.is_file():
        trained = train_tokenizer(documents(corpus / "train.jsonl"), vocabulary)
        trained.save(str(corpus / "tokenizer.tmp"))
        (corpus / "tokenizer.tmp").replace(path)
    tokenizer = load_tokenizer(path)
    for split in SPLITS:
        if not (corpus / f"{split}.bin").is_file():
            write_ids(documents(corpus / f"{split}.jsonl"), tokenizer, corpus / f"{split}.bin")
    return {split: len(load_ids(corpus, split)) for split in SPLITS}


def tokens_by_source(corpus: Path) -> dict[str, int]:
    """Training tokens that each source gave, counted between the ``</s>`` of the prepared ids."""
    ends = np.flatnonzero(np.asarray(load_ids(corpus, "train")) == END)
    lengths = np.diff(ends, prepend=-1)
    found: dict[str, int] = {}
    with (corpus / "train.jsonl").open() as stream:
        for line, length in zip(stream, lengths, strict=True):
            name = json.loads(line)["source"]
            found[name] = found.get(name, 0) + int(length)
    return found


def load_ids(corpus: Path, split: str) -> np.ndarray:
    """The ids of a split, mapped from disk, uint16 [N].

    Raises:
        MemlocError: if there are none.
    """
    path = corpus / f"{split}.bin"
    if not path.is_file() or path.stat().st_size < 2 * LONGEST_ROW:
        raise MemlocError("tokens of the corpus", str(path), f"a file with at least {LONGEST_ROW} ids")
    return np.memmap(path, "<u2", "r")
