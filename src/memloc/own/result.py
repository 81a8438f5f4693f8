"""What `memloc.localise` gives back: tidy rows, and what the shared analysis makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from memloc.analysis.curves import HALVES  # noqa: F401 - re-exported for figures
from memloc.analysis.weights import WITHOUT_WEIGHTS, LayerWeights, layer_weights
from memloc.errors import MemlocError

WEIGHTS = ["technique", "variant", "layer", "weight", "single_layer"]
MCOG = ["technique", "variant", "mcog", "lowest", "highest", "relative", "baseline", "reason"]
EVENTS = ["technique", "event", "value"]


@dataclass
class Localised:
    """Where a model memorises a table's wrong labels.

    Attributes:
        facts: of model and data: names, counts, accuracies; plain data.
        rows: ``tables.ROWS`` of every technique that ran.
        details: further tables, by ``technique/table`` (``tables.DETAILS``).
        lacking: techniques that did not run, and why.
        notes: what else is to be said, in the order it came up.
        folder: where all of it was written, if it was.
    """

    facts: dict[str, Any]
    rows: pd.DataFrame
    details: dict[str, pd.DataFrame] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    folder: Path | None = None

    @property
    def techniques(self) -> list[str]:
        """Those that ran, in their order."""
        return list(dict.fromkeys(self.rows["technique"]))

    def of(self, technique: str) -> pd.DataFrame:
        """The rows of one technique."""
        return self.rows[self.rows["technique"] == technique]

    def layer_weights(self) -> dict[str, LayerWeights]:
        """What each technique that weighs layers says of them (``memloc.analysis.weights``)."""
        weighing = [name for name in self.techniques if name not in WITHOUT_WEIGHTS]
        return {name: layer_weights(self.of(name), num_layers=self.facts["layers"]) for name in weighing}

    @property
    def weights(self) -> pd.DataFrame:
        """Layer weights, a row a technique and layer; ``single_layer`` from windows of one layer alone."""
        rows = []
        for name, found in self.layer_weights().items():
            single = found.single
            for n, weight in enumerate(found.weight, 1):
                alone = None if single is None else float(single[n - 1])
                rows.append(dict(zip(WEIGHTS, (name, found.variant, n, float(weight), alone), strict=True)))
        return pd.DataFrame(rows, columns=WEIGHTS)

    @property
    def mcog(self) -> pd.DataFrame:
        """Centre of gravity of each technique, with the range it can reach."""
        rows = [
            (name, w.variant, w.mcog, *w.bounds, w.relative, w.baseline, w.reason)
            for name, w in self.layer_weights().items()
        ]
        return pd.DataFrame(rows, columns=MCOG)

    @property
    def events(self) -> pd.DataFrame:
        """At which layer things happen, of techniques that tell (``memloc.analysis.events``)."""
        from memloc.analysis.events import centroid_events, probing_events

        rows = []
        tells: dict[str, Callable[[pd.DataFrame], dict[str, float]]] = {
            "centroids": centroid_events,
            "probing": probing_events,
        }
        for name in self.techniques:
            try:
                told = tells[name](self.of(name)) if name in tells else {}
            except MemlocError:  # a table without original labels has no rows for some events
                told = {}
            rows += [(name, event, value) for event, value in told.items()]
        return pd.DataFrame(rows, columns=EVENTS)

    @property
    def report(self) -> str:
        """The report as one HTML page that needs no other file."""
        from memloc.own.report import report

        return report(self)
