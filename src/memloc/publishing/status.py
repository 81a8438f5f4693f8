"""The status page: what each chapter of this copy of the book was run with, from the records beside the chapters.

MyST-NB has a directive for this, but it is empty when something else executes the notebooks.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from memloc.config import book_above
from memloc.publishing.chapters import CHAPTERS, read_record, write_text_whole
from memloc.publishing.studies import reads_released

READ = "none: released tables were read"
SHOWN = ("python", "torch", "transformers", "datasets", "numpy", "pandas")

INTRODUCTION = """\
# Status of the chapters

What each chapter and each page of the atlas of this copy was run with. A page is run again when its source, its
parameters, the package or a library that shapes its outputs changes; the time is that of its last run. Results that a
chapter found ready in the store were computed before, so a short time does not mean little work.
"""


def seen_from(folder: str, name: str) -> str:
    """A page of a folder of the book, as the status page names it, which lies among the chapters."""
    return name if folder == CHAPTERS else f"../{folder}/{name}"


@functools.cache
def describe_device(asked: str = "auto") -> str:
    """The device that ``asked`` stands for on this machine, in words; none where nothing is computed."""
    if reads_released():
        return READ
    import torch

    if asked.startswith("cuda") or (asked == "auto" and torch.cuda.is_available()):
        return str(torch.cuda.get_device_name(asked if ":" in asked else 0))
    if asked == "mps" or (asked == "auto" and torch.backends.mps.is_available()):
        return "Apple GPU"
    return f"CPU ({platform.machine()})"


def _cell(text: object) -> str:
    """Text that cannot break out of its cell of a table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def _code(text: object) -> str:
    return f"`{_cell(text)}`" if str(text) else ""


def _versions(record: Mapping[str, Any]) -> str:
    found = record.get("versions", {})
    return ", ".join(f"{name} {found[name]}" for name in SHOWN if found.get(name))


def _duration(seconds: float) -> str:
    """Seconds as a reader wants them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _row(name: str, record: Mapping[str, Any] | None, linked: bool) -> str:
    if record is None:
        return f"| {_code(Path(name).name)} | not run | | | | |"
    given = {key: value for key, value in record["parameters"].items() if key != "profile"}
    cells = [
        f"{{doc}}`{name}`" if linked else _code(Path(name).name),
        _code(record["profile"] or ""),
        ", ".join(_code(f"{key}={value}") for key, value in sorted(given.items())) or "defaults",
        _cell(record["device"]),
        _duration(record["seconds"]),
        record["executed"],
    ]
    return "| " + " | ".join(cells) + " |"


def _made_with(records: list[Mapping[str, Any]]) -> str:
    """Versions and commits; one sentence where all chapters agree, one a chapter where they do not."""
    said: dict[str, list[str]] = {}
    for record in records:
        git, claims = record.get("git") or {}, record.get("claims_commit")
        changed = " with local changes" if git.get("dirty") else ""
        commit = f"commit {git['commit'][:10]}{changed}, " if git.get("commit") else ""
        rules = f"rules of the claims from commit {claims}, " if claims else ""
        said.setdefault(f"{commit}{rules}{_versions(record)}", []).append(str(record["name"]))
    lines = []
    for words, names in said.items():
        who = "All pages" if len(said) == 1 else ", ".join(_code(name) for name in names)
        lines.append(f"- {who}: {words}.")
    return "\n".join(lines)


def render(
    records: Mapping[str, Mapping[str, Any] | None], left_out: Iterable[str] = (), unlinked: Collection[str] = ()
) -> str:
    """The page in MyST Markdown; a chapter without a record is listed as not run.

    Args:
        records: of the chapters by name.
        left_out: cells that are missing in all of them.
        unlinked: chapters that are no part of the book yet.
    """
    table = ["| chapter | profile | parameters | device | duration | executed |", "|---|---|---|---|---|---|"]
    table += [_row(name, record, name not in unlinked) for name, record in records.items()]
    found = [record for record in records.values() if record]
    made = f"\n## Versions\n\n{_made_with(found)}\n" if found else ""
    cells = "\n".join(f"- {_cell(cell)}" for cell in left_out)
    missing = (
        f"\n## Missing cells\n\nNot finished when the chapters were run, and left out:\n\n{cells}\n" if cells else ""
    )
    return f"{INTRODUCTION}\n" + "\n".join(table) + "\n" + missing + made


def write_status(out: Path, names: Iterable[str] | None = None, left_out: Iterable[str] = ()) -> Path:
    """Write the status page beside the chapters, unless it already says the same.

    Args:
        out: folder of the executed chapters.
        names: pages to list, in reading order, as seen from ``out``; default the chapters that have a record.
        left_out: as in `render`.
    """
    found = sorted(path.name.removesuffix(".run.json") for path in out.glob("*.run.json"))
    listed = found if names is None else list(names)
    text = render({name: read_record(out, name) for name in listed}, left_out, _not_in_book(out, listed))
    page = out / "status.md"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        write_text_whole(page, text)
    return page


def _not_in_book(out: Path, names: Iterable[str]) -> set[str]:
    """Those of the pages that the table of contents does not name: a link to one would stop the build."""
    from memloc.publishing.build import pages

    root = book_above(out.resolve())
    if root is None:
        return set()
    named = {root / page for page in pages(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))}
    return {name for name in names if Path(os.path.normpath(out.resolve() / name)) not in named}
