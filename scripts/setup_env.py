"""Make the virtual environment from the lock, or do nothing when it is current. Run it with ``make setup``.

``make read`` has one of its own, without torch and what needs it: the group ``read`` of pyproject.toml says what is in.

Needs only Python 3.11 with its standard library. A stamp inside the environment holds the hash of everything it was
made from; it is written last, so an interrupted installation is taken up again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "memloc-setup.json"


def wanted(extras: str) -> str:
    """The hash of what an environment is made from: lock, project file, extras, Python, place of the checkout."""
    parts = [(ROOT / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
    parts += [extras.encode(), sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamp(venv: Path) -> dict[str, str]:
    """What the environment was made from; empty if it was never finished or its interpreter is gone."""
    try:
        found = json.loads((venv / STAMP).read_text())
        subprocess.run([venv / "bin" / "python", "-c", ""], check=True, capture_output=True)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    return found


def pip(venv: Path, *arguments: str) -> None:
    """Run the environment's pip in the root of the project, and stop with its exit status if it fails."""
    done = subprocess.run([venv / "bin" / "python", "-m", "pip", *arguments], cwd=ROOT)
    if done.returncode:
        sys.exit(f"setup: pip {arguments[0]} failed; run `make setup` again once the cause is gone")


def install(venv: Path, extras: str, torch_index: str, torch_moved: bool) -> None:
    """Create the environment where there is none, and install the project into it, held to the lock."""
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    if torch_index:
        # first and alone, so that the rest finds it in place and comes from the usual index
        pin = re.search(r"^torch==\S+", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
        assert pin, "requirements.lock names no torch"
        force = ["--force-reinstall"] if torch_moved else []
        pip(venv, "install", "--quiet", "--no-deps", *force, "--index-url", torch_index, pin.group())
    # --prefer-binary: no package should be compiled here for the sake of a newer number
    pip(venv, "install", "--quiet", "--prefer-binary", "-c", "requirements.lock", "-e", f".[{extras}]")
    pip(venv, "check")


def reader() -> list[str]:
    """Names of the packages that reading the book needs."""
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["read"])


def install_reader(venv: Path) -> None:
    """The environment of those who read: some packages of the lock, and the project without its other dependencies."""
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    # of 20 000 modules a tenth is used: these are compiled when they are first imported, unless that is switched off
    lazily = [] if sys.dont_write_bytecode else ["--no-compile"]
    pip(venv, "install", "--quiet", "--prefer-binary", *lazily, "-c", "requirements.lock", *reader())
    pip(venv, "install", "--quiet", "--no-deps", "-e", ".")


def main() -> None:
    """Compare the stamp with what is wanted; install if they differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--extras", default="dev", help="extras of pyproject.toml, separated by commas")
    parser.add_argument("--torch-index", default="", help="package index that holds the build of torch you want")
    parser.add_argument("--reader", action="store_true", help="only what `make read` needs")
    arguments = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"setup: needs Python 3.11, was started with {sys.version.split()[0]}; give one: make PYTHON=...")
    venv, found = arguments.venv.absolute(), stamp(arguments.venv)
    # an index given once is remembered: a later plain `make` must not exchange the build of torch
    torch_index = arguments.torch_index or found.get("torch_index", "")
    torch_moved = torch_index != found.get("torch_index", "")
    key = wanted("reader" if arguments.reader else arguments.extras)
    if found.get("key") == key and not torch_moved:
        return
    long = "a minute" if arguments.reader else "some minutes"
    print(f"setup: installing into {venv} ({long} on a fresh machine)", flush=True)
    start = time.monotonic()
    if found == {} and venv.exists() and not (venv / "bin" / "python").resolve().exists():
        (venv / "bin" / "python").unlink(missing_ok=True)  # a dangling link to a Python that was removed
    if arguments.reader:
        install_reader(venv)
    else:
        install(venv, arguments.extras, torch_index, torch_moved)
    (venv / STAMP).write_text(json.dumps({"key": key, "torch_index": torch_index}) + "\n")
    print(f"setup: done in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
