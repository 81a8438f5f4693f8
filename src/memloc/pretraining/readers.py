"""Files of packages to documents: lists of paragraphs, still with whatever is not prose. Cleaning is `clean`'s."""

from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser

Document = list[str]  # paragraphs
Files = Mapping[str, bytes]  # path inside the package to content
ENTRIES_A_DOCUMENT = 40  # of a dictionary: neighbours in the alphabet stay together

PROSE = {"p", "li", "dd", "blockquote", "para", "td", "div", "section", "article", "body", "item"}
INLINE = {"a", "b", "i", "em", "strong", "span", "q", "cite", "tt", "code", "u", "sup", "sub", "small", "font", "abbr"}
INLINE |= {"dfn", "kbd", "var", "samp", "emphasis", "link", "gui", "guiseq", "app", "key", "keyseq", "file", "cmd"}
SKIPPED = {"pre", "script", "style", "nav", "head", "header", "footer", "table", "h1", "h2", "h3", "h4", "h5", "h6"}
SKIPPED |= {"title", "programlisting", "screen", "info", "form", "svg", "math", "dt", "media", "synopsis"}


class _Paragraphs(HTMLParser):
    """Text of block elements; headings, tables, code blocks and page furniture left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._open: list[str] = []
        self._skipping = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SKIPPED:
            self._flush()
            self._skipping += 1
        elif tag not in INLINE:
            self._flush()

    def handle_endtag(self, tag: str) -> None:
        if tag in SKIPPED:
            self._skipping = max(0, self._skipping - 1)
            self._open.clear()
        elif tag not in INLINE:
            self._flush()

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._open.append(data)

    def _flush(self) -> None:
        text = "".join(self._open).strip()
        if text:
            self.found.append(text)
        self._open.clear()

    def close(self) -> None:
        super().close()
        self._flush()


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def html(files: Files) -> Iterator[Document]:
    """Pages of HTML, DocBook or Mallard, one document each."""
    for _, content in sorted(files.items()):
        parser = _Paragraphs()
        parser.feed(_text(content))
        parser.close()
        yield parser.found


def plain(files: Files) -> Iterator[Document]:
    """Plain text, reStructuredText or POD: paragraphs between blank lines; indented ones are code or tables."""
    for _, content in sorted(files.items()):
        blocks = re.split(r"\n[ \t]*\n|\n%%%%\n", _text(content).replace("\r\n", "\n"))
        yield [_unmarked(b.strip("\n")) for b in blocks if b.strip() and not re.match(r"\n*[ \t=.%#]", b)]


def _unmarked(text: str) -> str:
    """Without the inline marks of POD, reStructuredText and emphasis."""
    text = re.sub(r"\b[A-Z]<<?\s*([^<>]*?)\s*>?>", r"\1", text)
    text = re.sub(r":[\w:-]+:`~?\.?([^`<]*?)(\s*<[^>]*>)?`", r"\1", text)
    text = re.sub(r"``?([^`]*?)(\s*<[^>]*>)?``?_{0,2}", r"\1", text)
    return re.sub(r"(?<!\w)[*_]{1,2}([^*_\n]+)[*_]{1,2}(?!\w)", r"\1", text)


def strings(files: Files) -> Iterator[Document]:
    """Texts inside games' data: translatable ``_ "..."`` strings, back-quoted ones, and long strings of JSON."""
    for path, content in sorted(files.items()):
        text = _text(content)
        if path.endswith(".json"):
            yield list(_json_strings(json.loads(text)))
        elif path.endswith(".cfg"):
            yield [m.replace('""', '"') for m in re.findall(r'_\s*"((?:[^"]|"")*)"', text)]
        else:
            yield re.findall(r"`([^`]+)`", text)


def _json_strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _json_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _json_strings(inner)


def _bundles(entries: Iterator[str]) -> Iterator[Document]:
    bundle: Document = []
    for entry in entries:
        bundle.append(entry)
        if len(bundle) == ENTRIES_A_DOCUMENT:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


_BASE64 = {c: n for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}


def _number(text: str) -> int:
    value = 0
    for character in text:
        value = value * 64 + _BASE64[character]
    return value


def dictd(files: Files) -> Iterator[Document]:
    """A dictionary for dictd (``*.index``, ``*.dict.dz``): one paragraph a sense, headed by its word."""
    for path in sorted(p for p in files if p.endswith(".index")):
        book = gzip.decompress(files[path.removesuffix(".index") + ".dict.dz"])
        places = set()
        for line in _text(files[path]).splitlines():
            word, start, length = line.split("\t")[:3]
            if not word.startswith("00"):  # notes on the database
                places.add((_number(start), _number(length)))
        for entries in _bundles(_text(book[a : a + n]) for a, n in sorted(places)):
            yield [sense for entry in entries for sense in _senses(entry)]


def _senses(entry: str) -> Iterator[str]:
    """The senses and notes of one entry without pronunciation, etymology, sources and marks of reference."""
    entry = re.sub(r"\\[^\\\n]*\\", "", entry)  # \pro*nun"ci*a"tion\
    head, _, body = entry.partition("\n")
    head = re.sub(r"\([^()]*[\[\"`'][^()]*\),?", "", head)  # (n[u^]n*s[=e]"[a^]"sh[u^]n)
    word = re.split(r"[\s(,\[]{2,}|[(,\[]|\s{2,}", head.strip() + "  ")[0]
    body = re.sub(r"\[[^\[\]]*\]", "", head[len(word) :] + "\n" + body)  # [1913 Webster], [OF. ...], [Obs.]
    body = re.sub(r"\[[^\[\]]*\]", "", body)
    body = re.sub(r"<[^<>\n]*>|\(\d{4}-\d\d-\d\d\)", "", body.replace("{", "").replace("}", ""))
    for sense in re.split(r"\n\s*\n|\n\s+(?=\d+\. )", body):
        sense = re.sub(r"^[\s,]*(\d+\.|\([a-z]\)(?=\s))?", "", sense).strip()
        sense = re.sub(r"\s*--\s*[A-Z][\w. ]{0,30}\.?\s*$", "", sense)  # who is quoted
        if sense:
            yield f"{word}: {sense}"


def wordnet(files: Files) -> Iterator[Document]:
    """WordNet's ``data.*``: one paragraph a synset, its words, definition and examples."""

    def synset(line: str) -> str:
        fields, _, gloss = line.partition(" | ")
        words = fields.split()
        names = [re.sub(r"\(\w+\)$", "", words[4 + 2 * i]).replace("_", " ") for i in range(int(words[3], 16))]
        return ", ".join(names) + ": " + gloss.strip() + "."

    for _, content in sorted(files.items()):
        yield from _bundles(synset(line) for line in _text(content).splitlines() if not line.startswith("  "))


def sword(files: Files) -> Iterator[Document]:
    """A compressed Bible or commentary of the SWORD project: one document a block, one paragraph a verse's text."""
    for path in sorted(p for p in files if p.endswith("zz")):
        blocks = [struct.unpack("<III", r) for r in _records(files[path[:-1] + "s"], 12)]
        texts = [zlib.decompress(files[path][start : start + size]) for start, size, _ in blocks]
        found: dict[int, list[str]] = {}
        seen: set[tuple[int, int]] = set()
        for block, start, size in _verses(files[path[:-1] + "v"], len(texts)):
            if size and (block, start) not in seen:
                seen.add((block, start))
                found.setdefault(block, []).append(_text(texts[block][start : start + size]))
        for block in sorted(found):
            yield list(_joined(_verse(v) for v in found[block]))


def _records(content: bytes, size: int) -> list[bytes]:
    return [content[i : i + size] for i in range(0, len(content) - size + 1, size)]


def _verses(content: bytes, blocks: int) -> list[tuple[int, int, int]]:
    """Block, start and size of every verse: 10 bytes each, or 12 in modules with large entries (zCom4)."""
    for pattern in ("<IIH", "<III"):
        size = struct.calcsize(pattern)
        found = [struct.unpack(pattern, record) for record in _records(content, size)]
        if len(content) % size == 0 and all(block < blocks for block, _, _ in found):
            return found
    return []


def _verse(text: str) -> str:
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def _joined(verses: Iterator[str]) -> Iterator[str]:
    """Verses to paragraphs of a few hundred characters."""
    paragraph = ""
    for verse in verses:
        paragraph = f"{paragraph} {verse}".strip()
        if len(paragraph) > 400:
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


_STRING = re.compile(rb"\x00[\x00\x04][\x00\x80]\x09(....)", re.DOTALL)  # flags of ASCII and UTF-8, then the length


def rdata(files: Files) -> Iterator[Document]:
    """Text lines in an R package's lazy-load database: one document an object, paragraphs between empty lines."""
    for _, content in sorted(files.items()):
        place = 0
        while place + 4 < len(content):  # four bytes of length, then a zlib stream
            stream = zlib.decompressobj()
            yield _lines_to_paragraphs(_r_strings(stream.decompress(content[place + 4 :])))
            place = len(content) - len(stream.unused_data)


def _r_strings(stream: bytes) -> Iterator[str]:
    place = 0
    while match := _STRING.search(stream, place):
        size = struct.unpack(">i", match.group(1))[0]
        if not 0 <= size < 100_000:
            place = match.start() + 1
            continue
        place = match.end() + size
        yield _text(stream[match.end() : place])


def _lines_to_paragraphs(lines: Iterator[str]) -> Document:
    return [" ".join(block.split()) for block in re.split(r"\n\s*\n", "\n".join(lines)) if block.strip()]


READERS: dict[str, Callable[[Files], Iterator[Document]]] = {
    "html": html,
    "plain": plain,
    "strings": strings,
    "dictd": dictd,
    "wordnet": wordnet,
    "sword": sword,
    "rdata": rdata,
}
