"""memloc: where in a language model does memorisation happen?"""

__version__ = "0.1.0"
