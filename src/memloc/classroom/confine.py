"""What a process does to itself before it runs a submission.

``jail.py`` starts it with a plan (JSON) and a descriptor for what went wrong. Three processes come of it: the first
one makes new namespaces and waits; the second, number 1 of the new process namespace, builds a root of its own and
waits; the third gives up every privilege and becomes ``inside.py``. When the first is told to end, the second dies,
and the kernel ends whatever else runs in its namespace: no submission can leave a process behind.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from memloc.classroom.walls import NOBODY, Failed, build_root, call, copy_files, enter_namespaces, libc

PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, DROP_BOUND, SUBREAPER, NO_NEW_PRIVS = 1, 4, 22, 24, 36, 38


def main() -> None:
    """Follow the plan; what fails is written to the descriptor, which closes by itself when all went well."""
    plan_path, status = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(status, False)
    try:
        with open(plan_path, encoding="utf-8") as file:
            plan = json.load(file)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to hear
        if sys.platform == "linux":
            call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        (confined if plan["confine"] else unconfined)(plan, status)
    except (Failed, OSError, KeyError, ValueError) as error:
        os.write(status, str(error).encode()[:500])
        os._exit(1)


def confined(plan: dict[str, Any], status: int) -> None:
    """The way with namespaces."""
    own_user = enter_namespaces()
    first = os.fork()
    if first:
        wait_for(first, status, plan)
    try:
        call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # what runs in the namespace may not look into its first process
        call("prctl", SET_DUMPABLE, 0, 0, 0, 0)
        build_root(plan)
        worker = os.fork()
        if worker:
            wait_for(worker, status, plan)
        become(plan, own_user)
    except BaseException as error:
        os.write(status, f"{error}".encode()[:500])
        os._exit(1)


def unconfined(plan: dict[str, Any], status: int) -> None:
    """The way without: limits alone."""
    if sys.platform == "linux":
        call("prctl", SUBREAPER, 1, 0, 0, 0)  # what it leaves behind becomes ours, to be ended
    worker = os.fork()
    if worker:
        wait_for(worker, status, plan)
    try:
        os.setsid()
        copy_files(plan, os.getuid(), os.getgid())
        os.chdir(plan["work"])
        limit(plan["limits"])
        os.execve(plan["interpreter"], plan["argv"], plan["environment"])
    except BaseException as error:
        os.write(status, f"{error}".encode()[:500])
        os._exit(1)


def wait_for(child: int, status: int, plan: dict[str, Any]) -> NoReturn:
    """Hold nothing, wait for a child, end with it; told to end, end it first."""
    keep = (0, 1, 2)
    with contextlib.suppress(OSError):
        os.close(status)
    for descriptor in plan["descriptors"]:
        os.close(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for descriptor in keep[1:]:
        os.dup2(0, descriptor)

    def end(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    if os.getpid() != 1:  # the first of a namespace hears no signal from within it, unless it asks to
        signal.signal(signal.SIGTERM, end)
    while True:
        try:
            done, code = os.waitpid(-1, 0)
        except ChildProcessError:
            os._exit(0)
        if done == child:
            if not plan["confine"]:
                end_orphans()
            os._exit(min(os.waitstatus_to_exitcode(code) & 0xFF, 255))


def end_orphans() -> None:
    """End, without namespaces, what a submission left behind: its orphans are our children now."""
    for _ in range(1000):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                left = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if not left:
            return


def become(plan: dict[str, Any], own_user: bool) -> NoReturn:
    """Give up every privilege and become the interpreter that runs the submission."""
    os.chdir(plan["work"])
    for capability in range(64):
        libc.prctl(DROP_BOUND, capability, 0, 0, 0)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    limit(plan["limits"])
    call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    if program := base64.b64decode(plan["filter"]):
        filter_calls(program)
    elif not own_user:
        raise Failed("neither user namespaces nor a filter of system calls")
    os.execve(plan["interpreter"], plan["argv"], plan["environment"])


def limit(limits: dict[str, int]) -> None:
    """Set limits of the kernel, never above those that hold already."""
    os.umask(0o022)
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            with contextlib.suppress(ValueError):  # macOS refuses some
                resource.setrlimit(kind, (value, value))


def filter_calls(program: bytes) -> None:
    """Install a filter of system calls (struct sock_fprog)."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    told = Program(len(program) // 8, program)
    call("prctl", SET_SECCOMP, 2, ctypes.byref(told), 0, 0)


if __name__ == "__main__":
    main()
