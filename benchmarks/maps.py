"""Half-data ensembles the plain way: one member after the other, one batch of eight at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from benchmarks.harness import Sides
from benchmarks.world import World
from memloc.config import TrainConfig
from memloc.models.classifier import Classifier
from memloc.techniques.maps import ensemble
from memloc.training.batches import Encoded, derived_seed
from memloc.training.ensemble import Member, epoch_order, fresh_head, members

CONFIG = TrainConfig(epochs=1, lr=3e-5)
MEMBERS = 6


def plain_member(pretrained: Classifier, data: Encoded, member: Member, config: TrainConfig) -> np.ndarray:
    """Probability of every example's given label by one member, trained from the start by the plain recipe."""
    model = pretrained.twin()
    model.load_parts(fresh_head(model, derived_seed("head", member.seed)))
    model.dropout.p = config.dropout
    model.set_trainable([part for part in model.parts() if part != "embeddings"])
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=config.lr, weight_decay=config.weight_decay)
    total = config.epochs * -(-len(member.rows) // config.batch_size)
    warm = int(config.warmup * total)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / max(1, warm) if step < warm else (total - step) / max(1, total - warm)
    )
    device, labels = next(model.parameters()).device, torch.tensor(data.given)
    for epoch in range(1, config.epochs + 1):
        torch.manual_seed(derived_seed("dropout", member.seed, epoch))
        model.train()
        for rows in epoch_order(member, data.lengths, config.batch_size, epoch):
            loss = functional.cross_entropy(model(*data.tensors(rows, device)), labels[rows].to(device))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, config.clip_norm)
            optimizer.step()
            schedule.step()
    return plain_probability(model.eval(), data)


@torch.inference_mode()
def plain_probability(model: Classifier, data: Encoded) -> np.ndarray:
    """Softmax probability of the given labels, eight examples at a time in their order."""
    device, found = next(model.parameters()).device, []
    for i in range(0, len(data), 8):
        rows = np.arange(i, min(i + 8, len(data)))
        probability = model(*data.tensors(rows, device)).softmax(dim=1).cpu().numpy()
        found.append(probability[np.arange(len(rows)), data.given[rows]])
    return np.concatenate(found)


def sides(world: World) -> Sides:
    """Probabilities by all members."""
    chosen = members(len(world.data), MEMBERS, 1)
    return Sides(
        plain=lambda: np.stack([plain_member(world.pretrained, world.data, m, CONFIG) for m in chosen]),
        ours=lambda: np.stack(list(ensemble(world.pretrained.twin(), world.data, chosen, CONFIG))),
        difference=lambda a, b: float(np.abs(a - b).max()),
    )
