"""The worked example of the book: made as a reader would, kept in the store, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from memloc.publishing import own_example, tabulate_own
from memloc.store import Store


def test_the_example_is_found_again_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_example, "ROWS", 60)
    monkeypatch.setattr(own_example, "LAYERS", 2)
    monkeypatch.setattr(own_example, "TRAINING", {"epochs": 2, "lr": 1e-3, "batch_size": 16})
    store = Store(tmp_path)
    made = own_example.own_example(store)
    again = own_example.own_example(store)
    assert again.key == made.key
    assert again.rows.equals(made.rows)
    found = own_example.example_rows(again)
    assert {"swapping", "retraining", "gradients", "probing"} <= set(found.techniques)
    assert found.facts["rows"] == 54  # a tenth is held out
    table = tabulate_own.centres_table(found)
    assert set(found.techniques) | set(found.lacking) == set(table["technique"])
    assert "report.html" in tabulate_own.folder_listing(again)
    assert set(tabulate_own.arms_table(again)["arm"]) == {"perturbed", "normal", "pretrained"}
    drawn = tabulate_own.weights_figure(found)
    assert "swapping: largest" in drawn.alt
    assert tabulate_own.own_facts(again, found)["memorised"].endswith(f"of {found.facts['noisy']}")
