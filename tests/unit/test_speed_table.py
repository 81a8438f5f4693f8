"""The table of measurements: what the benchmarks write is what the book reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from benchmarks import memory
from benchmarks.run import main

from memloc.errors import MemlocError
from memloc.publishing.tabulate_speed import growth_table, memory_table, read_benchmarks, read_memory, speed_table, told


def test_what_the_benchmarks_write_is_what_the_book_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))
    asked = ["--techniques", "swapping", "--model", "micro-bert", "--rows", "8,12", "--repeats", "1", "--device", "cpu"]
    main([*asked, "--out", str(tmp_path / "out")])
    main([*asked, "--classes", "3", "--out", str(tmp_path / "out")])
    found = read_benchmarks(tmp_path / "out" / "benchmarks.parquet")
    assert found["rows"].tolist() == [8, 12, 8, 12]
    assert found["classes"].tolist() == [2, 2, 3, 3]
    assert (found["difference"] < 1e-4).all()
    assert (found["ratio"] == found["plain_seconds"] / found["ours_seconds"]).all()
    assert growth_table(found)[["N", "C"]].to_numpy().tolist() == [["8", "2"], ["12", "2"], ["8", "3"], ["12", "3"]]
    assert speed_table(found).empty
    shown = speed_table(found.assign(source="files"))
    assert shown["examples"].str.startswith(("8 of", "12 of")).all()
    assert "4 measurements" in told(found)


def test_a_copy_without_measurements_says_so(tmp_path: Path) -> None:
    empty = read_benchmarks(tmp_path / "none.parquet")
    assert speed_table(empty).empty
    assert "no measurements" in told(empty)


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"technique": ["swapping"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(MemlocError, match=r"columns of x.parquet"):
        read_benchmarks(tmp_path / "x.parquet")


def test_memory_is_measured_in_processes_of_their_own_and_shown(tmp_path: Path) -> None:
    small = "--layers 2 --hidden 32 --rows 400 --tokens 8 --device cpu --techniques gradients,centroids"
    memory.main([*small.split(), "--out", str(tmp_path)])
    found = read_memory(tmp_path / "memory.parquet")
    assert found["technique"].tolist() == ["gradients", "centroids"]
    assert found["finished"].all()
    assert (found["megabytes"] > found["model_mb"]).all()  # an arm is a copy
    assert memory_table(found)["examples"].tolist() == ["400 of 8 tokens, 6 classes"] * 2
    assert memory_table(read_memory(tmp_path / "none.parquet")).empty


def test_memory_of_a_run_that_takes_too_long_is_that_so_far(tmp_path: Path) -> None:
    long = "--layers 2 --hidden 32 --rows 400 --seconds 0.5 --techniques probing"
    memory.main([*long.split(), "--out", str(tmp_path)])
    assert not read_memory(tmp_path / "memory.parquet")["finished"].any()
