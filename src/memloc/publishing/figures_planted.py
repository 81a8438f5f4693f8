"""Figures of the benchmark with planted memorisation: what could be planted, and who found it."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.planted.editing import UNITS
from memloc.planted.entries import NO_TRUTH, NOT_LEARNT, NOT_SETTLED
from memloc.planted.leaderboard import localiser
from memloc.planted.overall import HEADLINE, SPREAD
from memloc.planted.scores import entropy
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE
from memloc.publishing.figures import SMALL, WIDTH, Drawn, legend_above, name_axes, note
from memloc.publishing.reading_planted import Board
from memloc.publishing.style import FAINT, INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: dict[str, dict[str, Any]] = {  # of regimes
    BLIND: {"color": PALETTE[0], "marker": "o"},
    ORACLE: {"color": PALETTE[1], "marker": "s", "markerfacecolor": "none"},
}
ACQUIRED_LOOKS: dict[str, dict[str, Any]] = {  # by what was taken out
    "1 layer": {"color": PALETTE[2], "marker": "^"},
    "2 layers": {"color": PALETTE[3], "marker": "D", "markerfacecolor": "none"},
    "4 layers": {"color": PALETTE[4], "marker": "v"},
    "6 layers": {"color": PALETTE[5], "marker": "s", "markerfacecolor": "none"},
    "8 layers": {"color": PALETTE[6], "marker": "o"},
}
UNIT_LOOKS: dict[str, Any] = {"color": PALETTE[1], "marker": "s", "markerfacecolor": "none"}
TITLES = {
    "top_skill": "skill, heaviest layer",
    "skill": "skill, whole answer",
    "top_1": "top-1",
    "mass": "mass, of attainable",
}
FATES = {NOT_LEARNT: "//", NOT_SETTLED: "\\\\", NO_TRUTH: ".."}
COLUMNS = 3  # of confusion matrices


def fates(board: Board) -> Drawn:
    """What became of the wrong labels by the layer they were planted into, as shares of all cells."""
    import matplotlib.pyplot as plt

    table = board.fates
    table = table[(table["layers"] == board.depth) & table["place"].str.startswith("layer:")]
    layer = table["place"].str.removeprefix("layer:").astype(int)
    figure, panel = plt.subplots(figsize=(WIDTH, 2.6))
    layers, base = np.arange(1, board.depth + 1), np.zeros(board.depth)
    looks = {"": ("ground truth", PALETTE[0], ""), **{why: (why, FAINT, hatch) for why, hatch in FATES.items()}}
    shares = pd.crosstab(layer, table[BLIND], normalize="index").reindex(layers, fill_value=0.0)
    for why, (name, colour, hatch) in looks.items():
        height = shares[why].to_numpy(float) if why in shares else np.zeros(board.depth)
        panel.bar(
            layers, height, bottom=base, label=name, color=colour if not why else "none", edgecolor=INK, hatch=hatch,
            linewidth=0.6,
        )  # fmt: skip
        base += height
    panel.set_ylim(0, 1)
    panel.set_xlim(0.4, board.depth + 0.6)
    panel.set_xticks(layers if board.depth <= 12 else [1, board.depth // 2, board.depth])
    panel.tick_params(labelsize=SMALL, length=2)
    panel.grid(False)
    legend_above(figure, panel, 2)
    name_axes(figure, "layer that wrong labels were planted into", "share of the cells")
    held = shares[""].to_numpy(float) if "" in shares else np.zeros(board.depth)
    words = "Stacked bars, one a layer: shares of cells with ground truth after settling, not learnt, not settled, and "
    words += "not forgotten when the place is restored. With ground truth: "
    return Drawn(
        figure, words + ", ".join(f"layer {n} {share:z.2f}" for n, share in zip(layers, held, strict=True)) + "."
    )


def confusions(board: Board, regime: str) -> Drawn:
    """Which layer was the heaviest where each one was true, a square a localiser."""
    import matplotlib.pyplot as plt

    names = [who for who in board.order if (regime, *who) in board.entries]
    rows = max(1, -(-len(names) // COLUMNS))
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(WIDTH, 1.9 * rows + 0.5), squeeze=False, sharex=True, sharey=True
    )
    told = []
    edges = (0.5, board.depth + 0.5)
    for panel, who in zip(axes.flat, names, strict=False):
        shares, cells = board.confusion(who, regime)
        panel.imshow(shares, vmin=0, vmax=1, extent=(*edges, *edges[::-1]), aspect="equal")
        panel.plot(edges, edges, color=FAINT, linewidth=0.7)
        panel.set_title("\n".join(textwrap.wrap(localiser(who), 18)), fontsize=SMALL - 0.5)
        panel.set_xticks(sorted({1, (board.depth + 1) // 2, board.depth}))
        panel.set_yticks(sorted({1, (board.depth + 1) // 2, board.depth}))
        panel.set_xlim(edges)
        panel.set_ylim(edges[::-1])
        panel.tick_params(labelsize=SMALL - 0.5, length=2)
        panel.grid(False)
        right = np.nanmean(np.diag(shares)) if cells else np.nan
        told.append(f"{localiser(who)} {right:z.2f}" if np.isfinite(right) else f"{localiser(who)} none")
    for panel in axes.flat[len(names) :]:
        panel.set_visible(False)
    if not names:
        axes.flat[0].set_visible(True)
        note(axes.flat[0], "no cell has\nground truth")
    name_axes(figure, "heaviest layer", "layer that was planted into")
    words = (
        f"Squares of shades, one a localiser, {regime} regime: true layer down, heaviest layer across. Mean share on "
    )
    return Drawn(figure, words + f"the diagonal: {'; '.join(told) or 'nothing to show'}.")


def scores(board: Board) -> Drawn:
    """Four scores of every localiser with intervals over tasks, what shuffled places give, and the best constant."""
    import matplotlib.pyplot as plt

    names = board.order
    size = (WIDTH, 2 * (0.24 * max(len(names), 2) + 0.35) + 0.8)
    figure, axes = plt.subplots(2, 2, figsize=size, sharey=True)
    for panel, (name, title) in zip(axes.flat, TITLES.items(), strict=True):
        for row, who in enumerate(names):
            for regime, look in LOOKS.items():
                if (one := board.score(who, regime, name)) is not None:
                    _scored(panel, row, one, regime, look)
        panel.set_title(title, fontsize=SMALL + 0.5)
        panel.set_xlim(-1.05 if "skill" in name else -0.05, 1.08)
        panel.set_xticks([-1, 0, 1] if "skill" in name else [0, 0.5, 1])
        panel.set_ylim(max(len(names), 1) - 0.4, -0.6)
        panel.set_yticks(range(len(names)), [localiser(who) for who in names], fontsize=SMALL - 1)
        panel.tick_params(labelsize=SMALL - 1, length=2)
    for regime, look in LOOKS.items():
        axes[0, 0].plot([], [], linestyle="", markersize=5, label=regime, **look)
    axes[0, 0].plot([], [], color=FAINT, alpha=0.45, linewidth=6, label="shuffled places (blind)")
    axes[0, 0].plot([], [], color=INK, linestyle=":", linewidth=1.4, label="best constant answer (blind)")
    legend_above(figure, axes[0, 0], 2)
    words = (
        "Dots with horizontal intervals, a row a localiser, a panel a score, filled circles for the blind and hollow "
    )
    words += "squares for the oracle regime; a band where shuffled places would fall. Skill, blind: "
    return Drawn(figure, words + (_skills(board) or "no cell has ground truth") + ".")


def _scored(panel: Axes, row: int, one: pd.Series, regime: str, look: dict[str, Any]) -> None:
    place = row + (0.17 if regime == ORACLE else -0.17)
    if regime == BLIND:
        panel.plot([one["null_low"], one["null_high"]], [row, row], color=FAINT, alpha=0.45, linewidth=7,
                   solid_capstyle="butt", zorder=1)  # fmt: skip
        panel.plot([one["constant"]] * 2, [row - 0.4, row + 0.4], color=INK, linestyle=":", linewidth=1.2, zorder=2)
    if np.isfinite(one["low"]):
        panel.plot([one["low"], one["high"]], [place, place], color=look["color"], linewidth=1.4, zorder=3)
    # a skill far below 0, or a mass far above 1, would shrink all others: it stands at the edge
    panel.plot([np.clip(one["value"], -1.0, 1.05)], [place], markersize=4, zorder=4, **look)


def _skills(board: Board) -> str:
    found = [(who, board.score(who, BLIND, HEADLINE)) for who in board.order]
    return "; ".join(f"{localiser(who)} {one['value']:z.2f}" for who, one in found if one is not None)


def calibration(board: Board) -> Drawn:
    """How flat blind answers are where memory is in one layer, and where it is in all of them."""
    import matplotlib.pyplot as plt

    names = [who for who in board.order if board.score(who, BLIND, "calibration") is not None]
    figure, panel = plt.subplots(figsize=(WIDTH, 0.27 * max(len(names), 2) + 1.4))
    looks = {"layer": ("one layer", PALETTE[0], "o", -0.15), SPREAD: ("all layers", PALETTE[1], "s", 0.15)}
    for row, who in enumerate(names):
        for kind, (_, colour, marker, shift) in looks.items():
            entry = board.entries[BLIND, who[0], who[1]].chosen((kind,))
            flat = np.array([entropy(weight[None])[0] for weight in entry.weights])
            if len(flat):
                panel.plot([flat.min(), flat.max()], [row + shift] * 2, color=colour, linewidth=1.2)
                panel.plot([flat.mean()], [row + shift], color=colour, marker=marker, markersize=4.5, linestyle="")
        one = board.score(who, BLIND, "calibration")
        if one is not None:
            panel.text(1.04, row, f"{one['value']:z.2f}", va="center", fontsize=SMALL - 0.5, color=INK)
    for name, colour, marker, _ in looks.values():
        panel.plot([], [], color=colour, marker=marker, markersize=4.5, label=f"memory in {name}")
    panel.text(1.04, -0.9, "AUC", va="center", fontsize=SMALL - 0.5, color=INK)
    panel.set_xlim(-0.03, 1.16)
    panel.set_xticks([0, 0.5, 1])
    panel.set_ylim(max(len(names), 1) - 0.4, -1.3)
    panel.set_yticks(range(len(names)), [localiser(who) for who in names], fontsize=SMALL - 0.5)
    panel.tick_params(labelsize=SMALL - 0.5, length=2)
    panel.set_xlabel("entropy of the answer (1: all layers alike)", fontsize=SMALL)
    legend_above(figure, panel, 2)
    if not names:
        note(panel, "no spread place has ground truth")
    told = []
    for who in names:
        if (one := board.score(who, BLIND, "calibration")) is not None:
            told.append(f"{localiser(who)} {one['value']:z.2f}")
    words = (
        "Dots with ranges, a row a localiser: entropy of its answers where memory is in one layer and where it is in "
    )
    return Drawn(figure, words + f"all. Area under the curve: {'; '.join(told) or 'no spread place has ground truth'}.")


def removals(board: Board) -> Drawn:
    """How often what a localiser points to is true, and what taking it out forgets beyond other removals."""
    import matplotlib.pyplot as plt

    table = board.editing[~board.editing["what"].str.startswith(UNITS)]
    units = board.editing[(board.editing["what"] == UNITS) & (board.editing["regime"] == BLIND)]
    names = list(dict.fromkeys([*table.loc[table["regime"] == BLIND, "technique"], *table["technique"]]))
    shown = {what: look for what, look in ACQUIRED_LOOKS.items() if what in set(table["what"])}
    size = (WIDTH, (0.2 + 0.06 * len(shown)) * max(len(names), 2) + 1.4)
    figure, (true, planted, acquired) = plt.subplots(1, 3, figsize=size, sharey=True, width_ratios=(3, 4, 4))
    told = []
    for row, name in enumerate(names):
        of = table[table["technique"] == name]
        for one in of[of["regime"] == BLIND].to_dict("records"):
            true.plot([one["is_true"]], [row], **LOOKS[BLIND], markersize=4.5)
            _gain(planted, row, one, LOOKS[BLIND])
            told.append(f"{localiser((name, ''))} {one['is_true']:z.2f} true, {one['gain']:+z.2f}")
        for one in units[units["technique"] == name].to_dict("records"):
            true.plot([one["is_true"]], [row + 0.2], **UNIT_LOOKS, markersize=4.5)
            _gain(planted, row + 0.2, one, UNIT_LOOKS)
            told.append(f"{localiser((name, ''))}, of units, {one['is_true']:z.2f} true, {one['gain']:+z.2f}")
        for number, (what, look) in enumerate(shown.items()):
            for one in of[(of["regime"] == ACQUIRED) & (of["what"] == what)].to_dict("records"):
                _gain(acquired, row + 0.7 * ((number + 0.5) / len(shown) - 0.5), one, look)
    for panel, title in ((true, "true"), (planted, "planted"), (acquired, "acquired")):
        panel.set_title(title, fontsize=SMALL + 0.5)
        panel.set_ylim(max(len(names), 1) - 0.4, -0.6)
        panel.set_yticks(range(len(names)), [localiser((name, "")) for name in names], fontsize=SMALL - 1)
        panel.tick_params(labelsize=SMALL - 1, length=2)
    edges = np.array([planted.get_xlim(), acquired.get_xlim()]) if told else np.array([[-1.0, 1.0]])
    for panel in (planted, acquired):  # on one scale, to be compared
        panel.set_xlim(edges[:, 0].min(), edges[:, 1].max())
        panel.axvline(0, color=INK, linewidth=0.8)
    true.set_xlim(-0.1, 1.1)
    true.set_xticks([0, 1])
    for what, look in shown.items():
        true.plot([], [], linestyle="", markersize=4.5, label=f"acquired, {what} taken out", **look)
    if len(units):
        true.plot([], [], linestyle="", markersize=4.5, label="planted, units taken out", **UNIT_LOOKS)
    legend_above(figure, true, 2)
    figure.supxlabel("share of what is removed; then wrong labels forgotten, beyond others", fontsize=SMALL, color=INK)
    words = "Dots, a row a localiser, the largest gain first. Left: share of what is removed that is true. Middle, "
    words += "planted, and right, acquired memory: unseen wrong labels forgotten beyond removals that look at nothing. "
    return Drawn(figure, words + ("Planted: " + "; ".join(told) if told else "Nothing was removed") + ".")


def _gain(panel: Axes, row: float, one: dict[Hashable, Any], look: dict[str, Any]) -> None:
    if np.isfinite(one["low"]):
        panel.plot([one["low"], one["high"]], [row, row], color=look["color"], linewidth=1.2)
    panel.plot([one["gain"]], [row], linestyle="", markersize=4.5, **look)
