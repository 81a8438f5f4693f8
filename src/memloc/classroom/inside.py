"""What runs in the jail: a submission's cells, then questions about what they defined.

A script by itself, which must not import memloc: the jail has none. One line of JSON comes in, one goes out, over
descriptors of its own, because what is printed belongs to the submission. Everything here can be changed by the
submission, so nothing here is believed: whoever breaks it, or forges its lines, changes nobody's answers but the own.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

KINDS = "biuf"  # of arrays that can travel: truth values, whole numbers, fractions
MESSAGE = 300  # characters of an error's last line
DEEPEST = 50


class NotPlain(Exception):
    """A value that is not plain data; its text is the name of its type."""


class OutOfTime(BaseException):
    """Raised in a submission's code when its time is over; not an ``Exception``, so that few catch it by accident."""


def encode(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it.

    Raises:
        NotPlain: for anything but None, truth values, numbers, text, arrays, tensors, pandas' tables and columns, and
            lists, tuples (told as lists) and dicts of these.
    """
    if depth > DEEPEST:
        raise NotPlain("deep nesting")
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, (int, float, np.bool_, np.integer, np.floating)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (list, tuple)):
        return [encode(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {"dict": [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in value.items()]}
    home = type(value).__module__.split(".")[0]
    if home == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    if home == "pandas" and hasattr(value, "columns"):
        return encode({name: value[name].tolist() for name in value.columns}, depth)
    if home == "pandas" and hasattr(value, "tolist"):
        return encode(value.tolist(), depth)
    if not isinstance(value, np.ndarray):
        raise NotPlain(type(value).__name__)
    if value.dtype.kind not in KINDS:
        return encode(value.tolist(), depth)
    return {"array": {"dtype": value.dtype.name, "shape": list(value.shape), "flat": value.ravel().tolist()}}


def decode(told: Any, depth: int = 0) -> Any:
    """The value that was encoded. Whatever is told, this gives plain data or raises ``ValueError``."""
    if depth > 2 * DEEPEST:
        raise ValueError("deep nesting")
    if told is None or isinstance(told, (bool, int, float, str)):
        return told
    if isinstance(told, list):
        return [decode(item, depth + 1) for item in told]
    if not isinstance(told, dict) or len(told) != 1:
        raise ValueError("neither a value nor a list")
    ((kind, content),) = told.items()
    try:
        if kind == "dict":
            return {decode(k, depth + 1): decode(v, depth + 1) for k, v in content}
        if kind == "array":
            return _array(content)
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError("a broken value") from error
    raise ValueError("an unknown kind of value")


def _array(content: dict[str, Any]) -> np.ndarray:
    dtype, shape, flat = np.dtype(str(content["dtype"])), tuple(content["shape"]), content["flat"]
    if dtype.kind not in KINDS or not all(type(n) is int and 0 <= n < 2**31 for n in shape) or len(shape) > 16:
        raise ValueError("a broken array")
    if not isinstance(flat, list) or math.prod(shape) != len(flat):
        raise ValueError("an array of another size than it says")
    return np.array(flat, dtype=dtype).reshape(shape)


@contextlib.contextmanager
def timed(seconds: float) -> Iterator[None]:
    """Raise ``OutOfTime`` in the block when its time is over, and again every second where it was caught."""

    def over(*_: object) -> None:
        raise OutOfTime

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Lines:
    """Lines of JSON over a pair of pipes."""

    def __init__(self, questions: int, answers: int) -> None:
        self.questions, self.answers, self.pending = questions, answers, b""

    def read(self) -> dict[str, Any]:
        """The next line; ends the process when there is none."""
        while b"\n" not in self.pending:
            more = os.read(self.questions, 1 << 16)
            if not more:
                os._exit(0)
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def write(self, told: dict[str, Any]) -> None:
        """Send one line."""
        data = json.dumps(told).encode() + b"\n"
        while data:
            data = data[os.write(self.answers, data) :]


def new_shell() -> Any:
    """IPython without a terminal, a history or a screen."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    for name in ("showtraceback", "showsyntaxerror", "enable_gui"):  # the grader tells of errors; there is no screen
        setattr(shell, name, lambda *a, **k: None)
    return shell


def run_cells(shell: Any, cells: list[dict[str, str]], seconds: float) -> list[dict[str, str] | None]:
    """Run cells in order, the next one also after an error. A cell may take half of the time that is left."""
    errors: list[dict[str, str] | None] = []
    end = time.monotonic() + seconds
    for cell in cells:
        limit, told = (end - time.monotonic()) / 2, None
        try:
            with timed(limit):
                result = shell.run_cell(cell["source"])
                error = result.error_before_exec or result.error_in_exec
                if isinstance(error, OutOfTime):
                    raise error
                told = None if error is None else {"name": type(error).__name__, "text": last_line(error)}
        except OutOfTime:
            told = {"name": "OutOfTime", "text": f"the cell took longer than {limit:.0f} seconds"}
        except BaseException as raised:
            told = {"name": type(raised).__name__, "text": ""}
        errors.append(told)
    return errors


def last_line(error: BaseException) -> str:
    """The end of an error's text, whatever the error does when it is asked."""
    try:
        return (str(error).strip().splitlines() or [""])[-1][:MESSAGE]
    except Exception:
        return ""


def answer(shell: Any, question: dict[str, Any]) -> dict[str, Any]:
    """What a question's code gives, or the kind of its failure."""
    try:
        with timed(question["seconds"]):
            values = {name: decode(told) for name, told in question["values"].items()}
            code = compile(question["code"], "<question>", "eval")
            told = {"value": encode(eval(code, {**shell.user_ns, **values}))}
        return told if len(json.dumps(told)) <= question["bytes"] else {"large": True}
    except OutOfTime:
        return {"late": True}
    except NotPlain as error:
        return {"type": str(error)}
    except BaseException as error:
        return {"error": type(error).__name__}


def main() -> None:
    """Cells first, then questions until there are no more."""
    lines = Lines(int(sys.argv[1]), int(sys.argv[2]))
    sys.path[0] = os.getcwd()
    shell = new_shell()
    lines.write({"ready": True})  # the submission's time starts here
    asked = lines.read()
    errors = run_cells(shell, asked["cells"], asked["seconds"])
    lines.write({"token": asked["token"], "errors": errors})
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    while True:
        question = lines.read()
        lines.write({**answer(shell, question), "token": question["token"]})


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        main()
    os._exit(0)  # threads that a submission left running hold nothing up
