"""The jail: what comes in and out, limits, machines on which nothing can be confined."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.classroom.grading_world import LIMITS, command_of, needs_jail

from memloc.classroom import jail as jail_module
from memloc.classroom import syscalls, watching
from memloc.classroom.checks import Lost
from memloc.classroom.inside import NotPlain, decode, encode
from memloc.classroom.jail import Jail
from memloc.classroom.plan import environment, shown
from memloc.classroom.words import error_of, judged, parsed
from memloc.errors import MemlocError


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        0.1 + 0.2,
        float("inf"),
        "text \u00e4 \u2028",
        [1, [2.0, "three"]],
        {"a": {1: [None]}, 2: "b"},
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.array([[0.1, np.nan]], dtype=np.float32),
        np.zeros((0, 3)),
        np.array(True),
    ],
    ids=str,
)
def test_plain_data_travels_unchanged(value: object) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray):
        assert (back.dtype, back.shape) == (value.dtype, value.shape)


def test_other_things_travel_as_plain_data_or_not_at_all() -> None:
    import torch

    assert decode(encode((1, 2))) == [1, 2]
    assert decode(encode(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))) == {"a": [1, 2], "b": ["x", "y"]}
    assert decode(encode(pd.Series([1.5]))) == [1.5]
    assert decode(encode(torch.ones(2, dtype=torch.bfloat16, requires_grad=True))).tolist() == [1.0, 1.0]
    assert decode(encode(np.float32(0.5))) == 0.5
    assert decode(encode(np.array(["a", None], dtype=object))) == ["a", None]
    for strange in ({1, 2}, object(), lambda: 0, b"bytes", 1j, np.array([1j])):
        with pytest.raises(NotPlain):
            encode(strange)
    endless: dict[str, object] = {}
    endless["in"] = endless
    with pytest.raises(NotPlain):
        encode(endless)


@pytest.mark.parametrize(
    "told",
    [
        {"array": {"dtype": "float64", "shape": [10**9], "flat": [1]}},
        {"array": {"dtype": "float64", "shape": [-1], "flat": []}},
        {"array": {"dtype": "object", "shape": [1], "flat": [1]}},
        {"array": {"dtype": "int8", "shape": [1], "flat": [10**9]}},
        {"array": {"dtype": "x" * 99, "shape": [1], "flat": [1]}},
        {"array": {"dtype": "f8", "shape": "1", "flat": {}}},
        {"array": 5},
        {"dict": [[[1], 2]]},
        {"dict": [[1, 2, 3]]},
        {"pickle": "gASVAAAA"},
        {"a": 1, "b": 2},
    ],
    ids=str,
)
def test_forged_values_are_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(told)
    with pytest.raises(Lost, match="not plain data"):
        judged({"value": told}, LIMITS)


def test_lines_that_are_no_lines_are_nothing() -> None:
    for line in (b"", b"[1]", b"{", b"\xff", b"[" * 10**6, b"9" * 10**5):
        assert parsed(line) == {}


def test_names_that_a_submission_made_up_are_not_passed_on() -> None:
    with pytest.raises(Lost, match=r"^Your code stopped with ValueError\.$"):
        judged({"error": "ValueError"}, LIMITS)
    for forged in ({"error": "v271828"}, {"type": "v271828"}, {"error": ["v271828"]}, {"type": {"v271828": 1}}):
        with pytest.raises(Lost) as lost:
            judged(forged, LIMITS)
        assert "271828" not in lost.value.message
    assert error_of({"name": "E", "text": "\x1b[2J\ud800" + "x" * 999}) == {"name": "E", "text": " [2J " + "x" * 295}


def test_cells_run_like_in_a_notebook_and_answer_questions() -> None:
    needs_jail()
    cells = [
        ("files", "from helper import NUMBER\n%matplotlib inline\nimport os"),
        ("broken", "1 / 0"),
        ("syntax", "def"),
        ("after", "def double(x): return x * 2\nprint('seen')"),
    ]
    with Jail({"helper.py": b"NUMBER = 4\n"}, LIMITS) as jail:
        errors = jail.run(cells)
        assert [error and error["name"] for error in errors] == [None, "ZeroDivisionError", "SyntaxError", None]
        np.testing.assert_array_equal(jail.ask("double(x) + NUMBER", x=np.ones(2)), [6.0, 6.0])
        with pytest.raises(Lost, match="NameError"):
            jail.ask("nothing")
        with pytest.raises(Lost, match="a generator"):
            jail.ask("(i for i in [])")
        with pytest.raises(Lost, match="more than 4 MB"):
            jail.ask("'x' * 10**7")
        assert jail.ask("os.path.exists('helper.py')") is True
        assert not {"sys", "run", "var", "boot", "srv"} & set(jail.ask("os.listdir('/')"))
        secret = {name for name in jail.ask("dict(os.environ)") if name not in environment("x")}
        assert secret <= {"LC_CTYPE", "COLUMNS", "LINES", "PYDEVD_USE_FRAME_EVAL"}
    assert jail.stopped is None
    assert 0 < jail.seconds < LIMITS.seconds
    assert jail.peak_mb > 10
    assert not Path(f"/proc/{jail._process.pid}").exists()


def test_limits_hold_without_confinement_too() -> None:
    """Where there are no namespaces: the same process limits, for code one trusts."""
    limits = dataclasses.replace(LIMITS, seconds=3.0)
    with Jail({"helper.py": b"NUMBER = 4\n"}, limits, confine=False) as jail:
        assert jail.run([("a", "import helper, os")]) == [None]
        assert jail.ask("helper.NUMBER") == 4
        if sys.platform == "linux":
            jail.ask("os.fork() and 1 or os.execvp('sleep', ['sleep', '54321'])")
            family = watching.family(jail._process.pid)
            assert len(family) >= 3
    assert not [pid for pid in family if command_of(pid)]


def test_what_is_hidden_is_not_there_even_where_python_is() -> None:
    needs_jail()
    folder, file = Path(pytest.__file__).parent, Path(pd.__file__)
    assert folder.is_relative_to(sys.prefix), "shown to submissions, but for what is hidden"
    with Jail({}, LIMITS, hidden=[folder, file]) as jail:
        assert jail.run([("a", "import os")]) == [None]
        assert jail.ask(f"os.listdir({str(folder)!r})") == []
        assert jail.ask(f"len(os.listdir({str(file.parent)!r})) > 9") is True
        with pytest.raises(Lost, match=r"PermissionError|FileNotFoundError"):
            jail.ask(f"open({str(file)!r}).read(1) or os.listdir('nowhere')")


def test_a_grader_that_is_killed_leaves_nothing_behind() -> None:
    needs_jail()
    ready, told = os.pipe()
    grader = os.fork()
    if not grader:
        with Jail({}, LIMITS) as jail:
            jail.run([("a", "import os\nif not os.fork(): os.execvp('sleep', ['sleep', '600'])")])
            family = watching.family(jail._process.pid)
            os.write(told, " ".join(map(str, family)).encode())
            time.sleep(60)
        os._exit(0)
    pids = os.read(ready, 1000).decode().split()
    os.close(ready)
    os.close(told)
    os.kill(grader, signal.SIGKILL)
    os.waitpid(grader, 0)
    end = time.monotonic() + 10
    while (left := [pid for pid in pids if command_of(pid)]) and time.monotonic() < end:
        time.sleep(0.05)
    assert (len(pids) >= 4, left) == (True, [])


def test_time_is_over_for_good() -> None:
    needs_jail()
    with Jail({}, dataclasses.replace(LIMITS, seconds=1.0)) as jail:
        jail.run([("a", "import time\ntry: time.sleep(9)\nexcept BaseException: time.sleep(9)")])
        with pytest.raises(Lost, match="longer than 1 seconds"):
            jail.ask("1")
    assert jail.stopped == "time"


def test_a_machine_that_cannot_confine_says_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail_module.sys, "platform", "darwin")
    with pytest.raises(MemlocError, match=r"darwin.*confine=False"):
        Jail({}, LIMITS)


def test_no_answers_from_a_process_that_could_not_be_confined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A jail with one wall missing does not start."""
    needs_jail()
    monkeypatch.setattr("memloc.classroom.plan.SYSTEM", ("/usr", "/nowhere"))
    monkeypatch.setattr("memloc.classroom.plan.PIVOT_ROOT", {platform.machine(): 9999})
    with pytest.raises(MemlocError, match="confining a submission"), Jail({}, LIMITS):
        pass


def test_python_that_cannot_start_inside_is_the_graders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_jail()
    monkeypatch.setattr("memloc.classroom.plan.environment", lambda work: {"PYTHONHOME": "/nowhere"})
    with pytest.raises(MemlocError, match="starting a submission's process"), Jail({}, LIMITS):
        pass


def test_a_python_in_the_home_folder_itself_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", os.path.expanduser("~"))
    with pytest.raises(MemlocError, match="Python's folder"):
        shown(sys.executable)


def test_the_filter_refuses_what_it_names_and_allows_the_rest() -> None:
    """The filter, run by a small reader of the same instructions."""
    numbers = {name: pair[0] for name, pair in syscalls.NUMBERS.items()}
    program = list(struct.iter_unpack("HBBI", syscalls.program("x86_64")))

    def decision(number: int, first: int = 0, architecture: int = 0xC000003E) -> int:
        data, value, at = {0: number, 4: architecture, 16: first}, 0, 0
        while True:
            code, yes, no, constant = program[at]
            if code == syscalls.LOAD:
                value = data[constant]
            elif code == syscalls.RETURN:
                return constant
            else:
                tests = {syscalls.EQUAL: value == constant, syscalls.AT_LEAST: value >= constant}
                at += yes if tests.get(code, bool(value & constant)) else no
            at += 1

    assert all(decision(n) == syscalls.REFUSE | 1 for n in numbers.values() if n is not None)
    assert all(decision(n) == syscalls.ALLOW for n in (0, 1, 2, 9, 41, 59, 231))
    assert decision(syscalls.CLONE[0], 0x11) == syscalls.ALLOW
    assert decision(syscalls.CLONE[0], 0x10000000) == syscalls.REFUSE | 1
    assert decision(syscalls.CLONE3) == syscalls.REFUSE | 38
    assert decision(0, architecture=0x40000003) == syscalls.KILL
    assert decision(0x40000000) == syscalls.REFUSE | 1
    assert syscalls.program("riscv64") == b""
