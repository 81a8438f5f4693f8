"""The end of a page: its command, its notebook, and tables of what it shows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest

from memloc.errors import MemlocError
from memloc.publishing import runner
from memloc.publishing.downloads import csv
from memloc.publishing.drawn_data import drawn_data

mpl.use("agg")

CHAPTER = """\
# %% [markdown]
# # A page
#
# ## Numbers

# %% tags=["parameters"]
profile = "mini"
factor = 1.0
name = "x"

# %%
import pandas as pd

from memloc.publishing.tabulate import show_table

show_table(pd.DataFrame({"layer": [1, 2], "weight": [factor, 0.5]}), pd.DataFrame({"words": [name]}))
"""


def table(text: str) -> pd.DataFrame:
    """A CSV, read."""
    return pd.read_csv(io.StringIO(text))


def test_tables_keep_numbers_and_leave_texts() -> None:
    frame = pd.DataFrame(
        {"text": ["a text", "b"], "long": ["w" * 60, ""], "share": [1 / 3, 0.5], "p": ["< .001", ".2"]}
    )
    assert csv(frame) == "share,p\n0.333333,< .001\n0.5,.2\n"
    assert csv(frame[["text", "long"]]) == ""
    assert csv(pd.DataFrame({"task": ["rte"]})) == ""


def test_what_is_drawn_is_what_the_table_says() -> None:
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3)
    left.plot([1, 2], [0.1, 0.2], label="noisy")
    left.fill_between([1, 2], [0, 0.1], [0.2, 0.3])
    left.axhline(0.5)
    left.set(title="trec", xlabel="layer")
    middle.imshow([[1.0, 2.0], [3.0, float("nan")]], origin="lower", extent=(0.5, 2.5, 0.5, 2.5))
    right.barh([0, 1], [5, 7])
    right.set_yticks([0, 1], ["bert", "opt"])
    found = drawn_data(figure)
    line = found[found["kind"] == "line"]
    assert line[["panel", "x_axis", "series", "x", "y"]].to_numpy().tolist() == [
        ["trec", "layer", "noisy", 1.0, 0.1],
        ["trec", "layer", "noisy", 2.0, 0.2],
    ]
    assert {"band", "cell", "bar"} <= set(found["kind"])
    cells = found[(found["column"] == 2)]
    assert cells[["x", "y", "value"]].to_numpy().tolist()[:3] == [[1, 1, 1], [2, 1, 2], [1, 2, 3]]
    bars = found[found["kind"] == "bar"]
    assert bars[["x", "y_name"]].to_numpy().tolist() == [[5, "bert"], [7, "opt"]]
    plt.close(figure)


def test_page_ends_with_the_line_that_makes_it_again(sources: Callable[..., Path]) -> None:
    folder = sources(**{"01_a": CHAPTER})
    out = folder.parents[1] / "book" / "chapters"
    asked = ["factor=2", 'name="; import os; os.remove("x") #']
    (run,) = runner.execute_chapters("smoke", out=out, sources=folder, assigned=asked, say=lambda line: None)
    assert run.error == ""
    notebook = nbformat.read(out / "01_a.ipynb", as_version=4)
    end = notebook.cells[-1].source
    line = re.search(r"^memloc book execute .*$", end, flags=re.MULTILINE)
    assert line
    assert line[0].startswith("memloc book execute --only 01_a --profile smoke -p factor=2.0 -p ")
    assert "this page has `factor`, `name`." in end, "what may follow -p is told where it can be tried"
    assert "<data/01_a/01_a.ipynb>" in end
    assert "</notebooks/chapters/01_a.py>" in end
    assert "“Numbers”: {download}`table-1.csv <data/01_a/table-1.csv>`" in end
    assert table((out / "data" / "01_a" / "table-1.csv").read_text())["weight"].tolist() == [2.0, 0.5]
    files = sorted(path.name for path in (out / "data" / "01_a").iterdir())
    assert files == ["01_a.ipynb", "table-1.csv"], "no file without a number"
    assert "memloc-tables" not in (out / "01_a.ipynb").read_text()
    (out / "data" / "01_a" / "table-1.csv").unlink()
    (again,) = runner.execute_chapters("smoke", out=out, sources=folder, assigned=asked, say=lambda line: None)
    assert again.state == "executed", "a page without one of its tables is not current"


def test_wrong_parameter_stops_everything_before_it_starts(sources: Callable[..., Path]) -> None:
    folder = sources(**{"01_a": CHAPTER})
    with pytest.raises(MemlocError, match="did you mean factor"):
        runner.execute_chapters("smoke", sources=folder, assigned=["facto=1"])
    assert not (folder.parents[1] / "book").exists()


def test_a_task_that_does_not_exist_leaves_the_page_that_is_there(sources: Callable[..., Path]) -> None:
    folder = sources(**{"01_a": CHAPTER.replace("factor = 1.0", "factor = 1.0\ntasks = None")})
    out = folder.parents[1] / "book" / "chapters"
    (run,) = runner.execute_chapters("smoke", out=out, sources=folder, say=lambda line: None)
    assert run.state == "executed"
    before = (out / "01_a.ipynb").read_bytes()
    with pytest.raises(MemlocError, match="unknown task: 'gen-cue-4a'"):
        runner.execute_chapters("smoke", out=out, sources=folder, assigned=["task=gen-cue-4a"])
    assert (out / "01_a.ipynb").read_bytes() == before
