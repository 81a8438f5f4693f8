# %% [markdown]
# # Memorisation maps
#
# *Who is memorised, and do tasks that generalise better memorise deeper?*
#
# So far "memorised" meant that a model gives a wrong label back. But right labels can be learnt by heart too, and a
# wrong one can be what any model would guess. Whether a label was memorised shows only against models that never saw
# it: {cite:t}`feldman-zhang-2020-neural` trained many models on random parts of the data and compared those that had an
# example with those that had not. The same models tell how well a task generalises, and with that a question of the
# original study can be asked: does memory lie deeper where there is more to generalise?

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_maps, real, tabulate, tabulate_maps, worked
from memloc.publishing.reading import open_study
from memloc.publishing.reading_maps import read_maps
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
mapped, released = read_maps(study), real.open_maps()
real.glue_findings("maps", tabulate_maps.map_facts, mapped, released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# $M$ models are trained from the same pre-trained start, each on a random half of the training examples with the labels
# they were given, right or wrong. Let $p_m(i)$ be the probability that model $m$ gives to the given label of example
# $i$, and $S_m$ the half it was trained on. Then
#
# $$
# \begin{aligned}
# \mathrm{mem}(i) &= \operatorname*{mean}_{m:\, i \in S_m} p_m(i), \qquad
# \mathrm{gen}(i) = \operatorname*{mean}_{m:\, i \notin S_m} p_m(i), \\
# \mathrm{cf}(i) &= \max\bigl(0,\ \mathrm{mem}(i) - \mathrm{gen}(i)\bigr) .
# \end{aligned}
# $$
#
# $\mathrm{cf}$ is counterfactual memorisation: what having seen the example is worth. The **generalisation score** of
# a task is the mean of $\mathrm{gen}$ over its {term}`clean` examples. How the original study made one number of a
# task is not published; the table below the map therefore has the median, and the mean over all examples, beside it.
# The study trained thirty models; small profiles have fewer, whose halves come in pairs of complements, so that every
# example is seen by half of the models.
#
# ## By hand
#
# Four made-up models say the following of the given labels of four examples; a star marks those that were trained on
# the example.

# %% tags=["hide-input"]
given, by_hand, numbers = worked.four_models()
facts.glue_all("maps-hand", numbers, given, by_hand)
tabulate.show_table(given, by_hand)

# %% [markdown]
# The example with the wrong label is at {glue:text}`maps-hand-memorisation` with the models that had it and at
# {glue:text}`maps-hand-generalisation` with the others, which makes {glue:text}`maps-hand-counterfactual`. The odd
# example is memorised too, though its label is right; the usual one is known by everybody, and the hard one by nobody.
# The generalisation score is the mean of the {glue:text}`maps-hand-clean` others: {glue:text}`maps-hand-score`.
#
# ## Maps
#
# Each combination of task and model was trained {glue:text}`maps-members` times, on halves of {glue:text}`maps-rows`
# examples. In {numref}`fig-maps-map` what lies on the grey line is as probable to models that did not see it as to
# those that did. The upper left corner is memory without generalisation. In the table, *in* are the models that were
# trained on an example and *out* the others.

# %% tags=["hide-input"]
drawn = figures_maps.memorisation_maps(mapped)
caption = f"""Mean probability of the given label by models that were trained on an example against models that were
not. A mark stands for the examples around it, and its area grows with their share of the group. Dotted: counterfactual
memorisation of .25, .5 and .75. {study.made("made-maps")}"""
show(drawn.figure, "fig-maps-map", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_maps.map_table(mapped))

# %% [markdown]
# Intervals are Wilson's, over examples; they do not cover what other halves would have made. Maps do not need the
# models of the other chapters; *not memorised* and *not learnt* are said of those.
#
# A score can be high although nothing generalises. A model that knows how frequent labels are, and nothing else,
# scores the sum of their squared shares. For tasks with two classes it is the column *score by frequency*. Only what
# lies above it speaks of generalisation.
#
# ## Depth and generalisation
#
# The original study found that {term}`noisy` examples cross to their wrong class in later layers, and that the centre
# of memorisation lies deeper, in tasks with a higher generalisation score. {numref}`fig-maps-depth` has the same axes.
# Depth is the {term}`M-CoG` of layer swapping along its {term}`attainable range`, from 0 to 1, and {term}`crossing` a
# share of $L + 1$, so that models with different numbers of layers have one scale.

# %% tags=["hide-input"]
drawn = figures_maps.depth_scatter(mapped)
caption = f"""Generalisation score against depth, a mark a task. Horizontal bars: 95 % over clean examples; vertical
bars: 95 % over noisy examples. Hollow: task not learnt. {study.made("made-maps")}"""
show(drawn.figure, "fig-maps-depth", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_maps.relation_table(mapped))

# %% [markdown]
# The correlation is Spearman's, over all combinations of task and model that memorised and within each model. Models
# share a task's texts and its wrong labels, so the unit is the task: the interval draws whole tasks, and $p$ is the
# share of orders of the tasks whose correlation is as far from 0 or further. The column *orders* is how many of them
# were counted: three tasks have six, so that within a model no $p$ below a third can come about. The study's numbers
# are of 48 points, twelve tasks and four models; its M-CoG is the mean of four techniques. The *probing event* is the
# layer from which a probe knows the given label better than the original one. The *validation score* is the macro-F1 of
# the perturbed model on held-out examples, rescaled so that 0 is chance and 1 is perfect.
#
# ## On real data
#
# {glue:text}`maps-real`

# %% tags=["hide-input"]
facts.glue_all("maps", real.run_facts(released, "memorisation maps"), released)
caption = """Real tasks, pre-trained models: mean probability of the given label by models that were trained on an
example against models that were not. Dotted: counterfactual memorisation of .25, .5 and .75."""
real.show_figure(released, figures_maps.memorisation_maps, "fig-maps-real-map", caption)

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: generalisation score against depth. Horizontal bars: 95 % over clean
examples; vertical bars: 95 % over noisy examples. Hollow: task not learnt."""
real.show_figure(released, figures_maps.depth_scatter, "fig-maps-real-depth", caption)

# %% tags=["hide-input"]
real.show_tables(released, tabulate_maps.map_table, tabulate_maps.relation_table, real.about)

# %% [markdown]
# ## The published findings
#
# Rules were fixed before the first run on real data, as the chapter on swapping says; numbers of few tasks are shown,
# and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import about, claims_tables

tabulate.show_table(*claims_tables(about("maps"), mapped, released))

# %% [markdown]
# ## Take-away
#
# Over {glue:text}`maps-end-places` combinations of task and model:
#
# - *Noisy examples* have their given label with probability {glue:text}`maps-end-noisy-memorisation` by models that saw
#   it, and {glue:text}`maps-end-noisy-generalisation` by those that did not. From {glue:text}`maps-end-share-lowest` to
#   {glue:text}`maps-end-share-highest` of them have a counterfactual memorisation of {glue:text}`maps-end-remembered`
#   or more.
# - *Clean examples*: {glue:text}`maps-end-clean-memorisation` and {glue:text}`maps-end-clean-generalisation`. Their
#   counterfactual memorisation, {glue:text}`maps-end-clean-counterfactual`, is what was learnt by heart though it is
#   right.
# - *Generalisation scores* go from {glue:text}`maps-end-score-lowest` to {glue:text}`maps-end-score-highest`.
# - *Frequent labels.* The correlation of the generalisation score with the share of the most frequent label, which no
#   text tells: {glue:text}`maps-end-rho-majority`. Combinations that learnt their task: {glue:text}`maps-end-counted`.
# - *Depth.* Spearman's correlation of the generalisation score with {term}`depth` by swapping:
#   {glue:text}`maps-end-rho-mcog`; with crossing: {glue:text}`maps-end-rho-crossing`. The study's finding is of twelve
#   tasks, this is of {glue:text}`maps-end-tasks-compared`.
#
# **What they rest on: {glue:text}`maps-end-origin`**
#
# ### What would change our mind
#
# - A correlation over twelve tasks whose interval excludes 0, within models and not only between them, would bear the
#   finding out; one below 0 would contradict it. Claim C12 says beforehand what counts.
# - Tasks differ in much beside how well they generalise: the number of classes, the length of texts, how many steps
#   their labels took. If depth follows one of these as well, the correlation says nothing of generalisation.
# - Half of the data is less than all of it. If scores rose much with larger parts, they would be about the size of the
#   data and not about the task.
#
# ## Exercises
#
# ```{exercise} Three examples
# :label: ex-maps-three
#
# Models that were trained on an example give its label .9, others .1. For a second example it is .90 and .85, for a
# third .2 and .3. Compute $\mathrm{cf}$. Which one is memorised, and what are the other two?
# ```
#
# ```{exercise} Halves in pairs
# :label: ex-maps-halves
#
# Ten models are each trained on half of the examples. If halves are drawn independently, how likely is it that all
# ten, or none, contain a given example? Why do small ensembles use halves and their complements?
# ```
#
# (made-maps)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "normal", "swapping", "centroids", "maps")))
