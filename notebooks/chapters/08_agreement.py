# %% [markdown]
# # All techniques side by side
#
# *Do four ways of looking see the same thing?*
#
# Four techniques give every layer a weight, and each has its own idea of what it means that a layer holds a memory: the
# model forgets when the layer is exchanged, or when it is trained afresh; the layer would be pulled most; it makes
# {term}`noisy` examples stand out. None of them is the truth. What several of them say independently deserves more
# trust than what one says. (Centroids follow examples and weigh no layers, so they are not among the four.)

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_techniques, figures_beside, real, tabulate, tabulate_beside
from memloc.publishing.reading import open_study
from memloc.publishing.reading_techniques import read_beside
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
beside, released = read_beside(study), real.open_beside()
real.glue_findings("beside", facts_techniques.beside_facts, beside, released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## One scale for the curves
#
# Layer weights of different techniques are in different units: a share of examples forgotten, a ratio of gradients, a
# rise of F1. In {numref}`fig-beside-weights` each curve is **divided by its sum**, so that all of them tell which share
# of the weight a layer has. The grey line is where all layers weigh the same.
#
# One scale does not make them equally sharp. Swapping and retraining average over {term}`windows <window>`, which
# draws their curves towards the grey line; gradients and probing look at one layer at a time. That a curve is flatter
# does not mean that memory is more spread out. Probing may put all its weight on one layer; all panels are then as high
# as that peak, and the other curves look flat beside it.

# %% tags=["hide-input"]
drawn = figures_beside.scaled_weights(beside)
caption = f"""Layer weights of all techniques, each divided by its sum; mean over
seeds. A technique without any weight has no line. Empty panels: labels not memorised. *Not learnt*: shown, but no
conclusion rests on it. {study.made("made-beside")}"""
show(drawn.figure, "fig-beside-weights", caption, alt=drawn.alt)

# %% [markdown]
# ## One number each
#
# The first table has what an {term}`M-CoG` can be at all, from memory wholly in the first layer to memory wholly in
# the last. The second has the M-CoG of every combination, in layers, with an interval where there is one, and its
# **{term}`depth`** along the technique's own {term}`attainable range`, from 0 to 1. Across columns only depths may be
# compared, and these with care: they correct for where a scale ends, not for how blurred it is. A depth of retraining
# can lie below 0 or above 1, because its range takes for granted that no window forgets more than all layers do, and
# some may. Averaging M-CoG over techniques would mix scales, which is why it is not done here. What an interval is over
# differs, as the first table says; one over examples alone leaves out what another order of training would change.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_beside.range_table(beside), tabulate_beside.depth_table(beside))

# %% [markdown]
# ## Do techniques agree?
#
# Two techniques agree if the tasks and models that lie deep by one lie deep by the other. A point is one combination of
# task and model, and the correlation is Pearson's, over M-CoG or over the weights of all layers. With $x_i$ by one
# technique and $y_i$ by the other, and $\bar x$ and $\bar y$ their means,
#
# $$
# r = \frac{\sum_i (x_i - \bar x)(y_i - \bar y)}{\sqrt{\sum_i (x_i - \bar x)^2 \, \sum_i (y_i - \bar y)^2}} .
# $$
#
# ### An example to follow by hand
#
# The M-CoG of four made-up combinations, in models of twelve layers, by two techniques on scales of their own:

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import two_scales

by_hand, numbers = two_scales()
facts.glue_all("beside-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# The fourth lies at {glue:text}`beside-hand-fourth-swapping` by swapping and at
# {glue:text}`beside-hand-fourth-gradients` by gradients, nearly a layer deeper. But swapping's scale ends early, and
# along the scales these are depths of {glue:text}`beside-hand-fourth-x` and {glue:text}`beside-hand-fourth-y`, about
# the same. The products add up to {glue:text}`beside-hand-products`, the squares to {glue:text}`beside-hand-squares-x`
# and {glue:text}`beside-hand-squares-y`, so $r$ = {glue:text}`beside-hand-r`. It would be the same of depths, because a
# correlation takes no notice of where a scale begins or how wide it is. And it is that high although the techniques
# disagree on which of the second and third lies deeper.
#
# ### This copy
#
# {numref}`fig-beside-agreement` has this run's correlations below the diagonal, with the number of points, and those of
# the original study above it. The study's are over 48 points of pre-trained models on real tasks; with fewer than three
# points nothing can be correlated, and with a handful almost any correlation can come about by chance.

# %% tags=["hide-input"]
drawn = figures_beside.agreement_triangles(beside)
caption = f"""Pearson correlations between techniques over combinations of task and model that count. Below the
diagonal: this run, n points. Above: the original study, as written in its figures. A dash: not known.
{study.made("made-beside")}"""
show(drawn.figure, "fig-beside-agreement", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_beside.agreement_table(beside, "techniques"))

# %% [markdown]
# Intervals draw whole tasks, with all their models, because models that learn one task are not independent evidence.
# With fewer than three tasks there are none, nor where more than one draw in twenty leaves nothing to correlate. The
# *{term}`layer weights <layer weight>`*, taken in each technique's own unit, have many more points than the M-CoG, but
# no more tasks: neighbouring layers are alike.
#
# ## Do models agree?
#
# A point is now one combination of task and technique, and two models agree if they put these in the same order. The
# correlation is Spearman's. Techniques differ in scale, which is alike in all models: part of the agreement is that and
# nothing else. Between models with different numbers of layers depths are compared, and layer weights cannot be. The
# second table has the study's own models.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_beside.agreement_table(beside, "models"), tabulate_beside.study_models())

# %% [markdown]
# ## On real data
#
# {glue:text}`beside-real`

# %% tags=["hide-input"]
facts.glue_all("beside", real.beside_facts(released), released)
caption = """Real tasks, pre-trained models: layer weights of the techniques in the released run, each divided by its
sum; mean over seeds. *No run*: not in the released results."""
real.show_figure(released, figures_beside.scaled_weights, "fig-beside-real-weights", caption)

# %% tags=["hide-input"]
tables = (tabulate_beside.depth_table, tabulate_beside.range_table, tabulate_beside.techniques_table)
real.show_numbers(released, *tables)

# %% [markdown]
# Where the table has a column of the study, it is the mean of its four techniques for BERT, in layers of twelve. That
# mixes scales, as said above, and model, number of examples and length of training differ from ours: the column is
# there to look at, and tests nothing.
#
# ## Take-away
#
# Techniques: {glue:text}`beside-end-techniques`. Combinations of task and model: {glue:text}`beside-end-places`,
# of which {glue:text}`beside-end-measured` memorised and {glue:text}`beside-end-counted` also learnt the task.
# {glue:text}`beside-end-note`:
#
# - *Agreement.* {glue:text}`beside-end-pairs` pairs of techniques can be correlated by
#   {glue:text}`beside-end-compared`, over at most {glue:text}`beside-end-points` points of
#   {glue:text}`beside-end-tasks-compared` tasks. The correlations, where 1 is agreement and 0 none, go from
#   {glue:text}`beside-end-weakest` to {glue:text}`beside-end-strongest`.
# - *Distance.* The depths that techniques give one model are at most {glue:text}`beside-end-apart` apart, where 1 would
#   be the first layer for one and the last for another.
#
# **What they rest on: {glue:text}`beside-end-origin`**
#
# ### What would change our mind
#
# - Techniques that agree because both blur alike, and not because both see memory, would also agree on models without
#   any. Swapping and retraining share their windows: part of their agreement is arithmetic.
# - Only of models whose memory was {doc}`forced into known layers <03b_control>` can it be said which technique is
#   right.
#
# ## The published findings
#
# What the study says of techniques and of models that agree. Rules were fixed before the first run on real data, as the
# chapter on swapping says; numbers of few tasks are shown, and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import AGREEMENT, claims_tables

tabulate.show_table(*claims_tables(AGREEMENT, beside, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} Two scales
# :label: ex-beside-scale
#
# In a model of twelve layers gradients have an M-CoG of 5.1, on a scale from 1 to 12, and swapping one of 6.14, on a
# scale from 4.29 to 8.71. Which technique puts memory deeper?
# ```
#
# ```{exercise} Four points
# :label: ex-beside-points
#
# Two techniques correlate at .95 over four models that were trained on one task. Is that much? How many independent
# pieces of evidence are there?
# ```
#
# (made-beside)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "normal", "frozen", *beside.told)))
