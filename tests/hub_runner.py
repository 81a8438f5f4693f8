"""The process behind `hub_server.Client`: one JSON request a line in, one JSON answer a line out."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from memloc.errors import MemlocError

ANSWERS, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print must not mix with answers
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.01))  # waits between retries, as short as a test can bear


def load_hub(spec: dict[str, Any], expected: dict[str, Any] | None = None) -> dict[str, Any]:
    """Load a task; ``spec`` holds the fields of TaskSpec and, under ``hub``, those of HubSource."""
    from memloc.data.hub import load_hub
    from memloc.data.specs import HubSource, TaskSpec

    hub = HubSource(**{**spec.pop("hub"), "labels": spec.pop("hub_labels", None)})
    raw = load_hub(TaskSpec(title="of a test", group="topic", licence="MIT", hub=hub, **spec), expected)
    splits = {name: frame.to_dict("list") for name, frame in raw.splits.items()}
    return {"splits": splits, "fingerprint": raw.fingerprint, "notes": list(raw.notes)}


def fetch_model(repo: str, revision: str) -> dict[str, Any]:
    """Fetch a model and list what came."""
    from memloc.models.hub import fetch_model, resolved_revision

    folder = fetch_model(repo, revision)
    return {
        "folder": str(folder),
        "commit": resolved_revision(folder),
        "files": sorted(p.name for p in folder.iterdir()),
    }


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        function = {"load_hub": load_hub, "fetch_model": fetch_model}[request.pop("function")]
        try:
            answer = function(**request)
        except MemlocError as error:
            answer = {"error": str(error), "cause": type(error.__cause__).__name__}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
