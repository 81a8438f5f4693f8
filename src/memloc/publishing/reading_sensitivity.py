"""What the chapter on sensitivity calls to get its data: a released profile, and its variants, one setting changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.choices import Choice, choices
from memloc.analysis.draws import Spread, spread
from memloc.analysis.intervals import Interval, Localisation
from memloc.analysis.layers import rescaled, window_accuracy
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.profiles import Profile, every_name
from memloc.profiles.loading import FOLDER, profile_content
from memloc.profiles.variants import EVERY, MARK, split_name
from memloc.publishing import project_root
from memloc.publishing.figures_centroids import events_of
from memloc.publishing.reading import CELL, ByPlace, Place, ReleasedStudy, Swapping, open_release, read_swapping
from memloc.publishing.reading_techniques import asked_for, read_told
from memloc.publishing.tabulate_depth import depth
from memloc.sealed import MANIFEST

DRAW = "data.seed"  # the setting that draws the data anew
BASE = ""  # the variant that changes nothing
SETTINGS = {  # that variants usually change, in words and in the order of all figures
    DRAW: "data seed",
    "data.noise_rate": "wrong labels",
    "data.cap": "rows",
    "training.lr": "learning rate",
}


@dataclass(frozen=True)
class VariedStudy(ReleasedStudy):
    """A released profile together with its variants."""

    @property
    def command(self) -> str:
        """Makes all of them, where data and models are."""
        every = f"--profile '{self.profile.name}{MARK}{EVERY}'"
        return f"memloc run {every} && memloc results {every} --release results"

    @property
    def made(self) -> str:
        """For the end of a caption."""
        return f"**{self.origin}** Data: `{self.command}`; keys: `{self.folder}*/{MANIFEST}`."


@dataclass(frozen=True)
class Run:
    """The profile itself or one of its variants.

    Attributes:
        setting: what it changes, as ``data.seed``; empty for the profile itself.
        value: to what.
        swapping: layer swapping of its cells.
        crossing: (task, model) to the layer of crossing, where centroids were asked for.
    """

    setting: str
    value: Any
    swapping: Swapping
    crossing: Mapping[Place, float]

    @property
    def title(self) -> str:
        """What was changed, in words."""
        if not self.setting:
            return "as it is"
        value = f"{100 * self.value:g} %" if self.setting == "data.noise_rate" else _told(self.value)
        return f"{SETTINGS.get(self.setting, self.setting)} {value}"

    def depth(self, place: Place) -> Interval:
        """Depth by swapping along the attainable range, its interval over noisy examples; NaN if not memorised."""
        if place not in self.swapping.places:
            return Interval(*(np.array(np.nan) for _ in range(3)))
        found = self.swapping.places[place]
        return depth(found.mcog, found.bounds)

    def counts(self, place: Place) -> dict[str, int]:
        """Training rows of a place and how many of them have a wrong label."""
        assert isinstance(self.swapping.study, ReleasedStudy)
        entries = self.swapping.study.release.manifest["cells"]
        data = next(entry["dataset"] for entry in entries if (entry["task"], entry["model"]) == place)
        return {name: int(data[name]) for name in ("train", "noisy")}


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Sensitivity(ByPlace):
    """A profile and its variants, as far as they are released.

    Attributes:
        study, status: as in ``ByPlace``, of the profile itself.
        places: (task, model) to where the profile itself memorises.
        runs: variant to its run; the profile itself first, under the empty name.
        missing: variants that are not released.
    """

    study: VariedStudy
    status: pd.DataFrame
    places: dict[Place, Localisation]
    runs: dict[str, Run]
    missing: tuple[str, ...]

    @property
    def folders(self) -> list[str]:
        """Of all its releases, as seen from the root of the book."""
        return [
            run.swapping.study.folder for run in self.runs.values() if isinstance(run.swapping.study, ReleasedStudy)
        ]

    @property
    def variants(self) -> dict[str, Run]:
        """Without the profile itself."""
        return {name: run for name, run in self.runs.items() if name != BASE}

    @property
    def draws(self) -> list[Run]:
        """The profile itself and the runs in which nothing but the data were drawn anew."""
        return [run for run in self.runs.values() if run.setting in ("", DRAW)]

    @cached_property
    def spread(self) -> Spread | None:
        """How far draws of the data move the depth of the places that count; None where fewer than two are known."""
        return spread([self.drawn(place) for place in self.counted])

    def drawn(self, place: Place) -> list[float]:
        """Depths of a place by draw, of those draws that count."""
        return [float(run.depth(place).value) for run in self.draws if place in run.swapping.counted]

    def sampling(self, place: Place) -> float:
        """Standard error of a place's depth over noisy examples, from the bootstrap intervals of its draws."""
        found = [run.depth(place) for run in self.draws if place in run.swapping.counted]
        return float(np.sqrt(np.mean([((of.high - of.low) / (2 * 1.96)) ** 2 for of in found]))) if found else np.nan

    @cached_property
    def changes(self) -> pd.DataFrame:
        """A row a variant and place: ``variant, setting, task, model, change`` in depth against the profile itself.

        ``change`` is NaN unless the place counts in both; ``beyond`` is whether draws of the data differ by less.
        """
        base, limit = self.runs[BASE], self.spread.limit if self.spread else np.nan
        rows = []
        for name, run in self.variants.items():
            for place in self.all_places:
                both = place in self.counted and place in run.swapping.counted
                change = float(run.depth(place).value - base.depth(place).value) if both else np.nan
                rows.append((name, run.setting, *place, change, abs(change) > limit))
        return pd.DataFrame(rows, columns=["variant", "setting", "task", "model", "change", "beyond"])


def open_sensitivity(name: str = "sensitivity") -> Sensitivity | None:
    """A released profile with its released variants; None if this copy of the book has not got the profile itself.

    Raises:
        MemlocError: if a release is altered, or a variant changed more than one setting or none.
    """
    found = open_release(name)
    if found is None:
        return None
    base = VariedStudy(found.release, found.folder)
    folders = (project_root() / "results").glob(f"{name}{MARK}*/{MANIFEST}")
    opened = {split_name(path.parent.name)[1] or "": open_release(path.parent.name) for path in folders}
    runs = {variant: _run(study, base.release.profile) for variant, study in opened.items() if study}
    order = [*SETTINGS, *sorted({run.setting for run in runs.values()} - set(SETTINGS))]
    ordered = dict(sorted(runs.items(), key=lambda item: (order.index(item[1].setting), item[1].value)))
    own = _run(base, base.release.profile)
    # the file of a profile of one's own is not known here, and so not which variants are missing
    asked = every_name(f"{name}{MARK}{EVERY}")[1:] if (FOLDER / f"{name}.yml").is_file() else []
    missing = tuple(variant for every in asked if (variant := split_name(every)[1] or "") not in runs)
    return Sensitivity(base, own.swapping.status, own.swapping.places, {BASE: own, **ordered}, missing)


def _run(study: ReleasedStudy, base: Profile) -> Run:
    """What a run tells, and what it changed by its own manifest."""
    setting, value = changed(base, study.release.profile)
    swapping = read_swapping(study)
    crossing: dict[Place, float] = {}
    if asked_for(study, "centroids"):
        events = events_of(read_told(study, "centroids", swapping.status)).to_dict("records")
        crossing = {(row["task"], row["model"]): float(row["crossing"]) for row in events}
    return Run(setting, value, swapping, crossing)


def changed(base: Profile, variant: Profile) -> tuple[str, Any]:
    """The one setting that a variant changed, and its value; two empty words for the profile itself.

    Raises:
        MemlocError: if it changed none, or several: nobody could tell what made the difference.
    """
    if variant.name == base.name:
        return "", ""
    before, after = _leaves(base), _leaves(variant)
    found = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if len(found) != 1:
        raise MemlocError(f"settings that the released run {variant.name} changed", found, "one")
    return found[0], after.get(found[0])


def _leaves(profile: Profile) -> dict[str, Any]:
    """Settings of data, techniques and training; of training those of the models one after another."""
    content = profile_content(profile)
    found = {f"data.{name}": value for name, value in content["data"].items()}
    found |= {f"techniques.{of}.{name}": v for of, own in content["techniques"].items() for name, v in own.items()}
    for model in sorted(content["models"]):
        for name, value in content["models"][model].items():
            if name != "seeds":
                known = found.setdefault(f"training.{name}", value)
                found[f"training.{name}"] = known if known == value else "several"
    return found


def window_choices(swapping: Swapping, lengths: Sequence[int] = ()) -> dict[Place, dict[str, Choice]]:
    """The M-CoG of every place by several ways of weighing its windows, seeds averaged.

    Args:
        swapping: or retraining, whose accuracies are rescaled first.
        lengths: a choice of window lengths to look at too; that of all layers is always among them.
    """
    found: dict[Place, dict[str, Choice]] = {}
    kept = swapping.rows.merge(swapping.status.loc[swapping.status["memorised"], CELL])
    for task, model in swapping.places:
        here, layers = kept[(kept["task"] == task) & (kept["model"] == model)], get_model(model).layers
        told = [window_accuracy(rows) for _, rows in here.groupby("seed")]
        windows = told[0][0]
        seeds = [values for _, values in told]
        if swapping.technique == "retraining":
            seeds = [rescaled(values, windows, layers) for values in seeds]
        chosen = sorted({*(length for length in lengths if length < layers), layers}) if lengths else []
        found[task, model] = choices(np.mean(seeds, axis=0), windows, chosen)
    return found
