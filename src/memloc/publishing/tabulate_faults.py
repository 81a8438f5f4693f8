"""What the package survived and what it refused, as stored by ``benchmarks``: tables and sentences for the chapter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from memloc.publishing import project_root
from memloc.publishing.tabulate_speed import FOLDER, read_columns

SURVIVAL = ("fault", "number", "told", "equal", "found", "undone", "orphans", "seconds", "whole_seconds", "device")
HOSTILE = ("case", "given", "happened", "harmed")
FILES = (f"{FOLDER}/survival.parquet", f"{FOLDER}/hostile.parquet")
WORDS = {
    "killed": "the process is killed (-9) at a random moment",
    "worker_killed": "one of two worker processes is killed, as a machine without memory does it",
    "clock": "the clock jumps by hours and years; killed; then all files carry times of other years",
    "read_only": "killed; then the home, and then the folder of results, cannot be written",
    "full_disk": "the disk is full at a random size",
    "no_memory": "the device has no memory for a layer, at a random call (simulated)",
    "two_runs": "a second run on the same home; in every other try the first is killed",
    "two_users": "two users of a group on one home; the first one's run is killed",
}


def read_survival(path: Path | None = None) -> pd.DataFrame:
    """The table of ``python -m benchmarks.survival --out``; empty where a copy of the book has none."""
    return read_columns(path or project_root() / FOLDER / "survival.parquet", SURVIVAL)


def read_hostile(path: Path | None = None) -> pd.DataFrame:
    """The table of ``python -m benchmarks.hostile --out``, as `read_survival`."""
    return read_columns(path or project_root() / FOLDER / "hostile.parquet", HOSTILE)


def survival_table(tried: pd.DataFrame) -> pd.DataFrame:
    """One row a fault: how often it was tried, how the tries ended, what was left behind."""
    rows = []
    for name, words in WORDS.items():
        of = tried[tried["fault"] == name]
        if len(of):
            rows.append(
                {
                    "fault": words,
                    "times tried": str(len(of)),
                    "same bytes in the end": f"{of['equal'].sum()} of {len(of)}",
                    "left behind": str(int(of["orphans"].sum())),
                    "found by the doctor": str(int(of["found"].sum())),
                    "left to a person": str(int(of["undone"].sum())),
                }
            )
    return pd.DataFrame(rows)


def moments_table(tried: pd.DataFrame) -> pd.DataFrame:
    """What happened at the faults, and how often."""
    rows = [
        {"fault": WORDS[name], "what happened": told, "times": str(times)}
        for name in WORDS
        for told, times in Counter(tried.loc[tried["fault"] == name, "told"]).most_common()
    ]
    return pd.DataFrame(rows)


def hostile_table(fed: pd.DataFrame) -> pd.DataFrame:
    """One row an input: what it was, and what happened."""
    return pd.DataFrame({"input": fed["given"], "what happened": fed["happened"]})


def fault_facts(tried: pd.DataFrame, fed: pd.DataFrame) -> dict[str, str]:
    """For prose: how many tries, how many of them ended well, how many inputs, how many did harm."""
    if tried.empty or fed.empty:
        return {"told": "This copy of the book holds no such tries, so the tables below are empty."}
    whole = tried["whole_seconds"].median()
    well = int((tried["equal"] & (tried["orphans"] == 0) & (tried["undone"] == 0)).sum())
    return {
        "told": f"This copy holds {len(tried)} tries of {tried['fault'].nunique()} faults, on a cell that takes "
        f"{whole:.0f} s with nothing in its way; {well} of them ended as they should. Of {len(fed)} hostile inputs "
        f"{int(fed['harmed'].sum())} did harm."
    }
