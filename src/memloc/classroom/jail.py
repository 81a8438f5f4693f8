"""A process for one submission: without network, without files of ours, with its share of the machine and no more.

    with Jail(assignment.files, assignment.limits) as jail:
        errors = jail.run([("swap", "def swap(...): ...")])
        jail.ask("swap(a, 2)", a=np.zeros(3))     # plain data, or Lost with what the student may read

What a submission does reaches us as bytes of three kinds only: lines on a pipe that must be plain data, how much it
printed, and what the kernel tells of its processes. Neither the values asked about nor the name of anything that a
submission made up itself are ever part of a message, so that it cannot tell its author what it was asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from memloc.classroom import watching
from memloc.classroom.assignment import Limits
from memloc.classroom.checks import Lost, Plain
from memloc.classroom.inside import encode
from memloc.classroom.plan import plan
from memloc.classroom.words import ANSWER_BYTES, STOPPED, cannot_confine, error_of, judged, parsed
from memloc.errors import MemlocError

FLOOD = 64  # times the output that is allowed: it is not dropped any more but ends the process
PAUSE = 0.05
START = 60.0  # seconds in which Python and IPython must have started


class Ended(Exception):
    """The process of a submission is gone; ``Jail.stopped`` says why."""


class Jail:
    """One confined process. It dies with the thread that entered it.

    Args:
        files: what lies in its work folder at the start.
        limits: what it may use.
        confine: False for limits alone: only for submissions one trusts as one's own code.
        hidden: places that it must not see, even within what is shown of this machine (DESIGN, "The classroom").
    """

    def __init__(
        self, files: Mapping[str, bytes], limits: Limits, confine: bool = True, hidden: Iterable[Path] = ()
    ) -> None:
        if confine and sys.platform != "linux":
            raise cannot_confine(f"{sys.platform} has no namespaces")
        self.files, self.limits, self.confine, self.hidden = files, limits, confine, tuple(hidden)
        self.stopped: str | None = None
        self.seconds = self.peak_mb = 0.0
        self.printed = 0
        self.forged = False
        self._pending = self._first_words = b""
        self._over = threading.Event()

    def __enter__(self) -> Jail:
        self._folder = Path(tempfile.mkdtemp(prefix="memloc-jail-"))
        self._ours: list[int] = []
        try:
            for name in ("files", "root"):
                (self._folder / name).mkdir()
            for name, content in self.files.items():
                (self._folder / "files" / name).write_bytes(content)
            self._start()
        except BaseException:
            self._clean()
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        try:
            self._receive(time.monotonic() + START)  # ready; no submission's code has run yet
        except (Ended, OSError):
            self.__exit__(None, None, None)
            said = self._first_words.decode(errors="replace").strip()
            raise MemlocError(
                "starting a submission's process",
                said[-300:] or self.why(),
                "a Python environment with IPython and numpy that the user nobody may read, if run as root",
            ) from None
        return self

    def _start(self) -> None:
        theirs: list[int] = []
        questions, self._questions = os.pipe()
        self._answers, answers = os.pipe()
        self._output, output = os.pipe()
        told, status = os.pipe()
        self._ours, theirs = [self._questions, self._answers, self._output, told], [questions, answers, output, status]
        try:
            description = plan(self._folder, self.limits, self.confine, self.hidden, (questions, answers))
            (self._folder / "plan.json").write_text(json.dumps(description), encoding="utf-8")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "memloc.classroom.confine", str(self._folder / "plan.json"), str(status)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(questions, answers, status),
                cwd=self._folder,
                start_new_session=True,
            )
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        for descriptor in (self._questions, self._output):
            os.set_blocking(descriptor, False)
        # it closes when the interpreter of the submission starts
        started = select.select([told], [], [], START)[0]
        reason = os.read(told, 1000).decode(errors="replace") if started else "its walls were not built in time"
        if reason or self._process.poll() is not None:
            self._end()
            raise (
                cannot_confine(reason or "its first process ended")
                if self.confine
                else MemlocError("starting a submission's process", reason, "a machine that can run this Python")
            )

    def run(self, cells: Sequence[tuple[str, str]]) -> list[dict[str, str] | None]:
        """Run cells in order and tell each one's error (``name`` and last line ``text``), or None.

        Args:
            cells: name and source of each.
        """
        asked = {"cells": [{"name": name, "source": source} for name, source in cells], "seconds": self.limits.seconds}
        try:
            told = self._exchange(asked, self.limits.seconds).get("errors")
        except Ended:
            told = None
        if not isinstance(told, list) or len(told) != len(cells):
            told = [None] * len(cells)
        return [error_of(one) for one in told]

    def ask(self, code: str, /, **values: Plain) -> Plain:
        """What an expression gives beside the submission's code (``checks.Ask``)."""
        asked = {
            "code": code,
            "values": {name: encode(value) for name, value in values.items()},
            "seconds": self.limits.answer_seconds,
            "bytes": ANSWER_BYTES,
        }
        try:
            told = self._exchange(asked, self.limits.answer_seconds + 2)
        except Ended:
            raise Lost(f"Your code could not be asked: {self.why()}.") from None
        return judged(told, self.limits)

    def why(self) -> str:
        """Why the process is gone, in words."""
        return STOPPED[self.stopped or "ended"].format(limits=self.limits)

    def _exchange(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a line and wait for the line that answers it."""
        token, start = secrets.token_hex(16), time.monotonic()
        limit = min(seconds, self.limits.seconds - self.seconds)
        try:
            self._send(json.dumps({**message, "token": token}).encode() + b"\n", start + limit)
            while True:
                told = parsed(self._receive(start + limit))
                if told.get("token") == token:
                    return told
                self.forged = True
        except OSError:
            self._stop("ended")
            raise Ended from None
        finally:
            self.seconds += time.monotonic() - start

    def _send(self, data: bytes, end: float) -> None:
        while data:
            if not select.select([], [self._questions], [], max(end - time.monotonic(), 0))[1]:
                self._stop("time")
                raise Ended
            data = data[os.write(self._questions, data) :]

    def _receive(self, end: float) -> bytes:
        while b"\n" not in self._pending:
            if not select.select([self._answers], [], [], max(end - time.monotonic(), 0))[0]:
                self._stop("time")
                raise Ended
            more = os.read(self._answers, 1 << 16)
            if not more or len(self._pending) > ANSWER_BYTES + 2**16:
                self._stop("ended")
                raise Ended
            self._pending += more
        line, self._pending = self._pending.split(b"\n", 1)
        return line

    def _watch(self) -> None:
        """Until the end: count and drop what is printed, look at memory and processes."""
        output = True
        while not self._over.is_set():
            if output and select.select([self._output], [], [], PAUSE)[0]:
                with contextlib.suppress(BlockingIOError):
                    more = os.read(self._output, 1 << 20)
                    self.printed += len(more)
                    self._first_words = (self._first_words + more)[:4000]
                    output = bool(more)
                time.sleep(PAUSE / 10)
            elif not output:
                time.sleep(PAUSE)
            used = watching.usage(watching.family(self._process.pid)[2 if self.confine else 1 :], self.limits.memory_mb)
            self.peak_mb = max(self.peak_mb, used.memory_mb)
            if used.memory_mb > self.limits.memory_mb:
                self._stop("memory")
            elif used.threads > self.limits.processes + 8:
                self._stop("processes")
            elif self.printed > FLOOD * self.limits.output_kb * 2**10:
                self._stop("output")

    def _stop(self, reason: str) -> None:
        if self.stopped is None and not self._over.is_set():
            self.stopped = reason
        self._process.terminate()

    def _end(self) -> None:
        """End the process and all that came of it; returns when they are gone."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watcher.join()
        self._end()
        self._clean()

    def _clean(self) -> None:
        for descriptor in self._ours:
            os.close(descriptor)
        shutil.rmtree(self._folder, ignore_errors=True)
