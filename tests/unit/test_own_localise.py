"""`memloc localise` on classifiers that were fine-tuned outside the package, on a CSV."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_world import fine_tuned, saved, sentences, stock

import memloc
from memloc import tables
from memloc.cli import main

KINDS = ["roberta", "llama"]


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with perturbed, normal and pretrained checkpoints of a kind, and data.csv."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    frame = sentences(48)
    frame.to_csv(folder / "data.csv", index=False)
    saved(stock(kind), kind, folder / "pretrained")
    saved(fine_tuned(stock(kind), kind, frame, "given"), kind, folder / "perturbed")
    saved(fine_tuned(stock(kind), kind, frame, "label"), kind, folder / "normal")
    saved(fine_tuned(stock(kind), kind, frame, "given", 1), kind, folder / "frozen")
    return folder


FAST: dict[str, Any] = {"retraining": {"epochs": 1}}


def arms(world: Path, *names: str) -> list[str]:
    return [word for name in names for word in (f"--{name}", str(world / name))]


def run(*words: object) -> int:
    return main(["localise", *map(str, words)])


def test_swapping_through_the_command_line(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--model", world / "perturbed", "--data", world / "data.csv", "--out", tmp_path / "out"]
    assert run("--technique", "swapping", *model, *arms(world, "normal"), "--device", "cpu") == 0, capsys.readouterr()
    told = capsys.readouterr().out
    assert "swapping" in told
    assert "report.html" in told
    rows = tables.read(tmp_path / "out" / "rows.parquet", tables.ROWS)
    assert len(rows) == 3 * 2
    assert rows[["task", "model", "seed"]].drop_duplicates().to_numpy().tolist() == [["data", "perturbed", 0]]
    whole = rows[(rows["window_length"] == 2) & (rows["group"] == "noisy")]["value"].item()
    single = rows[(rows["window_length"] == 1) & (rows["group"] == "noisy")]["value"]
    assert whole <= single.max() + 1e-9
    about = json.loads((tmp_path / "out" / "about.json").read_text())
    assert about["facts"]["accuracy_noisy"] > 0.6, "the test's model must have memorised something"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "rows.parquet", "weights.csv", "mcog.csv", "events.csv", "about.json", "report.html", "swapping", "key.txt",
    }  # fmt: skip
    assert not list(tmp_path.glob(".*"))


def test_all_techniques_and_the_report(world: Path, tmp_path: Path) -> None:
    chosen = {name: world / name for name in ("normal", "pretrained", "frozen")}
    said: list[str] = []
    found = memloc.localise(
        "all", world / "perturbed", world / "data.csv", **chosen, out=tmp_path / "out", device="cpu", settings=FAST,
        say=said.append,
    )  # fmt: skip
    from memloc.own.job import wanted_techniques

    assert found.lacking == {}, said
    assert found.techniques == wanted_techniques("all")
    assert set(found.weights["technique"]) == set(found.techniques) - {"centroids"}
    assert found.weights.groupby("technique")["layer"].apply(list).map(lambda x: x == [1, 2]).all()
    swapping = found.mcog.set_index("technique").loc["swapping"]
    assert swapping["lowest"] <= swapping["mcog"] <= swapping["highest"]
    page = (tmp_path / "out" / "report.html").read_text()
    for name in found.techniques:
        assert name in page
    assert not re.search(r'(src|href)="(?!data:)', page), "a report needs no other file"
    assert "http" not in page.replace("http://www.w3.org", "")
    assert str(world) not in page
    for text in pd.read_csv(world / "data.csv")["text"]:
        assert text not in page
    images = re.findall(r"<img [^>]*>", page)
    assert images
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)


def test_the_same_run_gives_the_same_tables(world: Path) -> None:
    one, two = (
        memloc.localise("swapping", world / "perturbed", world / "data.csv", normal=world / "normal", device="cpu")
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert one.report == two.report
