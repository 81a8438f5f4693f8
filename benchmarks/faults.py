"""The faults of ``benchmarks.survival``: each starts the run of a world, disturbs it, and says what happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.survival import EVERY_EPOCH, World, inherited

Fault = Callable[[World, random.Random, float], str]

JUMPING_CLOCK = """
import random, time
_true, _draw = time.time, random.Random({seed})
def _jumping():
    return _true() + _draw.choice([0, 0, 3600, -3600, 86400 * 365, -86400 * 365])
time.time, time.time_ns = _jumping, lambda: int(_jumping() * 1e9)
"""
NO_MEMORY = """
import torch
_left, _plain = [{calls}], torch.nn.Linear.forward
def _short(self, input):
    _left[0] -= 1
    if _left[0] == 0:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return _plain(self, input)
torch.nn.Linear.forward = _short
"""
# everything that a run loads is loaded by a smaller run, since another user may not read where Python lies
AS_USER = """
import os, pathlib, tempfile, yaml, memloc.cli as cli
_own, _asked = os.environ["MEMLOC_HOME"], yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())
_asked["training"]["epochs"] = 1
with tempfile.TemporaryDirectory() as _scratch:
    pathlib.Path(_scratch, "small.yml").write_text(yaml.safe_dump(_asked))
    os.environ["MEMLOC_HOME"] = _scratch
    cli.main(["run", "--profile", _scratch + "/small.yml", "--device", "cpu", "--threads", "1"])
    cli.main(["results", "--profile", _scratch + "/small.yml", "--release", _scratch + "/results"])
os.environ["MEMLOC_HOME"] = _own
os.umask(0o002)
os.setgroups([{group}])
os.setgid({group})
os.setuid({user})
"""
USERS, GROUP = (54001, 54002), 54000
CALLS = 6900  # of linear layers in the undisturbed run, some


def killed(world: World, draw: random.Random, seconds: float) -> str:
    """Killed with -9 at a random moment; every other try writes resume points after each epoch."""
    return kill_at(world, EVERY_EPOCH if draw.random() < 0.5 else "", draw.uniform(0, seconds))


def kill_at(world: World, before: str, moment: float) -> str:
    """Start the run, kill it after so many seconds, and say what it was at."""
    running = world.start(world.command(before), start_new_session=True)
    try:
        running.wait(moment)
        return "finished before"
    except subprocess.TimeoutExpired:
        kill_all(running)
    return at_work(world)


def kill_all(running: subprocess.Popen[str]) -> None:
    """Kill a process with all that it started."""
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def wait_for_work(world: World, seconds: float) -> None:
    """Wait until a run makes its first artefact, for so long at most."""
    end = time.monotonic() + seconds
    while not list((world.home / "store").rglob("*.partial")) and time.monotonic() < end:
        time.sleep(0.01)


def at_work(world: World) -> str:
    """What a killed run was making: the kind of the unfinished artefact, with resume state or without."""
    folders = [path for path in (world.home / "store").rglob("*.partial") if path.is_dir()]
    if not folders:
        done = len(list((world.home / "store").rglob("manifest.json")))
        return "between artefacts" if done else "before the first artefact"
    resumable = any((path / "resume").is_dir() for path in folders)
    return f"{folders[0].parent.name}{', with a resume point' if resumable else ''}"


def worker_killed(world: World, draw: random.Random, seconds: float) -> str:
    """A worker process killed, as a machine out of memory does it; the main process reports it."""
    command = [sys.executable, "-m", "memloc.cli", "run", "--profile", str(world.profile), "--device", "cpu"]
    running = world.start([*command, "--workers", "2"])
    moment = draw.uniform(0, seconds / 2)
    wait_for_work(world, 3 * seconds)
    time.sleep(moment)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    if not workers:
        running.wait()
        return "finished before"
    os.kill(workers[0], signal.SIGKILL)
    status = running.wait()
    return f"status {status}, {'told' if 'its process was killed' in world.told() else 'not told'}"


def clock(world: World, draw: random.Random, seconds: float) -> str:
    """The clock jumps by hours and years all the time; a kill in the middle, then all files are from other years."""
    kill_at(world, JUMPING_CLOCK.format(seed=draw.randrange(10**6)) + EVERY_EPOCH, draw.uniform(0, seconds))
    files = [path for path in world.home.rglob("*") if path.is_file()]
    for path in files:
        moment = time.time() + draw.choice([-1, 1]) * draw.uniform(0, 10 * 365 * 86400)
        os.utime(path, (moment, moment))
    return f"{at_work(world)}; times of all files changed"


def read_only(world: World, draw: random.Random, seconds: float) -> str:
    """The home of a killed run, then the folder of results, cannot be written: each is told, and nothing changes."""
    kill_at(world, EVERY_EPOCH, draw.uniform(0, seconds))
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    told = []
    for folder in (world.home, world.release.parent):
        before, said = snapshot(folder), len(world.told())
        status = world.start(["unshare", "-rm", "sh", "-c", mount, str(folder), *world.command()]).wait()
        refused = "refused" if "no permission for" in world.told()[said:] else "not told"
        ended = "nothing to write" if status == 0 else refused  # a finished home is only read
        told.append(ended if snapshot(folder) == before else f"status {status}, changed")
    return f"home: {told[0]}; results: {told[1]}"


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def full_disk(world: World, draw: random.Random, seconds: float) -> str:
    """The disk is full at a random size; the store that was reached is what the next run finds."""
    world.home.mkdir()
    size = draw.randrange(20, 600)  # KiB; the finished home has some 460
    script = (
        'mount -t tmpfs -o size=$1k none "$0" && mkdir "$0/home" && shift && '
        'MEMLOC_HOME="$0/home" "$@"; status=$?; mount -o remount,size=1G "$0"; cp -a "$0/home/." "$OUT"; exit $status'
    )
    disk = world.folder / "disk"
    disk.mkdir()
    command = ["env", f"OUT={world.home}", "unshare", "-rm", "sh", "-c", script, str(disk), str(size), *world.command()]
    status = world.start(command).wait()
    if status == 0:
        return "space enough"
    return "told" if "no space left to write" in world.told() else f"status {status}, not told"


def no_memory(world: World, draw: random.Random, seconds: float) -> str:
    """A forward pass finds no memory on the device (simulated), at a random call."""
    status = world.run(NO_MEMORY.format(calls=draw.randrange(1, CALLS)))
    if status == 0:
        return "went on with less at a time" if "ran out of memory; trying" in world.told() else "not reached"
    return "training stopped and said what to lower" if "accepted: a device with more memory" in world.told() else "?"


def two_runs(world: World, draw: random.Random, seconds: float) -> str:
    """Two runs start on one home; one of them is killed at a random moment in every other try."""
    first = world.start(world.command(), start_new_session=True)
    time.sleep(draw.uniform(0, seconds / 2))
    second = world.start(world.command())
    if draw.random() < 0.5:
        time.sleep(draw.uniform(0, seconds / 2))
        if first.poll() is None:
            kill_all(first)
            return f"one killed, the other ended with status {second.wait()}"
    return f"ended with status {first.wait()} and {second.wait()}"


def two_users(world: World, draw: random.Random, seconds: float) -> str:
    """A user's run is killed at a random moment and another user of the same group goes on with it, in their home."""
    for folder in (world.home, world.release.parent):
        folder.mkdir(parents=True)
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2775)
    (world.folder / "told").touch()
    moment = draw.uniform(0, seconds)
    first, second = (world.start(world.command(EVERY_EPOCH + AS_USER.format(user=user, group=GROUP))) for user in USERS)
    wait_for_work(world, 5 * seconds)
    time.sleep(moment)
    first.kill()
    first.wait()
    status = second.wait()
    owners = {path.stat().st_uid for path in (world.home / "store").rglob("*")}
    return f"the second user's run ended with status {status}; files are of {len(owners & set(USERS))} users"


def possible(name: str) -> str:
    """Why a fault cannot be tried here; empty if it can."""
    if name == "two_users" and os.geteuid() != 0:
        return "only root can be two users"
    if name in ("read_only", "full_disk"):
        done = subprocess.run(["unshare", "-rm", "true"], capture_output=True, env=inherited())
        return "no namespaces for mounts of one's own" if done.returncode else ""
    return ""


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "worker_killed": worker_killed,
    "clock": clock,
    "read_only": read_only,
    "full_disk": full_disk,
    "no_memory": no_memory,
    "two_runs": two_runs,
    "two_users": two_users,
}
