"""Which device computes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memloc.errors import MemlocError

if TYPE_CHECKING:
    import torch

ACCEPTED = "auto, cpu, cuda, cuda:N or mps"


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
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise MemlocError(
            "device", name, f"{ACCEPTED}; torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices here"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise MemlocError("device", name, f"{ACCEPTED}; this machine has no MPS device")
    return torch.device(name)
