"""The walls of the jail: namespaces of a process's own, and a root with nothing in it but what Python needs.

Linux by its C library alone. Runs in the process that ``confine.py`` is, never in the grader.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
from typing import Any

NOSUID, NODEV, READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 2, 4, 1, 32, 4096, 16384, 1 << 18
DETACH = 2
NEW_USER, NEW_OTHERS = 0x10000000, 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
MOUNT_SETATTR = 442
NOBODY = 65534

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A step that the machine did not allow."""


def call(name: str, *arguments: Any) -> None:
    """A function of the C library; raises ``Failed`` with its name and what the system said."""
    words = [
        os.fsencode(a) if isinstance(a, str) else ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments
    ]
    if getattr(libc, name)(*words) != 0:
        told = " ".join(a for a in arguments if isinstance(a, str))
        raise Failed(f"{f'{name} {told}'.strip()}: {os.strerror(ctypes.get_errno())}")


def enter_namespaces() -> bool:
    """New namespaces of everything; whether that of users is among them (root can do without)."""
    uid, gid = os.getuid(), os.getgid()
    ready, go = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if not helper:  # stays outside: only from there can more than one id be mapped
        os.close(go)
        code = 1
        with contextlib.suppress(OSError):
            if os.read(ready, 1):
                write_maps(target, uid, gid)
                code = 0
        os._exit(code)
    os.close(ready)
    try:
        call("unshare", NEW_USER | NEW_OTHERS)
    except Failed:
        os.close(go)
        os.waitpid(helper, 0)
        if uid != 0:
            raise
        call("unshare", NEW_OTHERS)
        return False
    os.write(go, b".")
    os.close(go)
    if os.waitpid(helper, 0)[1] != 0:
        raise Failed("the new user namespace takes no map of ids")
    return True


def write_maps(target: int, uid: int, gid: int) -> None:
    """Ids stay what they are: root's and nobody's for root, the own ones for everybody else."""
    if uid != 0:
        write(f"/proc/{target}/setgroups", "deny")
    write(f"/proc/{target}/uid_map", f"{uid} {uid} 1\n" + (f"{NOBODY} {NOBODY} 1\n" if uid == 0 else ""))
    write(f"/proc/{target}/gid_map", f"{gid} {gid} 1\n" + (f"{NOBODY} {NOBODY} 1\n" if uid == 0 else ""))


def write(path: str, text: str) -> None:
    """Write a small file in one call, as files of the kernel want it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def build_root(plan: dict[str, Any]) -> None:
    """A root with what the interpreter needs, all of it read-only, and a small place to write."""
    root = plan["root"]
    call("mount", "none", "/", None, RECURSIVE | PRIVATE, None)
    call("mount", "tmpfs", root, "tmpfs", NOSUID | NODEV, "size=4m,mode=755")
    # first, because Python itself may lie in /tmp and has to show in the new one
    for name in ("box", "tmp", "proc"):
        os.makedirs(f"{root}/{name}")
    call("mount", "tmpfs", root + "/box", "tmpfs", NOSUID | NODEV, f"size={plan['box_bytes']},nr_inodes=4096,mode=755")
    owner = (NOBODY, NOBODY) if os.getuid() == 0 else (os.getuid(), os.getgid())
    copy_files({**plan, "work": root + plan["work"]}, *owner)
    os.mkdir(root + "/box/tmp")
    os.chmod(root + "/box/tmp", 0o1777)
    call("mount", root + "/box/tmp", root + "/tmp", None, BIND, None)
    show(plan)
    # where a container hides parts of /proc, a new one is not allowed; the jail then has none
    with contextlib.suppress(Failed):
        call("mount", "proc", root + "/proc", "proc", NOSUID | NODEV, None)
    call("mount", None, root, None, REMOUNT | BIND | READ_ONLY | NOSUID | NODEV, None)
    os.chdir(root)
    call("syscall", plan["pivot_root"], b".", b".")
    call("umount2", ".", DETACH)
    os.chdir("/")
    socket.sethostname("classroom")


def show(plan: dict[str, Any]) -> None:
    """What of this machine is seen, and what is not although it lies within."""
    root = plan["root"]
    for source, target in plan["binds"]:
        place(source, root + target)
        call("mount", source, root + target, None, BIND | RECURSIVE, None)
        if not target.startswith("/dev/"):
            read_only(root + target)
    for name, target in plan["links"]:
        os.symlink(target, root + name)
    for path, text in plan["texts"]:
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        write(root + path, text)
    for path in plan["hidden"]:
        hide(root, path)


def place(source: str, target: str) -> None:
    """An empty folder or file to mount over."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write(target, "")


def read_only(target: str) -> None:
    """Make a mount and all below it read-only, without set-user-id programs and devices."""
    attributes = (ctypes.c_uint64 * 4)(1 | 2 | 4, 0, 0, 0)
    if libc.syscall(MOUNT_SETATTR, -100, os.fsencode(target), 0x8000, ctypes.byref(attributes), 32) != 0:
        # kernels before 5.12; flags that the machine's owner set must stay
        kept = os.statvfs(target).f_flag & (NOSUID | NODEV | 8 | 1024 | 2048)
        call("mount", None, target, None, REMOUNT | BIND | READ_ONLY | NOSUID | NODEV | kept, None)


def hide(root: str, path: str) -> None:
    """Put nothing over a path, where it is visible at all."""
    if os.path.isdir(root + path):
        call("mount", "tmpfs", root + path, "tmpfs", NOSUID | NODEV | READ_ONLY, "size=4k,mode=755")
    elif os.path.exists(root + path):
        call("mount", "/dev/null", root + path, None, BIND, None)


def copy_files(plan: dict[str, Any], uid: int, gid: int) -> None:
    """The work folder, with what is handed out."""
    work = plan["work"]
    shutil.copytree(plan["files"], work)
    for name in (".", *os.listdir(work)):
        os.chown(os.path.join(work, name), uid, gid)
