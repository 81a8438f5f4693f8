"""Several processes and the store: two writers, the lock, a killed writer, what nobody owns any more."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memloc.disk import Disk, Lock
from memloc.errors import MemlocError
from memloc.store import RESUME, Store

CONFIG = {"task": "toy", "seed": 1}
FORK = multiprocessing.get_context("fork")


def make_toy(folder: Path) -> None:
    (folder / "table.bin").write_bytes(bytes(range(256)) * 8)


def snapshot(root: Path) -> dict[str, bytes]:
    """Everything below a folder; of the sidecar only that it is there."""
    names = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*"))}
    return {n: path.read_bytes() if path.is_file() and path.name != "run.json" else b"" for n, path in names.items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """A lock that is never free again must fail a test, not hang it."""
    signal.alarm(60)
    yield
    signal.alarm(0)


def _contend(root: Path, counter: Path, barrier: object, results: object) -> None:
    def make(folder: Path) -> None:
        with counter.open("a") as stream:
            stream.write("made\n")
        time.sleep(0.2)
        make_toy(folder)

    barrier.wait()  # type: ignore[attr-defined]
    artefact = Store(root).get_or_make("toy", CONFIG, make)
    results.put(artefact.file("table.bin").read_bytes())  # type: ignore[attr-defined]


def test_of_several_writers_one_makes_and_all_get_the_same(tmp_path: Path) -> None:
    barrier, results, counter = FORK.Barrier(3), FORK.Queue(), tmp_path / "counter"
    workers = [FORK.Process(target=_contend, args=(tmp_path / "home", counter, barrier, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    got = [results.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert counter.read_text() == "made\n"
    assert len(set(got)) == 1
    Store(tmp_path / "alone").get_or_make("toy", CONFIG, make_toy)
    assert snapshot(tmp_path / "home") == snapshot(tmp_path / "alone")


def _count_under_lock(path: Path, number: Path, times: int) -> None:
    for _ in range(times):
        with Lock(path, Disk()):
            number.write_text(str(int(number.read_text()) + 1))


def test_the_lock_excludes_although_its_file_comes_and_goes(tmp_path: Path) -> None:
    number, path = tmp_path / "number", tmp_path / "x.lock"
    number.write_text("0")
    workers = [FORK.Process(target=_count_under_lock, args=(path, number, 150)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert number.read_text() == "600"
    assert not path.exists()


def test_sweep_leaves_a_running_writer_alone(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    swept: list[Path] = []

    def make(folder: Path) -> None:
        (folder / RESUME).mkdir()
        swept.extend(store.sweep())
        make_toy(folder)

    folder = store.root / "store" / "v1" / "toy"
    folder.mkdir(parents=True)
    lost = [folder / ("0" * 20 + ".partial"), folder / ("1" * 20 + ".lock")]
    lost[0].mkdir()
    (lost[0] / "half").write_text("x")
    lost[1].touch()
    with caplog.at_level(logging.WARNING):
        artefact = store.get_or_make("toy", CONFIG, make)
    assert swept == lost
    assert os.listdir(folder) == [artefact.key]
    assert store.sweep() == []


STEPS = """
import os, sys, time
from pathlib import Path
from memloc.store import RESUME, Store

def make(folder):
    state = folder / RESUME / "state"
    done = int(state.read_text()) if state.exists() else 0
    print("from step", done, flush=True)
    state.parent.mkdir(exist_ok=True)
    (folder / "half").write_text("x")
    for step in range(done, 4):
        if step == 2 and sys.argv[2] == "hang":
            print("ready", flush=True)
            time.sleep(60)
        state.with_suffix(".new").write_text(str(step + 1))
        os.replace(state.with_suffix(".new"), state)
    (folder / "half").unlink()
    (folder / "table.bin").write_bytes(bytes(4))

Store(Path(sys.argv[1])).get_or_make("toy", {"task": "toy", "seed": 1}, make)
"""


def _run_steps(home: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", STEPS, str(home), mode], stdout=subprocess.PIPE, text=True)


def test_a_killed_process_is_taken_up_where_it_was(tmp_path: Path) -> None:
    killed = _run_steps(tmp_path / "home", "hang")
    assert killed.stdout is not None
    assert [killed.stdout.readline(), killed.stdout.readline()] == ["from step 0\n", "ready\n"]
    store = Store(tmp_path / "home")
    assert store.find("toy", CONFIG) is None
    waiting = _run_steps(tmp_path / "home", "run")  # the second one waits, and goes on when the first is gone
    time.sleep(0.3)
    assert waiting.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert waiting.communicate()[0] == "from step 2\n"
    assert _run_steps(tmp_path / "alone", "run").communicate()[0] == "from step 0\n"
    assert snapshot(tmp_path / "home") == snapshot(tmp_path / "alone") != {}
    assert store.sweep() == []


def test_what_a_killed_process_leaves_can_be_swept(tmp_path: Path) -> None:
    killed = _run_steps(tmp_path / "home", "hang")
    assert killed.stdout is not None
    killed.stdout.readline(), killed.stdout.readline()
    store = Store(tmp_path / "home")
    assert store.sweep() == [], "it is still at work"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert [path.suffix for path in store.sweep()] == [".lock", ".partial"]
    assert os.listdir(tmp_path / "home" / "store" / "v1" / "toy") == []


def test_a_stale_lock_file_locks_nobody_out(store: Store) -> None:
    artefact = store.get_or_make("toy", CONFIG, make_toy)
    before = snapshot(store.root)
    stale = artefact.path.with_suffix(".lock")
    stale.write_text("4711")
    store.get_or_make("toy", CONFIG, make_toy)
    assert snapshot(store.root) == before
    stale.write_text("4711")
    artefact.file("table.bin").unlink()
    store.get_or_make("toy", CONFIG, make_toy)
    assert snapshot(store.root) == before


def test_a_child_that_lives_on_does_not_keep_the_lock(tmp_path: Path) -> None:
    class Stuck(Disk):
        def remove(self, path: Path) -> None:
            raise PermissionError(1, "no", str(path))

    lock = Lock(tmp_path / "x.lock", Stuck())  # the file stays, so the next one meets the child's descriptor
    assert lock.acquire()
    child = FORK.Process(target=time.sleep, args=(30,))
    child.start()
    lock.release()
    try:
        assert (tmp_path / "x.lock").exists()
        assert Lock(tmp_path / "x.lock", Disk()).acquire(wait=False)
    finally:
        child.kill()
        child.join()


def test_a_lock_in_use_is_not_waited_for_when_asked_not_to(tmp_path: Path) -> None:
    with Lock(tmp_path / "x.lock", Disk()):
        assert not Lock(tmp_path / "x.lock", Disk()).acquire(wait=False)
        assert (tmp_path / "x.lock").exists()
    assert os.listdir(tmp_path) == []
    with pytest.raises(MemlocError, match=r"none/x\.lock"):
        Lock(tmp_path / "none" / "x.lock", Disk()).acquire()
