"""Tables, figure and sentences of the chapter on a model of one's own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from memloc.publishing.own_example import HIDDEN, LAYERS, ROWS, OwnExample
from memloc.publishing.studies import marked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from memloc.own.result import Localised

ORIGIN = (
    f"Generated sentences; a model of {LAYERS} layers, {HIDDEN} wide, from random weights: it shows the command only."
)


def mark() -> str:
    """A mark for prose (HTML): what the example is."""
    return marked(["generated tasks", "random initial weights"])


class DrawnOwn(NamedTuple):
    """A figure of a report with the words that belong to it."""

    figure: Figure
    caption: str
    alt: str


def own_facts(example: OwnExample, found: Localised) -> dict[str, str]:
    """The numbers of the chapter's sentences."""
    return {
        "given": str(ROWS),
        "memorised": f"{found.facts['accuracy_noisy']:.1%} of {found.facts['noisy']}",
    }


def arms_table(example: OwnExample) -> pd.DataFrame:
    """What became of each arm."""
    return pd.DataFrame({"arm": list(example.told), "what became of it": list(example.told.values())})


def centres_table(found: Localised) -> pd.DataFrame:
    """Centre of gravity by technique with its attainable range; what did not run, and why."""
    rows = [
        {
            "technique": row["technique"],
            "M-CoG": row["reason"] or f"{row['mcog']:z.2f}",
            "attainable": f"{row['lowest']:z.2f} to {row['highest']:z.2f}",
            "note": row["baseline"] or "",
        }
        for row in found.mcog.to_dict("records")
    ]
    rows += [{"technique": name, "M-CoG": "did not run", "note": why} for name, why in found.lacking.items()]
    rows += [
        {"technique": row["technique"], "M-CoG": f"{row['event'].replace('_', ' ')}: {row['value']:z.2f}"}
        for row in found.events.to_dict("records")
        if row["event"] in ("crossing", "initiation")
    ]
    return pd.DataFrame(rows).fillna("")


def weights_figure(found: Localised) -> DrawnOwn:
    """Layer weights, a panel a technique, as the report draws them."""
    from memloc.own.figures import draw_weights

    _, figure, caption, alt = draw_weights(found.layer_weights())
    return DrawnOwn(figure, caption, alt)


def folder_listing(example: OwnExample) -> str:
    """The files of the output folder, by name and size."""
    items = [
        f"<li><code>{escape(name)}</code> ({size / 1000:.0f} kB)</li>" for name, size in sorted(example.files.items())
    ]
    return f"<ul>{''.join(items)}</ul>"
