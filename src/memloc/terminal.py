"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(rows: Sequence[Sequence[object]], header: Iterable[object]) -> None:
    """Columns as wide as their widest cell."""
    cells = [[str(c) for c in row] for row in [list(header), *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
