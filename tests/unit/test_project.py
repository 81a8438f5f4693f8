"""The project's own files agree: dependencies, lock, conda environment, reasons, imports. None is of one machine."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import memloc

ROOT = Path(__file__).resolve().parents[2]
IMPORTED_AS = {
    "bs4": "beautifulsoup4",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "IPython": "ipython",
    "huggingface_hub": "huggingface-hub",
    "jupyter_client": "jupyter-client",
    "myst_nb": "myst-nb",
}


def load(name: str) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lock = load("lock")


def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def requirements() -> list[Requirement]:
    """Every dependency of every extra."""
    table = project()
    return [
        Requirement(text)
        for group in (table["dependencies"], *table["optional-dependencies"].values())
        for text in group
    ]


def tracked() -> list[Path]:
    """The files git knows; outside a clone, none."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a clone: git lists no files")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_lock_pins_every_dependency_within_its_bounds() -> None:
    pins = lock.pins((ROOT / "requirements.lock").read_text())
    for requirement in requirements():
        version = pins.get(lock.normal(requirement.name))
        assert version, f"requirements.lock has no {requirement.name}: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} excludes the locked {version}"


def test_lock_is_as_the_script_writes_it_and_ties_nobody_to_a_build() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = lock.pins(text)
    assert lock.render(pins) == text
    assert not [name for name in pins if lock.ACCELERATOR.match(name)]
    assert "+" not in pins["torch"]


def test_lock_leaves_out_what_belongs_to_one_machine() -> None:
    packages = {"memloc": "0.1", "torch": "2.13.0+cpu", "nvidia-nccl-cu12": "2", "triton": "3", "Ruamel.Yaml": "1"}
    report = {"install": [{"metadata": {"name": name, "version": v}} for name, v in packages.items()]}
    assert lock.from_report(report) == {"torch": "2.13.0", "ruamel-yaml": "1"}


def test_conda_environment_installs_from_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert pip[0] == "-c requirements.lock"
    extras = re.fullmatch(r"-e \.\[(.+)\]", pip[1])
    assert extras
    assert set(extras.group(1).split(",")) <= set(project()["optional-dependencies"])
    assert sorted(name.split("=")[0] for name in conda) == ["pip", "python"], "packages come from the lock alone"
    python = next(name.split("=")[1] for name in conda if name.startswith("python"))
    assert Requirement(f"python{project()['requires-python']}").specifier.contains(python)


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    named = set(re.findall(r"^\| `([a-z0-9-]+)` \| \S", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE))
    assert named == {lock.normal(requirement.name) for requirement in requirements()}


def reading() -> list[str]:
    """What `make read` installs."""
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["read"])


def test_what_reading_needs_is_a_part_of_the_dependencies_without_those_of_training() -> None:
    declared = {lock.normal(Requirement(text).name) for text in project()["dependencies"]}
    assert reading() == sorted(set(reading()))
    assert set(reading()) <= declared, "bounds stand with the dependencies"
    heavy = {"torch", "transformers", "datasets", "tokenizers", "safetensors", "huggingface-hub", "scikit-learn"}
    assert not heavy & installed_with(reading()), "something that reading needs brings these"


def installed_with(names: list[str]) -> set[str]:
    """The packages of this environment that these need, themselves among them."""
    found, todo = set(), list(names)
    while todo:
        if (name := lock.normal(todo.pop())) not in found:
            found.add(name)
            asked = map(Requirement, metadata.requires(name) or ())
            todo += [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def test_every_import_is_a_dependency() -> None:
    declared = {lock.normal(Requirement(text).name) for text in project()["dependencies"]}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for top in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"memloc"}:
                assert lock.normal(IMPORTED_AS.get(top, top)) in declared, f"{path.name} imports {top}"


def test_no_file_has_a_path_of_one_machine() -> None:
    # the project's own place, its neighbours and the usual homes, wherever the tests run
    places = [re.escape(str(folder)) + r"\b" for folder in {ROOT.parent, Path.home()} if len(folder.parts) > 1]
    home = re.compile("|".join([r"/home/[a-z]\w*/|/Users/\w+/|C:\\\\?Users|/tmp/\w", *places]).encode())
    found = []
    for path in tracked():
        content = path.read_bytes()
        # a NUL in the first bytes: not text
        if b"\0" not in content[:8000] and "mathjax" not in path.parts and path != Path(__file__).resolve():
            found += [f"{path.relative_to(ROOT)}: {match.group().decode()}" for match in home.finditer(content)]
    assert found == []


def test_nothing_generated_or_heavy_is_tracked() -> None:
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        assert not name.startswith(("_build/", "book/chapters/", ".venv/", ".memloc/")), name
        assert path.suffix not in (".pkl", ".pickle", ".ipynb", ".pt", ".bin"), name
        # the shipped models are the exception: half-precision weights of 3.5 million parameters
        limit = 7_500_000 if name.startswith("src/memloc/models/weights/") else 2_000_000
        assert path.stat().st_size < limit, name


def test_version_is_one() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == memloc.__version__


def test_a_readers_environment_is_made_of_the_group_and_not_of_the_extras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, calls = load("setup_env"), []
    monkeypatch.setattr(setup, "pip", lambda venv, *arguments: calls.append(arguments))
    monkeypatch.setattr(setup.subprocess, "run", lambda *arguments, **more: None)
    monkeypatch.setattr(setup, "stamp", lambda venv: {})
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(tmp_path), "--reader"])
    setup.main()
    packages, own = calls
    assert packages[-len(reading()) :] == tuple(reading())
    assert packages[packages.index("-c") + 1] == "requirements.lock"
    assert "--no-deps" in own
    assert "torch" not in str(calls)


def test_setup_refuses_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = load("setup_env")
    monkeypatch.setattr(sys, "argv", ["setup_env.py"])
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11"):
        setup.main()


def test_setup_does_nothing_when_current_and_remembers_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup, venv, calls = load("setup_env"), tmp_path / "venv", []

    def install(folder: Path, *rest: object) -> None:
        calls.append(rest)
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        if not (folder / "bin" / "python").exists():
            (folder / "bin" / "python").symlink_to(sys.executable)

    def call(*extra: str) -> str:
        monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(venv), *extra])
        setup.main()
        return capsys.readouterr().out

    monkeypatch.setattr(setup, "install", install)
    assert "setup: done" in call()
    assert call() == ""
    call("--torch-index", "https://index.example/cpu")
    assert calls == [("dev", "", False), ("dev", "https://index.example/cpu", True)]
    assert call() == "", "an index given once is remembered"
    call("--extras", "dev,cluster")
    assert calls[2:] == [("dev,cluster", "https://index.example/cpu", False)]
    (venv / "bin" / "python").unlink()
    assert "setup: done" in call("--extras", "dev,cluster"), "an environment without its Python is made again"
