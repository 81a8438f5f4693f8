"""Probes trained together against probes trained one by one, planted states, scores, resuming and bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.probing import PlainProbe, plain_probe, plain_probing, plain_states, score
from sklearn.metrics import f1_score
from tiny import CLASSES, classifier, encoded, spec

from memloc import tables
from memloc.errors import MemlocError
from memloc.models.classifier import Classifier
from memloc.techniques import probing
from memloc.techniques.base import Cell, get_technique, settings_of
from memloc.techniques.probe_training import Probes, train_probes
from memloc.techniques.probes import EpochDraws, ProbeSettings, Target, f1, initial_weights, split_rows
from memloc.techniques.probing import chance, device_states, rises, scores, targets, train_all
from memloc.training.batches import Encoded

QUICK = ProbeSettings(epochs=4, from_epoch=1, hidden=8, lr=1e-2, batch_size=8)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def states_of(n: int = 45, layers: int = 2, width: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(layers + 1, n, width, generator=torch.Generator().manual_seed(seed))


def cell(arms: dict[str, Classifier], data: Encoded, resume: Path | None = None) -> Cell:
    return Cell(
        "key", "task", spec().name, 1, CLASSES, data, lambda arm, memorised=False: arms[arm], tuple(arms), resume=resume
    )


def quick(**changes: Any) -> dict[str, Any]:
    values = {"seeds": 2, "epochs": 3, "from_epoch": 1, "hidden": 8, **changes}
    return settings_of(get_technique("probing"), values)


@pytest.mark.parametrize("family", ["bert", "opt", "gpt_neo", "gpt_neox", "llama", "roberta"])
def test_states_are_the_stock_ones(family: str) -> None:
    model, data = classifier(family), encoded(n=9)
    got = device_states(model, data, tokens=25)
    assert got.shape == (4, 9, 16)
    for layer in range(4):
        torch.testing.assert_close(got[layer], plain_states(model, data, layer), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["noise", "given", "original"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_equals_one_probe_after_the_other(name: str, dropout: float) -> None:
    data, states = encoded(n=45), states_of(45)
    settings = replace(QUICK, dropout=dropout)
    target = next(t for t in targets(data, CLASSES) if t.name == name)
    trained = train_probes(states, range(3), target, [0, 1], settings)
    for place, seed in enumerate([0, 1]):
        for layer in range(3):
            logits = plain_probe(states[layer], layer, target, seed, settings)
            np.testing.assert_array_equal(trained.predicted[place, layer], logits.argmax(1).numpy())


def test_equals_the_plain_version_from_model_to_predictions() -> None:
    model, data = classifier("opt", layers=2), encoded(n=40)
    target = targets(data, CLASSES)[1]
    got = train_all(device_states(model, data), target, range(2), QUICK).predicted
    states = [plain_states(model, data, layer) for layer in range(3)]
    expected = plain_probing(states, target, range(2), QUICK)
    np.testing.assert_array_equal(got, expected)
    assert len(np.unique(expected)) > 1, "constant answers would show little"


def test_logits_and_gradients_equal_a_stock_network() -> None:
    target = Target("noise", np.zeros(5, np.int64), 2, (0.33, 0.67), positive=1)
    starts = [initial_weights(6, 2, 8, seed, "noise", layer) for seed, layer in ((0, 0), (0, 2), (1, 1))]
    probes = Probes(starts, torch.device("cpu"))
    inputs, labels = states_of(7), torch.tensor([[0, 1, 0, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0] * 7])
    weights = torch.tensor(target.weights)
    probes.backward(inputs, labels, weights)
    for p, (seed, layer) in enumerate(((0, 0), (0, 2), (1, 1))):
        plain = PlainProbe(6, target, layer, seed, 8)
        logits = plain(inputs[p])
        torch.nn.CrossEntropyLoss(weight=weights)(logits, labels[p]).backward()
        torch.testing.assert_close(probes.forward(inputs)[-1][p], logits, atol=1e-6, rtol=1e-5)
        for ours, stock in zip(probes.parameters, plain.parameters(), strict=True):
            expected = stock.grad.T if stock.dim() == 2 else stock.grad[None]
            torch.testing.assert_close(ours.grad[p], expected, atol=1e-6, rtol=1e-5)


def test_a_probe_alone_is_the_probe_in_company() -> None:
    states, target = states_of(60, layers=3), targets(encoded(n=60), CLASSES)[1]
    together = train_probes(states, range(4), target, [0, 1, 2], QUICK)
    alone = train_probes(states, [2], target, [1], QUICK)
    np.testing.assert_array_equal(alone.predicted[0, 0], together.predicted[1, 2])
    assert alone.epoch[0, 0] == together.epoch[1, 2]
    assert alone.validation[0, 0] == pytest.approx(together.validation[1, 2])
    # the draws matter: another seed or layer is another probe
    assert not np.array_equal(together.predicted[0], together.predicted[1])


def test_the_state_with_the_best_validation_score_after_the_epoch_is_kept() -> None:
    states, target = states_of(60), targets(encoded(n=60), CLASSES)[1]
    settings = replace(QUICK, epochs=12, from_epoch=0)
    # what each epoch's state scores: train up to it and keep it alone
    each = [
        train_probes(states, range(3), target, [0], replace(settings, epochs=e, from_epoch=e - 1)) for e in range(1, 13)
    ]
    validation = np.stack([t.validation[0] for t in each])
    for after in (0, 5):
        got = train_probes(states, range(3), target, [0], replace(settings, from_epoch=after))
        np.testing.assert_array_equal(got.epoch[0], after + 1 + validation[after:].argmax(axis=0))
        for layer, epoch in enumerate(got.epoch[0]):
            np.testing.assert_array_equal(got.predicted[0, layer], each[epoch - 1].predicted[0, layer])


def test_a_planted_signal_is_found_in_its_layer_alone() -> None:
    data = encoded(n=300, seed=3)
    states = states_of(300, width=8)
    states[1, :, 0] += 4.0 * torch.from_numpy(data.noisy).float()
    target = targets(data, CLASSES)[0]
    settings = ProbeSettings(epochs=30, from_epoch=5, hidden=16, lr=5e-3)
    found = scores(train_all(states, target, range(2), settings), target, range(2), data)
    value = found.groupby("layer")["value"].mean()
    assert value[1] > 0.85
    assert max(value[0], value[2]) < 0.6
    rise = rises(found.assign(arm="perturbed")).set_index("layer")["value"]
    assert rise[1] > 0.3
    assert rise[2] == 0.0


def test_splits_are_seeded_and_whole() -> None:
    split = split_rows(101, 3)
    assert (len(split.train), len(split.validation), len(split.test)) == (70, 10, 21)
    assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(range(101))
    np.testing.assert_array_equal(split.test, split_rows(101, 3).test)
    assert not np.array_equal(split.test, split_rows(101, 4).test)


def test_draws_depend_on_seed_target_and_epoch() -> None:
    rows = np.arange(50)
    first = EpochDraws(0, "noise", 1, 0.1)
    order, mask = first.order(rows), first.mask(400, 10)
    np.testing.assert_array_equal(EpochDraws(0, "noise", 1, 0.1).order(rows), order)
    for other in (EpochDraws(1, "noise", 1, 0.1), EpochDraws(0, "given", 1, 0.1), EpochDraws(0, "noise", 2, 0.1)):
        assert not np.array_equal(other.order(rows), order)
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.9)}
    assert 0.07 < (mask == 0).mean() < 0.13


@pytest.mark.parametrize("positive", [None, 1])
def test_f1_equals_the_usual_one(positive: int | None) -> None:
    rng = np.random.default_rng(0)
    for n in (1, 3, 40):
        true, predicted = rng.integers(0, 3, n), rng.integers(0, 3, (4, n))
        got = f1(torch.from_numpy(true), torch.from_numpy(predicted), 3, positive).tolist()
        for answer, value in zip(predicted, got, strict=True):
            if positive is None:
                expected = f1_score(true, answer, average="macro", zero_division=0)
            else:
                expected = f1_score(true == 1, answer == 1, zero_division=0)
            assert value == pytest.approx(expected)
            assert score(Target("x", true, 3, (), positive), true, answer) == pytest.approx(expected)


def test_rows_and_details_follow_the_design() -> None:
    data = encoded(n=45)
    arms = {"perturbed": classifier(layers=2), "frozen": classifier(layers=2, seed=5)}
    result = get_technique("probing").run(cell(arms, data), quick())
    rows, probes = result.rows, result.details["probes"]
    tables.validate(probes, tables.PROBES, "probes")
    assert set(probes["epoch"]) <= {2, 3}
    seen = rows.groupby(["arm", "metric"])["layer"].apply(lambda x: sorted(x.dropna())).to_dict()
    assert seen == {
        ("perturbed", "f1_noise"): [0, 1, 2],
        ("frozen", "f1_noise"): [0, 1, 2],
        ("perturbed", "f1_given"): sorted([0, 1, 2] * 3),
        ("perturbed", "f1_original"): sorted([0, 1, 2] * 3),
        ("perturbed", "rise_noise_by_seed"): [1, 2],
        ("perturbed", "f1_original_shuffled"): [],
    }
    assert rows.loc[rows["metric"] == "f1_noise", "group"].isna().all()
    assert set(rows.loc[rows["metric"] == "f1_given", "group"]) == {"all", "noisy", "clean"}
    for _, row in rows[rows["metric"] == "f1_original"].iterrows():
        same = probes[(probes.metric == "f1_original") & (probes.layer == row.layer) & (probes.group == row.group)]
        assert len(same) == 2
        assert row.value == pytest.approx(same["value"].mean())
        assert row.n == same["n"].sum()


def test_rise_by_seed_takes_the_frozen_arm_below_layer_one() -> None:
    values = {
        ("perturbed", 0): (0.1, 0.5),
        ("perturbed", 1): (0.4, 0.3),
        ("perturbed", 2): (0.9, 0.2),
        ("frozen", 1): (0.3, 0.4),
    }
    probes = pd.DataFrame(
        [
            {"arm": arm, "layer": layer, "probe_seed": seed, "metric": "f1_noise", "value": value, "n": 10}
            for (arm, layer), both in values.items()
            for seed, value in enumerate(both)
        ]
    )
    with_frozen = rises(probes).set_index("layer")
    assert with_frozen["value"].to_dict() == {1: pytest.approx(0.05), 2: pytest.approx(0.25)}
    assert set(with_frozen["n"]) == {20}
    without = rises(probes[probes["arm"] == "perturbed"]).set_index("layer")["value"]
    assert without.to_dict() == {1: pytest.approx(0.15), 2: pytest.approx(0.25)}


def test_chance_of_balanced_labels_is_one_share_a_class() -> None:
    data = encoded(n=3000)
    row = chance(data, range(2)).iloc[0]
    assert row["value"] == pytest.approx(1 / CLASSES, abs=0.01)
    assert row["n"] == sum(int((~data.noisy[split_rows(3000, s).test]).sum()) for s in range(2))


def test_a_seed_without_noisy_test_examples_scores_zero_and_has_no_noisy_group() -> None:
    data = encoded(n=20)
    data.noisy = np.zeros(20, bool)
    data.noisy[split_rows(20, 0).train[:4]] = True
    for target in targets(data, CLASSES):
        found = scores(train_probes(states_of(20), range(3), target, [0], QUICK), target, [0], data)
        assert "noisy" not in set(found["group"])
        assert target.name != "noise" or set(found["value"]) == {0.0}


def test_fewer_examples_than_a_batch_and_a_class_seen_once() -> None:
    data = encoded(n=10)
    data.label, data.given = np.array([2] + [0, 1] * 4 + [0]), np.array([2] + [0, 1] * 4 + [0])
    result = get_technique("probing").run(cell({"perturbed": classifier(layers=2)}, data), quick())
    assert np.isfinite(result.rows["value"]).all()


def test_unknown_original_labels_leave_the_other_targets() -> None:
    data = encoded(n=20)
    data.label = np.full(20, -1)
    rows = get_technique("probing").run(cell({"perturbed": classifier(layers=2)}, data), quick()).rows
    assert set(rows["metric"]) == {"f1_noise", "f1_given", "rise_noise_by_seed"}


def test_a_killed_run_goes_on_after_its_finished_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, arms = encoded(n=30), {"perturbed": classifier(layers=2)}
    expected = get_technique("probing").run(cell(arms, data), quick())
    trained: list[tuple[str, int]] = []
    real = train_probes

    def counted(states: torch.Tensor, layers: Any, target: Target, seeds: Any, settings: ProbeSettings) -> Any:
        if len(trained) == 3:
            trained.clear()
            raise KeyboardInterrupt
        trained.extend((target.name, seed) for seed in seeds)
        return real(states, layers, target, seeds, settings)

    monkeypatch.setattr(probing, "train_probes", counted)
    with pytest.raises(KeyboardInterrupt):
        get_technique("probing").run(cell(arms, data, tmp_path / "resume"), quick())
    got = get_technique("probing").run(cell(arms, data, tmp_path / "resume"), quick())
    assert trained == [("given", 1), ("original", 0), ("original", 1)]
    pd.testing.assert_frame_equal(got.rows, expected.rows)
    pd.testing.assert_frame_equal(got.details["probes"], expected.details["probes"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"from_epoch": 3}, r"probing.from_epoch: 3; accepted: 0 or more, less than the 3 epochs"),
        ({"seeds": 0}, r"probing.seeds: 0; accepted: 1 or more"),
        ({"batch_size": 0}, r"probing.batch_size: 0"),
        ({"dropout": 1.0}, r"probing.dropout: 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        get_technique("probing").run(cell({"perturbed": classifier(layers=2)}, encoded(n=20)), quick(**changes))


def test_data_that_cannot_be_probed_are_refused() -> None:
    with pytest.raises(MemlocError, match="training examples for probing: 9; accepted: 10 or more"):
        targets(encoded(n=9), CLASSES)
    data = encoded(n=12)
    data.noisy = np.zeros(12, bool)
    with pytest.raises(MemlocError, match="noisy training examples: 0; accepted: 1 to 11"):
        targets(data, CLASSES)
