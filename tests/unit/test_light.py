"""The book as readers build it: from released tables, in a process where nothing that trains can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memloc import declared
from memloc.analysis.numbers import Computed
from memloc.config import config_key
from memloc.doctor import _book
from memloc.errors import MemlocError
from memloc.pipeline import Experiment
from memloc.planted.experiment import Plantings
from memloc.planted.releasing import read_benchmark
from memloc.profiles import load_profile
from memloc.profiles.loading import profile_content
from memloc.publishing import own_example, reading, shipped_samples, tabulate, tabulate_classroom
from memloc.publishing.light import PROFILE
from memloc.publishing.reading_planted import ENTRY, OWN, SMOKE
from memloc.publishing.studies import RELEASED, RENEW
from memloc.released import read_release

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
DUE = f"results/ is not of the present settings; make it anew: make release ({RENEW})"

# Modules of no package that reading needs cannot be imported, whatever this environment has.
BARRED = """
import importlib.abc, re, sys, tomllib
from importlib import metadata
from packaging.requirements import Requirement

normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
todo = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["read"]
kept = {"memloc"}
while todo:
    if (name := normal(todo.pop())) not in kept:
        kept.add(name)
        asked = map(Requirement, metadata.requires(name) or ())
        todo += [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
owners = metadata.packages_distributions()
barred = {module for module, names in owners.items() if not {normal(name) for name in names} & kept}
assert {"torch", "transformers", "datasets", "sklearn"} <= barred


class Bar(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in barred:
            raise ModuleNotFoundError(f"No module named {name!r} where the book is read")


sys.meta_path.insert(0, Bar())
"""
# the code cells of a page, one after the other, as its kernel runs them
PAGES = """
import sys
from pathlib import Path
import matplotlib
from IPython.core.interactiveshell import InteractiveShell
from memloc.publishing.chapters import read_source

matplotlib.use("agg")
InteractiveShell.instance().display_pub.publish = lambda *told, **more: None
for name in sys.argv[1:]:
    space = {}
    for cell in read_source(Path(f"notebooks/{name}.py")).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, name, "exec"), space)
    run = space.get("study") or space.get("board")
    print(name, run.mark if run else "")
"""
MENDED = """
import sys
from pathlib import Path
from memloc.publishing.build import put_notebooks
from memloc.publishing.mending import mend

mend(Path(sys.argv[1]))
put_notebooks(Path(sys.argv[1]), Path(sys.argv[1]))
"""
STUDY = """
from memloc.publishing.reading import open_study
from memloc.publishing.tabulate_techniques import pair_table

study = open_study()
print(study.missing, len(pair_table(study)))
"""


def reads(tmp_path: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code where only what a reader has can be imported."""
    environment = {**os.environ, RELEASED: "1", "MEMLOC_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", BARRED + code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "pages",
    [
        ("chapters/02_perturbation", "chapters/03_training"),
        ("chapters/03c_planted", "chapters/10_your_own_model", "chapters/12_teaching", "chapters/14_scale"),
    ],
)
def test_pages_are_read_without_what_trains(tmp_path: Path, pages: tuple[str, ...]) -> None:
    done = reads(tmp_path, PAGES, *pages)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith("chapters/"))
    assert list(lines) == list(pages)
    for name in (page for page in pages if page < "chapters/10"):
        if name.endswith("03c_planted") and (RESULTS / "planted").exists():
            assert lines[name] == "", "real data have no mark"
        else:
            assert "generated tasks" in lines[name]
            assert "read from released tables" in lines[name]


def test_built_pages_are_mended_without_what_trains(tmp_path: Path) -> None:
    """What the build does beside Jupyter Book itself."""
    html = tmp_path / "html"
    (html / "_static").mkdir(parents=True)
    (html / "page.html").write_text('<html><body><button aria-label="Toggle hidden content">x</button></body></html>')
    done = reads(tmp_path, MENDED, str(html))
    assert done.returncode == 0, done.stderr[-2000:]
    assert (html / "_static" / "vendor" / "itables" / "tables.js").is_file()


def test_reading_computes_nothing(tmp_path: Path) -> None:
    done = reads(tmp_path, STUDY)
    assert done.stdout.strip() == "[] 2", done.stderr[-2000:]
    assert [path.name for path in (tmp_path / "home" / "store" / "v1").iterdir()] == ["dataset"]
    assert "No module named 'torch'" in reads(tmp_path, "import memloc.techniques").stderr


@pytest.mark.parametrize("name", [SMOKE, ENTRY])
def test_the_released_benchmarks_are_of_the_present_settings(name: str) -> None:
    found, profile = read_benchmark(RESULTS / name), load_profile(SMOKE)
    assert not found.results.missing
    if name == ENTRY:
        assert set(found.results.found["technique"]) == {OWN}
    told, asked = profile_content(found.profile), profile_content(profile)
    for differing in ("techniques", "planted") if name == ENTRY else ():
        del told[differing], asked[differing]
    assert told == asked, DUE
    plantings = Plantings(Experiment(profile, device="cpu"))
    for planted in (one for amount in plantings.amounts() for one in plantings.cells(amount)):
        key = found.results.keys[str(planted)]["injected"]
        assert key == config_key(plantings.injected_config(planted)), DUE


def test_the_released_default_is_of_the_present_keys() -> None:
    released, computed = read_release(RESULTS / PROFILE), Computed(Experiment(load_profile(PROFILE), device="cpu"))
    assert released.cells() == computed.cells(), DUE
    for cell in computed.cells():
        names = ["dataset", *computed.experiment.arms(cell), *computed.experiment.techniques()]
        assert {n: released.key(cell, n) for n in names} == {n: computed.key(cell, n) for n in names}, DUE
        for technique in computed.experiment.techniques():
            assert released.asked(cell, technique) == computed.asked(cell, technique)


def test_the_released_example_is_of_the_present_key() -> None:
    example = own_example.read_own_example(RESULTS / own_example.NAME)
    assert set(own_example.example_rows(example).techniques) >= {"swapping", "retraining", "gradients", "probing"}
    assert len(example.table) == own_example.SHOWN


def test_what_is_released_for_readers_is_small_and_without_texts() -> None:
    folders = [RESULTS / name for name in (PROFILE, SMOKE, ENTRY, own_example.NAME, shipped_samples.NAME)]
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 1_000_000
    sentence = " ".join(own_example._table()["text"][0].split())
    assert all(sentence not in (folder / "manifest.json").read_text() for folder in folders)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., reading.Study]:
    """``open_study`` as in a reader's kernel."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv(RELEASED, "1")
    monkeypatch.setenv("MEMLOC_HOME", str(tmp_path))
    return reading.open_study


def test_a_part_of_a_release_is_read_by_parameters(reader: Callable[..., reading.Study]) -> None:
    study = reader(tasks="gen-cue-6a", models="nano-opt")
    assert [str(cell) for cell in study.numbers.cells()] == ["gen-cue-6a nano-opt seed 1"]
    assert study.missing == []
    assert "read from `results/mini`" in study.made("made-x")
    assert len(tabulate.made_table(study)) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"profile": "small"}, "profile to read"),
        ({"profile": "smoke"}, "profile to read"),
        ({"source": "hub"}, "profile to read"),
        ({"seeds": 7}, "cells to read"),
    ],
)
def test_what_was_not_released_cannot_be_read(
    reader: Callable[..., reading.Study], asked: dict[str, object], told: str
) -> None:
    with pytest.raises(MemlocError, match=told):
        reader(**asked)


def test_a_release_of_other_settings_is_refused_with_the_command_that_renews_it(
    reader: Callable[..., reading.Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / f"{PROFILE}.yml"
    text = (ROOT / "src" / "memloc" / "profiles" / f"{PROFILE}.yml").read_text()
    profile.write_text(text.replace("cap: 240", "cap: 200"))
    with pytest.raises(MemlocError, match=RENEW):
        reader(str(profile))
    profile.write_text(text.replace("purpose: ", "purpose: In other words. "))
    assert reader(str(profile)).released


def test_declarations_are_those_of_the_techniques() -> None:
    import memloc.publishing.own_localiser  # noqa: F401 - what a reader enters is not of the package

    assert declared.registered() == declared.written(), DUE
    assert declared.declared("swapping") == declared.written()["swapping"]


def test_every_release_is_checked_by_the_doctor() -> None:
    assert [finding for finding in _book(ROOT, mend=False) if "results" in finding.place] == []


def test_points_are_read_as_they_are_given() -> None:
    table = tabulate_classroom.assignment_table().set_index("assignment")
    for one in tabulate_classroom.catalogue.assignments():
        assert table.loc[one.name, "checks"] == len(one.checks)
        assert table.loc[one.name, "points"] == f"{sum(check.points for check in one.checks):g}"


def test_manifests_name_no_machine() -> None:
    for name in (PROFILE, SMOKE, ENTRY, own_example.NAME, shipped_samples.NAME):
        text = json.dumps(json.loads((RESULTS / name / "manifest.json").read_text()))
        assert "host" not in text
        assert str(Path.home()) not in text
