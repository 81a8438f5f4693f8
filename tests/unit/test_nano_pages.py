"""What the page on the shipped models shows: their files, what they say, and what their start is worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_pretraining import run_of
from tiny import profile

from memloc.errors import MemlocError
from memloc.models import catalogue
from memloc.models.catalogue import ModelSpec, get_model
from memloc.pipeline import Experiment
from memloc.pretraining import tokens
from memloc.pretraining.samples import fill_gaps, go_on
from memloc.pretraining.saving import write_model
from memloc.publishing import figures_pretraining, shipped_samples, tabulate_pretraining
from memloc.publishing.reading import ReleasedStudy
from memloc.publishing.reading_pretraining import WORDS, _shipped, read_worth
from memloc.released import read_release
from memloc.releasing import release
from memloc.store import Store


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models of hardly any training, one of each kind."""
    root = tmp_path_factory.mktemp("nano")
    text = [f'{{"source": "x", "text": "the old man number {n} went to the house by the sea"}}' for n in range(400)]
    for split in tokens.SPLITS:
        (root / f"{split}.jsonl").write_text("\n".join(text))
    tokens.prepare_tokens(root, 300)
    found = {}
    for family in ("bert", "gpt_neox"):
        run = run_of(root / f"run-{family}", family)
        run.run()
        found[family] = write_model(run, root, root / f"nano-{family}")
    return found


def test_gaps_are_filled_with_probabilities_and_need_one_gap(folders: dict[str, Path]) -> None:
    found = fill_gaps(folders["bert"], ["the old ___ went", "the ___ house"], words=3)
    assert list(found["rank"]) == [1, 2, 3] * 2
    for _, group in found.groupby("sentence"):
        assert (np.diff(group["probability"]) <= 0).all()
        assert 0 < group["probability"].sum() < 1
    for sentence in ("no gap", "___ and ___"):
        with pytest.raises(MemlocError, match="sentence to fill"):
            fill_gaps(folders["bert"], [sentence])


def test_samples_begin_as_asked_and_depend_on_the_seed_alone(folders: dict[str, Path]) -> None:
    state = torch.get_rng_state()
    first = go_on(folders["gpt_neox"], ["the old man"], tokens=12, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert go_on(folders["gpt_neox"], ["the old man"], tokens=12, seed=1) == first
    assert go_on(folders["gpt_neox"], ["the old man"], tokens=12, seed=2) != first
    assert first[0].startswith("the old man")


def test_files_of_a_model_are_counted_from_the_files(folders: dict[str, Path]) -> None:
    found = [_shipped(get_model(str(folder))) for folder in folders.values()]
    assert [model.masked for model in found] == [True, False]
    table = tabulate_pretraining.models_table(found).set_index("model")
    assert list(table["learnt to"]) == ["fill gaps", "go on"]
    counted = sum(p.numel() for p in run_of(folders["bert"].parent / "count", "bert").model.parameters())
    assert found[0].parameters == counted
    tokens_seen, loss = found[0].held_out()
    assert tokens_seen == 10 * 1024
    assert f"{loss:.2f}" in table.loc["nano-bert", "held-out loss"]
    drawn = figures_pretraining.loss_curves(found)
    assert f"to {loss:.2f}" in drawn.alt


def test_what_the_models_say_is_asked_or_read(folders: dict[str, Path], tmp_path: Path) -> None:
    found = [_shipped(get_model(str(folder))) for folder in folders.values()]
    told = shipped_samples.ask(found)
    gaps, samples = tabulate_pretraining.gaps_table(told), tabulate_pretraining.samples_table(told)
    assert list(gaps["sentence"]) == list(shipped_samples.GAPS)
    assert [text.startswith(told) for text, told in zip(samples["text"], shipped_samples.BEGINNINGS, strict=True)]
    folder = shipped_samples.release_said(found, tmp_path / "said")
    pd.testing.assert_frame_equal(shipped_samples.read_said(folder, found), told, check_dtype=False)
    with pytest.raises(MemlocError, match="key of"):
        shipped_samples.read_said(folder, found[:1])


def test_what_a_start_is_worth_is_read_from_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_registered", {})
    for name in ("mine", "mine-random"):
        fields = {**get_model("micro-bert").__dict__, "name": name, "title": name}
        catalogue.register_model(ModelSpec(**fields))
    arms = ["fine_tuned", "bag_of_words"]
    models = {"mine": {}, "mine-random": {}, "micro-bert": {"seeds": [1]}}
    chosen = profile(models=models, seeds=[1, 2], extra_arms=arms, techniques={})
    experiment = Experiment(chosen, Store(tmp_path / "home"), "cpu")
    for cell in experiment.cells():
        experiment.run_cell(cell)
    worth = read_worth(ReleasedStudy(read_release(release(experiment, tmp_path / "worth")), "results/worth"))
    assert worth.pretrained == ["mine"]
    counts = worth.scores.groupby("start").size().to_dict()
    assert counts == {"mine": 2, "mine-random": 2, "micro-bert": 1, WORDS: 1}
    trace = experiment.checkpoint(experiment.cells()[0], "bag_of_words")
    assert worth.mean(WORDS).iloc[0] == pytest.approx(_last(trace.file("trace.parquet")), abs=1e-12), (
        "not the number of the trace"
    )
    facts = tabulate_pretraining.worth_facts(worth)
    assert facts["tasks"] == "1"
    assert facts["seeds"] == "2"
    assert facts["yardsticks"] == f"{get_model('micro-bert').title} 1"
    assert "+0.000" in facts["gains"], "the two starts are the same model here"
    assert "0 of 1" in figures_pretraining.what_it_bought(worth).alt
    assert len(tabulate_pretraining.worth_table(worth)) == 1
    assert WORDS in figures_pretraining.starts_by_task(worth).alt


def test_the_interval_of_a_gain_is_over_tasks() -> None:
    gains = pd.Series({f"task {n}": 0.1 * n for n in range(1, 6)})
    mean, low, high = (float(part.strip("[,]")) for part in tabulate_pretraining._mean_gain(gains).split())
    rng = np.random.default_rng(1)
    slow = sorted(np.mean([gains.iloc[rng.integers(5)] for _ in range(5)]) for _ in range(4000))
    assert mean == pytest.approx(0.3)
    assert (low, high) == pytest.approx((slow[100], slow[3900]), abs=0.02)
    assert tabulate_pretraining._mean_gain(gains[:2]) == "+0.150", "two tasks are too few"


def _last(path: Path) -> float:
    from memloc import tables

    trace = tables.read(path, tables.TRACE)
    return float(trace[(trace["split"] == "validation") & (trace["metric"] == "accuracy")]["value"].iloc[-1])
