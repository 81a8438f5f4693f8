"""What chapters show of a released run, beside numbers worked out by hand, and of a book that has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from memloc.analysis.intervals import localise
from memloc.analysis.study import published
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import CellId
from memloc.profiles import load_profile
from memloc.publishing import facts, figures_swapping, real, tabulate_depth
from memloc.publishing.chapters import package_digest
from memloc.publishing.reading import ReleasedStudy, Swapping
from memloc.released import Release
from memloc.techniques.swapping import windows

mpl.use("agg")

CELLS = [CellId("trec", "minilm-l6", 1), CellId("trec", "minilm-l6", 2), CellId("sst2", "e5-small-enpt", 1)]
MISSING = [CellId("rte", "minilm-l6", 1)]


def outcomes(model: str, layer: int) -> pd.DataFrame:
    """Memory in one layer."""
    rows = [
        (start, length, idx, group, group == "clean" or not start <= layer < start + length)
        for start, length in windows(get_model(model).layers)
        for idx, group in ((0, "noisy"), (1, "noisy"), (2, "clean"))
    ]
    return pd.DataFrame(rows, columns=["window_start", "window_length", "idx", "group", "correct"])


@pytest.fixture
def released() -> Swapping:
    """Of MiniLM on TREC, one seed of two memorised, in layer 1; e5 on SST-2 memorised in its last layer."""
    manifest = {
        "cells": [c._asdict() for c in CELLS],
        "missing": [{**c._asdict(), "lacks": ["probing"]} for c in MISSING],
    }
    study = ReleasedStudy(Release(load_profile("small"), manifest, {}), "results/small")
    status = pd.DataFrame([{**c._asdict(), "memorised": c.seed == 1, "learnt": True} for c in CELLS])
    places = {
        ("trec", "minilm-l6"): localise({1: outcomes("minilm-l6", 1)}, 20),
        ("sst2", "e5-small-enpt"): localise({1: outcomes("e5-small-enpt", 12)}, 20),
    }
    return Swapping(study, status, pd.DataFrame(), places)


def test_a_whole_grid_is_told_in_one_line() -> None:
    grid = [CellId(t, m, s) for t in ("trec", "rte") for m in ("nano-bert", "nano-opt") for s in (1, 2)]
    assert facts.by_place(grid) == "trec and rte with BERT (nano) and OPT (nano) (seeds 1 and 2)"
    assert facts.by_place(grid[:-1]) == (
        "trec with BERT (nano) and OPT (nano) (seeds 1 and 2); "
        "rte with BERT (nano) (seeds 1 and 2); rte with OPT (nano) (seed 1)"
    )


def test_a_take_away_rests_on_real_tasks_where_there_are_some(
    released: Swapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dataclasses.replace(released.study.release, profile=load_profile("mini"))  # type: ignore[union-attr]
    generated = dataclasses.replace(released, study=ReleasedStudy(made, "results/mini"))
    for found, other, said in (
        (generated, released, released),
        (generated, None, generated),
        (released, generated, released),
    ):
        glued: list[Any] = []
        monkeypatch.setattr(real, "glue_all", lambda *told, glued=glued: glued.extend(told))
        real.glue_findings("swap", lambda of: {"cells": str(id(of))}, found, other)
        origin = f"The released run {said.study.profile.name}. {said.study.origin}"
        assert glued[:3] == ["swap", {"cells": str(id(found))}, found]
        assert glued[3:] == ["swap-end", {"origin": origin, "cells": str(id(said))}, said]


def test_facts_say_what_is_in_it_and_what_is_not(released: Swapping) -> None:
    assert real.run_facts(released)["real"].endswith(
        " 3 of 4 cells are in it. The rest was not finished when it was released."
    )
    told = real.about(released).set_index("the released run")[""]
    assert told["cells"].startswith("trec with MiniLM (6 layers) (seeds 1 and 2); sst2 with e5-small")
    assert told["not finished when it was released"] == "rte with MiniLM (6 layers) (seed 1), without probing"
    released.study.release.manifest["missing"][0]["lacks"] = ["perturbed", "normal", "probing"]
    told = real.about(released).set_index("the released run")[""]
    assert told["not finished when it was released"] == "rte with MiniLM (6 layers) (seed 1)", "it was not begun"
    assert told["left out, labels not memorised"] == "1"
    assert told["shown but not counted, task not learnt"] == "0"
    assert told["training rows"] == "at most 500"
    assert "learning rate 0.0001 and 0.0002 (study: 1e-05)" in told["not as in the study"]
    assert "bf16 autocast in training (evaluation and swapping: fp32)" in told["not as in the study"]
    assert told["exploratory"].endswith("trec and sst2")
    assert "rte" not in released.study.profile.tasks, "no empty panels for a task that was not run"


def test_depth_is_rescaled_to_the_attainable_range(released: Swapping) -> None:
    table = tabulate_depth.depth_table(released).set_index("task")
    assert table.loc["trec", "depth, 0 to 1 [95 %]"] == "0.00 [0.00, 0.00]"
    assert table.loc["sst2", "depth, 0 to 1 [95 %]"] == "1.00 [1.00, 1.00]"
    # BERT has 12 layers, whose attainable range is 4.29 to 8.71
    assert table.loc["trec", "BERT of the study, 0 to 1"].startswith(f"{(6.43 - 4.29) / (8.71 - 4.29):.2f} ±")
    assert table.loc["sst2", "M-CoG, BERT of the study"] == "6.51"


def test_words_compare_only_what_counts(released: Swapping) -> None:
    told = tabulate_depth.beside_study(released)
    assert "MiniLM (6 layers) lies nearer to the first layers for trec" in told
    assert "e5-small (12 layers) lies nearer to the last layers for sst2" in told
    place = released.places["trec", "minilm-l6"]
    middle = sum(place.bounds) / 2
    wide = dataclasses.replace(place.mcog, value=np.array(middle), low=np.array(middle - 1), high=np.array(middle + 1))
    places = {("trec", "minilm-l6"): dataclasses.replace(place, mcog=wide)}
    unsure = tabulate_depth.beside_study(dataclasses.replace(released, places=places))
    assert unsure == "MiniLM (6 layers) cannot be told apart from it for trec"
    not_learnt = dataclasses.replace(released, status=released.status.assign(learnt=False))
    assert tabulate_depth.beside_study(not_learnt).startswith("no combination here counts")


def test_figures_star_the_study_and_name_what_was_not_run(released: Swapping) -> None:
    drawn = figures_swapping.centres_beside_study(released)
    stars = [line for axes in drawn.figure.axes for line in axes.lines if line.get_marker() == "*"]
    assert [sorted(float(x) for x in line.get_xdata()) for line in stars] == [[6.43, 6.51]]
    notes = [t.get_text() for axes in figures_swapping.weight_curves(released).figure.axes for t in axes.texts]
    assert notes == ["no run", "no run"]


def test_a_book_without_a_released_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert real.open_swapping() is None
    assert real.open_training() is None
    assert real.run_facts(None) == {"real": real.ABSENT}
    assert real.show_figure(None, figures_swapping.centres, "fig-a", "caption") is None
    assert real.show_numbers(None, tabulate_depth.depth_table) is None
    (tmp_path / "results" / "small").mkdir(parents=True)
    with pytest.raises(MemlocError, match="released run"):
        real.open_swapping()


def test_published_numbers_have_a_source() -> None:
    told = published()
    assert (told.layers, told.tolerance, told.source) == (12, 0.02, "dankers-titov-2024-generalisation")
    assert f"{{{told.source}," in (Path(__file__).parents[2] / "book" / "references.bib").read_text()
    with pytest.raises(MemlocError, match="published numbers"):
        published(model="micro-bert")


def test_a_new_release_executes_chapters_again(tmp_path: Path) -> None:
    before = package_digest(tmp_path / "results")
    assert before == package_digest(tmp_path / "nothing")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "rows.parquet").write_bytes(b"1")
    assert package_digest(tmp_path / "results") != before
