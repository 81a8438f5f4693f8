"""A stock backbone with our own small heads, addressed by layer number.

Head (method 2): pooled token -> dropout -> linear. BERT's pooler is bypassed, for every family alike. A second head
serves an auxiliary task. Parameters fall into named *parts*: ``embeddings``, ``layer.1`` .. ``layer.L``, ``final``
(decoders' last norm) and ``head.<name>``; freezing, saving and swapping all speak of parts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from memloc.errors import MemlocError
from memloc.models.backbone import build_backbone
from memloc.models.catalogue import ModelSpec
from memloc.models.families import Family


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
        config: Any = backbone.config
        # a family that projects its last states (OPT 350M) says so here
        hidden = int(getattr(config, "word_embed_proj_dim", config.hidden_size))
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
        """The tensors of these parts, named ``<part>/<module number>/<parameter>``; shared with the model.

        Raises:
            MemlocError: for a part the model has not got.
        """
        parts, wanted = self.parts(), list(names)
        if unknown := set(wanted) - set(parts):
            raise MemlocError("part of the model", sorted(unknown), parts)
        return {
            f"{name}/{i}/{key}": tensor
            for name in wanted
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

    def pooled_token(self, mask: Tensor, pooling: str = "token") -> Tensor:
        """Position int64 [B] of the classified token: first, or last that is no padding (right-padded batches).

        ``pooling="last_column"`` takes decoders' column T even where it is padding, as the published code does for OPT.
        """
        if self.family.pool == "first":
            return torch.zeros(len(mask), dtype=torch.long, device=mask.device)
        if pooling == "last_column":
            return torch.full((len(mask),), mask.shape[1] - 1, device=mask.device)
        return mask.sum(dim=1) - 1

    def pool(self, hidden: Tensor, mask: Tensor, pooling: str = "token") -> Tensor:
        """The states [B, d] of the classified token, from those of all tokens [B, T, d]."""
        return hidden[torch.arange(len(hidden), device=hidden.device), self.pooled_token(mask, pooling)]

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


def build_classifier(
    spec: ModelSpec, classes: Mapping[str, int], dropout: float = 0.1, head_seed: int = 0
) -> Classifier:
    """The classifier of a catalogue entry before any training.

    Args:
        classes: number of classes by head name; the task's head is called ``main``.
        head_seed: the model seed of the study: heads start from it.
    """
    return Classifier(build_backbone(spec), spec.architecture, classes, dropout, head_seed)
