"""Checkpoints made elsewhere: found, checked, and loaded as classifiers. Safetensors only, no code from outside."""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memloc.errors import MemlocError
from memloc.models.catalogue import get_model, locate, model_names

if TYPE_CHECKING:
    import torch

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ACCEPTED = "a folder that save_pretrained wrote, a hub's owner/name, or a pretrained model that `memloc models` lists"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")


@dataclass
class OwnCheckpoint:
    """A folder with a sequence classifier, or with a LoRA adapter of one.

    Attributes:
        folder: where the files are.
        title: what was asked for, for people.
        base: the model below an adapter; None for a whole model.
    """

    folder: Path
    title: str
    base: OwnCheckpoint | None = None

    @property
    def name(self) -> str:
        """What tables call the model: the last part of what was asked for, without a revision."""
        return Path(self.title.partition("@")[0]).name or self.folder.name

    @cached_property
    def config(self) -> Any:
        """Its transformers configuration; an adapter's own where it has one, else that of its base."""
        from transformers import AutoConfig

        if self.base is not None and not (self.folder / "config.json").is_file():
            config = copy.deepcopy(self.base.config)
            if heads := self.adapter_heads():
                config.num_labels = heads[0]  # the base may know other classes than the adapter learnt
            return config
        try:
            return AutoConfig.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            kind = first_line(error)
            raise MemlocError(f"config.json of {self.title}", kind, "a model that transformers knows") from error

    @cached_property
    def tokenizer(self) -> Any:
        """Its own tokenizer; an adapter without one takes that of its base.

        Raises:
            MemlocError: if there is none.
        """
        from transformers import AutoTokenizer

        if self.base is not None and not self.has_tokenizer:
            return self.base.tokenizer
        if not self.has_tokenizer:
            raise MemlocError(f"tokenizer of {self.title}", None, "tokenizer files beside the model's weights")
        try:
            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise MemlocError(f"tokenizer of {self.title}", first_line(error), "one that transformers knows") from error

    @property
    def has_tokenizer(self) -> bool:
        names = (
            "tokenizer.json",
            "vocab.txt",
            "vocab.json",
            "tokenizer.model",
            "spiece.model",
            "sentencepiece.bpe.model",
        )
        return any((self.folder / name).is_file() for name in names)

    def weights(self) -> list[Path]:
        """Its safetensors files."""
        if self.base is not None:
            return [self.folder / ADAPTER_WEIGHTS]
        return sorted(p for p in self.folder.glob("*.safetensors") if p.name != ADAPTER_WEIGHTS)

    @cached_property
    def sha256(self) -> list[str]:
        """Hashes of the weights, those of a base after an adapter's own."""
        own = []
        for path in self.weights():
            with path.open("rb") as stream:
                own.append(hashlib.file_digest(stream, "sha256").hexdigest())
        return own + (self.base.sha256 if self.base else [])

    def adapter_heads(self) -> list[int]:
        """Number of classes by an adapter's own head; empty where it has none and its base's head stays."""
        ends = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
        return [len(tensor) for name, tensor in _tensors(self.weights(), self.title) if name.endswith(ends)]

    def check_finite(self) -> None:
        """Read every tensor once.

        Raises:
            MemlocError: naming the first tensor with a value that is no finite number.
        """
        import torch

        for name, tensor in _tensors(self.weights(), self.title):
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise MemlocError(f"weights of {self.title}", f"NaN or infinity in {name}", "finite numbers")
        if self.base is not None:
            self.base.check_finite()


def _tensors(paths: list[Path], title: str) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    for path in paths:
        try:
            with safe_open(path, "pt") as stream:
                for name in stream.keys():  # noqa: SIM118 - no dictionary
                    yield name, stream.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise MemlocError(f"weights of {title}", path.name, "a whole safetensors file") from error


def find(what: str | Path) -> OwnCheckpoint:
    """The checkpoint of a folder, a hub's repository ``owner/name`` or ``owner/name@revision``, or a catalogue's model.

    Raises:
        MemlocError: naming what is missing; pickled weights are refused with the command that converts them.
    """
    title, folder = str(what), Path(what)
    listed: list[str] = []
    if not folder.is_dir() and title in model_names() and get_model(title).pretrained:
        folder = locate(get_model(title))
    if not folder.is_dir():
        if title.count("/") != 1 or title.startswith((".", "/", "~")):
            raise MemlocError("model", title, ACCEPTED)
        from memloc.data.snapshot import cached_paths, fetch_snapshot
        from memloc.models.hub import PATTERNS

        repo, _, revision = title.partition("@")
        folder = fetch_snapshot("model", repo, revision or "main", (*PATTERNS, ADAPTER, ADAPTER_WEIGHTS))
        listed = cached_paths("model", repo, folder.name)
    listed = listed or [path.name for path in folder.iterdir()]
    base = _base_of(folder, title) if (folder / ADAPTER).is_file() else None
    found = OwnCheckpoint(folder, title, base)
    if base is None and not (folder / "config.json").is_file():
        raise MemlocError(f"folder of model {title}", "no config.json", "a folder that save_pretrained wrote")
    if not all(path.is_file() for path in found.weights()) or not found.weights():
        raise _no_weights(title, listed, adapter=base is not None)
    return found


def _base_of(folder: Path, title: str) -> OwnCheckpoint:
    """The model that an adapter changes: a folder (also beside the adapter), or a hub's repository."""
    try:
        told = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        base = told["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError) as error:
        raise MemlocError(f"{ADAPTER} of {title}", str(error), "JSON with base_model_name_or_path") from error
    beside = folder / str(base)
    found = find(beside if beside.is_dir() else str(base))
    if found.base is not None:
        raise MemlocError(f"base of adapter {title}", found.title, "a whole model, no second adapter")
    return found


def _no_weights(title: str, files: list[str], adapter: bool) -> MemlocError:
    pickles = sorted(name for name in files if name.endswith(PICKLES))
    wanted = ADAPTER_WEIGHTS if adapter else "model.safetensors"
    if not pickles:
        return MemlocError(f"weights of {title}", "none", wanted)
    source, target = title.rstrip("/"), title.rstrip("/") + "-safetensors"
    kinds = ["AutoTokenizer", "AutoModelForSequenceClassification"]
    steps = "; ".join(f"t.{kind}.from_pretrained({source!r}).save_pretrained({target!r})" for kind in kinds)
    command = f"python -c {shlex.quote(f'import transformers as t; {steps}')}"
    told = f"{wanted}; a pickle can run code and is never loaded. If you trust it, convert it yourself: {command}"
    return MemlocError(f"weights of {title}", pickles[0], told)


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
