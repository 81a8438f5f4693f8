"""What two texts share: repeated paragraphs of the corpus, and paragraphs that overlap with the tasks' texts.

A paragraph overlaps with a task if it holds 13 consecutive words of one of its texts, or the whole of a text of 5 to 12
words. Words are compared in lower case without punctuation; n-grams as 64-bit hashes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

NGRAM = 13
SHORTEST = 5
SHINGLE = 8
SAMPLE = 8  # one shingle in so many is remembered
REPEATED = 0.5  # of a paragraph's shingles seen before: a near-duplicate

_WORD = re.compile(r"[a-z0-9]+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_cache: dict[str, int] = {}


def _hash(word: str) -> int:
    code = _cache.get(word)
    if code is None:
        raw = word.encode()
        code = _cache[word] = (zlib.crc32(raw) << 32 | zlib.crc32(raw[::-1], 77)) * 0xD6E8FEB86659FD93 % 2**64
    return code


def words(text: str) -> np.ndarray:
    """Hashes of a text's words, uint64 [W]."""
    return np.array([_hash(w) for w in _WORD.findall(text.lower())], np.uint64)


def ngrams(codes: np.ndarray, n: int) -> np.ndarray:
    """Hashes of all runs of n words, uint64 [max(0, W - n + 1)]."""
    return [np.zeros(0, np.uint64), *all_ngrams(codes, n)][-1] if len(codes) >= n else np.zeros(0, np.uint64)


def all_ngrams(codes: np.ndarray, longest: int) -> Iterator[np.ndarray]:
    """The same for every n from 1 to ``longest`` (or to W), each made from the one before."""
    total = np.zeros(len(codes), np.uint64)
    for n in range(1, min(longest, len(codes)) + 1):
        count = len(codes) - n + 1
        total = (total[:count] ^ codes[n - 1 :]) * _FACTOR  # overflow is the arithmetic meant: modulo 2**64
        total ^= total >> np.uint64(29)
        yield total


class TaskTexts:
    """The texts that no paragraph may share 13 words with.

    Cost: 8 bytes an n-gram; a look-up is a binary search.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        found: dict[int, list[np.ndarray]] = {}
        for text in texts:
            codes = words(text)
            if len(codes) >= SHORTEST:
                n = min(NGRAM, len(codes))
                found.setdefault(n, []).append(ngrams(codes, n))
        self.known = {n: np.unique(np.concatenate(parts)) for n, parts in sorted(found.items())}

    def overlaps(self, text: str) -> bool:
        """Whether a paragraph shares 13 consecutive words with a text, or holds a shorter one whole."""
        for n, mine in enumerate(all_ngrams(words(text), NGRAM), start=1):
            known = self.known.get(n)
            if known is not None:
                place = np.searchsorted(known, mine)
                place[place == len(known)] = 0
                if (known[place] == mine).any():
                    return True
        return False


class Seen:
    """Paragraphs met so far. The first of several alike is kept; the order of sources decides which that is.

    Cost: one hash a paragraph and one a `SAMPLE` words.
    """

    def __init__(self) -> None:
        self._whole: set[int] = set()
        self._shingles: set[int] = set()

    def repeated(self, text: str) -> str:
        """``""`` for a new paragraph, which is remembered; else ``"exact"`` or ``"near"``."""
        codes = words(text)
        whole = hash(codes.tobytes())  # used in this process alone
        if whole in self._whole:
            return "exact"
        self._whole.add(whole)
        mine = ngrams(codes, SHINGLE)
        sampled = set(mine[mine % np.uint64(SAMPLE) == 0].tolist())
        if len(sampled) >= 2 and len(sampled & self._shingles) >= REPEATED * len(sampled):
            return "near"
        self._shingles |= sampled
        return ""
