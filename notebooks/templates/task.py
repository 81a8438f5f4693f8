# %% [markdown]
# # One page of the atlas
#
# *What the data are, what was found in them, and what the study found.*

# %% tags=["parameters"]
task = "trec"  # whose page this is: one of the study's twelve
source = None  # hub or files, where you have the data: shows the first examples
unmask = False  # True: also texts that the catalogue warns of

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing import facts, figures_atlas, sources, tabulate_atlas, tabulate_examples
from memloc.publishing.reading_atlas import read_task
from memloc.publishing.style import show, use_style
from memloc.publishing.tabulate import show_table

use_style()
entry = read_task(task)
facts.glue_all("this-page", tabulate_atlas.entry_facts(entry), entry, sources.STUDY)
show_table(tabulate_atlas.card_table(task))

# %% [markdown]
# ## Rows and lengths
#
# Counted in the data as they are published, before repeated or empty texts are dropped and before any cap. A word is
# what stands between white space; the parts of an example count together.

# %% tags=["hide-input"]
show_table(tabulate_atlas.size_table(task))

# %% [markdown]
# ## Examples
#
# Texts are shown only where a reader has the data: run this page again with `-p source=files --data DIR` (or
# `-p source=hub`) added to the line at its end. They are not part of the project. Texts that carry a warning stay
# masked until `-p unmask=true` is added too.

# %% tags=["hide-input", "remove-stderr"]
show_table(tabulate_examples.examples(task, source, unmask))

# %% [markdown]
# ## What was run
#
# {glue:text}`this-page-runs` Where the table says {term}`exploratory`, the task was looked at while settings were
# chosen.

# %% tags=["hide-input"]
show_table(tabulate_atlas.runs_table(entry))

# %% [markdown]
# ## Where the layers weigh
#
# Every technique has a scale of its own, so curves are compared along a row, not down a column. A {term}`cell` that
# several runs share is drawn once. What the techniques are: {doc}`swapping <../chapters/04_swapping>`,
# {doc}`retraining <../chapters/05_retraining>`, {doc}`gradients <../chapters/06_gradients>`,
# {doc}`probing <../chapters/07_probing>`.

# %% tags=["hide-input"]
caption = """Layer weights of every technique in the released runs, mean over seeds. Data: `results/`, the runs of the
table above."""
tabulate_atlas.show_found(entry, figures_atlas.technique_weights, "fig-this-page-weights", caption)

# %% [markdown]
# The centre of gravity ({term}`M-CoG`) has to be read on its {term}`attainable range`, which differs between techniques
# and between numbers of layers; the {term}`depth` is the place on it, 0 for memory in the first layer and 1 for memory
# in the last.

# %% tags=["hide-input"]
show_table(tabulate_atlas.centre_table(entry))

# %% [markdown]
# ## Events
#
# The layer by which {term}`noisy` examples have gone over to the class of their wrong label ({term}`crossing`), and the
# layer from which on the classes stand apart ({term}`initiation`), by {doc}`centroids <../chapters/09_centroids>` and
# by {doc}`probing <../chapters/07_probing>`.

# %% tags=["hide-input"]
show_table(tabulate_atlas.event_table(entry))

# %% [markdown]
# ## Examples at the ends
#
# Which single examples are memorised most and least? They are named by their row alone, counted from 0 in the published
# file. By {doc}`maps <../chapters/09b_maps>`: how much more probable a label is to models that were trained on the
# example than to others. By swapping: in how many {term}`windows <window>` a noisy example keeps its wrong label
# although layers are exchanged.

# %% tags=["hide-input"]
show_table(tabulate_examples.hardest_table(entry))

# %% [markdown]
# ## The study beside ours
#
# The study's numbers come from {cite:t}`dankers-titov-2024-generalisation`: {glue:text}`this-page-how`, within
# {glue:text}`this-page-tolerance` of a layer. Models, training rows and length of training differ from ours, so that
# what lies side by side here tests nothing.

# %% tags=["hide-input"]
drawn = figures_atlas.beside_study(entry)
caption = """What the study published by layer of this task, for its four models of twelve layers, and the same of our
runs. From above: layer weight by swapping; mean position of noisy examples, 1 at their own class and 0 at that of the
wrong label; F1 of a probe that tells noisy from clean examples. Digitised from published figures; ours from
`results/`."""
show(drawn.figure, "fig-this-page-study", caption, alt=drawn.alt)

# %% tags=["hide-input"]
show_table(tabulate_atlas.study_table(entry))

# %% [markdown]
# A dash is a number that was not published, or not measured. All tasks together: {doc}`the atlas <atlas>`.
