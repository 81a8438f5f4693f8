"""What retraining learns and what it asks about, which windows it takes, and which settings it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import classifier, encoded

from memloc.errors import MemlocError
from memloc.techniques import retraining
from memloc.techniques.grouping import grouped, window_bytes
from memloc.techniques.retraining import chosen_windows, split
from memloc.techniques.swapping import Window, windows
from memloc.techniques.trainees import Retraining


def test_held_out_examples_are_clean_as_many_as_noisy_and_not_learnt() -> None:
    data = encoded(n=50)
    chosen = split(data, 42)
    held_out = chosen.asked[~data.noisy[chosen.asked]]
    assert len(held_out) == data.noisy.sum() == (~data.noisy[held_out]).sum()
    assert set(np.flatnonzero(data.noisy)) <= set(chosen.asked)
    assert not set(chosen.learnt) & set(chosen.asked)
    assert not data.noisy[chosen.learnt].any()
    assert len(chosen.learnt) + len(chosen.asked) == len(data)
    assert (np.diff(data.idx[chosen.asked]) > 0).all()
    assert not np.array_equal(split(data, 43).learnt, chosen.learnt)


def test_the_order_of_the_rows_decides_nothing() -> None:
    data = encoded(n=50)
    turned = retraining.subset(data, np.arange(50)[::-1])
    one, other = split(data, 42), split(turned, 42)
    np.testing.assert_array_equal(data.idx[one.asked], turned.idx[other.asked])
    np.testing.assert_array_equal(data.idx[one.learnt], turned.idx[other.learnt])


def test_too_few_examples_are_refused() -> None:
    data = encoded(n=6)
    data.noisy[:] = [True, True, True, False, False, False]
    with pytest.raises(MemlocError, match="clean examples: 3; accepted: more than the 3 to hold out"):
        split(data, 42)
    data.noisy[:] = False
    with pytest.raises(MemlocError, match="noisy examples: 0"):
        split(data, 42)


def test_chosen_windows() -> None:
    assert chosen_windows(3) == chosen_windows(3, "all") == windows(3)
    assert chosen_windows(3, [1]) == [(1, 1), (1, 3), (2, 1), (3, 1)]
    assert chosen_windows(3, [3]) == [(1, 3)]


@pytest.mark.parametrize("lengths", [[], [0], [4], [1.0], ["1"], [True], "each", 2])
def test_lengths_that_are_none_are_refused(lengths: Any) -> None:
    with pytest.raises(MemlocError, match=r"retraining\.lengths.*from 1 to 3"):
        chosen_windows(3, lengths)


def test_groups_share_a_start_and_stay_small() -> None:
    def layers(window: Window) -> int:
        return window[1]

    assert list(grouped(windows(3), 3, layers)) == [[(1, 1), (1, 2)], [(1, 3)], [(2, 1), (2, 2)], [(3, 1)]]
    assert list(grouped(windows(3), 0, layers)) == [[w] for w in windows(3)]
    assert [g[0][0] for g in grouped(windows(3), 100, layers)] == [1, 2, 3]


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox"])
def test_memory_of_a_window_grows_with_its_layers_its_depth_and_its_batch(family: str) -> None:
    model, data = classifier(family), encoded(n=12)
    rows = np.arange(12)
    small, large = (window_bytes(model, data, rows, Retraining(batch_size=size)) for size in (1, 12))
    own = sum(p.numel() for p in model.layer(1).parameters()) * 16
    assert small((1, 1)) > own
    assert large((1, 2)) - large((1, 1)) > own  # a layer that learns instead of one that is frozen
    assert large((2, 1)) < large((1, 1))  # no layer before a window keeps anything
    states = data.lengths[rows].max() * 12 * model.backbone.config.hidden_size * 4
    assert large((1, 1)) - own > 5 * states  # attention's three inputs, two norms at least
    assert large((1, 1)) - own > 4 * (small((1, 1)) - own)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 0), ("lr", 0.0), ("lr", float("nan")), ("clip_norm", -1.0), ("weight_decay", -1.0),
     ("warmup", 1.5), ("dropout", -0.1), ("precision", "fp16")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(MemlocError, match=f"retraining.{name}"):
        Retraining(**{name: value})


def test_the_rate_rises_and_falls_on_a_line() -> None:
    how = Retraining(lr=1.0, warmup=0.2)
    assert [how.rate(step, 10) for step in range(10)] == [0.0, 0.5, *(n / 8 for n in range(8, 0, -1))]
    assert Retraining(lr=1.0, warmup=1.0).rate(9, 10) == 0.9


def test_windows_in_another_order_are_refused() -> None:
    model, data = classifier(layers=2), encoded(n=12)
    with pytest.raises(MemlocError, match=r"sorted by start, then length"):
        retraining.retrain(model, model, data, split(data, 1), [(2, 1), (1, 1)], Retraining(epochs=1))
