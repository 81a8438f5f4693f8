"""Long tables that a reader can sort and search: itables' bundle of DataTables, made fit for pages opened as files.

The bundle is a module, and browsers load no module for a page that is a file. So the build keeps one copy of it as a
plain script beside the pages, and only pages with a long table load it. Without it a table is whole and readable.
"""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from memloc.errors import MemlocError
from memloc.publishing.chapters import write_text_whole

LONG = 16  # rows from which sorting and searching help
TABLE = re.compile(r'<table [^>]*class="[^"]*\bmemloc-table\b.*?</table>', re.DOTALL)
EXPORT = re.compile(r"export\{([^{}]*)\}")
# among what others made, whose words name no class of our pages (lean.py)
NAMES = ("vendor/itables/tables.js", "vendor/itables/tables.css")
SCRIPT = """
for (const table of document.querySelectorAll("table.memloc-table")) {
  if (table.tBodies[0].rows.length >= %d) {
    const layout = {topStart: null, topEnd: "search", bottomStart: null, bottomEnd: null};
    new ITable(table, {paging: false, info: false, order: [], autoWidth: false, layout});
  }
}
"""


def has_long_table(page: str) -> bool:
    """Whether a page has a table of many rows."""
    return any(table.group().count("<tr") > LONG for table in TABLE.finditer(page))


def with_assets(text: str, page: Path, html: Path) -> str:
    """A page that has a long table, with what makes it sortable; others, and those that have it, as they are."""
    if not has_long_table(text) or NAMES[0] in text:
        return text
    place = Path(os.path.relpath(html / "_static", page.parent)).as_posix()
    script, sheet = (f"{place}/{name}" for name in NAMES)
    added = f'<link rel="stylesheet" href="{sheet}" />\n<script defer="defer" src="{script}"></script>\n'
    return text.replace("</head>", f"{added}</head>", 1)


def write_assets(html: Path) -> None:
    """Put script and style sheet among the static files of a built book."""
    script, sheet = _bundle()
    write_text_whole(html / "_static" / NAMES[0], script)
    write_text_whole(html / "_static" / NAMES[1], sheet)


@cache
def _bundle() -> tuple[str, str]:
    """The bundle as a plain script with a line of ours at its end, and its style sheet.

    Raises:
        MemlocError: if the bundle exports no ``ITable``, as another version of itables might.
    """
    found = find_spec("itables")
    if found is None or found.origin is None:
        raise MemlocError("package", "itables", "make setup")
    folder = Path(found.origin).parent / "html"
    code = (folder / "dt_bundle.js").read_text(encoding="utf-8")
    exports = list(EXPORT.finditer(code))
    pairs = [part.partition(" as ") for part in exports[-1][1].split(",")] if exports else []
    names = {public: own for own, _, public in pairs}
    if "ITable" not in names:
        raise MemlocError("bundle of itables", sorted(names), "one that exports ITable; another version of itables")
    last = exports[-1]
    own = f"const ITable = {names['ITable']};{SCRIPT % LONG}"
    script = f"(() => {{\n{code[: last.start()]}{own}{code[last.end() :]}\n}})();\n"
    return script, (folder / "dt_bundle.css").read_text(encoding="utf-8")
