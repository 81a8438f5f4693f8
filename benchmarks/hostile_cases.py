"""The hostile inputs of ``benchmarks.hostile``: the docstring says what is fed, the result what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.hostile import Case, Payload, environment, poisoned, refusal
from benchmarks.survival import CELL
from memloc.config import config_key
from memloc.publishing import project_root

CONFIG = {"task": "toy", "seed": 1}
SCRIPT = "<script>document.title='harmed'</script>"
IMAGE = '<img src="x" onerror="document.title=1">'
PROFILE = {**CELL, "purpose": "hostile", "source": "files", "tasks": ["hostile"], "techniques": {"swapping": {}}}


def checkpoint(folder: Path) -> Path:
    """A tiny classifier with its tokenizer, as ``save_pretrained`` leaves them."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    shape = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = AutoConfig.for_model("bert", **shape, intermediate_size=8, num_labels=2, max_position_embeddings=16)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    words = Tokenizer(WordLevel({w: i for i, w in enumerate(["<pad>", "<unk>", "a", "b"])}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)
    rows = pd.DataFrame({"text": ["a b", "b a"] * 4, "given": [0, 1] * 4, "noisy": [False, True] * 4})
    rows.to_csv(folder.parent / "data.csv", index=False)
    return folder


def opened(folder: Path) -> str:
    """What comes of a checkpoint as somebody's own model."""
    from memloc.own.job import open_job

    return refusal(lambda: open_job(folder, folder.parent / "data.csv", device="cpu"), folder.parent)


def pickle_alone(folder: Path, harm: Path) -> str:
    """A checkpoint whose weights are a pickle with code."""
    (checkpoint(folder / "model") / "model.safetensors").unlink()
    poisoned(folder / "model" / "pytorch_model.bin", harm)
    return opened(folder / "model")


def pickle_renamed(folder: Path, harm: Path) -> str:
    """A pickle with code that is called model.safetensors."""
    poisoned(checkpoint(folder / "model") / "model.safetensors", harm)
    return opened(folder / "model")


def pickle_beside(folder: Path, harm: Path) -> str:
    """Sound weights with pickles beside them: optimizer, training arguments, tokenizer."""
    checkpoint(folder / "model")
    for name in ("optimizer.pt", "training_args.bin", "pytorch_model.bin", "vocab.pkl"):
        poisoned(folder / "model" / name, harm)
    return opened(folder / "model").replace("taken", "only the safetensors file was read")


def code_beside(folder: Path, harm: Path) -> str:
    """A configuration that asks for classes in a Python file beside the weights."""
    checkpoint(folder / "model")
    (folder / "model" / "mine.py").write_text(f"from pathlib import Path\nPath({str(harm)!r}).touch()\nclass M: pass\n")
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / "model" / name
        told = json.loads(path.read_text()) | {"auto_map": {f"Auto{n}": "mine.M" for n in ("Config", "Tokenizer")}}
        path.write_text(json.dumps(told | {"custom_pipelines": {"x": {"impl": "mine.M"}}}))
    return opened(folder / "model").replace("taken", "the file was not imported; stock classes were used")


def yaml_code(folder: Path, harm: Path) -> str:
    """A profile in YAML with a tag that makes Python objects."""
    from memloc.profiles import load_profile

    path = folder / "mine.yml"
    path.write_text(f"purpose: !!python/object/apply:os.mkdir [{str(harm)!r}]\n")
    return refusal(lambda: load_profile(str(path)), folder)


def _chapter(folder: Path, harm: Path, text: str) -> str:
    """Execute a page with a parameter as typed on the command line; what it showed."""
    from memloc.publishing.chapters import Chapter
    from memloc.publishing.execution import Job, execute
    from memloc.publishing.parameters import read_assignments

    source = folder / "page.py"
    source.write_text('# %% tags=["parameters"]\ntask = "trec"\n\n# %%\nprint(repr(task))\n')
    page = Chapter("page", source, {"task": '"trec"'})
    given = read_assignments([f"task={text}"], [page])
    (folder / "out").mkdir()
    outcome = execute(Job("page", source, given, folder / "out", folder))
    if outcome.error:
        return f"the page failed: {outcome.error.splitlines()[-1]}"
    cells = json.loads((folder / "out" / "page.ipynb").read_text())["cells"]
    shown = "".join(line for cell in cells for output in cell.get("outputs", []) for line in output.get("text", []))
    return "stayed text" if shown.strip() == repr(text) else f"became {shown.strip()}"


def parameter_code(folder: Path, harm: Path) -> str:
    """A chapter's parameter that is a Python expression."""
    return _chapter(folder, harm, f"__import__('os').mkdir({str(harm)!r})")


def parameter_quotes(folder: Path, harm: Path) -> str:
    """A chapter's parameter that closes the string and goes on with code on a new line."""
    return _chapter(folder, harm, f'trec"\n__import__("os").mkdir({str(harm)!r})\n#\\')


def parameter_yaml(folder: Path, harm: Path) -> str:
    """A chapter's parameter with a YAML tag that makes Python objects."""
    from memloc.publishing.chapters import Chapter
    from memloc.publishing.parameters import read_assignments

    page = Chapter("page", folder / "page.py", {"factor": "1.0"})
    text = f"factor=!!python/object/apply:os.mkdir [{str(harm)!r}]"
    return refusal(lambda: read_assignments([text], [page]), folder)


def markup_in_data(folder: Path, harm: Path) -> str:
    """Texts and class names of a data set that are HTML with scripts, shown by the chapter on tasks."""
    from bs4 import BeautifulSoup

    from memloc.publishing.execution import Job, execute

    labels = [SCRIPT, IMAGE]
    entry: dict[str, object] = {
        "title": f"Hostile {IMAGE}",
        "group": "topic",
        "labels": labels,
        "licence": f"MIT {SCRIPT}",
    }
    entry["files"] = {"folder": "hostile", "splits": {"train": "train", "test": "test"}, "columns": ["text"]}
    (folder / "mine.yml").write_text(yaml.safe_dump({"tasks": {"hostile": entry}}))
    (folder / "profile.yml").write_text(yaml.safe_dump(PROFILE))
    for split in ("train", "test"):
        texts = [f"{SCRIPT} word{i} {IMAGE} </td></table> {split}" for i in range(60)]
        rows = pd.DataFrame({"text": texts, "label": [i % 2 for i in range(60)]})
        (folder / "data" / "hostile").mkdir(parents=True, exist_ok=True)
        rows.assign(label_name=rows["label"].map(dict(enumerate(labels)))).to_parquet(
            folder / "data" / "hostile" / f"{split}.parquet"
        )
    source = project_root(Path(__file__).parent) / "notebooks" / "chapters" / "01_tasks.py"
    job = Job("01_tasks", source, {"profile": str(folder / "profile.yml")}, folder / "out", folder)
    names = {"MEMLOC_HOME": "home", "MEMLOC_DATA": "data", "MEMLOC_CATALOGUE": "mine.yml"}
    (folder / "out").mkdir()
    with environment(**{name: str(folder / path) for name, path in names.items()}):
        outcome = execute(job)
    if outcome.error:
        return f"the page failed: {outcome.error.splitlines()[-1]}"
    cells = json.loads(job.target.read_text())["cells"]
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    html = ["".join(data["text/html"]) for data in shown if "text/html" in data]
    # Markdown may hold HTML: what a page writes by itself, and captions of figures
    written = ["".join(data["text/markdown"]) for data in shown if "text/markdown" in data]
    written += [json.dumps(cell["metadata"].get("mystnb", {}).get("figure", {})) for cell in cells]
    elements = [element for text in html for element in BeautifulSoup(text, "html.parser").find_all(True)]
    active = any(e.name == "script" or any(name.startswith("on") for name in e.attrs) for e in elements)
    if active or any("harmed" in text for text in written):
        harm.touch()
    told = sum("harmed" in text for text in html)
    return f"escaped in {told} tables of the page" if told else "not shown"


def pickled_type(folder: Path, harm: Path) -> str:
    """A parquet file whose column is of a type that is described by a pickle."""
    import pickle

    from memloc.data.files import load_files
    from memloc.data.specs import FilesSource, TaskSpec

    kind = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    text = pa.field("text", pa.string(), metadata={**kind, b"ARROW:extension:metadata": pickle.dumps(Payload(harm))})
    schema = pa.schema([text, pa.field("label", pa.int64()), pa.field("label_name", pa.string())])
    (folder / "hostile").mkdir()
    pq.write_table(pa.table([["a", "b"], [0, 1], ["x", "y"]], schema=schema), folder / "hostile" / "train.parquet")
    files = FilesSource("hostile", {"train": ("train",)}, ("text",))
    spec = TaskSpec("hostile", "Hostile", "topic", ("x", "y"), "MIT", files=files)
    return refusal(lambda: load_files(spec, folder), folder).replace("taken", "read as plain text")


def climbing_data(folder: Path, harm: Path) -> str:
    """A task whose files lie outside the data folder."""
    from memloc.data.catalogue import load_catalogue

    entry: dict[str, object] = {"title": "x", "group": "topic", "labels": ["a", "b"], "licence": "MIT"}
    entry["files"] = {"folder": "../../etc", "splits": {"train": "train"}, "columns": ["text"]}
    (folder / "mine.yml").write_text(yaml.safe_dump({"tasks": {"hostile": entry}}))
    return refusal(lambda: load_catalogue(folder / "mine.yml"), folder)


def climbing_task(folder: Path, harm: Path) -> str:
    """A task that is called like a path."""
    from memloc.data.catalogue import load_catalogue

    entry: dict[str, object] = {"title": "x", "group": "topic", "labels": ["a", "b"], "licence": "MIT"}
    entry["files"] = {"folder": "x", "splits": {"train": "train"}, "columns": ["text"]}
    (folder / "mine.yml").write_text(yaml.safe_dump({"tasks": {"../../harm": entry}}))
    return refusal(lambda: load_catalogue(folder / "mine.yml"), folder)


def climbing_model(folder: Path, harm: Path) -> str:
    """A model that is called like a path and markup."""
    from memloc.models.catalogue import load_models

    entry: dict[str, object] = {
        "title": "x",
        "family": "bert",
        "source": "builtin",
        "layers": 2,
        "hidden": 8,
        "heads": 1,
    }
    (folder / "mine.yml").write_text(yaml.safe_dump({"models": {f"../{IMAGE}": entry}}))
    return refusal(lambda: load_models(folder / "mine.yml"), folder)


def climbing_kind(folder: Path, harm: Path) -> str:
    """An artefact of a kind that is a path."""
    from memloc.store import Store

    return refusal(lambda: Store(folder / "home").get_or_make("../../harm", CONFIG, lambda _: None), folder)


def climbing_job(folder: Path, harm: Path) -> str:
    """A plan of a workflow with a job that is called like a path, whose stamp would lie outside."""
    from memloc.cluster.plan import read_plan, settle

    job = {"name": "../../../../harm", "stage": "all", "cells": [], "makes": [], "needs": [], "side": 1}
    job |= {"seconds": None, "memory": None, "device_memory": None}
    content = {"format": 1, "name": "x", "profile": PROFILE, "device": "cpu", "data": None, "jobs": [job]}
    (folder / "x.plan.json").write_text(json.dumps(content))
    return refusal(lambda: settle(folder / "home", read_plan(folder / "x.plan.json")), folder)


def climbing_page(folder: Path, harm: Path) -> str:
    """A page to execute that is called like a path."""
    from memloc.publishing.runner import execute_chapters

    with contextlib.chdir(project_root(Path(__file__).parent)):
        return refusal(lambda: execute_chapters("smoke", out=folder, names=["../../harm"]), folder)


def altered_release(folder: Path, harm: Path) -> str:
    """A released run with one byte changed."""
    from memloc.released import read_release

    source = next((project_root(Path(__file__).parent) / "results").glob("*/outcomes.parquet")).parent
    shutil.copytree(source, folder / "run")
    path = folder / "run" / "rows.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return refusal(lambda: read_release(folder / "run"), folder)


def altered_manifest(folder: Path, harm: Path) -> str:
    """A released run whose manifest says something else than when it was written."""
    from memloc.released import read_release

    source = next((project_root(Path(__file__).parent) / "results").glob("*/outcomes.parquet")).parent
    shutil.copytree(source, folder / "run")
    path = folder / "run" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["cells"] = manifest["cells"][1:]
    path.write_text(json.dumps(manifest))
    return refusal(lambda: read_release(folder / "run"), folder)


def altered_artefact(folder: Path, harm: Path) -> str:
    """Weights in the store that were exchanged for a pickle."""
    from memloc.store import Store

    store = Store(folder / "home")
    made = store.get_or_make("toy", CONFIG, lambda place: (place / "w.safetensors").write_bytes(b"sound") and None)
    poisoned(made.path / "w.safetensors", harm)
    again = store.get_or_make("toy", CONFIG, lambda place: (place / "w.safetensors").write_bytes(b"sound") and None)
    sound = again.file("w.safetensors").read_bytes() == b"sound"
    return "noticed, and made again" if sound else "used"


def exchanged_artefact(folder: Path, harm: Path) -> str:
    """An artefact of another configuration, moved to the key that is asked for."""
    from memloc.store import Store

    store = Store(folder / "home")
    made = store.get_or_make("toy", {"task": "other"}, lambda place: (place / "t").write_bytes(b"x") and None)
    made.path.rename(made.path.with_name(config_key(CONFIG)))
    return refusal(lambda: store.find("toy", CONFIG), folder)


def linked_lock(folder: Path, harm: Path) -> str:
    """A lock file of the store that is a link to somebody's file."""
    from memloc.store import Store

    victim = folder / "thesis.tex"
    victim.write_text("words")
    place = folder / "home" / "store" / "v1" / "toy"
    place.mkdir(parents=True)
    os.symlink(victim, place / f"{config_key(CONFIG)}.lock")
    Store(folder / "home").get_or_make("toy", CONFIG, lambda place: (place / "t").write_bytes(b"x") and None)
    if victim.read_text() != "words":
        harm.touch()
    return "the link was removed, the file is untouched"


def altered_versions(folder: Path, harm: Path) -> str:
    """A lock of package versions that was changed after the environment was made."""
    from memloc.doctor import examine

    root = project_root(Path(__file__).parent)
    text = (root / "requirements.lock").read_text()
    name, _, version = next(line for line in text.splitlines() if line.startswith("numpy==")).partition("==")
    (folder / "requirements.lock").write_text(text.replace(f"{name}=={version}", f"{name}==0.0.1"))
    found = [str(one) for one in examine(folder / "home", folder) if one.place == "numpy"]
    return f"told by memloc doctor: {found[0]}" if found else "not noticed"


CASES: dict[str, Case] = {
    function.__name__: function
    for function in (
        *(pickle_alone, pickle_renamed, pickle_beside, code_beside, pickled_type),
        *(yaml_code, parameter_code, parameter_quotes, parameter_yaml, markup_in_data),
        *(climbing_data, climbing_task, climbing_model, climbing_kind, climbing_job, climbing_page),
        *(altered_release, altered_manifest, altered_artefact, exchanged_artefact, linked_lock, altered_versions),
    )
}
