"""A student's page: what is on it, what is not, and that nothing on it is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from memloc.classroom.feedback import feedback, flag_text, number, write_all
from memloc.classroom.results import FLAGS, Mark, Part, Result, Stop, Visible

EVIL = "<script>alert('x')</script>&\"</table>"
FULL = Result(
    student="ada",
    assignment="twice",
    status="stopped",
    reason="it used more than 512 MB of memory",
    marks=(Mark("Twice the values", "double", 1.5, 4.0, "Not twice."), Mark("Their mean", "mean", 2.0, 2.0)),
    visible=(Visible("seen", True), Visible("seen_too", False, "AssertionError: 2 is not 3")),
    by_hand=(Part("why", 3.0, "Because."), Part("how", 1.0, "", 0.5)),
    errors=(Stop("mean", "ValueError", "no values"),),
    flags=("late", "answer missing: mean"),
    note="for the teacher alone",
)


class Strict(HTMLParser):
    """Reads a page and fails where a tag is not closed; keeps text and attributes."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_says_what_there_is_to_say() -> None:
    page = feedback(FULL, "Twice", {"double": "Part 1"})
    Strict(page)
    for told in (
        *("4 of 10 points (3 of them are still to be marked by hand)", "Part 1", "1.5 of 4", "Not twice.", "right"),
        *("not passed", "AssertionError: 2 is not 3", "mean: ValueError: no values", FLAGS["late"], "(mean)"),
        *("why: to be marked by hand (of 3)", "Because.", "how: 0.5 (of 1)", "Nothing was written.", "512 MB"),
    ):
        assert told in page, told
    assert "for the teacher alone" not in page


def test_everything_is_text() -> None:
    evil = Result(
        student=EVIL,
        assignment=EVIL,
        status="refused",
        reason=EVIL,
        marks=(Mark(EVIL, EVIL, 0.0, 1.0, EVIL),),
        visible=(Visible(EVIL, False, EVIL),),
        by_hand=(Part(EVIL, 1.0, EVIL),),
        errors=(Stop(EVIL, EVIL, EVIL),),
        flags=(EVIL, f"late: {EVIL}"),
    )
    page = Strict(feedback(evil, EVIL, {EVIL: EVIL}))
    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "link", "form"})
    assert not {name for name in page.attributes if name.startswith("on")}


def test_the_page_needs_nothing_else_and_fits_a_phone_and_the_dark() -> None:
    page = feedback(FULL, "Twice")
    assert not re.search(r"https?:|src=|@import|url\(", page)
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert "max-width: 30rem" in page


def test_every_state_has_its_words(tmp_path: Path) -> None:
    for status, told in (
        ("missing", "Nothing was handed in"),
        ("refused", "could not be graded"),
        ("failed", "not you"),
    ):
        assert told in feedback(Result("ada", "twice", status, "reason"), "Twice")
    paths = write_all([FULL, Result("bob", "twice", "missing")], "Twice", tmp_path)
    assert [path.name for path in paths] == ["ada.html", "bob.html"]
    assert all(path.read_text().startswith("<!DOCTYPE html>") for path in paths)


def test_flags_and_numbers_in_words() -> None:
    assert flag_text("late") == FLAGS["late"]
    assert flag_text("answer missing: mean").endswith("(mean)")
    assert flag_text("something else") == "something else"
    assert [number(value) for value in (0.0, 10.0, 100.0, 2.5, 1 / 3)] == ["0", "10", "100", "2.5", "0.33"]
