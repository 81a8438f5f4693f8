"""Variants of a profile: one setting changed by name, everywhere or refused, and run like any other profile."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_cli import memloc
from tiny import OWN

from memloc.errors import MemlocError
from memloc.profiles import every_name, load_profile
from memloc.profiles.loading import FOLDER, parse_profile, profile_content
from memloc.profiles.variants import is_variant, split_name
from memloc.publishing.reading_atlas import run_names
from memloc.released import read_release
from memloc.releasing import put

VARIANTS = {"noise-0.3": {"data": {"noise_rate": 0.3}}, "lr-1e-2": {"training": {"lr": 1e-2}}}


def written(folder: Path, **changes: Any) -> str:
    """A profile's file with variants."""
    path = folder / "own.yml"
    path.write_text(yaml.safe_dump({**OWN, "variants": VARIANTS, **changes}, sort_keys=False))
    return str(path)


def test_a_variant_is_the_profile_with_one_setting_changed(tmp_path: Path) -> None:
    own = written(tmp_path)
    base, noise, rate = load_profile(own), load_profile(f"{own}@noise-0.3"), load_profile(f"{own}@lr-1e-2")
    assert (base.name, noise.name) == ("own", "own@noise-0.3")
    assert noise.purpose == "tests Variant: data.noise_rate is 0.3."
    assert noise.data == dataclasses.replace(base.data, noise_rate=0.3)
    assert dataclasses.replace(noise, name="own", purpose="tests", data=base.data) == base
    assert rate.models["micro-bert"].training == dataclasses.replace(base.models["micro-bert"].training, lr=1e-2)
    assert rate.data == base.data
    assert parse_profile(noise.name, profile_content(noise)) == noise, "a release tells the same variant"
    assert "variants" not in profile_content(base)


def test_names() -> None:
    assert split_name("small") == ("small", None)
    assert split_name("small@a-1.5") == ("small", "a-1.5")
    assert split_name("/home/me@work/own.yml") == ("/home/me@work/own.yml", None)
    assert split_name("/home/me@work/own.yml@a") == ("/home/me@work/own.yml", "a")
    assert [is_variant(name) for name in ("small", "small@a")] == [False, True]


def test_all_variants_have_a_name(tmp_path: Path) -> None:
    own = written(tmp_path)
    assert every_name(f"{own}@*") == [own, f"{own}@noise-0.3", f"{own}@lr-1e-2"]
    assert every_name(f"{own}@noise-0.3") == [f"{own}@noise-0.3"]
    assert every_name("smoke@*") == ["smoke"]
    with pytest.raises(MemlocError, match="unknown profile: 'smok'; accepted: did you mean smoke"):
        every_name("smok@*")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("noise-0.2", "unknown variant of profile own: 'noise-0.2'; accepted: did you mean noise-0.3"),
        ("", "unknown variant of profile own: ''; accepted: lr-1e-2, noise-0.3"),
        ("*", "unknown variant of profile own"),
    ],
)
def test_an_unknown_variant_is_refused_with_the_nearest(tmp_path: Path, asked: str, message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        load_profile(f"{written(tmp_path)}@{asked}")
    with pytest.raises(MemlocError, match="unknown variant of profile smoke: 'x'; accepted: none"):
        load_profile("smoke@x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ["a"]}, "variants of profile own: .*a mapping of names"),
        ({"variants": {"a b": {"data": {"seed": 2}}}}, "name of a variant of profile own: 'a b'"),
        ({"variants": {"a.yml": {"data": {"seed": 2}}}}, "that is no file's"),
        ({"variants": {"a": None}}, "variant a of profile own: None; accepted: one setting"),
        ({"variants": {"a": {"data": {"seed": 2, "cap": 9}}}}, "variant a of profile own: .*one setting"),
        ({"variants": {"a": {"data": {"seed": 2}, "training": {"lr": 1.0}}}}, "variant a of profile own"),
        ({"variants": {"a": {"seeds": [2]}}}, "variant a of profile own"),
        ({"variants": {"a": {"data": {"seeed": 2}}}}, "profile own@a: data: 'seeed'; accepted: did you mean seed"),
        ({"variants": {"a": {"data": {"noise_rate": 2.0}}}}, r"data\.noise_rate: 2.0"),
        ({"variants": {"a": {"techniques": {"swaping": {"tokens": 1}}}}}, "'swaping'; accepted: did you mean swapping"),
    ],
)
def test_a_wrong_variant_is_refused_also_where_it_is_not_asked_for(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MemlocError, match=message):
        load_profile(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {"a": {"data": {"seed": 1}}}}, r"variant own@a: data\.seed of gen-cue-2a: 'no change'"),
        ({"models": {"micro-bert": {"lr": 0.1}, "micro-opt": {}}}, r"own@lr-1e-2: training\.lr of micro-bert: 'no"),
        (
            {"tasks": {"gen-cue-2a": {}, "gen-rel-2a": {"noise_rate": 0.2}}},
            r"own@noise-0\.3: data\.noise_rate of gen-rel-2a: 'no change'; accepted: another value",
        ),
        (
            {"techniques": {"gradients": {"seed": 2}}, "variants": {"a": {"techniques": {"gradients": {"seed": 2}}}}},
            r"techniques\.gradients\.seed of gradients: 'no change'",
        ),
    ],
)
def test_what_would_change_nothing_somewhere_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        load_profile(written(tmp_path, **changes))


def test_own_settings_of_tasks_do_not_stand_in_the_way_of_other_settings(tmp_path: Path) -> None:
    tasks = {"gen-cue-2a": {}, "gen-rel-2a": {"cap": 50}}
    found = load_profile(f"{written(tmp_path, tasks=tasks)}@noise-0.3")
    assert [(found.data_of(task).cap, found.data_of(task).noise_rate) for task in tasks] == [(40, 0.3), (50, 0.3)]


def test_the_profile_and_its_variants_are_run_and_released_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path / "home"))
    own, out = written(tmp_path), tmp_path / "results"
    for name in (own, f"{own}@noise-0.3"):
        assert memloc("run", "--profile", name, "--device", "cpu") == 0
    capsys.readouterr()
    assert memloc("results", "--profile", f"{own}@*", "--release", out) == 0
    assert sorted(p.name for p in out.iterdir()) == ["own", "own@noise-0.3"], "one is not finished"
    assert memloc("run", "--profile", f"{own}@*", "--device", "cpu") == 0
    assert "3 of 3 cells are in the store" in capsys.readouterr().out
    assert memloc("results", "--profile", f"{own}@*", "--release", out) == 0
    assert sorted(p.name for p in out.iterdir()) == ["own", "own@lr-1e-2", "own@noise-0.3"]
    assert read_release(out / "own@noise-0.3").profile == load_profile(f"{own}@noise-0.3")
    assert memloc("results", "--verify", out / "own@lr-1e-2") == 0
    assert memloc("results", "--profile", f"{own}@noise-0.3", "--release", tmp_path / "one") == 0
    assert {p.name for p in (tmp_path / "one").iterdir()} >= {"rows.parquet", "manifest.json"}
    assert run_names(out) == [], "generated tasks are told elsewhere"


def test_variants_are_no_evidence_beside_their_profile(tmp_path: Path) -> None:
    for name in ("small", "small@noise-0.3"):
        put(tmp_path / name, {"profile": {"source": "files", "techniques": ["swapping"]}}, {}, {})
    assert run_names(tmp_path) == ["small"]


def test_the_shipped_variants_are_called_by_what_they_change() -> None:
    content = yaml.safe_load((FOLDER / "sensitivity.yml").read_text())
    called = {"data-seed": ("data", "seed"), "noise": ("data", "noise_rate"), "cap": ("data", "cap")}
    called["lr"] = ("training", "lr")
    assert len(content["variants"]) == 8
    for name, change in content["variants"].items():
        begin = next(word for word in called if name.startswith(word))
        part, setting = called[begin]
        assert change == {part: {setting: pytest.approx(float(name.removeprefix(f"{begin}-")))}}
        assert content[part].get(setting) != change[part][setting]
