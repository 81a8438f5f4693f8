"""The book's smoke build: our own chapters, executed with the smallest profile, built with warnings as errors."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import chrome
import html_check
import pytest
import walking

from memloc.publishing import build, runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the executed and built book."""
    root = tmp_path_factory.mktemp("own")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("chapters", "atlas", "assignments"))
    for name in ("chapters", "solutions", "assignments", "templates"):
        shutil.copytree(ROOT / "notebooks" / name, root / "notebooks" / name)
    (root / ".pytest_cache").mkdir()  # as after make test: a page that is none of the book's
    (root / ".pytest_cache" / "README.md").write_text("# A cache\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMLOC_HOME", str(tmp_path_factory.mktemp("home")))
        runs = runner.execute_chapters(
            "smoke", {"device": "cpu"}, root / "book" / "chapters", 2, sources=root / "notebooks" / "chapters"
        )
    assert {run.name: run.error for run in runs if run.error} == {}
    build.build_html(root)
    return root


def test_pages_have_no_faults(smoke: Path) -> None:
    assert html_check.faults(smoke / "_build" / "html") == []


def test_numbers_of_the_text_lead_to_their_rows(smoke: Path) -> None:
    html = smoke / "_build" / "html"
    assert html_check.untraced(html) == []
    traced = [trace for path in (html / "book" / "chapters").glob("*.html") for trace in html_check.traces(path)]
    assert len(traced) > 150
    runs = [trace for trace in traced if "This copy’s run" in trace.source or "This copy's run" in trace.source]
    assert len(runs) > 50
    assert all(len(trace.downloads) >= 1 for trace in runs)


@pytest.mark.skipif(chrome.BROWSER is None, reason="no Chromium on the PATH")
def test_pages_read_well_in_a_browser(smoke: Path) -> None:
    pages = [page for page in walking.all_pages(smoke) if page.startswith("book/")]
    pages = [page for page in pages if "/task-" not in page or page.endswith("-trec.html")]  # made from one template
    with walking.served(smoke) as address, chrome.browser() as tab:
        assert walking.walk(address, pages, tab) == []


def test_results_are_labelled_as_generated_and_random(smoke: Path) -> None:
    chapters = [path for path in (ROOT / "notebooks" / "chapters").glob("*.py") if path.stem > "03"]
    named = [path.stem for path in chapters if re.search(r"open_study\(|own_example\(", path.read_text())]
    assert {"04_swapping", "08_agreement", "10_your_own_model"} <= set(named)
    for name in named:
        page = (smoke / "_build" / "html" / "book" / "chapters" / f"{name}.html").read_text()
        assert "generated tasks, random initial weights" in page


def test_records_say_what_was_run(smoke: Path) -> None:
    records = [json.loads(path.read_text()) for path in (smoke / "book" / "chapters").glob("*.run.json")]
    assert len(records) == len(list((ROOT / "notebooks" / "chapters").glob("*.py")))
    run = [record for record in records if record["profile"] is not None]  # others show nothing that is run
    assert {record["profile"] for record in run} == {"smoke"}
    assert len(run) > len(records) / 2
    status = (smoke / "_build" / "html" / "book" / "chapters" / "status.html").read_text()
    assert status.count("smoke") >= len(run)
