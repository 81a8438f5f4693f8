# %% [markdown]
# # The atlas
#
# *Every task and every family of models on a page of its own.*
#
# A chapter follows one question through all tasks. A page of the atlas does the opposite: it takes one task, or one
# family of models, and puts side by side what every technique says about it, and what the study found. The numbers
# come from the released runs that are stored with the book; a run that is added to them appears here by itself. Where
# nothing was run yet, a page says so and shows the study's numbers alone.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing import tabulate_atlas
from memloc.publishing.tabulate import show_table

show_table(tabulate_atlas.index_table())

# %% [markdown]
# Rows are those of the training split as it is published or, for tasks published without held-out rows, of all of it.
# A word is what stands between white space. Runs are smaller than the study's; what each of them is stands on the
# pages.
#
# ## Tasks
#
# - Understanding: {doc}`task-wic`, {doc}`task-rte`, {doc}`task-mrpc`, {doc}`task-cola`, {doc}`task-boolq`
# - Sentiment: {doc}`task-sst2`, {doc}`task-sst5`, {doc}`task-emotion`
# - Hate: {doc}`task-implicithate`, {doc}`task-stormfront`
# - Topic: {doc}`task-trec`, {doc}`task-reuters`
#
# ## Families of models
#
# {doc}`family-bert`, {doc}`family-opt`, {doc}`family-gpt-neo`, {doc}`family-gpt-neox`.
