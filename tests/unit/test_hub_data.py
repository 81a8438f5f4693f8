"""The hub source over HTTP against a small local hub; rows are made up here.

The hub's client reads its settings when imported, so every client is a process of its own; most tests share one.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from hub_server import Client, Hub

WORDS = ("stone", "river", "lamp", "field", "wheel", "cloud", "brick")


def parquet(rows: int, start: int = 0, names: list[str] | None = None, **columns: list[Any]) -> bytes:
    """A file with ``text`` and ``label``; ``names`` are declared as the hub's libraries declare class labels."""
    values = {
        "text": [f"{WORDS[i % 7]} {WORDS[i * i % 5]} {i}" for i in range(start, start + rows)],
        "label": [i % 2 for i in range(start, start + rows)],
        **columns,
    }
    table = pa.table(values)
    if names:
        features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


FILES = {
    "README.md": b"# made up\n",
    "data/train-00000-of-00002.parquet": parquet(40, 0),
    "data/train-00001-of-00002.parquet": parquet(30, 40),
    "data/test-00000-of-00001.parquet": parquet(20, 70),
}


def task(repo: str, revision: str = "main", labels: tuple[str, ...] = ("even", "odd"), **hub: Any) -> dict[str, Any]:
    source = {
        "repo": repo,
        "revision": revision,
        "splits": {"train": "train", "test": "test"},
        "columns": {"part1": "text", "label": "label"},
    }
    fields = {"drop_labels": hub.pop("drop_labels", ())}
    return {"name": "made-up", "labels": labels, "hub": source | hub, **fields}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(hub: Hub, home: Path) -> Iterator[Client]:
    with Client(hub.endpoint, home) as running:
        yield running


@pytest.fixture(scope="module")
def offline(hub: Hub, home: Path) -> Iterator[Client]:
    with Client(hub.endpoint, home, HF_HUB_OFFLINE="1") as running:
        yield running


@pytest.fixture(autouse=True)
def _connected(hub: Hub) -> Iterator[None]:
    yield
    hub.cut(after=0, times=0)  # a test that failed in the middle must not fail the next ones


def load(client: Client, spec: dict[str, Any], expected: dict[str, Any] | None = None) -> dict[str, Any]:
    return client.call("load_hub", spec=spec, expected=expected)


def error(client: Client, spec: dict[str, Any], expected: dict[str, Any] | None = None) -> str:
    message = load(client, spec, expected)["error"]
    assert "\n" not in message, "an error is one line"
    return str(message)


def test_rows_come_in_order_with_commit_and_hashes(hub: Hub, client: Client) -> None:
    commit = hub.publish("datasets/own/good", FILES)
    answer = load(client, task("own/good"))
    train = answer["splits"]["train"]
    assert train["idx"] == list(range(70))
    assert train["label"] == [i % 2 for i in range(70)]
    assert [parts[0].split()[-1] for parts in train["parts"]] == [str(i) for i in range(70)]
    assert answer["splits"]["test"]["parts"][0][0].endswith(" 70")
    assert answer["fingerprint"]["commit"] == commit
    assert sorted(answer["fingerprint"]["files"]) == sorted(path for path in FILES if path.endswith(".parquet"))


def test_a_cached_commit_asks_nothing_of_the_hub(hub: Hub, client: Client) -> None:
    commit = hub.publish("datasets/own/pinned", FILES)
    first = load(client, task("own/pinned", commit))
    asked = len(hub.requests)
    assert load(client, task("own/pinned", commit)) == first
    assert len(hub.requests) == asked


def test_labels_go_by_the_names_that_files_declare(hub: Hub, client: Client) -> None:
    files = {"train.parquet": parquet(10, names=["odd", "even"]), "test.parquet": parquet(4, names=["odd", "even"])}
    hub.publish("datasets/own/declared", files)
    assert load(client, task("own/declared"))["splits"]["train"]["label"] == [1, 0] * 5
    wrong = error(client, task("own/declared", labels=("even", "prime")))
    assert "'odd'" in wrong
    assert "even, prime" in wrong


def test_readme_says_which_files_and_names(hub: Hub, client: Client) -> None:
    readme = b"""---
configs:
- config_name: other
  data_files: [{split: train, path: elsewhere/*}]
- config_name: mine
  data_files:
  - {split: train, path: 'mine/part-*'}
  - {split: test, path: [mine/held-1.parquet]}
dataset_info:
- config_name: other
  features: [{name: label, dtype: {class_label: {names: {'0': a, '1': b}}}}]
- config_name: mine
  features: [{name: label, dtype: {class_label: {names: {'0': odd, '1': even}}}}]
---
"""
    files = {"mine/part-1.parquet": parquet(6), "mine/held-1.parquet": parquet(4), "elsewhere/x.parquet": parquet(3)}
    hub.publish("datasets/own/configs", {"README.md": readme, **files})
    answer = load(client, task("own/configs", config="mine"))
    assert answer["splits"]["train"]["label"] == [1, 0] * 3
    assert len(answer["splits"]["test"]["idx"]) == 4
    assert not [request for request in hub.requests if "elsewhere" in request]


def test_converted_branch_booleans_and_dropped_labels(hub: Hub, client: Client) -> None:
    files = {"part/train/0000.parquet": parquet(4, label=[True, False, True, False])}
    hub.publish("datasets/own/converted", files, branch="refs/convert/parquet")
    train = {"folder": "part", "splits": {"train": "train"}}
    yes_no = task("own/converted", "refs/convert/parquet", ("False", "True"), **train)
    assert load(client, yes_no)["splits"]["train"]["label"] == [1, 0, 1, 0]

    files = {"part/train/0000.parquet": parquet(4, label=[0, 2, 1, 0], names=["no", "yes", "skip"])}
    hub.publish("datasets/own/dropped", files, branch="refs/convert/parquet")
    answer = load(client, task("own/dropped", "refs/convert/parquet", ("yes", "no"), drop_labels=("skip",), **train))
    assert answer["splits"]["train"]["label"] == [1, 0, 1]
    assert answer["splits"]["train"]["idx"] == [0, 2, 3]
    assert answer["notes"] == ["1 rows of train have a label that the task leaves out."]


def test_rows_with_exactly_one_known_topic(hub: Hub, client: Client) -> None:
    topics = [["corn"], ["corn", "rye"], [], ["rye"], ["oil"]]
    hub.publish("datasets/own/topics", {"all.parquet": parquet(5, label=topics)})
    spec = task("own/topics", labels=("corn", "rye"), splits={"train": "train"}, single_label=True)
    assert load(client, spec)["splits"]["train"]["idx"] == [0, 3]


def test_csv_keeps_words_that_look_like_nothing(hub: Hub, client: Client) -> None:
    hub.publish("datasets/own/csv", {"train.csv": b"text,label\nNone,1\nNA,0\n", "test.csv": b"text,label\nx,0\n"})
    answer = load(client, task("own/csv"))
    assert answer["splits"]["train"]["parts"] == [["None"], ["NA"]]
    assert answer["splits"]["train"]["label"] == [1, 0]


def test_missing_repository_revision_and_commit(hub: Hub, client: Client) -> None:
    hub.publish("datasets/own/there", FILES)
    assert "own/absent@main" in error(client, task("own/absent"))
    assert "branch or tag" in error(client, task("own/there", "v7"))
    assert "pinned commit is gone" in error(client, task("own/there", "0" * 40))
    assert "owner/name" in error(client, task("a/b/c"))


def test_changed_revision_is_refused_with_both_commits(hub: Hub, client: Client) -> None:
    old = hub.publish("datasets/own/moving", FILES)
    fingerprint = load(client, task("own/moving"))["fingerprint"]
    new = hub.publish("datasets/own/moving", {**FILES, "data/test-00000-of-00001.parquet": parquet(21, 70)})
    message = error(client, task("own/moving"), fingerprint)
    assert old in message
    assert new in message
    assert load(client, task("own/moving", old), fingerprint)["fingerprint"] == fingerprint
    assert load(client, task("own/moving"))["fingerprint"]["commit"] == new
    altered = {**fingerprint, "files": dict.fromkeys(fingerprint["files"], "0" * 64)}
    assert "now means files" in error(client, task("own/moving", old), altered)


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_that_ends_is_survived(hub: Hub, client: Client, reset: bool) -> None:
    hub.publish(f"datasets/own/hiccup{reset}", FILES)
    hub.cut(after=700, times=1, reset=reset)
    assert len(load(client, task(f"own/hiccup{reset}"))["splits"]["train"]["idx"]) == 70
    assert hub.cuts_left == 0, "the connection was never cut"


def test_a_cut_that_stays_ends_in_one_error_and_the_next_call_succeeds(
    hub: Hub, client: Client, offline: Client, home: Path
) -> None:
    commit = hub.publish("datasets/own/cut", FILES)
    hub.cut(after=500, times=10**6)
    message = error(client, task("own/cut", commit))
    assert "run again" in message
    kept = [path.read_bytes() for path in (home / "hub" / "datasets--own--cut" / "blobs").iterdir()]
    assert kept == [FILES["README.md"]], "a part of a file was kept"
    assert "complete copy" in error(offline, task("own/cut", commit)), "a cut download was taken for complete"
    hub.cut(after=0, times=0)
    assert len(load(client, task("own/cut", commit))["splits"]["train"]["idx"]) == 70
    assert len(load(offline, task("own/cut", commit))["splits"]["train"]["idx"]) == 70


def test_offline_uses_the_cached_revision_or_says_what_to_do(hub: Hub, client: Client, offline: Client) -> None:
    old = hub.publish("datasets/own/kept", FILES)
    before = load(client, task("own/kept"))
    newer = hub.publish("datasets/own/kept", {**FILES, "data/test-00000-of-00001.parquet": parquet(22, 70)})
    assert load(offline, task("own/kept")) == before
    load(client, task("own/kept", newer))
    # the newest in the cache is not what the pinned one means
    assert load(offline, task("own/kept", old))["fingerprint"]["commit"] == old
    for spec in (task("own/nowhere"), task("own/nowhere", "1" * 40)):
        message = error(offline, spec)
        assert "HF_HUB_OFFLINE" in message
        assert "HF_ENDPOINT" in message
        assert "files or generated" in message


def test_no_connection_is_like_offline(hub: Hub, client: Client, home: Path) -> None:
    commit = hub.publish("datasets/own/alone", FILES)
    before = load(client, task("own/alone"))
    with Client("http://127.0.0.1:9", home) as unreachable:
        assert load(unreachable, task("own/alone")) == before
        assert load(unreachable, task("own/alone", commit)) == before
        message = error(unreachable, task("own/unseen", "2" * 40))
        assert "HF_ENDPOINT" in message
        assert "HF_HUB_OFFLINE" not in message


def test_a_script_is_refused_and_never_fetched(hub: Hub, client: Client) -> None:
    hub.publish("datasets/own/script", {"script.py": b"raise SystemExit('run')", "README.md": b"---\na: 1\n---\n"})
    message = error(client, task("own/script"))
    assert "script.py" in message
    assert "refs/convert/parquet" in message
    assert not [request for request in hub.requests if request.endswith(".py")]


def test_columns_labels_and_splits_are_checked(hub: Hub, client: Client) -> None:
    hub.publish("datasets/own/odd", {**FILES, "data/train-00001-of-00002.parquet": parquet(3, label=[0, 7, 1])})
    message = error(client, task("own/odd"))
    assert "row 41" in message
    assert "7" in message
    message = error(client, task("own/odd", columns={"part1": "sentence", "label": "label"}))
    assert "'sentence'" in message
    assert "text" in message
    message = error(client, task("own/odd", splits={"train": "train", "validation": "dev"}))
    assert "split dev" in message
    assert "data/test-00000-of-00001.parquet" in message
    hub.publish("datasets/own/unlabelled", {**FILES, "data/test-00000-of-00001.parquet": parquet(2, label=[-1, -1])})
    assert "-1" in error(client, task("own/unlabelled"))


def test_files_that_are_not_what_they_say(hub: Hub, client: Client, home: Path) -> None:
    hub.publish("datasets/own/broken", {**FILES, "data/test-00000-of-00001.parquet": b"PAR1 but not really"})
    assert "readable parquet" in error(client, task("own/broken"))
    unique = {**FILES, "data/test-00000-of-00001.parquet": parquet(9, 5000)}
    commit = hub.publish("datasets/own/flipped", unique)
    load(client, task("own/flipped", commit))
    folder = home / "hub" / "datasets--own--flipped" / "snapshots" / commit
    blob = (folder / "data/test-00000-of-00001.parquet").resolve()
    data = bytearray(blob.read_bytes())
    data[100] ^= 1
    blob.write_bytes(data)
    assert "SHA-256" in error(client, task("own/flipped", commit))
