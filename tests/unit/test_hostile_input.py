"""No code runs from weights, data, profiles or parameters, no name leaves its folder, nothing altered is used."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from benchmarks import hostile_cases
from benchmarks.hostile import attempt, poisoned
from benchmarks.hostile_cases import CASES

HARMLESS = ("refused", "only the", "the file was not imported", "read as plain text", "stayed text", "escaped in")
HARMLESS = (*HARMLESS, "noticed", "the link was removed", "told by memloc doctor")


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_does_no_harm_and_is_told(name: str) -> None:
    told = attempt(name)
    assert not told.harmed
    assert told.happened.startswith(HARMLESS), told.happened


def test_harm_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(folder: Path, harm: Path) -> str:
        """A pickle that is loaded."""
        poisoned(folder / "model.bin", harm)
        pickle.loads((folder / "model.bin").read_bytes())
        return "loaded"

    def climbing(folder: Path, harm: Path) -> str:
        """A name that is believed."""
        (folder / "../elsewhere").mkdir()
        return "made"

    for function in (careless, climbing):
        monkeypatch.setitem(hostile_cases.CASES, "careless", function)
        assert attempt("careless").harmed
