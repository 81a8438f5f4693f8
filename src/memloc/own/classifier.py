"""A Hugging Face sequence classifier as it is, with its own head and pooling, answering what techniques ask.

The head of the checkpoint becomes the part ``head.main``: a pooler (BERT), a classification head (RoBERTa) or ``score``
(decoders). A token's type, where the tokenizer tells one, travels inside its id: *id + type x vocabulary*. So a batch
stays two tensors (ids and mask) for every technique, and any tokenizer's pair encoding comes through exactly.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from memloc.errors import MemlocError, unknown_name
from memloc.models.classifier import Classifier
from memloc.models.families import FAMILIES, Family

# same layout as a family that the catalogue knows, under another name of transformers
ALIKE = {"xlm-roberta": "roberta", "mistral": "llama", "qwen2": "llama", "qwen3": "llama"}
GPT2 = Family("gpt2", "h", ("wte", "wpe"), ("ln_f",), "last", "|", "gpt2", feed_forward=("mlp.c_fc", "mlp.c_proj"))


def own_families() -> dict[str, Family]:
    """Families by transformers' ``model_type``."""
    known = {family.model_type: family for family in FAMILIES.values()} | {"gpt2": GPT2}
    return known | {kind: FAMILIES[name] for kind, name in ALIKE.items()}


def own_family(model_type: str) -> Family:
    """The family of a checkpoint from the ``model_type`` of its ``config.json``.

    Raises:
        MemlocError: for an architecture whose layers we do not know where to find.
    """
    families = own_families()
    if model_type not in families:
        raise unknown_name("architecture of a model", model_type, families)
    return families[model_type]


def accepts_types(backbone: nn.Module) -> bool:
    """Whether the model reads token types. Decoders that swallow unknown arguments do not."""
    return "token_type_ids" in inspect.signature(backbone.forward).parameters


class OwnClassifier(Classifier):
    """A stock ``AutoModelForSequenceClassification``; its logits are the checkpoint's own.

    Args:
        checkpoint: the model, of a family in `own_families`.
        types: whether ids carry token types (see the module); only where the model reads them.

    Raises:
        MemlocError: for an unknown architecture or head.
    """

    def __init__(self, checkpoint: nn.Module, types: bool = False) -> None:
        nn.Module.__init__(self)
        config: Any = checkpoint.config
        self.family = own_family(config.model_type)
        self.checkpoint = checkpoint
        self.backbone = checkpoint.base_model  # type: ignore[assignment]
        self.types = types and accepts_types(self.backbone)
        self.vocabulary = int(config.vocab_size)
        # dropout is the business of the checkpoint's own head; this one lets callers treat all classifiers alike
        self.dropout = nn.Dropout(0.0)
        self.heads = nn.ModuleDict({"main": own_head(checkpoint)})

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Final hidden states [B, T, d], after the family's final norm; ids as the module says."""
        if not self.types:
            return super().hidden(ids, mask)
        extra = {} if self.family.pool == "first" else {"use_cache": False}
        kinds = torch.div(ids, self.vocabulary, rounding_mode="floor")
        ids = ids - kinds * self.vocabulary
        return self.backbone(input_ids=ids, attention_mask=mask, token_type_ids=kinds, **extra).last_hidden_state


class OwnHead(nn.Sequential):
    """A head of several modules, which shares them with the checkpoint.

    Attributes:
        in_features: width of the pooled token, as of a linear head.
    """

    def __init__(self, *modules: nn.Module, in_features: int) -> None:
        super().__init__(*modules)
        self.in_features = in_features


def own_head(checkpoint: Any) -> nn.Module:
    """What turns the pooled token [B, d] into logits [B, C], from the checkpoint's own modules (shared, not copied).

    Raises:
        MemlocError: for a head of another make.
    """
    score: Any = getattr(checkpoint, "score", None)
    classifier: Any = getattr(checkpoint, "classifier", None)
    if score is not None:
        return score
    pooler: Any = getattr(checkpoint.base_model, "pooler", None)
    if isinstance(classifier, nn.Linear) and hasattr(pooler, "dense"):
        pooled = (pooler.dense, pooler.activation, checkpoint.dropout, classifier)
        return OwnHead(*pooled, in_features=pooler.dense.in_features)
    if hasattr(classifier, "dense") and hasattr(classifier, "out_proj"):
        modules = (classifier.dropout, classifier.dense, nn.Tanh(), classifier.dropout, classifier.out_proj)
        return OwnHead(*modules, in_features=classifier.dense.in_features)
    raise MemlocError("head of the model", type(checkpoint).__name__, "a pooler with a classifier, or score")
