"""Two ways to the same result in one process, run in turn: time ratio, peak-memory ratio, largest difference."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Sides:
    """What is compared.

    Attributes:
        plain: the method as a careful person would write it; returns its result.
        ours: the package's way to the same result.
        difference: largest difference of two results, in the result's own unit (0 = equal).
    """

    plain: Callable[[], Any]
    ours: Callable[[], Any]
    difference: Callable[[Any, Any], float]


@dataclass(frozen=True)
class Measured:
    """One comparison: best seconds of each side, peak megabytes above the start, largest difference."""

    plain_seconds: float
    ours_seconds: float
    plain_mb: float
    ours_mb: float
    difference: float
    repeats: int

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.plain_seconds / self.ours_seconds


def compare(sides: Sides, device: torch.device, repeats: int = 3) -> Measured:
    """Run both sides ``repeats`` times, alternating; the best time of each counts, as the least disturbed one."""
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    peaks: dict[str, float] = {}
    results: dict[str, Any] = {}
    for _ in range(repeats):
        for name, run in (("plain", sides.plain), ("ours", sides.ours)):
            results.pop(name, None)
            gc.collect()
            before = start_memory(device)
            began = time.perf_counter()
            results[name] = run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times[name].append(time.perf_counter() - began)
            peaks[name] = max(peaks.get(name, 0.0), (peak_memory(device) - before) / 1e6)
    difference = sides.difference(results["plain"], results["ours"])
    return Measured(min(times["plain"]), min(times["ours"]), peaks["plain"], peaks["ours"], difference, repeats)


def start_memory(device: torch.device) -> float:
    """Bytes in use now; what is counted as peak starts anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return float(torch.cuda.memory_allocated(device))
    with suppress(OSError):  # Linux: the high-water mark of this process
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_memory(device: torch.device) -> float:
    """The most bytes in use since `start_memory`."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else _status("VmHWM")


def _status(field: str) -> float:
    """A size from the kernel's status of this process, in bytes; NaN where there is none."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return float(line.split()[1]) * 1024
    return float("nan")
