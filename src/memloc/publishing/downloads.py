"""The end of every page: the line that re-runs it, its source, its notebook, and the numbers it shows as CSV."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from memloc.publishing.chapters import write_text_whole

if TYPE_CHECKING:
    from nbformat import NotebookNode

TABLES = "memloc-tables"  # the name under which an output carries its tables
DATA = "data"  # the folder of tables, beside the notebooks
TEXTS = (
    "text",
    "texts",
    "example",
    "examples",
    "parts",
    "premise",
    "part",
)  # columns of examples' texts, which stay on the page
ONE_LINE = 45  # characters of a cell that is not wrapped, and so no text
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NUMBER = re.compile(r"^[<−-]?\s*\.?\d")


def csv(frame: pd.DataFrame) -> str:
    """A table of numbers as CSV; empty where there is no number. Texts of examples are left out."""
    kept = [name for name in frame if str(name) not in TEXTS and not _is_text(frame[name])]
    shown = frame[kept]
    if not any(shown[name].map(lambda value: bool(NUMBER.match(str(value)))).any() for name in shown):
        return ""
    return str(shown.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def _is_text(column: pd.Series) -> bool:
    return bool(column.dropna().astype(str).str.len().max() > ONE_LINE)


def take_data(notebook: NotebookNode, folder: Path) -> list[tuple[str, str]]:
    """Move the tables that outputs carry into files; a page's notebook holds them no longer.

    Args:
        notebook: an executed one.
        folder: of the page's tables; made anew.

    Returns:
        File names and what they are, in the order of the page.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files: list[tuple[str, str]] = []
    section, number = "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (HEADING.findall(cell.source) or [section])[-1]
            continue
        for output in cell.get("outputs", []):
            metadata = output.get("metadata", {})
            figure = metadata.get("memloc", {})
            if text := figure.pop("data", ""):
                files.append((f"{figure['name']}.csv", f"{{numref}}`{figure['name']}`"))
                write_text_whole(folder / files[-1][0], text)
            for text in _tables(metadata):
                number += 1
                files.append((f"table-{number}.csv", f"table of the section “{section}”"))
                write_text_whole(folder / files[-1][0], text)
    return files


def _tables(metadata: NotebookNode) -> list[str]:
    """What ``show_table`` said; IPython keeps it under the kind of output."""
    html = metadata.get("text/html", {})
    tables = html.pop(TABLES, [])
    if "text/html" in metadata and not html:
        del metadata["text/html"]
    return list(tables)


def add_footer(
    notebook: NotebookNode,
    command: str,
    source: str,
    name: str,
    files: Sequence[tuple[str, str]],
    parameters: Sequence[str] = (),
) -> None:
    """Add the last section of a page.

    Args:
        notebook: the executed page.
        command: that makes it again.
        source: the py:percent file, as seen from the root of the book.
        name: of the page.
        files: as ``take_data`` returns them.
        parameters: of the page, which may be given otherwise.
    """
    active = "In the project's folder, with its environment active (`source .venv/bin/activate`), these lines"
    own = " Put your own paths for what they name." if "--data DIR" in command or "--catalogue" in command else ""
    names = ", ".join(f"`{parameter}`" for parameter in parameters)
    others = f" Others are chosen by `-p name=value`; this page has {names}." if names else ""
    lines = [
        *("## Re-run this page", "", f"{active} make this page as it stands here.{own}{others}"),
        *("", "```bash", command, "memloc book build", "```", ""),
        f"- Source: {{download}}`{Path(source).name} </{source}>`, which JupyterLab opens as a notebook.",
        f"- Executed notebook: {{download}}`{name}.ipynb <{DATA}/{name}/{name}.ipynb>`.",
    ]
    if files:
        lines.append("- Numbers shown on this page, as CSV:")
        lines += [f"  - {words}: {{download}}`{file} <{DATA}/{name}/{file}>`" for file, words in files]
    import nbformat  # takes a second, which the kernel of every page would spend

    cell = nbformat.v4.new_markdown_cell("\n".join(lines))
    cell["id"] = f"{name[:50]}-rerun"
    notebook.cells.append(cell)
