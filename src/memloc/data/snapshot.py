"""Files of one commit of one repository on the hub: fetched whole, or not at all.

The one place that talks to a hub (``HF_ENDPOINT``), for data sets and models alike. Everything that can go wrong there
ends in one MemlocError that says what to do. `huggingface_hub` writes a file under a temporary name and renames it when
its size is right, and records what a commit holds, so a download that was cut short is never taken for complete.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from memloc.errors import MemlocError

ATTEMPTS = 2  # of a whole snapshot; within each one a cut file is resumed several times
INSTEAD = {"dataset": "source files or generated", "model": "a model from a local folder or a built-in one"}


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which names the same files for ever."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def fetch_snapshot(kind: str, repo: str, revision: str, patterns: Sequence[str]) -> Path:
    """The files of a commit that match any pattern, from the cache or the hub.

    Nothing is asked of the hub for a commit whose wanted files are all cached, so that works offline. A branch or tag
    is looked up at every call while the hub can be reached; else the commit it last stood for is used.

    Args:
        kind: ``dataset`` or ``model``.
        repo: ``owner/name``.
        revision: commit (preferred), tag or branch.
        patterns: `fnmatch` patterns of wanted paths; ``*`` also matches ``/``.

    Returns:
        A folder named by the full commit hash. It may lack a pattern's files where the commit has none.

    Raises:
        MemlocError: naming repository and revision, and what to do.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    with _told(kind, repo, revision):
        resolved = HfApi().resolve_revision(repo, repo_type=kind, revision=revision)
        if not cached_paths(kind, repo, resolved.resolved):
            # asked once: without a connection the listing itself would be tried for half a minute
            HfApi().repo_info(repo, repo_type=kind, revision=resolved.resolved)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return Path(snapshot_download(repo, repo_type=kind, revision=resolved, allow_patterns=list(patterns)))
            except HTTPError as error:
                if isinstance(error, HfHubHTTPError) or attempt == ATTEMPTS:
                    raise
                time.sleep(1)
    raise AssertionError("unreachable: the last attempt returns or raises")


def cached_paths(kind: str, repo: str, commit: str) -> list[str]:
    """All paths that the commit holds, as a former fetch recorded them; empty where none did."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return sorted(entry.path for entry in get_cached_repo_tree(repo, repo_type=kind, revision=commit))
    except CachedRepoTreeNotFoundError:
        return []


def digest(path: Path) -> str:
    """SHA-256 of a fetched file, compared with the one that names its blob where the hub stores it by SHA-256.

    Raises:
        MemlocError: if the cached file is not what the hub announced.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    announced = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", announced) and announced != found:
        raise MemlocError("cached hub file", path.name, f"SHA-256 {announced}; delete {path.resolve()} and run again")
    return found


@contextmanager
def _told(kind: str, repo: str, revision: str) -> Iterator[None]:
    """Translate what the hub's client raises into one MemlocError each."""
    from huggingface_hub import constants, errors

    thing, what = f"hub {kind}", f"{repo}@{revision}"
    reachable = f"set HF_ENDPOINT to a hub that can be reached, or choose {INSTEAD[kind]}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise MemlocError(thing, what, "a repository whose terms you accepted on the hub, with HF_TOKEN set") from error
    except errors.RepositoryNotFoundError as error:
        raise MemlocError(thing, what, f"a public repository of {constants.ENDPOINT}, or HF_TOKEN set") from error
    except errors.RevisionNotFoundError as error:
        gone = "a revision that the repository has; " + (
            "this pinned commit is gone: pin another one and raise the entry's version"
            if is_commit(revision)
            else "check the name of the branch or tag"
        )
        raise MemlocError(thing, what, gone) from error
    except errors.HFValidationError as error:
        raise MemlocError(thing, what, "a repository id such as owner/name") from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, errors.RevisionResolutionError) as error:
        offline = "unset HF_HUB_OFFLINE" if constants.HF_HUB_OFFLINE else "check the connection"
        raise MemlocError(
            thing, what, f"a complete copy in the cache, which has none: {offline}, {reachable}"
        ) from error
    except (errors.HTTPError, OSError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        again = f"a hub that answers to the end ({reason}); nothing half-fetched is kept: run again, {reachable}"
        raise MemlocError(thing, what, again) from error
