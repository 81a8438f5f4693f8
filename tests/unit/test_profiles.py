"""Profiles: those that ship name only known things; a wrong one is refused with the field at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import profile

from memloc.config import TrainConfig, canonical_json, config_key, from_mapping
from memloc.data.catalogue import get_task
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.pipeline import ARMS
from memloc.profiles import load_profile, profile_names
from memloc.profiles.loading import parse_profile, profile_content
from memloc.techniques import get_technique, register_technique, technique_names
from memloc.techniques.base import settings_of

SMALL = ["smoke", "planted-smoke", "mini", "small", "control", "techniques", "maps", "worth"]


NANO = ["nano", "nano-control", "nano-maps", "nano-retraining"]


@pytest.mark.parametrize("name", [*SMALL, *NANO, "sensitivity", "binarised", "planted-small", "paper", "larger"])
def test_profiles_name_only_known_things(name: str) -> None:
    assert name in profile_names()
    found = load_profile(name)
    for task in found.tasks:
        assert found.source in get_task(task).sources
    for model, run in found.models.items():
        assert get_model(model).source in ("builtin", "package") or found.source != "generated"
        assert run.seeds
    for technique, settings in found.techniques.items():
        settings_of(get_technique(technique), settings)
    assert set(found.extra_arms) <= set(ARMS)


def test_the_paper_profile_is_the_study() -> None:
    found = load_profile("paper")
    assert (len(found.tasks), len(found.models)) == (12, 4)
    for run in found.models.values():
        assert run.seeds == (1, 2, 3)
        assert run.training == TrainConfig()
    assert (found.data.noise_rate, found.data.seed, found.data.cap) == (0.15, 1, 0)


@pytest.mark.parametrize("name", ["nano-maps", "nano-retraining"])
def test_profiles_that_add_to_the_grid_find_its_cells_in_the_store(name: str) -> None:
    grid, more = load_profile("nano"), load_profile(name)
    assert more.tasks == grid.tasks
    assert {task: more.data_of(task) for task in more.tasks} == {task: grid.data_of(task) for task in grid.tasks}
    assert {model: run.training for model, run in more.models.items()} == {
        model: run.training for model, run in grid.models.items()
    }
    assert more.extra_arms == grid.extra_arms
    shared = set(more.techniques) & set(grid.techniques)
    assert {"swapping", "probing", "centroids"} <= shared
    assert {n: more.techniques[n] for n in shared} == {n: grid.techniques[n] for n in shared}


def test_every_technique_says_what_the_pipeline_needs() -> None:
    assert "swapping" in technique_names()
    for name in technique_names():
        technique = get_technique(name)
        assert technique.name == name
        assert technique.version >= 1
        assert set(technique.arms) <= {*ARMS, "pretrained"}
    with pytest.raises(MemlocError, match="technique: 'swapping'; accepted: a name that is not taken"):
        register_technique(type("Other", (), {"name": "swapping"}))


def test_a_models_own_settings_lie_over_the_profiles() -> None:
    found = profile(models={"micro-bert": {"lr": 0.5, "seeds": [4, 5, 4]}, "micro-opt": None})
    assert found.models["micro-bert"].training.lr == 0.5
    assert found.models["micro-bert"].training.epochs == found.models["micro-opt"].training.epochs == 2
    assert (found.models["micro-bert"].seeds, found.models["micro-opt"].seeds) == ((4, 5), (1,))


def test_narrowing() -> None:
    found = profile().narrowed(["gen-rel-2a", "gen-rel-2a"], ["micro-opt"], [3, 3])
    assert (found.tasks, list(found.models)) == (("gen-rel-2a",), ["micro-opt"])
    assert found.models["micro-opt"].seeds == (3,)
    assert found.models["micro-opt"].training == profile().models["micro-bert"].training
    assert profile().narrowed() == profile()
    with pytest.raises(MemlocError, match="unknown task: 'trek'; accepted: did you mean trec"):
        profile().narrowed(tasks=["trek"])
    with pytest.raises(MemlocError, match="unknown data source: 'file'; accepted: did you mean files"):
        profile().narrowed(source="file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3}, "unknown field of profile tests: 'epochs'"),
        ({"training": {"epoch": 3}}, "training of micro-bert: 'epoch'; accepted: did you mean epochs"),
        ({"training": {"epochs": "3"}}, "training of micro-bert.epochs: '3'; accepted: a value of type int"),
        ({"training": {"lr": -1.0}}, r"training\.lr: -1.0; accepted: a positive number"),
        ({"training": [1]}, r"training of profile tests: \[1\]; accepted: a value of type dict"),
        ({"data": {"noise_rate": 1.5}}, r"data\.noise_rate: 1.5"),
        ({"data": {"caps": 3}}, "unknown setting in profile tests: data: 'caps'"),
        ({"models": {"micro-bret": {}}}, "unknown model: 'micro-bret'; accepted: did you mean micro-bert"),
        ({"models": ["micro-bert"]}, "models of profile tests"),
        ({"models": {"micro-bert": 3}}, "micro-bert of profile tests: 3; accepted: a mapping"),
        ({"tasks": ["gen-cu-2a"]}, "unknown task: 'gen-cu-2a'"),
        ({"tasks": "gen-cue-2a"}, "tasks of profile tests: 'gen-cue-2a'; accepted: a value of type list or dict"),
        ({"tasks": []}, "no tasks"),
        ({"seeds": ["one"]}, "seeds of micro-bert in profile tests"),
        ({"seeds": [1.5]}, "seeds of micro-bert in profile tests"),
        ({"source": "web"}, "unknown data source: 'web'"),
        ({"resamples": "many"}, "resamples of profile tests"),
    ],
)
def test_a_wrong_profile_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        profile(**changes)


def test_profile_files(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="unknown profile: 'smal'; accepted: did you mean small"):
        load_profile("smal")
    for content, message in (("tasks: [", "a YAML file"), ("- 1", "a mapping of settings")):
        (tmp_path / "own.yml").write_text(content)
        with pytest.raises(MemlocError, match=message):
            load_profile(tmp_path / "own.yml")
    (tmp_path / "own.yml").write_text(
        "{purpose: mine, source: generated, tasks: [gen-cue-2a], models: {micro-opt: {}}, seeds: [7]}"
    )
    assert load_profile(tmp_path / "own.yml").models["micro-opt"].seeds == (7,)


def test_keys_of_configurations() -> None:
    assert canonical_json({"b": 1, "a": [1.5, "ä"]}) == '{"a":[1.5,"ä"],"b":1}'
    assert config_key({"a": 1, "b": 2}) == config_key({"b": 2, "a": 1}) != config_key({"a": 2, "b": 1})
    assert len(config_key({})) == 20
    with pytest.raises(ValueError, match="Out of range float"):
        config_key({"a": float("nan")})
    assert from_mapping(TrainConfig, {"lr": 1}, "x").lr == 1.0
    with pytest.raises(MemlocError, match=r"x\.epochs: True"):
        from_mapping(TrainConfig, {"epochs": True}, "x")


def test_tasks_may_have_data_settings_of_their_own() -> None:
    content = {"purpose": "x", "source": "generated", "models": {"micro-bert": {}}, "seeds": [1], "data": {"cap": 60}}
    found = parse_profile("mine", {**content, "tasks": {"gen-cue-2a": None, "gen-cue-6a": {"cap": 120, "floor": 5}}})
    assert [found.data_of(task).cap for task in found.tasks] == [60, 120]
    assert found.data_of("gen-cue-6a").floor == 5
    assert found.rows_told == "at most 60 or 120"
    assert found.narrowed(["gen-cue-2a"]).rows_told == "at most 60"
    assert parse_profile("mine", profile_content(found)) == found
    assert [found.with_data(noise_rate=0.3).data_of(task).noise_rate for task in found.tasks] == [0.3, 0.3]
    with pytest.raises(MemlocError, match="data of gen-cue-2a"):
        parse_profile("mine", {**content, "tasks": {"gen-cue-2a": {"caps": 3}}})
    with pytest.raises(MemlocError, match="gen-cue-2a of profile mine"):
        parse_profile("mine", {**content, "tasks": {"gen-cue-2a": 3}})
