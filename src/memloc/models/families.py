"""Families: where stock Hugging Face backbones keep what we address by layer number.

A family names module paths inside the bare backbone (``AutoModel``), nothing else. A backbone that is not here needs
one `Family` value, given in its catalogue entry, and no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from memloc.config import from_mapping
from memloc.errors import MemlocError, unknown_name


@dataclass(frozen=True)
class Family:
    """Module paths and conventions of one architecture.

    Attributes:
        name: what a catalogue entry calls it.
        layers: path of the ``ModuleList`` of transformer layers.
        embeddings: paths of the modules before the first layer; frozen during training.
        final: paths of the modules between the last layer and the head, in order of application.
        pool: ``"first"`` token (encoders) or ``"last"`` token that is not padding (decoders).
        separator: what stands between the parts of an example; ``"sep_token"`` and ``"eos_token"`` are the tokenizer's.
        model_type: transformers' name of the architecture, for built-in configurations and ad hoc folders.
        tokenwise: blocks of a layer that treat each token by itself, as "first module" or "first module ... last
            module" inside the layer; where only one token is asked for, they are run on that one. Saves time, changes
            no result, may be empty.
        feed_forward: modules of a layer around its feed-forward units: the projections up to them (two where they are
            gated), and last the one down. Unit F is a row of the former and a column of the latter. Changes no result;
            where it is empty, nothing can be asked of single units.
    """

    name: str = ""
    layers: str = ""
    embeddings: tuple[str, ...] = ()
    final: tuple[str, ...] = ()
    pool: str = "last"
    separator: str = "|"
    model_type: str = ""
    tokenwise: tuple[str, ...] = ()
    feed_forward: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pool not in ("first", "last"):
            raise MemlocError(f"pool of family {self.name}", self.pool, ["first", "last"])
        for field in ("name", "layers", "embeddings"):
            if not getattr(self, field):
                raise MemlocError(f"{field} of family {self.name or '(unnamed)'}", getattr(self, field), "a value")


_BERT_TOKENWISE = ("attention.output.dense", "intermediate.dense ... output.dense")
_BERT_UNITS = ("intermediate.dense", "output.dense")

FAMILIES = {
    family.name: family
    for family in (
        Family(
            "bert", "encoder.layer", ("embeddings",), (), "first", "sep_token", "bert", _BERT_TOKENWISE, _BERT_UNITS
        ),
        Family(
            "roberta",
            "encoder.layer",
            ("embeddings",),
            (),
            "first",
            "sep_token",
            "roberta",
            _BERT_TOKENWISE,
            _BERT_UNITS,
        ),
        Family(
            "opt",
            "decoder.layers",
            ("decoder.embed_tokens", "decoder.embed_positions", "decoder.project_in"),
            ("decoder.final_layer_norm", "decoder.project_out"),
            "last",
            "eos_token",
            "opt",
            ("self_attn.out_proj", "fc1 ... fc2"),
            ("fc1", "fc2"),
        ),
        Family(
            "gpt_neo",
            "h",
            ("wte", "wpe"),
            ("ln_f",),
            "last",
            "|",
            "gpt_neo",
            ("attn.attention.out_proj", "mlp"),
            ("mlp.c_fc", "mlp.c_proj"),
        ),
        Family(
            "gpt_neox",
            "layers",
            ("embed_in",),
            ("final_layer_norm",),
            "last",
            "|",
            "gpt_neox",
            ("attention.dense", "mlp"),
            ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ),
        Family(
            "llama",
            "layers",
            ("embed_tokens",),
            ("norm",),
            "last",
            "|",
            "llama",
            ("self_attn.o_proj", "mlp"),
            ("mlp.up_proj", "mlp.gate_proj", "mlp.down_proj"),
        ),
    )
}


def get_family(family: str | Mapping[str, Any] | Family) -> Family:
    """A family by name, or built from the mapping of a catalogue entry.

    Raises:
        MemlocError: for an unknown name or an incomplete mapping.
    """
    if isinstance(family, Family):
        return family
    if isinstance(family, str):
        if family not in FAMILIES:
            raise unknown_name("model family", family, FAMILIES)
        return FAMILIES[family]
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in family.items()}
    return from_mapping(Family, values, "model family")


def family_of_type(model_type: str) -> Family:
    """The family of a checkpoint from the ``model_type`` of its ``config.json``."""
    for family in FAMILIES.values():
        if family.model_type == model_type:
            return family
    raise unknown_name("architecture", model_type, [f.model_type for f in FAMILIES.values()])


def describe(family: Family) -> dict[str, Any]:
    """The family as plain data, part of a checkpoint's key; without what changes no result."""
    told = {k: v for k, v in asdict(family).items() if k not in ("tokenwise", "feed_forward")}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}
