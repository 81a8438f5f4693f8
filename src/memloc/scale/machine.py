"""Seconds and gigabytes of a model of any size, by calculation: from counted costs and a machine's achieved speed."""

from __future__ import annotations

from dataclasses import dataclass

from memloc.errors import MemlocError
from memloc.scale.costs import Cost, Shape, layer_parameters
from memloc.windows import windows

NUMBER = 4  # bytes of a weight, a gradient, a moment or a state in fp32
LEARNT = 4 * NUMBER  # of a weight that learns: itself, its gradient, two moments of AdamW
KEPT = 18  # numbers that a layer keeps for its backward pass, for each token, in widths d; attention's scores left out
SWAPPED_TOKENS, GRADIENT_TOKENS = 1024, 512  # of a batch, as the defaults of swapping and gradients


@dataclass(frozen=True)
class Machine:
    """One device, as a calculation sees it.

    Attributes:
        flops: floating-point operations a second that the work gets out of it; a share of the published peak.
        call: seconds that a layer's pass over a batch takes at least, however little there is to compute.
    """

    flops: float
    call: float = 0.0

    def __post_init__(self) -> None:
        if not (self.flops > 0 and self.call >= 0):
            accepted = "operations a second, and 0 s a call or more"
            raise MemlocError("speed of a machine", (self.flops, self.call), accepted)

    def seconds(self, cost: Cost, shape: Shape) -> float:
        """What takes longer: computing, or asking for it."""
        return max(cost.flops(shape) / self.flops, cost.calls * self.call)


@dataclass(frozen=True)
class ModelShape:
    """A model by its sizes.

    Attributes:
        layers, hidden: L and d.
        drops_out: whether its backbone drops states out in training, as BERT's and OPT's checkpoints say.
        vocabulary: tokens that have an embedding.
    """

    layers: int
    hidden: int
    drops_out: bool = True
    vocabulary: int = 50_000

    @property
    def body(self) -> int:
        """Weights of all layers."""
        return self.layers * layer_parameters(self.hidden)

    @property
    def weights(self) -> int:
        """Weights of layers and embeddings."""
        return self.body + self.vocabulary * self.hidden


def memory(model: ModelShape, batch: int, tokens: int) -> dict[str, float]:
    """Bytes on the device, in fp32, of each kind of work: the largest that it holds at a time.

    Args:
        batch: examples of a training step.
        tokens: of each, the longest.
    """
    states = NUMBER * model.hidden
    kept = KEPT * model.layers * states
    plain, learning = NUMBER * model.weights, (LEARNT - NUMBER) * model.body
    one_layer = LEARNT * layer_parameters(model.hidden)
    all_windows = len(windows(model.layers)) + 1
    return {
        "training": plain + learning + kept * batch * tokens,
        "swapping": 2 * plain + all_windows * SWAPPED_TOKENS * states,
        "retraining one layer": 2 * plain + one_layer + kept * batch * tokens,
        "retraining all layers": 2 * plain + LEARNT * model.body + kept * batch * tokens,
        # two means of the noisy group, two of the clean one, and the batch's own
        "gradients": plain + 5 * NUMBER * model.body + kept * GRADIENT_TOKENS,
        "centroids": 2 * plain,
        "maps": plain + NUMBER * model.body + learning + kept * batch * tokens,  # the start, kept beside
    }
