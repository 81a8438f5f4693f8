"""A stock backbone with our own small heads, addressed by layer number.

Head (method 2): pooled token -> dropout -> linear. BERT's pooler is bypassed, for every family alike. A second head
serves an auxiliary task. Parameters fall into named *parts*: ``embeddings``, ``layer.1`` .. ``layer.L``, ``final``
(decoders' last norm) and ``head.<name>``; freezing, saving and swapping all speak of parts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memloc.errors import MemlocError
from memloc.models.catalogue import ModelSpec, locate
from memloc.models.families import Family
from memloc.models.tokenizer import HASH_VOCABULARY, PAD

BUILTIN_SEED = 0
BUILTIN_POSITIONS = 512


class Classifier(nn.Module):
    """Backbone, pooling, heads.

    Args:
        backbone: a bare transformers model (``AutoModel``).
        family: where its layers are.
        classes: number of classes of each head, by head name.
        dropout: on the pooled token.
        head_seed: heads start from a normal distribution (standard deviation .02) drawn with this seed, zero bias.
    """

    def __init__(
        self, backbone: nn.Module, family: Family, classes: Mapping[str, int], dropout: float = 0.1, head_seed: int = 0
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.family = family
        self.dropout = nn.Dropout(dropout)
        hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
        generator = torch.Generator().manual_seed(head_seed)
        self.heads = nn.ModuleDict()
        for name, count in classes.items():
            head = nn.Linear(hidden, count)
            with torch.no_grad():
                head.weight.copy_(torch.randn(count, hidden, generator=generator) * 0.02)
                head.bias.zero_()
            self.heads[name] = head

    @property
    def num_layers(self) -> int:
        return len(self._layers())

    def _layers(self) -> nn.ModuleList:
        return self.backbone.get_submodule(self.family.layers)  # type: ignore[return-value]

    def layer(self, number: int) -> nn.Module:
        """Layer ``number`` of 1..L: the one place where layers are counted from 0 inside.

        Raises:
            MemlocError: for a number outside 1..L.
        """
        if not 1 <= number <= self.num_layers:
            raise MemlocError("layer", number, f"1 to {self.num_layers}")
        return self._layers()[number - 1]

    def _modules_at(self, paths: Iterable[str]) -> list[nn.Module]:
        found = []
        for path in paths:
            *outer, last = path.split(".")
            # optional modules (OPT's projections) are attributes set to None
            module = getattr(self.backbone.get_submodule(".".join(outer)), last)
            found += [module] if module is not None else []
        return found

    def parts(self) -> dict[str, list[nn.Module]]:
        """The named parts and the modules that make each."""
        parts = {"embeddings": self._modules_at(self.family.embeddings)}
        parts |= {f"layer.{n}": [self.layer(n)] for n in range(1, self.num_layers + 1)}
        parts["final"] = self._modules_at(self.family.final)
        return parts | {f"head.{name}": [head] for name, head in self.heads.items()}

    def set_trainable(self, names: Iterable[str]) -> None:
        """Let exactly these parts learn; everything else gets no gradient at all.

        Raises:
            MemlocError: for a part the model has not got.
        """
        parts, wanted = self.parts(), set(names)
        if unknown := wanted - set(parts):
            raise MemlocError("part of the model", sorted(unknown), parts)
        self.requires_grad_(False)
        for name in wanted:
            for module in parts[name]:
                module.requires_grad_(True)

    def part_state(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these parts, named ``<part>/<module number>/<parameter>``; shared with the model."""
        parts = self.parts()
        return {
            f"{name}/{i}/{key}": tensor
            for name in names
            for i, module in enumerate(parts[name])
            for key, tensor in module.state_dict().items()
        }

    @torch.no_grad()
    def load_parts(self, state: Mapping[str, Tensor], names: Iterable[str] | None = None) -> None:
        """Copy saved tensors in (all of ``state``, or only the named parts).

        Raises:
            MemlocError: if a tensor is missing, unexpected or of another shape.
        """
        names = sorted({key.split("/", 1)[0] for key in state}) if names is None else list(names)
        own = self.part_state(names)
        given = {key: value for key, value in state.items() if key.split("/", 1)[0] in set(names)}
        if own.keys() != given.keys():
            raise MemlocError(
                "tensors of a checkpoint", sorted(own.keys() ^ given.keys())[:3], "those of this model's parts"
            )
        for key, tensor in own.items():
            if tensor.shape != given[key].shape:
                raise MemlocError(f"shape of {key}", tuple(given[key].shape), str(tuple(tensor.shape)))
            tensor.copy_(given[key])

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Final hidden states [B, T, d], after the family's final norm."""
        extra = {} if self.family.pool == "first" else {"use_cache": False}
        return self.backbone(input_ids=ids, attention_mask=mask, **extra).last_hidden_state

    def pool(self, hidden: Tensor, mask: Tensor, pooling: str = "token") -> Tensor:
        """The classified token [B, d] of states [B, T, d]: first, or last that is no padding (right-padded batches).

        ``pooling="last_column"`` takes decoders' column T even where it is padding, as the published code does for OPT.
        """
        if self.family.pool == "first":
            return hidden[:, 0]
        if pooling == "last_column":
            return hidden[:, -1]
        last = mask.sum(dim=1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]

    def classify(self, pooled: Tensor, head: str = "main") -> Tensor:
        """Logits [B, C] of pooled tokens [B, d]."""
        return self.heads[head](self.dropout(pooled))

    def forward(self, ids: Tensor, mask: Tensor, head: str = "main", pooling: str = "token") -> Tensor:
        """Logits [B, C] of token ids [B, T] and their mask [B, T] (1 = token, 0 = padding)."""
        return self.classify(self.pool(self.hidden(ids, mask), mask, pooling), head)

    def twin(self) -> Classifier:
        """A copy with its own weights in all parts that training may change; the frozen embeddings are shared."""
        shared = {id(p): p for module in self.parts()["embeddings"] for p in module.parameters()}
        return copy.deepcopy(self, dict(shared))


def build_backbone(spec: ModelSpec) -> nn.Module:
    """The stock transformers model of a catalogue entry, in fp32.

    Built-in configurations get random weights from a fixed seed: "pretrained" means the same start for every run.

    Raises:
        MemlocError: if the checkpoint's shape is not the entry's.
    """
    from transformers import AutoConfig, AutoModel

    if spec.source == "builtin":
        config = AutoConfig.for_model(spec.architecture.model_type, **_builtin_shape(spec))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(BUILTIN_SEED)
            model = AutoModel.from_config(config, **_without_pooler(spec))
    else:
        model = _load_checkpoint(locate(spec), spec)
    shape = (model.get_submodule(spec.architecture.layers).__len__(), model.config.hidden_size)
    if shape != (spec.layers, spec.hidden):
        raise MemlocError(f"layers and hidden size of model {spec.name}", shape, f"{(spec.layers, spec.hidden)}")
    return model


def _load_checkpoint(folder: Path, spec: ModelSpec) -> nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it lists heads that a bare backbone drops on purpose
    try:
        return AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,  # transformers keeps a checkpoint's dtype, and an fp32 head crashes on fp16 states
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            **_without_pooler(spec),
        )
    except (OSError, ValueError) as error:
        raise MemlocError(f"weights of model {spec.name}", str(folder), "a readable safetensors checkpoint") from error
    finally:
        logging.set_verbosity(verbosity)


def _without_pooler(spec: ModelSpec) -> dict[str, Any]:
    return {"add_pooling_layer": False} if spec.architecture.model_type in ("bert", "roberta") else {}


def _builtin_shape(spec: ModelSpec) -> dict[str, Any]:
    """Each architecture's own words for the same shape."""
    shape: dict[str, Any] = {
        "vocab_size": HASH_VOCABULARY,
        "hidden_size": spec.hidden,
        "max_position_embeddings": BUILTIN_POSITIONS,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    wide = 4 * spec.hidden
    if spec.architecture.name == "gpt_neo":
        local = (spec.layers + 1) // 2
        kinds = [[["global", "local"], local]] if spec.layers % 2 == 0 else [[["global"], spec.layers]]
        return shape | {
            "num_layers": spec.layers,
            "num_heads": spec.heads,
            "attention_types": kinds,
            "intermediate_size": wide,
        }
    shape |= {"num_hidden_layers": spec.layers, "num_attention_heads": spec.heads}
    if spec.architecture.name == "opt":
        return shape | {"ffn_dim": wide, "word_embed_proj_dim": spec.hidden}
    return shape | {"intermediate_size": wide}


def build_classifier(
    spec: ModelSpec, classes: Mapping[str, int], dropout: float = 0.1, head_seed: int = 0
) -> Classifier:
    """The classifier of a catalogue entry before any training.

    Args:
        classes: number of classes by head name; the task's head is called ``main``.
        head_seed: the model seed of the study: heads start from it.
    """
    return Classifier(build_backbone(spec), spec.architecture, classes, dropout, head_seed)
