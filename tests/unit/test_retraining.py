"""Retraining against its plain version, a memory in a known place, held-out examples, and going on after a kill."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.retraining import plain_retraining
from tiny import CLASSES, classifier, encoded, pair, shake

from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques import retraining
from memloc.techniques.base import Cell, get_technique
from memloc.techniques.resuming import Pieces
from memloc.techniques.retraining import chosen_windows, retrain, split
from memloc.techniques.swapping import windows
from memloc.techniques.trainees import Retraining
from memloc.training.batches import Encoded, training_order

FAMILIES = ["bert", "opt", "gpt_neo", "gpt_neox"]
QUICK = Retraining(epochs=2, batch_size=3, lr=3e-3, dropout=0.0)


def both(perturbed: Classifier, pretrained: Classifier, data: Encoded, how: Retraining, **more: Any) -> np.ndarray:
    """Our logits of all windows, found equal to the plain ones."""
    chosen, order = split(data, how.seed), windows(perturbed.num_layers)
    plain = plain_retraining(perturbed, pretrained, data, chosen, order, how, training_order)
    ours = retrain(perturbed, pretrained, data, chosen, order, how, **more)
    np.testing.assert_allclose(ours, plain, atol=2e-5, rtol=1e-5)
    np.testing.assert_array_equal(ours.argmax(-1), plain.argmax(-1))
    # every window ends as a model of its own, or the comparison would show little
    assert len(np.unique(ours[:, 0].round(4), axis=0)) == len(order)
    return ours


def with_dropout(model: Classifier, share: float = 0.2) -> Classifier:
    """The stock layers drop out, as those of published checkpoints do."""
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = share
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_plain_version_on_every_window(family: str) -> None:
    both(*pair(family, layers=3), encoded(n=14), QUICK)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frozen_dropout", [False, True])
def test_equals_the_plain_version_with_dropout_everywhere(family: str, frozen_dropout: bool) -> None:
    perturbed, pretrained = (with_dropout(model) for model in pair(family, layers=3))
    how = replace(QUICK, dropout=0.1, frozen_dropout=frozen_dropout)
    got = both(perturbed, pretrained, encoded(n=14), how)
    chosen = split(encoded(n=14), how.seed)
    other = retrain(perturbed, pretrained, encoded(n=14), chosen, windows(3), replace(QUICK, dropout=0.1))
    assert np.allclose(got, other) == (not frozen_dropout), "dropout of frozen layers must be felt"


def test_padding_that_is_pooled_makes_the_prefix_run_anew() -> None:
    data, how = encoded(n=14), replace(QUICK, pooling="last_column")
    for row in split(data, how.seed).asked:  # of one length: padding is felt in training alone
        data.ids[row] = (data.ids[row] * 8)[:8]
    got = both(*pair("opt", layers=3), data, how)
    usual = retrain(*pair("opt", layers=3), data, split(data, how.seed), windows(3), QUICK)
    assert not np.allclose(got, usual, atol=1e-3), "the padding must be felt"


@pytest.mark.parametrize("megabytes", [1e-6, 0.2, 1000])
def test_windows_may_learn_alone_or_side_by_side(megabytes: float) -> None:
    perturbed, pretrained = (with_dropout(model) for model in pair("bert", layers=3))
    both(perturbed, pretrained, encoded(n=14), replace(QUICK, dropout=0.3), megabytes=megabytes)


def test_bf16_stays_near_fp32() -> None:
    perturbed, pretrained = pair("bert", layers=2)
    data = encoded(n=14)
    chosen, order = split(data, 1), windows(2)
    exact = retrain(perturbed, pretrained, data, chosen, order, QUICK)
    rough = retrain(perturbed, pretrained, data, chosen, order, replace(QUICK, precision="bf16"))
    assert rough.dtype == np.float32
    assert 1e-5 < np.abs(exact - rough).max() < 0.2


def test_a_window_learns_the_clean_examples_and_nothing_else() -> None:
    perturbed, pretrained = pair("bert", layers=2)
    data, how = encoded(n=40), replace(QUICK, epochs=25, lr=1e-2)
    chosen = split(data, how.seed)
    learnt = retrain(perturbed, pretrained, data, replace(chosen, asked=chosen.learnt), [(1, 2)], how)
    assert (learnt[0].argmax(-1) == data.given[chosen.learnt]).mean() > 0.95
    asked = retrain(perturbed, pretrained, data, chosen, [(1, 2)], how)[0].argmax(-1)
    noisy = data.noisy[chosen.asked]
    assert (asked == data.given[chosen.asked])[noisy].mean() < 0.7


@pytest.mark.parametrize("planted", [1, 3])
def test_finds_the_layer_a_memory_sits_in_whether_frozen_layers_drop_out_or_not(planted: int) -> None:
    pretrained, data = with_dropout(classifier("bert", layers=3), 0.1), encoded(n=45, lengths=(4, 8), classes=2)
    pretrained.heads["main"].weight.data[2] = 0.0
    perturbed = memorised(pretrained, data, f"layer.{planted}")
    curves = []
    for frozen_dropout in (False, True):
        how = Retraining(epochs=3, batch_size=4, lr=3e-4, dropout=0.0, frozen_dropout=frozen_dropout)
        chosen, order = split(data, how.seed), windows(3)
        predicted = retrain(perturbed, pretrained, data, chosen, order, how).argmax(-1)
        rows = retraining.summarise(predicted, order, retraining.subset(data, chosen.asked)).rows
        noisy = rows[rows["group"] == "noisy"].set_index(["window_start", "window_length"])["value"]
        inside = [noisy[w] for w in order if w[0] <= planted < sum(w)]
        outside = [noisy[w] for w in order if not w[0] <= planted < sum(w)]
        assert max(inside) < min(outside) - 0.2, noisy
        curves.append(noisy)
    assert (curves[0] - curves[1]).abs().mean() < 0.1, curves


def memorised(start: Classifier, data: Encoded, part: str) -> Classifier:
    """The start, with one part trained until it knows all given labels."""
    model = start.twin()
    model.set_trainable([part])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    batch, given = data.tensors(range(len(data))), torch.from_numpy(data.given)
    for _ in range(300):
        logits = model.eval()(*batch)
        if bool((logits.argmax(-1) == given).all()):
            break
        torch.nn.functional.cross_entropy(logits, given).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (logits.argmax(-1) == given).float().mean() > 0.95, "nothing to find: the part did not memorise"
    return model.requires_grad_(True)


@pytest.mark.parametrize("frozen_dropout", [False, True])
def test_the_callers_models_and_random_state_stay_as_they_are(frozen_dropout: bool) -> None:
    models = [with_dropout(model) for model in pair("bert", layers=2)]
    models[0].layer(1).train()
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model in models]
    flags = [[(m.training, [p.requires_grad for p in m.parameters()]) for m in x.modules()] for x in models]
    state, data = torch.get_rng_state(), encoded(n=14)
    retrain(*models, data, split(data, 1), windows(2), replace(QUICK, dropout=0.1, frozen_dropout=frozen_dropout))
    assert torch.equal(torch.get_rng_state(), state)
    assert flags == [[(m.training, [p.requires_grad for p in m.parameters()]) for m in x.modules()] for x in models]
    for model, tensors in zip(models, before, strict=True):
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
        assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_run_goes_on_and_ends_in_the_same_numbers(
    killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perturbed, pretrained = (with_dropout(model) for model in pair("bert", layers=3))
    data, how = encoded(n=14), replace(QUICK, dropout=0.1)
    chosen, order = split(data, how.seed), windows(3)
    undisturbed = retrain(perturbed, pretrained, data, chosen, order, how, Pieces(tmp_path / "a", "key"))

    pieces, put = Pieces(tmp_path / "b", "key"), Pieces.put
    kept: list[str] = []

    def killed(self: Pieces, name: str, arrays: Any) -> None:
        if len(kept) == killed_after:
            raise KeyboardInterrupt
        put(self, name, arrays)
        kept.append(name)

    monkeypatch.setattr(Pieces, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        retrain(perturbed, pretrained, data, chosen, order, how, pieces)
    torch.manual_seed(99)
    monkeypatch.setattr(Pieces, "put", put)
    trained = []
    original = retraining._train
    monkeypatch.setattr(retraining, "_train", lambda *a: trained.append(a[3]) or original(*a))
    np.testing.assert_array_equal(retrain(perturbed, pretrained, data, chosen, order, how, pieces), undisturbed)
    assert [g[0][0] for g in trained] == ([1, 2, 3] if killed_after == 1 else [2, 3]), "what was done is not done again"
    trained.clear()
    np.testing.assert_array_equal(retrain(perturbed, pretrained, data, chosen, order, how, pieces), undisturbed)
    assert not trained


def test_a_window_does_not_depend_on_which_others_are_asked_for() -> None:
    perturbed, pretrained = (with_dropout(model) for model in pair("bert", layers=3))
    data, how = encoded(n=14), replace(QUICK, dropout=0.1)
    chosen = split(data, how.seed)
    everything = dict(zip(windows(3), retrain(perturbed, pretrained, data, chosen, windows(3), how), strict=True))
    few = chosen_windows(3, [2])
    for window, logits in zip(few, retrain(perturbed, pretrained, data, chosen, few, how), strict=True):
        np.testing.assert_allclose(logits, everything[window], atol=1e-5)


def test_models_of_different_depth_are_refused() -> None:
    data = encoded(n=14)
    with pytest.raises(MemlocError, match="layers of the pre-trained model: 2; accepted: 3"):
        retrain(classifier(layers=3), classifier(layers=2), data, split(data, 1), windows(3), QUICK)


def test_the_technique_through_a_cell(tmp_path: Path) -> None:
    perturbed = classifier("opt", layers=2)
    arms = {"perturbed": perturbed, "pretrained": shake(perturbed.twin(), 1)}
    data, technique = encoded(n=14), get_technique("retraining")
    cell = Cell("key", "task", "t-opt", 1, CLASSES, data, arms.__getitem__, tuple(arms), resume=tmp_path / "resume")
    settings = {**technique.defaults, "lengths": [1], "epochs": 1}
    assert {k: v for k, v in technique.defaults.items() if k in asdict(Retraining())}.keys() | {"pooling"} == asdict(
        Retraining()
    ).keys()
    result = technique.run(cell, settings)
    rows = result.rows.set_index(["window_start", "window_length", "group"])
    assert {key[:2] for key in rows.index} == {(1, 1), (1, 2), (2, 1)}
    assert set(rows["n"]) == {data.noisy.sum()}
    assert (set(rows["metric"]), set(rows["arm"])) == ({"accuracy"}, {"perturbed"})
    outcomes = result.details["outcomes"]
    expected = data.idx[split(data, 42).asked]
    assert outcomes[outcomes.window_length == 2]["idx"].tolist() == expected.tolist()
    assert sorted(p.stem for p in cell.resume.iterdir()) == ["window-1-1", "window-1-2", "window-2-1"]
    again = technique.run(cell, settings)
    assert again.rows.equals(result.rows)
