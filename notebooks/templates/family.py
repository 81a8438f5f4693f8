# %% [markdown]
# # One page of the atlas
#
# *What the family is, which models stand in for the study's, and where they remember.*

# %% tags=["parameters"]
family = "bert"  # whose page this is: bert, opt, gpt_neo or gpt_neox

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing import facts, figures_atlas, sources, tabulate_atlas
from memloc.publishing.reading_atlas import read_family
from memloc.publishing.style import show, use_style
from memloc.publishing.tabulate import show_table

use_style()
entry = read_family(family)
facts.glue_all("this-page", tabulate_atlas.entry_facts(entry), entry, sources.STUDY)
show_table(tabulate_atlas.family_card(family))

# %% [markdown]
# The study's own models are larger than a laptop trains in a night, and are fetched from the hub. Models of the same
# family that can be run anywhere stand in for them: small pre-trained ones, one of which comes with this book, and tiny
# ones with random weights for tests.

# %% tags=["hide-input"]
show_table(tabulate_atlas.member_table(family))

# %% [markdown]
# ## What was run
#
# {glue:text}`this-page-runs`

# %% tags=["hide-input"]
show_table(tabulate_atlas.runs_table(entry))

# %% [markdown]
# ## Where its models remember
#
# A row of shades is one task, and its weights are divided by their sum. Swapping and retraining average over
# {term}`windows <window>`, which makes their rows even by construction.

# %% tags=["hide-input"]
caption = """Share of the layer weight by layer, technique, model and task in the released runs, mean over seeds;
further from the background is more, on a scale of its own in each panel. Data: `results/`, the runs of the table
above."""
tabulate_atlas.show_found(entry, figures_atlas.family_weights, "fig-this-page-weights", caption)

# %% [markdown]
# The centre of gravity ({term}`M-CoG`) has to be read on its {term}`attainable range`; the {term}`depth` is the place
# on it, from 0 to 1.

# %% tags=["hide-input"]
show_table(tabulate_atlas.centre_table(entry, by_task=True))

# %% [markdown]
# ## The study's model
#
# From {cite:t}`dankers-titov-2024-generalisation`: {glue:text}`this-page-how`, within {glue:text}`this-page-tolerance`
# of a layer.

# %% tags=["hide-input"]
drawn = figures_atlas.study_weights(tabulate_atlas.families()[family])
caption = """The study's layer weights by swapping for its model of this family, a row a task; further from the
background is more. Digitised from a published figure; blank where a line was hidden."""
show(drawn.figure, "fig-this-page-study", caption, alt=drawn.alt)

# %% tags=["hide-input"]
show_table(tabulate_atlas.family_study_table(family))

# %% [markdown]
# Each task has a page of its own in {doc}`the atlas <atlas>`.
