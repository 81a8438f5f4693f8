"""Made-up benchmarks of planted memorisation: what was planted, and answers by rule. For tests only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from memloc import tables
from memloc.planted.places import Place, truth

Answer = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # true shares [L] to weights [L]


def planted(
    tasks: Sequence[str] = ("trec", "rte", "sst2"),
    models: Sequence[str] = ("minilm-l6",),
    seeds: Sequence[int] = (1,),
    depth: int = 6,
    more: Sequence[str] = ("spread",),
    noise: Sequence[float] = (0.15,),
    lost: Iterable[str] = (),
) -> pd.DataFrame:
    """``tables.PLANTED``: every layer and some more places, all with ground truth but those named as not learnt."""
    rows: list[dict[str, Any]] = []
    names = [*(f"layer:{n}" for n in range(1, depth + 1)), *more]
    for task in tasks:
        for model in models:
            for seed in seeds:
                for rate in noise:
                    for place in names:
                        learnt = place not in set(lost)
                        row = {"task": task, "model": model, "seed": seed, "noise": rate, "place": place}
                        row |= {"layers": depth, "learnt": learnt, "noisy_start": 0.1, "clean_start": 1.0}
                        row |= {"noisy_injected": 0.99 if learnt else 0.5, "clean_injected": 0.99}
                        after = {"noisy_settled": 0.97, "clean_settled": 1.0, "noisy_restored": 0.2}
                        row |= after if learnt else dict.fromkeys(after)
                        row |= {"clean_restored": 0.9 if learnt else None, "epochs_injected": 9}
                        row |= {"epochs_settled": 3 if learnt else 0, "seconds": 2.0}
                        rows.append(row | {"has_truth_oracle": learnt, "has_truth_blind": learnt})
    frame = pd.DataFrame(rows)[tables.PLANTED.names]
    tables.validate(frame, tables.PLANTED, "planted")
    return frame


def found(planted: pd.DataFrame, **who: Answer) -> pd.DataFrame:
    """``tables.FOUND`` of localisers by name, in both regimes; ``name__reading`` names a reading."""
    frames = []
    for regime in ("oracle", "blind"):
        for name, answer in who.items():
            technique, _, variant = name.partition("__")
            for number, row in enumerate(planted[planted["learnt"]].to_dict("records")):
                share = truth(Place.parse(row["place"]), row["layers"])
                weight = answer(share, np.random.default_rng([number, len(regime)]))
                cell = {key: row[key] for key in ("task", "model", "seed", "noise", "place")}
                told = {"regime": regime, "technique": technique, "variant": variant}
                layers = range(1, row["layers"] + 1)
                frames.append(pd.DataFrame({**cell, **told, "layer": layers, "weight": weight / weight.sum()}))
    frame = pd.concat(frames, ignore_index=True)[tables.FOUND.names]
    tables.validate(frame, tables.FOUND, "found")
    return frame


def perfect(share: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """The place itself."""
    return share


def blurred(share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Right more often than not."""
    return share + rng.dirichlet(np.ones(len(share)) / 3)


def fixed(share: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """The same whatever the place."""
    return np.arange(len(share), 0, -1.0)


def blind(share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anything."""
    return rng.dirichlet(np.ones(len(share)))


def settled(planted: pd.DataFrame) -> pd.DataFrame:
    """``tables.SETTLED`` in which true layers moved by .3 and all by .02 later, and forget 90 % when put back."""
    frames = []
    for row in planted[planted["epochs_settled"] > 0].to_dict("records"):
        share = truth(Place.parse(row["place"]), row["layers"])
        cell = {key: row[key] for key in ("task", "model", "seed", "noise", "place")}
        true, spread = share > 0, row["place"] == "spread"
        told = {"layer": range(1, row["layers"] + 1), "moved_injected": 0.3 * true, "moved_settled": 0.02}
        told |= {"noisy": np.where(true & (not spread), 0.1, 1.0), "clean": 0.95, "own": 0.1 if spread else np.nan}
        frames.append(pd.DataFrame({**cell, **told}))
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=tables.SETTLED.names)
    return tables.validate(frame[tables.SETTLED.names], tables.SETTLED, "settled").to_pandas()


def removals(found: pd.DataFrame) -> pd.DataFrame:
    """``tables.REMOVAL`` in which taking the true layer out forgets 90 %, and any other layer 10 %."""
    rows = []
    keys = ["task", "model", "seed", "noise", "place", "regime", "technique", "variant"]
    for key, answer in found[found["place"].str.startswith("layer")].groupby(keys):
        row = dict(zip(keys, key, strict=True))
        top, true = int(answer["weight"].to_numpy().argmax()) + 1, int(row["place"].removeprefix("layer:"))
        row |= {"removed": f"layers:{top}", "is_true": float(top == true), "noisy_before": 1.0, "clean_before": 1.0}
        others = (0.1 * 5 if top == true else 0.1 * 4 + 0.9) / 5
        row |= {"noisy_after": 0.1 if top == true else 0.9, "noisy_after_random": 1 - others, "clean_after": 0.8}
        rows.append(row | {"clean_after_random": 0.7, "n_noisy": 30, "n_random": 5})
    frame = pd.DataFrame(rows)[tables.REMOVAL.names]
    tables.validate(frame, tables.REMOVAL, "removal")
    return frame
