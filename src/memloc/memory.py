"""Memory: what a forward pass keeps; and where it runs out, halve what runs at once and go on, saying so.

Only settings that change no result are halved: ``tokens`` of a batch where nothing learns. A batch size at which
something learns is part of the method and stays: there an error says what to lower.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from memloc.errors import MemlocError

if TYPE_CHECKING:
    import torch
    from torch import nn

log = logging.getLogger(__name__)

HALVED = ("tokens", "megabytes")  # settings of techniques that say how much runs at once, and nothing else
LEAST = 16
TOGETHER_BYTES = 16e9  # what members of a map trained at once may fill on a GPU, beside their activations
SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC")

T = TypeVar("T")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the device's or the machine's, did not suffice."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign.lower() in str(error).lower() for sign in SIGNS)


def with_less(
    what: str,
    run: Callable[[Mapping[str, Any]], T],
    settings: Mapping[str, Any],
    say: Callable[[str], None] = log.warning,
) -> tuple[T, dict[str, Any]]:
    """Run with these settings, or with smaller batches where memory does not suffice.

    Args:
        what: for messages, such as a technique's name.
        run: takes settings; run again from its beginning after each halving.
        say: told of each halving.

    Returns:
        What ``run`` returned, and the settings it succeeded with.

    Raises:
        MemlocError: if it does not fit at the smallest size, or has nothing that can be halved.
    """
    now = dict(settings)
    while True:
        try:
            return run(now), now
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = _reason(error)
        # out of the block above, so that no traceback holds the tensors of the failed attempt
        name = next((n for n in HALVED if n in now and now[n] // 2 >= LEAST), None)
        if name is None:
            raise MemlocError(f"memory for {what}", reason, "a device with more memory, or shorter texts (max_length)")
        now[name] //= 2
        say(f"{what} ran out of memory; trying again with {name} {now[name]} instead of {now[name] * 2}")
        free()


@contextmanager
def told_what_to_lower(what: str, lower: str) -> Iterator[None]:
    """Around training: where memory does not suffice, an error that says what to lower; nothing is lowered here.

    Args:
        lower: names of the settings, as whoever reads the message can change them.

    Raises:
        MemlocError: instead of the error of a lack of memory; other errors pass.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        wanted = f"a device with more memory, or a lower {lower}, which makes another run of it: results depend on both"
        raise MemlocError(f"memory for {what}", _reason(error), wanted) from None


def _reason(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:120] or type(error).__name__


def kept_bytes(model: nn.Module, forward: Callable[[], object]) -> int:
    """Bytes that a forward pass of a model keeps for its backward pass, what shares memory once, the model's own never.

    Random numbers drawn on the way leave no trace in the caller's generators.
    """
    import torch

    def place(tensor: torch.Tensor) -> int:
        return tensor.untyped_storage().data_ptr()

    own = {place(tensor) for tensor in (*model.parameters(), *model.buffers())}
    sizes: dict[int, int] = {}
    held: list[torch.Tensor] = []  # an address is not used again while its tensor lives

    def note(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)
        if place(tensor) not in own:
            sizes[place(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.random.fork_rng(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = forward()
    del result
    return sum(sizes.values())


def free() -> None:
    """Give back what nothing uses any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
