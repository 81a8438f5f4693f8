"""The command line: arguments in, one call, a table or one line of error out."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from memloc import __version__
from memloc.classroom.command import add_parser as add_classroom
from memloc.cluster.command import add_parser as add_cluster
from memloc.comparing.command import add_parser as add_compare
from memloc.errors import MemlocError
from memloc.options import experiment_of, experiments_of, names, with_profile
from memloc.own.command import add_commands
from memloc.planted.command import add_parser as add_benchmark
from memloc.terminal import print_table


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it succeeded, 1 if a part of it failed, 2 for bad input."""
    logging.basicConfig(level=logging.WARNING, format="memloc: %(message)s")
    arguments = build_parser().parse_args(argv)
    try:
        if arguments.catalogue:
            # in the environment, so that worker processes and chapters see the same entries
            os.environ["MEMLOC_CATALOGUE"] = os.pathsep.join(str(Path(path).resolve()) for path in arguments.catalogue)
        return arguments.run(arguments) or 0
    except MemlocError as error:
        print(f"memloc: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("memloc: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say to it
        return 0


class Parser(argparse.ArgumentParser):
    """One line for an error, as for every other bad input; the usage is one ``--help`` away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"memloc: error: {message} ({self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = Parser(prog="memloc", description="Where in a language model does memorisation happen?")
    parser.add_argument("--version", action="version", version=f"memloc {__version__}")
    parser.add_argument("--catalogue", action="append", metavar="FILE", help="YAML file with more tasks and models")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    commands.add_parser("tasks", help="list the tasks").set_defaults(run=_tasks)
    commands.add_parser("models", help="list the models").set_defaults(run=_models)
    commands.add_parser("profiles", help="list the profiles").set_defaults(run=_profiles)

    data = commands.add_parser("data", help="look at data").add_subparsers(required=True, metavar="COMMAND")
    describe = data.add_parser("describe", help="counts of a task's rows, classes and wrong labels")
    describe.add_argument("task")
    describe.add_argument(
        "--source", choices=None, default=None, help="hub, files or generated (default: generated for generated tasks)"
    )
    describe.add_argument("--data", type=Path, help="folder of the files source (default: MEMLOC_DATA)")
    describe.set_defaults(run=_describe)

    run = with_profile(commands.add_parser("run", help="fill the store with everything a profile asks for"))
    run.add_argument("--workers", type=int, default=1, help="cells computed at a time (default: 1)")
    run.add_argument(
        "--threads", type=int, help="of each cell (default: OMP_NUM_THREADS, or 1); last bits depend on it"
    )
    run.set_defaults(run=_run)
    estimate = with_profile(commands.add_parser("estimate", help="hours and gigabytes a profile will take here"))
    estimate.add_argument("--save", type=Path, metavar="FILE", help="write them for memloc cluster plan")
    estimate.set_defaults(run=_estimate)
    results = with_profile(commands.add_parser("results", help="what the store holds of a profile's results"))
    told = "write the numbers of all finished cells there; of PROFILE@*, each in a folder below it"
    results.add_argument("--release", type=Path, metavar="FOLDER", help=told)
    results.add_argument("--keep", action="store_true", help="with --release: keep its cells that the store lacks")
    told = "check a released run instead, a name in results/ or a folder; needs no store"
    results.add_argument("--verify", metavar="RUN", help=told)
    results.add_argument("--migrate", type=Path, metavar="FOLDER", help="write an older release anew in this format")
    results.set_defaults(run=_results)

    add_commands(commands)
    add_benchmark(commands)
    add_cluster(commands)
    add_classroom(commands)
    doctor = commands.add_parser("doctor", help="say what is wrong with the home and the book's folder, and mend it")
    doctor.add_argument("--look", action="store_true", help="change nothing")
    doctor.set_defaults(run=_doctor)
    add_compare(commands)

    book = commands.add_parser("book", help="the book").add_subparsers(required=True, metavar="COMMAND")
    execute = book.add_parser("execute", help="execute the chapters that changed")
    execute.add_argument("--profile", default="mini", help="of every chapter: a name, or a file (default: mini)")
    execute.add_argument("--only", type=names, metavar="CHAPTER", help="only these, separated by commas")
    execute.add_argument(
        *("-p", "--parameter"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the chapters that declare it",
    )
    execute.add_argument("--data", type=Path, help="folder of the files source (default: MEMLOC_DATA)")
    execute.add_argument("--workers", type=int, default=2, help="chapters executed at a time (default: 2)")
    without = execute.add_mutually_exclusive_group()
    without.add_argument("--finished", action="store_true", help="leave out cells that are not in the store")
    without.add_argument("--released", action="store_true", help="read released tables: no torch, nothing is computed")
    without.add_argument("--recompute", action="store_true", help="compute released runs afresh; may take many hours")
    execute.add_argument("--force", action="store_true", help="execute also what did not change")
    execute.add_argument("--solutions", default="fold", metavar="WAY", help="of exercises: fold, show or withhold")
    execute.set_defaults(run=_book_execute)
    renew = book.add_parser("release", help="renew the tables of the default profile that --released reads")
    renew.add_argument("--workers", type=int, default=1, help="cells computed at a time (default: 1)")
    renew.set_defaults(run=_book_release)
    build = book.add_parser("build", help="build the HTML")
    build.add_argument("--force", action="store_true", help="build also if nothing changed")
    build.set_defaults(run=_book_build)
    book.add_parser("pdf", help="print the built book as one PDF, with Chromium").set_defaults(run=_book_pdf)
    publish = book.add_parser("publish", help="put what is built into a folder for any web server")
    publish.set_defaults(run=_book_publish)
    serve = book.add_parser("serve", help="show the built book on this machine")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(run=_book_serve)

    from memloc.pretraining.command import add_parsers

    add_parsers(commands)
    return parser


def _tasks(_: argparse.Namespace) -> None:
    from memloc.data.catalogue import get_task, task_names

    specs = [get_task(name) for name in task_names()]
    rows = [(s.name, s.group, len(s.labels), "/".join(s.sources), s.licence, s.warning or "") for s in specs]
    print_table(rows, ("task", "group", "classes", "sources", "licence", "warning"))


def _models(_: argparse.Namespace) -> None:
    from memloc.models.catalogue import get_model, model_names

    specs = [get_model(name) for name in model_names()]
    rows = [
        (s.name, s.architecture.name, s.layers, s.hidden, s.source, "pretrained" if s.pretrained else "random weights")
        for s in specs
    ]
    print_table(rows, ("model", "family", "layers", "hidden", "source", "weights"))


def _profiles(_: argparse.Namespace) -> None:
    from memloc.profiles import load_profile, profile_names

    profiles = [load_profile(name) for name in profile_names()]
    rows = [(p.name, p.source, len(p.tasks), len(p.models), p.purpose) for p in profiles]
    print_table(rows, ("profile", "source", "tasks", "models", "purpose"))


def _describe(arguments: argparse.Namespace) -> None:
    from memloc.config import DataConfig
    from memloc.data.catalogue import get_task
    from memloc.data.prepare import load_raw, prepare

    spec = get_task(arguments.task)
    source = arguments.source or ("generated" if spec.generated is not None else None)
    if source is None:
        raise MemlocError("data source", None, " or ".join(f"--source {name}" for name in spec.sources))
    dataset = prepare(load_raw(spec, source, arguments.data), spec, DataConfig())
    print(f"{spec.name}: {spec.title} ({spec.group}, licence {spec.licence})")
    for note in (spec.warning, *spec.notes, *dataset.report["notes"]):
        if note:
            print(f"  {note}")
    frames = [(name, getattr(dataset, name)) for name in ("train", "validation", "test")]
    classes = [
        (label, *((frame["label"] == i).sum() for _, frame in frames)) for i, label in enumerate(dataset.spec.labels)
    ]
    print_table([*classes, ("all", *(len(frame) for _, frame in frames))], ("class", "train", "validation", "test"))
    noisy = (dataset.train["group"] == "noisy").sum()
    print(f"{noisy} of {len(dataset.train)} training labels are wrong (data seed {dataset.config.seed})")


def _run(arguments: argparse.Namespace) -> int:
    from memloc.running import run_profile

    asked = experiments_of(arguments)
    runs = [run for one in asked for run in run_profile(one, arguments.workers, threads=arguments.threads)]
    failed = [run for run in runs if run.error]
    print(f"{len(runs) - len(failed)} of {len(runs)} cells are in the store; `results` in place of `run` shows them")
    return 1 if failed else 0


def _estimate(arguments: argparse.Namespace) -> None:
    from memloc.estimating import estimate

    for experiment in [experiment_of(arguments)] if arguments.save else experiments_of(arguments):
        results = estimate(experiment)
        hours, gigabytes = sum(r.hours for r in results), sum(r.gigabytes for r in results)
        if arguments.save:
            from memloc.cluster.sizes import save

            save(results, experiment.profile, arguments.save)
        where = f"profile {experiment.profile.name}: at most {hours:.1f} hours on {experiment.torch_device}"
        print(f"{where}, {gigabytes:.1f} GB")


def _results(arguments: argparse.Namespace) -> None:
    if arguments.verify:
        from memloc.released import find_release

        return _verify(find_release(arguments.verify))
    if arguments.migrate:
        return _migrate(arguments.migrate)
    from memloc.analysis.overview import outside, overview

    asked = experiments_of(arguments)
    for experiment in asked:
        frame = overview(experiment)
        if len(asked) > 1:
            print(f"\n{experiment.profile.name}")
        print_table(frame.astype(object).to_numpy().tolist(), frame.columns.tolist())
        if note := outside(frame):
            print(note)
    if arguments.release:
        from memloc.releasing import release, release_each

        folder, keep = arguments.release, arguments.keep
        for one in release_each(asked, folder, keep) if len(asked) > 1 else [release(asked[0], folder, keep)]:
            _verify(one)


def _verify(folder: Path) -> None:
    from memloc.publishing.facts import by_place
    from memloc.released import read_release

    found = read_release(folder)
    print(f"{folder}: profile {found.profile.name}, {len(found.cells())} cells, whole and unaltered")
    print(f"  {found.version}")
    if found.missing:
        print(f"  not finished: {by_place(found.missing)}")


def _migrate(folder: Path) -> None:
    from memloc.releasing import migrate

    found = migrate(folder)
    told = f"written anew: {'; '.join(found.steps)}" if found.steps else f"nothing to do: {found.version}"
    print(f"{folder}: {told}")


def _doctor(arguments: argparse.Namespace) -> int:
    from memloc.config import book_above, home
    from memloc.doctor import examine

    found = examine(book=book_above(Path.cwd()), mend=not arguments.look)
    for finding in found:
        print(finding)
    undone = [finding for finding in found if not finding.done]
    print(f"{home()}: {len(found)} found, {len(found) - len(undone)} mended or harmless" if found else "all is well")
    return 1 if undone else 0


def _book_execute(arguments: argparse.Namespace) -> int:
    from memloc.publishing.runner import execute_chapters
    from memloc.publishing.studies import FINISHED, RECOMPUTED, RELEASED

    if arguments.data:
        os.environ["MEMLOC_DATA"] = str(arguments.data.resolve())  # chapters run in processes of their own
    if arguments.finished:
        os.environ[FINISHED] = "1"
    if arguments.released:
        os.environ[RELEASED] = "1"
    if arguments.recompute:
        os.environ[RECOMPUTED] = "1"
    runs = execute_chapters(
        arguments.profile,
        workers=arguments.workers,
        names=arguments.only,
        assigned=arguments.parameter,
        force=arguments.force,
        solutions=arguments.solutions,
    )
    if arguments.only and any(run.state == "executed" for run in runs):
        print("`memloc book build` makes the pages from it")
    return 1 if any(run.state == "failed" for run in runs) else 0


def _book_release(arguments: argparse.Namespace) -> None:
    from memloc.publishing.light import release_all

    for folder in release_all(workers=arguments.workers):
        print(folder)


def _book_build(arguments: argparse.Namespace) -> None:
    from memloc.publishing.build import build_html

    print(build_html(force=arguments.force))


def _book_pdf(_: argparse.Namespace) -> None:
    from memloc.publishing.pdf import make_pdf

    print(make_pdf())


def _book_publish(_: argparse.Namespace) -> None:
    from memloc.publishing.publish import publish

    print(publish())


def _book_serve(arguments: argparse.Namespace) -> None:
    from memloc.publishing.build import serve

    serve(arguments.port)


if __name__ == "__main__":
    sys.exit(main())
