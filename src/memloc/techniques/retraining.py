"""Layer retraining (method 3.2): which layers, put back to their pre-trained values, forget the wrong labels?

For every contiguous window of layers the perturbed model's layers return to their pre-trained values, and the model
learns the clean examples again, with all other layers frozen. Memorisation sits where this makes the noisy examples'
given labels disappear. The head and decoders' final norm start from the trained values and learn too (method 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.techniques.grouping import grouped, window_bytes
from memloc.techniques.prefix import Depth
from memloc.techniques.resuming import Pieces
from memloc.techniques.swapping import Window, summarise, windows
from memloc.techniques.trainees import Group, Retraining
from memloc.training.batches import Encoded, derived_seed, token_batches, training_order

TOKENS = 4096  # padded tokens of an evaluated batch, over all windows of a group


@register_technique
class LayerRetraining:
    """Accuracy on the given labels after every retraining, for noisy and for held-out clean examples.

    Settings: those of `trainees.Retraining`, and

    - ``lengths``: window lengths, or ``"all"`` (as None); the window of all layers is always retrained, because layer
      weights are rescaled by it;
    - ``megabytes``: for windows that learn side by side: weights, gradients, moments and what is kept for the backward
      pass on the longest batch. A window that needs more learns alone.
    """

    name: ClassVar[str] = "retraining"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed", "pretrained")
    optional: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {
        "lengths": None,
        "megabytes": 1000,
        **{field.name: field.default for field in fields(Retraining) if field.name != "pooling"},
    }

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        perturbed, pretrained = cell.load("perturbed"), cell.load("pretrained")
        rest = {name: value for name, value in settings.items() if name not in ("lengths", "megabytes")}
        how = Retraining(**rest, pooling=cell.pooling)
        order = chosen_windows(perturbed.num_layers, settings["lengths"])
        chosen = split(cell.train, how.seed)
        logits = retrain(
            perturbed,
            pretrained,
            cell.train,
            chosen,
            order,
            how,
            Pieces(cell.resume, cell.run_key),
            settings["megabytes"],
            f"retraining {cell.task} {cell.model} {cell.seed}",
        )
        return summarise(logits.argmax(axis=-1), order, subset(cell.train, chosen.asked))


@dataclass(frozen=True)
class Split:
    """Rows of the training set: clean ones that are learnt again, and those asked about (noisy and held-out clean).

    Attributes:
        learnt, asked: row numbers, in the order of the examples' ``idx``.
    """

    learnt: np.ndarray
    asked: np.ndarray


def split(data: Encoded, seed: int) -> Split:
    """Hold out as many clean examples as there are noisy ones, by a seeded order of the clean examples' ``idx``.

    Raises:
        MemlocError: without noisy examples, or if no clean one would be left to learn.
    """
    noisy, clean = np.flatnonzero(data.noisy), np.flatnonzero(~data.noisy)
    if not len(noisy):
        raise MemlocError("noisy examples", 0, "at least one: retraining asks which layers forget them")
    if len(clean) <= len(noisy):
        raise MemlocError("clean examples", len(clean), f"more than the {len(noisy)} to hold out, one for a noisy one")
    clean = clean[np.argsort(data.idx[clean])]
    shuffled = np.random.default_rng(derived_seed("held out", seed)).permutation(clean)
    asked, learnt = np.concatenate([noisy, shuffled[: len(noisy)]]), shuffled[len(noisy) :]
    return Split(learnt[np.argsort(data.idx[learnt])], asked[np.argsort(data.idx[asked])])


def subset(data: Encoded, rows: np.ndarray) -> Encoded:
    """Some of the examples."""
    ids = [data.ids[row] for row in rows]
    return Encoded(ids, data.idx[rows], data.label[rows], data.given[rows], data.noisy[rows], data.pad_id)


def chosen_windows(num_layers: int, lengths: Sequence[int] | str | None = None) -> list[Window]:
    """The windows of these lengths and the window of all layers, in the order of `swapping.windows`.

    Raises:
        MemlocError: for anything but ``"all"``, None, or lengths of 1 to L.
    """
    accepted = f"'all', or a list of window lengths from 1 to {num_layers}"
    if lengths is None or lengths == "all":
        return windows(num_layers)
    if isinstance(lengths, str) or not isinstance(lengths, Sequence):
        raise MemlocError("retraining.lengths", lengths, accepted)
    if not lengths or any(type(n) is not int or not 1 <= n <= num_layers for n in lengths):
        raise MemlocError("retraining.lengths", list(lengths), accepted)
    return [window for window in windows(num_layers) if window[1] in {*lengths, num_layers}]


def retrain(
    perturbed: Classifier,
    pretrained: Classifier,
    data: Encoded,
    chosen: Split,
    order: list[Window],
    how: Retraining,
    pieces: Pieces | None = None,
    megabytes: float = 1000,
    label: str = "retraining",
) -> np.ndarray:
    """Logits of the examples asked about after each window was retrained.

    What lies before a window never changes, so the states of all examples there are computed once for all windows with
    one start, layer by layer as the start moves on: L layers on N examples in all. After that a window of k layers from
    layer s costs 2 (L - s + 1) + k applications of a layer for an example and epoch, where L + (L - s + 1) + k are
    needed otherwise (forward; backward to inputs; backward to weights). Memory: see `Depth` and `Group`.

    Everything random comes from (seed, window, step). Dropout acts in windows and before the head; in frozen layers
    only with ``frozen_dropout``. The caller's models and random state stay as they are.

    Args:
        perturbed, pretrained: two arms with the same shape on one device.
        data: N examples.
        chosen: which are learnt and which are asked about (M).
        order: W windows, sorted by start, then length.
        pieces: where finished windows are kept; a group of windows that learn side by side is finished at once.
        megabytes: for what such a group holds while it learns (`window_bytes`).

    Returns:
        float32 [W, M, C].

    Raises:
        MemlocError: if the models do not have the same number of layers, or the windows are in another order.
    """
    if order != sorted(order):  # states before a window are carried on from layer to layer, never back
        raise MemlocError("windows", order, "windows sorted by start, then length")
    if perturbed.num_layers != pretrained.num_layers:
        raise MemlocError(
            "layers of the pre-trained model", pretrained.num_layers, f"{perturbed.num_layers}, as the perturbed one"
        )
    pieces = pieces or Pieces(None, "")
    groups = list(grouped(order, megabytes * 1e6, window_bytes(perturbed, data, chosen.learnt, how)))
    waiting = [group for group in groups if not all(pieces.done(_piece(window)) for window in group)]
    found: dict[Window, np.ndarray] = {}
    if waiting:
        device = next(perturbed.parameters()).device
        depth = Depth(perturbed, data, kept=how.pooling == "token")
        total = sum(_cost(perturbed.num_layers, window) for group in waiting for window in group)
        with (
            tqdm(total=total, desc=label, leave=False, disable=None, bar_format=BAR) as bar,
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            for group in waiting:
                depth.move_to(group[0][0])
                learnt = _train(pretrained, depth, chosen, group, how, bar)
                for window, logits in zip(group, learnt, strict=True):
                    pieces.put(_piece(window), {"logits": logits})
                    found[window] = logits
    return np.stack([found[w] if w in found else pieces.get(_piece(w))["logits"] for w in order])


BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def _piece(window: Window) -> str:
    return f"window-{window[0]}-{window[1]}"


def _cost(num_layers: int, window: Window) -> int:
    """Applications of a layer for an example and epoch."""
    return 2 * (num_layers - window[0] + 1) + window[1]


def _train(
    pretrained: Classifier,
    depth: Depth,
    chosen: Split,
    order: list[Window],
    how: Retraining,
    bar: tqdm,
) -> np.ndarray:
    """Train one group of windows to the end; logits [windows, M, C]."""
    group = Group(depth.model, pretrained, order, how)
    labels = torch.tensor(depth.data.given).to(group.device)
    lengths = depth.data.lengths
    per_epoch = -(-len(chosen.learnt) // how.batch_size)
    cost = sum(_cost(depth.model.num_layers, window) for window in order)
    group.train(True)
    for epoch in range(how.epochs):
        for i, picked in enumerate(training_order(lengths[chosen.learnt], how.batch_size, how.seed, epoch + 1)):
            rows = chosen.learnt[picked]
            group.step(depth.batch(rows), labels[torch.from_numpy(rows)], epoch * per_epoch + i, how.epochs * per_epoch)
            bar.update(cost / (how.epochs * per_epoch))
    group.train(False)
    parts, places = [], []
    with torch.no_grad():
        for picked in token_batches(lengths[chosen.asked], max(1, TOKENS // len(order))):
            logits = group.logits(depth.batch(chosen.asked[picked]))
            parts.append(torch.stack(logits).cpu().numpy())
            places.append(picked)
    return np.concatenate(parts, axis=1)[:, np.argsort(np.concatenate(places))]
