"""Build the HTML with Jupyter Book, only when something it is made from has changed, and serve it locally."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from memloc.errors import MemlocError
from memloc.publishing import project_root
from memloc.publishing.chapters import file_hash, write_text_whole
from memloc.publishing.downloads import DATA
from memloc.publishing.mending import mend

# nitpicky, warnings are errors, but all of them are shown at once
FLAGS = ("-n", "-W", "--keep-going")
TOOLS = ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "sphinxcontrib-bibtex")
PUBLISHED = "gh-pages"  # the branch that holds the published folder, unless the configuration names another
# a change of one of these shows on every page, so every page is written anew
FRAME = ("_config.yml", "_toc.yml", "book/_static", "book/_extra", "book/references.bib")


def build_html(root: Path | None = None, *, force: bool = False) -> Path:
    """Build the book; a second call without a change does nothing.

    Args:
        root: folder with ``_config.yml`` and ``_toc.yml``; default the project's.
        force: build every page, changed or not.

    Returns:
        The path of the first page.

    Raises:
        MemlocError: if a page of the table of contents is missing, or Jupyter Book found fault with one.
    """
    root = project_root(root) if root is None else root.resolve()
    check_pages(root)
    stamp, index = root / "_build" / "memloc-build.json", root / "_build" / "html" / "index.html"
    now, before = _digests(root), _read(stamp)
    if now == before and index.exists() and not force:
        return index
    # a failed build has no stamp: its next run must look at every page again, or it would forget the warnings
    stamp.unlink(missing_ok=True)
    every = force or before.get("frame") != now["frame"] or not index.exists()
    if every:
        shutil.rmtree(root / "_build" / "html", ignore_errors=True)  # pages that the book no longer has
    _jupyter_book(root, every)
    mend(index.parent)
    put_notebooks(root, index.parent)
    write_text_whole(stamp, json.dumps(now) + "\n")
    return index


def put_notebooks(root: Path, html: Path) -> None:
    """Let the button at a page's top give the notebook that reads well elsewhere, as the page's end does."""
    for source in sorted((html / "_sources").rglob("*.ipynb")):
        page = root / source.relative_to(html / "_sources")
        if (made := page.parent / DATA / page.stem / page.name).is_file():
            shutil.copyfile(made, source)


def is_current(root: Path) -> bool:
    """Whether the book is built, and from what lies there now."""
    built = root / "_build"
    return (built / "html" / "index.html").exists() and _read(built / "memloc-build.json") == _digests(root)


def pages(toc: Any) -> Iterator[str]:
    """The pages a table of contents names, wherever in its tree."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            if key in ("root", "file"):
                yield str(value)
            else:
                yield from pages(value)
    elif isinstance(toc, list):
        for value in toc:
            yield from pages(value)


def check_pages(root: Path) -> None:
    """Refuse to build a book with holes.

    Raises:
        MemlocError: naming the pages that are not there.
    """
    named = pages(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))
    missing = [page for page in named if not any((root / f"{page}{end}").is_file() for end in ("", ".md", ".ipynb"))]
    if missing:
        raise MemlocError("pages of _toc.yml", missing, "pages that exist; `memloc book execute` makes the chapters")


def _jupyter_book(root: Path, every: bool) -> None:
    """Run Jupyter Book, keep its log, and raise what it warned about."""
    log = root / "_build" / "memloc-build.log"
    log.parent.mkdir(exist_ok=True)
    start = "from jupyter_book.cli.main import main; main(prog_name='jupyter-book')"
    command = [sys.executable, "-c", start, "build", str(root), *FLAGS, *(["--all"] if every else [])]
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    if repository(config):
        write_text_whole(root / "_build" / "memloc-config.yml", yaml.safe_dump(with_buttons(config), sort_keys=False))
        command += ["--config", str(root / "_build" / "memloc-config.yml")]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        told = [line for line in done.stdout.splitlines() if "WARNING" in line or "ERROR" in line]
        shown = "\n".join(told[:20] or done.stdout.splitlines()[-20:])
        raise MemlocError("book", f"exit status {done.returncode}", f"pages without warnings; see {log}\n{shown}")


def repository(config: Mapping[str, Any]) -> str:
    """The address of the repository; empty where none is configured."""
    return str((config.get("repository") or {}).get("url") or "").rstrip("/")


def with_buttons(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, with buttons to the repository and to Binder where a repository is named.

    They lead to the branch of the published folder, where notebooks lie beside their pages.
    """
    url = repository(config)
    if not url:
        return dict(config)
    of_repository = {"branch": PUBLISHED, **config["repository"], "url": url}
    buttons = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    html = {**config.get("html", {}), "use_repository_button": True}
    return {**config, "repository": of_repository, "html": html, "launch_buttons": buttons}


def _digests(root: Path) -> dict[str, str]:
    """Hashes of what the book is made from: the frame that all pages share, and the pages."""
    frame, rest = hashlib.sha256(), hashlib.sha256()
    for tool in TOOLS:
        frame.update(f"{tool} {metadata.version(tool)}\n".encode())
    names = [root / "_config.yml", root / "_toc.yml"]
    names += [path for folder in ("book", "notebooks") for path in (root / folder).rglob("*") if path.is_file()]
    for path in sorted(names):
        name = path.relative_to(root).as_posix()
        if path.name.startswith(".") or name.endswith(".run.json") or "__pycache__" in path.parts:
            continue  # none of them is on a page
        of_frame = any(name == part or name.startswith(f"{part}/") for part in FRAME)
        (frame if of_frame else rest).update(f"{name} {file_hash(path)}\n".encode())
    return {"frame": frame.hexdigest(), "pages": rest.hexdigest()}


def _read(stamp: Path) -> dict[str, str]:
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says only what went wrong."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of requests that were served."""

    def handle(self) -> None:
        """A reader who leaves a page that is still being sent is no error."""
        with contextlib.suppress(ConnectionError):
            super().handle()


def make_server(root: Path | None = None, port: int = 8000) -> http.server.ThreadingHTTPServer:
    """A server of the built book for this machine only; port 0 takes any free one.

    Raises:
        MemlocError: if the book has not been built, or the port is taken.
    """
    html = (project_root() if root is None else root.resolve()) / "_build" / "html"
    if not (html / "index.html").exists():
        raise MemlocError("built book", str(html), "a book built by `memloc book build`")
    handler = functools.partial(_Quiet, directory=str(html))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise MemlocError("port", port, f"a free port ({error.strerror})") from error


def serve(port: int = 8000, root: Path | None = None) -> None:
    """Serve the built book on this machine until interrupted."""
    with make_server(root, port) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/index.html (stop with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
