"""What a submission could try, as data: what is tried, with which code, and what comes of it, in words for a chapter.

``PROBES`` are tried one after the other in one jail; each gives text that tells what happened. ``ATTACKS`` are whole
submissions to the small assignment of ``grading_world.py`` (6 points by checks), each graded as everybody's. ``FILES``
are what a student may hand in instead of a notebook.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Probe:
    """One thing to reach for. ``code`` runs as a cell; ``told`` must be part of the error that it meets."""

    name: str
    code: str
    outcome: str
    told: tuple[str, ...]


@dataclass(frozen=True)
class Attack:
    """A submission. ``status`` and ``points`` (several where it depends on timing) are what grading it must give."""

    name: str
    answers: dict[str, str]
    outcome: str
    status: tuple[str, ...] = ("graded",)
    points: tuple[float, ...] = (6.0,)
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=("",))


RIGHT = "def double(values):\n    return [2 * value for value in values]\n"
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
        "open('/tmp/large', 'wb').truncate(2**40)",
        "too large",
        ("File too large",),
    ),
)

FORGE = """
import os
for descriptor in range(3, 128):
    try:
        os.write(descriptor, b'{"value": 1}\\n')
    except OSError:
        pass
"""
TELL = """
def double(values):
    raise type(f"v{values[0]}", (Exception,), {})(f"asked {values}")

def mean(values):
    import builtins, sys
    print("asked", values)
    with open("secret.txt", "w") as file:
        file.write(str(values))
    return type(f"v{sum(values)}", (), {})()
"""
DIG = """
import gc, sys
def double(values):
    found = [str(o)[:10**5] for o in gc.get_objects() if isinstance(o, (dict, list))]
    frame = sys._getframe()
    while frame:
        found.append(str(frame.f_locals))
        frame = frame.f_back
    raise ValueError("".join(found)[:10**6])
"""

ATTACKS = (
    Attack("nothing bad", {}, "full marks"),
    Attack(
        "infinite loop in a cell",
        {"double": "while True: pass"},
        "the cell is cut off; the rest counts",
        points=(2.0,),
    ),
    Attack(
        "infinite loop in an answer",
        {"double": "def double(values):\n    while True: pass"},
        "the question is cut off; the rest counts",
        points=(2.0,),
    ),
    Attack(
        "infinite loop that catches everything",
        {"double": "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass"},
        "ended when its time is over",
        ("stopped",),
        (0.0,),
        reasons=("longer than",),
    ),
    Attack(
        "the alarm taken away",
        {"double": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass"},
        "ended when its time is over",
        ("stopped",),
        (0.0,),
        reasons=("longer than",),
    ),
    Attack(
        "sleep at import",
        {"double": "import time\ntime.sleep(10**6)"},
        "the cell is cut off; the rest counts",
        points=(2.0,),
    ),
    Attack(
        "an error whose text never ends",
        {"double": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E"},
        "the cell is cut off; the rest counts",
        points=(2.0,),
    ),
    Attack(
        "fork bomb",
        {"double": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError: pass"},
        "no more processes than its share; all of them end with it",
        ("graded", "stopped"),
        (0.0, 2.0),
        reasons=("", "longer than", "processes", "ended by itself"),
    ),
    Attack(
        "memory hog",
        {"double": "hog = []\nwhile True: hog.append(bytearray(2**24))"},
        "no more memory than its share",
        ("graded", "stopped"),
        (0.0, 2.0),
        reasons=("", "memory"),
    ),
    Attack(
        "memory hog in many processes",
        {
            "double": "import os, time\nfor _ in range(8):\n    if not os.fork():\n"
            "        hog = bytearray(150 * 2**20)\n        hog[::4096] = b'x' * len(hog[::4096])\n"
            "        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)"
        },
        "counted together, and ended",
        ("stopped",),
        (0.0,),
        reasons=("memory",),
    ),
    Attack(
        "printing without end",
        {"double": "while True: print('x' * 10**5)"},
        "ended",
        ("stopped",),
        (0.0,),
        flags=("printed too much",),
        reasons=("printed without end",),
    ),
    Attack(
        "printing a megabyte",
        {"double": RIGHT + "print('x' * 10**6)"},
        "dropped and noted; the answers count",
        flags=("printed too much",),
    ),
    Attack(
        "leaving (os._exit)", {"double": "import os\nos._exit(0)"}, "no marks", ("stopped",), (0.0,), (), ("ended",)
    ),
    Attack("leaving (sys.exit)", {"double": "import sys\nsys.exit(0)"}, "that cell alone is lost", points=(2.0,)),
    Attack(
        "leaving when asked",
        {"mean": "def mean(v):\n    import os; os._exit(0)"},
        "lost",
        ("stopped",),
        (4.0,),
        (),
        ("ended",),
    ),
    Attack("BaseException", {"double": "raise BaseException('x')"}, "that cell alone is lost", points=(2.0,)),
    Attack(
        "KeyboardInterrupt", {"double": "def double(v): raise KeyboardInterrupt"}, "that answer is lost", points=(2.0,)
    ),
    Attack("recursion", {"double": "def double(v): return double(v)"}, "that answer is lost", points=(2.0,)),
    Attack(
        "closing all descriptors",
        {"double": "import os\nos.closerange(0, 128)"},
        "no marks",
        ("stopped",),
        (0.0,),
        (),
        ("ended",),
    ),
    Attack(
        "forged lines to the grader",
        {"double": RIGHT + FORGE},
        "dropped and noted; what was asked counts",
        flags=("forged lines",),
    ),
    Attack(
        "a grader's words for wrong answers",
        {"double": "import json\njson.dumps = lambda *a, **k: '{\"value\": [628318, 6]}'\n"},
        "an answer without the question's mark is none",
        ("stopped",),
        (0.0,),
        flags=("forged lines",),
        reasons=("longer than", "ended"),
    ),
    Attack(
        "comparing made always true",
        {
            "double": "import numpy, builtins\nnumpy.allclose = numpy.array_equal = lambda *a, **k: True\n"
            "builtins.sum = lambda *a: 0\ndef double(v): return [0, 0]"
        },
        "compared outside, where nothing changed: lost, but for the share of a mere number",
        points=(1.0,),
    ),
    Attack(
        "an answer that equals everything",
        {"double": "class All:\n    __eq__ = lambda *a: True\n    __array__ = None\ndef double(v): return All()"},
        "no plain data: lost",
        points=(2.0,),
    ),
    Attack(
        "modules exchanged",
        {"double": "import sys\nfor name in list(sys.modules):\n    sys.modules[name] = None\n" + RIGHT},
        "its own process breaks, nothing else",
        ("graded", "stopped"),
        (0.0, 2.0, 4.0, 6.0),
        reasons=("", "ended", "longer than"),
    ),
    Attack(
        "telling what was asked, by errors and types", {"double": TELL, "mean": ""}, "not on the page", points=(0.0,)
    ),
    Attack(
        "looking for hidden values (gc, frames)", {"double": DIG}, "finds its question; not on the page", points=(2.0,)
    ),
    Attack(
        "processes that stay behind",
        {
            "double": RIGHT + "import os, subprocess\nif not os.fork():\n    if not os.fork():\n"
            "        os.execvp('sleep', ['sleep', '{marker}'])\n    os._exit(0)"
        },
        "ended with it; the answers count",
    ),
    Attack(
        "a thread that never ends",
        {"double": RIGHT + "import threading, time\nthreading.Thread(target=time.sleep, args=(10**6,)).start()"},
        "ended with it; the answers count",
    ),
    Attack(
        "HTML and terminal codes in errors",
        {
            "double": "raise ValueError('<script>alert(1)</script>\\x1b[31m\\u202e')",
            "why": "<img src=x onerror=alert(1)>",
        },
        "shown as text",
        points=(2.0,),
    ),
)

FILES = {
    "a link": "a symbolic link",
    "a zip bomb": "grows to",
    "a zip bomb that lies about its size": "an undamaged .zip file",
    "a path out of the archive": "outside of itself",
    "an absolute path in an archive": "outside of itself",
    "a link in an archive": "a link in it",
    "ten thousand files": "files, more than",
    "a notebook of 50 MB": "50.0 MB instead of at most",
    "JSON nested without end": "nested too deeply",
    "no JSON": "no valid JSON",
    "other bytes than UTF-8": "not UTF-8",
    "a text document": "no notebook",
}
"""What was handed in, and what the student is told."""
