# %% [markdown]
# # Centroids
#
# *When does a wrongly labelled example leave its class?*
#
# The techniques so far weigh layers. The centroid analysis follows examples instead. A {term}`noisy` example enters the
# model among its own kind, since nothing in its text is wrong. At the end it is classified as something else. Somewhere
# in between it has changed company, and we can watch: suddenly or step by step, before the classes have formed or
# after. {cite:t}`stephenson-etal-2021-geometry` asked such questions of vision models.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_techniques, figures_centroids, real, tabulate, tabulate_techniques
from memloc.publishing.reading import open_study
from memloc.publishing.reading_techniques import read_told
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
centroids, released = read_told(study, "centroids"), real.open_told("centroids")
real.glue_findings("centroid", facts_techniques.centroid_facts, centroids, released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# Take two classes, $a$ and $b$, and the examples that are really $b$ but were given the label $a$. At every layer the
# {term}`clean` examples of the two classes have centroids $p_a$ and $p_b$. A state $h$ is placed on the line through
# them,
#
# $$
# t(h) = \frac{(h - p_a) \cdot (p_b - p_a)}{\lVert p_b - p_a \rVert^2} ,
# $$
#
# which is 1 at the centroid of the original class and 0 at that of the wrong label. Where a layer does not tell the
# classes apart, what little lies between the centroids is chance: positions spread widely, and noisy examples, which
# are part of neither centroid, lie near .5 on average. A crossing there means nothing.
#
# ### An example to follow by hand
#
# A made-up model has four layers and states of two numbers. After layer 2 the centroids are $p_a = (0, 0)$ and
# $p_b = (2, 2)$, and a noisy example is at $h = (1, 1.6)$. So $t = (1 \cdot 2 + 1.6 \cdot 2) / (2^2 + 2^2)$ =
# {glue:text}`centroid-hand-t2`: nearer to its original class.

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import one_path

by_hand, numbers = one_path()
facts.glue_all("centroid-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# The example changes sides at layer {glue:text}`centroid-hand-cross`, the first after which it is below .5. On the
# whole it moves by {glue:text}`centroid-hand-way`, of which {glue:text}`centroid-hand-fall` at that layer: its largest
# step is {glue:text}`centroid-hand-step` of the way. Up to layer 3 it also lies *beside* the line, which $t$ does not
# see.
#
# ### Which pairs count
#
# Positions are pooled over all ordered pairs of classes; pairs with too few noisy examples are left out.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_techniques.pair_table(study))

# %% [markdown]
# ## The way from one class to the other
#
# In {numref}`fig-centroids-positions` clean examples of the two classes average 0 and 1 at every layer *by
# construction*; what tells something is the width of their bands, and the line of the noisy examples between them.

# %% tags=["hide-input"]
drawn = figures_centroids.positions(centroids)
caption = f"""Position between two class centroids by layer: mean, and as a band the middle 75 % (12.5th to 87.5th
percentile), of noisy examples and of clean ones of both classes; mean over seeds. Layer 0 is the embeddings' output,
and has no positions where all examples are the same there. Empty panels: labels not memorised.
{study.made("made-centroids")}"""
show(drawn.figure, "fig-centroids-positions", caption, alt=drawn.alt)

# %% [markdown]
# ## Two events
#
# **Crossing** is the last layer at which the mean of the noisy examples comes from above to below .5, and so changes
# sides. **{term}`Initiation <initiation>`** is the first layer from which on the bands of the two classes' clean
# examples stay apart. An example is part of its own centroid, which makes small classes look more separate than they
# are; *the same, left out* in the table takes each example out of its centroid first.

# %% tags=["hide-input"]
drawn = figures_centroids.event_scatter(centroids)
caption = f"""Crossing (across) and initiation (up) in layers, means over seeds, a panel a model. Below the line
classes are apart before noisy examples cross. 0: below one half from layer 1 on. $L + 1$: never. Hollow: task not
learnt. {study.made("made-centroids")}"""
show(drawn.figure, "fig-centroids-events", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_techniques.centroid_table(centroids))

# %% [markdown]
# The *largest step* tells a sudden change from a gradual one: it is the largest fall between neighbouring layers as a
# share of the whole way from layer 1 to the last. Near 1 the change is sudden. It can exceed 1 if positions also rise
# on the way, and there is none where they end no lower than they began. Where the table has columns of the study, its
# {term}`crossings <crossing>` are those of its BERT with twelve layers, and its initiations, published for ten tasks,
# are means of its four models: other models, other training, and for comparison by eye only.
#
# ## Half a model
#
# {numref}`fig-centroids-halves` takes models in which half of the layers come from the normal model, which never saw
# the wrong labels. If it is the lower half that sends noisy examples on their way, they should stay with their original
# class when it is replaced, and leave it when the upper half is.

# %% tags=["hide-input"]
drawn = figures_centroids.halves(centroids)
caption = f"""Mean position of noisy examples in the perturbed model, and with its lower or its upper half taken from
the normal model; centroids are those of each model's own states. Mean over seeds. {study.made("made-centroids")}"""
show(drawn.figure, "fig-centroids-halves", caption, alt=drawn.alt)

# %% [markdown]
# ## On real data
#
# {glue:text}`centroid-real`

# %% tags=["hide-input"]
facts.glue_all("centroid", real.run_facts(released, "the centroid analysis"), released)
caption = """Real tasks, pre-trained models: position between two class centroids by layer; lines are means, bands the
middle 75 %, of noisy examples and of clean ones of both classes. Stars: noisy examples of BERT in the original study,
digitised from a published figure, whose axis ends at 1."""
real.show_figure(released, figures_centroids.positions_beside_study, "fig-centroids-real-positions", caption)

# %% tags=["hide-input"]
real.show_numbers(released, tabulate_techniques.centroid_table)

# %% [markdown]
# ## Take-away
#
# Combinations of task and model: {glue:text}`centroid-end-places`, of which {glue:text}`centroid-end-measured`
# memorised and {glue:text}`centroid-end-counted` also learnt the task. {glue:text}`centroid-end-note`:
#
# - *From where to where.* Noisy examples are on average at {glue:text}`centroid-end-start` after layer 1 and at
#   {glue:text}`centroid-end-end` after the last. Whether the way is sudden or gradual says the column *largest step*.
# - *Which comes first.* In {glue:text}`centroid-end-event-before` noisy examples are nearer to the wrong class from
#   layer 1 on, and cross nowhere. Of the {glue:text}`centroid-end-event-known` with both events they cross before
#   classes are apart in {glue:text}`centroid-end-event-first`, at the same layer in
#   {glue:text}`centroid-end-event-same`, and after it in {glue:text}`centroid-end-event-last`. Those crossings lie at
#   layers {glue:text}`centroid-end-event-span`, initiations at {glue:text}`centroid-end-class-span`.
# - *Half a model.* With the lower half from the normal model, noisy examples end at {glue:text}`centroid-end-lower`,
#   nearer to their original class in {glue:text}`centroid-end-lower-original` of {glue:text}`centroid-end-halved`; with
#   the upper half at {glue:text}`centroid-end-upper`, nearer to it in {glue:text}`centroid-end-upper-original`.
#
# **What they rest on: {glue:text}`centroid-end-origin`**
#
# ### What would change our mind
#
# - Classes can differ in ways that the line through two centroids does not see. Noisy examples that leave it sideways
#   would still have a position on it.
# - If leaving examples out of their centroids moved initiation by several layers, it would tell of small classes.
#
# ## The published findings
#
# Rules were fixed before the first run on real data, as the chapter on swapping says; numbers of few tasks are shown,
# and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import about, claims_tables

tabulate.show_table(*claims_tables(about("centroids"), centroids, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} A position by hand
# :label: ex-centroid-position
#
# Centroids lie at $p_a = (0, 0)$ and $p_b = (2, 0)$, and an example at $h = (1.5, 5)$. What is $t(h)$? What does it
# not tell?
# ```
#
# ```{exercise} Crossing twice
# :label: ex-centroid-cross
#
# Noisy examples have mean positions .9, .4, .6 and .3 after layers 1 to 4. After which layer do they cross? Why is
# the first time below .5 not the answer?
# ```
#
# (made-centroids)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "normal", "centroids")))
