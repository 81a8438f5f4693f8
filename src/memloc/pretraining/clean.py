"""Which paragraphs are plain English prose, and how they are written: one line each, straight quotes, no marks."""

from __future__ import annotations

import re
import string
import unicodedata

PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "‛": "'", "“": '"', "”": '"', "–": "-", "—": " - ", "…": "...", "\u00ad": ""}
)
COMMON = frozenset(
    re.findall(
        r"\w+",
        "the a an of to in and or is are was were be been it its that this which for on with as by at from not no but "
        "if he she they we you i his her their our your my him them me who what when where how can may will would "
        "should must could has have had do does did so than then there any all one more such into out up about only "
        "also",
    )
)
CODE = re.compile(r"[{}<>|\\^~=]|::|->|\(\)|--\w|\w/\w+/|https?:|www\.|\$\w|@\w|#\w|\w_\w|;;|\.\.\.\.")
MOJIBAKE = re.compile(r"[\ufffdÂÃ�]")
PROSE_WORDS = 8
ENTRY_WORDS = 4
LONGEST = 6_000


def normalise(text: str) -> str:
    """One line of composed Unicode with straight quotes, single spaces, and none before a stop."""
    text = unicodedata.normalize("NFKC", text).translate(PLAIN)
    return re.sub(r" ([,.;:!?)])(?= |$)", r"\1", " ".join(text.split()))


def is_prose(text: str, entry: bool = False) -> bool:
    """Whether a normalised paragraph is English text.

    Args:
        entry: a dictionary's: terse, so fewer words and fewer common words are asked for.

    Code, tables, lists of names, menus, foreign and mis-encoded text fail. The rules are cheap (linear in the length)
    and prefer losing prose to keeping anything else.
    """
    words = text.split()
    if len(words) < (ENTRY_WORDS if entry else PROSE_WORDS) or len(text) > LONGEST or MOJIBAKE.search(text):
        return False
    if not entry and not re.search(r"[.!?:;][\"')\]]*$", text):
        return False
    capitals = _count(text, string.ascii_uppercase)
    ascii_letters = capitals + _count(text, string.ascii_lowercase)
    letters = ascii_letters + (0 if text.isascii() else sum(c.isalpha() for c in text if not c.isascii()))
    if letters < 0.78 * sum(map(len, words)) or ascii_letters < 0.98 * letters or capitals > 0.25 * letters:
        return False
    if len(CODE.findall(text)) * 40 > len(words) or max(map(len, words)) > 30:
        return False
    bare = [w.strip(".,;:!?\"'()[]-").lower() for w in words]
    common = sum(w in COMMON for w in bare)
    distinct = len(set(bare))
    return common >= (0.08 if entry else 0.22) * len(bare) and 2 * distinct > min(len(bare), 60)


def _count(text: str, characters: str) -> int:
    raw = text.encode("ascii", "ignore")
    return len(raw) - len(raw.translate(None, characters.encode()))
