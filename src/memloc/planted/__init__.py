"""Planted memorisation: wrong labels put into a known place of a model, to see who finds them."""
