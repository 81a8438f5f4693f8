"""Worked examples of the techniques say what a reader with a pencil finds, and what the real functions find."""

from __future__ import annotations

import subprocess
import sys
from math import comb

import numpy as np
import pytest

from memloc.publishing import worked_techniques as worked
from memloc.techniques.centroids import layer_positions
from memloc.training.batches import Encoded


def test_luck_is_the_tail_of_a_binomial() -> None:
    """The sum that the chapter writes down, term by term."""
    shown, numbers = worked.lucky_answers()
    rate = worked.MOST_FREQUENT / worked.ASKED
    for right in worked.RIGHT:
        terms = (comb(20, k) * rate**k * (1 - rate) ** (20 - k) for k in range(right, 21))
        assert numbers[f"p-{right}"] == f"{sum(terms):.3f}"
    assert float(numbers["p-18"]) <= 0.01 < float(numbers["p-17"]), "what the text says of the two"
    assert list(shown["p"]) == [numbers[f"p-{right}"] for right in worked.RIGHT]


def test_retrained_windows_by_hand() -> None:
    """Layer 2 is in one window of one layer, in both of two and in that of three; rescaling moves no centre."""
    shown, numbers = worked.three_retrained()
    forgotten = dict(zip(shown["window"], shown["forgotten, 1 − a′"].astype(float), strict=True))
    pairs = (forgotten["1, 2"] + forgotten["2, 3"]) / 2
    assert float(numbers["w2"]) == pytest.approx((forgotten["2"] + pairs + forgotten["1, 2, 3"]) / 3, abs=1e-3)
    assert float(numbers["w1"]) == pytest.approx((forgotten["1"] + forgotten["1, 2"] + 1) / 3, abs=1e-3)
    assert numbers["scaled"] == "0.500"
    assert numbers["mcog"] == numbers["plain"]
    assert float(numbers["low"]) < float(numbers["mcog"]) < float(numbers["high"])


def test_pulls_by_hand() -> None:
    """Ratios 2 and 1; without the baseline 6 and 2; without the clean examples 5 and 5."""
    shown, numbers = worked.two_pulls()
    assert list(shown["difference"]) == ["(3, −3)", "(1, 1)"]
    assert list(shown["r"]) == ["2", "1"]
    assert numbers == {"g": "6", "noisy": "5", "weight": "0.67", "bare": "0.75", "alone": "0.50"}


def test_probes_by_hand() -> None:
    """The mean falls at layer 3, one seed rises there."""
    shown, numbers = worked.two_probes()
    assert list(shown["weight: rise of the mean"]) == ["0.00", "0.22", "0.00", "0.26"]
    assert list(shown["mean of the rises"]) == ["0.03", "0.22", "0.05", "0.26"]
    assert numbers["mcog"] == f"{(2 * 0.22 + 4 * 0.26) / 0.48:.2f}"
    assert numbers["sum-rises"] == "0.56"


def test_positions_are_those_of_the_technique() -> None:
    """Clean examples around the two centroids, and the noisy one between: the technique puts it at the same place."""
    for given, original, state in worked.STATES:
        around = np.array([[0.1, 0.2], [-0.1, -0.2]])
        states = np.vstack([np.array(given) + around, np.array(original) + around, [state]])
        label, told = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 0])
        data = Encoded([[1]] * 5, np.arange(5), label, told, label != told, 0)
        found = layer_positions(states.astype(np.float32), data, 2).noisy
        assert found == pytest.approx([worked.position(given, original, state)], abs=1e-6)


def test_the_path_crosses_where_the_text_says() -> None:
    """From .65 to .30 at layer 3, .35 of a way of .80; beside the line up to there, on it after layer 4."""
    shown, numbers = worked.one_path()
    assert list(shown["position t"]) == ["0.90", "0.65", "0.30", "0.10"]
    assert numbers == {"t2": "0.65", "way": "0.80", "fall": "0.35", "cross": "3", "step": "0.44"}
    for layer, (given, original, state) in enumerate(worked.STATES, start=1):
        start, end, at = (np.array(point) for point in (given, original, state))
        beside = at - (start + worked.position(given, original, state) * (end - start))
        assert (np.linalg.norm(beside) > 0.1) == (layer <= 3)


def test_two_scales_correlate_as_written() -> None:
    """The products over the root of the squares; depths correlate alike, and two combinations change places."""
    shown, numbers = worked.two_scales()
    product = shown["product"].str.replace("−", "-").astype(float).sum()
    assert float(numbers["products"]) == pytest.approx(product, abs=0.02)
    both = np.array(list(worked.CENTRES.values())).T
    assert numbers["r"] == f"{np.corrcoef(both)[0, 1]:.2f}"
    assert both[0, 1] < both[0, 2], "by swapping the second lies above the third"
    assert both[1, 1] > both[1, 2], "and by gradients below it"
    assert abs(float(numbers["fourth-x"]) - float(numbers["fourth-y"])) < 0.05, "about the same"


def test_readers_need_no_torch() -> None:
    """The light book has none."""
    code = "import sys; import memloc.publishing.worked_techniques; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
