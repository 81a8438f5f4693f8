"""Exercises and their solutions: folded, shown, or nowhere in the book."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memloc.errors import MemlocError
from memloc.publishing import exercises, project_root, runner
from memloc.publishing.chapters import read_source, source_files

CHAPTER = """\
# %% [markdown]
# # Questions
#
# ```{exercise} Counting
# :label: ex-count
# How many windows has a model of three layers?
# ```
#
# Text after it.
"""
SOLUTIONS = "## ex-count\nSix-by-hand: $3 + 2 + 1$.\n"
Sources = Callable[..., Path]


@pytest.fixture
def folder(sources: Sources) -> Path:
    made = sources(**{"01_a": CHAPTER})
    path = exercises.solutions_path(made / "01_a.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(SOLUTIONS)
    return made


def executed(folder: Path, way: str) -> str:
    out = folder.parents[1] / "book" / "chapters"
    runs = runner.execute_chapters("smoke", out=out, sources=folder, say=lambda line: None, solutions=way)
    assert [run.state for run in runs] == ["executed"], runs[0].error
    return (out / "01_a.ipynb").read_text()


def test_a_teachers_switch(folder: Path) -> None:
    folded, shown, kept = (executed(folder, way) for way in ("fold", "show", "withhold"))
    assert "Six-by-hand" in folded
    assert ":class: dropdown" in folded
    assert "Six-by-hand" in shown
    assert "dropdown" not in shown
    assert "Six-by-hand" not in kept
    assert "How many windows" in kept
    assert "Text after it" in kept


@pytest.mark.parametrize(
    ("solutions", "named"),
    [("", "ex-count"), (SOLUTIONS + "## ex-other\nText.\n", "ex-other"), ("Hello\n" + SOLUTIONS, "Hello")],
)
def test_every_exercise_has_its_solution(folder: Path, solutions: str, named: str) -> None:
    path = exercises.solutions_path(folder / "01_a.py")
    path.write_text(solutions)
    with pytest.raises(MemlocError, match=named):
        exercises.put_solutions(read_source(folder / "01_a.py"), exercises.read_solutions(path), "fold")


def test_an_unknown_way(folder: Path) -> None:
    with pytest.raises(MemlocError, match="withhold"):
        executed(folder, "withold")


def test_chapters_ask_something_and_answer_it() -> None:
    labels = []
    chapters = source_files(project_root() / "notebooks" / "chapters")
    del chapters["12_teaching"]  # for teachers, who ask
    for path in chapters.values():
        notebook = read_source(path)
        exercises.put_solutions(notebook, exercises.read_solutions(exercises.solutions_path(path)), "fold")
        found = exercises.labels(notebook)
        assert found, f"{path.name} has no exercise"
        labels += found
    assert len(labels) == len(set(labels))
