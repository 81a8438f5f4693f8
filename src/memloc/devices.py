"""Which device computes."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError

if TYPE_CHECKING:
    import torch

ACCEPTED = "auto, cpu, cuda, cuda:N or mps"


def keep_freed_memory() -> None:
    """Let glibc's malloc keep what tensors free, instead of giving pages back and asking for them again at every step.

    A training step allocates and frees the same buffers over and over; handing each to the kernel and back costs page
    faults (15 % of a step of a 6-layer, 384-wide model in a virtual machine). Buffers of 32 MiB and more still go back
    (malloc allows no higher limit): kept, they would leave holes of many times their size. Nothing happens elsewhere
    than on Linux with glibc. Numbers are those of malloc.h.
    """
    import ctypes

    trim_threshold, mmap_threshold = -1, -3
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(mmap_threshold, 32 * 2**20)
        mallopt(trim_threshold, 2**31 - 1)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """The context in which a step runs at a precision: ``fp32`` as it is, ``bf16`` under autocast."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def resolve_device(name: str = "auto") -> torch.device:
    """A device by name; ``auto`` takes CUDA where there is one and the CPU otherwise.

    Apple's MPS is never taken by ``auto``: its results differ from run to run.

    Raises:
        MemlocError: for another name, or a device this machine has not got.
    """
    import torch

    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", name):
        raise MemlocError("device", name, ACCEPTED)
    kind, _, number = name.partition(":")
    if kind == "auto":
        kind = name = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cpu":
        keep_freed_memory()
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise MemlocError(
            "device", name, f"{ACCEPTED}; torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices here"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise MemlocError("device", name, f"{ACCEPTED}; this machine has no MPS device")
    return torch.device(name)
