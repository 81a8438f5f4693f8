"""Text to token ids: a checkpoint's own tokenizer, or a hashing one for built-in configurations."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from memloc.errors import MemlocError
from memloc.models.families import Family

PAD, START, SEPARATOR, FIRST_WORD = 0, 1, 2, 3
HASH_VOCABULARY = 2048


class Tokenizer(Protocol):
    """What training needs of a tokenizer."""

    pad_id: int

    def encode(self, parts: Sequence[str], max_length: int) -> list[int]:
        """Ids of one example whose parts are joined by the family's separator, at most ``max_length`` of them."""
        ...


class HashTokenizer:
    """Words to ids by a checksum, for models with random weights: any text, no vocabulary file.

    Two words may share an id (chance 1 in 2,045 a pair); a model with random embeddings has nothing to lose by it.
    """

    pad_id = PAD
    _words = re.compile(r"\w+|[^\w\s]")

    def __init__(self, pool: str) -> None:
        self.start = [START] if pool == "first" else []

    def encode(self, parts: Sequence[str], max_length: int) -> list[int]:
        ids = list(self.start)
        for number, part in enumerate(parts):
            ids += [SEPARATOR] if number else []
            ids += [self._id(word) for word in self._words.findall(part.lower())]
        return ids[:max_length]

    @staticmethod
    def _id(word: str) -> int:
        return FIRST_WORD + zlib.crc32(word.encode()) % (HASH_VOCABULARY - FIRST_WORD)


class CheckpointTokenizer:
    """A checkpoint's fast tokenizer. The parts become one string, so BERT's token types are all 0 (method 1.1)."""

    def __init__(self, folder: Path, family: Family) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._separator = self._resolve(family.separator)
        pad = self._tokenizer.pad_token_id
        # decoders often have no padding token; padded positions are masked, so any valid id serves
        self.pad_id = pad if pad is not None else (self._tokenizer.eos_token_id or 0)

    def _resolve(self, separator: str) -> str:
        if separator not in ("sep_token", "eos_token"):
            return separator
        token = getattr(self._tokenizer, separator)
        if token is None:
            raise MemlocError(
                "tokenizer", f"no {separator}", "a tokenizer that has one, or a family with a literal separator"
            )
        return str(token)

    def encode(self, parts: Sequence[str], max_length: int) -> list[int]:
        text = f" {self._separator} ".join(parts)
        return list(self._tokenizer(text, truncation=True, max_length=max_length)["input_ids"])


def load_tokenizer(folder: Path | None, family: Family) -> Tokenizer:
    """The tokenizer of a model folder, or the hashing one where there is no folder (built-in configurations)."""
    return HashTokenizer(family.pool) if folder is None else CheckpointTokenizer(folder, family)
