"""Hostile input: what is fed to the package, and what comes of it.

    python -m benchmarks.hostile --out results/benchmarks

Every case tries to have a file made, through code in its input or a name that leaves its folder. ``harmed`` says
whether that file is there afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from benchmarks.run import add_to_table
from memloc.errors import MemlocError

Case = Callable[[Path, Path], str]


@dataclass(frozen=True)
class Told:
    """What came of one hostile input.

    Attributes:
        case: its name, a key of ``CASES``.
        given: what was fed, in words.
        happened: what the package said or did.
        harmed: whether the input got what it wanted.
    """

    case: str
    given: str
    happened: str
    harmed: bool


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, harm: Path) -> None:
        self.harm = harm

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.harm,)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of the environment for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def refusal(call: Callable[[], object], folder: Path) -> str:
    """What was said instead of doing it, without the folder's name; other exceptions pass."""
    try:
        call()
    except MemlocError as error:
        text = str(error).replace(str(folder), "…")
        return f"refused: {text[:180]}{'…' if len(text) > 180 else ''}"
    return "taken"


def attempt(name: str) -> Told:
    """Feed one case in a folder of its own."""
    from benchmarks.hostile_cases import CASES

    case = CASES[name]
    with tempfile.TemporaryDirectory(prefix="memloc-hostile-") as scratch:
        folder, harm = Path(scratch) / "world", Path(scratch) / "harm"
        folder.mkdir()
        happened = case(folder, harm).replace(str(folder), "…").replace(scratch, "…")
        # nothing may lie beside the world: neither the file of a payload nor one whose name climbed out
        harmed = sorted(path.name for path in Path(scratch).iterdir()) != ["world"]
    return Told(name, " ".join((case.__doc__ or "").split()).rstrip("."), happened, harmed)


def poisoned(path: Path, harm: Path) -> None:
    """A pickle with a payload."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(Payload(harm)))


def main(arguments: list[str] | None = None) -> int:
    """Feed every case, a line each; with ``--out`` a table in the folder, in place of an old one."""
    from benchmarks.hostile_cases import CASES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    found = []
    for name in CASES:
        found.append(attempt(name))
        print(f"{'HARMED' if found[-1].harmed else 'ok'}  {found[-1].given}\n    {found[-1].happened}", flush=True)
    if given.out:
        path = given.out / "hostile.parquet"
        path.unlink(missing_ok=True)
        add_to_table(pd.DataFrame([asdict(told) for told in found]), path)
    return 1 if any(told.harmed for told in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
