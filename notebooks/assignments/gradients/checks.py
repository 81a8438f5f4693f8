"""Hidden checks of "gradients": other models and groups, one example, calls in a row, too few clean examples."""

from __future__ import annotations

from typing import Any

import kit
import numpy as np
import torch

from memloc.classroom.checks import Ask, check, require, same

CLOSE = 1e-4  # sums over thousands of products differ in their last bits
SMALL = {"layers": 3, "width": 8}


def examples(variant: Any, what: int, rows: int) -> tuple[int, np.ndarray, np.ndarray]:
    """A model's seed, words as numbers [rows, 7] and given labels [rows], all the student's own."""
    rng = np.random.default_rng([variant.seed, what])
    return int(rng.integers(10_000)), rng.integers(1, 100, (rows, 7)), rng.integers(0, 3, rows)


def gradient_of(seed: int, ids: np.ndarray, given: np.ndarray) -> list[np.ndarray]:
    """The mean gradient of each layer, one example and one tensor after the other."""
    model = kit.model(seed, **SMALL)
    sums = [np.zeros(sum(p.numel() for p in layer.parameters())) for layer in model.layers]
    for words, label in zip(torch.as_tensor(ids), given.tolist(), strict=True):
        model.zero_grad()
        (-model(words[None])[0, label]).backward()
        for total, layer in zip(sums, model.layers, strict=True):
            total += np.concatenate([p.grad.numpy().ravel() for p in layer.parameters() if p.grad is not None])
    return [total / len(given) for total in sums]


def asked(ask: Ask, seed: int, ids: np.ndarray, given: np.ndarray) -> list[Any]:
    """The student's mean gradient of the same model and examples."""
    code = "list(mean_gradient(kit.model(seed, **small), torch.as_tensor(ids), given))"
    got = ask(code, seed=seed, small=SMALL, ids=ids, given=given)
    require(isinstance(got, list) and len(got) == 3, "mean_gradient does not return one tensor for every layer.")
    return got


@check("The objective is the raw logit of the given label", part="objective", points=1.5)
def raw_logit(ask: Ask, variant: Any) -> None:
    """Four classes; a constant added to all logits of an example counts."""
    rng = np.random.default_rng([variant.seed, 1])
    logits, given = rng.normal(size=(9, 4)).astype(np.float32) + 3, rng.integers(0, 4, 9)
    expected = -sum(float(row[label]) for row, label in zip(logits, given.tolist(), strict=True)) / 9
    got = ask("float(objective(torch.as_tensor(logits), given))", logits=logits, given=given)
    require(not same(got, -expected, CLOSE), "The objective has the wrong sign.", share=0.5)
    require(not same(got, expected * 9, CLOSE), "The objective is a sum, not a mean.", share=0.5)
    require(same(got, expected, CLOSE), "The objective is not minus the mean logit of the given label.")


@check("The mean gradient of a group, layer by layer", part="mean_gradient", points=2)
def group(ask: Ask, variant: Any) -> None:
    """Seven examples against a loop over them."""
    seed, ids, given = examples(variant, 2, 7)
    expected, got = gradient_of(seed, ids, given), asked(ask, seed, ids, given)
    require(not all(same(g, 7 * e, CLOSE) for g, e in zip(got, expected, strict=True)), "A sum, not a mean.", share=0.5)
    require(same(got[0], expected[0], CLOSE), "The gradient of the first layer is not right.")
    require(
        all(same(g, e, CLOSE) for g, e in zip(got, expected, strict=True)), "Gradients of later layers are not right."
    )


@check("A group of one example", part="mean_gradient", points=0.5)
def single(ask: Ask, variant: Any) -> None:
    """No dimension may vanish."""
    seed, ids, given = examples(variant, 3, 1)
    got, expected = asked(ask, seed, ids, given), gradient_of(seed, ids, given)
    require(all(same(g, e, CLOSE) for g, e in zip(got, expected, strict=True)), "One example gives another gradient.")


@check("The model is left as it was", part="mean_gradient", points=1)
def untouched(ask: Ask, variant: Any) -> None:
    """Two groups in a row; weights and stored gradients afterwards."""
    seed, ids, given = examples(variant, 4, 8)
    code = (
        "(lambda model, ids: [list(mean_gradient(model, ids[:4], given[:4])),"
        " list(mean_gradient(model, ids[4:], given[4:])),"
        " any(p.grad is not None and bool(p.grad.any()) for p in model.parameters()), kit.logits(model, ids)])"
        "(kit.model(seed, **small), torch.as_tensor(ids))"
    )
    got = ask(code, seed=seed, small=SMALL, ids=ids, given=given)
    second = gradient_of(seed, ids[4:], given[4:])
    later = len(got[1]) == 3 and all(same(g, e, CLOSE) for g, e in zip(got[1], second, strict=True))
    require(later, "A second call gives another answer than the first would.")
    require(got[2] is False, "Gradients stay behind in the model's parameters.", share=0.5)
    require(same(got[3], kit.logits(kit.model(seed, **SMALL), ids), CLOSE), "The model's weights have changed.")


def drawn(ask: Ask, noisy: np.ndarray, seed: int) -> np.ndarray:
    """The student's clean sample, if it is a row of whole numbers."""
    got = np.asarray(ask("np.asarray(clean_sample(noisy, seed))", noisy=noisy, seed=seed))
    require(got.ndim == 1 and got.dtype.kind in "iu", "clean_sample does not return positions.")
    return got


@check("As many clean examples as noisy ones, drawn at random", part="clean_sample", points=1)
def sample(ask: Ask, variant: Any) -> None:
    """Increasing, clean, no repetition, the seed's own; not always the same end of the list."""
    noisy = np.random.default_rng([variant.seed, 5]).permutation(np.arange(60) < 12)
    samples = [drawn(ask, noisy, seed) for seed in (1, 1, 2)]
    for one in samples:
        require(len(one) == 12, "The sample has another size than the noisy group.")
        require(bool((np.diff(one) > 0).all()), "The positions are not increasing, or one comes twice.")
        require(one.min() >= 0 and one.max() < 60 and not noisy[one].any(), "The sample holds noisy examples.")
    require(same(samples[0], samples[1]), "The same seed gives two samples.")
    require(not same(samples[0], samples[2]), "Two seeds give the same sample.")


@check("Fewer clean examples than noisy ones", part="clean_sample", points=0.5)
def few_clean(ask: Ask, variant: Any) -> None:
    """All of them, once; also where there is just one."""
    for clean in ([2, 5, 6], [variant.seed % 10]):
        noisy = ~np.isin(np.arange(10), clean)
        require(same(drawn(ask, noisy, 3), clean), "With few clean examples the sample is not all of them.")


@check("The norm of the difference, not the difference of norms", part="difference_norms", points=1.5)
def norms(ask: Ask, variant: Any) -> None:
    """Layers of several sizes, signs that matter; L1 and no other norm, a sum and no mean."""
    rng = np.random.default_rng([variant.seed, 6])
    noisy, clean = ([rng.normal(size=size) for size in (5, 3, 11)] for _ in range(2))
    got = ask(
        "difference_norms([torch.as_tensor(g) for g in noisy], [torch.as_tensor(g) for g in clean])",
        noisy=noisy,
        clean=clean,
    )
    expected = [
        sum(abs(x - y) for x, y in zip(a.tolist(), b.tolist(), strict=True)) for a, b in zip(noisy, clean, strict=True)
    ]
    require(same(got, expected, CLOSE), "The norms of the differences are not right.")


@check("From a model to one value a layer", part="forgetting", points=1)
def whole(ask: Ask, variant: Any) -> None:
    """As many clean examples as noisy ones, so that nothing depends on the draw; groups are mixed up in the data."""
    seed, ids, given = examples(variant, 7, 10)
    noisy = np.random.default_rng([variant.seed, 8]).permutation(np.arange(10) < 5)
    code = "forgetting(kit.model(seed, **small), torch.as_tensor(ids), given, noisy, 1)"
    got = ask(code, seed=seed, small=SMALL, ids=ids, given=given, noisy=noisy)
    pairs = zip(gradient_of(seed, ids[noisy], given[noisy]), gradient_of(seed, ids[~noisy], given[~noisy]), strict=True)
    require(same(got, [float(np.abs(a - b).sum()) for a, b in pairs], 1e-3), "The values of the layers are not right.")


@check("Weights are ratios to the frozen model and sum to 1", part="layer_weights", points=1)
def weights(ask: Ask, variant: Any) -> None:
    """Six layers; whole numbers too."""
    rng = np.random.default_rng([variant.seed, 9])
    for trained, frozen in ((rng.random(6) + 0.1, rng.random(6) + 0.1), (np.array([2, 3]), np.array([4, 3]))):
        ratio = [float(a) / float(b) for a, b in zip(trained, frozen, strict=True)]
        got = ask("layer_weights(trained, frozen)", trained=trained, frozen=frozen)
        require(not same(got, ratio), "The weights do not sum to 1.", share=0.5)
        require(same(got, [one / sum(ratio) for one in ratio]), "The weights are not right.")
