"""Options of commands that take a profile, and the experiment they ask for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memloc.pipeline import Experiment


def with_profile(
    parser: argparse.ArgumentParser, default: str = "mini", names_known: str = "a name that memloc profiles lists"
) -> argparse.ArgumentParser:
    """Add the options that choose a profile and what of it."""
    told = f"{names_known}, or a file of your own; PROFILE@VARIANT: one of its variants (default: {default})"
    parser.add_argument("--profile", default=default, help=told)
    parser.add_argument("--tasks", type=names, help="instead of the profile's, separated by commas")
    parser.add_argument("--models", type=names, help="instead of the profile's, separated by commas")
    parser.add_argument("--seeds", type=numbers, help="instead of the profile's, separated by commas")
    parser.add_argument("--source", help="where data come from, instead of the profile's: hub, files or generated")
    parser.add_argument("--data", type=Path, help="folder of the files source (default: MEMLOC_DATA)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    return parser


def names(text: str) -> list[str]:
    """``a, b`` as a list; argparse tells of what is none."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: at least one name")
    return found


def numbers(text: str) -> list[int]:
    """``1, 2`` as a list."""
    try:
        return [int(n) for n in names(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: whole numbers separated by commas") from error


def experiment_of(arguments: argparse.Namespace) -> Experiment:
    """The experiment that these options ask for."""
    return _experiment(arguments, arguments.profile)


def experiments_of(arguments: argparse.Namespace) -> list[Experiment]:
    """The same, or of ``profile@*`` those of the profile and of all its variants."""
    from memloc.profiles import every_name

    return [_experiment(arguments, name) for name in every_name(arguments.profile)]


def _experiment(arguments: argparse.Namespace, name: str) -> Experiment:
    from memloc.pipeline import Experiment
    from memloc.profiles import load_profile

    profile = load_profile(name)
    profile = profile.narrowed(arguments.tasks, arguments.models, arguments.seeds, arguments.source)
    return Experiment(profile, device=arguments.device, data_dir=arguments.data)
