"""Figures: the same bytes each time, legible in both themes, colours that stay apart without red-green vision."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest

from memloc.errors import MemlocError
from memloc.publishing import style

mpl.use("agg")

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB
DEUTERANOPIA = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
PROTANOPIA = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
# the filter matrix of hue-rotate(180deg) in CSS
HUE_ROTATE = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])
DARK_PAGE = "#121212"


def rgb(colour: str) -> np.ndarray:
    """The colour as three numbers from 0 to 1."""
    return np.array(mpl.colors.to_rgb(colour))


def linear(colour: np.ndarray) -> np.ndarray:
    """Linear light from sRGB."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Contrast ratio as the WCAG defines it, 1 to 21."""
    low, high = sorted(float(linear(c) @ np.array([0.2126, 0.7152, 0.0722])) + 0.05 for c in (one, other))
    return high / low


def in_dark_theme(colour: np.ndarray) -> np.ndarray:
    """What the book's style sheet makes of a colour."""
    return np.clip(HUE_ROTATE @ (1 - colour), 0, 1)


def draw() -> mpl.figure.Figure:
    """A figure with text, lines and a legend."""
    import matplotlib.pyplot as plt

    style.use_style()
    figure, axes = plt.subplots()
    axes.plot([1, 2], [3, 4], label="noisy")
    axes.legend()
    return figure


def test_ink_has_full_contrast_in_both_themes() -> None:
    assert contrast(rgb(style.INK), rgb("white")) > 7
    assert contrast(in_dark_theme(rgb(style.INK)), rgb(DARK_PAGE)) > 7


@pytest.mark.parametrize("group", ["noisy", "clean"])
def test_groups_stand_out_from_the_page(group: str) -> None:
    colour = rgb(style.GROUP_COLOURS[group])
    assert contrast(colour, rgb("white")) > 3
    assert contrast(in_dark_theme(colour), rgb(DARK_PAGE)) > 3


@pytest.mark.parametrize("vision", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_colours_stay_apart(vision: np.ndarray) -> None:
    for one, other in itertools.combinations(style.PALETTE, 2):
        for seen in (lambda c: c, in_dark_theme):
            a, b = (vision @ linear(seen(rgb(colour))) for colour in (one, other))
            assert np.abs(a - b).max() > 0.04, (one, other)


def test_same_figure_gives_same_bytes_on_a_clear_background() -> None:
    first, second = style.svg(draw()), style.svg(draw())
    assert first == second
    assert "fill: #ffffff" not in first


def test_show_hands_label_caption_and_words_to_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, metadata: shown.append((data, metadata)))
    style.show(draw(), "fig-a-1", "A\n caption.", "  Some words.")
    ((data, metadata),) = shown
    told = metadata["memloc"]
    assert told.pop("data").splitlines()[1] == "1,1,line,noisy,1,3"
    assert told == {"name": "fig-a-1", "caption": "A caption.", "alt": "Some words."}
    assert data["image/svg+xml"].lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("name", "caption", "alt", "told"),
    [("Fig 1", "c", "a", "figure name"), ("fig-a", " ", "a", "caption"), ("fig-a", "c", "", "alt text")],
)
def test_show_refuses_what_would_break_the_book(name: str, caption: str, alt: str, told: str) -> None:
    with pytest.raises(MemlocError, match=told):
        style.show(draw(), name, caption, alt)


def test_order_is_the_catalogues_and_strangers_come_last() -> None:
    assert style.sort_tasks(["trec", "own", "rte", "wic"]) == ["wic", "rte", "trec", "own"]
    assert style.sort_models(["own", "pythia-160m", "bert-base-cased"]) == ["bert-base-cased", "pythia-160m", "own"]
