"""Two-layer models, random token ids and few-row profiles that the tests of training and techniques share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from memloc.models.catalogue import ModelSpec
from memloc.models.classifier import Classifier, build_classifier
from memloc.profiles import Profile
from memloc.profiles.loading import parse_profile
from memloc.training.batches import Encoded

FAMILIES = ["bert", "opt", "gpt_neo", "gpt_neox", "llama", "roberta"]
CLASSES = 3


def spec(family: str = "bert", layers: int = 3, **changes: Any) -> ModelSpec:
    """A built-in configuration small enough for a slow reference."""
    values = {"name": f"t-{family}", "title": family, "family": family, "source": "builtin", "hidden": 16, "heads": 2}
    return ModelSpec(**{**values, "layers": layers, **changes})


def encoded(n: int = 7, seed: int = 0, lengths: tuple[int, int] = (1, 12), classes: int = CLASSES) -> Encoded:
    """N rows of random ids, every third one noisy."""
    rng = np.random.default_rng(seed)
    ids = [rng.integers(3, 2000, rng.integers(lengths[0], lengths[1] + 1)).tolist() for _ in range(n)]
    label = rng.integers(0, classes, n)
    noisy = np.arange(n) % 3 == 0
    return Encoded(ids, np.arange(n) * 10, label, np.where(noisy, (label + 1) % classes, label), noisy, pad_id=0)


@torch.no_grad()
def shake(model: Classifier, seed: int, parts: list[str] | None = None, by: float = 0.3) -> Classifier:
    """Add noise to the parts (all but the embeddings), so that layers matter more than in fresh weights."""
    generator = torch.Generator().manual_seed(seed)
    for name in parts or [p for p in model.parts() if p != "embeddings"]:
        for tensor in model.part_state([name]).values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator) * by)
    return model.eval()


def classifier(family: str = "bert", layers: int = 3, seed: int = 0, **changes: Any) -> Classifier:
    """A classifier whose every layer has its say."""
    return shake(build_classifier(spec(family, layers, **changes), {"main": CLASSES}, head_seed=seed), seed)


def pair(family: str = "bert", layers: int = 3) -> tuple[Classifier, Classifier]:
    """Two arms with one start and different weights in everything that training changes."""
    perturbed = classifier(family, layers)
    return perturbed, shake(perturbed.twin(), 1)


OWN: dict[str, Any] = {
    "purpose": "tests",
    "source": "generated",
    "tasks": ["gen-cue-2a"],
    "models": {"micro-bert": {}},
    "seeds": [1],
    "data": {"cap": 40, "validation_cap": 20, "test_cap": 20},
    "training": {"epochs": 2, "batch_size": 16, "lr": 1e-3, "max_length": 32},
    "techniques": {"swapping": {}},
    "resamples": 50,
}


def profile(**changes: Any) -> Profile:
    """A profile of one task and one model, changed as asked (keys of a profile file)."""
    return parse_profile("tests", {**OWN, **changes})
