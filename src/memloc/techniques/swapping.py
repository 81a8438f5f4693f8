"""Layer swapping (method 3.1): which layers, taken from a model that never saw the wrong labels, undo them?

For every contiguous window of layers the normal model's layers replace the perturbed model's; everything else, the head
included, stays. Memorisation sits where the swap makes the noisy examples' given labels disappear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques.base import Cell, Result, register_technique
from memloc.techniques.layerwise import Recording, apply_layer, finish, only_token, record
from memloc.training.batches import Encoded, token_batches
from memloc.windows import Window, windows


@register_technique
class Swapping:
    """Accuracy on the given labels under every window, for noisy and clean training examples."""

    name: ClassVar[str] = "swapping"
    version: ClassVar[int] = 1
    arms: ClassVar[tuple[str, ...]] = ("perturbed", "normal")
    optional: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {"tokens": 1024, "longest": 0}  # layers of a window at most; 0: all
    added: ClassVar[tuple[str, ...]] = ("longest",)

    def run(self, cell: Cell, settings: Mapping[str, Any]) -> Result:
        perturbed, normal = cell.load("perturbed"), cell.load("normal")
        longest = settings.get("longest") or None
        predicted = swap_predictions(
            perturbed,
            normal,
            cell.train,
            settings["tokens"],
            cell.pooling,
            f"swapping {cell.task} {cell.model} {cell.seed}",
            longest,
        )
        return summarise(predicted, windows(perturbed.num_layers, longest), cell.train)


def summarise(predicted: np.ndarray, order: list[Window], data: Encoded) -> Result:
    """Rows and outcomes from predicted classes [windows, N]."""
    correct = predicted == data.given[None, :]
    group = np.where(data.noisy, "noisy", "clean")
    starts, lengths = np.array(order).T
    n_windows, n = correct.shape
    outcomes = pd.DataFrame(
        {
            "window_start": np.repeat(starts, n),
            "window_length": np.repeat(lengths, n),
            "idx": np.tile(data.idx, n_windows),
            "group": np.tile(group, n_windows),
            "correct": correct.ravel(),
        }
    )
    keys = ["window_start", "window_length", "group"]
    rows = outcomes.groupby(keys, as_index=False)["correct"].agg(value="mean", n="size")
    return Result(rows.assign(arm="perturbed", layer=None, metric="accuracy"), {"outcomes": outcomes})


@torch.inference_mode()
def swap_predictions(
    perturbed: Classifier,
    normal: Classifier,
    data: Encoded,
    tokens: int = 1024,
    pooling: str = "token",
    label: str = "swapping",
    longest: int | None = None,
) -> np.ndarray:
    """Predicted class of every example under every window.

    Windows that begin alike share what is alike: the prefix of perturbed layers is run once for all windows, the run of
    normal layers once for each first layer, and at every depth the perturbed suffixes of all windows form one batch.
    A batch costs 1 + l + l (l - 1) / 2 applications of layer l, together L + L (L + 1) / 2 + (L - 1) L (L + 1) / 6: 376
    for L = 12, where running 78 models of 12 layers costs 936. For large L the ratio goes to 3. Of the last layer's 79
    applications three quarters are saved: after attention only the classified token is needed.

    Memory: (L (L + 1) / 2 + 1) x ``tokens`` x d numbers whatever N, beside the two models.

    Args:
        perturbed, normal: two arms with the same shape, in evaluation mode, on one device.
        data: N examples.
        tokens: padded tokens of a batch before windows multiply it.
        longest: only windows of at most so many layers. Those of one layer take L + L (L + 1) / 2 applications.

    Returns:
        int64 [L (L + 1) / 2, N], windows in the order of `windows`.

    Raises:
        MemlocError: if the models do not have the same number of layers.
    """
    if perturbed.num_layers != normal.num_layers:
        raise MemlocError(
            "layers of the normal model", normal.num_layers, f"{perturbed.num_layers}, as the perturbed one"
        )
    device = next(perturbed.parameters()).device
    predicted = np.empty((len(windows(perturbed.num_layers, longest)), len(data)), np.int64)
    with tqdm(total=len(data), desc=label, unit="example", leave=False, disable=None) as bar:
        for rows in token_batches(data.lengths, tokens):
            ids, mask = data.tensors(rows, device)
            logits = swap_logits(perturbed, normal, ids, mask, pooling, longest)
            predicted[:, rows] = logits.argmax(dim=-1).cpu().numpy()
            bar.update(len(rows))
    return predicted


@torch.inference_mode()
def swap_logits(
    perturbed: Classifier,
    normal: Classifier,
    ids: Tensor,
    mask: Tensor,
    pooling: str = "token",
    longest: int | None = None,
) -> Tensor:
    """Logits [L (L + 1) / 2, B, C] of one batch under every window; see `swap_predictions` for the algorithm."""
    recording = record(perturbed, ids, mask)
    token = perturbed.pooled_token(mask, pooling)
    last = perturbed.num_layers
    open_states: dict[int, Tensor] = {}  # first layer -> states after the normal layers so far
    closed: dict[Window, Tensor] = {}  # finished window -> states after the perturbed layers so far
    for number in range(1, last):
        closed = dict(_advance(perturbed, number, closed, recording))
        open_states[number] = recording.inputs[number - 1]
        open_states = dict(_advance(normal, number, open_states, recording))
        # each open window may end here; it keeps its states and goes on as a closed one too
        closed |= {(start, number - start + 1): states for start, states in open_states.items()}
        if longest:
            open_states = {start: states for start, states in open_states.items() if number - start + 1 < longest}
    open_states[last] = recording.inputs[last - 1]
    with only_token(perturbed, last, token):
        closed = dict(_advance(perturbed, last, closed, recording))
    with only_token(normal, last, token):
        open_states = dict(_advance(normal, last, open_states, recording))
    closed |= {(start, last - start + 1): states for start, states in open_states.items()}
    pooled = torch.stack([perturbed.pool(closed[w], mask, pooling) for w in windows(last, longest)])
    return perturbed.classify(finish(perturbed, pooled))


def _advance(
    model: Classifier, number: int, states: dict[Any, Tensor], recording: Recording
) -> Iterator[tuple[Any, Tensor]]:
    """One layer of ``model`` on all states at once."""
    if states:
        out = apply_layer(model, number, torch.cat(list(states.values())), recording)
        yield from zip(states, out.split(recording.size), strict=True)
