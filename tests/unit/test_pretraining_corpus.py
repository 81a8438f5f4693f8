"""The nano family's corpus: what is prose, what repeats, what overlaps with a task, and a package collected whole."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import tarfile
import zlib
from pathlib import Path

import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.pretraining import readers
from memloc.pretraining.clean import is_prose, normalise
from memloc.pretraining.collect import collect, parquet_texts, task_texts
from memloc.pretraining.overlap import Seen, TaskTexts, all_ngrams, ngrams, words
from memloc.pretraining.packages import Source, load_sources

PROSE = "The old man walked slowly to the end of the road, and he did not look back at the house where he was born."
LONG = "when the rain had stopped we went down to the river and counted all of the boats that were still there"


@pytest.mark.parametrize(
    "text",
    [
        "Too short.",
        "for (int i = 0; i < n; i++) { the = a + b; } // and that is it, all of the loop in one line.",
        "Name, Size, Date, Kind, Owner, Group, Path, Link, Mode, Type, Rate, Host, Port, User.",
        "Le vieil homme marchait lentement vers le bout du chemin sans se retourner une seule fois vers sa maison.",
        "THE OLD MAN WALKED SLOWLY TO THE END OF THE ROAD AND HE DID NOT LOOK BACK AT THE HOUSE.",
        "The values are 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 and 26.",
        "See https://a.example and www.b.example for the rest of it, which is on the page of the project.",
        "the old man walked slowly to the end of the road and did not look back",
    ],
)
def test_what_is_no_prose(text: str) -> None:
    assert not is_prose(normalise(text))


def test_what_is_prose_and_how_it_is_written() -> None:
    assert is_prose(PROSE)
    assert normalise("“It’s\n  here” , he  said") == '"It\'s here", he said'
    assert is_prose("foray, raid: a sudden short attack.", entry=True)
    assert not is_prose("foray, raid: a sudden short attack.")


def test_ngrams_depend_on_words_and_order_alone() -> None:
    codes = words("One two, three FOUR")
    assert (ngrams(codes, 2) == ngrams(words("one two three four"), 2)).all()
    assert len(ngrams(codes, 3)) == 2
    assert len(ngrams(codes, 5)) == 0
    assert ngrams(words("a b"), 2) != ngrams(words("b a"), 2)
    for n, found in enumerate(all_ngrams(codes, 4), start=1):
        assert [int(x) for x in found] == [int(ngrams(codes[i : i + n], n)[0]) for i in range(5 - n)]


def test_a_paragraph_overlaps_by_13_words_or_by_a_whole_short_text() -> None:
    tasks = TaskTexts([LONG, "Who wrote the first novel?", "All good"])
    pieces = LONG.split()
    assert tasks.overlaps("They say, " + " ".join(pieces[3:16]).upper() + "!")
    assert not tasks.overlaps("They say " + " ".join(pieces[3:15]) + " though")
    assert tasks.overlaps("So who wrote the first novel, and when?")
    assert not tasks.overlaps("So who wrote the first play?")
    assert not tasks.overlaps("All good things end")  # two words are no text


def test_repeated_paragraphs_exact_and_near() -> None:
    seen = Seen()
    text = " ".join(f"word{i}" for i in range(200))
    assert seen.repeated(text) == ""
    assert seen.repeated(text.upper() + ".") == "exact"
    assert seen.repeated("before " + text + " after") == "near"
    assert seen.repeated(" ".join(f"other{i}" for i in range(200))) == ""


def test_html_keeps_paragraphs_and_leaves_code_out() -> None:
    page = b"<html><head><title>T</title></head><body><h1>H</h1><p>One <b>bold</b>\nword.<pre>x = 1</pre><ul><li>Two"
    assert next(readers.html({"a": page})) == ["One bold\nword.", "Two"]


def test_plain_drops_indented_blocks_and_marks() -> None:
    text = b"A C<code> and ``name`` word.\n\n    indented\n\n=head1 Title\n\n.. note:: no\n\nLast *one*."
    assert next(readers.plain({"a": text})) == ["A code and name word.", "Last one."]


def dictionary(entries: dict[str, str]) -> dict[str, bytes]:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def written(n: int) -> str:
        return (digits[n // 64] if n > 63 else "") + digits[n % 64]

    assert digits == base64.b64encode(bytes(range(0))).decode() + digits
    book, index = b"", ""
    for word, entry in entries.items():
        index += f"{word}\t{written(len(book))}\t{written(len(entry))}\n"
        book += entry.encode()
    return {"d.index": index.encode(), "d.dict.dz": gzip.compress(book)}


def test_dictionary_entries_lose_their_apparatus() -> None:
    entry = (
        "Raid \\Raid\\ (r[=a]d), n. [Icel. rei[eth].]\n   1. A {hostile} incursion.\n      [1913 Webster]\n\n"
        "            A raid upon us. --Scott.\n\n   2. An attack.\n"
    )
    found = next(readers.dictd(dictionary({"raid": entry, "00-database": "notes"})))
    assert [normalise(f) for f in found] == [
        "Raid: n.",
        "Raid: A hostile incursion.",
        "Raid: A raid upon us.",
        "Raid: An attack.",
    ]


def test_wordnet_synsets() -> None:
    line = '00976953 04 n 02 foray 0 short_raid 0 000 | a sudden short attack; "a foray"  \n'
    assert next(readers.wordnet({"data.noun": b"  1 licence\n" + line.encode()})) == [
        'foray, short raid: a sudden short attack; "a foray".'
    ]


@pytest.mark.parametrize("pattern", ["<IIH", "<III"])
def test_sword_verses_of_both_kinds(pattern: str) -> None:
    verses = [b"In the <w>beginning</w>.", b"And <note>x</note>then."]
    packed = zlib.compress(b"".join(verses))
    places = [(0, 0, len(verses[0])), (0, len(verses[0]), len(verses[1])), (0, len(verses[0]), len(verses[1]))]
    files = {
        "ot.bzz": packed,
        "ot.bzs": struct.pack("<III", 0, len(packed), sum(map(len, verses))),
        "ot.bzv": b"".join(struct.pack(pattern, *p) for p in places),
    }
    assert [normalise(p) for p in next(readers.sword(files))] == ["In the beginning. And then."]


def test_r_objects() -> None:
    lines = [b"First line", b"goes on.", b"", b"Second."]
    stream = b"".join(b"\x00\x04\x00\x09" + struct.pack(">i", len(x)) + x for x in lines)
    content = struct.pack(">I", len(stream)) + zlib.compress(stream)
    assert list(readers.rdata({"x.rdb": content * 2})) == [["First line goes on.", "Second."]] * 2


def test_game_strings() -> None:
    files = {"a.cfg": b'x = _ "He said ""no""."', "b.json": b'{"d": ["Long text"], "n": 1}', "c.txt": b"say `Words`"}
    assert list(readers.strings(files)) == [['He said "no".'], ["Long text"], ["Words"]]


def source(**changes: object) -> Source:
    values = {"name": "pack", "registry": "npm", "reader": "plain", "files": ["*.txt"], "licence": "CC0"}
    return Source(**{**values, **changes})  # type: ignore[arg-type]


def package(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "pack-1.2.tgz", "w:gz") as tar:
        for name, text in {"package.json": '{"version": "1.2"}', **files}.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return folder


def numbered(n: int) -> str:
    return f"{PROSE[:-1]}, nor at the {n} trees that stood in row {n} of the garden by the gate of house {n}."


def test_collect_a_package(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pd.DataFrame({"text": [LONG], "label": [1]}).to_parquet(data / "train.parquet")
    taken = f"It was late in the year {LONG}, and then it was dark."
    files = {"a.txt": f"{PROSE}\n\n{taken}\n\nMenu\n\n{PROSE}\n\n{numbered(3)}", "b.txt": PROSE, "c.md": numbered(4)}
    summary = collect([source()], task_texts(data), tmp_path / "out", package(tmp_path / "cache", files))
    kept = [json.loads(x) for s in ("train", "validation") for x in (tmp_path / "out" / f"{s}.jsonl").open()]
    assert [k["source"] for k in kept] == ["pack"]
    assert kept[0]["text"].split("\n")[0] == PROSE
    assert taken not in kept[0]["text"]
    entry = summary["sources"][0]
    assert (entry["version"], entry["licence"], entry["overlap_with_tasks"]) == ("1.2", "CC0", 1)
    assert entry["repeated_exact"] == 2
    assert entry["no_prose"] == 1
    assert entry["characters"] == len(kept[0]["text"].replace("\n", ""))
    assert json.loads((tmp_path / "out" / "sources.json").read_text()) == summary


def test_collect_respects_the_limit_and_splits_by_text(tmp_path: Path) -> None:
    files = {f"{n}.txt": "\n\n".join(numbered(100 * n + k) for k in range(3)) for n in range(150)}
    cache = package(tmp_path / "cache", files)
    for name, limit in (("a", 1.0), ("b", 0.005)):
        collect([source(limit=limit)], TaskTexts([LONG]), tmp_path / name, cache)
    sizes = {name: (tmp_path / name / "train.jsonl").stat().st_size for name in "ab"}
    assert sizes["b"] < 8000 < sizes["a"]
    collect([source()], TaskTexts([LONG]), tmp_path / "c", cache)
    for split in ("train", "validation"):
        assert (tmp_path / "a" / f"{split}.jsonl").read_bytes() == (tmp_path / "c" / f"{split}.jsonl").read_bytes()


def test_source_list_is_whole_and_bad_entries_are_told() -> None:
    sources = load_sources()
    assert len({s.name for s in sources}) == len(sources) > 50
    with pytest.raises(MemlocError, match="reader of source x"):
        source(name="x", reader="none")
    with pytest.raises(MemlocError, match="a licence"):
        source(licence="")


def test_no_task_texts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="folder of task texts"):
        list(parquet_texts(tmp_path))
