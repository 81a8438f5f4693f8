"""A pretrained model as a folder that stock transformers loads: half-precision weights, tokenizer, card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from memloc import tables
from memloc.pretraining.loop import Pretrainer
from memloc.pretraining.shares import MASKED, MASKED_HELD_OUT
from memloc.pretraining.tokens import for_model, load_tokenizer

CARD = """# nano-{name}

A {layers}-layer {name} of width {hidden}, one of four small language models that are alike in everything but
architecture and objective: corpus, tokenizer, order of batches, budget, width, depth. Made to be studied, not used.

| | |
|---|---|
| objective | {objective} |
| parameters | {parameters:,} (half precision) |
| tokens seen | {tokens:,} of {unique:,} different ones, {seconds_hours:.1f} hours of {device} |
| held-out loss | {loss:.3f} nats a {question} (perplexity {perplexity:.1f}) |
| vocabulary | {vocabulary:,}, byte-level BPE, lower case |
| longest text | {positions} tokens (rows of 128; every eighth step 512) |
| seed | {seed} |
| licence | {licence} |

## Data

{documents:,} documents of {packages} packages that are free to use, change and share; cleaned to English prose, each
paragraph once. {overlap:,} paragraphs were left out because they share 13 words in a row with a text of the twelve
tasks, or hold a short one whole.

| package | version | licence of its texts | characters |
|---|---|---|---:|
{sources}

## Limits

Small, and trained on dictionaries, old books, manuals and games' stories: it knows no facts worth trusting, its sources
hold opinions and prejudices of their times, and nothing was done to remove them. Fine-tune it; do not ask it.
"""

MASKED_WORDS = (
    f"masked words ({MASKED:.0%} of them: 80 % hidden, 10 % another word, 10 % left; "
    f"{MASKED_HELD_OUT:.0%} on held-out text)"
)
LICENCE = "CC-BY-SA-4.0 for what is ours; texts of the sources are under their own licences, listed below"


def write_model(run: Pretrainer, corpus: Path, out: Path) -> Path:
    """Write the model of a run to a folder, whole or not at all; a folder of that name is replaced.

    Returns:
        the folder: ``config.json``, ``model.safetensors`` (fp16), tokenizer files and ``README.md``.
    """
    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    copy: Any = run.half_copy()
    copy.save_pretrained(work)
    for_model(load_tokenizer(corpus / "tokenizer.json"), run.masked).save_pretrained(work)
    (work / "README.md").write_text(card(run, corpus))
    tables.write(run.losses(), tables.PRETRAINING, work / "loss.parquet")
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return out


def card(run: Pretrainer, corpus: Path) -> str:
    """The model card: data with licences, budget, loss, limits."""
    path = corpus / "sources.json"
    collected: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"sources": [], "total": {}}
    losses = run.losses()
    final = losses[losses.split == "validation"].iloc[-1]
    total = collected["total"]
    rows = [
        f"| {s['name']} | {s['version']} | {s['licence']} | {s.get('characters', 0):,} |" for s in collected["sources"]
    ]
    return CARD.format(
        name=run.family.replace("_", "-"),
        layers=run.shape.layers,
        hidden=run.shape.hidden,
        objective=MASKED_WORDS if run.masked else "the next word",
        question="masked word" if run.masked else "word",
        parameters=sum(p.numel() for p in run.model.parameters()),
        tokens=int(final["tokens"]),
        unique=len(run.blocks.ids),
        seconds_hours=final["seconds"] / 3600,
        device=run.device.type,
        loss=final["loss"],
        perplexity=2.718281828 ** final["loss"],
        vocabulary=run.shape.vocabulary,
        positions=run.shape.positions,
        seed=run.seed,
        licence=LICENCE,
        documents=total.get("documents", 0),
        packages=len(rows),
        overlap=total.get("overlap_with_tasks", 0),
        sources="\n".join(rows),
    )
