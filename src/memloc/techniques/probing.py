"""Probing (method 3.4): after which layer can a small classifier tell noisy examples from clean ones?

Beside it, probes for the given and for the original label show where the states turn from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.techniques.probe_training import Trained, train_probes
from memloc.techniques.probes import ProbeSettings, Target, split_rows
from memloc.techniques.resuming import Pieces
from memloc.techniques.states import layer_states
from memloc.training.batches import Encoded, derived_seed
from memloc.training.evaluate import macro_f1

CLASS_WEIGHTS = (0.33, 0.67)  # of clean and noisy in the loss
SMALLEST = 10  # examples: fewer leave a validation split of 10 % empty
SHUFFLES = 100  # a probe seed, for the score of chance


@register_technique
class Probing:
    """F1 of probes on the states of every layer 0..L, as means over probe seeds.

    The frozen arm's probes tell noise alone: nothing else of them is read (as the baseline of layer 1).
    """

    name: ClassVar[str] = "probing"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed",)
    optional: ClassVar[tuple[str, ...]] = ("frozen",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "seeds": 5,
        "epochs": 100,
        "from_epoch": 25,
        "hidden": 128,
        "lr": 2e-4,
        "weight_decay": 1e-5,
        "batch_size": 32,
        "dropout": 0.1,
        "tokens": 2048,
    }

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        how = probe_settings(settings)
        seeds = range(settings["seeds"])
        asked = targets(cell.train, cell.classes)
        pieces = Pieces(cell.resume, cell.run_key)
        found = []
        for arm in ("perturbed", "frozen"):
            if arm not in cell.arms:
                continue
            states = device_states(cell.load(arm), cell.train, cell.pooling, settings["tokens"])
            for target in asked if arm == "perturbed" else asked[:1]:
                label = f"probing {cell.task} {cell.model} {cell.seed} {arm} {target.name}"
                trained = train_all(states, target, seeds, how, pieces, f"{arm}-{target.name}", label)
                found.append(scores(trained, target, seeds, cell.train).assign(arm=arm))
        return summarise(pd.concat(found, ignore_index=True), cell.train, seeds)


def probe_settings(settings: Mapping[str, Any]) -> ProbeSettings:
    """The technique's settings as those of its probes.

    Raises:
        MemlocError: for a setting out of its range.
    """
    how = ProbeSettings(**{name: settings[name] for name in ProbeSettings.__dataclass_fields__ if name in settings})
    for name, value in (("seeds", settings.get("seeds", 1)), ("hidden", how.hidden), ("batch_size", how.batch_size)):
        if value < 1:
            raise MemlocError(f"probing.{name}", value, "1 or more")
    if not 0 <= how.dropout < 1:
        raise MemlocError("probing.dropout", how.dropout, "0 or more, less than 1")
    if not 0 <= how.from_epoch < how.epochs:
        raise MemlocError("probing.from_epoch", how.from_epoch, f"0 or more, less than the {how.epochs} epochs")
    return how


def targets(data: Encoded, classes: int) -> list[Target]:
    """Noise first, then given and original labels; no original ones where they are unknown (negative).

    Raises:
        MemlocError: for too few examples, or if all of them are noisy, or none.
    """
    if len(data) < SMALLEST:
        raise MemlocError("training examples for probing", len(data), f"{SMALLEST} or more")
    if data.noisy.all() or not data.noisy.any():
        raise MemlocError(
            "noisy training examples", int(data.noisy.sum()), f"1 to {len(data) - 1}, some clean ones too"
        )
    found = [
        Target("noise", data.noisy.astype(np.int64), 2, CLASS_WEIGHTS, positive=1),
        Target("given", data.given, classes),
    ]
    return found + ([Target("original", data.label, classes)] if (data.label >= 0).all() else [])


def device_states(model: Classifier, data: Encoded, pooling: str = "token", tokens: int = 2048) -> torch.Tensor:
    """`layer_states`, float32 [L + 1, N, d], on the model's device; all layers of an example lie together there."""
    states = torch.from_numpy(layer_states(model, data, pooling, tokens)).to(next(model.parameters()).device)
    return states.transpose(0, 1).contiguous().transpose(0, 1)


def train_all(
    states: torch.Tensor,
    target: Target,
    seeds: Sequence[int],
    settings: ProbeSettings,
    pieces: Pieces | None = None,
    name: str = "probes",
    label: str = "probing",
) -> Trained:
    """Probes of all layers and probe seeds on one target; see `train_probes` for the algorithm and its cost.

    A GPU trains them all at once. A processor takes one seed after the other, as the weights of one seed's probes stay
    in its cache. Finished seeds are kept as pieces, so a killed run goes on after them.
    """
    pieces = pieces or Pieces(None, "")
    left = [seed for seed in seeds if not pieces.done(f"{name}-{seed}")]
    step = len(left) if states.device.type == "cuda" else 1
    found: dict[int, dict[str, np.ndarray]] = {}
    with tqdm(total=len(seeds), initial=len(seeds) - len(left), desc=label, leave=False, disable=None) as bar:
        for start in range(0, len(left), step or 1):
            chosen = left[start : start + step]
            trained = train_probes(states, range(len(states)), target, chosen, settings)
            for place, seed in enumerate(chosen):
                found[seed] = {key: array[place] for key, array in vars(trained).items()}
                pieces.put(f"{name}-{seed}", found[seed])
            bar.update(len(chosen))
    found |= {seed: pieces.get(f"{name}-{seed}") for seed in seeds if seed not in found}
    return Trained(
        **{key: np.stack([found[seed][key] for seed in seeds]) for key in ("predicted", "epoch", "validation")}
    )


def scores(trained: Trained, target: Target, seeds: Sequence[int], data: Encoded) -> pd.DataFrame:
    """Test scores of every probe, ``tables.PROBES`` without ``arm``.

    Noise is scored on all test examples, labels on all, noisy and clean ones. A group with no test example has no row.
    A seed whose test examples hold nothing noisy scores 0 on noise, whatever its probes answer.
    """
    rows = []
    for place, seed in enumerate(seeds):
        test = split_rows(len(data), seed).test
        noisy = data.noisy[test]
        groups = {"all": np.ones(len(test), bool), "noisy": noisy, "clean": ~noisy}
        for group, chosen in groups.items() if target.positive is None else [(None, groups["all"])]:
            if not chosen.any():
                continue
            true = torch.from_numpy(target.labels[test[chosen]])
            predicted = torch.from_numpy(trained.predicted[place][:, chosen])
            for layer, value in enumerate(target.score(true, predicted).tolist()):
                epoch = int(trained.epoch[place, layer])
                rows.append((layer, seed, target.name, group, f"f1_{target.name}", value, int(chosen.sum()), epoch))
    return pd.DataFrame(
        rows, columns=["layer", "probe_seed", "target", "group", "metric", "value", "n", "epoch"]
    ).astype({"group": object})


def summarise(probes: pd.DataFrame, data: Encoded, seeds: Sequence[int]) -> Result:
    """Rows (means over probe seeds; ``n`` counts the scored test examples of all of them) and details."""
    keys = ["arm", "metric", "group", "layer"]
    rows = probes.groupby(keys, as_index=False, dropna=False, sort=False).agg(value=("value", "mean"), n=("n", "sum"))
    rows["group"] = rows["group"].where(rows["group"].notna(), None)
    more = [rows, rises(probes)]
    if "original" in set(probes["target"]):
        more.append(chance(data, seeds))
    return Result(pd.concat(more, ignore_index=True), {"probes": probes})


def rises(probes: pd.DataFrame) -> pd.DataFrame:
    """``rise_noise_by_seed`` of layers 1..L: mean over probe seeds of max(0, F1 of noise - F1 one layer below).

    Below layer 1 stands the frozen arm's layer 1 (method 4) or, without that arm, layer 0. The maximum of every seed
    turns noise into weight; it is here to be shown beside the maximum of the mean.
    """
    noise = probes[probes["metric"] == "f1_noise"]
    f1 = {arm: own.pivot(index="layer", columns="probe_seed", values="value") for arm, own in noise.groupby("arm")}
    own = f1["perturbed"].to_numpy()  # [L + 1, S]
    below = own[:-1].copy()
    if "frozen" in f1:
        below[0] = f1["frozen"].loc[1].to_numpy()
    rise = np.maximum(0.0, own[1:] - below).mean(axis=1)
    n = int(noise.drop_duplicates("probe_seed")["n"].sum())
    values = {"layer": range(1, len(own)), "value": rise}
    return pd.DataFrame({"arm": "perturbed", "metric": "rise_noise_by_seed", "group": None, **values, "n": n})


def chance(data: Encoded, seeds: Sequence[int]) -> pd.DataFrame:
    """``f1_original_shuffled``: macro F1 of shuffled labels on the clean test examples, a mean over shuffles and seeds.

    It belongs to no layer. Nothing where no seed has a clean test example.
    """
    values, n = [], 0
    for seed in seeds:
        test = split_rows(len(data), seed).test
        label = data.label[test[~data.noisy[test]]]
        rng = np.random.default_rng(derived_seed("probe chance", seed))
        values += [macro_f1(label, rng.permutation(label)) for _ in range(SHUFFLES if len(label) else 0)]
        n += len(label)
    row = {"arm": "perturbed", "metric": "f1_original_shuffled", "group": "clean", "layer": None}
    return pd.DataFrame([row | {"value": float(np.mean(values)), "n": n}] if values else [])
