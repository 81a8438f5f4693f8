"""The numbers behind a figure, read from what was drawn: what a reader gets as a table is what a reader sees."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ["row", "column", "panel", "x_axis", "y_axis", "kind", "series", "x", "y", "value", "x_name", "y_name"]
Points = tuple[str, str, np.ndarray, np.ndarray, np.ndarray | None]  # kind, series, x, y, value


def drawn_data(figure: Figure) -> pd.DataFrame:
    """Every point, band, bar and cell of a heatmap; panels by their row and column, from 1, and their title.

    ``kind`` is ``line``, ``point``, ``interval`` (both ends), ``band`` (its outline), ``bar`` or ``cell``; ``value``
    is that of a cell. Columns that say nothing are left out.
    """
    found = [_panel(axes) for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"]
    found = [frame for frame in found if len(frame)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.concat(found, ignore_index=True)[COLUMNS]
    return frame[[name for name in COLUMNS if not frame[name].isin(["", None]).all() and not frame[name].isna().all()]]


def _panel(axes: Axes) -> pd.DataFrame:
    place, parts = axes.get_subplotspec(), []
    for kind, series, x, y, value in _points(axes):
        shown = pd.DataFrame({"x": x, "y": y, "value": np.nan if value is None else value})
        parts.append(shown.assign(kind=kind, series="" if series.startswith("_") else series))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True).pipe(
        lambda frame: frame.assign(
            row=place.rowspan.start + 1 if place else 1,
            column=place.colspan.start + 1 if place else 1,
            panel=axes.get_title(),
            x_axis=axes.get_xlabel(),
            y_axis=axes.get_ylabel(),
            x_name=_names(axes.xaxis, frame["x"]),
            y_name=_names(axes.yaxis, frame["y"]),
        )
    )


def _points(axes: Axes) -> Iterator[Points]:
    """What is drawn at places of the axes; lines across the whole panel are no data."""
    from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
    from matplotlib.container import BarContainer

    for line in axes.lines:
        if all(line.get_transform().contains_branch_seperately(axes.transData)):
            x, y = (np.atleast_1d(np.asarray(of, dtype=float)) for of in (line.get_xdata(), line.get_ydata()))
            yield "line", str(line.get_label()), x, y, None
    for drawn in axes.collections:
        label = str(drawn.get_label())
        if isinstance(drawn, QuadMesh):
            yield _mesh(drawn, label)
        elif isinstance(drawn, PathCollection):
            x, y = np.asarray(drawn.get_offsets(), dtype=float).T
            yield "point", label, x, y, None
        elif isinstance(drawn, LineCollection | PolyCollection):
            kind = "interval" if isinstance(drawn, LineCollection) else "band"
            for path in drawn.get_paths():
                x, y = np.asarray(path.vertices, dtype=float).T
                yield kind, label, x, y, None
    for image in axes.images:
        yield _image(image)
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            yield _bars(bars)


def _bars(bars: Any) -> Points:
    """The ends of bars, over the middles of their feet."""
    upright = bars.orientation == "vertical"
    ends = np.asarray(bars.datavalues, dtype=float)
    feet = np.array([b.get_x() + b.get_width() / 2 if upright else b.get_y() + b.get_height() / 2 for b in bars])
    return ("bar", str(bars.get_label()), *((feet, ends) if upright else (ends, feet)), None)


def _filled(values: Any) -> np.ndarray:
    """Numbers, with NaN where nothing is drawn."""
    return np.asarray(np.ma.filled(np.ma.masked_array(values, dtype=float), np.nan))


def _mesh(mesh: Any, label: str) -> Points:
    corners, values = mesh.get_coordinates(), _filled(mesh.get_array())
    middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
    x, y = middles[..., 0].ravel(), middles[..., 1].ravel()
    return "cell", label, x, y, values.ravel()


def _image(image: Any) -> Points:
    values = _filled(image.get_array())
    values = values if values.ndim == 2 else values.mean(axis=2)
    (rows, columns), (left, right, bottom, top) = values.shape, image.get_extent()
    first, last = (top, bottom) if image.origin == "upper" else (bottom, top)
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = first + (np.arange(rows) + 0.5) * (last - first) / rows
    grid = np.meshgrid(x, y)
    return "cell", str(image.get_label()), grid[0].ravel(), grid[1].ravel(), values.ravel()


def _names(axis: Any, places: pd.Series) -> list[str]:
    """The words at an axis nearest to places, where its ticks are words."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter

    ticks = np.asarray(axis.get_majorticklocs(), dtype=float)
    words = [label.get_text() for label in axis.get_majorticklabels()]
    formatter = axis.get_major_formatter()
    by_hand = isinstance(getattr(formatter, "func", None), functools.partial)  # what set_ticks makes of labels
    named = by_hand or isinstance(formatter, FixedFormatter | StrCategoryFormatter)
    if not named or not len(ticks) or all(word.replace(".", "").isdigit() for word in words):
        return [""] * len(places)
    nearest = np.abs(places.to_numpy()[:, None] - ticks[None, :]).argmin(axis=1)
    return [words[position] for position in nearest]
