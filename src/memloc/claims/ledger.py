"""Which came first: the rule or the result. Asked of git, so that pages can print both commits."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from memloc.claims.load import CLAIMS_FILE


class Commit(NamedTuple):
    """A commit: its short hash, its date (ISO 8601), and whether the file has changed since without a commit."""

    hash: str
    date: str
    modified: bool


def rule_commit(claim_file: Path | None = None) -> Commit | None:
    """The commit that last changed the rules; None where git cannot tell (no git, untracked, a shallow clone)."""
    path = (claim_file or CLAIMS_FILE).resolve()
    return _commit(path, ("-1",), last=False)


def first_run_commit(results_dir: Path) -> Commit | None:
    """The commit that first added a file below the results folder; None where git cannot tell."""
    return _commit(results_dir.resolve(), ("--diff-filter=A",), last=True)


def _commit(path: Path, options: tuple[str, ...], last: bool) -> Commit | None:
    if not path.exists():
        return None
    folder = path if path.is_dir() else path.parent
    # a shallow clone would name its oldest commit for every file
    if _git(folder, "rev-parse", "--is-shallow-repository") != "false":
        return None
    found = _git(folder, "log", *options, "--format=%h %cI", "--", str(path))
    if not found:
        return None
    short, date = found.splitlines()[-1 if last else 0].split(" ", 1)
    return Commit(short, date, modified=bool(_git(folder, "status", "--porcelain", "--", str(path))))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where it fails or is not there."""
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()
