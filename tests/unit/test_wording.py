"""Numbers in words."""

import numpy as np
import pytest

from memloc.wording import DASH, brackets, number, with_interval


@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf, float("nan")])
def test_what_is_no_number_is_a_dash(value):
    assert number(value) == number(value, 3, sign=True) == DASH
    assert with_interval(value, 0.1, 0.2) == DASH


def test_digits_and_signs():
    assert [number(0.125, 3), number(0.5), number(0.5, sign=True), number(-0.5, sign=True)] == [
        "0.125",
        "0.50",
        "+0.50",
        "-0.50",
    ]


def test_rounding_leaves_no_negative_zero():
    assert number(-0.001) == "0.00"
    assert number(-0.001, sign=True) == "+0.00"
    assert brackets(-0.001, 0.0) == "[0.00, 0.00]"


def test_an_interval_needs_both_ends_and_a_value_needs_no_interval():
    assert with_interval(np.array(0.42), np.float32(0.3125), 0.55) == "0.42 [0.31, 0.55]"
    assert with_interval(0.42, np.nan, 0.55) == with_interval(0.42, None, None) == "0.42"
    assert brackets(0.1, np.nan) == DASH
    assert with_interval(0.0421, -0.0004, 0.1, 3, sign=True) == "+0.042 [+0.000, +0.100]"
