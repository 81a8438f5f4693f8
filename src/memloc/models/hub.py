"""Pretrained models from the hub: configuration, tokenizer and safetensors of one commit, and nothing that can run."""

from __future__ import annotations

from pathlib import Path

from memloc.data.snapshot import cached_paths, fetch_snapshot, is_commit
from memloc.errors import MemlocError

# no *.bin (pickles) and no *.py: fetching a model must never bring code along
PATTERNS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
)


def fetch_model(repo: str, revision: str) -> Path:
    """The folder of a model at a revision, from the cache or the hub; named by the commit.

    Args:
        repo: ``owner/name``.
        revision: commit (preferred), tag or branch; ``refs/pr/N`` reaches a proposed conversion to safetensors.

    Raises:
        MemlocError: if it cannot be had, holds no ``config.json`` or no safetensors at that revision.
    """
    folder = fetch_snapshot("model", repo, revision, PATTERNS)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise _no_safetensors(repo, revision, folder.name)
    if not (folder / "config.json").is_file():
        raise MemlocError("hub model", f"{repo}@{revision}", "a repository with a config.json")
    for path in weights:
        _check_whole(path)
    return folder


def resolved_revision(folder: Path) -> str:
    """The commit that a folder from `fetch_model` holds.

    Raises:
        MemlocError: for a folder that is no snapshot of a hub's repository.
    """
    if not is_commit(folder.name):
        raise MemlocError("folder of a hub model", str(folder), "a folder that fetch_model returned")
    return folder.name


def _no_safetensors(repo: str, revision: str, commit: str) -> MemlocError:
    pickles = [p for p in cached_paths("model", repo, commit) if p.endswith((".bin", ".pt", ".pth", ".h5", ".msgpack"))]
    has = f"; it has only {', '.join(pickles)}, which is never loaded" if pickles else ""
    wanted = f"a revision with safetensors, such as refs/pr/N of the hub's own conversion, or a converted copy{has}"
    return MemlocError("weights of hub model", f"{repo}@{revision}", wanted)


def _check_whole(path: Path) -> None:
    """Refuse a file whose length is not what its header says, before half a model is trained on."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        accepted = f"a whole safetensors file; delete {path.resolve()} and run again"
        raise MemlocError("weights of hub model", path.name, accepted) from error
