"""Parameters given as text: typed by the default, near misses named, nothing ever run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from memloc.errors import MemlocError
from memloc.publishing.chapters import Chapter
from memloc.publishing.parameters import command, read_assignments, typed
from memloc.publishing.studies import check_choice

DECLARED = {"profile": '"mini"', "tasks": "None", "factor": "1.0", "rows": "4", "unmask": "False", "words": '["a"]'}
CHAPTER = Chapter("04_x", Path("04_x.py"), DECLARED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("factor=2", 2.0),
        ("rows=7", 7),
        ("unmask=true", True),
        ("words=b", ["b"]),
        ("words=[b, 2]", ["b", 2]),
        ("tasks=trec", "trec"),
        ("task=trec", "trec"),
        ("tasks=[trec, rte]", ["trec", "rte"]),
        ("tasks=null", None),
        ("tasks=2020-01-01", "2020-01-01"),
        ("tasks=__import__('os').system('exit')", "__import__('os').system('exit')"),
        ("tasks=a\nimport os", "a\nimport os"),
    ],
)
def test_values_are_of_the_defaults_kind(text: str, found: object) -> None:
    assert list(read_assignments([text], [CHAPTER]).values()) == [found]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("factor=much", "like its default, 1.0"),
        ("rows=2.5", "like its default, 4"),
        ("rows=true", "like its default, 4"),
        ("unmask=1", "like its default, False"),
        ("tasks={a: 1}", r"in \[ \]"),
        ("tasks=[[1]]", r"in \[ \]"),
        ("tasks=.nan", r"in \[ \]"),
        ("tasks=!!python/name:os.system", r"in \[ \]"),
        ("tasks=[1", r"in \[ \]"),
        ("factr=2", "did you mean factor"),
        ("profile=small", "--profile"),
        ("factor", "name=value"),
        ("os.system=1", "name=value"),
    ],
)
def test_everything_else_is_refused(text: str, told: str) -> None:
    with pytest.raises(MemlocError, match=told):
        read_assignments([text], [CHAPTER])


def test_a_parameter_has_one_value() -> None:
    with pytest.raises(MemlocError, match="one value"):
        read_assignments(["task=a", "tasks=b"], [CHAPTER])


def test_text_stays_text_where_the_default_is_text() -> None:
    assert typed("device", "no", '"auto"') == "no"
    assert typed("device", "1e3", '"auto"') == "1e3"


@pytest.mark.parametrize(
    "value", ["trec", 'it\'s "so"', "a: b", "no", "a\nb", "12", ["a", "b, c"], 1.5, True, None, " x"]
)
def test_the_told_command_gives_back_what_was_run(value: object) -> None:
    words = shlex.split(command(CHAPTER, {"profile": "small", "tasks": value, "of_another": 1}, "show"))
    assert words[:7] == ["memloc", "book", "execute", "--only", "04_x", "--profile", "small"]
    assert words[-2:] == ["--solutions", "show"]
    assert read_assignments([words[8]], [CHAPTER]) == {"tasks": value}


def test_the_told_command_names_catalogues_and_asks_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMLOC_CATALOGUE", "/somewhere/of/mine/own.yml")
    chapter = Chapter("04_x", Path("04_x.py"), {**DECLARED, "source": "None"})
    told = command(chapter, {"profile": "mini", "tasks": "mine", "source": "files"})
    assert told.startswith("memloc --catalogue own.yml book execute --only 04_x --profile mini -p source=files")
    assert told.endswith(" --data DIR")
    assert "somewhere" not in told, "a page names no path of a machine"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tasks": "gen-cue-2a,gen-cue-4a"}, "unknown task: 'gen-cue-4a'.*did you mean.*--catalogue"),
        ({"models": ["nano-gptneo"]}, "unknown model: 'nano-gptneo'"),
        ({"tasks": "trec"}, "source of task trec: 'generated'; accepted: hub, files"),
        ({"tasks": 12}, "names: 12"),
        ({"seeds": "one"}, "seeds: 'one'"),
        ({"device": "gpu"}, "device: 'gpu'; accepted: auto, cpu, cuda"),
        ({"tasks": "trec", "source": "files"}, "data folder: 'none was given'; accepted: a folder, by --data"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_before_a_page_is_made(
    given: dict[str, object], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMLOC_DATA", raising=False)
    with pytest.raises(MemlocError, match=told):
        check_choice("mini", given)
    check_choice("mini", {"tasks": "gen-comp-2a", "models": ["nano-bert"], "seeds": "1,2", "other": 1})
