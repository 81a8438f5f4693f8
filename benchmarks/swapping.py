"""Swapping as the package does it against the plain way: build every mixed model, run it in batches of eight.

Both sides run in this process, on the same weights, examples and number of threads; their logits are compared. Weights
are a model's own and a copy with noise, since time does not depend on what was learnt.

    python benchmarks/swapping.py --model tiny-bert --task gen-comp-2a --source generated --rows 64
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from memloc.devices import resolve_device
from memloc.models.classifier import Classifier
from memloc.pipeline import CellId, Experiment
from memloc.profiles import load_profile
from memloc.techniques.swapping import swap_logits, windows
from memloc.training.batches import Encoded, token_batches

PLAIN_BATCH = 8


@torch.inference_mode()
def plain(perturbed: Classifier, normal: Classifier, data: Encoded, device: torch.device) -> np.ndarray:
    """Logits [W, N, C] from one mixed model after the other, examples in the order they come."""
    mixed = perturbed.twin()
    result = []
    for start, length in windows(perturbed.num_layers):
        mixed.load_parts(perturbed.part_state(mixed.parts()))
        mixed.load_parts(normal.part_state([f"layer.{n}" for n in range(start, start + length)]))
        rows = np.arange(len(data))
        batches = [data.tensors(rows[i : i + PLAIN_BATCH], device) for i in range(0, len(rows), PLAIN_BATCH)]
        result.append(torch.cat([mixed(ids, mask) for ids, mask in batches]).cpu().numpy())
    return np.stack(result)


def fast(perturbed: Classifier, normal: Classifier, data: Encoded, device: torch.device, tokens: int) -> np.ndarray:
    """The same from the package's engine."""
    result: list[np.ndarray] = []
    order = []
    for rows in token_batches(data.lengths, tokens):
        result.append(swap_logits(perturbed, normal, *data.tensors(rows, device)).cpu().numpy())
        order.append(rows)
    return np.concatenate(result, axis=1)[:, np.argsort(np.concatenate(order))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny-bert")
    parser.add_argument("--task", default="gen-comp-2a")
    parser.add_argument("--source", default="generated")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = resolve_device(given.device)
    profile = load_profile("mini").narrowed([given.task], [given.model], [1], given.source)
    experiment = Experiment(profile, device=given.device, data_dir=given.data)
    cell = CellId(given.task, given.model, 1)
    data = experiment.encoded(cell, "train")
    data = Encoded(
        data.ids[: given.rows], *(x[: given.rows] for x in (data.idx, data.label, data.given, data.noisy)), data.pad_id
    )
    perturbed = experiment.fresh(cell).eval()
    normal = perturbed.twin()
    torch.manual_seed(0)
    with torch.no_grad():
        for n in range(1, normal.num_layers + 1):
            for parameter in normal.layer(n).parameters():
                parameter.add_(torch.randn_like(parameter) * 0.02)

    seconds: dict[str, list[float]] = {"plain": [], "memloc": []}
    for _ in range(given.repeats):
        began = time.perf_counter()
        slow = plain(perturbed, normal, data, device)
        seconds["plain"].append(time.perf_counter() - began)
        began = time.perf_counter()
        quick = fast(perturbed, normal, data, device, given.tokens)
        seconds["memloc"].append(time.perf_counter() - began)
    a, b = min(seconds["plain"]), min(seconds["memloc"])
    print(
        f"{given.model}, {given.task}, {len(data)} examples of {data.lengths.mean():.1f} tokens, "
        f"{len(windows(perturbed.num_layers))} windows, {given.threads} thread(s), {device}"
    )
    print(
        f"plain (batch {PLAIN_BATCH}) {a:.2f} s, memloc {b:.2f} s: {a / b:.2f} times as fast (best of {given.repeats})"
    )
    print(f"largest difference of a logit {np.abs(slow - quick).max():.1e}, of {np.abs(slow).max():.1f}")


if __name__ == "__main__":
    main()
