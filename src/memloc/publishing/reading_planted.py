"""What a chapter calls to get a benchmark of planted memorisation: what was planted, and what everybody found."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc.arms import CONTROLS
from memloc.errors import MemlocError
from memloc.planted.answers import ALWAYS, CELL
from memloc.planted.editing import acquired_net, editing
from memloc.planted.entries import Entry, entries, fates, main_amount, with_truth
from memloc.planted.leaderboard import Who, ranked, standing
from memloc.planted.overall import HEADLINE, score_table
from memloc.planted.recall import recall_table
from memloc.planted.releasing import Benchmark, read_benchmark
from memloc.planted.results import TABLES, Results
from memloc.planted.scores import pair_scores
from memloc.profiles import Profile, load_profile, profile_names
from memloc.profiles.planting import ACQUIRED, BLIND, ORACLE
from memloc.publishing import project_root
from memloc.publishing.studies import AnyRun, reads_released
from memloc.sealed import MANIFEST

if TYPE_CHECKING:
    from memloc.planted.experiment import Plantings

SMOKE = "planted-smoke"  # made on the spot where no benchmark is released
ENTRY = "planted-entry"  # released: the smallest benchmark with the localiser that a reader would write
OWN = "distance_moved"  # that localiser (``own_localiser.py``)


@dataclass(frozen=True)
class Board(AnyRun):
    """A benchmark as chapters show it.

    Attributes:
        benchmark: its profile and tables.
        command: makes the same.
        folder: where it was released, as seen from the root of the book; empty if it was made now.
        part: which part of its profile it is, as options of the command; empty for the whole.
    """

    benchmark: Benchmark
    command: str
    folder: str = ""
    part: str = ""

    @property
    def profile(self) -> Profile:
        return self.benchmark.profile

    @property
    def results(self) -> Results:
        """The tables."""
        return self.benchmark.results

    @property
    def planted(self) -> pd.DataFrame:
        """``tables.PLANTED``."""
        return self.results.planted

    @property
    def behind(self) -> dict[str, pd.DataFrame]:
        """The tables of the benchmark."""
        return {name: getattr(self.results, name) for name in TABLES}

    @property
    def made(self) -> str:
        """For the end of a caption: origin, command, and where the keys are."""
        keys = f"; keys: `{self.folder}/{MANIFEST}`" if self.folder else ""
        return f"**{self.origin}** Data: `{self.command}`{keys}."

    @cached_property
    def noise(self) -> float:
        """The share of wrong labels that most tasks have, which scores are of."""
        return main_amount(self.planted)

    @cached_property
    def depth(self) -> int:
        """L of the models of most cells: figures by layer show these."""
        return int(self.planted["layers"].mode().max())

    @property
    def _draws(self) -> dict[str, int]:
        return {"resamples": self.profile.resamples, "permutations": self.profile.resamples}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``overall.score_table``."""
        return score_table(self.results.found, self.planted, **self._draws)

    @cached_property
    def recalls(self) -> pd.DataFrame:
        """``recall.recall_table``."""
        return recall_table(self.results.recalled, self.planted, **self._draws)

    @cached_property
    def editing(self) -> pd.DataFrame:
        """``editing.editing``."""
        return editing(self.results.removal, resamples=self.profile.resamples)

    @cached_property
    def acquired_net(self) -> pd.DataFrame:
        """``editing.acquired_net``."""
        return acquired_net(self.results.removal, resamples=self.profile.resamples)

    @cached_property
    def settled(self) -> pd.DataFrame:
        """Of ``tables.SETTLED`` the models that did settle."""
        done = self.planted.loc[self.planted["epochs_settled"] > 0, CELL]
        return self.results.settled.merge(done, on=CELL)

    @cached_property
    def fates(self) -> pd.DataFrame:
        """``entries.fates``."""
        return fates(self.planted)

    @cached_property
    def entries(self) -> dict[tuple[str, str, str], Entry]:
        """Everybody's answers by regime, technique and variant, at the amount that scores are of."""
        return {entry.who: entry for entry in entries(self.results.found, with_truth(self.planted, self.noise))}

    @cached_property
    def order(self) -> list[Who]:
        """The localisers, best blind skill first, without constants; those without a blind score come last."""
        ranked = [*standing(self.scores, BLIND), *standing(self.scores, ORACLE)]
        return [who for who in dict.fromkeys(ranked) if who[0] != ALWAYS]

    @cached_property
    def acquired(self) -> pd.DataFrame:
        """What was found where labels were learnt in the ordinary way (``tables.FOUND``), at the amount of scores."""
        found = self.results.found
        return found[(found["regime"] == ACQUIRED) & np.isclose(found["noise"], self.noise)]

    def score(self, who: Who, regime: str, name: str) -> pd.Series | None:
        """The row of ``scores`` of a localiser; None where there is none."""
        table = self.scores
        chosen = (table["regime"] == regime) & (table["score"] == name)
        rows = table[chosen & (table["technique"] == who[0]) & (table["variant"] == who[1])]
        return rows.iloc[0] if len(rows) else None

    def skills(self, part: pd.Series, noise: float | None = None) -> dict[Who, float]:
        """The blind score that decides (``overall.HEADLINE``) on a part of what was planted, by localiser.

        Args:
            part: which rows of ``planted``, bool.
            noise: the amount; by default the one that scores are of.
        """
        planted, amount = self.planted[part], self.noise if noise is None else noise
        table = score_table(self.results.found, planted, amount, resamples=1, permutations=1)
        table = table[(table["regime"] == BLIND) & (table["score"] == HEADLINE)]
        return dict(zip(zip(table["technique"], table["variant"], strict=True), table["value"], strict=True))

    def controls(self) -> dict[tuple[str, str, str], tuple[float, int]]:
        """Top-1 in the study's control settings, which are no part of the scores, and their number, by localiser."""
        told = {}
        for who, entry in self.entries.items():
            blocks = list(entry.chosen(CONTROLS).blocks())
            hits = [np.diag(pair_scores(w, t, np.ones(len(t)))["top_1"]) for _, w, t in blocks]
            if hits:
                told[who] = (float(np.concatenate(hits).mean()), sum(map(len, hits)))
        return told

    def confusion(self, who: Who, regime: str) -> tuple[np.ndarray, int]:
        """How often each layer (across) was the heaviest where each one was true (down), in models of L layers.

        Returns:
            Shares [L, L], rows summing to 1, NaN where no cell has ground truth; and the number of cells.
        """
        table, counts = np.zeros((self.depth, self.depth)), np.zeros(self.depth)
        entry = self.entries.get((regime, *who))
        layers = entry.chosen(("layer",)) if entry else None
        for rows, weights, shares in layers.blocks() if layers else ():
            if layers and layers.cells["layers"].iloc[rows[0]] == self.depth:
                top = weights == weights.max(axis=1, keepdims=True)
                np.add.at(table, shares.argmax(axis=1), top / top.sum(axis=1, keepdims=True))
                np.add.at(counts, shares.argmax(axis=1), 1)
        with np.errstate(invalid="ignore"):
            return table / counts[:, None], int(counts.sum())


def open_board(name: str = "planted") -> Board:
    """The released benchmark of that name in ``results/`` of the book's folder; if there is none, a small one made now.

    Raises:
        MemlocError: if it is there but altered, incomplete, or of another version.
    """
    if (project_root() / "results" / name).exists():
        return _released(name)
    return _released(SMOKE) if reads_released() else Board(benchmark_of(made_now()), _command(SMOKE))


def entered() -> pd.DataFrame:
    """A localiser of one's own on the smallest benchmark: its rows of the leaderboard, and those of blind answers."""
    if reads_released():
        board = _released(ENTRY)
    else:
        from memloc.publishing import own_localiser  # noqa: F401 - registers it

        board = Board(benchmark_of(made_now((OWN,))), _command(SMOKE))
    return ranked(board.scores, board.results.asked)


def entry_source() -> str:
    """The lines that enter it, as Markdown; read, not imported, since what they use loads torch."""
    text = Path(__file__).with_name("own_localiser.py").read_text(encoding="utf-8")
    lines = text[text.index("@localiser(") :]
    return f"```python\nfrom memloc.techniques.localiser import localiser\n\n\n{lines}```"


def _command(profile: str) -> str:
    return f"memloc benchmark --profile {profile}"


def _released(name: str) -> Board:
    found = read_benchmark(project_root() / "results" / name)
    part = part_of(found.profile)
    command = f"{_command(found.profile.name)}{part and f' {part}'} --release results/{name}"
    return Board(found, command, f"results/{name}", part)


def part_of(profile: Profile) -> str:
    """The options by which a profile was cut down from the one that the package has of its name; empty if by none."""
    if profile.name not in profile_names():
        return ""
    whole = load_profile(profile.name)
    seeds, all_seeds = ({name: run.seeds for name, run in of.models.items()} for of in (profile, whole))
    found = []
    if set(profile.tasks) != set(whole.tasks):
        found.append(f"--tasks {','.join(profile.tasks)}")
    if set(seeds) != set(all_seeds):
        found.append(f"--models {','.join(seeds)}")
    if any(of != all_seeds.get(name) for name, of in seeds.items()):
        found.append(f"--seeds {','.join(map(str, next(iter(seeds.values()))))}")
    return " ".join(found)


def benchmark_of(plantings: Plantings) -> Benchmark:
    """What the store has of it."""
    from memloc.planted.results import results

    return Benchmark(plantings.profile, results(plantings))


def made_now(localisers: tuple[str, ...] = ()) -> Plantings:
    """The smallest benchmark, from the store or made now: generated texts, models with random weights.

    Args:
        localisers: ask these alone, and take nothing out; by default all of the profile.

    Raises:
        MemlocError: if something in it fails.
    """
    from memloc.pipeline import Experiment
    from memloc.planted.experiment import Plantings
    from memloc.planted.running import run_benchmark

    profile = load_profile(SMOKE)
    if localisers and profile.planted:
        only = dataclasses.replace(profile.planted, removal=())
        profile = dataclasses.replace(profile, techniques={name: {} for name in localisers}, planted=only)
    plantings = Plantings(Experiment(profile, device="cpu"))
    for run in run_benchmark(plantings, say=logging.getLogger(__name__).info):
        if run.error:
            raise MemlocError(f"benchmark of {run.cell}", run.error, "a run without errors")
    return plantings
