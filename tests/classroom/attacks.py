"""Submissions that mean harm, as data: what is tried, with which code, and what comes of it, in words for a chapter.

``ATTACKS`` are whole submissions to the small assignment of ``grading_world.py`` (6 points by checks), each graded as
everybody's; ``FILES`` what a student may hand in instead of a notebook. ``probes.py`` has what is reached for within.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
