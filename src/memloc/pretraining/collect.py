"""The corpus: free packages to cleaned paragraphs, each once, none that overlaps with a task, in two splits.

Writes ``train.jsonl`` and ``validation.jsonl`` (one document a line: ``source``, ``text``) and, last, ``sources.json``:
what each package gave and what was left out why. Nothing is random: the split of a document is its text's hash.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import yaml

from memloc.data.catalogue import get_task, task_names
from memloc.data.raw import load_raw
from memloc.errors import MemlocError
from memloc.pretraining.clean import is_prose, normalise
from memloc.pretraining.overlap import Seen, TaskTexts
from memloc.pretraining.packages import Source, contents, describe, fetch
from memloc.pretraining.readers import READERS, Document
from memloc.pretraining.tokens import tokens_by_source

log = logging.getLogger(__name__)

VALIDATION = 100  # one document in so many is held out
SHORTEST_DOCUMENT = 200  # characters


def parquet_texts(folder: Path) -> Iterator[str]:
    """Every string of every parquet file below a folder: task texts of all splits, whatever their columns.

    Raises:
        MemlocError: if there is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = sorted(folder.rglob("*.parquet"))
    if not paths:
        raise MemlocError("folder of task texts", str(folder), "a folder with parquet files")
    for path in paths:
        table = pq.read_table(path)
        for field in table.schema:
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                yield from (text for text in table[field.name].to_pylist() if text)


def task_texts(folder: Path | None) -> TaskTexts:
    """What the corpus must not share: the texts of a data folder, or of all tasks that the hub has."""
    if folder is not None:
        return TaskTexts(parquet_texts(folder))
    return TaskTexts(text for name in task_names() for text in _published(name))


def _published(name: str) -> Iterator[str]:
    spec = get_task(name)
    if "hub" in spec.sources:
        for frame in load_raw(spec, "hub").splits.values():
            yield from (part for parts in frame["parts"] for part in parts)


def collect(sources: Iterable[Source], tasks: TaskTexts, out: Path, cache: Path) -> dict[str, Any]:
    """Fetch, read, clean and filter all sources; returns what ``sources.json`` holds.

    Cost: linear in the text, about 2 MB a second on one core; memory: one package's files and the hashes of `Seen`.
    """
    out.mkdir(parents=True, exist_ok=True)
    seen, report = Seen(), []
    with (out / "train.jsonl").open("w") as train, (out / "validation.jsonl").open("w") as validation:
        for source in sources:
            archive = fetch(source, cache)
            counts: Counter[str] = Counter()
            for document in READERS[source.reader](_unzipped(contents(source, archive))):
                _keep(source, _kept(source, document, tasks, seen, counts), train, validation, counts)
            log.info("%s: %s", source.name, dict(counts))
            entry = {k: v for k, v in asdict(source).items() if k in ("name", "registry", "licence")}
            report.append(entry | describe(source, archive) | dict(sorted(counts.items())))
    summary = {"sources": report, "total": _total(report)}
    (out / "sources.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return summary


def _unzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    """Texts compressed one by one; a dictd book is left to its reader unless it comes without an index."""
    has_index = any(path.endswith(".index") for path in files)
    ends = (".gz",) if has_index else (".gz", ".dz")
    return {path: gzip.decompress(data) if path.endswith(ends) else data for path, data in files.items()}


def _pieces(paragraph: str, size: int) -> list[str]:
    """A long paragraph cut between sentences into pieces of about ``size`` characters."""
    if len(paragraph) <= size:
        return [paragraph]
    pieces = [""]
    for sentence in re.split(r"(?<=[.!?])\s+", paragraph):
        if len(pieces[-1]) > size:
            pieces.append("")
        pieces[-1] = f"{pieces[-1]} {sentence}".strip()
    return pieces


def _kept(source: Source, document: Document, tasks: TaskTexts, seen: Seen, counts: Counter[str]) -> list[str]:
    lines = [normalise(piece) for p in document for piece in _pieces(p, source.split)]
    kept = []
    for line in lines:
        counts["paragraphs_read"] += 1
        if counts["characters"] >= source.limit * 1e6:
            counts["over_limit"] += 1
        elif not is_prose(line, source.terse):
            counts["no_prose"] += 1
        elif why := seen.repeated(line):
            counts[f"repeated_{why}"] += 1
        elif tasks.overlaps(line):
            counts["overlap_with_tasks"] += 1
        else:
            counts["paragraphs"] += 1
            counts["characters"] += len(line)
            kept.append(line)
    return kept


def _keep(source: Source, lines: list[str], train: TextIO, validation: TextIO, counts: Counter[str]) -> None:
    text = "\n".join(lines)
    if len(text) < SHORTEST_DOCUMENT:
        counts["characters"] -= sum(map(len, lines))
        counts["paragraphs"] -= len(lines)
        counts["in_short_documents"] += len(lines)
        return
    counts["documents"] += 1
    held_out = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % VALIDATION == 0
    counts["documents_validation"] += held_out
    line = json.dumps({"source": source.name, "text": text}, ensure_ascii=False)
    (validation if held_out else train).write(line + "\n")


def _total(report: list[dict[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for entry in report:
        total.update({k: v for k, v in entry.items() if isinstance(v, int)})
    return dict(sorted(total.items()))


def write_list(corpus: Path, path: Path) -> None:
    """Write what was collected as a list for people: every package with version, checksum, licence and tokens."""
    collected = json.loads((corpus / "sources.json").read_text())
    tokens = tokens_by_source(corpus)
    fields = ("version", "sha256", "licence", "characters", "overlap_with_tasks")
    packages = {
        entry["name"]: {k: entry[k] for k in fields if k in entry} | {"tokens": tokens.get(entry["name"], 0)}
        for entry in collected["sources"]
    }
    total = collected["total"] | {"tokens": sum(tokens.values())}
    path.write_text(yaml.safe_dump({"packages": packages, "total": total}, sort_keys=False, width=120))
