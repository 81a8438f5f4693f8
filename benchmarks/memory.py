"""Peak memory of every technique on many long examples.

    python -m benchmarks.memory --rows 10000 --tokens 64 --seconds 300 --out results/benchmarks

Weights and token ids are random: what is measured does not depend on them. Each technique runs in a process of its own,
and for ``--seconds`` at most: memory is bounded by batches, and the largest ones come within the first minutes (the
table says which were stopped).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.harness import peak_memory, start_memory
from benchmarks.run import add_to_table, device_name
from benchmarks.world import changed
from memloc.devices import resolve_device
from memloc.models.catalogue import ModelSpec
from memloc.models.classifier import build_classifier
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.training.batches import Encoded, derived_seed

TECHNIQUES = ("swapping", "retraining", "gradients", "probing", "centroids")
ARMS = ("perturbed", "normal", "pretrained", "frozen")
CLASSES = 6


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments ask for: a line each and, with ``--out``, a table in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--techniques", default=",".join(TECHNIQUES))
    parser.add_argument("--family", default="bert")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.here:
        _measure_here(given)
        return
    for technique in tqdm(given.techniques.split(","), desc="memory", disable=None):
        command = [sys.executable, "-m", "benchmarks.memory", "--here", "--techniques", technique]
        for name in ("family", "layers", "hidden", "rows", "tokens", "seconds", "threads", "device"):
            command += [f"--{name}", str(getattr(given, name))]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(answer.splitlines()[-1])
        print(
            f"{technique}: {found['megabytes']:.0f} MB above the model's {found['model_mb']:.0f} MB in "
            f"{found['seconds']:.0f} s{'' if found['finished'] else ', stopped'}",
            flush=True,
        )
        if given.out:
            add_to_table(pd.DataFrame([found]), given.out / "memory.parquet")


def _measure_here(given: argparse.Namespace) -> None:
    """Run one technique in this process and print what it took, at its end or after the time allowed."""
    torch.set_num_threads(given.threads)
    device = resolve_device(given.device)
    name = given.techniques
    cell, size = long_cell(given.family, given.layers, given.hidden, given.rows, given.tokens, device)
    technique = get_technique(name)
    before, began = start_memory(device), time.perf_counter()

    def report(finished: bool) -> None:
        found: dict[str, Any] = {
            "technique": name,
            "family": given.family,
            "rows": given.rows,
            "tokens": given.tokens,
            "layers": given.layers,
            "hidden": given.hidden,
            "classes": CLASSES,
            "threads": given.threads,
            "device": device_name(device),
            "model_mb": size / 1e6,
            "megabytes": (peak_memory(device) - before) / 1e6,
            "seconds": time.perf_counter() - began,
            "finished": finished,
        }
        print(json.dumps(found), flush=True)
        os._exit(0)

    timer = threading.Timer(given.seconds, report, [False])
    timer.daemon = True
    timer.start()
    technique.run(cell, settings_of(technique, {}))
    report(True)


def long_cell(
    family: str, layers: int, hidden: int, rows: int, tokens: int, device: torch.device, classes: int = CLASSES
) -> tuple[Cell, int]:
    """A cell of random weights and ids, each example as long as the others; and the bytes of one model.

    Arms that a technique asks for are copies, and count as its own.
    """
    spec = ModelSpec(
        name="long", title="long", family=family, source="builtin", hidden=hidden, heads=hidden // 32, layers=layers
    )
    start = build_classifier(spec, {"main": classes}, head_seed=1).eval().to(device)
    rng = np.random.default_rng(derived_seed("memory", rows, tokens))
    ids = [row.tolist() for row in rng.integers(5, 1000, (rows, tokens))]
    label = rng.integers(classes, size=rows)
    noisy = rng.random(rows) < 0.15
    given = np.where(noisy, (label + rng.integers(1, classes, size=rows)) % classes, label)
    data = Encoded(ids, np.arange(rows), label, given, noisy, pad_id=0)
    size = sum(p.numel() * p.element_size() for p in start.parameters())
    return Cell("memory", "long", family, 1, classes, data, lambda arm, _=False: changed(start, arm), ARMS), size


if __name__ == "__main__":
    main()
