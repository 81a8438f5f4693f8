"""One chapter, executed by papermill in a process of its own. What goes in and what comes out are plain values."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from memloc.publishing.chapters import KERNELSPEC, read_source, write_text_whole
from memloc.publishing.downloads import DATA, add_footer, take_data
from memloc.publishing.exercises import put_solutions, read_solutions, solutions_path
from memloc.publishing.numbers import link_numbers
from memloc.publishing.plain import plain_notebook

TRACEBACK_LINES = 12
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Job:
    """What a worker needs to execute one chapter."""

    name: str
    source: Path
    parameters: dict[str, Any]
    out: Path
    root: Path  # working directory of the kernel
    solutions: str = "fold"  # of exercises: folded, shown or kept back
    words: Mapping[str, str] = field(default_factory=dict)  # of a page made from a template
    command: str = ""  # that makes the page again; told at its end
    free: tuple[str, ...] = ()  # parameters that it declares and a reader may choose; told there too

    @property
    def target(self) -> Path:
        """The executed notebook."""
        return self.out / f"{self.name}.ipynb"

    @property
    def data(self) -> Path:
        """The folder of the tables behind the page."""
        return self.out / DATA / self.name

    @property
    def download(self) -> Path:
        """The notebook that readers download."""
        return self.data / f"{self.name}.ipynb"

    @property
    def partial(self) -> Path:
        """The notebook while it is being executed; papermill saves it after every cell."""
        return self.out / f".{self.name}.running.ipynb"

    @property
    def failed(self) -> Path:
        """The notebook of an execution that ended in an error, kept for whoever looks into it."""
        return self.out / f".{self.name}.failed.ipynb"


@dataclass(frozen=True)
class Outcome:
    """How one execution ended; ``error`` is empty if it ended well."""

    name: str
    seconds: float
    error: str = ""


def limit_threads(number: int) -> None:
    """Let this process and the kernels it starts use that many threads each, or fewer if the user said so."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        asked = os.environ.get(variable, "")
        os.environ[variable] = str(min(number, int(asked))) if asked.isdigit() and int(asked) else str(number)


def execute(job: Job) -> Outcome:
    """Execute a chapter and put its notebook in place whole; if it fails, what was in place stays."""
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from memloc.publishing.kernels import manager_class  # jupyter's modules are for workers alone

    start, error = time.monotonic(), ""
    job.failed.unlink(missing_ok=True)
    # Sockets in a folder of its own: ports, and jupyter's default name for a socket, collide between kernels.
    with tempfile.TemporaryDirectory(prefix="memloc-") as sockets:
        transport = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        try:
            notebook = execute_notebook(
                read_source(job.source, job.words),
                job.partial,
                parameters=job.parameters,
                kernel_name=KERNELSPEC["name"],
                progress_bar=False,
                cwd=job.root,
                config=transport,
                kernel_manager_class=manager_class(),
            )
            files = take_data(notebook, job.data)
            finish(notebook, job)
            put_solutions(notebook, read_solutions(solutions_path(job.source)), job.solutions)
            link_numbers(notebook, job.name, job.data)
            write_text_whole(job.download, nbformat.writes(plain_notebook(notebook)))
            add_footer(notebook, job.command, relative(job.source, job.root), job.name, files, job.free)
            write_text_whole(job.target, nbformat.writes(notebook))
        except PapermillExecutionError as failure:
            error = describe(failure)
            os.replace(job.partial, job.failed)
            error += f"\n    the notebook up to there: {relative(job.failed, Path.cwd())}"
        except Exception as failure:  # a kernel that died or could not start: the other chapters go on all the same
            error = f"its kernel or its sources ({type(failure).__name__}: {failure})"
        finally:
            job.partial.unlink(missing_ok=True)
    return Outcome(job.name, time.monotonic() - start, error)


def describe(failure: Any) -> str:
    """Cell and last lines of the traceback of a papermill error."""
    lines = ANSI.sub("", "\n".join(failure.traceback)).splitlines() or [f"{failure.ename}: {failure.evalue}"]
    first = next((line for line in failure.source.splitlines() if line.strip()), "")
    tail = "\n".join(f"    {line}" for line in lines[-TRACEBACK_LINES:])
    return f"code cell {failure.exec_count} (begins `{first.strip()[:80]}`)\n{tail}"


def finish(notebook: NotebookNode, job: Job) -> None:
    """Prepare an executed notebook for the book: captions in place, nothing of this machine in its metadata."""
    for position, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell["id"] = f"{job.name[:50]}-parameters"  # papermill draws it at random
            cell.metadata["tags"] = [*tags, "hide-input"]
        elif "parameters" in tags and job.parameters:
            cell.metadata["tags"] = [*tags, "remove-cell"]  # defaults that the next cell replaces would mislead
        for times in ("papermill", "execution"):  # the record keeps the time; a notebook differs only in its results
            cell.metadata.pop(times, None)
        lift_figure(cell, position, job)
    notebook.metadata.pop("papermill", None)


def lift_figure(cell: NotebookNode, position: int, job: Job) -> None:
    """Move what ``style.show`` said about a figure from the output to the cell, where MyST-NB reads it (image, figure).

    Raises:
        ValueError: if a cell shows two described figures, since a cell has one caption.
    """
    outputs = cell.get("outputs", [])
    told = [output.metadata.pop("memloc") for output in outputs if "memloc" in output.get("metadata", {})]
    if len(told) > 1:
        raise ValueError(f"cell {position} of {job.name} shows {len(told)} figures; show one a cell")
    for figure in told:
        made_by = f"(Made by {{download}}`{job.source.name} </{relative(job.source, job.root)}>`.)"
        cell.metadata["mystnb"] = {
            "image": {"alt": figure["alt"], "classes": "memloc-figure dark-light"},
            "figure": {"name": figure["name"], "caption": f"{figure['caption']} {made_by}"},
        }


def relative(path: Path, root: Path) -> str:
    """The path as seen from the root of the book."""
    return Path(os.path.relpath(path, root)).as_posix()


def cells_done(job: Job) -> str:
    """How far a running chapter is, from the notebook papermill saves after every cell; empty if it cannot be told."""
    try:
        cells = [c for c in json.loads(job.partial.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
        done = sum(cell["metadata"].get("papermill", {}).get("status") == "completed" for cell in cells)
    except (OSError, ValueError, KeyError):
        return ""
    return f"{done} of {len(cells)} cells"
