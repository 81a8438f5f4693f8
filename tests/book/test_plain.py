"""The notebook that readers download: no roles, numbers in their sentences, captions, one cell of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from sample_chapter import CHAPTER

from memloc.publishing import runner
from memloc.publishing.plain import plain_text

SAID = """\
# %% [markdown]
# # A page
#
# *A question?*

# %% tags=["parameters"]
profile = "mini"
factor = 1

# %%
from memloc.publishing import facts

facts.glue_all("said", {"share": "0.25", "word": "half"}, "LICENSE")

# %% [markdown]
# The share is {glue:text}`said-share`, {glue:text}`said-word` of it; see {doc}`the other <04_swapping>`.
#
# (made-said)=
# ## The end

# %%
print(factor)
"""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("An {term}`M-CoG` and a {term}`window <windows>`.", "An M-CoG and a window."),
        ("{numref}`fig-a` shows. In\n{numref}`fig-b` too", "The figure below shows. In\nthe figure below too"),
        ("## Maps\n\n{numref}`fig-a` shows", "## Maps\n\nThe figure below shows"),
        ("keys: {ref}`made-maps`.", "keys: at the end."),
        ("by {cite:t}`dankers-titov-2024-generalisation`", "by Dankers and Titov (2024)"),
        (
            "x {cite:p}`stephenson-etal-2021-geometry,maini-etal-2023-localized`",
            "x (Stephenson et al., 2021; Maini et al., 2023)",
        ),
        ("[{glue:text}`a-b`](#number-x-a-b){.memloc-number}.", "7."),
        ("{glue:text}`a-b:.2f` of", "7.00 of"),
        ("(made-x)=\n## Made", "## Made"),
        ("keys: [What made this](#made-x).", "keys: What made this."),
        (
            "```{exercise} Why\n:label: ex-why\n\nText.\n```\n\n"
            "````{solution} ex-why\n:label: s\n:class: dropdown\n\nSo.\n````",
            "**Exercise: Why**\n\n\nText.\n\n\n<details><summary>Solution</summary>\n\n\nSo.\n\n</details>",
        ),
        ("```{admonition} Note\n:class: warning\n\nText.\n```", "**Note**\n\n\nText.\n"),
        ("`code` and $x_{a}$ and {glue:text}`unknown`", "`code` and $x_{a}$ and unknown"),
    ],
)
def test_text_needs_no_book(text: str, plain: str) -> None:
    assert plain_text(text, {"a-b": "7"}) == plain


def test_downloaded_page_reads_and_runs(sources: Callable[..., Path], tmp_path: Path) -> None:
    folder = sources(**{"01_a": SAID})
    out = folder.parents[1] / "book" / "chapters"
    (run,) = runner.execute_chapters("smoke", {"factor": 3}, out, sources=folder, say=lambda line: None)
    assert run.error == ""
    notebook = nbformat.read(out / "data" / "01_a" / "01_a.ipynb", as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "The share is 0.25, half of it; see the other." in text
    assert "book “Where does memorisation happen?”" in notebook.cells[1].source
    assert "Numbers on this page" not in text
    assert not re.search(r"\{[a-z:]+\}`|^\(.*\)=$", text, flags=re.MULTILINE)
    first, *rest = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "factor = 3" in first.source, "the parameters of this page, and no cell of defaults before them"
    assert not any("factor = " in cell.source for cell in rest)
    assert "memloc-numbers" not in (out / "data" / "01_a" / "01_a.ipynb").read_text()


def test_captions_stand_below_their_figures(sources: Callable[..., Path]) -> None:
    folder = sources(**{"01_a": CHAPTER})
    out = folder.parents[1] / "book" / "chapters"
    runner.execute_chapters("smoke", out=out, sources=folder, say=lambda line: None)
    cells = nbformat.read(out / "data" / "01_a" / "01_a.ipynb", as_version=4).cells
    captions = [place for place, cell in enumerate(cells) if cell.source.startswith("*Figure.*")]
    assert captions
    for place in captions:
        assert "image/svg+xml" in {kind for output in cells[place - 1].outputs for kind in output.get("data", {})}
        assert "{" not in cells[place].source
