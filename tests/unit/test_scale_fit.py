"""Lines and exponents from made-up seconds, and the grid that a page reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks import scale

from memloc.errors import MemlocError
from memloc.publishing.facts_scale import about_growth, growth_facts
from memloc.publishing.reading_scale import GRID, STEPS, TOKENS, read_growth, read_steps, read_tasks
from memloc.publishing.tabulate_scale import exponent_table
from memloc.scale.fit import exponent, fit_line


def test_a_line_gives_back_its_numbers() -> None:
    work = np.array([1e9, 3e9, 2e10, 5e11])
    fit = fit_line(work, 0.25 + 3e-11 * work)
    assert fit.fixed == pytest.approx(0.25)
    assert fit.rate == pytest.approx(3e-11)
    assert fit.deviation(work, 0.25 + 3e-11 * work) == pytest.approx(0, abs=1e-9)


def test_small_and_large_points_weigh_alike_and_nothing_is_negative() -> None:
    work = np.array([1.0, 2.0, 1000.0])
    assert fit_line(work, [1.0, 2.0, 1000.0 * 1.1]).seconds([1.0])[0] == pytest.approx(1.0, rel=0.07)
    assert fit_line(work, [0.5, 1.5, 999.5]).fixed == 0


def test_an_exponent_and_its_interval() -> None:
    sizes = np.array([2.0, 4, 8, 16, 32])
    exact = exponent(sizes, 5 * sizes**1.5)
    assert (exact.value, exact.low, exact.high) == pytest.approx((1.5, 1.5, 1.5))
    noise = np.random.default_rng(1).normal(0, 0.1, (400, 5))
    inside = [found.low <= 1.5 <= found.high for found in (exponent(sizes, sizes**1.5 * np.exp(e)) for e in noise)]
    assert 0.92 < np.mean(inside) < 0.98
    assert exponent([1, 2], [1.0, 4.0]).high == np.inf


def test_what_cannot_be_fitted_is_refused() -> None:
    for work, seconds in (([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(MemlocError, match="points of a fit"):
            fit_line(work, seconds)
    with pytest.raises(MemlocError, match="sizes of an exponent"):
        exponent([2, 2], [1.0, 1.0])


def made_up(path: Path, **broken: float) -> Path:
    """The grid's own points with seconds of 0.1 + 2e-10 x formula; ``technique=factor`` multiplies the largest N."""
    rows = []
    for point in scale.points():
        told = {"technique": point.technique, "varied": point.varied, **point.sizes, "hidden": 64, "tokens": 16}
        told |= {"validation": 60, "noisy": 36, "settings": point.key and scale.json.dumps(point.settings)}
        rows.append(told | dict.fromkeys(GRID[10:], 1))
    frame = pd.DataFrame(rows)[list(GRID)].astype({"seconds": float})
    frame["seconds"] = 1 + np.arange(len(frame)) / len(frame)  # any, to have them read and counted
    frame["device"] = "somewhere"
    frame.to_parquet(path)
    counted = read_growth(path).frame["work"]
    frame["seconds"] = 0.1 + 2e-10 * counted
    for technique, factor in broken.items():
        frame.loc[(frame["technique"] == technique) & (frame["rows"] == 960), "seconds"] *= factor
    frame.assign(slowest=frame["seconds"] * 1.1).to_parquet(path)
    return path


def test_a_grid_that_follows_its_formulas_is_found_to(tmp_path: Path) -> None:
    growth = read_growth(made_up(tmp_path / "scale.parquet"))
    assert all(line.fixed == pytest.approx(0.1) and line.rate == pytest.approx(2e-10) for line in growth.lines.values())
    assert all(axis.holds for axis in growth.axes.values())
    assert growth.axes["training", "rows"].counted == pytest.approx(1, abs=0.1)
    assert growth.axes["swapping", "layers"].counted > 2
    assert growth.axes["swapping", "windows"].sizes == [4, 7, 9, 10]
    assert growth.axes["maps", "seeds"].sizes == [2, 4, 8]
    told = growth_facts(growth)
    assert told["hold"] == told["axes"] == str(len(growth.axes)) == str(len(exponent_table(growth)))
    assert told["far"] == "none"
    assert told["spread"] == "10 %"
    assert "somewhere" in about_growth(growth)


def test_one_that_does_not_is_named(tmp_path: Path) -> None:
    growth = read_growth(made_up(tmp_path / "scale.parquet", swapping=4.0))
    assert not growth.axes["swapping", "rows"].holds
    assert all(axis.holds for axis in growth.axes.values() if axis.technique != "swapping")
    assert "swapping against N" in growth_facts(growth)["far"]


def test_what_the_benchmark_measures_is_what_the_page_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"rows": 12, "layers": 1, "classes": 2}
    found = scale.grid(1, [scale.Point("swapping", "rows", small), scale.Point("training", "rows", small)])
    assert tuple(found.columns) == GRID
    assert (found["seconds"] > 0).all()
    monkeypatch.setattr(scale, "STEPS", (("1 x 32", 1, 32, 2, (4,)),))
    steps = scale.steps(1)
    assert tuple(steps.columns) == STEPS
    steps.to_parquet(tmp_path / "steps.parquet")
    read = read_steps(tmp_path / "steps.parquet")
    assert (read["speed"] * read["seconds"] / (read["weights"] * 8)).round(6).tolist() == [6, 2]
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))


def test_a_copy_without_measurements_says_so(tmp_path: Path) -> None:
    growth = read_growth(tmp_path / "none.parquet")
    assert "no such measurements" in about_growth(growth)
    assert growth_facts(growth)["axes"] == "0"
    assert exponent_table(growth).empty
    assert read_steps(tmp_path / "none.parquet").empty
    assert read_tasks(tmp_path / "none.parquet") == ({}, "")
    pd.DataFrame([dict.fromkeys(TOKENS, 1) | {"task": "rte", "tokenizer": "x"}]).to_parquet(tmp_path / "t.parquet")
    assert read_tasks(tmp_path / "t.parquet")[0]["rte"].rows == 1
