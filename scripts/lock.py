"""Renew ``requirements.lock``: ask pip what it would install for every extra, and write the answer as exact pins.

Run it with ``make lock``. Versions already in the lock are kept wherever they still fit (``--upgrade NAME`` lets named
packages move, ``--upgrade-all`` all of them), so that a renewal changes what was meant to change and nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"

# torch pins the accelerator packages of its own build; a lock that named them would force one build on everybody.
ACCELERATOR = re.compile(r"^(nvidia-|triton$|pytorch-triton|cuda-)")

HEADER = """\
# Exact versions for every extra of pyproject.toml, on Python 3.11. Used as constraints:
#     pip install -c requirements.lock -e ".[dev]"
# Renewed by `make lock`; do not edit by hand. torch is pinned without a build tag and without its accelerator
# packages, so that one lock serves CPU and CUDA builds (README, "Builds of torch").
"""


def normal(name: str) -> str:
    """A project name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """The pins of a lock as ``{normal name: version}``."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==(\S+)", text, flags=re.MULTILINE)
    return {normal(name): version for name, version in found}


def from_report(report: dict) -> dict[str, str]:
    """The pins that pip's installation report asks for, without the project itself, build tags and accelerators."""
    wanted = {}
    for item in report["install"]:
        name = normal(item["metadata"]["name"])
        if name != "memloc" and not ACCELERATOR.match(name):
            wanted[name] = item["metadata"]["version"].split("+")[0]
    return wanted


def render(wanted: dict[str, str]) -> str:
    """The text of the lock: header and sorted pins."""
    return HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(wanted.items()))


def extras() -> list[str]:
    """The names of the extras of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(project["optional-dependencies"])


def resolve(kept: dict[str, str]) -> dict[str, str]:
    """Let pip resolve all extras together, holding on to the kept versions.

    Raises:
        SystemExit: with pip's own words, if no set of versions fits.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder) / "kept.txt", Path(folder) / "report.json"
        constraints.write_text(render(kept))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "-c", str(constraints), "-e", f".[{','.join(extras())}]"]
        done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"pip found no versions that fit together:\n{done.stderr[-3000:]}")
        return from_report(json.loads(report.read_text()))


def main() -> None:
    """Resolve, say what changed, write the lock."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--upgrade", nargs="*", default=[], metavar="NAME", help="packages that may move")
    parser.add_argument("--upgrade-all", action="store_true", help="let every package move")
    arguments = parser.parse_args()
    old = pins(LOCK.read_text()) if LOCK.exists() else {}
    free = {normal(name) for name in arguments.upgrade}
    kept = {} if arguments.upgrade_all else {name: v for name, v in old.items() if name not in free}
    new = resolve(kept)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            print(f"{name}: {old.get(name, 'new')} -> {new.get(name, 'gone')}")
    LOCK.write_text(render(new))
    print(f"{LOCK.name}: {len(new)} pins; environment.yml must agree (tests/unit/test_project.py)")


if __name__ == "__main__":
    main()
