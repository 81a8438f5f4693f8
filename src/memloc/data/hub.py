"""The `hub` source: a task's rows from data files at one commit of a repository on the Hugging Face hub.

Files come by `memloc.data.snapshot` and are read by `datasets.load_dataset` with the builder of their format. The
repository itself is not passed to `load_dataset`: without a connection that takes whichever revision it cached last,
not the pinned one. Data sets that are Python scripts are refused; the hub keeps a converted copy of many of them at the
revision ``refs/convert/parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from memloc.data.raw import RawTask, raw_frame
from memloc.data.snapshot import cached_paths, digest, fetch_snapshot
from memloc.data.specs import HubSource, TaskSpec
from memloc.errors import MemlocError

if TYPE_CHECKING:
    import datasets

FORMATS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}  # suffix to builder
OPTIONS: dict[str, dict[str, Any]] = {"csv": {"keep_default_na": False}}  # a text may well be "None" or "NA"


def load_hub(spec: TaskSpec, expected: Mapping[str, Any] | None = None) -> RawTask:
    """The task's splits as the hub has them: rows in file order, labels as positions in ``spec.labels``.

    Args:
        spec: the task; ``spec.hub`` names repository, revision, configuration, splits and columns.
        expected: the fingerprint of an earlier load; another commit or other bytes are refused.

    Raises:
        MemlocError: if the data cannot be had, changed, is a script, lacks a column or has a label of another task.
    """
    hub = spec.hub
    if hub is None:
        raise MemlocError(f"source of task {spec.name}", "hub", spec.sources)
    card_folder = fetch_snapshot("dataset", hub.repo, hub.revision, ["README.md"])
    commit = card_folder.name
    _refuse_other(hub, "commit", commit, expected)
    card = _card(card_folder / "README.md")
    folder, found = _fetch_splits(hub, commit, card)
    digests = {p.relative_to(folder).as_posix(): digest(p) for paths in found.values() for p in paths}
    _refuse_other(hub, "files", digests, expected)
    names = _card_names(card, hub) or hub.labels
    splits, notes = {}, []
    for ours, theirs in hub.splits.items():
        splits[ours], left_out = _rows(spec, hub, theirs, found[theirs], names)
        if left_out:
            notes.append(f"{left_out} rows of {ours} have a label that the task leaves out.")
    where = {"source": "hub", "repo": hub.repo, "config": hub.config or hub.folder}
    return RawTask(splits=splits, fingerprint={**where, "commit": commit, "files": digests}, notes=notes)


def _refuse_other(hub: HubSource, what: str, found: object, expected: Mapping[str, Any] | None) -> None:
    """Results must not quietly go on with other data than they began with."""
    if expected is not None and expected.get(what) != found:
        wanted = f"{what} {expected.get(what)}, which former results were computed from: pin that revision"
        raise MemlocError(f"changed hub dataset {hub.repo}", f"{hub.revision} now means {what} {found}", wanted)


def _fetch_splits(hub: HubSource, commit: str, card: Mapping[str, Any]) -> tuple[Path, dict[str, list[Path]]]:
    """Fetch the data files of each of the hub's splits; the snapshot's folder and the files, in order of shards."""
    patterns = {split: _patterns(card, hub, split) for split in hub.splits.values()}
    held = [path for path in cached_paths("dataset", hub.repo, commit) if Path(path).suffix in FORMATS]
    if len(patterns) == len(held) == 1 and not hub.config:
        patterns = dict.fromkeys(patterns, held)  # one split, one file: whatever its name
    # the commit, not the revision: a branch may move between two calls
    folder = fetch_snapshot("dataset", hub.repo, commit, [p for paths in patterns.values() for p in paths])
    found = {split: _matching(folder, paths) for split, paths in patterns.items()}
    for split, paths in found.items():
        if not paths:
            raise _no_data(hub, commit, split)
    return folder, found


def _patterns(card: Mapping[str, Any], hub: HubSource, split: str) -> list[str]:
    """Which paths hold a split: as the README says, else by the hub's naming conventions."""
    for entry in _entries(card.get("configs")):
        if entry.get("config_name", "default") == (hub.config or "default") or (
            not hub.config and entry.get("default")
        ):
            stated = [files.get("path") for files in _entries(entry.get("data_files")) if files.get("split") == split]
            paths = [str(p) for path in stated for p in (path if isinstance(path, list) else [path])]
            if paths:
                return paths
    folder = hub.folder or hub.config
    folders = [f"{folder}/"] if folder else ["", "data/", "default/"]
    tails = [tail + suffix for suffix in FORMATS for tail in ("", "-*", "/*")]
    return [folder + split + tail for folder in folders for tail in tails]


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.suffix in FORMATS})
    # the same rows may lie there in two formats: one is enough, parquet first
    for suffix in FORMATS:
        if chosen := [path for path in paths if path.suffix == suffix]:
            return chosen
    return []


def _no_data(hub: HubSource, commit: str, split: str) -> MemlocError:
    paths = cached_paths("dataset", hub.repo, commit)
    where = f"{hub.repo}@{hub.revision}" + (f" ({hub.config})" if hub.config else "")
    scripts = [path for path in paths if path.endswith(".py")]
    if scripts:
        accepted = f"data files; {scripts[0]} is a script, which is never run: try the revision refs/convert/parquet"
        return MemlocError("hub dataset", where, accepted)
    shown = ", ".join(path for path in paths if not path.startswith("."))[:300]
    return MemlocError(f"split {split} of hub dataset", where, f"files of that split; the repository has {shown}")


def _rows(
    spec: TaskSpec, hub: HubSource, split: str, files: Sequence[Path], names: Sequence[str] | None
) -> tuple[pd.DataFrame, int]:
    """One split as a raw frame, and how many rows were left out."""
    table = _read(hub, split, files)
    where = f"{hub.repo} split {split}"
    for column in hub.columns.values():
        if column not in table.column_names:
            raise MemlocError(f"column of {where}", column, table.column_names)
    # an empty cell is an empty text: preparing decides about those
    texts = zip(
        *(["" if value is None else value for value in table[column]] for column in hub.part_columns), strict=True
    )
    declared = getattr(table.features[hub.label_column], "names", None) or names
    kept: list[tuple[int, Sequence[str], Any]] = []
    for row, (parts, value) in enumerate(zip(texts, table[hub.label_column], strict=True)):
        if not hub.single_label:
            kept.append((row, parts, _name(value, declared or spec.labels, f"label in row {row} of {where}")))
        elif len(value) == 1 and value[0] in spec.labels:
            kept.append((row, parts, value[0]))
    frame = raw_frame(spec, [k[1] for k in kept], [k[2] for k in kept], where, [k[0] for k in kept])
    return frame, len(table) - len(frame)


def _name(value: Any, names: Sequence[str], where: str) -> str:
    """A label's name: itself, ``True`` or ``False``, or what a whole number stands for in ``names``."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        if 0 <= value < len(names):
            return names[value]
        raise MemlocError(where, value, f"a whole number from 0 to {len(names) - 1} ({', '.join(names)})")
    if isinstance(value, str):
        return value
    raise MemlocError(where, value, "a whole number or a name")


def _read(hub: HubSource, split: str, files: Sequence[Path]) -> datasets.Dataset:
    import datasets

    builder = FORMATS[files[0].suffix]
    paths = {split: [str(path) for path in files]}
    try:
        return datasets.load_dataset(builder, data_files=paths, split=split, **OPTIONS.get(builder, {}))
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        accepted = (
            f"readable {builder} files ({reason}); if the cache is damaged, delete {files[0].parent} and run again"
        )
        raise MemlocError(f"split {split} of hub dataset", hub.repo, accepted) from error


def _card(path: Path) -> dict[str, Any]:
    """The metadata block of a data set's README; empty where it has none."""
    import yaml

    if not path.is_file():
        return {}
    block = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", path.read_text(encoding="utf-8"), re.DOTALL)
    try:
        metadata = yaml.safe_load(block.group(1)) if block else {}
    except yaml.YAMLError:
        return {}  # prose that looks like metadata: the file names still say which split is which
    return metadata if isinstance(metadata, dict) else {}


def _card_names(card: Mapping[str, Any], hub: HubSource) -> list[str] | None:
    """Class names that the README declares for the label column, for files that do not carry them themselves."""
    for info in _entries(card.get("dataset_info")):
        if hub.config and info.get("config_name", "default") != hub.config:
            continue
        for feature in _entries(info.get("features")):
            kind = feature.get("dtype")
            if feature.get("name") == hub.label_column and isinstance(kind, dict) and "class_label" in kind:
                names = kind["class_label"].get("names", {})
                return list(names) if isinstance(names, list) else [str(names[k]) for k in sorted(names, key=int)]
    return None


def _entries(value: Any) -> list[dict[str, Any]]:
    """A YAML value that is a mapping or a list of them, as a list of mappings."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
