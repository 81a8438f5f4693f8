"""Packages of free registries as files: fetched by name with the registry's own client, read without installing."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from memloc.config import from_mapping
from memloc.errors import MemlocError
from memloc.pretraining.readers import READERS

SOURCES = Path(__file__).with_name("sources.yml")
REGISTRIES = ("debian", "npm")


@dataclass(frozen=True)
class Source:
    """One entry of ``sources.yml``, where its fields are explained."""

    name: str = ""
    reader: str = ""
    files: Any = ()
    licence: str = ""
    registry: str = "debian"
    exclude: Any = ()
    terse: bool = False
    limit: float = 6.0
    split: int = 2000  # characters at which long paragraphs are cut, between sentences

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise MemlocError(f"reader of source {self.name}", self.reader, READERS)
        if self.registry not in REGISTRIES:
            raise MemlocError(f"registry of source {self.name}", self.registry, REGISTRIES)
        if not self.licence or not self.files:
            raise MemlocError(f"source {self.name}", self, "a licence and at least one pattern of files")

    def wants(self, path: str) -> bool:
        """Whether a file of the package is text for the corpus."""
        return any(fnmatch.fnmatchcase(path, p) for p in self.files) and not any(
            fnmatch.fnmatchcase(path, p) for p in self.exclude
        )


def load_sources(path: Path = SOURCES) -> list[Source]:
    """The entries of a source list.

    Raises:
        MemlocError: for a file that is no such list.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
        return [from_mapping(Source, {"name": name, **entry}, f"source {name}") for name, entry in entries.items()]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise MemlocError("source list", str(path), "a YAML file with sources: name to entry") from error


def fetch(source: Source, cache: Path) -> Path:
    """The package's archive, from the cache folder or its registry.

    Raises:
        MemlocError: if it cannot be had.
    """
    cache.mkdir(parents=True, exist_ok=True)
    stem = source.name.lstrip("@").replace("/", "-")
    pattern = f"{stem}_*.deb" if source.registry == "debian" else f"{stem}-*.tgz"
    command = ["apt-get", "download", "-q"] if source.registry == "debian" else ["npm", "pack", "--silent"]
    if not list(cache.glob(pattern)):
        done = subprocess.run([*command, source.name], cwd=cache, capture_output=True, text=True)
        if done.returncode or not list(cache.glob(pattern)):
            told = (done.stderr.strip().splitlines() or [""])[-1]
            raise MemlocError(f"package {source.name}", told, f"a package that {command[0]} can download")
    return max(cache.glob(pattern))


def describe(source: Source, archive: Path) -> dict[str, Any]:
    """Version and checksum of an archive."""
    if source.registry == "debian":
        done = subprocess.run(["dpkg-deb", "-f", archive, "Version"], capture_output=True, text=True, check=True)
        version = done.stdout.strip()
    else:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("package/package.json")
            version = json.load(member)["version"] if member else ""
    with archive.open("rb") as stream:
        return {"version": version, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def contents(source: Source, archive: Path) -> dict[str, bytes]:
    """The wanted files of an archive by path; nothing is installed or run. Memory: their size."""
    if source.registry == "debian":
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True)
        if done.returncode:
            raise MemlocError("package", archive.name, "a whole Debian package; delete it and run again")
        raw = done.stdout
    else:
        raw = archive.read_bytes()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            if member.isfile() and source.wants(member.name) and (stream := tar.extractfile(member)):
                found[member.name] = stream.read()
    return found
