"""How seconds grow with examples, layers, classes, windows and seeds; steps at the study's shape; tokens of its tasks.

    python -m benchmarks.scale grid --out results/benchmarks
    python -m benchmarks.scale steps --out results/benchmarks
    python -m benchmarks.scale tokens --data FOLDER --model minilm-l6 --out results/benchmarks

The grid varies one size at a time around a base point, on random weights and random ids: time does not depend on them.
Seconds are those of the processor for this process, on one thread, so that other work on the machine counts little; the
rounds go through all points in turn, and the best of a point's times is kept. Nothing here says anything about a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import memloc
from benchmarks.memory import long_cell
from benchmarks.run import device_name
from benchmarks.training import our_training, part
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.training.loop import Plan, Trainer, trained_parts

CPU = torch.device("cpu")
BASE = {"rows": 240, "layers": 4, "classes": 4}
WIDTH, TOKENS, VALIDATION = 64, 16, 4  # of hidden states; of an example; training examples for a validation example
SIZES = {"rows": (120, 240, 480, 960), "layers": (2, 4, 6, 8), "classes": (2, 4, 8, 16)}
HOW: dict[str, dict[str, Any]] = {  # shorter than a real run: seconds are proportional to epochs and members
    "training": {"epochs": 2, "batch_size": 8},
    "swapping": {},
    "retraining": {"epochs": 1},
    "gradients": {},
    "probing": {"seeds": 2, "epochs": 10, "from_epoch": 2},
    "centroids": {"min_noisy": 1},
    "maps": {"members": 4, "epochs": 1, "together": 1},
}
WINDOWS = {  # sets of windows of a model with four layers
    "swapping": [{"longest": 1}, {"longest": 2}, {"longest": 3}, {}],
    "retraining": [{"lengths": [1]}, {"lengths": [1, 2]}, {"lengths": [1, 2, 3]}, {}],
}
SEEDS = {
    "training": [{"seeds": n} for n in (1, 2, 4)],
    "probing": [{"seeds": n} for n in (1, 2, 4)],
    "maps": [{"members": n} for n in (2, 4, 8)],
}
STEPS = (("12 x 768", 12, 768, 8, (16, 32, 128)), ("2 x 2048", 2, 2048, 8, (32,)), ("1 x 4096", 1, 4096, 8, (32,)))


@dataclass(frozen=True)
class Point:
    """One place of the grid: a technique, what is varied there, its sizes and its changed settings."""

    technique: str
    varied: str
    sizes: dict[str, int] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All settings, as the formula and the technique get them; of training, the number of runs too."""
        own = HOW[self.technique] | self.changed
        if self.technique == "training":
            return {"seeds": 1} | own
        return settings_of(get_technique(self.technique), own)

    @property
    def key(self) -> str:
        """What is run: the base point is one, whatever is varied around it."""
        return json.dumps([self.technique, self.sizes, self.settings])


def points() -> Iterator[Point]:
    """Every place of the grid."""
    for technique in HOW:
        for name, values in SIZES.items():
            for value in values:
                yield Point(technique, name, BASE | {name: value})
        for varied, sets in (("windows", WINDOWS), ("seeds", SEEDS)):
            for changed in sets.get(technique, []):
                yield Point(technique, varied, dict(BASE), changed)


def grid(repeats: int, chosen: list[Point]) -> pd.DataFrame:
    """Measure points in rounds: a row each, with the best seconds; what is the same in two of them runs once."""
    works = {point.key: _work(point) for point in chosen}
    times: dict[str, list[float]] = {key: [] for key in works}
    for _ in range(repeats):
        for key, work in tqdm(works.items(), desc="scale", disable=None):
            began = time.process_time()
            work()
            times[key].append(time.process_time() - began)
    rows = []
    for point in chosen:
        told = {"technique": point.technique, "varied": point.varied, **point.sizes, "hidden": WIDTH, "tokens": TOKENS}
        told["validation"] = point.sizes["rows"] // VALIDATION
        told["noisy"] = int(_cell(**point.sizes).train.noisy.sum())
        told["settings"] = json.dumps(point.settings)
        own = times[point.key]
        rows.append(told | {"seconds": min(own), "slowest": max(own), "repeats": repeats, **_machine()})
    return pd.DataFrame(rows)


def _work(point: Point) -> Callable[[], object]:
    """What is timed: a technique as a run calls it, on arms that are loaded beforehand."""
    cell, settings = _cell(**point.sizes), point.settings
    if point.technique != "training":
        return lambda: get_technique(point.technique).run(cell, settings)
    start, held_out = cell.load("pretrained"), part(cell.train, len(cell.train) // VALIDATION)
    config = TrainConfig(epochs=settings["epochs"], batch_size=settings["batch_size"])
    return lambda: [our_training(start, cell.train, held_out, config, seed) for seed in range(settings["seeds"])]


@cache
def _cell(rows: int, layers: int, classes: int) -> Cell:
    made, _ = long_cell("bert", layers, WIDTH, rows, TOKENS, CPU, classes)
    load = cache(lambda arm: made.load(arm))
    for arm in made.arms:
        load(arm)
    return dataclasses.replace(made, load=lambda arm, _=False: load(arm))


def steps(repeats: int) -> pd.DataFrame:
    """Seconds of a training step and of a forward pass at the shapes of the study's model and of layers of larger ones.

    ``weights`` are those of the layers; embeddings stay out of the computing and out of training.
    """
    rows = []
    for name, layers, hidden, batch, lengths in STEPS:
        for tokens in tqdm(lengths, desc=name, disable=None):
            cell, _ = long_cell("bert", layers, hidden, batch, tokens, CPU)
            rows += [
                {"shape": name, "layers": layers, "hidden": hidden, "batch": batch, "tokens": tokens, **told}
                for told in _step(cell.load("pretrained"), cell, repeats)
            ]
    return pd.DataFrame(rows).assign(repeats=repeats, **_machine())


def _step(model: Classifier, cell: Cell, repeats: int) -> Iterator[dict[str, Any]]:
    """A batch learnt, and the same batch scored; the first of each, which warms up, is not counted."""
    data, batch = cell.train, np.arange(len(cell.train))
    weights = sum(p.numel() for n in range(1, model.num_layers + 1) for p in model.layer(n).parameters())
    trainer = Trainer(model, data, data, TrainConfig(), 1, Plan(trained_parts(model), data.given))
    ids, mask = data.tensors(batch)

    def forward() -> None:
        with torch.inference_mode():
            model.eval()(ids, mask)

    for kind, run in (("training step", lambda: trainer.step(batch)), ("forward pass", forward)):
        times = []
        for _ in range(repeats + 1):
            began = time.process_time()
            run()
            times.append(time.process_time() - began)
        yield {"kind": kind, "weights": weights, "seconds": min(times[1:])}


def tokens(data: Path | None, model: str, source: str = "files") -> pd.DataFrame:
    """Rows, classes and mean tokens of the study's tasks as its profile prepares them: numbers, no texts."""
    from memloc.pipeline import CellId, Experiment
    from memloc.profiles import load_profile

    experiment = Experiment(load_profile("paper").narrowed(models=[model], source=source), data_dir=data)
    rows = []
    for task in tqdm(experiment.profile.tasks, desc="tokens", disable=None):
        cell = CellId(task, model, 1)
        train = experiment.encoded(cell, "train")
        told = {"task": task, "source": source, "tokenizer": model, "rows": len(train)}
        told |= {"validation": len(experiment.dataset(task).validation), "noisy": int(train.noisy.sum())}
        classes = len(experiment.dataset(task).labels)
        rows.append(told | {"classes": classes, "tokens": float(train.lengths.mean())})
    return pd.DataFrame(rows)


def _machine() -> dict[str, Any]:
    told = {"threads": torch.get_num_threads(), "device": device_name(CPU)}
    return told | {"torch": torch.__version__, "memloc": memloc.__version__}


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    """Measure what is asked for; prints the table and, with ``--out``, writes it in place of an old one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("grid", "steps", "tokens"))
    parser.add_argument("--techniques", default=",".join(HOW), help="of the grid")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of the tasks' texts; MEMLOC_DATA by default")
    parser.add_argument("--model", default="minilm-l6", help="whose tokenizer counts")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.what == "tokens":
        found = tokens(given.data, given.model)
    elif given.what == "steps":
        found = steps(given.repeats)
    else:
        found = grid(given.repeats, [point for point in points() if point.technique in given.techniques.split(",")])
    print(found.to_string(max_colwidth=30))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        name = {"grid": "scale", "steps": "steps", "tokens": "tokens"}[given.what]
        found.to_parquet(given.out / f"{name}.parquet", index=False)
    return found


if __name__ == "__main__":
    main()
