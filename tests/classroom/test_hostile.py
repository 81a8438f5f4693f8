"""Submissions that want to do harm: each attack is tried for real, and what became of it is what the table says."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from pathlib import Path

import pytest
from tests.classroom.attacks import ATTACKS, Attack
from tests.classroom.grading_world import EXPECTED, LIMITS, SECRET, assignment, command_of, needs_jail, submission
from tests.classroom.probes import PROBES, Probe

import memloc
from memloc.classroom.assignment import Limits
from memloc.classroom.feedback import feedback
from memloc.classroom.grading import grade_all
from memloc.classroom.jail import Jail
from memloc.classroom.marks import grades
from memloc.classroom.results import Result
from memloc.classroom.similar import similar

MARKER = str(10**6 + os.getpid())  # seconds that a process left behind would sleep: found in the list of processes
SHORT = Limits(**{**vars(LIMITS), "seconds": 8.0, "answer_seconds": 2.0})


def slug(text: str) -> str:
    """A name as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each probe met: all of them in one jail, one cell each."""
    needs_jail()
    place = tmp_path_factory.mktemp("probes")
    (place / "other.ipynb").write_text("another's answer")
    world = assignment(place / "assignment")
    os.environ["MEMLOC_TEST_KEY"] = "a key of the grader's"
    name = f"memloc-test-{os.getpid()}"
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as service:
        server.bind(("127.0.0.1", 0))
        server.listen()
        service.bind(f"\0{name}")
        service.listen()
        facts = {
            "assignment": world.folder,
            "others": place / "other.ipynb",
            "home": Path.home(),
            "package": Path(memloc.__file__).parent,
            "python": sys.prefix,
            "grader": os.getpid(),
            "key": "MEMLOC_TEST_KEY",
            "port": server.getsockname()[1],
            "abstract": name,
        }
        with Jail(world.files, LIMITS, hidden=[world.folder]) as jail:
            errors = jail.run([(probe.name, probe.code.format(**facts)) for probe in PROBES])
            assert jail.ask("1 + 1") == 2, "still there after all of it"
    del os.environ["MEMLOC_TEST_KEY"]
    return {
        probe.name: "nothing happened" if error is None else f"{error['name']}: {error['text']}"
        for probe, error in zip(PROBES, errors, strict=True)
    }


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: slug(probe.name))
def test_nothing_can_be_reached(probe: Probe, met: dict[str, str]) -> None:
    assert any(told in met[probe.name] for told in probe.told), met[probe.name]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """All attacks, graded side by side like a class."""
    needs_jail()
    place = tmp_path_factory.mktemp("attacks")
    handed_in = [
        submission(slug(one.name), **{name: code.replace("{marker}", MARKER) for name, code in one.answers.items()})
        for one in ATTACKS
    ]
    graded = grade_all(assignment(place / "assignment", SHORT), handed_in, place / "out", workers=2)
    return {result.student: result for result in graded}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: slug(attack.name))
def test_an_attack_harms_only_itself(attack: Attack, results: dict[str, Result]) -> None:
    result = results[slug(attack.name)]
    assert result.status in attack.status, result
    assert result.points in attack.points, result
    assert any(reason in result.reason for reason in attack.reasons), result
    assert set(result.flags) == set(attack.flags)
    assert result.seconds < SHORT.seconds + 2
    assert result.peak_mb < 1.5 * SHORT.memory_mb


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: slug(attack.name))
def test_no_page_tells_what_was_asked_or_runs_anything(attack: Attack, results: dict[str, Result]) -> None:
    result = results[slug(attack.name)]
    page = feedback(result, "Twice") + grades([result])
    values = (SECRET, 2 * SECRET, EXPECTED, EXPECTED - 1, EXPECTED + 1, 2 * EXPECTED)
    for secret in (*(f"{value:.10g}" for value in values), "hidden_double", "BEGIN SOLUTION"):
        assert secret not in page
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_nothing_stays_behind(results: dict[str, Result]) -> None:
    deadline = time.monotonic() + 5
    left = ["unknown"]
    while left and time.monotonic() < deadline:
        left = [name for name in os.listdir("/proc") if name.isdigit() and MARKER in command_of(name)]
        time.sleep(0.05)
    assert left == []


def test_deep_and_strange_code_is_compared_without_harm(tmp_path: Path) -> None:
    deep = "x = " + "(" * 5000 + ")" * 5000
    handed_in = [submission("ada", double=deep), submission("bob", double="\0"), submission("eve", double="-" * 10**5)]
    assert similar(assignment(tmp_path / "a"), handed_in, 0.99) == []
