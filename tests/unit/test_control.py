"""Control arms: what each task may change, in which order, and the whole path from a profile to rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_cli import home, memloc, written
from tiny import CLASSES, OWN, encoded, profile, spec
from torch import Tensor

from memloc import tables
from memloc.analysis.control import control_score
from memloc.analysis.weights import layer_weights
from memloc.arms import (
    ARMS,
    CONTROL_ARMS,
    CONTROLS,
    SETTINGS,
    YARDSTICKS,
    arm_of,
    auxiliary_parts,
    followed,
    learns_original,
    main_parts,
    target_layers,
)
from memloc.config import TrainConfig, config_key
from memloc.errors import MemlocError
from memloc.estimating import estimate
from memloc.models.classifier import Classifier, build_classifier
from memloc.pipeline import CellId, Experiment
from memloc.profiles import load_profile
from memloc.profiles.loading import parse_profile, profile_content
from memloc.store import Store
from memloc.training import loop
from memloc.training.batches import training_order
from memloc.training.loop import Plan, Trainer
from memloc.training.streams import Stream, joint_order

__all__ = ["home"]  # a fixture of the command line's tests

SHORT = TrainConfig(epochs=2, batch_size=4, lr=1e-2, dropout=0.1, weight_decay=0.1)
CELL = CellId("gen-cue-2a", "micro-bert", 1)
CONTROL = {"auxiliary": "gen-comp-2a", "techniques": ["swapping"]}


def joint(family: str = "bert", layers: int = 6) -> Classifier:
    return build_classifier(spec(family, layers), {"main": CLASSES, "aux": 2}, head_seed=1)


def trainer(
    arm: str = "control_first", share: float = 0.5, config: TrainConfig = SHORT, family: str = "bert", **plan: Any
) -> Trainer:
    """A joint run on 12 and 9 random rows."""
    model, data, second = joint(family), encoded(12), encoded(9, seed=5, classes=2)
    labels = data.label if learns_original(arm) else data.given
    beside = Stream(second, second.label, auxiliary_parts(model.parts()), config.lr * share, "aux")
    chosen = Plan(main_parts(arm, model.parts(), model.num_layers), labels, beside=beside, **plan)
    return Trainer(model, data, encoded(6, seed=9), config, 1, chosen)


def copied(model: Classifier) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.part_state(model.parts()).items()}


def changed(before: dict[str, Tensor], model: Classifier) -> set[str]:
    """The parts in which anything differs."""
    return {k.split("/")[0] for k, v in model.part_state(model.parts()).items() if not torch.equal(before[k], v)}


def test_target_layers() -> None:
    assert [target_layers(control, 12) for control in CONTROLS] == [(1, 2), (6, 7), (11, 12)]
    assert [target_layers(control, 24) for control in CONTROLS] == [(1, 2), (12, 13), (23, 24)]
    assert [target_layers(control, 7) for control in CONTROLS] == [(1, 2), (3, 4), (6, 7)]
    assert {target_layers(control, 2) for control in CONTROLS} == {(1, 2)}
    with pytest.raises(MemlocError, match="layers of a model with control arms: 1; accepted: 2 or more"):
        target_layers("control_first", 1)
    with pytest.raises(MemlocError, match=r"unknown control setting: 'control_frist'.*did you mean control_first"):
        target_layers("control_frist", 12)


def test_the_arms_of_a_setting() -> None:
    asked = ("perturbed", "normal", "frozen", "pretrained")
    assert [arm_of("main", arm) for arm in asked] == list(asked)
    found = [arm_of("control_last", arm) for arm in asked]
    assert found == ["control_last", "control_last_normal", "control_frozen", "pretrained"]
    assert {arm_of(s, a) for s in SETTINGS[1:] for a in asked} == {*CONTROL_ARMS, "pretrained"}
    with pytest.raises(MemlocError, match="unknown setting: 'control_lats'; accepted: did you mean control_last"):
        arm_of("control_lats", "perturbed")
    assert [followed(arm) for arm in ("perturbed", "normal", "frozen")] == [(), ("perturbed",), ("perturbed",)]
    assert {followed(arm) for arm in YARDSTICKS} == {()}
    assert followed("control_middle_normal") == ("control_middle",)
    assert followed("control_frozen") == CONTROLS
    assert {arm for arm in (*ARMS, *CONTROL_ARMS) if learns_original(arm)} == {
        *("normal", *YARDSTICKS),
        *CONTROL_ARMS[4:],
    }


@pytest.mark.parametrize("family", ["bert", "opt"])
@pytest.mark.parametrize(
    ("arm", "layers"),
    [("control_first", {1, 2}), ("control_middle", {3, 4}), ("control_last_normal", {5, 6}), ("control_frozen", set())],
)
def test_without_a_rate_for_the_second_task_nothing_else_changes(
    tmp_path: Path, family: str, arm: str, layers: set[int]
) -> None:
    run = trainer(arm, share=0.0, family=family)
    before = copied(run.model)
    run.run(tmp_path, tmp_path / "resume")
    final = {"final"} if family == "opt" and layers else set()
    assert changed(before, run.model) == {f"layer.{n}" for n in layers} | final | {"head.main"}


@pytest.mark.parametrize("family", ["bert", "opt"])
def test_the_second_task_changes_all_layers_but_not_the_first_ones_head(family: str) -> None:
    run = trainer("control_frozen", family=family)
    before = copied(run.model)
    beside = run.learners[1]
    beside.set_rate(3)
    run._step(beside, np.arange(4))
    expected = {*(f"layer.{n}" for n in range(1, 7)), "head.aux", *(["final"] if family == "opt" else [])}
    assert changed(before, run.model) == expected


def test_gradients_end_at_the_lowest_layer_that_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = trainer("control_last"), []

    def looked(*_: object) -> None:
        seen.append({k.split(".")[2] for k, p in run.model.backbone.named_parameters() if p.grad is not None})

    monkeypatch.setattr(run.main.optimizer, "step", looked)
    monkeypatch.setattr(run.learners[1].optimizer, "step", looked)
    for learner in (run.main, run.learners[1], run.main):
        run._step(learner, np.arange(4))
    assert seen == [{"4", "5"}, {"0", "1", "2", "3", "4", "5"}, {"4", "5"}]
    graph: list[int] = []
    for number in (1, 4, 5):
        run.model.layer(number).register_forward_hook(
            lambda _module, _given, out, n=number: graph.append(n) if out.requires_grad else None
        )
    run._step(run.main, np.arange(4))
    assert graph == [5], "below layer 5 nothing is kept for a backward pass"


def test_joint_training_is_the_two_tasks_loops_in_the_order_of_their_turns(tmp_path: Path) -> None:
    """Written out: two optimisers, two schedules, one step for each batch."""
    run = trainer("control_middle")
    run.run(tmp_path, tmp_path / "resume")
    model, data, second = joint(), encoded(12), encoded(9, seed=5, classes=2)
    model.train()
    parts = {"main": ["layer.3", "layer.4", "final", "head.main"], "aux": auxiliary_parts(model.parts())}
    tasks = {"main": (data, data.given, SHORT.lr, 3), "aux": (second, second.label, SHORT.lr / 2, 3)}
    optimisers, steps = {}, {"main": 0, "aux": 0}
    for head in parts:
        model.set_trainable(parts[head])
        learning = [p for p in model.parameters() if p.requires_grad]
        optimisers[head] = torch.optim.AdamW(learning, lr=1.0, weight_decay=0.1)
    for epoch in (1, 2):
        torch.manual_seed(loop.derived_seed("dropout", 1, epoch))
        for turn, rows in joint_order([data.lengths, second.lengths], 4, 1, epoch):
            head = ("main", "aux")[turn]
            given, labels, lr, batches = tasks[head]
            warm, total = int(0.1 * 2 * batches), 2 * batches
            step = steps[head]
            steps[head] += 1
            optimisers[head].param_groups[0]["lr"] = (
                lr * step / max(1, warm) if step < warm else lr * (total - step) / max(1, total - warm)
            )
            model.set_trainable(parts[head])
            logits = model(*given.tensors(rows), head)
            torch.nn.functional.cross_entropy(logits, torch.tensor(labels[rows])).backward()
            learning = [p for group in optimisers[head].param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimisers[head].step()
            model.zero_grad()
    expected = model.part_state(model.parts())
    for name, tensor in run.model.part_state(run.model.parts()).items():
        torch.testing.assert_close(tensor, expected[name], atol=2e-5, rtol=1e-4, msg=name)


def test_every_batch_of_both_tasks_once_an_epoch_mixed_and_the_same_for_twins() -> None:
    lengths = [encoded(30).lengths, encoded(18, seed=5).lengths]
    order = joint_order(lengths, 4, 1, 1)
    for stream, n in enumerate((30, 18)):
        rows = np.concatenate([rows for turn, rows in order if turn == stream])
        assert sorted(rows) == list(range(n))
    turns = [turn for turn, _ in order]
    assert turns != sorted(turns)
    assert turns != [turn for turn, _ in joint_order(lengths, 4, 1, 2)]
    assert [t.tolist() for _, t in joint_order(lengths, 4, 1, 1)] == [t.tolist() for _, t in order]
    alone = training_order(lengths[0], 4, 1, 1)
    np.testing.assert_equal([rows for turn, rows in order if turn == 0], alone)
    np.testing.assert_equal([rows for _, rows in joint_order(lengths[:1], 4, 1, 1)], alone)


def test_twins_take_the_same_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    orders = []
    for arm in ("control_first", "control_first_normal"):
        run, seen = trainer(arm), []
        monkeypatch.setattr(
            run,
            "_step",
            lambda learner, rows, seen=seen: seen.append(
                (learner.stream.head, rows.tolist(), learner.optimizer.param_groups[0]["lr"])
            ),
        )
        run.run(tmp_path, tmp_path / "none")
        orders.append(seen)
    assert orders[0] == orders[1]
    assert {head for head, _, _ in orders[0]} == {"main", "aux"}
    assert max(lr for head, _, lr in orders[0] if head == "aux") <= SHORT.lr / 2


def test_without_noise_the_twins_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    states = []
    for arm, stop in (("control_last", None), ("control_last_normal", 2)):
        run = trainer(arm, stop_after=stop)
        run.main._labels = torch.tensor(encoded(12).label)
        run.run(tmp_path, tmp_path / "none")
        states.append(copied(run.model))
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_what_happened_before_changes_nothing_and_nothing_is_changed_for_what_comes_after(tmp_path: Path) -> None:
    found = []
    for seed in (3, 4):
        run = trainer()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        run.run(tmp_path, tmp_path / "none")
        assert torch.equal(torch.get_rng_state(), before)
        found.append(copied(run.model))
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])


class Cut(Exception):
    """A run that is stopped from outside."""


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    monkeypatch.setattr(loop, "RESUME_EVERY", -1.0)
    config = TrainConfig(epochs=5, batch_size=4, lr=1e-2)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    trainer(config=config).run(tmp_path / "whole", tmp_path / "whole" / "resume")
    run = trainer(config=config)
    step = run._step

    def failing(learner: Any, rows: np.ndarray) -> None:
        step(learner, rows)
        if run.state.epoch == epoch + 1:
            raise Cut

    monkeypatch.setattr(run, "_step", failing)
    with pytest.raises(Cut):
        run.run(tmp_path / "cut", tmp_path / "cut" / "resume")
    again = trainer(config=config)
    again._restore(tmp_path / "cut" / "resume")
    assert again.state.epoch == epoch
    trainer(config=config).run(tmp_path / "cut", tmp_path / "cut" / "resume")
    for name in ("last.safetensors", "trace.parquet", "summary.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_the_checkpoint_holds_what_either_task_changed_and_says_how_the_second_one_went(tmp_path: Path) -> None:
    run = trainer("control_frozen")
    run.run(tmp_path, tmp_path / "none")
    found = load_file(tmp_path / "last.safetensors")
    expected = copied(run.model)
    assert found.keys() == {k for k in expected if not k.startswith("embeddings")}
    assert all(torch.equal(found[k], expected[k]) for k in found)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 0 <= summary["accuracy_beside"] <= 1
    assert (summary["epochs_run"], summary["steps"]) == (2, 6)


# -- the pipeline --------------------------------------------------------------------------------------------------


PRINTS: dict[str, dict[str, Any]] = {}  # of generated tasks, which take a second each to look at


def experiment(root: Path, **changes: Any) -> Experiment:
    return Experiment(profile(**{"control": CONTROL, **changes}), Store(root), "cpu", _fingerprints=PRINTS)


def test_keys_of_what_was_there_before_the_control_stay() -> None:
    """Computed by the version before it had control arms; the frozen arm has a version of its own since."""
    before = {
        ("gen-comp-2a", "micro-bert"): ("3225800e67045e8dd984", "5fe580b31d2c1158d566", "4805d6a684abde19929b"),
        ("gen-comp-2a", "micro-opt"): ("b04dead214103aae49ba", "9944287dc0e02ac938a4", "a4fd53f40d6fd3b90ea1"),
    }
    made = Experiment(load_profile("smoke"), Store(Path("nowhere")), "cpu")
    for (task, model), keys in before.items():
        cell = CellId(task, model, 1)
        configs = [made.checkpoint_config(cell, arm) for arm in ("perturbed", "normal")]
        configs += [made.technique_config(cell, "swapping")]
        assert tuple(config_key(config) for config in configs) == keys
        assert made.technique_config(cell, "swapping", "main") == configs[2]
    assert made.checkpoint_config(cell, "frozen")["version"] == 2
    assert made.checkpoint_config(cell, "frozen")["twin"] == before["gen-comp-2a", "micro-opt"][0]


def test_a_control_in_the_profile_changes_no_key_of_the_main_setting() -> None:
    plain, control = experiment(Path("nowhere"), control=None), experiment(Path("nowhere"))
    for arm in ARMS:
        assert plain.checkpoint_config(CELL, arm) == control.checkpoint_config(CELL, arm)
    assert plain.technique_config(CELL, "swapping") == control.technique_config(CELL, "swapping")


def test_every_setting_of_the_control_is_part_of_its_keys() -> None:
    def key(arm: str = "control_first", **changes: Any) -> str:
        made = experiment(Path("nowhere"), control={**CONTROL, **changes})
        return config_key(made.checkpoint_config(CELL, arm))

    keys = [key(arm) for arm in CONTROL_ARMS] + [key(lr_share=0.25), key(auxiliary="gen-rel-2a")]
    assert len(set(keys)) == len(keys)
    assert key(seeds=[1, 2], techniques=["swapping"]) == key()
    made = experiment(Path("nowhere"))
    rows = {config_key(made.technique_config(CELL, "swapping", setting)) for setting in SETTINGS}
    assert len(rows) == 4
    twin = made.checkpoint_config(CELL, "control_last_normal")["twin"]
    assert twin == config_key(made.checkpoint_config(CELL, "control_last"))
    assert len(made.checkpoint_config(CELL, "control_frozen")["twin"]) == 3


def test_from_a_profile_to_rows(tmp_path: Path) -> None:
    made = experiment(tmp_path)
    made.run_cell(CELL)
    start = dict(made.fresh(CELL).state_dict())
    for setting in SETTINGS:
        artefact = made.store.find("rows", made.technique_config(CELL, "swapping", setting))
        assert artefact is not None, setting
        rows = tables.read(artefact.file("rows.parquet"), tables.ROWS)
        assert set(rows["arm"]) == {"perturbed" if setting == "main" else setting}
        assert set(rows["run_key"]) == {artefact.key}
        assert len(rows) == 3 * 2
    model, twin = made.load(CELL, "control_first"), made.load(CELL, "control_first_normal")
    assert any(not a.equal(b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert set(model.heads) == {"main"}
    assert {k.split(".")[0] for k, v in model.state_dict().items() if not v.equal(start[k])} == {"backbone", "heads"}
    assert not [k for k, v in model.state_dict().items() if "embeddings" in k and not v.equal(start[k])]
    twins = [json.loads(made.checkpoint(CELL, arm).file("summary.json").read_text()) for arm in CONTROL_ARMS]
    assert {twin["epochs_run"] for twin in twins} == {2}
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    experiment(tmp_path).run_cell(CELL)
    now = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert now == before, "a second run computes nothing"


def test_the_frozen_control_stops_where_the_last_of_the_three_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[int | None, int | None]] = {}
    ends = {"control_first": (2, 2), "control_middle": (4, 4), "control_last": (3, 3)}

    def told(self: Trainer, folder: Path, resume: Path, label: str = "") -> None:
        arm = label.split()[-1]
        seen[arm] = (self.plan.stop_after, self.plan.memorised_at)
        epochs, memorised = ends.get(arm, (0, 0))
        (folder / "summary.json").write_text(json.dumps({"epochs_run": epochs, "memorised_epoch": memorised}))

    monkeypatch.setattr(Trainer, "run", told)
    made = experiment(tmp_path)
    for arm in ("control_frozen", "control_middle_normal"):
        made.checkpoint(CELL, arm)
    assert seen == {**dict.fromkeys(CONTROLS, (None, None)), "control_frozen": (4, 4), "control_middle_normal": (4, 4)}


def test_which_cells_have_control_arms() -> None:
    two = {"tasks": ["gen-cue-2a", "gen-comp-2a"], "seeds": [4, 1]}
    made = experiment(Path("nowhere"), **two)
    settings = {str(cell): len(made.settings(cell)) for cell in made.cells()}
    assert settings == {
        "gen-cue-2a micro-bert seed 4": 4, "gen-cue-2a micro-bert seed 1": 1,
        "gen-comp-2a micro-bert seed 4": 1, "gen-comp-2a micro-bert seed 1": 1,
    }  # fmt: skip
    more = experiment(Path("nowhere"), **two, control={**CONTROL, "seeds": [1, 4]})
    assert [len(more.settings(cell)) for cell in more.cells()] == [4, 4, 1, 1]
    with pytest.raises(MemlocError, match="task with control arms: 'gen-comp-2a'; accepted: another one"):
        made.checkpoint_config(CellId("gen-comp-2a", "micro-bert", 1), "control_first")
    with pytest.raises(MemlocError, match="control of profile tests: None; accepted: a profile with the field control"):
        experiment(Path("nowhere"), control=None).rows(CELL, "swapping", "control_first")


def test_estimates_count_the_control(tmp_path: Path) -> None:
    plain, control = experiment(tmp_path, control=None), experiment(tmp_path)
    assert plain.arms(CELL) == ["perturbed", "normal"]
    swapped = [arm for arm in CONTROL_ARMS if arm != "control_frozen"]
    assert control.arms(CELL) == ["perturbed", "normal", *swapped]
    (one,), (more,) = (estimate(made, lambda _: None) for made in (plain, control))
    assert more.gigabytes == pytest.approx(one.gigabytes * 4)
    assert more.hours > one.hours


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ({"auxilary": "gen-comp-2a"}, "setting in control of profile tests: 'auxilary'; accepted: did you mean auxil"),
        ({"techniques": ["swapping"]}, "auxiliary of control of profile tests: None; accepted: the name of a task"),
        ({**CONTROL, "auxiliary": "gen-cmop-2a"}, "unknown task: 'gen-cmop-2a'; accepted: did you mean gen-comp-2a"),
        ({**CONTROL, "auxiliary": "gen-cue-2a"}, "auxiliary of control of profile tests: 'gen-cue-2a'; accepted: the"),
        ({**CONTROL, "techniques": ["swaping"]}, "technique of control of profile tests: 'swaping'.*mean swapping"),
        ({**CONTROL, "techniques": []}, r"techniques of control of profile tests: \[\]"),
        ({**CONTROL, "lr_share": 0}, "lr_share of control of profile tests: 0; accepted: a positive number"),
        ({**CONTROL, "lr_share": float("nan")}, "lr_share of control of profile tests: nan"),
        ({**CONTROL, "lr_share": True}, "lr_share of control of profile tests: True"),
        ({**CONTROL, "seeds": ["one"]}, "seeds of control of profile tests"),
        (["swapping"], "control of profile tests: .*accepted: a value of type dict"),
    ],
)
def test_a_wrong_control_is_refused(control: Any, message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        profile(control=control)


def test_the_paper_profile_has_the_studys_control() -> None:
    paper = load_profile("paper")
    assert paper.control is not None
    assert (paper.control.auxiliary, paper.control.lr_share, paper.control.seeds) == ("rte", 0.5, (1,))
    assert set(paper.control.techniques) <= set(paper.techniques)
    made = Experiment(paper, Store(Path("nowhere")), "cpu")
    controlled = [cell for cell in made.cells() if len(made.settings(cell)) == 4]
    assert len(controlled) == 11 * 4, "RTE is the second task of all others"


def test_a_profile_with_control_written_out_and_read_again() -> None:
    found = profile(control={**CONTROL, "seeds": [1]}, tasks=["gen-cue-2a", "gen-comp-2a"])
    assert parse_profile("tests", json.loads(json.dumps(profile_content(found)))) == found
    assert "control" not in profile_content(parse_profile("tests", OWN))


@pytest.mark.usefixtures("home")
def test_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = written(tmp_path / "own.yml", {**OWN, "control": CONTROL})
    assert memloc("estimate", "--profile", own, "--device", "cpu") == 0
    capsys.readouterr()
    assert memloc("run", "--profile", own, "--device", "cpu") == 0
    assert "1 of 1 cells are in the store" in capsys.readouterr().out
    made = Experiment(load_profile(own), device="cpu", _fingerprints=PRINTS)
    found = {s: made.store.find("rows", made.technique_config(CELL, "swapping", s)) for s in SETTINGS}
    assert all(found.values())
    weights = {
        setting: layer_weights(tables.read(artefact.file("rows.parquet"), tables.ROWS)).weight
        for setting, artefact in found.items()
        if artefact is not None and setting != "main"
    }
    score = control_score(weights)
    assert score.settings == CONTROLS
    assert (score.at_1, score.at_2) == (1, 1), "two layers: both are target layers"
    assert memloc("results", "--profile", own, "--device", "cpu") == 0
    assert "1/1" in capsys.readouterr().out
    wrong = written(tmp_path / "wrong.yml", {**OWN, "control": {**CONTROL, "techniques": ["swaping"]}})
    assert memloc("run", "--profile", wrong) == 2
    assert "did you mean swapping" in capsys.readouterr().err
