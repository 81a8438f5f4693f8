"""Kernels that start warm: forked from a process that has loaded what every page loads.

Each page still has a kernel of its own. But to load pandas, matplotlib and this package takes two seconds, which is
longer than many a page takes for all the rest, and nothing that was loaded differs between pages.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

LOADED = (
    *("ipykernel.kernelapp", "IPython.display", "matplotlib.pyplot", "myst_nb", "scipy.stats"),
    *("memloc.publishing.real", "memloc.publishing.tabulate_claims", "memloc.publishing.tabulate_techniques"),
)
BACKEND = "module://matplotlib_inline.backend_inline"  # of figures in any kernel; matplotlib looks when it is loaded


def manager_class() -> type[AsyncKernelManager]:
    """How to start the kernels of pages: warm on Linux, as usual where a fork of libraries cannot be relied on."""
    return WarmManager if sys.platform == "linux" else AsyncKernelManager


class _Forked:
    """The part of ``subprocess.Popen`` that a provisioner uses, of a forked process."""

    stdin = stdout = stderr = None

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid = process.pid or 0
        self.terminate, self.kill = process.terminate, process.kill

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class WarmProvisioner(LocalProvisioner):
    """Forks a kernel where its parent class runs a command."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        os.environ.setdefault("MPLBACKEND", BACKEND)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        connection = cmd[cmd.index("-f") + 1]
        process = context.Process(target=_run, args=(connection, kwargs["env"], kwargs.get("cwd") or os.getcwd()))
        process.start()
        self.process = _Forked(process)  # type: ignore[assignment]
        self.pid = self.pgid = process.pid  # ``_run`` makes it a group of its own
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Whoever stops a kernel interrupts it first; one that is done with its page would only complain of that."""
        if signum != signal.SIGINT:
            await super().send_signal(signum)


def _run(connection: str, environment: dict[str, str], folder: str) -> None:
    """A kernel, in its process; it ends when the process it was forked from does."""
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    IPKernelApp.launch_instance(argv=["-f", connection, f"--IPKernelApp.parent_handle={os.getppid()}"])


class WarmManager(AsyncKernelManager):
    """Manages a kernel that is forked."""

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        spec = self.kernel_spec
        assert spec is not None
        self.provisioner = self.provisioner or WarmProvisioner(kernel_id=self.kernel_id, kernel_spec=spec, parent=self)
        return await super()._async_pre_start_kernel(**kw)

    pre_start_kernel = _async_pre_start_kernel
