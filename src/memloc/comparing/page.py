"""The comparison as one HTML page that needs no other file, with its tables as CSV beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.comparing.tables import Comparison, centre_table, event_table, order_table, verdict_table
from memloc.disk import explained
from memloc.own.report import image, page, section, table
from memloc.publishing.chapters import write_text_whole
from memloc.publishing.style import PALETTE, use_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READING = (
    "Only cells count whose wrong labels were memorised. Centres of gravity move on a range of their own, printed "
    "behind them; depth is the place on that range, from 0 to 1, so it can be compared between techniques and models. "
    "Rank correlations of curves are over layers; where numbers of layers differ, the deeper curve is read at the "
    "other's places."
)


def tables_of(of: Comparison) -> dict[str, pd.DataFrame]:
    """Every table by its heading; empty ones are left out."""
    made = {
        "Centres of gravity and curves": centre_table(of),
        "Order of tasks": order_table(of),
        "Events": event_table(of),
        "Verdicts": verdict_table(of),
    }
    return {heading: frame for heading, frame in made.items() if len(frame)}


def write(of: Comparison, folder: Path) -> Path:
    """Write ``compare.html`` and a CSV for each table.

    Returns:
        The page.
    """
    title = f"{of.first.name} beside {of.second.name}"
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(told(of))}</p>", f'<p class="small">{escape(READING)}</p>']
    parts += [section(f"Curves: {name}", image(*drawn)) for name in of.techniques if (drawn := draw(of, name))]
    with explained(folder):
        for heading, frame in tables_of(of).items():
            shown = table([str(name) for name in frame], frame.to_numpy().tolist(), f"{heading}.")
            parts.append(section(heading, shown))
            write_text_whole(folder / f"{heading.lower().replace(' ', '-')}.csv", frame.to_csv(index=False))
        write_text_whole(folder / "compare.html", page(title, "\n".join(parts), "td { white-space: nowrap; }"))
    return folder / "compare.html"


def told(of: Comparison) -> str:
    """What is compared, and what is left out, in sentences."""
    pairs = [a if a == b else f"{a} with {b}" for a, b in of.pairs]
    words = f"Tasks of both: {', '.join(of.tasks) or 'none'}. Models: {', '.join(pairs) or 'none of one family'}."
    for side, place in ((of.first, 0), (of.second, 1)):
        if alone := [model for model in side.models if model not in {pair[place] for pair in of.pairs}]:
            words += f" Of {side.name} without a partner, and left out: {', '.join(alone)}."
    if same := len({key[:3] for key in of.first.runs & of.second.runs}):
        words += f" Both have the same rows of {same} cells, from the same trained models: nothing can differ there."
    for side in of.sides:
        if side.left_out:
            cells = "; ".join(f"{task} {model} seed {seed}" for task, model, seed in side.left_out)
            words += f" Not memorised in {side.name}, and left out: {cells}."
    return words


def draw(of: Comparison, technique: str) -> tuple[Figure, str, str] | None:
    """Layer weights of both, a panel a task and pair of models; figure, caption and alt text, or None without any."""
    import matplotlib.pyplot as plt

    found = list(of.curves(technique))
    if not found:
        return None
    use_style()
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.3 * columns + 0.4, 1.7 * rows + 0.4), squeeze=False)
    for panel in list(axes.flat)[len(found) :]:
        panel.remove()
    words = []
    for panel, (task, pair, first, second) in zip(axes.flat, found, strict=False):
        for curve, colour, line, name in (
            (first, PALETTE[0], "-", of.first.name),
            (second, PALETTE[1], "--", of.second.name),
        ):
            panel.plot(np.linspace(0, 1, len(curve)), curve, color=colour, linestyle=line, label=name)
        panel.set_title(f"{task}\n{pair[0]}", fontsize="small")
        words.append(f"{task}, {pair[0]}: peaks at layers {int(first.argmax()) + 1} and {int(second.argmax()) + 1}")
    figure.supxlabel("layer, first to last", fontsize="medium")
    figure.supylabel("layer weight", fontsize="medium")
    axes.flat[0].legend(fontsize="x-small")
    caption = f"Layer weights by {technique}. Solid: {of.first.name}; dashed: {of.second.name}. Means over seeds."
    return figure, caption, f"Line charts, two lines a panel. {'; '.join(words)}."
