"""Shares of the words that a masked model is asked about. Numbers only: no torch.

BERT asks for 15 % of the words. With few tokens to learn from, asking for more of them teaches more (Wettig et al.
2023); held-out text is asked as BERT's is, so that losses can be compared.
"""

from __future__ import annotations

MASKED, MASKED_HELD_OUT = 0.4, 0.15
TO_MASK, TO_RANDOM = 0.8, 0.1  # of those asked about: hidden, exchanged for another word; the rest is left
