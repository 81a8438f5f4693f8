"""`memloc.localise`: every technique that a model and a table allow, written as one folder."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from memloc import __version__, tables
from memloc.analysis.status import MEMORISED
from memloc.config import canonical_json, config_key
from memloc.errors import MemlocError
from memloc.own.folder import OutFolder
from memloc.own.job import Job, Planned, open_job, plan
from memloc.own.result import Localised

log = logging.getLogger(__name__)


def localise(
    technique: str,
    model: str | Path,
    data: str | Path,
    normal: str | Path | None = None,
    pretrained: str | Path | None = None,
    frozen: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    max_length: int | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    say: Callable[[str], None] = log.warning,
) -> Localised:
    """Where does a sequence classifier of your own memorise the wrong labels of your own table?

    Args:
        technique: ``swapping``, ``retraining``, ``gradients``, ``probing``, ``centroids``, or ``all`` of these
            that can run; or any other technique by its name.
        model: folder or hub name of the classifier that was trained on the table's ``given`` labels.
        data: a parquet, CSV or JSON-lines file: ``text`` or ``text_a`` and ``text_b``; ``given``; ``label`` (original)
            or ``noisy``.
        normal: its twin, trained on right labels (swapping needs it, centroids use it).
        pretrained: what both started from (retraining needs it); of an adapter, its base by default.
        frozen: a twin of which only the head was trained (gradients and probing are measured against it).
        out: a new folder for tables and the report; nothing is kept without it.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        max_length: tokens of an example; 512 or what the model takes by default.
        settings: changes of techniques' settings, by technique.
        say: told what could not run, and of every halved batch.

    Returns:
        Tidy rows, layer weights, centres of gravity and the report.

    Raises:
        MemlocError: before any computation, for bad input or if nothing can run.
    """
    job = open_job(model, data, normal, pretrained, frozen, device, max_length)
    planned = plan(job, technique, settings)
    key = config_key({"job": [_job_config(job, one) for one in planned if not one.lacks]})
    with tempfile.TemporaryDirectory(prefix="memloc-") as scratch:
        folder = OutFolder(Path(out) if out is not None else Path(scratch) / "out", key)
        folder.open()
        found = _run(job, planned, folder, say)
        if out is not None:
            found.folder = folder.target
            write(found, folder)
        return found


def _job_config(job: Job, one: Planned) -> dict[str, Any]:
    from memloc.techniques.base import get_technique

    return job.config(get_technique(one.name), one.settings)


def _run(job: Job, planned: list[Planned], folder: OutFolder, say: Callable[[str], None]) -> Localised:
    """Every planned technique, one after another; one that fails for its input is told of, the others go on."""
    result = Localised(facts_of(job), pd.DataFrame(columns=tables.ROWS.names))
    if job.encoded.cut:
        result.notes.append(f"{job.encoded.cut} texts are longer than {job.encoded.limit} tokens and were cut")
    if (accuracy := result.facts["accuracy_noisy"]) < MEMORISED:
        result.notes.append(
            f"the model gives back only {accuracy:.0%} of the wrong labels: read what follows with care"
        )
    frames, failed = [], None
    for one in planned:
        if one.lacks:
            result.lacking[one.name] = one.lacks
            say(f"{one.name} cannot run: {one.lacks}")
            continue
        result.notes += [f"{one.name} {note}" for note in one.notes]
        try:
            rows, details, notes = _one(job, one, folder, say)
        except MemlocError as error:
            result.lacking[one.name], failed = str(error), error
            say(f"{one.name} failed: {error}")
            continue
        frames.append(rows)
        result.facts["settings"][one.name] = one.settings
        result.notes += notes
        result.details |= {f"{one.name}/{name}": table for name, table in details.items()}
    if not frames:
        assert failed is not None  # plan() leaves at least one that can run
        raise failed
    result.rows = pd.concat(frames, ignore_index=True)
    return result


def _one(
    job: Job, one: Planned, folder: OutFolder, say: Callable[[str], None]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame], list[str]]:
    """Rows, details and notes of one technique, from a former attempt that was cut short where that finished it."""
    from memloc.techniques.base import get_technique
    from memloc.techniques.measuring import measured

    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        say(text)

    kept = folder.finished(one.name)
    if kept is not None:
        return *kept, notes
    cell = job.cell(get_technique(one.name), one.settings, folder.resume(one.name))
    rows, details, one.settings = measured(one.name, cell, one.settings, note)
    folder.finish(one.name, rows, details)
    return *folder.finished(one.name, sure=True), notes


def facts_of(job: Job) -> dict[str, Any]:
    """Names, counts and how well the model knows its labels (one forward pass over the table)."""
    import torch

    from memloc.own.loading import class_names
    from memloc.training.evaluate import predict

    data, model = job.encoded.data, job.load("perturbed")
    right = predict(model, data, data.given).predicted == data.given
    counts = np.bincount(data.given, minlength=job.classes)
    return {
        "model": job.model.name,
        "architecture": job.model.config.model_type,
        "layers": model.num_layers,
        "classes": job.classes,
        "class_names": class_names(job.model.config),
        "data": job.table.name,
        "rows": len(data),
        "noisy": int(data.noisy.sum()),
        "given": counts.tolist(),
        "accuracy_noisy": float(right[data.noisy].mean()),
        "accuracy_clean": float(right[~data.noisy].mean()),
        "token_limit": job.encoded.limit,
        "mean_tokens": float(data.lengths.mean()),
        "arms": {arm: {"title": found.name, "sha256": found.sha256} for arm, found in job.arms.items()},
        "data_sha256": job.table.sha256,
        "device": str(job.device),
        "settings": {},
        "versions": {"memloc": __version__, "torch": torch.__version__},
    }


def write(found: Localised, folder: OutFolder) -> None:
    """Tables and report, then the folder under its name: whole or not at all."""
    work = folder.work
    tables.write(found.rows, tables.ROWS, work / "rows.parquet")
    for name in ("weights", "mcog", "events"):
        getattr(found, name).to_csv(work / f"{name}.csv", index=False)
    told = {"facts": found.facts, "lacking": found.lacking, "notes": found.notes}
    (work / "about.json").write_text(json.dumps(json.loads(canonical_json(told)), indent=1, ensure_ascii=False))
    (work / "report.html").write_text(found.report, encoding="utf-8")
    for name in found.techniques:
        (work / name / "rows.parquet").unlink(missing_ok=True)  # all rows are in one table now
        if not any((work / name).iterdir()):
            (work / name).rmdir()
    shutil.rmtree(work / "resume", ignore_errors=True)
    folder.publish()
