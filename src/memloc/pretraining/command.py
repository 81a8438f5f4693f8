"""``memloc corpus`` and ``memloc pretrain``: arguments in, one call."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from memloc.errors import MemlocError


def add_parsers(commands: Any) -> None:
    """Add both commands to the command line's parser."""
    corpus = commands.add_parser("corpus", help="collect free English text and learn a tokenizer from it")
    corpus.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the corpus goes")
    corpus.add_argument("--cache", type=Path, metavar="DIR", help="where packages are kept (default: DIR/packages)")
    corpus.add_argument("--sources", type=Path, metavar="FILE", help="another source list")
    corpus.add_argument("--only", type=lambda t: t.split(","), help="only these sources, separated by commas")
    corpus.add_argument("--data", type=Path, help="folder of the tasks' texts, left out (default: the hub's)")
    corpus.set_defaults(run=_corpus)

    pretrain = commands.add_parser("pretrain", help="pretrain a small model; the same command goes on where it was")
    pretrain.add_argument("--family", required=True, help="bert, opt, gpt_neo or gpt_neox")
    pretrain.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="what `memloc corpus` wrote")
    pretrain.add_argument("--out", type=Path, required=True, metavar="DIR", help="where points and the model go")
    pretrain.add_argument("--tokens", type=int, default=20_000_000, help="in all; may be raised later")
    pretrain.add_argument("--batch", type=int, default=4096, help="tokens of a step (default: 4096)")
    pretrain.add_argument("--rate", type=float, default=1e-3, help="highest learning rate (default: 0.001)")
    pretrain.add_argument("--seed", type=int, default=1)
    pretrain.add_argument("--threads", type=int, default=1)
    pretrain.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    pretrain.add_argument("--half", action="store_true", help="bf16 autocast (a GPU does so anyway)")
    pretrain.add_argument("--compile", action="store_true", help="torch.compile (a GPU does so anyway)")
    pretrain.add_argument("--steps", type=int, help="stop after so many, for a sitting; nothing is lost")
    pretrain.set_defaults(run=_pretrain)


def _corpus(arguments: argparse.Namespace) -> None:
    from memloc.pretraining.collect import collect, task_texts, write_list
    from memloc.pretraining.packages import SOURCES, load_sources
    from memloc.pretraining.tokens import prepare_tokens

    logging.getLogger("memloc").setLevel(logging.INFO)
    sources = load_sources(arguments.sources or SOURCES)
    if arguments.only:
        sources = [s for s in sources if s.name in arguments.only]
    if not sources:
        raise MemlocError("sources", arguments.only, "at least one name of the source list")
    cache = arguments.cache or arguments.out / "packages"
    total = collect(sources, task_texts(arguments.data), arguments.out, cache)["total"]
    for name, count in total.items():
        print(f"{name.replace('_', ' ')}: {count:,}")
    for split, count in prepare_tokens(arguments.out).items():
        print(f"{split}: {count:,} tokens")
    write_list(arguments.out, arguments.out / "collected.yml")


def _pretrain(arguments: argparse.Namespace) -> None:
    import torch

    from memloc.devices import keep_freed_memory, resolve_device
    from memloc.pretraining.budget import Budget
    from memloc.pretraining.loop import Engine, Pretrainer
    from memloc.pretraining.saving import write_model
    from memloc.pretraining.shapes import Shape
    from memloc.pretraining.tokens import load_ids, prepare_tokens

    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    device = str(resolve_device(arguments.device))
    fast = device.startswith("cuda")
    counts = prepare_tokens(arguments.corpus)
    ids, held_out = (load_ids(arguments.corpus, split) for split in counts)
    run = Pretrainer(
        arguments.family,
        Shape(),
        ids,
        held_out,
        Budget(tokens=arguments.tokens, batch=arguments.batch, rate=arguments.rate),
        arguments.seed,
        arguments.out,
        Engine(device=device, half=arguments.half or fast, compiled=arguments.compile or fast),
    )
    run.run(arguments.steps)
    if run.finished:
        print(write_model(run, arguments.corpus, arguments.out / "model"))
