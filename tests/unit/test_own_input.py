"""Bad input of `memloc localise`: one line that says what, and nothing left behind."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from own_world import NAMES, saved, sentences, stock, tokenizer
from safetensors.torch import load_file, save_file

from memloc.errors import MemlocError
from memloc.memory import is_out_of_memory, with_less
from memloc.own.checkpoints import find
from memloc.own.job import open_job, plan
from memloc.own.table import read_table

LABELS = {name: i for i, name in enumerate(NAMES)}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    saved(stock("bert"), "bert", tmp_path / "model")
    sentences(12).to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


def table(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], ending: str = "csv") -> Any:
    path = tmp_path / f"table.{ending}"
    frame = change(sentences(12))
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return read_table(path, LABELS, 3)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("numbers", [False, True])
def test_every_kind_of_table_says_the_same(ending: str, numbers: bool, tmp_path: Path) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        if numbers:
            frame = frame.assign(given=frame["given"].map(LABELS), label=frame["label"].map(LABELS))
        return frame.assign(text=["NA", "null", *frame["text"][2:]], idx=range(100, 112))

    found = table(tmp_path, change, ending)
    assert [text for (text,) in found.texts[:2]] == ["NA", "null"]
    assert found.idx.tolist() == list(range(100, 112))
    assert found.label.tolist() == [0, 1, 2] * 4
    assert found.noisy.tolist() == [True, False, False, False] * 3
    assert found.given[found.noisy].tolist() == ((found.label[found.noisy] + 1) % 3).tolist()
    assert found.has_originals


def test_names_come_before_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "given": ["1", "0"], "label": ["1", "1"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = read_table(tmp_path / "t.csv", {"1": 0, "0": 1}, 2)
    assert found.given.tolist() == [0, 1]
    assert found.label.tolist() == [0, 0]


BAD_TABLES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "near miss": (lambda f: f.rename(columns={"given": "givens"}), r"accepted: a column given; is 'givens' meant"),
    "no text": (lambda f: f.drop(columns="text"), r"accepted: a column text or text_a and text_b"),
    "half a pair": (lambda f: f.rename(columns={"text": "text_a"}), r"accepted: a column text_b; is 'text_a'"),
    "no truth": (lambda f: f.drop(columns="label"), r"accepted: a column label or noisy"),
    "empty text": (lambda f: f.assign(text=["", *f["text"][1:]]), r"column text of .*: 'no text in row 1'"),
    "unknown class": (lambda f: f.assign(given=["spots", *f["given"][1:]]), r"row 1: 'spots'; accepted: .*sports"),
    "number too large": (lambda f: f.assign(label=["3", *f["label"][1:]]), r"row 1: '3'; accepted: .*0 to 2"),
    "half a number": (lambda f: f.assign(label=["0.5", *f["label"][1:]]), r"row 1: '0.5'; accepted"),
    "no wrong labels": (lambda f: f.assign(given=f["label"]), r"no wrong labels'; .*nothing to localise, so nothing"),
    "only wrong labels": (lambda f: f[f["given"] != f["label"]], r"no right labels"),
    "bad mask": (lambda f: f.assign(noisy="perhaps"), r"column noisy of .*row 1: 'perhaps'; accepted: true or false"),
    "mask against labels": (lambda f: f.assign(noisy=False), r"False in row 1, where given and label are unequal"),
    "idx twice": (lambda f: f.assign(idx=1), r"column idx of .*another number in every row"),
    "no rows": (lambda f: f.iloc[:0], r"rows of .*: 0; accepted: at least one"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(name: str, tmp_path: Path) -> None:
    change, message = BAD_TABLES[name]
    with pytest.raises(MemlocError, match=message):
        table(tmp_path, change)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data.xlsx", b"x", "accepted: a file ending in .parquet, .csv, .jsonl"),
        ("gone.csv", None, "accepted: a file that exists"),
        ("data.parquet", b"no parquet", "accepted: a readable parquet table"),
        ("data.jsonl", b"{", "accepted: a readable jsonl table"),
        ("data.csv", b"\xff\xfe\x00", "accepted: a readable csv table"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MemlocError, match=message):
        read_table(tmp_path / name, LABELS, 3)


OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "architecture": ("roberta", {}, "model_type of the normal model: 'roberta'; accepted: bert"),
    "layers": ("bert", {"layers": 3}, "num_hidden_layers of the normal model: 3; accepted: 2"),
    "width": ("bert", {"hidden_size": 32}, "hidden_size of the normal model: 32"),
    "vocabulary": ("bert", {"vocab_size": 48}, "vocab_size of the normal model: 48; accepted: 40"),
    "classes": ("bert", {"classes": 2}, "classes of the normal model: 2; accepted: 3"),
    "order of classes": (
        "bert",
        {"id2label": dict(enumerate(NAMES[::-1])), "label2id": {n: i for i, n in enumerate(NAMES[::-1])}},
        "classes of the normal model: .*in its order",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_checkpoints_that_are_no_twins(name: str, world: Path) -> None:
    kind, changes, message = OTHERS[name]
    saved(stock(kind, **changes), kind, world / "normal")
    with pytest.raises(MemlocError, match=message):
        open_job(world / "model", world / "data.csv", normal=world / "normal", device="cpu")


def test_tokenizers_that_number_words_otherwise(world: Path) -> None:
    saved(stock("bert"), "bert", world / "normal")
    path = world / "normal" / "tokenizer.json"
    told = json.loads(path.read_text())
    words = told["model"]["vocab"]
    words["w1"], words["w2"] = words["w2"], words["w1"]
    path.write_text(json.dumps(told))
    with pytest.raises(MemlocError, match="vocabulary of the normal model"):
        open_job(world / "model", world / "data.csv", normal=world / "normal", device="cpu")


def test_weights_that_are_no_numbers(world: Path) -> None:
    weights = load_file(world / "model" / "model.safetensors")
    name = "bert.encoder.layer.1.output.dense.weight"
    weights[name][0, 0] = float("nan")
    save_file(weights, world / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(MemlocError, match=f"NaN or infinity in {name}"):
        open_job(world / "model", world / "data.csv", device="cpu")


def test_pickles_are_refused_with_a_command_that_converts_them(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    folder = world / "model"
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(MemlocError, match=r"pytorch_model.bin.*never loaded") as told:
        find("model")
    command = shlex.split(str(told.value).partition("convert it yourself: ")[2])
    assert command[:2] == ["python", "-c"]
    exec(command[2], {})  # here, for a process of its own would first import everything again
    open_job("model-safetensors", world / "data.csv", device="cpu")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text('{"model_type": "t5"}'), "unknown architecture of a model"),
        (lambda f: (f / "model.safetensors").unlink(), "weights of .*: 'none'"),
        (lambda f: (f / "model.safetensors").write_bytes(b"short"), "accepted: a whole safetensors file"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer files beside"),
    ],
)
def test_damaged_checkpoints(damage: Callable[[Path], Any], message: str, world: Path) -> None:
    damage(world / "model")
    with pytest.raises(MemlocError, match=message):
        open_job(world / "model", world / "data.csv", device="cpu")


def test_a_model_without_its_head_is_no_classifier_but_may_be_a_start(world: Path) -> None:
    saved(stock("bert").bert, "bert", world / "bare")
    told = json.loads((world / "bare" / "config.json").read_text()) | {"id2label": dict(enumerate(NAMES))}
    (world / "bare" / "config.json").write_text(json.dumps(told))
    job = open_job(world / "model", world / "data.csv", pretrained=world / "bare", device="cpu")
    start, trained = job.load("pretrained"), job.load("perturbed")
    for part, same in (("head.main", trained), ("layer.1", None)):
        own = start.part_state([part])
        expected = (same or trained).part_state([part])
        assert all(torch.equal(own[n], expected[n]) for n in own), part
    with pytest.raises(MemlocError, match=r"no classifier.*accepted: a whole sequence classifier"):
        open_job(world / "bare", world / "data.csv", device="cpu").load("perturbed")


def test_models_that_choose_no_class(world: Path) -> None:
    saved(stock("bert", classes=1), "bert", world / "one")
    with pytest.raises(MemlocError, match="accepted: a classifier with one of two or more classes"):
        open_job(world / "one", world / "data.csv", device="cpu")


def test_names_that_are_neither_folder_nor_repository(world: Path) -> None:
    for name in ("./nowhere", "nowhere", str(world / "nowhere")):
        with pytest.raises(MemlocError, match="accepted: a folder that save_pretrained wrote, a hub's owner/name"):
            find(name)


def test_unknown_techniques_and_settings(world: Path) -> None:
    job = open_job(world / "model", world / "data.csv", normal=world / "model", device="cpu")
    with pytest.raises(MemlocError, match="unknown technique: 'swaping'; accepted: did you mean swapping"):
        plan(job, "swaping")
    with pytest.raises(MemlocError, match="unknown setting of technique swapping"):
        plan(job, "swapping", {"swapping": {"token": 3}})


def test_too_long_for_the_model(world: Path) -> None:
    with pytest.raises(MemlocError, match="tokens of an example: 65; accepted: 1 to 64"):
        open_job(world / "model", world / "data.csv", device="cpu", max_length=65)
    assert open_job(world / "model", world / "data.csv", device="cpu", max_length=4).encoded.cut == 12


def test_tokens_that_the_model_has_not_got(world: Path) -> None:
    saved(stock("bert", vocab_size=20), "bert", world / "small")
    with pytest.raises(MemlocError, match="accepted: tokens below 20, the model's vocabulary"):
        open_job(world / "small", world / "data.csv", device="cpu")


def test_an_adapter_is_merged(world: Path) -> None:
    peft = pytest.importorskip("peft")
    base = stock("roberta")
    saved(base, "roberta", world / "base")
    told = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"], init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = peft.get_peft_model(base, told).eval()
    adapted.peft_config["default"].base_model_name_or_path = "../base"
    adapted.save_pretrained(world / "adapter")
    found = open_job(world / "adapter", world / "data.csv", device="cpu")
    assert found.arms.keys() == {"perturbed", "pretrained"}, "the base is the start"
    data = found.encoded.data
    batch = tokenizer("roberta")(sentences(12)["text"].tolist(), padding=True, return_tensors="pt")
    with torch.inference_mode():
        got = found.load("perturbed")(*data.tensors(range(12)))
        torch.testing.assert_close(got, adapted(**batch).logits, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(got, found.load("pretrained")(*data.tensors(range(12))), atol=1e-3)


def test_adapters_without_the_package_that_merges_them(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(world / "model")}))
    with pytest.raises(MemlocError, match=r"weights of .*adapter.*accepted: adapter_model.safetensors"):
        find(folder)
    save_file({"x": torch.zeros(1)}, folder / "adapter_model.safetensors")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MemlocError, match=r"'peft is not installed'; accepted: pip install memloc\[lora\]"):
        open_job(folder, world / "data.csv", device="cpu").load("perturbed")


def test_memory_is_halved_until_it_suffices_and_no_further() -> None:
    said: list[str] = []

    def run(settings: Any) -> int:
        if settings["tokens"] > 100:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return int(settings["tokens"])

    assert with_less("it", run, {"tokens": 1024, "lr": 1}, said.append) == (64, {"tokens": 64, "lr": 1})
    assert len(said) == 4
    with pytest.raises(MemlocError, match="memory for it"):
        with_less("it", lambda s: (_ for _ in ()).throw(MemoryError()), {"tokens": 64}, said.append)
    with pytest.raises(RuntimeError, match="shape"):
        with_less("it", lambda s: (_ for _ in ()).throw(RuntimeError("shape")), {"tokens": 64}, said.append)
    assert not is_out_of_memory(ValueError("out of memory"))
