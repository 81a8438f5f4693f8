"""A cell from end to end: what is computed once, what names it, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tiny import OWN, profile

from memloc import tables
from memloc.analysis.overview import overview
from memloc.config import DataConfig, TrainConfig, config_key
from memloc.errors import MemlocError
from memloc.estimating import estimate
from memloc.pipeline import CellId, Experiment
from memloc.profiles import Profile, load_profile
from memloc.running import CellRun
from memloc.running import run_profile as run_on
from memloc.store import Store
from memloc.training.loop import Trainer

CELL = CellId("gen-cue-2a", "micro-bert", 1)


def experiment(root: Path, **changes: Any) -> Experiment:
    return Experiment(profile(**changes), Store(root), "cpu")


def files(root: Path) -> dict[str, bytes]:
    """Every file of the store but the sidecars, by its path."""
    return {
        p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file() if p.name != "run.json"
    }


def run_profile(made: Experiment, **options: Any) -> list[CellRun]:
    """One thread, as the bytes depend on their number."""
    return run_on(made, **{"say": lambda _: None, "threads": 1} | options)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The labels of the runs that are trained, as they start."""
    seen: list[str] = []
    run: Callable[..., None] = Trainer.run

    def counted(self: Trainer, folder: Path, resume: Path, label: str = "") -> None:
        seen.append(label)
        run(self, folder, resume, label)

    monkeypatch.setattr(Trainer, "run", counted)
    return seen


FOUR = {"models": {"micro-bert": {}, "micro-opt": {}, "micro-gpt-neo": {}, "micro-gpt-neox": {}}}


def test_two_homes_hold_the_same_bytes_for_all_four_families(tmp_path: Path) -> None:
    for home in ("a", "b"):
        runs = run_profile(experiment(tmp_path / home, **FOUR, extra_arms=["frozen"]))
        assert [run.error for run in runs] == [""] * 4
    one, other = files(tmp_path / "a"), files(tmp_path / "b")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    kinds = {
        kind: len({n.split("/")[3] for n in one if f"/{kind}/" in n}) for kind in ("dataset", "checkpoint", "rows")
    }
    assert kinds == {"dataset": 1, "checkpoint": 12, "rows": 4}
    assert not [name for name in one if name.endswith((".lock", ".pkl", ".bin", ".pt")) or ".partial" in name]


def test_a_second_run_computes_nothing(tmp_path: Path, trainings: list[str]) -> None:
    run_profile(experiment(tmp_path))
    assert trainings == [
        "training gen-cue-2a micro-bert seed 1 perturbed",
        "training gen-cue-2a micro-bert seed 1 normal",
    ]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    run_profile(experiment(tmp_path))
    assert len(trainings) == 2
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


def test_another_profile_with_the_same_cell_takes_what_is_there(tmp_path: Path, trainings: list[str]) -> None:
    run_profile(experiment(tmp_path))
    wider = experiment(tmp_path, seeds=[1, 2], purpose="another", resamples=7)
    run_profile(wider)
    assert [label for label in trainings if "seed 1" in label] == trainings[:2]
    assert len(trainings) == 4


def test_workers_give_the_same_tables(tmp_path: Path) -> None:
    two = {"models": {"micro-bert": {}, "micro-opt": {}}}
    run_profile(experiment(tmp_path / "one", **two))
    lines: list[str] = []
    runs = run_profile(experiment(tmp_path / "two", **two), workers=2, say=lines.append)
    assert [str(run.cell) for run in runs] == ["gen-cue-2a micro-bert seed 1", "gen-cue-2a micro-opt seed 1"]
    assert [run.error for run in runs] == ["", ""]
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert lines[-1].startswith("[2/2]")
    assert "left" in lines[0]


def key(arm: str = "perturbed", technique: str = "", cell: CellId = CELL, **changes: Any) -> str:
    made = experiment(Path("nowhere"), **changes)
    return config_key(made.technique_config(cell, technique) if technique else made.checkpoint_config(cell, arm))


def test_keys_do_not_depend_on_what_does_not_change_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(), key(technique="swapping")
    monkeypatch.chdir(tmp_path)
    assert (key(purpose="other", resamples=9, seeds=[1, 2, 3], extra_arms=["frozen"], tasks=["gen-comp-2a", CELL.task]),
            key(technique="swapping")) == before  # fmt: skip


CHANGED = {
    "data": {"seed": 2, "noise_rate": 0.2, "cap": 41, "floor": 19, "validation_cap": 21, "test_cap": 22},
    "training": {
        "epochs": 3, "batch_size": 8, "lr": 2e-3, "weight_decay": 0.02, "warmup": 0.2, "clip_norm": 2.0, "dropout": 0.2,
        "max_length": 31, "memorised_f1": 0.9, "stop_when_memorised": True, "pooling": "last_column",
        "precision": "bf16",
    },
}  # fmt: skip


def test_every_setting_is_part_of_the_key() -> None:
    assert CHANGED["data"].keys() == {f.name for f in dataclasses.fields(DataConfig)}
    assert CHANGED["training"].keys() == {f.name for f in dataclasses.fields(TrainConfig)}
    keys, rows = [key()], [key(technique="swapping")]
    base = {"data": {"cap": 40, "validation_cap": 20, "test_cap": 20},
            "training": {"epochs": 2, "batch_size": 16, "lr": 1e-3, "max_length": 32}}  # fmt: skip
    for section, changes in CHANGED.items():
        for name, value in changes.items():
            changed = {section: {**base[section], name: value}}
            keys.append(key(**changed))
            rows.append(key(technique="swapping", **changed))
    keys += [key(arm) for arm in ("normal", "frozen")]
    keys += [key(cell=cell, **FOUR) for cell in (CELL._replace(seed=2), CELL._replace(model="micro-opt"))]
    keys.append(key(cell=CELL._replace(task="gen-comp-2a"), tasks=["gen-comp-2a"]))
    rows += [key(technique="retraining", techniques={"retraining": change}) for change in ({}, {"lr": 1e-3})]
    at_once = key(technique="swapping", techniques={"swapping": {"tokens": 64}})
    assert at_once == rows[0], "how much runs at once changes no result"
    assert len(set(keys)) == len(keys)
    assert len(set(rows)) == len(rows)


def test_arms(tmp_path: Path) -> None:
    made = experiment(tmp_path, extra_arms=["frozen"])
    made.run_cell(CELL)
    start = dict(made.fresh(CELL).state_dict())
    changed = {}
    for arm in ("pretrained", "perturbed", "normal", "frozen"):
        model = made.load(CELL, arm)
        assert not model.training
        state = model.state_dict()
        changed[arm] = {k.split(".")[0] for k, v in state.items() if not v.equal(start[k])}
        assert not [k for k, v in state.items() if "embeddings" in k and not v.equal(start[k])]
    assert changed == {
        "pretrained": set(), "perturbed": {"backbone", "heads"}, "normal": {"backbone", "heads"}, "frozen": {"heads"},
    }  # fmt: skip
    one, other = (load_file(made.checkpoint(CELL, arm).file("last.safetensors")) for arm in ("perturbed", "normal"))
    assert any(not one[k].equal(other[k]) for k in one)
    with pytest.raises(MemlocError, match="arm: 'norml'; accepted: perturbed, normal, frozen"):
        made.checkpoint(CELL, "norml")


def test_the_memorised_checkpoint_where_there_is_one_and_where_there_is_none(tmp_path: Path) -> None:
    none = experiment(tmp_path)
    with pytest.raises(MemlocError, match="memorised checkpoint of gen-cue-2a micro-bert seed 1 perturbed: None"):
        none.load(CELL, "perturbed", "memorised")
    low = {"epochs": 3, "batch_size": 16, "lr": 1e-3, "max_length": 32, "memorised_f1": 0.01}
    early = experiment(tmp_path, training=low)
    first, last = (early.load(CELL, "perturbed", which).state_dict() for which in ("memorised", "last"))
    assert any(not first[k].equal(last[k]) for k in first)
    assert early.load(CELL, "normal", "memorised").num_layers == 2, "the twin keeps the same epoch"
    stopped = experiment(tmp_path, training={**low, "stop_when_memorised": True})
    assert stopped.load(CELL, "perturbed", "memorised").state_dict().keys() == first.keys()
    with pytest.raises(MemlocError, match="unknown file of checkpoint"):
        early.load(CELL, "perturbed", "best")


def test_twins_stop_where_the_perturbed_arm_stopped_and_say_whose_twins_they_are(tmp_path: Path) -> None:
    training = {"epochs": 30, "batch_size": 8, "lr": 1e-2, "max_length": 32, "memorised_f1": 0.5}
    made = experiment(tmp_path, training={**training, "stop_when_memorised": True})
    summaries = {}
    for arm in ("perturbed", "normal", "frozen"):
        artefact = made.checkpoint(CELL, arm)
        summaries[arm] = json.loads(artefact.file("summary.json").read_text())
        assert artefact.sidecar["device"] == "cpu"
        assert artefact.sidecar["threads"] >= 1
    stopped = summaries["perturbed"]["epochs_run"]
    assert summaries["perturbed"]["memorised_epoch"] == stopped < 30  # the frozen arm would never stop by itself
    assert summaries["normal"] == summaries["frozen"] == summaries["perturbed"]
    perturbed = config_key(made.checkpoint_config(CELL, "perturbed"))
    assert made.checkpoint_config(CELL, "normal")["twin"] == made.checkpoint_config(CELL, "frozen")["twin"] == perturbed


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    made, other = experiment(tmp_path), experiment(tmp_path, seeds=[2])
    here = made.checkpoint(CELL, "perturbed").path
    there = here.with_name(config_key(other.checkpoint_config(CELL._replace(seed=2), "perturbed")))
    shutil.copytree(here, there)
    with pytest.raises(MemlocError, match=r"configuration stored in .*'seed': 1.*the one asked for.*'seed': 2"):
        other.load(CELL._replace(seed=2), "perturbed")


def test_rows_have_their_cell_and_the_run_that_made_them(tmp_path: Path) -> None:
    made = experiment(tmp_path)
    artefact = made.rows(CELL, "swapping")
    rows = tables.read(artefact.file("rows.parquet"), tables.ROWS)
    assert len(rows) == 3 * 2
    facts = rows[["run_key", "task", "model", "seed", "technique", "arm"]].drop_duplicates().to_numpy().tolist()
    assert facts == [[artefact.key, *CELL, "swapping", "perturbed"]]
    outcomes = tables.read(artefact.file("outcomes.parquet"), tables.OUTCOMES)
    train = made.dataset(CELL.task).train
    assert len(outcomes) == 3 * len(train)
    groups = outcomes.drop_duplicates("idx").set_index("idx")["group"].sort_index()
    assert groups.to_dict() == train.set_index("idx")["group"].to_dict()


def test_results_show_what_is_there_and_compute_nothing(tmp_path: Path, trainings: list[str]) -> None:
    made = experiment(tmp_path, seeds=[1, 2])
    assert overview(made)["seeds"].tolist() == ["0/2"]
    made.run_cell(CELL)
    count = len(trainings)
    frame = overview(made)
    assert frame["seeds"].tolist() == ["1/2"]
    assert frame["over"].tolist() == ["examples"]
    low, high = map(float, frame["attainable"][0].split(" to "))
    assert low <= float(frame["M-CoG"][0]) <= high
    assert len(trainings) == count


def test_one_failing_cell_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Trainer.run

    def broken(self: Trainer, folder: Path, resume: Path, label: str = "") -> None:
        if "micro-bert" in label:
            raise ValueError("no luck")
        run(self, folder, resume, label)

    monkeypatch.setattr(Trainer, "run", broken)
    made = experiment(tmp_path, models={"micro-bert": {}, "micro-opt": {}})
    lines: list[str] = []
    runs = run_profile(made, say=lines.append)
    assert [run.error for run in runs] == ["ValueError: no luck", ""]
    assert "failed: ValueError: no luck" in lines[0]
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".lock", ".partial")]


def smoke(**changes: Any) -> Profile:
    return dataclasses.replace(load_profile("smoke"), **changes)


def test_estimates_are_told_in_hours_and_gigabytes_and_train_nothing(tmp_path: Path, trainings: list[str]) -> None:
    lines: list[str] = []
    made = Experiment(smoke(), Store(tmp_path), "cpu")
    results = estimate(made, lines.append)
    assert [(r.task, r.model) for r in results] == [(t, m) for t in made.profile.tasks for m in made.profile.models]
    assert all(0 < r.hours < 1 and 0 < r.gigabytes < 0.1 and 3 < r.mean_tokens < 64 for r in results)
    assert len(lines) == 8
    assert not trainings
    assert {p.name for p in (tmp_path / "store" / "v1").iterdir()} == {"dataset"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"techniques": {"swaping": {}}}, "unknown technique: 'swaping'; accepted: did you mean swapping"),
        ({"techniques": {"swapping": {"token": 1}}}, "unknown setting of technique swapping: 'token'"),
        ({"techniques": {"swapping": {"tokens": "many"}}}, "swapping.tokens: 'many'; accepted: a value of type int"),
        ({"extra_arms": ["frosen"]}, "arm: 'frosen'; accepted: perturbed, normal, frozen"),
    ],
)
def test_what_only_a_run_can_know_is_told_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    for start in (run_profile, estimate):
        with pytest.raises(MemlocError, match=message):
            start(experiment(tmp_path / "home", **changes))
    assert not (tmp_path / "home").exists()


def test_a_task_with_data_settings_of_its_own_gets_them(tmp_path: Path) -> None:
    own = {"cap": 60, "noise_rate": 0.3}
    several = experiment(tmp_path / "several", tasks={"gen-cue-2a": {}, "gen-comp-2a": own})
    alone = experiment(tmp_path / "alone", tasks=["gen-comp-2a"], data={**OWN["data"], **own})
    found, usual = several.dataset("gen-comp-2a").train, several.dataset("gen-cue-2a").train
    assert len(found) == 60
    assert (found["group"] == "noisy").sum() == 18
    assert len(usual) == OWN["data"]["cap"]
    assert found.equals(alone.dataset("gen-comp-2a").train)
    assert several.dataset_config("gen-comp-2a") == alone.dataset_config("gen-comp-2a")
