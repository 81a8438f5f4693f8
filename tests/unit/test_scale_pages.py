"""What the chapter on scale shows: of a small profile with known sizes, and of a copy that knows none."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from test_scale_work import PROFILE, TASKS

from memloc.errors import MemlocError
from memloc.profiles.loading import parse_profile
from memloc.publishing import facts_scale, figures_scale, reading_scale, tabulate_scale
from memloc.publishing.reading_scale import DEVICES, Calculated, read_growth
from memloc.scale.machine import Machine
from memloc.scale.work import Sketch, TaskSize

mpl.use("agg")


def calculated(tasks: dict[str, TaskSize], core: Machine | None = None) -> Calculated:
    return Calculated(Sketch(parse_profile("tiny", PROFILE)), tasks, (Machine(1e12, 1e-4), Machine(4e12)), core)


def test_a_calculated_run_in_tables_and_words() -> None:
    made = calculated(TASKS, Machine(1e10))
    work = tabulate_scale.work_table(made)
    assert work["work"].tolist() == ["training", "swapping", "gradients", "maps"]
    assert sum(work["times"].astype(int)) == len(made.pieces)
    shown = tabulate_scale.devices_table(made)
    assert len(shown) == 3 * 2 * 3
    assert shown["on"].iloc[-1] == "core, 10 GFLOP/s (measured)"
    told = facts_scale.run_facts(made)
    assert told["trainings"] == str(8 * 3 + 2 * 7)  # eight cells of three arms; the control of WiC with two models
    assert "none" not in told.values()
    assert 1 < float(told["first"]) <= 2, "two seeds, of which one has the control"
    assert tabulate_scale.larger_table(made)["work"].iloc[-1] == "all"
    drawn = figures_scale.devices(made)
    assert "1 TFLOP/s" in drawn.alt
    assert len(drawn.figure.axes) == 2
    assert list(drawn.figure.axes[0].lines[0].get_xdata()) == list(DEVICES)


def test_a_copy_that_knows_no_sizes_says_so(tmp_path: Path) -> None:
    made = calculated({})
    assert tabulate_scale.work_table(made).empty
    assert tabulate_scale.devices_table(made).empty
    assert tabulate_scale.larger_table(made).empty
    assert facts_scale.run_facts(made)["one"] == "none"
    assert "does not know" in figures_scale.devices(made).alt
    growth = read_growth(tmp_path / "none.parquet")
    assert "holds no measurements" in figures_scale.growth_in_sizes(growth).alt
    assert "holds no measurements" in figures_scale.growth_in_sets(growth).alt


def test_formulas_and_memory_as_tables() -> None:
    formulas = tabulate_scale.formula_table().set_index("technique")
    assert formulas.loc["swapping", "L = 12"] == "31.3"
    assert formulas.loc["training"].tolist()[1:] == ["200"] * 3
    memory = tabulate_scale.memory_table().set_index("work")
    assert memory.loc["training"].str.contains("too much").tolist() == [False, False, True]


def test_speeds_are_the_chapters_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_scale, "read_steps", lambda: pd.DataFrame(columns=["kind", "hidden", "speed"]))
    made = reading_scale.calculate([20, 5], 0.5)
    assert [machine.flops for machine in made.machines] == [5e12, 20e12]
    assert {machine.call for machine in made.machines} == {0.0005}
    assert made.core is None
    with pytest.raises(MemlocError, match="tflops"):
        reading_scale.calculate([], 0.5)
