"""``memloc compare``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line."""
    compare = commands.add_parser("compare", help="two released runs, or one and the study, side by side")
    compare.add_argument("first", metavar="RUN", help="a name in results/, a folder, or study (the paper)")
    compare.add_argument("second", metavar="RUN")
    compare.add_argument("--out", type=Path, metavar="FOLDER", help="also as one page with figures, and as CSV")
    compare.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from memloc.comparing.page import tables_of, told, write
    from memloc.comparing.sides import read_sides
    from memloc.comparing.tables import Comparison
    from memloc.terminal import print_table

    of = Comparison(*read_sides(arguments.first, arguments.second))
    print(told(of))
    for heading, frame in tables_of(of).items():
        print(f"\n{heading}")
        print_table(frame.astype(object).to_numpy().tolist(), frame.columns)
    if arguments.out:
        print(f"\n{write(of, arguments.out)}")
