"""The catalogue of models, families, tokenizers and devices: what is known, what is refused, and how it says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import FAMILIES, spec
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from memloc.devices import resolve_device
from memloc.errors import MemlocError
from memloc.models import catalogue
from memloc.models.catalogue import ModelSpec, get_model, load_models, locate, model_config, model_names, register_model
from memloc.models.classifier import build_classifier
from memloc.models.families import FAMILIES as KNOWN
from memloc.models.families import describe, family_of_type, get_family
from memloc.models.tokenizer import FIRST_WORD, HASH_VOCABULARY, SEPARATOR, START, HashTokenizer, load_tokenizer


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_registered", {})
    monkeypatch.delenv("MEMLOC_CATALOGUE", raising=False)


def test_every_entry_names_a_known_family_and_a_shape() -> None:
    names = model_names()
    assert {"bert-base-cased", "opt-125m", "gpt-neo-125m", "pythia-160m", "opt-1.3b"} <= set(names)
    for name in names:
        entry = get_model(name)
        assert entry.name == name
        assert entry.architecture.name in KNOWN
        assert entry.title
        assert entry.licence
        assert entry.pretrained == (entry.source != "builtin" and not entry.random)


@pytest.mark.parametrize("name", ["micro-bert", "micro-opt", "micro-gpt-neo", "micro-gpt-neox"])
def test_built_in_entries_are_what_they_say(name: str) -> None:
    entry = get_model(name)
    model = build_classifier(entry, {"main": 2})
    assert (model.num_layers, model.backbone.config.hidden_size) == (entry.layers, entry.hidden)  # type: ignore[union-attr]
    assert model_config(entry)["weights"] == "random"


def test_families_are_those_the_tests_know() -> None:
    assert set(KNOWN) == set(FAMILIES)
    for name, family in KNOWN.items():
        assert family_of_type(family.model_type) is family
        # what changes no result stays out of the keys
        assert get_family(describe(family)) == replace(get_family(name), tokenwise=(), feed_forward=())


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(MemlocError, match="did you mean bert-base-cased"):
        get_model("bert-base-case")
    with pytest.raises(MemlocError, match=r"unknown model family: 'gpt_neoy'; accepted: did you mean gpt_neo"):
        get_family("gpt_neoy")
    with pytest.raises(MemlocError, match="unknown architecture: 't5'"):
        family_of_type("t5")
    with pytest.raises(MemlocError, match="source of model x: 'web'; accepted: hub, folder, package, builtin"):
        spec(name="x", source="web")
    with pytest.raises(MemlocError, match="shape of model"):
        spec(layers=0)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ({"name": "mine", "layers": "h"}, "embeddings of family mine"),
        ({"name": "mine", "layers": "h", "embeddings": ["wte"], "pool": "mean"}, "pool of family mine: 'mean'"),
        ({"name": "mine", "layer": "h"}, "unknown setting in model family: 'layer'; accepted: did you mean layers"),
    ],
)
def test_an_incomplete_family_is_refused(family: dict[str, object], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        get_family(family)


def entry_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    return path


MINE = "models: {mine: {title: Mine, family: opt, source: builtin, layers: 2, hidden: 16, heads: 2}}"


def test_a_catalogue_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_models(entry_file(tmp_path, MINE)) == ["mine"]
    assert get_model("mine").hidden == 16
    monkeypatch.setattr(catalogue, "_registered", {})
    monkeypatch.setenv("MEMLOC_CATALOGUE", str(tmp_path / "mine.yml"))
    assert model_names()[-1] == "mine"
    register_model(get_model("mine"))  # the same entry again changes nothing
    with pytest.raises(MemlocError, match="model: 'mine'; accepted: a name that no other entry"):
        register_model(ModelSpec(**{**get_model("mine").__dict__, "hidden": 32}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {mine: {famly: opt}}", "unknown setting in model mine in mine.yml: 'famly'"),
        ("models: {mine: opt}", "model mine in mine.yml: 'opt'; accepted: a mapping"),
        ("models: [", "a readable YAML file"),
        ("other: 1", "a mapping with the key models"),
        (MINE.replace("mine", "micro-opt"), "model: 'micro-opt'; accepted: a name that no other entry"),
        (MINE.replace("layers: 2", "layers: two"), "mine.yml.layers: 'two'"),
    ],
)
def test_a_wrong_catalogue_is_refused_each_time_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("MEMLOC_CATALOGUE", str(entry_file(tmp_path, text)))
    for _ in range(2):  # half of the entries must not stay behind
        with pytest.raises(MemlocError, match=message):
            get_model("micro-bert")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMLOC_MODELS", raising=False)
    with pytest.raises(MemlocError, match=r"folder of model e5-small-enpt.*MEMLOC_MODELS set"):
        locate(get_model("e5-small-enpt"))
    monkeypatch.setenv("MEMLOC_MODELS", str(tmp_path))
    with pytest.raises(MemlocError, match=r"a folder with config.json and model.safetensors"):
        locate(get_model("e5-small-enpt"))
    with pytest.raises(MemlocError, match="package of model t-bert: 'no_such_package'; accepted: pip install no-such"):
        locate(spec(source="package", location="no_such_package/model"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a two-layer BERT and a word-level tokenizer."""
    config = AutoConfig.for_model(
        "bert", vocab_size=12, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    AutoModel.from_config(config).save_pretrained(tmp_path / "saved")
    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[SEP]", "a", "b", "c", "|"])}
    fast = FastTokenizer(WordLevel(words, unk_token="[UNK]"))
    fast.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=fast, sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]")
    tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_folder_is_a_model(saved: Path) -> None:
    entry = get_model(str(saved))
    assert (entry.name, entry.architecture.name, entry.layers, entry.hidden) == ("saved", "bert", 2, 16)
    assert build_classifier(entry, {"main": 2}).num_layers == 2
    (saved / "config.json").write_text("{")
    with pytest.raises(MemlocError, match=r"config.json of model saved"):
        get_model(str(saved))


def test_other_weights_are_another_model_and_another_place_is_not(saved: Path, tmp_path: Path) -> None:
    before = model_config(get_model(str(saved)))
    assert str(tmp_path) not in json.dumps(before)
    moved = saved.rename(tmp_path / "elsewhere").rename(tmp_path / "again").rename(tmp_path / "deep")
    (tmp_path / "x").mkdir()
    assert model_config(get_model(str(moved.rename(tmp_path / "x" / "saved")))) == before
    weights = tmp_path / "x" / "saved" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert model_config(get_model(str(tmp_path / "x" / "saved")))["weights"] != before["weights"]


def test_a_checkpoint_in_pieces_is_hashed_whole(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = get_model(str(saved))
    monkeypatch.setattr(catalogue, "locate", lambda _: saved)
    (saved / "model.safetensors").rename(saved / "model-00001-of-00002.safetensors")
    (saved / "model-00002-of-00002.safetensors").write_bytes(b"second")
    assert len(model_config(entry)["weights"]) == 2


def test_checkpoint_tokenizer_joins_the_parts_with_the_familys_separator(saved: Path) -> None:
    bert, gpt = load_tokenizer(saved, get_family("bert")), load_tokenizer(saved, get_family("gpt_neo"))
    assert bert.encode(["a b", "c"], 10) == [3, 4, 2, 5]
    assert gpt.encode(["a b", "c"], 10) == [3, 4, 6, 5]
    assert bert.encode(["a b", "c"], 2) == [3, 4]
    assert bert.pad_id == 0
    with pytest.raises(MemlocError, match="tokenizer: 'no eos_token'"):
        load_tokenizer(saved, get_family("opt"))


def test_hash_tokenizer() -> None:
    encoder, decoder = HashTokenizer("first"), HashTokenizer("last")
    ids = decoder.encode(["One two", "one!"], 99)
    assert ids[2] == SEPARATOR
    assert ids[0] == ids[3], "case does not matter"
    assert len(ids) == 5
    assert all(FIRST_WORD <= i < HASH_VOCABULARY for i in ids if i != SEPARATOR)
    assert encoder.encode(["One two", "one!"], 99) == [START, *ids]
    assert encoder.encode(["One two"], 2) == [START, ids[0]]
    assert decoder.encode(["one"], 9) == [228], "ids are part of what checkpoints mean: raise TRAINING_VERSION"


@pytest.mark.parametrize(
    "name", ["tpu", "", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "auto:1", "cpu:0", "CPU", "cuda:0 "]
)
def test_nonsense_devices_are_refused(name: str) -> None:
    with pytest.raises(MemlocError, match="accepted: auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_devices_that_are_not_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(MemlocError, match="sees 0 CUDA devices"):
            resolve_device(name)
    with pytest.raises(MemlocError, match="no MPS device"):
        resolve_device("mps")


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(MemlocError, match="sees 2 CUDA devices"):
        resolve_device("cuda:2")
