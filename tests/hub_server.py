"""A small hub on 127.0.0.1: the part of the Hugging Face hub's HTTP interface that fetching files needs.

Point ``HF_ENDPOINT`` at `Hub.endpoint`. Repositories hold commits, branches point at commits, and switches break things
on purpose: connections cut in the middle of a file, commits that vanish, branches that move.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

RUNNER = Path(__file__).with_name("hub_runner.py")
SOURCES = Path(__file__).parents[1] / "src"


class Hub:
    """The state of the hub and the server that shows it; a context manager."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}  # "datasets/owner/name" -> commit -> path -> bytes
        self.branches: dict[str, dict[str, str]] = {}
        self.requests: list[str] = []
        self.cut_after: int | None = None  # bytes of a parquet or safetensors body before the connection goes
        self.cuts_left = 0
        self.reset = False  # whether a cut is a reset instead of an early end

    def publish(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Add a commit, let the branch point at it, and return its hash."""
        seed = json.dumps([repo, branch, {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}])
        commit = hashlib.sha1(seed.encode()).hexdigest()
        self.commits.setdefault(repo, {})[commit] = files
        self.branches.setdefault(repo, {})[branch] = commit
        return commit

    def cut(self, after: int, times: int, reset: bool = False) -> None:
        """Cut the next ``times`` downloads of large files: the first after so many bytes, the others at once."""
        self.cut_after, self.cuts_left, self.reset = after, times, reset

    def __enter__(self) -> Hub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:  # the tests read `Hub.requests` instead
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {unquote(path)}")
        # split before unquoting: a revision such as refs/convert/parquet comes as one quoted piece
        pieces = [unquote(piece) for piece in path.strip("/").split("/")]
        if pieces[0] == "api" and len(pieces) >= 4:
            repo, rest = "/".join(pieces[1:4]), pieces[4:]
            view, revision = (rest[0], rest[1]) if len(rest) > 1 else ("revision", "main")
            files = self._files(repo, revision)
            if files is not None:
                self._json(self._info(repo, *files) if view == "revision" else _tree(files[1]))
            return
        if pieces[0] != "datasets":
            pieces = ["models", *pieces]
        repo, revision, name = "/".join(pieces[:3]), pieces[4], "/".join(pieces[5:])
        files = self._files(repo, revision)
        if files is not None:
            commit, held = files
            if name in held:
                self._file(commit, name, held[name], body)
            else:
                self._missing("EntryNotFound", commit)

    def _files(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and its files; None after answering that there are none."""
        if repo not in self.hub.commits:
            return self._missing("RepoNotFound")
        commit = self.hub.branches[repo].get(revision, revision)
        if commit not in self.hub.commits[repo]:
            return self._missing("RevisionNotFound")
        return commit, self.hub.commits[repo][commit]

    def _missing(self, code: str, commit: str = "") -> None:
        self._send(404, {"X-Error-Code": code, "X-Repo-Commit": commit}, b"")

    def _json(self, value: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    @staticmethod
    def _info(repo: str, commit: str, files: dict[str, bytes]) -> dict[str, Any]:
        return {"id": repo.partition("/")[2], "sha": commit, "siblings": [{"rfilename": path} for path in files]}

    def _file(self, commit: str, name: str, data: bytes, body: bool) -> None:
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_etag(name, data)}"', "Accept-Ranges": "bytes"}
        start, status = 0, 200
        if asked := self.headers.get("Range"):
            start, status = int(asked.removeprefix("bytes=").partition("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        data = data[start:]
        if body and self.hub.cuts_left and self.hub.cut_after is not None and _large(name):
            self.hub.cuts_left -= 1
            self._send(status, headers | {"Content-Length": str(len(data))}, data[: self.hub.cut_after])
            self.hub.cut_after = 0
            self._hang_up()
        else:
            self._send(status, headers | {"Content-Length": str(len(data))}, data if body else b"")

    def _hang_up(self) -> None:
        self.wfile.flush()
        if self.hub.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def _large(name: str) -> bool:
    return name.endswith((".parquet", ".safetensors"))


def _etag(name: str, data: bytes) -> str:
    """As the hub names blobs: large files by SHA-256, the others by their git hash."""
    if _large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    entries = []
    for name, data in files.items():
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": _etag("", data)}
        if _large(name):
            entry["lfs"] = {"oid": _etag(name, data), "size": len(data), "pointerSize": 134}
        entries.append(entry)
    return entries


class Client:
    """A process that loads from a hub: its libraries read ``HF_ENDPOINT`` and ``HF_HOME`` once, when imported."""

    def __init__(self, endpoint: str, home: Path, **env: str) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_"))}
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        quiet = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
        path = {"PYTHONPATH": str(SOURCES), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean | settings | quiet | path | env,
        )

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """Call ``load_hub`` or ``fetch_model`` there; the answer holds ``error`` or what was loaded."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"function": function, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client process died; its traceback is above"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=30)
        if self.process.stdout:
            self.process.stdout.close()
