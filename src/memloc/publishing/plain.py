"""An executed page as a notebook that reads well outside the book: in JupyterLab, on a code host, on one's own disk.

Pages are written in MyST, whose roles and directives only the book understands. Here numbers stand in their sentences,
captions below their figures, and parameters in one cell, the first. Code is the page's own.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

ABOUT = (
    "*A page of the book “Where does memorisation happen?”. Numbers in sentences are those of the run that made the "
    "page; running the cells again changes figures and tables.*"
)
NUMBER = re.compile(r"\[(\{glue:text\}`[^`]+`)\]\(#[^)]*\)\{[^}]*\}")
LEADING = "-numbers"  # how the id of the section ends that leads to what numbers were computed from
GLUED = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")
FIGURE = re.compile(r"\{numref\}`[^`]*`")
SECTION = re.compile(r"\{ref\}`made-[^`]*`")
CITED = re.compile(r"\{cite:(p|t)\}`([^`]*)`")
ROLE = re.compile(r"\{[a-z:]+\}`([^`<]*?)\s*(?:<[^`]*>)?`")
EXERCISE = re.compile(r"^```\{exercise\} (.*)\n:label: .*\n((?s:.*?))^```$", re.MULTILINE)
SOLUTION = re.compile(r"^````\{solution\} .*\n(?::.*\n)*((?s:.*?))^````$", re.MULTILINE)
DIRECTIVE = re.compile(r"^(```|:::)\{[a-z-]+\} ?(.*)\n(?::.*\n)*((?s:.*?))^\1$", re.MULTILINE)
LABEL = re.compile(r"^\([a-z0-9-]+\)=\n", re.MULTILINE)
INNER = re.compile(r"\[([^\]]*)\]\(#[^)]*\)")


def glued(notebook: NotebookNode) -> dict[str, str]:
    """What cells glued, by name: the words that stand in a page's sentences."""
    values: dict[str, str] = {}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                told = next((str(v) for k, v in output.data.items() if k.endswith("text/plain")), "")
                values[name] = told.strip("'\"")
    return values


def plain_text(text: str, values: dict[str, str] | None = None) -> str:
    """Markdown that needs nothing of MyST."""
    known = values or {}
    text = LABEL.sub("", NUMBER.sub(r"\1", text))
    text = GLUED.sub(lambda role: _formatted(known.get(role[1], role[1]), role[2]), text)
    text = FIGURE.sub(lambda role: f"{'The' if _begins(text, role.start()) else 'the'} figure below", text)
    text = CITED.sub(lambda role: _cited(role[2], role[1] == "p"), text)
    text = SECTION.sub("at the end", text)
    text = ROLE.sub(r"\1", text)
    text = EXERCISE.sub(r"**Exercise: \1**\n\n\2", text)
    text = SOLUTION.sub(r"<details><summary>Solution</summary>\n\n\1\n</details>", text)
    text = DIRECTIVE.sub(r"**\2**\n\n\3", text)
    return INNER.sub(r"\1", text)


def _formatted(value: str, form: str | None) -> str:
    """A value as its role asks for it."""
    return f"{float(value):{form}}" if form and re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", value) else value


def _begins(text: str, place: int) -> bool:
    """Whether a sentence begins there."""
    before = text[:place].rstrip()
    return not before or before[-1] in ".!?:" or text[:place].endswith("\n\n")


def _cited(keys: str, brackets: bool) -> str:
    """Names and years from keys such as ``zhang-etal-2017-understanding``."""
    told = []
    for key in keys.split(","):
        names, year, _ = re.split(r"-(\d{4})\b", f"{key.strip()}-", maxsplit=1)
        who = " and ".join(name.capitalize() for name in names.removesuffix("-etal").split("-"))
        who += " et al." * names.endswith("-etal")
        told.append(f"{who}, {year}" if brackets else f"{who} ({year})")
    return f"({'; '.join(told)})" if brackets else " and ".join(told)


def plain_notebook(page: NotebookNode) -> NotebookNode:
    """A copy of an executed page that reads well outside the book; it has no links into it.

    Args:
        page: before the section on running it again was added. That on its numbers is left out.
    """
    import nbformat  # takes a second, which the kernel of every page would spend

    values, made = glued(page), copy.deepcopy(page)
    made.cells = []
    injected = any("injected-parameters" in cell.metadata.get("tags", []) for cell in page.cells)
    for cell in copy.deepcopy(page.cells):
        tags = cell.metadata.get("tags", [])
        if cell["id"].endswith(LEADING) or ("parameters" in tags and injected):
            continue  # defaults would be overruled by the cell that follows, whatever is written there
        if "injected-parameters" in tags:
            cell.metadata["tags"] = ["parameters"]
            cell["source"] = cell.source.removeprefix("# Parameters\n")
        figure = cell.metadata.pop("mystnb", {}).get("figure", {})
        if cell.cell_type == "markdown":
            cell["source"] = plain_text(cell.source, values)
        made.cells.append(cell)
        if figure:
            caption = nbformat.v4.new_markdown_cell(f"*Figure.* {plain_text(figure['caption'], values)}")
            caption["id"] = f"{cell['id'][:50]}-caption"
            made.cells.append(caption)
    about = nbformat.v4.new_markdown_cell(ABOUT)
    about["id"] = "about-this-notebook"
    made.cells.insert(1, about)
    return made
