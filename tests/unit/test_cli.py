"""The command line: what it prints, and one clear line for bad input with nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tiny import OWN

from memloc.cli import main
from memloc.data import catalogue as task_catalogue
from memloc.models import catalogue as model_catalogue

TASKS = {
    "mine": {
        "title": "Mine",
        "group": "topic",
        "labels": ["a", "b"],
        "licence": "MIT",
        "files": {"folder": "mine", "splits": {"train": "train", "test": "test"}, "columns": ["text"]},
    }
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and nothing from outside."""
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MEMLOC_CATALOGUE", "")  # so that what --catalogue puts there is taken away again
    for name in ("MEMLOC_DATA", "MEMLOC_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(task_catalogue, "_tasks", {})
    monkeypatch.setattr(model_catalogue, "_registered", {})
    return tmp_path / "home"


def written(path: Path, content: object) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def memloc(*arguments: object) -> int:
    try:
        return main([str(a) for a in arguments])
    except SystemExit as end:  # argparse
        return int(end.code or 0)


def refused(capsys: pytest.CaptureFixture[str], home: Path, *arguments: object) -> str:
    """The one line of a refusal that left nothing behind."""
    capsys.readouterr()
    assert memloc(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 1, told.err
    assert lines[0].startswith("memloc: error: ")
    assert [p for p in home.rglob("*") if not p.is_dir()] == []
    return lines[0].removeprefix("memloc: error: ")


def test_lists(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, names in (
        ("tasks", ["trec", "gen-cue-2a", "trecv2"]),
        ("models", ["micro-bert", "opt-1.3b", "random weights"]),
        ("profiles", ["smoke", "mini", "small", "control", "techniques", "maps", "paper"]),
    ):
        assert memloc(command) == 0
        out = capsys.readouterr().out
        assert all(name in out for name in names)
    assert not home.exists()


def test_describe(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert memloc("data", "describe", "gen-cue-2a") == 0
    out = capsys.readouterr().out
    assert "training labels are wrong (data seed 1)" in out
    assert not home.exists()
    assert "--source hub or --source files" in refused(capsys, home, "data", "describe", "trec")
    assert "did you mean trec" in refused(capsys, home, "data", "describe", "treck")


def test_run_results_and_a_second_run(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = written(tmp_path / "own.yml", OWN)
    assert memloc("results", "--profile", own) == 0
    assert "0/1" in capsys.readouterr().out
    assert memloc("run", "--profile", own, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "[1/1] gen-cue-2a micro-bert seed 1:" in out
    assert "1 of 1 cells are in the store" in out
    assert memloc("results", "--profile", own, "--release", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "attainable" in out
    assert f"{tmp_path / 'out'}: profile own, 1 cells, whole and unaltered" in out
    assert memloc("results", "--verify", tmp_path / "out") == 0
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*") if p.is_file()}
    assert memloc("run", "--profile", own, "--device", "cpu") == 0
    assert {p: p.stat().st_mtime_ns for p in home.rglob("*") if p.is_file()} == before
    (tmp_path / "out" / "rows.parquet").unlink()
    assert memloc("results", "--verify", tmp_path / "out") == 2
    assert "rows.parquet" in capsys.readouterr().err


def test_estimate(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert memloc("estimate", "--profile", "smoke", "--models", "micro-opt", "--device", "cpu") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gen-cue-2a micro-opt: 0.0")
    assert lines[-1].startswith("profile smoke: at most 0.")
    assert lines[-1].endswith(" GB")
    assert "hours on cpu" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--tasks", "treck"], "unknown task: 'treck'; accepted: did you mean trec"),
        (["run", "--models", "micro-brt"], "unknown model: 'micro-brt'; accepted: did you mean micro-bert"),
        (["run", "--profile", "smok"], "unknown profile: 'smok'; accepted: did you mean smoke"),
        (["run", "--profile", "missing.yml"], "unknown profile: 'missing.yml'"),
        (["run", "--source", "file"], "unknown data source: 'file'; accepted: did you mean files"),
        (["run", "--source", "files"], "source of task gen-cue-2a: 'files'; accepted: generated"),
        (["run", "--device", "cuda"], "device: 'cuda'; accepted: auto, cpu, cuda, cuda:N or mps; torch"),
        (["run", "--device", "mps"], "this machine has no MPS device"),
        (["run", "--device", "warp"], "device: 'warp'; accepted: auto, cpu, cuda, cuda:N or mps"),
        (["run", "--device", "cuda:"], "device: 'cuda:'"),
        (["estimate", "--device", "cuda:3"], "sees 0 CUDA devices here"),
        (["run", "--seeds", "one"], "argument --seeds: 'one'; accepted: whole numbers separated by commas"),
        (["run", "--seeds", "1.5"], "argument --seeds: '1.5'"),
        (["run", "--seeds", ","], "argument --seeds: ','; accepted: at least one name"),
        (["run", "--tasks", ""], "argument --tasks: ''"),
        (["run", "--workers", "two"], "argument --workers: invalid int value: 'two'"),
        (["runn"], "invalid choice: 'runn'"),
        (["run", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["results", "--tasks", "nothing"], "unknown task: 'nothing'"),
        (["--catalogue", "missing.yml", "tasks"], "missing.yml'; accepted: a readable YAML file"),
        (["--catalogue", "missing.yml", "models"], "missing.yml'; accepted: a readable YAML file"),
        (["--catalogue", "missing.yml", "run"], "missing.yml'; accepted: a readable YAML file"),
    ],
)
def test_bad_arguments(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    own = [] if "--profile" in arguments or arguments[-1] in ("tasks", "models") else ["--profile", "smoke"]
    known = [*own, *(["--device", "cpu"] if own and "--device" not in arguments else [])]
    if arguments in (["runn"],):
        known = []
    assert message in refused(capsys, home, *arguments, *known)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"techniques": {"swaping": {}}}, "unknown technique: 'swaping'; accepted: did you mean swapping"),
        ({"techniques": {"swapping": {"token": 3}}}, "unknown setting of technique swapping: 'token'"),
        ({"extra_arms": ["frosen"]}, "arm: 'frosen'"),
        ({"training": {"epoch": 3}}, "training of micro-bert: 'epoch'; accepted: did you mean epochs"),
        ({"data": {"cap": "many"}}, "data.cap: 'many'"),
    ],
)
def test_a_wrong_profile(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    own = written(tmp_path / "own.yml", {**OWN, **change})
    assert message in refused(capsys, home, "run", "--profile", own, "--device", "cpu")


def rows(n: int, **changes: Any) -> pd.DataFrame:
    """Good rows of the task ``mine``; ``changes`` replace columns."""
    label = [i % 2 for i in range(n)]
    frame = pd.DataFrame({"text": [f"word{i} and more" for i in range(n)], "label": label})
    return frame.assign(**{"label_name": [("a", "b")[i] for i in label], **changes})


def broken_files(tmp_path: Path, train: pd.DataFrame | None, test: pd.DataFrame | None) -> None:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    for name, frame in (("train", train), ("test", test)):
        if frame is not None:
            frame.to_parquet(tmp_path / "data" / "mine" / f"{name}.parquet")


def run_mine(tmp_path: Path, *more: object) -> list[object]:
    mine = written(tmp_path / "mine.yml", {"tasks": TASKS})
    own = written(tmp_path / "own.yml", {**OWN, "tasks": ["gen-cue-2a"]})
    chosen = ["--profile", own, "--tasks", "mine", "--source", "files", "--device", "cpu"]
    return ["--catalogue", mine, "run", *chosen, *more]


def test_no_data_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, home, *run_mine(tmp_path))
    assert told == "data folder: 'none was given'; accepted: a folder, by --data or by MEMLOC_DATA"
    told = refused(capsys, home, *run_mine(tmp_path, "--data", tmp_path / "nowhere"))
    assert "nowhere'; accepted: a folder that exists" in told
    (tmp_path / "empty").mkdir()
    assert "no parquet files in" in refused(capsys, home, *run_mine(tmp_path, "--data", tmp_path / "empty"))


FEW = rows(60, label=[0] * 57 + [1] * 3, label_name=["a"] * 57 + ["b"] * 3)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (rows(60).drop(columns=["label", "label_name"]), rows(20), "mine/train.parquet: 'label or label_name'"),
        (rows(60), rows(20).drop(columns="text"), "column of mine/test.parquet: 'text'"),
        (
            rows(60, label=[2] * 60),
            rows(20),
            "label in row 0 of mine/train.parquet: 2; accepted: a whole number from 0",
        ),
        (rows(60, label=[-1] * 60), rows(20), "label in row 0 of mine/train.parquet: -1"),
        (rows(60, text=[""] + ["x"] * 59), rows(20), "text in row 0 of train of task mine: ''"),
        (FEW, rows(20), "training rows of class 'b' of task mine: 3; accepted: 7 or more"),
        (rows(60), None, "test.parquet'; accepted: a parquet file"),
        (rows(60), rows(1), "held-out rows of task mine: 1; accepted: 2 or more"),
    ],
)
def test_wrong_files(
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    message: str,
) -> None:
    broken_files(tmp_path, train, test)
    told = refused(capsys, home, *run_mine(tmp_path, "--data", tmp_path / "data"))
    assert message in told


def test_a_file_that_is_no_parquet(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken_files(tmp_path, rows(60), rows(20))
    (tmp_path / "data" / "mine" / "train.parquet").write_text("text,label\n")
    assert "a readable parquet file" in refused(capsys, home, *run_mine(tmp_path, "--data", tmp_path / "data"))


def test_a_failed_cell_is_told_and_counted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from memloc.errors import MemlocError
    from memloc.pipeline import Experiment

    def fails(self: Experiment, cell: object) -> None:
        raise MemlocError("cell", str(cell), "a better one")

    monkeypatch.setattr(Experiment, "run_cell", fails)
    assert memloc("run", "--profile", written(tmp_path / "own.yml", OWN), "--device", "cpu") == 1
    assert "0 of 1 cells are in the store" in capsys.readouterr().out


def test_lists_and_help_import_nothing_heavy() -> None:
    code = (
        "import sys, memloc, memloc.cli\n"
        "for command in (['tasks'], ['models'], ['profiles']): memloc.cli.main(command)\n"
        "from memloc.analysis import layers, intervals\n"
        "heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
