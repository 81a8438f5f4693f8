"""How figures look: one style, one palette, the catalogue's order of tasks and models, one way to show them.

Figures are drawn in near-black on a transparent background, as SVG. In the book's dark theme a style sheet turns their
lightness over and their hue back (``book/_static/memloc.css``). One file then serves both themes at full contrast, "the
blue line" stays blue, and the end of a colour scale that is near the page's background stays near it. For the same
reason write "further from the background" where you would write "darker".
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError
from memloc.publishing.downloads import csv
from memloc.publishing.drawn_data import drawn_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2328"
FAINT = "#8c959f"

# Okabe and Ito's colours for categories, without the yellow that vanishes on white
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")
SEQUENTIAL = "cividis_r"  # perceptually uniform, and readable without red-green vision
DIVERGING = "PuOr"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # colour never carries a meaning alone
GROUP_COLOURS = {"noisy": PALETTE[1], "clean": PALETTE[0], "all": FAINT}

PATH = re.compile(r' d="[^"]*"')
DECIMALS = re.compile(r"(\.\d\d)\d+")  # of a point: a hundredth is less than any screen or printer shows
LABEL = re.compile(r"^fig-[a-z0-9]+(-[a-z0-9]+)*$")

RC: dict[str, Any] = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 110,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 10.5,
    "legend.frameon": False,
    "image.cmap": SEQUENTIAL,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "svg.fonttype": "path",  # the same letters on every machine
    "svg.hashsalt": "memloc",  # the same figure gives the same bytes
}


def use_style() -> None:
    """Make matplotlib draw in this book's style. Call it once, at the top of a chapter."""
    import matplotlib as mpl

    settings: Any = RC | {"axes.prop_cycle": mpl.rcsetup.cycler(color=PALETTE)}
    mpl.rcParams.update(settings)


def _in_order(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Names sorted by their place in an order; those without one come last, by alphabet."""
    place = {name: position for position, name in enumerate(order)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))


def sort_tasks(names: Iterable[str]) -> list[str]:
    """Tasks in the order that every figure and table uses: the catalogue's, which keeps groups together."""
    from memloc.data.catalogue import task_names

    return _in_order(names, task_names())


def sort_models(names: Iterable[str]) -> list[str]:
    """Models in the order that every figure and table uses: the catalogue's."""
    from memloc.models.catalogue import model_names

    return _in_order(names, model_names())


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes for the same figure; coordinates no finer than can be seen."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return PATH.sub(lambda path: DECIMALS.sub(r"\1", path[0]), buffer.getvalue())


def show(figure: Figure, name: str, caption: str, alt: str) -> None:
    """Show a figure as a numbered one of the book; a cell shows one.

    The runner moves label, caption and alt text to where MyST-NB reads them and adds the link to the source to the
    caption. Refer to the figure with ``{numref}`` and its name.

    Args:
        figure: closed afterwards, so that the kernel does not show it a second time.
        name: the label: ``fig-`` and words joined by hyphens, unique in the book.
        caption: MyST Markdown of one paragraph: what is plotted, of which runs, what the bars or bands are.
        alt: what a person who cannot see the figure needs to know: its kind, its axes, its main message.

    Raises:
        MemlocError: for a name that is no label, or an empty caption or alt text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import publish_display_data

    if not LABEL.match(name):
        raise MemlocError("figure name", name, "fig- and lower-case words or numbers joined by hyphens")
    for what, text in (("caption", caption), ("alt text", alt)):
        if not text.strip() or "\n\n" in text.strip():
            raise MemlocError(f"{what} of {name}", text, "one paragraph of text")
    told = {"name": name, "caption": " ".join(caption.split()), "alt": " ".join(alt.split())}
    data = {"image/svg+xml": svg(figure), "text/plain": f"[{name}] {told['alt']}"}
    told["data"] = csv(drawn_data(figure))
    publish_display_data(data, metadata={"memloc": told})
    plt.close(figure)
