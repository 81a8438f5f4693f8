"""The source of a small chapter with a figure, a formula, a reference and glued numbers."""

CHAPTER = """\
# %% [markdown]
# # A chapter
#
# See {numref}`fig-test-line`; $E_{k,l}$ of the {glue:text}`test-profile` profile is {glue:text}`test-value:.2f`.

# %% tags=["parameters"]
profile = "mini"
factor = 1.0

# %%
import matplotlib.pyplot as plt
from myst_nb import glue

from memloc.publishing.style import show, use_style

use_style()
glue("test-profile", profile, display=False)
glue("test-value", 1.234 * factor, display=False)

# %%
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
show(figure, "fig-test-line", "A line over $l$.", alt="A line that rises.")

# %%
import pandas as pd

pd.DataFrame({"layer": [1, 2], "weight": [0.25, 0.75]})
"""
