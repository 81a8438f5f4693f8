"""One page a student: marks, what each check said, what was out of order. It needs no other file and no network.

Everything on it is text that was escaped. Of hidden checks it has titles, points and messages; their code, the values
they ask about and the answers they expect never come near it, because a :class:`~memloc.classroom.results.Result`
holds none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from memloc.classroom.results import FLAGS, Result
from memloc.own.report import page, table
from memloc.publishing.chapters import write_text_whole
from memloc.wording import DASH

STATUS = {
    "graded": "",
    "stopped": "The notebook's process had to be ended: {reason}. What was asked after that counts as lost.",
    "missing": "Nothing was handed in.",
    "refused": "It could not be graded: {reason}.",
    "failed": "Grading failed, not you: your teacher knows of it.",
}
EXTRA = """
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: .8rem; }
td, th, li { overflow-wrap: anywhere; }
.sum { font-size: 1.4rem; }
@media (max-width: 30rem) { /* a table of words has no room for columns: a row becomes a block */
  body { padding: 1rem .7rem; } table, caption, tbody, tr, tbody th, td { display: block; } thead { display: none; }
  tbody th, td { border: 0; padding: .1rem 0; } tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
}
"""


def feedback(result: Result, title: str, parts: Mapping[str, str] | None = None) -> str:
    """A student's page.

    Args:
        title: the assignment's.
        parts: what parts are called in words, by ``grade_id``.
    """
    heading = f"{title}: {result.student}"
    open_points = sum(part.of for part in result.by_hand if part.points is None)
    pending = f" ({number(open_points)} of them are still to be marked by hand)" if open_points else ""
    told = status_text(result)
    body = [
        f"<h1>{escape(heading)}</h1>",
        f'<p class="sum">{number(result.points)} of {number(result.of)} points{escape(pending)}</p>',
        f"<p>{escape(told)}</p>" if told else "",
        _listed("To note", (flag_text(flag) for flag in result.flags)),
        _checks(result, parts or {}),
        _visible(result),
        _errors(result),
        _by_hand(result, parts or {}),
    ]
    return page(heading, "\n".join(part for part in body if part), EXTRA)


def write_all(results: Iterable[Result], title: str, out: Path) -> list[Path]:
    """Every student's page as ``out/feedback/STUDENT.html``."""
    paths = []
    for result in results:
        paths.append(out / "feedback" / f"{result.student}.html")
        write_text_whole(paths[-1], feedback(result, title))
    return paths


def status_text(result: Result) -> str:
    """What became of a submission as a whole; empty if it was simply graded."""
    return STATUS.get(result.status, "").format(reason=result.reason)


def flag_text(flag: str) -> str:
    """A flag in words, with its detail."""
    name, _, detail = flag.partition(": ")
    return FLAGS.get(name, name) + (f" ({detail})" if detail else "")


def number(value: float) -> str:
    """Points without needless zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _listed(heading: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<section>\n<h2>{escape(heading)}</h2>\n<ul>{items}</ul></section>" if items else ""


def _checks(result: Result, parts: Mapping[str, str]) -> str:
    rows = [
        (m.title, parts.get(m.part, m.part), f"{number(m.points)} of {number(m.of)}", m.message or "right")
        for m in result.marks
    ]
    told = table(("check", "part", "points", "what it says"), rows, "Checks that were run on your answers.")
    return f"<section>\n<h2>Checks</h2>\n{told}</section>" if rows else ""


def _visible(result: Result) -> str:
    rows = [
        (v.name, "passed" if v.passed else "not passed", v.message or DASH)
        for v in result.visible
        if v.passed or v.message
    ]
    told = table(("cell", "state", "message"), rows, "The checks of your notebook, as they went here.")
    return f"<section>\n<h2>Checks in the notebook</h2>\n{told}</section>" if rows else ""


def _errors(result: Result) -> str:
    lines = (f"{stop.cell}: {stop.name}" + (f": {stop.text}" if stop.text else "") for stop in result.errors)
    return _listed("Cells that stopped with an error", lines)


def _by_hand(result: Result, parts: Mapping[str, str]) -> str:
    lines = []
    for part in result.by_hand:
        points = "to be marked by hand" if part.points is None else number(part.points)
        said = f"<pre>{escape(part.text)}</pre>" if part.text else "<p>Nothing was written.</p>"
        name = parts.get(part.name, part.name)
        lines.append(f"<h3>{escape(name)}: {escape(points)} (of {number(part.of)})</h3>{said}")
    return f"<section>\n<h2>Parts marked by hand</h2>\n{''.join(lines)}</section>" if lines else ""
