"""`memloc localise` on classifiers that were fine-tuned outside the package, on a CSV."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from own_world import fine_tuned, saved, sentences, stock

import memloc
from memloc import tables
from memloc.analysis.weights import layer_weights
from memloc.cli import main
from memloc.errors import MemlocError

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


FAST: dict[str, Any] = {"retraining": {"epochs": 1}, "probing": {"epochs": 2, "from_epoch": 0, "seeds": 2}}


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


def test_a_mask_without_original_labels(world: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(world / "data.csv")
    frame.assign(noisy=frame["given"] != frame["label"]).drop(columns="label").to_csv(
        tmp_path / "mask.csv", index=False
    )
    said: list[str] = []
    found = memloc.localise(
        "all", world / "perturbed", tmp_path / "mask.csv", normal=world / "normal", device="cpu", settings=FAST,
        say=said.append,
    )  # fmt: skip
    assert set(found.lacking) == {"centroids", "retraining"}
    assert "original labels" in found.lacking["centroids"]
    assert "--pretrained" in found.lacking["retraining"]
    assert set(found.techniques) == {"swapping", "gradients", "probing"}
    given = layer_weights(found.of("probing"), "rise_of_given")
    assert len(given.weight) == found.facts["layers"], "asks for no original labels either"
    assert not found.rows["metric"].str.contains("original").any()
    assert "did not run: it needs --pretrained" in found.report
    whole = memloc.localise("swapping", world / "perturbed", world / "data.csv", normal=world / "normal", device="cpu")
    for column in ("value", "n", "window_start"):
        assert found.of("swapping")[column].tolist() == whole.rows[column].tolist()


def test_what_is_missing_is_named_and_the_rest_runs(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", world / "perturbed", "--data", world / "data.csv", "--device", "cpu", "--out", tmp_path / "out"]
    assert run("--technique", "swapping", *model) == 2
    assert "swapping: it needs --normal" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
    assert run("--technique", "gradients", *model) == 0
    assert (tmp_path / "out" / "report.html").is_file()
    assert "gradients runs without --frozen" in (tmp_path / "out" / "report.html").read_text()


def test_an_estimate_runs_nothing_and_names_every_technique(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from memloc.own.job import wanted_techniques

    model = ["--model", world / "perturbed", "--data", world / "data.csv", "--device", "cpu"]
    assert run("--estimate", *model, *arms(world, "normal", "pretrained")) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == [*wanted_techniques("all"), "together"]
    assert not any("unknown" in line for line in told)
    assert not any(tmp_path.iterdir())


def test_a_killed_run_goes_on_with_what_was_finished(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memloc.techniques.centroids import Centroids
    from memloc.techniques.swapping import Swapping

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def go() -> Any:
        return memloc.localise(
            "all", world / "perturbed", world / "data.csv", normal=world / "normal", out=tmp_path / "out", device="cpu",
            settings=FAST, say=lambda _: None,
        )  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(Centroids, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            go()
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(Swapping, "run", killed)  # finished before: not to be run again
    found = go()
    assert found.techniques == ["swapping", "gradients", "probing", "centroids"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_output_folder_that_holds_something_else(world: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    chosen = {"normal": world / "normal", "out": tmp_path, "device": "cpu"}
    with pytest.raises(MemlocError, match=r"output folder: .*accepted: a new or empty folder"):
        memloc.localise("swapping", world / "perturbed", world / "data.csv", **chosen)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_out_of_memory_halves_the_batch_and_says_so(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memloc.techniques import swapping

    whole, asked, said = swapping.swap_predictions, [], []

    def tight(perturbed: Any, normal: Any, data: Any, tokens: int, *rest: Any) -> Any:
        asked.append(tokens)
        if tokens > 300:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(perturbed, normal, data, tokens, *rest)

    plain = memloc.localise("swapping", world / "perturbed", world / "data.csv", normal=world / "normal", device="cpu")
    monkeypatch.setattr(swapping, "swap_predictions", tight)
    found = memloc.localise(
        "swapping", world / "perturbed", world / "data.csv", normal=world / "normal", device="cpu", say=said.append
    )
    assert asked == [1024, 512, 256]
    assert len(said) == 2
    assert "tokens 256 instead of 512" in said[-1]
    assert said[-1] in found.notes
    pd.testing.assert_frame_equal(found.rows, plain.rows)


def test_the_same_run_gives_the_same_tables(world: Path) -> None:
    one, two = (
        memloc.localise("swapping", world / "perturbed", world / "data.csv", normal=world / "normal", device="cpu")
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert one.report == two.report
