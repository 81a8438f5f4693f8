"""What a submission could reach for from within, as data: with which code, and what it meets, in words for a chapter.

Each is tried as one cell, all of them in one jail.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One thing to reach for. ``code`` runs as a cell; ``told`` must be part of the error that it meets."""

    name: str
    code: str
    outcome: str
    told: tuple[str, ...]


GONE = ("FileNotFoundError",)
NO = ("PermissionError", "Operation not permitted")
READ_ONLY = ("Read-only file system", "PermissionError", "FileNotFoundError")

PROBES = (
    Probe("read the hidden checks", "open('{assignment}/checks.py').read()", "there is no such file", GONE),
    Probe("read another's submission", "open('{others}').read()", "there is no such file", GONE),
    Probe("read the passwords", "open('/etc/shadow').read()", "there is no such file", GONE),
    Probe("read them by a link", "import os; os.symlink('/etc/shadow', 'l'); open('l').read()", "no such file", GONE),
    Probe("look into the teacher's home", "import os; os.listdir('{home}/.ssh')", "there is no such folder", GONE),
    Probe("import the grader", "import memloc", "there is no such module", ("ModuleNotFoundError",)),
    Probe("find the grader by its path", "open('{package}/errors.py').read()", "the place is empty", GONE),
    Probe("read a disk", "open('/dev/vda', 'rb').read(1)", "there is no such device", GONE),
    Probe("read the grader's memory", "open('/proc/{grader}/mem', 'rb')", "the process cannot be seen", GONE),
    Probe("read the first process's", "open('/proc/1/mem', 'rb')", "not permitted", ("PermissionError",)),
    Probe("read the grader's environment", "import os; os.environ['{key}']", "it is not there", ("KeyError",)),
    Probe("write where Python is", "open('{python}/x', 'w')", "read-only", READ_ONLY),
    Probe("write outside of its folder", "open('/x', 'w')", "read-only", READ_ONLY),
    Probe("change what runs it", "open('/grader/inside.py', 'w')", "read-only", READ_ONLY),
    Probe("write to the grader's disk", "open('{others}.x', 'w')", "there is no such folder", GONE),
    Probe(
        "set the machine's clock and name",
        "import socket; socket.sethostname('x')",
        "not permitted",
        NO,
    ),
    Probe(
        "connect to this machine (TCP)",
        "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "no network",
        ("Network is unreachable", "Errno 101", "Errno 99"),
    ),
    Probe(
        "connect to another (TCP)",
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "no network",
        ("Network is unreachable",),
    ),
    Probe(
        "send a packet (UDP)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "no network",
        ("Network is unreachable",),
    ),
    Probe(
        "ask for a name (DNS)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "no network",
        ("gaierror",),
    ),
    Probe(
        "connect to a service of this machine (abstract socket)",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0{abstract}')",
        "no such service",
        ("ConnectionRefusedError",),
    ),
    Probe("become root", "import os; os.setuid(0)", "not permitted", (*NO, "Invalid argument")),
    Probe(
        "become root by su", "import subprocess; subprocess.run(['su', '-c', 'id'], check=True)", "fails", ("Error",)
    ),
    Probe("a new root folder", "import os; os.chroot('/')", "not permitted", NO),
    Probe("make a device", "import os; os.mknod('d', 0o60600, os.makedev(254, 0))", "not permitted", NO),
    Probe("memory that no limit counts", "import os; os.memfd_create('x')", "not permitted", NO),
    Probe(
        "namespaces within",
        "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n"
        "if c.unshare(0x10000000): raise OSError(os.strerror(ctypes.get_errno()))",
        "not permitted",
        NO,
    ),
    Probe(
        "look into a process",
        "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n"
        "if c.ptrace(16, 1, 0, 0): raise OSError(os.strerror(ctypes.get_errno()))",
        "not permitted",
        NO,
    ),
    Probe("end the grader", "import os; os.kill({grader}, 9)", "there is no such process", ("ProcessLookupError",)),
    Probe(
        "end everything",
        "import os\nfor pid in (1, os.getppid(), -1):\n    try:\n        os.kill(pid, 9)\n"
        "    except OSError as error:\n        met = error\nraise met",
        "nothing but its own can be reached",
        ("ProcessLookupError", "PermissionError", "nothing happened"),
    ),
    Probe(
        "restart the machine",
        "open('/proc/sysrq-trigger', 'w').write('b')",
        "not permitted",
        ("PermissionError", "Read-only", "FileNotFoundError"),
    ),
    Probe(
        "fill the disk",
        "for i in range(99):\n    with open(f'/tmp/{{i}}', 'wb') as f: f.write(bytes(2**20))",
        "full after its share",
        ("No space left",),
    ),
    Probe(
        "one large file",
        "import os\nfor i in range(99):\n    os.path.exists(f'/tmp/{{i}}') and os.remove(f'/tmp/{{i}}')\n"
        "open(os.path.join('/tmp', 'large'), 'wb').truncate(2**40)",
        "too large",
        ("File too large",),
    ),
)
