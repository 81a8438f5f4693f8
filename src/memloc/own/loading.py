"""From a checkpoint's files to a classifier; whether two checkpoints can stand beside each other."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import torch

from memloc.errors import MemlocError
from memloc.models.quiet import quietly
from memloc.own.checkpoints import OwnCheckpoint, first_line
from memloc.own.classifier import OwnClassifier, own_family

if TYPE_CHECKING:
    from torch import nn

SHAPE = (
    "model_type",
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "vocab_size",
    "max_position_embeddings",
)
HEADS = ("classifier", "score", "pooler")  # first or last words of a head's names in stock checkpoints


def check_classifier(found: OwnCheckpoint) -> None:
    """Look at the configuration alone.

    Raises:
        MemlocError: for an unknown architecture, or a model that does not choose one class of several.
    """
    own_family(found.config.model_type)
    kind, count = getattr(found.config, "problem_type", None), found.config.num_labels
    if count < 2 or kind not in (None, "single_label_classification"):
        raise MemlocError(f"classes of {found.title}", kind or count, "a classifier with one of two or more classes")


def check_alike(first: OwnCheckpoint, other: OwnCheckpoint, arm: str) -> None:
    """Refuse a checkpoint that is no twin of the first: another shape, vocabulary or (but for the start) other classes.

    Raises:
        MemlocError: naming what differs.
    """
    for name in SHAPE:
        mine, theirs = getattr(first.config, name, None), getattr(other.config, name, None)
        if mine != theirs:
            raise MemlocError(f"{name} of the {arm} model", theirs, f"{mine}, as the model has")
    for source in (first, other):
        if not (source.has_tokenizer or (source.base and source.base.has_tokenizer)):
            return
    if first.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise MemlocError(f"vocabulary of the {arm} model", other.title, "the same tokens with the same numbers")


def check_classes(first: OwnCheckpoint, other: OwnCheckpoint, arm: str) -> None:
    """The same classes in the same order; a model that only counts them (``LABEL_0``) fits any names.

    Raises:
        MemlocError: naming what differs.
    """
    if first.config.num_labels != other.config.num_labels:
        raise MemlocError(f"classes of the {arm} model", other.config.num_labels, f"{first.config.num_labels}")
    mine, theirs = class_names(first.config), class_names(other.config)
    if mine and theirs and mine != theirs:
        raise MemlocError(f"classes of the {arm} model", theirs, f"the model's, in its order: {mine}")


def class_names(config: Any) -> list[str]:
    """Names of the classes in the order of their numbers; empty where the model only counts them."""
    names = [str(config.id2label[i]) for i in range(config.num_labels)]
    return [] if names == [f"LABEL_{i}" for i in range(len(names))] else names


def load(found: OwnCheckpoint, types: bool, head_of: OwnCheckpoint | None = None) -> OwnClassifier:
    """The classifier in evaluation mode on the CPU, in fp32; an adapter is merged into its base.

    Args:
        types: whether ids carry token types.
        head_of: for the start of training, whose file may hold no head or another one: take this checkpoint's.

    Raises:
        MemlocError: if a weight is missing or of another shape.
    """
    with torch.random.fork_rng(devices=[]):  # transformers draws weights before it reads them
        if found.base is not None:
            model = _merged(found)
        else:
            model = stock(found, head_of.config if head_of else found.config, any_head=head_of is not None)
    classifier = OwnClassifier(model, types).eval()
    if head_of is not None:
        classifier.load_parts(load(head_of, types).part_state(["head.main"]))
    return classifier.requires_grad_(True)


def stock(found: OwnCheckpoint, config: Any, any_head: bool) -> nn.Module:
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    try:
        with quietly():
            model, told = AutoModelForSequenceClassification.from_pretrained(
                found.folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=any_head,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        accepted = "a readable safetensors checkpoint of this configuration"
        raise MemlocError(f"weights of {found.title}", first_line(error), accepted) from error
    lacking = sorted({*told["missing_keys"], *(entry[0] for entry in told["mismatched_keys"])})
    lacking = [name for name in lacking if not (any_head and is_head(name))]
    if lacking:
        wanted = "a whole sequence classifier" + ("" if any_head else ", its trained head included")
        raise MemlocError(f"weights of {found.title}", f"no {lacking[0]}", wanted)
    return model


def is_head(name: str) -> bool:
    """Whether a tensor of a stock checkpoint belongs to its head."""
    words = name.split(".")
    return words[0] in HEADS or (len(words) > 1 and words[1] == "pooler")


def _merged(found: OwnCheckpoint) -> nn.Module:
    """An adapter's base with the adapter merged into it.

    Raises:
        MemlocError: if peft is not installed, or the adapter does not fit.
    """
    assert found.base is not None
    try:
        peft = importlib.import_module("peft")  # an optional package, so not among the imports
    except ImportError as error:
        raise MemlocError("package for adapters", "peft is not installed", "pip install memloc[lora]") from error
    base = stock(found.base, found.config, any_head=bool(found.adapter_heads()))
    try:
        return peft.PeftModel.from_pretrained(base, found.folder, use_safetensors=True).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise MemlocError(f"adapter {found.title}", first_line(error), f"one of {found.base.title}") from error
