"""A small book of the same make as ours: our configuration and prose, one executed chapter, stubs for the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from sample_chapter import CHAPTER

from memloc.publishing import build, runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., Path]:
    """Make an empty project in a temporary folder, write sources into it, and return their folder."""

    def write(**texts: str) -> Path:
        for name in ("_config.yml", "_toc.yml"):
            shutil.copy(ROOT / name, tmp_path / name)
        folder = tmp_path / "notebooks" / "chapters"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)
        return folder

    return write


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the small book, executed and built."""
    root = tmp_path_factory.mktemp("book")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("chapters", "atlas", "assignments"))
    named = list(build.pages(yaml.safe_load((root / "_toc.yml").read_text())))
    chapters = [Path(name).name for name in named if name.startswith("book/chapters/") and not name.endswith("/status")]
    (root / "notebooks" / "chapters").mkdir(parents=True)
    (root / "notebooks" / "chapters" / f"{chapters[0]}.py").write_text(CHAPTER)
    runs = runner.execute_chapters(
        "smoke", {"factor": 2.0}, root / "book" / "chapters", 1, sources=root / "notebooks/chapters"
    )
    assert [run.error for run in runs] == [""]
    for name in chapters[1:]:
        (root / "book" / "chapters" / f"{name}.md").write_text(f"# {name}\n\nA stub.\n")
    (root / "book" / "atlas").mkdir()
    for name in (Path(name).name for name in named if name.startswith("book/atlas/")):
        (root / "book" / "atlas" / f"{name}.md").write_text(f"# {name}\n\nA stub.\n")
    build.build_html(root)
    return root
