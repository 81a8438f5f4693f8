"""The atlas: pages from templates, what they read of released runs, and texts that must not be shown unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from memloc.data.catalogue import get_task
from memloc.data.counting import count_rows
from memloc.data.raw import RawTask
from memloc.errors import MemlocError
from memloc.publishing import atlas, build, reading_atlas, runner, tabulate_atlas, tabulate_examples

ROOT = Path(__file__).resolve().parents[2]
TINY = """\
# %% [markdown]
# # One page of the atlas
#
# (this-page-end)=
# ## End
#
# See {{ref}}`this-page-end`.

# %% tags=["parameters"]
{kind} = "by hand"
profile = "mini"

# %%
print("page of", {kind}, profile)
"""
Sources = Callable[..., Path]


@pytest.fixture
def project(sources: Sources) -> Path:
    """A temporary project with one chapter and two tiny templates."""
    root = sources(**{"01_a": "# %% [markdown]\n# # A chapter\n"}).parents[1]
    (root / "notebooks" / "templates").mkdir()
    for kind in ("task", "family"):
        (root / "notebooks" / "templates" / f"{kind}.py").write_text(TINY.format(kind=kind))
    return root


def run(root: Path, **options: object) -> dict[str, str]:
    """Execute chapters and pages; name to state."""
    folder = root / "notebooks" / "chapters"
    runs = runner.execute_chapters("smoke", sources=folder, say=lambda line: None, **options)  # type: ignore[arg-type]
    assert {entry.name: entry.error for entry in runs if entry.error} == {}
    return {entry.name: entry.state for entry in runs}


def test_pages_are_made_like_chapters(project: Path) -> None:
    names = ["task-trec", "family-gpt-neo"]
    assert run(project, names=names) == dict.fromkeys(names, "executed")
    trec, neo = ((project / "book" / "atlas" / f"{name}.ipynb").read_text() for name in names)
    assert "page of trec smoke" in trec
    assert "page of gpt_neo smoke" in neo
    for text, own, other in ((trec, "task-trec", "family-gpt-neo"), (neo, "family-gpt-neo", "task-trec")):
        assert f"({own}-end)=" in text
        assert other not in text
        assert atlas.LABEL not in text, "labels of a template are no page's"
    assert '"# TREC\\n"' in trec
    status = (project / "book" / "chapters" / "status.md").read_text()
    assert "{doc}`../atlas/task-trec`" in status
    assert "| `task-rte` | not run |" in status
    assert set(run(project, names=names).values()) == {"current"}
    template = project / "notebooks" / "templates" / "task.py"
    template.write_text(template.read_text().replace("page of", "PAGE OF"))
    assert run(project, names=names) == {"task-trec": "executed", "family-gpt-neo": "current"}


def test_whose_page_it_is_cannot_be_set(project: Path) -> None:
    with pytest.raises(MemlocError, match="task"):
        run(project, parameters={"task": "rte"}, names=["task-trec"])
    with pytest.raises(MemlocError, match="did you mean task-trec"):
        run(project, names=["task-trecc"])
    (project / "notebooks" / "templates" / "task.py").write_text('# %% tags=["parameters"]\ntaks = 1\n')
    with pytest.raises(MemlocError, match=r"task\.py"):
        atlas.find_pages(project / "notebooks" / "templates")


def test_the_contents_name_every_page_once() -> None:
    pages = [f"book/atlas/{page.name}" for page in atlas.find_pages(ROOT / "notebooks" / "templates")]
    named = [name for name in build.pages(yaml.safe_load((ROOT / "_toc.yml").read_text())) if "/atlas/" in name]
    assert sorted(named) == sorted(pages)
    assert len(pages) == 1 + 12 + 4


@pytest.mark.parametrize(("read", "name"), [("read_task", "trec2"), ("read_family", "gptneo")])
def test_an_unknown_page(read: str, name: str) -> None:
    with pytest.raises(MemlocError, match="did you mean"):
        getattr(reading_atlas, read)(name)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of a copy of the project, with one released run in them."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "results" / "small", tmp_path / "results" / "small")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def test_runs_are_found_and_what_two_share_is_shown_once(results: Path) -> None:
    before = reading_atlas.read_task("trec").found
    shutil.copytree(results / "small", results / "later")
    (results / "benchmark").mkdir()
    (results / "benchmark" / "manifest.json").write_text(json.dumps({"kind": "planted"}))
    entry = reading_atlas.read_task("trec")
    assert list(entry.runs) == ["small", "later"]
    assert {found.run for found in entry.found} == {"small"}
    assert [str(found.centre) for found in entry.found] == [str(found.centre) for found in before]
    assert {found.place[0] for found in entry.found} == {"trec"}


def test_a_task_without_runs_shows_the_studys_numbers_alone(results: Path) -> None:
    entry = reading_atlas.read_task("cola")
    assert entry.found == []
    assert "No released run" in tabulate_atlas.entry_facts(entry)["runs"]
    assert set(tabulate_atlas.study_table(entry)["whose"]) == {"the study's"}
    assert "not counted" in str(tabulate_atlas.size_table("cola").iloc[0, 0])
    for frame in (tabulate_atlas.centre_table(entry), tabulate_atlas.event_table(entry)):
        assert len(frame) == 1
    assert len(tabulate_examples.hardest_table(entry)) == 1


def test_examples_at_the_ends_are_numbers_alone(results: Path) -> None:
    entry = reading_atlas.read_task("stormfront")
    table = tabulate_examples.hardest_table(entry)
    assert len(table)
    known = set(entry.runs["small"].release.tables["outcomes.parquet"]["idx"])
    for text in table["rows of the published file (value)"]:
        for part in text.replace(" and ", ", ").split(", "):
            idx, value = part.split(" ")
            assert int(idx) in known
            assert 0 <= float(value.strip("()")) <= 1


def test_texts_are_shown_where_the_data_are_and_hateful_ones_when_unmasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    (data / "stormfront").mkdir(parents=True)
    rows = [(f"made-up words number {n}", n % 2) for n in range(80)]
    frame = pd.DataFrame(rows, columns=["text", "label"])
    frame["label_name"] = frame["label"].map(dict(enumerate(get_task("stormfront").labels)))
    frame.to_parquet(data / "stormfront" / "train.parquet")
    monkeypatch.setenv("MEMLOC_DATA", str(data))
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))
    for source in (None, "generated"):
        assert "made-up" not in tabulate_examples.examples("stormfront", source).to_string()
    masked = tabulate_examples.examples("stormfront", "files").to_string()
    assert "made-up" not in masked
    assert "contains hateful language" in masked
    assert "made-up" in tabulate_examples.examples("stormfront", "files", unmask=True).to_string()
    with pytest.raises(MemlocError, match="unmask"):
        tabulate_examples.examples("stormfront", "files", unmask="no")  # type: ignore[arg-type]


def test_counting_rows_and_words() -> None:
    train = pd.DataFrame({"idx": [0, 1, 2], "parts": [["a b"], ["a b c d"], ["a"]], "label": [0, 0, 1]})
    counted = count_rows(get_task("sst2"), RawTask({"train": train}, {"source": "files"})).set_index("label")
    assert counted["rows"].tolist() == [3, 2, 1]
    assert counted["words_median"].tolist() == [2, 3, 1]
