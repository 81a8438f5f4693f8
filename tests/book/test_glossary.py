"""Words of the glossary are linked where chapters first use them, once a chapter."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks" / "chapters").glob("*.py"))
LINK = re.compile(r"\{term\}`([^`]*)`")
# what a reader of any one chapter must be able to look up
WORDS = {"M-CoG", "window", "layer weight", "attainable range", "noisy", "clean", "twin", "arm"}
WORDS |= {"pooled token", "depth", "crossing"}


def linked(path: Path) -> list[str]:
    """The entries that a chapter links, in order."""
    found = [" ".join(text.replace("\n# ", " ").split()) for text in LINK.findall(path.read_text())]
    return [re.sub(r".*<(.*)>", r"\1", text) for text in found]


def test_every_word_is_linked_somewhere() -> None:
    assert WORDS - {word for path in CHAPTERS for word in linked(path)} == set()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_links_a_word_once(path: Path) -> None:
    assert [word for word, times in Counter(linked(path)).items() if times > 1] == []


def test_links_are_entries_of_the_glossary() -> None:
    text = (ROOT / "book" / "glossary.md").read_text().split("```{glossary}")[1].split("```")[0]
    entries = set(re.findall(r"^(\S.*)\n  \S", text, re.MULTILINE))
    assert {word for path in CHAPTERS for word in linked(path)} <= entries
