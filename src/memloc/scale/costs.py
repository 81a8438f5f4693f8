"""What each technique costs, by counting: the formulas that the techniques' docstrings state, in one place.

The unit is one *application*: one layer, run once on one example, forwards; a backward pass is one application for the
gradient of a layer's inputs and one for that of its weights. What is computed outside of layers is counted in
floating-point operations. Arithmetic alone: no torch, no models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from memloc.errors import MemlocError, unknown_name
from memloc.windows import Window, windows

EVALUATION_TOKENS = 4096  # of a batch that is only scored, as `training.evaluate`
OBJECTIVES = 2  # of gradients: logit and negative log-likelihood
PROBE_TARGETS = 3  # noise, given label, original label; the frozen arm's probes learn the first alone

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """What a technique is run on.

    Attributes:
        rows: N training examples.
        layers: L.
        classes: C.
        hidden: width d.
        tokens: of an example, on average.
        validation: V validation examples, scored after each epoch of training.
        noise: share of the training examples whose given label is wrong.
    """

    rows: int
    layers: int
    classes: int = 2
    hidden: int = 768
    tokens: float = 32.0
    validation: int = 0
    noise: float = 0.15

    def __post_init__(self) -> None:
        for name in ("rows", "layers", "classes", "hidden", "tokens"):
            if getattr(self, name) <= 0:
                raise MemlocError(f"{name} of a shape", getattr(self, name), "more than 0")

    @property
    def noisy(self) -> int:
        """Noisy examples."""
        return round(self.noise * self.rows)


@dataclass(frozen=True)
class Cost:
    """Of one piece of work.

    Attributes:
        applications: of a layer to one example.
        calls: times that a layer is run on a whole batch, forwards or backwards: each takes a moment on a GPU, however
            small the batch.
        other: floating-point operations outside of layers.
    """

    applications: float
    calls: float
    other: float = 0.0

    def flops(self, shape: Shape) -> float:
        """Floating-point operations: two for each weight of a layer and token; those of attention's scores are left
        out, T / (6 d) of the rest for examples of T tokens."""
        return self.applications * 2 * layer_parameters(shape.hidden) * shape.tokens + self.other


def layer_parameters(hidden: int) -> int:
    """Weights of one layer of width d: 4 d^2 in attention, 8 d^2 in the feed-forward block, biases and two norms."""
    return 12 * hidden**2 + 13 * hidden


def partial_training(
    shape: Shape, how: Settings, lowest: int = 1, learnt: int | None = None, scored_epochs: int | None = None
) -> Cost:
    """One training run in which some layers learn: forwards, back to the lowest of them, and the scores of each epoch.

    Args:
        how: ``epochs`` and ``batch_size``.
        lowest: first layer that learns; L + 1 where only the head does.
        learnt: how many layers learn; by default all from the lowest on.
        scored_epochs: how many are scored; by default all.
    """
    last, epochs = shape.layers, how["epochs"]
    deep = last - lowest + 1
    each = last + deep + (deep if learnt is None else learnt)
    scored = last * (shape.rows + shape.validation) * (epochs if scored_epochs is None else scored_epochs)
    steps = epochs * -(-shape.rows // how["batch_size"])
    return Cost(epochs * each * shape.rows + scored, each * steps + scored * shape.tokens / EVALUATION_TOKENS)


def training(shape: Shape, how: Settings) -> Cost:
    """One arm in which all layers learn: epochs x (4 N + V) x L."""
    return partial_training(shape, how)


def stored_training(shape: Shape, how: Settings) -> Cost:
    """A frozen arm whose backbone drops nothing out, run once: (N + V) x L."""
    passed = shape.layers * (shape.rows + shape.validation)
    return Cost(passed, passed * shape.tokens / EVALUATION_TOKENS)


def swapping(shape: Shape, how: Settings) -> Cost:
    """N x (L + one for each window and layer after it): L + L (L + 1) / 2 + (L - 1) L (L + 1) / 6 with all windows."""
    each = swapped_layers(shape.layers, how.get("longest"))
    batches = shape.rows * shape.tokens / how["tokens"]
    return Cost(shape.rows * each, batches * 3 * shape.layers)


def swapped_layers(layers: int, longest: int | None = None) -> int:
    """Applications for an example: the model itself, one normal layer a window, and perturbed ones after each."""
    return layers + sum(1 + layers - (start + length - 1) for start, length in windows(layers, longest))


def retraining(shape: Shape, how: Settings) -> Cost:
    """N L for the states before windows, epochs x (N - 2 noisy) x sum of 2 (L - s + 1) + k, and answers in the end."""
    chosen = retrained_windows(shape.layers, how.get("lengths"))
    learnt = shape.rows - 2 * shape.noisy
    a_step = sum(2 * (shape.layers - start + 1) + length for start, length in chosen)
    answered = 2 * shape.noisy * sum(shape.layers - start + 1 for start, _ in chosen)
    calls = how["epochs"] * -(-learnt // how["batch_size"]) * a_step
    return Cost(shape.rows * shape.layers + how["epochs"] * learnt * a_step + answered, calls)


def retrained_windows(layers: int, lengths: Any = None) -> list[Window]:
    """Windows of these lengths, and the one of all layers, as `techniques.retraining.chosen_windows`."""
    wanted = None if lengths in (None, "all") else {*lengths, layers}
    return [window for window in windows(layers) if wanted is None or window[1] in wanted]


def gradients(shape: Shape, how: Settings) -> Cost:
    """Two arms, two groups as large as the noisy one: L forwards and 2 L backwards an objective."""
    each = shape.layers * (1 + 2 * OBJECTIVES)
    rows = 2 * 2 * shape.noisy
    return Cost(rows * each, rows * shape.tokens / how["tokens"] * each)


def probing(shape: Shape, how: Settings) -> Cost:
    """Two passes of N L, and 0.7 N x epochs x 6 (d h + h h + h C) operations for each probe: layer, seed, target."""
    weights = shape.hidden * how["hidden"] + how["hidden"] ** 2 + how["hidden"] * shape.classes
    scored = (how["epochs"] - how["from_epoch"]) * 0.1 * shape.rows
    an_epoch = 6 * how["epochs"] * 0.7 * shape.rows + 2 * scored
    trained = PROBE_TARGETS + 1
    probes = trained * how["seeds"] * (shape.layers + 1)
    passed = 2 * shape.rows * shape.layers
    steps = trained * how["epochs"] * 0.7 * shape.rows / how["batch_size"]  # all layers and seeds at once
    return Cost(passed, passed * shape.tokens / how["tokens"] + 2 * steps, probes * an_epoch * weights)


def centroids(shape: Shape, how: Settings) -> Cost:
    """Three arms: N L each, and the products of states with centroids, twice N x d x C a layer."""
    passed = 3 * shape.rows * shape.layers
    products = 3 * (shape.layers + 1) * 2 * 2 * shape.rows * shape.hidden * shape.classes
    return Cost(passed, passed * shape.tokens / how["tokens"], products)


def maps(shape: Shape, how: Settings) -> Cost:
    """M members: 3 x epochs x share x N x L each, and N x L for the probabilities."""
    seen = round(how["share"] * shape.rows)
    each = shape.layers * (3 * how["epochs"] * seen + shape.rows)
    together = max(1, how.get("together") or 1)
    steps = how["epochs"] * -(-seen // how["batch_size"]) * 3 * shape.layers * -(-how["members"] // together)
    return Cost(how["members"] * each, steps)


FORMULAS: dict[str, Callable[[Shape, Settings], Cost]] = {
    of.__name__: of for of in (training, swapping, retraining, gradients, probing, centroids, maps)
}
WORDS = {
    "training": "epochs x (4 N + V) x L",
    "swapping": "N x (L + L(L + 1)/2 + (L - 1)L(L + 1)/6)",
    "retraining": "epochs x (N - 2 noisy) x sum over windows of 2(L - s + 1) + k",
    "gradients": "4 noisy x 5 L",
    "probing": "2 N L, and seeds x 4 x (L + 1) x epochs x 0.7 N steps of a probe",
    "centroids": "3 N L, and 3 (L + 1) N d C products",
    "maps": "members x (3 x epochs x share + 1) x N L",
}


def cost_of(technique: str, shape: Shape, how: Settings) -> Cost:
    """What a technique costs with all its settings.

    Raises:
        MemlocError: for a technique without a formula.
    """
    if technique not in FORMULAS:
        raise unknown_name("technique with a formula", technique, FORMULAS)
    return FORMULAS[technique](shape, how)
