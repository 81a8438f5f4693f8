"""The runner: parameters, what is executed again, failures, what the executed notebook holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from sample_chapter import CHAPTER

from memloc.errors import MemlocError
from memloc.publishing import chapters, execution, runner

TINY = """\
# %% [markdown]
# # Tiny

# %% tags=["parameters"]
profile = "mini"
factor = 1

# %%
print(profile, factor * 21)
"""

FAILING = """\
# %%
x = 1

# %%
def deep():
    raise KeyError("the-reason")

deep()
"""

Sources = Callable[..., Path]


def run(folder: Path, profile: str = "smoke", **options: object) -> dict[str, runner.ChapterRun]:
    """Execute the chapters of a temporary project."""
    out = folder.parents[1] / "book" / "chapters"
    runs = runner.execute_chapters(profile, out=out, sources=folder, say=lambda line: None, **options)  # type: ignore[arg-type]
    return {entry.name: entry for entry in runs}


def test_executes_once_then_only_what_changed(sources: Sources) -> None:
    folder = sources(**{"01_a": TINY, "02_b": TINY})
    out = folder.parents[1] / "book" / "chapters"
    first = run(folder)
    assert [entry.state for entry in first.values()] == ["executed", "executed"]
    text = (out / "01_a.ipynb").read_text()
    assert "smoke 21" in text
    assert [entry.state for entry in run(folder).values()] == ["current", "current"]
    (folder / "02_b.py").write_text(TINY + "\n# %%\nprint(2)\n")
    assert [entry.state for entry in run(folder).values()] == ["current", "executed"]
    assert [entry.state for entry in run(folder, parameters={"factor": 2}, names=["01_a"]).values()] == ["executed"]
    assert "smoke 42" in (out / "01_a.ipynb").read_text()
    run(folder, names=["01_a"])
    assert (out / "01_a.ipynb").read_text() == text, "the same inputs give the same notebook, byte for byte"
    assert "02_b" in (out / "status.md").read_text(), "a run of one chapter keeps the others on the status page"
    assert "{doc}`02_b`" not in (out / "status.md").read_text(), (
        "a link to a page that is not in the book stops its build"
    )
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


def test_altered_notebook_is_executed_again(sources: Sources) -> None:
    folder = sources(**{"01_a": TINY})
    run(folder)
    notebook = folder.parents[1] / "book" / "chapters" / "01_a.ipynb"
    notebook.write_text(notebook.read_text()[:-20])
    assert run(folder)["01_a"].state == "executed"
    assert nbformat.read(notebook, as_version=4).cells


def test_failure_is_told_and_the_others_go_on(sources: Sources) -> None:
    folder = sources(**{"01_bad": FAILING, "02_good": TINY})
    out = folder.parents[1] / "book" / "chapters"
    (out).mkdir(parents=True)
    (out / "01_bad.ipynb").write_text("from older code")
    runs = run(folder)
    assert runs["02_good"].state == "executed"
    assert runs["01_bad"].state == "failed"
    assert "code cell 2 (begins `def deep():`)" in runs["01_bad"].error
    assert "KeyError: 'the-reason'" in runs["01_bad"].error.splitlines()[-2]
    assert runs["01_bad"].error.endswith(".01_bad.failed.ipynb")
    assert "\x1b" not in runs["01_bad"].error
    assert not (out / "01_bad.ipynb").exists(), "nobody could say what made it"
    assert "| `01_bad` | not run |" in (out / "status.md").read_text()


def test_failure_leaves_the_page_and_says_what_made_it(sources: Sources) -> None:
    """A reader who tries a parameter that does not work still has a book that can be built."""
    folder = sources(**{"01_a": TINY + "\n# %%\nassert factor == 1\n"})
    out = folder.parents[1] / "book" / "chapters"
    run(folder)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    said: list[str] = []
    (failed,) = runner.execute_chapters("smoke", {"factor": 2}, out, sources=folder, say=said.append)
    assert failed.state == "failed"
    assert any("the page of the run before stays" in line for line in said)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after.pop(".01_a.failed.ipynb")
    assert after == before
    assert run(folder)["01_a"].state == "current", "it still is what its record says"


def test_two_executions_at_once_are_refused(sources: Sources) -> None:
    folder = sources(**{"01_a": TINY})
    book = folder.parents[1] / "book"
    book.mkdir()
    with runner._alone(book), pytest.raises(MemlocError, match="another one is at work"):
        run(folder)
    assert run(folder)["01_a"].state == "executed"


def test_kernel_that_dies_is_a_failure(sources: Sources) -> None:
    folder = sources(**{"01_dies": "# %%\nimport os\n\nos._exit(3)\n"})
    outcome = run(folder)["01_dies"]
    assert outcome.state == "failed"
    assert "DeadKernel" in outcome.error


@pytest.mark.parametrize(("name", "near"), [("facto", "factor"), ("qqq", "factor, profile")])
def test_unknown_parameter_is_refused_before_anything_runs(sources: Sources, name: str, near: str) -> None:
    folder = sources(**{"01_a": TINY})
    with pytest.raises(MemlocError, match=name) as caught:
        run(folder, parameters={name: 1})
    assert near in str(caught.value)
    assert not (folder.parents[1] / "book" / "chapters").exists()


def test_unknown_chapter_no_sources_and_no_workers_are_refused(sources: Sources, tmp_path: Path) -> None:
    folder = sources(**{"01_tasks": TINY})
    with pytest.raises(MemlocError, match="did you mean 01_tasks"):
        run(folder, names=["01_task"])
    with pytest.raises(MemlocError, match="workers"):
        run(folder, workers=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MemlocError, match="chapter sources"):
        run(tmp_path / "empty")


def test_record_says_what_was_run(sources: Sources) -> None:
    folder = sources(**{"01_a": TINY})
    run(folder, parameters={"factor": 3})
    record = json.loads((folder.parents[1] / "book" / "chapters" / "01_a.run.json").read_text())
    assert record["parameters"] == {"factor": 3, "profile": "smoke"}
    assert record["profile"] == "smoke"
    assert record["seconds"] > 0
    assert record["device"]
    assert record["versions"]["numpy"]


def test_key_depends_on_everything_it_should(tmp_path: Path) -> None:
    source = tmp_path / "01_a.py"
    source.write_text(TINY)
    chapter = chapters.find_chapters(tmp_path)[0]
    key = chapters.chapter_key(chapter, {"profile": "mini"}, "package", "fold")
    assert key == chapters.chapter_key(chapter, {"profile": "mini", "of_another_chapter": 1}, "package", "fold")
    assert key != chapters.chapter_key(chapter, {"profile": "paper"}, "package", "fold")
    assert key != chapters.chapter_key(chapter, {"profile": "mini"}, "other package", "fold")
    source.write_text(TINY + "\n")
    assert key != chapters.chapter_key(chapter, {"profile": "mini"}, "package", "fold")
    with pytest.raises(MemlocError, match="JSON"):
        chapters.chapter_key(chapter, {"profile": {1, 2}}, "package", "fold")


def test_a_cell_has_one_figure(tmp_path: Path) -> None:
    source = tmp_path / "01_a.py"
    source.write_text(CHAPTER)
    job = execution.Job("01_a", source, {}, tmp_path, tmp_path)
    told = {"name": "fig-a", "caption": "c", "alt": "a"}
    cell = nbformat.v4.new_code_cell("show()")
    for _ in range(2):
        cell.outputs.append(nbformat.v4.new_output("display_data", {"text/plain": "x"}, metadata={"memloc": told}))
    with pytest.raises(ValueError, match="one a cell"):
        execution.lift_figure(cell, 0, job)


def test_threads_are_divided_but_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for asked, expected in (("", "3"), ("1", "1"), ("8", "3")):
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            monkeypatch.setenv(variable, asked)
        execution.limit_threads(3)
        assert execution.os.environ["OMP_NUM_THREADS"] == expected
