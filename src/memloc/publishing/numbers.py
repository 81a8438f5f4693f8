"""Numbers of the text: each is a link to its entry at the page's end, which says what it was computed from.

A chapter calls ``facts.glue_all``; its kernel puts what is known into an output that nothing shows. The runner takes it
out, links the text, writes the rows and adds the section. So it works in a page opened as a file, and on paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError
from memloc.publishing.chapters import write_text_whole
from memloc.publishing.downloads import DATA, ONE_LINE
from memloc.publishing.plain import LEADING, glued
from memloc.publishing.sources import Source, sources_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

TRACED = "memloc-numbers"  # the name under which an output carries sources
ROLE = re.compile(r"\{glue:text\}`([^`:]+)(?::[^`:]*)?`")
DIGIT = re.compile(r"\d")
ABOUT = (
    "A number that is underlined in the text leads to its entry here, under what it was computed from. Rows of a run "
    "carry the key (`run_key`) under which the store keeps them; what intervals are drawn from lies there beside them."
)


def glue_from(prefix: str, facts: Mapping[str, str], *computed_from: Any) -> None:
    """Make facts known to the text, and what they were computed from to the page's end.

    Raises:
        MemlocError: if a fact holds a number and nothing was named that it comes from.
    """
    from IPython.display import publish_display_data
    from myst_nb import glue
    from myst_nb.ext.glue import GLUE_PREFIX

    sources = sources_of(*computed_from)
    for name, value in facts.items():
        check(f"{prefix}-{name}", value, bool(sources))
        glue(f"{prefix}-{name}", value, display=False)
    if sources:
        told = {"prefix": prefix, "names": list(facts), "sources": [asdict(source) for source in sources]}
        publish_display_data({f"{GLUE_PREFIX}text/plain": ""}, metadata={TRACED: told})


def check(name: str, value: object, traced: bool) -> None:
    """Refuse a number that comes from nowhere; words alone may.

    Raises:
        MemlocError: naming the number.
    """
    if not traced and DIGIT.search(str(value)):
        raise MemlocError(f"source of the number {name}", None, "facts.glue_all(prefix, facts, what they come from)")


@dataclass(frozen=True)
class Group:
    """Numbers of one source: names in the text to what is glued, and the source's lines."""

    values: dict[str, str]
    sources: list[Source]


def take_groups(notebook: NotebookNode) -> list[Group]:
    """What the outputs say of numbers, those of one source together; a page's notebook holds it no longer.

    Raises:
        MemlocError: if a number was glued without it.
    """
    values = glued(notebook)
    told: list[Mapping[str, Any]] = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        told += [o.metadata[TRACED] for o in cell.outputs if TRACED in o.get("metadata", {})]
        cell["outputs"] = [o for o in cell.outputs if TRACED not in o.get("metadata", {})]
    groups: list[Group] = []
    for one in told:
        names = [f"{one['prefix']}-{name}" for name in one["names"]]
        sources = [Source(s["words"], tuple(s["files"]), dict(s["rows"])) for s in one["sources"]]
        found = {name: values[name] for name in names if name in values}
        if (same := next((group for group in groups if group.sources == sources), None)) is not None:
            same.values.update(found)
        else:
            groups.append(Group(found, sources))
    known = {name for group in groups for name in group.values}
    for name, value in values.items():
        check(name, value, name in known)
    return groups


def anchor(page: str, name: str) -> str:
    """Where the entry of a number stands, unique in the book."""
    return re.sub(r"[^a-z0-9]+", "-", f"number-{page}-{name}".lower())


def link_numbers(notebook: NotebookNode, page: str, folder: Path) -> None:
    """Link every number of the text, write the rows behind them, and add the section that they lead to.

    A number is what is glued and has a digit; words are no links.

    Args:
        notebook: the executed page.
        page: its name.
        folder: of its tables; what lies there already is not written twice.
    """
    groups = take_groups(notebook)
    known = {name for group in groups for name, value in group.values.items() if DIGIT.search(value)}
    used: set[str] = set()

    def linked(role: re.Match[str]) -> str:
        if role[1] not in known:
            return role[0]
        used.add(role[1])
        return f"[{role[0]}](#{anchor(page, role[1])}){{.memloc-number}}"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell["source"] = ROLE.sub(linked, cell.source)
    if lines := _entries(groups, used, page, folder):
        import nbformat  # takes a second, which the kernel of every page would spend

        cell = nbformat.v4.new_markdown_cell("\n".join(["## Numbers on this page", "", ABOUT, "", *lines]))
        cell["id"] = f"{page[:50]}{LEADING}"
        notebook.cells.append(cell)


def _entries(groups: Iterable[Group], used: set[str], page: str, folder: Path) -> list[str]:
    """The lines of the section: what each source is, the rows to download, and the numbers of the text from it."""
    lines: list[str] = []
    for group in groups:
        names = [name for name in group.values if name in used]
        if names:
            lines += [f"{_line(source, names[0], page, folder)}\n" for source in group.sources]
            lines += [f"- [`{name}`]{{#{anchor(page, name)}}}: {_shown(name, group.values[name])}" for name in names]
            lines.append("")
    return lines


def _shown(name: str, value: str) -> str:
    return f"{{glue:text}}`{name}`" if len(value) <= ONE_LINE else "the words that stand there"


def _line(source: Source, first: str, page: str, folder: Path) -> str:
    links = [f"{{download}}`{Path(file).name} </{file}>`" for file in source.files]
    written = [_written(text, name, first, folder) for name, text in source.rows.items()]
    links += [f"{{download}}`{name} <{DATA}/{page}/{name}>`" for name in written]
    return f"**{source.words}.**" + (f" Download: {', '.join(links)}." if links else "")


def _written(text: str, name: str, first: str, folder: Path) -> str:
    """The file of the page's folder that holds this text; written unless a table of the page is the same."""
    for path in sorted(folder.glob(f"*{Path(name).suffix}")):
        if path.read_text(encoding="utf-8") == text:
            return path.name
    own = f"{first.partition('-')[0]}-{name}"
    write_text_whole(folder / own, text)
    return own
