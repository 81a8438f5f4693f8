"""Long tables that a reader can sort and search: itables' bundle of DataTables, made fit for pages opened as files.

The bundle is a module, and browsers load no module for a page that is a file. So the build keeps one copy of it as a
plain script beside the pages. It weighs as much as a page: ``memloc.js`` loads it when a long table comes into view,
and until then, or without scripts, the table is whole and readable.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from memloc.errors import MemlocError
from memloc.publishing.chapters import write_text_whole

# among what others made, whose words name no class of our pages (lean.py); memloc.js asks for them by these names
NAMES = ("vendor/itables/tables.js", "vendor/itables/tables.css")
EXPORT = re.compile(r"export\{([^{}]*)\}")


def write_assets(html: Path) -> None:
    """Put script and style sheet among the static files of a built book."""
    for name, text in zip(NAMES, _bundle(), strict=True):
        write_text_whole(html / "_static" / name, text)


@cache
def _bundle() -> tuple[str, str]:
    """The bundle as a plain script that leaves ``window.memlocTable``, and its style sheet.

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
    kept = f"window.memlocTable = {names['ITable']};"
    script = f"(() => {{\n{code[: last.start()]}{kept}{code[last.end() :]}\n}})();\n"
    return script, (folder / "dt_bundle.css").read_text(encoding="utf-8")
