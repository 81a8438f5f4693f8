"""Models from a hub: fetched over HTTP from a small local one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

sys.path.insert(0, str(Path(__file__).parents[1]))

from hub_server import Client, Hub
from memloc.errors import MemlocError
from memloc.models.hub import resolved_revision

CONFIG = b'{"model_type": "bert"}'
WEIGHTS = save({"layer": np.arange(6000, dtype=np.float32)})
MODEL = {"config.json": CONFIG, "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}


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


def test_only_data_is_fetched(hub: Hub, client: Client) -> None:
    extra = {"pytorch_model.bin": b"pickle", "modeling.py": b"raise SystemExit", "1_Pooling/config.json": b"{}"}
    commit = hub.publish("models/own/good", MODEL | extra)
    answer = client.call("fetch_model", repo="own/good", revision="main")
    assert answer["commit"] == commit
    assert answer["files"] == sorted(MODEL)
    assert (Path(answer["folder"]) / "model.safetensors").read_bytes() == WEIGHTS
    assert not [request for request in hub.requests if request.endswith((".bin", ".py"))]


def test_pickles_are_no_weights(hub: Hub, client: Client) -> None:
    hub.publish("models/own/pickled", {"config.json": CONFIG, "pytorch_model.bin": b"pickle"})
    converted = hub.publish("models/own/pickled", MODEL, branch="refs/pr/3")
    error = client.call("fetch_model", repo="own/pickled", revision="main")["error"]
    assert "pytorch_model.bin" in error
    assert "refs/pr/" in error
    assert client.call("fetch_model", repo="own/pickled", revision="refs/pr/3")["commit"] == converted


def test_missing_repository_revision_and_bad_name(client: Client, hub: Hub) -> None:
    hub.publish("models/own/there", MODEL)
    assert "own/absent@main" in client.call("fetch_model", repo="own/absent", revision="main")["error"]
    assert "pin another one" in client.call("fetch_model", repo="own/there", revision="0" * 40)["error"]
    assert "branch or tag" in client.call("fetch_model", repo="own/there", revision="v9")["error"]
    assert "owner/name" in client.call("fetch_model", repo="a/b/c", revision="main")["error"]


def test_shortened_weights_are_refused(hub: Hub, client: Client) -> None:
    hub.publish("models/own/short", MODEL | {"model.safetensors": WEIGHTS[:-100]})
    assert "whole safetensors file" in client.call("fetch_model", repo="own/short", revision="main")["error"]


def test_cut_download_leaves_nothing_that_counts(hub: Hub, client: Client, home: Path) -> None:
    commit = hub.publish("models/own/cut", MODEL)
    hub.cut(after=0, times=10**6)
    error = client.call("fetch_model", repo="own/cut", revision=commit)["error"]
    assert "run again" in error
    with Client(hub.endpoint, home, HF_HUB_OFFLINE="1") as offline:
        assert "HF_HUB_OFFLINE" in offline.call("fetch_model", repo="own/cut", revision=commit)["error"]
        hub.cut(after=0, times=0)
        assert client.call("fetch_model", repo="own/cut", revision=commit)["commit"] == commit
        assert offline.call("fetch_model", repo="own/cut", revision=commit)["commit"] == commit
        assert "built-in" in offline.call("fetch_model", repo="own/never", revision="main")["error"]


def test_resolved_revision_wants_a_snapshot(tmp_path: Path) -> None:
    with pytest.raises(MemlocError, match="fetch_model returned"):
        resolved_revision(tmp_path)
