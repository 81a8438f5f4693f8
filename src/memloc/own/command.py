"""``memloc localise`` and ``memloc prepare``: options in, one call, a table out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memloc.own.result import Localised

FOLDER = "folder, a hub's owner/name[@revision], or a name that `memloc models` lists"


def add_commands(commands: Any) -> None:
    """Add both to the parser's commands."""
    localise = commands.add_parser("localise", help="where a classifier of your own memorises your own data")
    localise.add_argument(
        "--technique",
        default="all",
        help="swapping, retraining, gradients, probing, centroids, or all of these (default); or another by its name, "
        "such as rewinding, weight_difference or zero_out",
    )
    localise.add_argument("--model", required=True, metavar="MODEL", help=f"the classifier: {FOLDER}")
    localise.add_argument("--normal", metavar="MODEL", help="its twin, trained on right labels (swapping, centroids)")
    localise.add_argument("--pretrained", metavar="MODEL", help="what both started from (retraining)")
    localise.add_argument("--frozen", metavar="MODEL", help="a twin of which only the head learnt (gradients, probing)")
    localise.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="parquet, CSV or JSON lines: text or text_a and text_b; given; label or noisy",
    )
    localise.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder for tables and report.html")
    localise.add_argument("--estimate", action="store_true", help="time a few steps and say how long it will take")
    _shared(localise)
    localise.set_defaults(run=_localise)

    prepare = commands.add_parser("prepare", help="wrong labels in a table of your own, and the twins trained on it")
    prepare.add_argument("--model", required=True, metavar="MODEL", help=f"what training starts from: {FOLDER}")
    prepare.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help="parquet, CSV or JSON lines: text(s) and label"
    )
    prepare.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder for the checkpoints")
    prepare.add_argument("--noise", type=float, default=0.15, help="share of wrong labels in each class (default: .15)")
    prepare.add_argument("--held-out", type=float, default=0.1, help="share of rows kept for validation (default: .1)")
    prepare.add_argument("--epochs", type=int, default=50, help="at most; stops when memorised (default: 50)")
    prepare.add_argument(
        "--lr", type=float, default=1e-5, help="learning rate (default: 1e-5; small models need more, such as 5e-4)"
    )
    prepare.add_argument("--batch-size", type=int, default=8)
    prepare.add_argument("--seed", type=int, default=1, help="of wrong labels, a new head and training (default: 1)")
    prepare.add_argument("--frozen", action="store_true", help="train a twin of which only the head learns, too")
    _shared(prepare)
    prepare.set_defaults(run=_prepare)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-length", type=int, help="tokens of an example (default: 512, or what the model takes)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def say(text: str) -> None:
    """A remark on the way, apart from the results."""
    print(f"memloc: {text}", file=sys.stderr, flush=True)


def _localise(arguments: argparse.Namespace) -> int:
    from memloc.errors import MemlocError

    chosen = {
        name: getattr(arguments, name)
        for name in ("technique", "model", "data", "normal", "pretrained", "frozen", "device", "max_length")
    }
    if arguments.estimate:
        from memloc.own.estimate import estimate

        for line in estimate(**chosen).lines():
            print(line)
        return 0
    if arguments.out is None:
        raise MemlocError("--out", None, "a new folder for the results, or --estimate")
    from memloc.own.run import localise

    found = localise(**chosen, out=arguments.out, say=say)
    _print(found)
    print(f"{found.folder}/report.html")
    return 0


def _print(found: Localised) -> None:
    facts = found.facts
    print(
        f"{facts['model']} on {facts['data']}: {facts['noisy']} of {facts['rows']} given labels are wrong; the model "
        f"gives back {facts['accuracy_noisy']:.1%} of them"
    )
    for row in found.mcog.to_dict("records"):
        told = f"centre of gravity {row['mcog']:.2f} (can reach {row['lowest']:.2f} to {row['highest']:.2f})"
        print(f"{row['technique']}: {row['reason'] or told}")
    for row in found.events.to_dict("records"):
        print(f"{row['technique']}: {row['event'].replace('_', ' ')} {row['value']:.4g}")


def _prepare(arguments: argparse.Namespace) -> int:
    from memloc.own.prepare import prepare

    made = prepare(
        arguments.model,
        arguments.data,
        arguments.out,
        noise=arguments.noise,
        held_out=arguments.held_out,
        epochs=arguments.epochs,
        lr=arguments.lr,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        frozen=arguments.frozen,
        max_length=arguments.max_length,
        device=arguments.device,
        say=say,
    )
    for arm, told in made.arms.items():
        print(f"{arm}: {told}")
    print(shlex.join(["memloc", "localise", *made.options(), "--out", str(arguments.out / "localised")]))
    return 0
