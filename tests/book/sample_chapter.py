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
import pandas as pd

from memloc.publishing import facts
from memloc.publishing.style import show, use_style

use_style()
example = pd.DataFrame({"layer": [1, 2], "weight": [0.25, 0.75]})
facts.glue_all("test", {"profile": profile, "value": 1.234 * factor, "unused": "5"}, example)

# %%
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
show(figure, "fig-test-line", "A line over $l$.", alt="A line that rises.")

# %%
example
"""
