"""The models, one declarative entry each (``models.yml``), and how an entry becomes a folder on disk."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from memloc.config import OF_ONES_OWN, PLAIN_NAME, from_mapping, user_catalogues
from memloc.errors import MemlocError, unknown_name
from memloc.models.families import Family, describe, family_of_type, get_family

SOURCES = ("hub", "folder", "package", "builtin")


@dataclass(frozen=True)
class ModelSpec:
    """One model.

    Attributes:
        name: the catalogue's name.
        title: how figures call it.
        family: an architecture's name, or a mapping of `Family`'s fields for one that is not built in.
        source: ``hub``, ``folder``, ``package`` or ``builtin``; chosen here, never exchanged.
        location: repository, folder name or package path; empty for ``builtin``.
        revision: commit, tag or branch on the hub.
        layers, hidden, heads: shape; checked against the checkpoint.
        random: shape and tokenizer of the checkpoint, weights drawn anew: what its pretraining is compared with.
        version: raised when the meaning of the entry changes; part of every key.
        licence: as its authors state it.
        notes: deviations a reader must know.
    """

    name: str = ""
    title: str = ""
    family: Any = None
    source: str = ""
    location: str = ""
    revision: str = ""
    layers: int = 0
    hidden: int = 0
    heads: int = 0
    random: bool = False
    version: int = 1
    licence: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise MemlocError(f"source of model {self.name}", self.source, SOURCES)
        if self.layers < 1 or self.hidden < 1:
            raise MemlocError(
                f"shape of model {self.name}", (self.layers, self.hidden), "layers and hidden of 1 or more"
            )
        get_family(self.family)  # an unknown family is told here, not in the middle of a run

    @property
    def pretrained(self) -> bool:
        """False where weights are random, and labelled so."""
        return self.source != "builtin" and not self.random

    @property
    def architecture(self) -> Family:
        return get_family(self.family)


_registered: dict[str, ModelSpec] = {}


def parse_entries(entries: Mapping[str, Any], where: str) -> dict[str, ModelSpec]:
    """Specs from the mapping of a catalogue file, each checked."""
    for name, fields in entries.items():
        if not PLAIN_NAME.fullmatch(str(name)):  # it is shown, typed, and part of file names
            raise MemlocError(f"name of a model in {where}", name, "letters, digits, points, dashes and underscores")
        if not isinstance(fields, dict):
            raise MemlocError(f"model {name} in {where}", fields, "a mapping of settings")
    return {
        name: from_mapping(ModelSpec, {"name": name, **fields}, f"model {name} in {where}")
        for name, fields in entries.items()
    }


BUILT_IN = Path(__file__).with_name("models.yml")


def _read(path: Path) -> dict[str, ModelSpec]:
    """The models of a catalogue file: the key ``models``, none if it only has tasks."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MemlocError("catalogue", str(path), f"a readable YAML file ({type(error).__name__})") from error
    if not isinstance(content, dict) or not (content.get("models") or content.get("tasks")):
        raise MemlocError(f"catalogue {path.name}", content, "a mapping with the key models: name to entry")
    return parse_entries(content.get("models") or {}, path.name)


def register_model(spec: ModelSpec) -> None:
    """Add a model for this process; a name that exists is refused."""
    if _all().get(spec.name, spec) != spec:
        raise _taken(spec.name)
    _registered[spec.name] = spec


def load_models(path: Path) -> list[str]:
    """Add the models of a catalogue file of one's own (key ``models``) for this process; returns their names."""
    specs = _read(path)
    for spec in specs.values():
        register_model(spec)
    return list(specs)


def _all() -> dict[str, ModelSpec]:
    if not _registered:
        found: dict[str, ModelSpec] = {}  # all files or, on an error, none: the next call must not find half of them
        for path in (BUILT_IN, *user_catalogues()):
            for name, spec in _read(path).items():
                if found.setdefault(name, spec) != spec:
                    raise _taken(name)
        _registered.update(found)
    return _registered


def _taken(name: str) -> MemlocError:
    return MemlocError("model", name, "a name that no other entry of the catalogue has")


def model_names() -> list[str]:
    """All names, in the order in which figures show them."""
    return list(_all())


def get_model(name: str) -> ModelSpec:
    """A model by name; a path to a folder with a ``config.json`` is a model too.

    Raises:
        MemlocError: for an unknown name, with the nearest known ones.
    """
    known = _all()
    if name in known:
        return known[name]
    if (Path(name) / "config.json").is_file():
        return _spec_of_folder(Path(name).resolve())
    raise unknown_name("model", name, known, OF_ONES_OWN)


def _spec_of_folder(path: Path) -> ModelSpec:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise MemlocError(f"config.json of model {path.name}", str(error), "a JSON file") from error
    layers = config.get("num_hidden_layers", config.get("num_layers", 0))
    return ModelSpec(
        name=path.name,
        title=path.name,
        family=family_of_type(config.get("model_type", "")).name,
        source="folder",
        location=str(path),
        layers=layers,
        hidden=config.get("hidden_size", 0),
    )


def locate(spec: ModelSpec) -> Path:
    """The folder of the model's files; fetched first for ``hub``.

    Raises:
        MemlocError: naming what is missing and how to get it.
    """
    if spec.source == "hub":
        from memloc.models.hub import fetch_model

        return fetch_model(spec.location, spec.revision)
    if spec.source == "package":
        package, _, inside = spec.location.partition("/")
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise MemlocError(f"package of model {spec.name}", package, f"pip install {package.replace('_', '-')}")
        folder = Path(found.origin).parent / inside
    else:
        base = os.environ.get("MEMLOC_MODELS")
        if not base and not Path(spec.location).is_absolute():
            raise MemlocError(
                f"folder of model {spec.name}", spec.location, "MEMLOC_MODELS set to the folder that holds it"
            )
        folder = Path(base or "") / spec.location
    if not all((folder / name).is_file() for name in ("config.json", "model.safetensors")):
        raise MemlocError(
            f"folder of model {spec.name}", str(folder), "a folder with config.json and model.safetensors"
        )
    return folder


@lru_cache(maxsize=32)
def _sha256(path: Path, mtime: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_config(spec: ModelSpec) -> dict[str, Any]:
    """What identifies the model's weights, as plain data for keys: never a path, which differs between machines."""
    config: dict[str, Any] = {
        "name": spec.name,
        "version": spec.version,
        "family": describe(spec.architecture),
        "layers": spec.layers,
        "hidden": spec.hidden,
    }
    if spec.source == "builtin":
        return config | {"weights": "random", "heads": spec.heads}
    if spec.random:
        shape = locate(spec) / "config.json"
        return config | {"weights": "random", "shape": hashlib.sha256(shape.read_bytes()).hexdigest()}
    hashes = []
    for weights in sorted(locate(spec).glob("*.safetensors")):  # several where a large model comes in pieces
        stat = weights.stat()
        hashes.append(_sha256(weights, stat.st_mtime_ns, stat.st_size))
    return config | {"weights": hashes[0] if len(hashes) == 1 else hashes}
