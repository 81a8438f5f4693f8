"""Pretraining: tokenizer, rows, masks, schedule, the chunked loss, resuming, raising a budget, the saved folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from memloc import tables
from memloc.cli import main
from memloc.errors import MemlocError
from memloc.models.backbone import build_backbone
from memloc.models.catalogue import get_model
from memloc.models.tokenizer import CheckpointTokenizer
from memloc.pretraining import tokens
from memloc.pretraining.budget import Budget
from memloc.pretraining.loop import Engine, Pretrainer
from memloc.pretraining.objectives import Blocks, as_rows, ask, backward, mask_tokens
from memloc.pretraining.saving import write_model
from memloc.pretraining.shapes import FAMILIES, Shape, build
from memloc.pretraining.shares import MASKED
from memloc.pretraining.tokens import END, FIRST_WORD, MASK, START

MICRO = Shape(layers=2, hidden=16, heads=2, vocabulary=300)
BUDGET = Budget(tokens=10 * 1024, batch=1024, warm_up=2048, decay=0.3, evaluate_every=2048, evaluate_on=1024)


def ids(n: int = 8 * 512, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(FIRST_WORD, 300, n).astype("<u2")


def run_of(folder: Path, family: str = "gpt_neox", tokens_: int = BUDGET.tokens, **changes: Any) -> Pretrainer:
    budget = Budget(**{**BUDGET.__dict__, "tokens": tokens_, **changes})
    return Pretrainer(family, MICRO, ids(), ids(1024, 1), budget, 1, folder)


def weights(run: Pretrainer) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in run.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def test_every_block_once_an_epoch_and_another_order_in_the_next() -> None:
    row = np.repeat(np.arange(8), 512).astype("<u2") + 100
    blocks = Blocks(row, 2, seed=1)
    seen = [set(blocks.batch(step).flatten().tolist()) - {START} for step in range(8)]
    assert set().union(*seen[:4]) == set().union(*seen[4:]) == set(range(100, 108))
    assert seen[:4] != seen[4:]
    assert torch.equal(Blocks(row, 2, 1).batch(5), blocks.batch(5))


def test_rows_start_with_the_start_token_and_every_eighth_batch_is_long() -> None:
    blocks = Blocks(ids(), 2, seed=1)
    assert [tuple(blocks.batch(step).shape) for step in (0, 6, 7, 8)] == [(8, 128), (8, 128), (2, 512), (8, 128)]
    assert (blocks.batch(7)[:, 0] == START).all()
    block = ids(512).astype(np.int64)
    assert as_rows(block)[1, 1:].tolist() == block[129:256].tolist()


def test_masks_have_berts_shares_and_leave_special_tokens() -> None:
    rows = as_rows(ids(512 * 400).astype(np.int64))
    rows[:, 50] = END
    corrupted, asked = mask_tokens(rows, 300, torch.Generator().manual_seed(0))
    assert not asked[rows < FIRST_WORD].any()
    assert torch.equal(corrupted[~asked], rows[~asked])
    share = asked.sum() / (rows >= FIRST_WORD).sum()
    masked = (corrupted[asked] == MASK).float().mean()
    kept = (corrupted[asked] == rows[asked]).float().mean()
    assert (float(share), float(masked), float(kept)) == pytest.approx((MASKED, 0.8, 0.1), abs=0.01)
    _, fewer = mask_tokens(rows, 300, torch.Generator().manual_seed(0), share=0.15)
    assert float(fewer.sum() / (rows >= FIRST_WORD).sum()) == pytest.approx(0.15, abs=0.01)
    assert (corrupted[asked] >= MASK).all()


def test_the_same_masks_for_the_same_name_only() -> None:
    rows = as_rows(ids().astype(np.int64))
    assert torch.equal(ask(rows, True, 300, 1, 2).ids, ask(rows, True, 300, 1, 2).ids)
    assert not torch.equal(ask(rows, True, 300, 1, 2).ids, ask(rows, True, 300, 1, 3).ids)


def test_schedule_warms_up_stays_and_falls_to_nearly_nothing() -> None:
    budget = Budget(tokens=100 * 512, batch=512, rate=1.0, warm_up=10 * 512, decay=0.2)
    rates = [budget.rate_at(step) for step in range(budget.steps)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert set(rates[9:80]) == {1.0}
    assert (np.diff(rates[79:]) < 0).all()
    assert 0 < rates[-1] < 0.06
    with pytest.raises(MemlocError, match="tokens of a step"):
        Budget(batch=500)


@pytest.mark.parametrize("family", FAMILIES)
def test_chunked_loss_and_gradients_equal_the_stock_models(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memloc.pretraining.objectives.CHUNK", 7)
    rows = as_rows(ids(512).astype(np.int64))
    batch = ask(rows, family == "bert", 300, 1)
    model, stock = build(family, MICRO, 1), build(family, MICRO, 1)
    got = backward(model, model.base_model, batch)  # type: ignore[arg-type]
    logits = stock(input_ids=batch.ids).logits.flatten(0, 1)[batch.places]
    loss = functional.cross_entropy(logits, batch.answers)
    loss.backward()
    assert got == pytest.approx(loss.item(), rel=1e-5)
    pairs = list(zip(model.parameters(), stock.parameters(), strict=True))
    assert all((a.grad is None) == (b.grad is None) for a, b in pairs)
    assert all(torch.allclose(a.grad, b.grad, atol=1e-6) for a, b in pairs if a.grad is not None)


def test_all_families_have_one_shape_and_leave_the_random_state() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    sizes = [sum(p.numel() for p in build(family, Shape(), 1).parameters()) for family in FAMILIES]
    assert torch.equal(before, torch.get_rng_state())
    assert max(sizes) * 2 < 10e6
    assert max(sizes) < 1.05 * min(sizes)


@pytest.mark.parametrize("family", ["bert", "gpt_neo"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, family: str) -> None:
    whole = run_of(tmp_path / "a", family)
    whole.run()
    for steps in (3, 5, None):
        parts = run_of(tmp_path / "b", family)
        parts.run(steps)
    assert parts.finished
    assert same(weights(whole), weights(parts))
    columns = ["tokens", "split", "loss", "n"]
    assert whole.losses()[columns].equals(parts.losses()[columns])
    table = tables.read(tmp_path / "a" / "loss.parquet", tables.PRETRAINING)
    assert sorted(set(table.tokens)) == [2048, 4096, 6144, 8192, 10240]


def test_a_raised_budget_goes_on_from_before_the_rate_fell(tmp_path: Path) -> None:
    run_of(tmp_path / "a").run()
    raised = run_of(tmp_path / "a", tokens_=20 * 1024)
    raised.run()
    whole = run_of(tmp_path / "b", tokens_=20 * 1024)
    whole.run()
    assert same(weights(whole), weights(raised))
    with pytest.raises(MemlocError, match="budget"):
        run_of(tmp_path / "b", tokens_=5 * 1024).run()


def test_a_point_of_other_settings_is_refused(tmp_path: Path) -> None:
    run_of(tmp_path).run(2)
    with pytest.raises(MemlocError, match="resume point"):
        run_of(tmp_path, rate=0.5).run()


def test_it_learns(tmp_path: Path) -> None:
    row = np.tile(np.arange(10, 74), 64).astype("<u2")
    budget = Budget(tokens=40 * 1024, batch=1024, rate=1e-2, warm_up=4096, evaluate_every=1024, evaluate_on=1024)
    run = Pretrainer("opt", MICRO, row, row[:1024], budget, 1, tmp_path, Engine(half=True))
    run.run()
    found = run.losses().query("split == 'validation'")["loss"]
    assert found.iloc[0] > 5
    assert found.iloc[-1] < 1


TEXTS = [
    f"The {a} {b} went to the {c} and was never seen again." for a in ("old", "young") for b in "abc" for c in "xy"
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for split, times in (("train", 40), ("validation", 10)):
        lines = [json.dumps({"source": "ab"[n % 2], "text": text}) for n, text in enumerate(TEXTS * times)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_tokenizer_writes_any_text_and_reads_it_back(corpus: Path) -> None:
    counts = tokens.prepare_tokens(corpus, 300)
    tokenizer = tokens.load_tokenizer(corpus / "tokenizer.json")
    text = " the cat née 7€ <x>"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids).strip() == text.strip()
    row = tokens.load_ids(corpus, "train")
    assert counts["train"] == len(row)
    assert (row == END).sum() == len(TEXTS) * 40
    first = row[: int(np.flatnonzero(row == END)[0])]
    assert tokenizer.decode(first.tolist()).strip() == TEXTS[0].lower()
    shares = tokens.tokens_by_source(corpus)
    assert sorted(shares) == ["a", "b"]
    assert sum(shares.values()) == len(row)
    assert [tokenizer.token_to_id(t) for t in tokens.SPECIAL] == list(range(5))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_saved_folder_loads_by_memloc_and_by_transformers(tmp_path: Path, corpus: Path, family: str) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    tokens.prepare_tokens(corpus, 300)
    run = run_of(tmp_path / "run", family)
    run.run()
    folder = write_model(run, corpus, tmp_path / "nano")
    spec = get_model(str(folder))
    backbone = build_backbone(spec)
    tokenizer = CheckpointTokenizer(folder, spec.architecture)
    encoded = tokenizer.encode(["The old x", "a y"], 64)
    assert encoded[0] == START
    assert encoded.count(END) == (2 if family == "bert" else 1 if family == "opt" else 0)
    assert tokenizer.pad_id == 0
    kind = AutoModelForMaskedLM if family == "bert" else AutoModelForCausalLM
    full = kind.from_pretrained(folder, dtype=torch.float32).eval()
    row = torch.tensor([encoded])
    with torch.no_grad():
        states = backbone.eval()(input_ids=row).last_hidden_state
        assert torch.allclose(states, full.base_model(input_ids=row).last_hidden_state, atol=1e-5)
        expected = run.model.eval()(input_ids=row).logits
        assert torch.allclose(full(input_ids=row).logits, expected, atol=0.02)
    assert "held-out loss" in (folder / "README.md").read_text()


def test_bad_input_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--family", "bert", "--corpus", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "memloc corpus" in capsys.readouterr().err
    with pytest.raises(MemlocError, match="unknown model family"):
        build("gpt", MICRO, 1)
