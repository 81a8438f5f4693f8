"""Measure techniques against their plain versions and write one table.

    python -m benchmarks.run --techniques swapping,gradients --model tiny-bert --rows 200,400,800
    python -m benchmarks.run --source files --task trec --model e5-small-enpt --rows 600 --out results/benchmarks

Rows, layers and classes may be lists: each combination is a row of the table, so that growth is seen.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import platform
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.harness import compare
from benchmarks.world import Shape, build
from memloc.devices import keep_freed_memory, resolve_device

TECHNIQUES = ("swapping", "retraining", "gradients", "probing", "probe_training", "centroids", "training")


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    """Run what the arguments ask for; prints the table and, with ``--out``, adds it to the folder as parquet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--techniques", default=",".join(TECHNIQUES))
    parser.add_argument("--model", default="tiny-bert")
    parser.add_argument("--task", default="gen-comp-2a")
    parser.add_argument("--source", default="generated")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", default="200")
    parser.add_argument("--layers", default="0", help="keep the first layers only; 0 keeps all")
    parser.add_argument("--hidden", type=int, default=0, help="width of a model with random weights; 0 keeps its own")
    parser.add_argument("--classes", default="0", help="labels drawn anew for that many classes; 0: the task's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    device = resolve_device(given.device)
    numbers = [[int(x) for x in text.split(",")] for text in (given.rows, given.layers, given.classes)]
    cases = list(itertools.product(given.techniques.split(","), *numbers))
    found = []
    for technique, rows, layers, classes in tqdm(cases, desc="benchmarks", disable=None):
        shape = Shape(given.model, layers, given.hidden, given.task, given.source, rows, classes)
        world = build(shape, device, given.data)
        measured = compare(importlib.import_module(f"benchmarks.{technique}").sides(world), device, given.repeats)
        found.append(
            {
                "technique": technique,
                "model": given.model,
                "task": given.task,
                "source": given.source,
                "rows": rows,
                "tokens": float(world.data.lengths.mean()),
                "layers": world.perturbed.num_layers,
                "hidden": int(world.perturbed.backbone.config.hidden_size),  # type: ignore[union-attr]
                "classes": world.classes,
                "threads": given.threads,
                "device": device_name(device),
                "plain_seconds": measured.plain_seconds,
                "ours_seconds": measured.ours_seconds,
                "ratio": measured.ratio,
                "plain_mb": measured.plain_mb,
                "ours_mb": measured.ours_mb,
                "difference": measured.difference,
                "repeats": measured.repeats,
                "torch": torch.__version__,
            }
        )
        print(
            f"{technique}: N {rows}, L {found[-1]['layers']}, C {world.classes}, plain {measured.plain_seconds:.2f} s "
            f"({measured.plain_mb:.0f} MB), memloc {measured.ours_seconds:.2f} s ({measured.ours_mb:.0f} MB), "
            f"{measured.ratio:.2f} times as fast, largest difference {measured.difference:.1e}",
            flush=True,
        )
    table = pd.DataFrame(found)
    if given.out:
        add_to_table(table, given.out / "benchmarks.parquet")
    return table


def add_to_table(table: pd.DataFrame, path: Path) -> None:
    """Append rows to a parquet file, which is whole at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = [pd.read_parquet(path)] if path.exists() else []
    pd.concat([*old, table], ignore_index=True).to_parquet(path.with_suffix(".tmp"), index=False)
    os.replace(path.with_suffix(".tmp"), path)


def device_name(device: torch.device) -> str:
    """The GPU's name, or the processor's as Linux tells it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
