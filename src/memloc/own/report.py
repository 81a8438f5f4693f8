"""The report: one HTML page in light and dark that needs no other file and no network; no text of the data is in it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from memloc.wording import DASH, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from memloc.own.result import Localised

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --page: #ffffff; --line: #d0d7de; --soft: #f6f8fa; --link: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --page: #121417; --line: #3d444d; --soft: #1c2026; --link: #79c0ff; }
  img { filter: invert(1) hue-rotate(180deg); }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto;
  max-width: 56rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
figure { margin: 1rem 0; overflow-x: auto; } img { max-width: 100%; height: auto; }
figcaption, .small { font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .9rem; padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: left; vertical-align: top; }
thead th { background: var(--soft); white-space: nowrap; }
td { min-width: 3.5rem; } code { overflow-wrap: anywhere; } a { color: var(--link); }
"""

READING = (
    "A layer's weight says how much the wrong labels depend on it, by the rules of one technique; the centre of "
    "gravity (M-CoG) is the mean layer under these weights. Averaging over windows pulls it to the middle, so read it "
    "within the range that it can reach: 'relative' is 0 where all memory sits in the first layer and 1 where it sits "
    "in the last. Scales differ between techniques. A smooth curve alone does not show that memory is spread out."
)


def report(found: Localised) -> str:
    """The page of a result. No text of the data, no path and nothing from outside is in it."""
    facts = found.facts
    title = f"Where does {facts['model']} memorise {facts['data']}?"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _summary(found),
        section("What was run", _ran(found)),
        section("Centres of gravity", _mcog(found), f'<p class="small">{escape(READING)}</p>'),
        *(section(heading, drawn) for heading, drawn in _figures(found)),
        section("Layer weights in numbers", _weights(found)),
    ]
    if len(events := found.events):
        rows = [(r["technique"], r["event"].replace("_", " "), number(r["value"])) for r in events.to_dict("records")]
        parts.append(section("Events", table(("technique", "what", "layer or position"), rows, "At which layer.")))
    parts.append(section("From what", _origin(facts)))
    return page(title, "\n".join(part for part in parts if part))


def page(title: str, body: str, style: str = "") -> str:
    """A whole HTML page of its own.

    Args:
        body: HTML.
        style: CSS beside the pages' common one.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """A table with column heads and a row head."""
    heads = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    lines = []
    for row in rows:
        first, *rest = (escape(str(value)) for value in row)
        lines.append(f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{value}</td>" for value in rest) + "</tr>")
    told = f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    # reachable by keyboard, because a wide table scrolls on a narrow screen
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>{told}</table></div>'


def section(heading: str, *content: str) -> str:
    """A heading with what stands below it; nothing where that is empty."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{''.join(content)}\n</section>" if any(content) else ""


def _summary(found: Localised) -> str:
    facts = found.facts
    told = (
        f"{facts['rows']} examples, {facts['noisy']} of them with a wrong given label, in {facts['classes']} classes. "
        f"The model ({facts['architecture']}, {facts['layers']} layers) gives back {facts['accuracy_noisy']:.1%} of "
        f"the wrong labels and {facts['accuracy_clean']:.1%} of the right ones. Layers count from 1."
    )
    return f"<p>{escape(told)}</p>"


def _ran(found: Localised) -> str:
    rows = [(name, "ran") for name in found.techniques] + [
        (n, f"did not run: {why}") for n, why in found.lacking.items()
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in dict.fromkeys(found.notes))
    return table(("technique", "state"), rows, "Techniques.") + (f"<ul>{notes}</ul>" if notes else "")


def _mcog(found: Localised) -> str:
    rows = [
        (
            r["technique"],
            number(r["mcog"]),
            f"{number(r['lowest'])} to {number(r['highest'])}",
            number(r["relative"]),
            "; ".join(text for text in (r["variant"].replace("_", " "), r["baseline"], r["reason"]) if text) or DASH,
        )
        for r in found.mcog.to_dict("records")
    ]
    columns = ("technique", "M-CoG", "can reach", "relative", "how")
    return table(columns, rows, "Centre of gravity of the layer weights.") if rows else ""


def _weights(found: Localised) -> str:
    weights = found.weights
    if weights.empty:
        return ""
    wide = weights.pivot(index="layer", columns="technique", values="weight")
    wide = wide[[name for name in found.techniques if name in wide]]
    rows = [(layer, *(number(v, 3) for v in values)) for layer, values in zip(wide.index, wide.to_numpy(), strict=True)]
    return table(("layer", *wide.columns), rows, "Layer weights by technique.")


def _figures(found: Localised) -> Iterable[tuple[str, str]]:
    from memloc.own.figures import figures

    for heading, figure, caption, alt in figures(found):
        yield heading, image(figure, caption, alt)


def image(figure: Figure, caption: str, alt: str) -> str:
    """A figure inside the page; it is closed."""
    import matplotlib.pyplot as plt

    from memloc.publishing.style import svg

    source = base64.b64encode(svg(figure).encode()).decode()
    plt.close(figure)
    drawn = f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(alt)}">'
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _origin(facts: dict[str, Any]) -> str:
    rows = [(arm, told["title"], ", ".join(h[:16] for h in told["sha256"])) for arm, told in facts["arms"].items()]
    rows.append(("data", facts["data"], facts["data_sha256"][:16]))
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    told = f"{versions}; {facts['device']}; at most {facts['token_limit']} tokens an example."
    settings = [(n, ", ".join(f"{k} {v}" for k, v in how.items())) for n, how in facts["settings"].items()]
    return (
        table(("part", "name", "SHA-256 begins with"), rows, "Files.")
        + table(("technique", "settings"), settings, "Settings.")
        + f'<p class="small">{escape(told)}</p>'
    )
