"""memloc: where in a language model does memorisation happen?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memloc.own.prepare import prepare
    from memloc.own.run import localise

__version__ = "0.1.0"
__all__ = ["__version__", "localise", "prepare"]


def __getattr__(name: str) -> Any:
    """A user's own model: imported when it is asked for, because reading tables must not pay for torch."""
    if name == "localise":
        from memloc.own.run import localise

        return localise
    if name == "prepare":
        from memloc.own.prepare import prepare

        return prepare
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
