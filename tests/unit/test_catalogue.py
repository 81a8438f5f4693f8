"""The catalogue: every built-in entry is complete, and a user's file can add to it but not break it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from memloc.data import catalogue
from memloc.data.catalogue import TaskSpec, base_of, get_task, load_catalogue, register_task, task_names
from memloc.data.specs import FilesSource
from memloc.errors import MemlocError

CLASSES = {  # the study's twelve tasks and their numbers of classes
    "wic": 2,
    "rte": 2,
    "mrpc": 2,
    "cola": 2,
    "boolq": 2,
    "sst2": 2,
    "sst5": 5,
    "emotion": 6,
    "trec": 6,
    "reuters": 8,
    "implicithate": 7,
    "stormfront": 2,
}
PARTS = {"wic": 3, "boolq": 2, "rte": 2, "mrpc": 2}

ENTRY = """
tasks:
  mine:
    title: Mine
    group: topic
    labels: [a, b, c]
    licence: MIT
    files: {folder: mine, splits: {train: train}, columns: [text]}
"""


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    task_names()
    monkeypatch.setattr(catalogue, "_tasks", dict(catalogue._tasks))


def load(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "own.yml"
    path.write_text(text)
    return load_catalogue(path)


def spec(name: str = "mine", **changes: object) -> TaskSpec:
    files = FilesSource("mine", {"train": ("train",)}, ("text",))
    values = {"title": "Mine", "group": "topic", "labels": ("a", "b"), "licence": "MIT", "files": files, **changes}
    return TaskSpec(name=name, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "classes"), CLASSES.items())
def test_every_task_of_the_study_is_there(name: str, classes: int) -> None:
    task = get_task(name)
    assert len(task.labels) == classes
    assert task.sources == ("hub", "files")
    assert task.hub is not None
    assert task.files is not None
    assert len(task.hub.part_columns) == len(task.files.columns) == PARTS.get(name, 1)
    assert task.hub.label_column not in task.hub.part_columns


@pytest.mark.parametrize("name", task_names())
def test_every_entry_is_complete(name: str) -> None:
    task = get_task(name)
    assert task.title
    assert task.licence
    assert task.version >= 1
    assert (task.group == "hate") == (task.warning is not None)
    if task.hub is not None:
        assert task.hub.repo.count("/") == 1
        assert set(task.hub.splits) <= {"train", "validation", "test"}
        moving = len(task.hub.revision) != 40
        assert not moving or any("From the hub" in note for note in task.notes), "a moving revision needs a note"
    if task.hub is not None and task.hub.labels is not None:
        assert set(task.hub.labels) == {*base_of(task).labels, *base_of(task).drop_labels}
    variant = f"{name}v2" in task_names()
    assert variant == (len(task.labels) > 2)


def test_columns_derived_from_the_label_are_no_input() -> None:
    derived = {"original_mark", "label5", "fine_label_name", "extra_implicit_class", "topics", "label", "label_name"}
    for name in CLASSES:
        files = get_task(name).files
        assert files is not None
        assert not derived & set(files.columns)


def test_labels_published_as_strings_are_sorted() -> None:
    for name in ("implicithate", "reuters"):
        assert list(get_task(name).labels) == sorted(get_task(name).labels)


def test_generated_tasks_cross_mechanism_classes_and_lexicon() -> None:
    tasks = [get_task(name) for name in task_names("generated", binarised=False)]
    assert len(tasks) == 12
    crossed = {(t.generated.mechanism, t.generated.classes, t.generated.lexicon) for t in tasks if t.generated}
    assert len(crossed) == 12
    assert len({(t.generated.n_train, t.generated.n_heldout) for t in tasks if t.generated}) == 1


def test_binarised_variants_point_to_their_task() -> None:
    names = task_names(binarised=True)
    assert {"sst5v2", "emotionv2", "trecv2", "reutersv2", "implicithatev2", "gen-rel-6bv2"} <= set(names)
    assert not set(names) & set(task_names(binarised=False))
    for name in names:
        variant = get_task(name)
        assert len(variant.labels) == 2
        assert base_of(variant) is get_task(name.removesuffix("v2"))
        assert set(variant.labels) <= set(base_of(variant).labels)


def test_unknown_names_are_told_with_near_misses() -> None:
    with pytest.raises(MemlocError, match=r"task: 'trek'.*trec"):
        get_task("trek")
    with pytest.raises(MemlocError, match=r"group: 'topics'.*topic"):
        task_names("topics")


def test_a_users_file_adds_a_task_and_its_variant(tmp_path: Path) -> None:
    assert load(tmp_path, ENTRY) == ["mine"]
    assert get_task("mine").files == FilesSource("mine", {"train": ("train",)}, ("text",))
    assert base_of(get_task("minev2")).name == "mine"
    assert load(tmp_path, ENTRY) == ["mine"], "the same entry again is no conflict"


def test_registering_twice_is_fine_and_another_entry_is_not() -> None:
    register_task(spec())
    register_task(spec())
    with pytest.raises(MemlocError, match="no other entry"):
        register_task(spec(title="Other"))
    with pytest.raises(MemlocError, match="trec"):
        register_task(dataclasses.replace(get_task("trec"), version=9))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("licence: MIT", "license: MIT", "did you mean licence"),
        ("    licence: MIT\n", "", "also has licence"),
        ("group: topic", "group: topics", "did you mean topic"),
        ("[a, b, c]", "[yes, no]", "quote True, False, yes, no"),
        ("[a, b, c]", "[a, a]", "each of them once"),
        ("[a, b, c]", "a", "labels of task mine in own.yml: 'a'"),
        ("folder: mine, ", "", "also has folder"),
        ("splits: {train: train}", "splits: {test: test}", "with train"),
        ("splits: {train: train}", "splits: {train: train, tset: x}", "did you mean test"),
        ("columns: [text]", "columns: [text], pool: 1", "pool of files of task mine"),
        ("columns: [text]", "columns: [w, x, y, z]", "one to three"),
        ("licence: MIT", "licence: MIT\n    version: 0", "whole number from 1"),
        ("licence: MIT", "licence: MIT\n    empty_texts: keep", "refuse, drop"),
        ("licence: MIT", "licence: MIT\n    most_frequent: [a, z]", "two of its labels"),
        ("  mine:", "  Mine Own:", "lower-case"),
        ("tasks:", "task:", "key tasks"),
        ("tasks:", "tasks: [", "readable YAML"),
    ],
)
def test_a_wrong_file_is_told_and_adds_nothing(tmp_path: Path, old: str, new: str, told: str) -> None:
    before = task_names()
    wrong = ENTRY.replace(old, new)
    if "task" not in old:  # a good entry before the wrong one, which must not be added either
        wrong = ENTRY.replace("mine", "first") + wrong.removeprefix("\ntasks:\n")
    with pytest.raises(MemlocError, match=told):
        load(tmp_path, wrong)
    assert task_names() == before


def test_a_task_without_a_source_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="hub, files, generated"):
        spec(files=None)
    with pytest.raises(MemlocError, match=r"absent\.yml"):
        load_catalogue(tmp_path / "absent.yml")


def test_a_pool_has_no_other_split() -> None:
    with pytest.raises(MemlocError, match="train alone"):
        FilesSource("x", {"train": ("a",), "test": ("b",)}, ("text",), pool=True)
