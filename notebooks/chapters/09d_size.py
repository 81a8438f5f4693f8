# %% [markdown]
# # Do larger models do it elsewhere?
#
# *Is the place of memory a matter of the model's size?*
#
# Everything so far is about small models. Whoever cares about memorisation in large ones has to ask what survives the
# way up: do wrong labels stay in the same part of the model, do tasks keep their order? The study ran one model of
# 1.3 billion weights beside its four small ones. Here are models of several depths and widths on the same tasks, as
# far as a small machine could train them, with the study's numbers beside them.

# %% tags=["parameters"]
# assumed, not measured: 10^12 operations a second of a GPU,
# and milliseconds that a layer's pass over a batch takes at least
tflops = [13.0, 33.0]
call_ms = 0.3

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_size, reading_size, tabulate, tabulate_claims, tabulate_size, worked
from memloc.publishing.sources import STUDY
from memloc.publishing.style import show, use_style

use_style()
sized = reading_size.open_size()
told = tabulate_size.size_facts(sized)
facts.glue_all("size", told, sized)
facts.glue_all("size-study", tabulate_size.study_facts(), STUDY)
Markdown(told["state"])

# %% [markdown]
# ## Where is "the same place" in a deeper model?
#
# Layer 4 of six is not layer 4 of twelve. An {term}`M-CoG` has to be put on a scale that both models share, and there
# are two that suggest themselves. Layer $l$ of $L$ covers the part of the model from $(l - 1)/L$ to $l/L$, so the
# **share** of the layers that lies below an M-CoG $g$, and its **{term}`depth`**, are
#
# $$
# \mathrm{share}(g) = \frac{g - \tfrac12}{L} , \qquad
# \mathrm{depth}(g) = \frac{g - g_1}{g_L - g_1} ,
# $$
#
# where $g_1$ and $g_L$ are the M-CoG of memory that sits wholly in the first and in the last layer. The share says
# where, and is squeezed towards the middle, because long {term}`windows <window>` reach everywhere. Depth undoes the
# squeezing. But its zero is the middle of the *first layer*, and that is a twelfth of the way into a model of six
# layers and a twenty-fourth into one of twelve.
#
# ## By hand
#
# The same memory in models with more and more layers: each wrong label sits in one layer, and labels are spread evenly
# over the first half of the model. With two layers that is layer 1. Swapping it forgets all labels, swapping layer 2
# forgets none, swapping both all of them: weights 1 and ½, M-CoG $(1 \cdot 1 + 2 \cdot \tfrac12)/(1 + \tfrac12)$ =
# {glue:text}`size-hand-mcog-2`. The share is $(1.33 - .5)/2$ = {glue:text}`size-hand-share-2`, the depth
# {glue:text}`size-hand-depth-2`. The deeper models are done in the same way:

# %% tags=["hide-input"]
by_hand, numbers = worked.first_half()
facts.glue_all("size-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# Nothing moved, and the share says so. Depth rises from {glue:text}`size-hand-depth-6` with six layers to
# {glue:text}`size-hand-depth-24` with 24. *A difference of depth between models of different $L$ is in part the
# scale's.* So both readings are shown below, beside the difference of depth that the scale alone would make.
#
# ## The models

# %% tags=["hide-input"]
tabulate.show_table(tabulate_size.models_table(sized), tabulate_size.notes_table(sized))

# %% [markdown]
# Size is not all that differs, and for most pairs it is the least of it.
#
# - *What they read.* MiniLM learnt to imitate a larger model, and then to put English sentences of like meaning near
#   one another. e5-small did so in many languages, and this copy of it has lost words and precision. The
#   {doc}`nano models <02b_models>`, if the table has a run of them, read one small corpus.
# - *How they cut text.* Each has a tokenizer of its own, so the same sentence has other lengths and other parts.
# - *How they were trained here.* Learning rates and numbers of seeds differ, as the chapter on
#   {doc}`swapping <04_swapping>` says.
#
# Two models of one family, trained alike at two sizes, would be the clean comparison. None of ours are; the study's
# OPT with 125 million and with 1.3 billion weights come nearer.
#
# ## Curves
#
# In {numref}`fig-size-weights` curves are divided by their mean: 1 is a layer that weighs as much as the average layer,
# whatever the number of layers. Where the curves of two models lie over one another, they show no move of memory; both
# are blurred.

# %% tags=["hide-input"]
drawn = figures_size.weights_by_share(sized)
caption = f"""Layer weight by swapping, divided by its mean, against the share of the layers; mean over seeds. A mark
stands in the middle of its layer. Bands: 95 %, of the weight alone. Hollow: task not learnt.
{sized.made("swapping")}"""
show(drawn.figure, "fig-size-weights", caption, alt=drawn.alt)

# %% [markdown]
# ## Centres
#
# {numref}`fig-size-centres` has both readings side by side. The study's stars are of two sizes of one family.

# %% tags=["hide-input"]
drawn = figures_size.centres(sized)
caption = f"""M-CoG by swapping in two readings, with 95 % intervals over noisy examples, and over seeds where there are
three. Stars: OPT of the study at two sizes, from curves digitised from a published figure. Hollow marks: task not
learnt. {sized.made("swapping")}"""
show(drawn.figure, "fig-size-centres", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_size.deeper_table(sized), tabulate_size.centre_table(sized))

# %% [markdown]
# The first table has means over tasks, the model with more layers less the one with fewer. *The scale alone* is the
# difference of depth that the memory of the example by hand would show between these two numbers of layers. Intervals
# draw tasks; for the study they leave out how exactly its figures could be read.
#
# ## Events
#
# {term}`Crossing <crossing>` and {term}`initiation`, as in the chapter on {doc}`centroids <09_centroids>`, for models
# of different depth. Axes go from 0 to one more than the last layer.

# %% tags=["hide-input"]
drawn = figures_size.events(sized)
caption = f"""Crossing of noisy examples (across) and initiation, the layer from which classes are apart (up), a panel
a model. 0: below one half from layer 1 on. $L + 1$: never. Hollow: task not learnt. {sized.made("centroids")}"""
show(drawn.figure, "fig-size-events", caption, alt=drawn.alt)

# %% [markdown]
# ## The order of tasks
#
# Whether memory moved as a whole is one question; whether tasks keep their *order* is the one the study asked. Within a
# model both readings of the M-CoG give the same order; events are taken as shares of $L + 1$. The second table has the
# events of each task.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_size.order_table(sized), tabulate_size.event_table(sized))

# %% [markdown]
# $p$ is the share of orders of the tasks that agree, or disagree, at least as much. Four tasks have 24 orders, one the
# same and one reversed, so a twelfth is the least; with the tasks that are here it is {glue:text}`size-least-p`.
# Intervals draw whole tasks. Of few tasks they often reach from −1 to 1, and where they do not they are no better
# founded. Twelve tasks are what the study had.
#
# ## The study's larger model
#
# OPT 1.3B has 24 layers of width 2048; the study trained it with one seed and ran swapping and centroids alone.
# {numref}`fig-size-study` shows what it published. Initiation of the small models is published for ten tasks.

# %% tags=["hide-input"]
drawn = figures_size.study_sizes()
caption = """The study's own numbers: smaller models across, OPT 1.3B up, a mark a task. Left: M-CoG as the share of the
layers below it, of OPT 125M. Middle and right: events as shares of $L + 1$, means of its four smaller models. Digitised
or read by eye from published figures; crossings and initiations are exact to a layer."""
show(drawn.figure, "fig-size-study", caption, alt=drawn.alt)

# %% [markdown]
# **The model is in the catalogue** (`opt-1.3b`) **and was not run here.** On a machine with a GPU and the hub it would
# be
#
# ```
# memloc run --profile larger --device cuda
# ```
#
# Training alone needs about {glue:text}`size-cost-memory` of memory for {glue:text}`size-cost-batch` examples of
# {glue:text}`size-cost-longest` tokens, in fp32. All twelve tasks once, as the study ran them, take
# {glue:text}`size-cost-gpu-hours` hours of one GPU or {glue:text}`size-cost-core-years` years of one core: calculated,
# by the formulas and assumptions of the chapter on {doc}`cost <14_scale>`. The first table has the study's
# correlations, as printed and as computed here from what its figures show; the second has the hours.

# %% tags=["hide-input"]
calculated = reading_size.read_cost(tflops, call_ms)
facts.glue_all("size-cost", tabulate_size.cost_facts(calculated), reading_size.COST_FILES)
tabulate.show_table(tabulate_size.study_table(), tabulate_size.cost_table(calculated))

# %% [markdown]
# ## The published finding
#
# The rule compares the mean of the small models with the larger one, over eight tasks or more. Without the larger model
# it cannot be told, whatever ours say of one another.

# %% tags=["hide-input", "remove-stderr"]
runs = {run: part.study for run, part in sized.centroids.items()}
tabulate.show_table(*tabulate_claims.tables_of([tabulate_size.CLAIM], runs))

# %% [markdown]
# ## Take-away
#
# Models with released runs in this copy: {glue:text}`size-models`, on {glue:text}`size-tasks` tasks. Combinations that
# memorised and also learnt the task: {glue:text}`size-counted`. Settings were chosen while looking at:
# {glue:text}`size-exploratory`.
#
# - *Between tasks and between models.* By depth {glue:text}`size-spread`.
# - *The order of tasks* by swapping, between two models: {glue:text}`size-rho` (pairs of models:
#   {glue:text}`size-pairs`). The study's, between its larger model and each of its four: {glue:text}`size-study-rho`.
# - *The study's two OPTs.* The larger one's centre lies nearer to its last layer in {glue:text}`size-study-deeper`
#   tasks, and on average by more than the scale alone would make.
# - *Events of the study.* The order by crossing carries over ({glue:text}`size-study-crossing`), that by initiation
#   does not ({glue:text}`size-study-initiation`).
#
# **What they rest on: {glue:text}`size-state`**
#
# ### What would change our mind
#
# - Two models of one family with equally many layers and different widths that differ as much as those here: then the
#   number of layers is not what moves the centre.
# - A larger model whose centre lies where the smaller one's does, by share, in most of twelve tasks: then size does not
#   move it.
# - If one model trained from two other starts differed as much as two models do, there would be nothing to explain by
#   size.
#
# ## Exercises
#
# ```{exercise} Twice as deep
# :label: ex-size-twice
#
# In a model of six layers the M-CoG is 3.3, with an attainable range from 2.54 to 4.46. In one of twelve it is 6.1, in
# a range from 4.29 to 8.71. Compute share and depth of both. Does one memory lie nearer to the end? Compare the
# difference of depth with what the scale alone makes between six and twelve layers in the example by hand.
# ```
#
# ```{exercise} What must be held fixed?
# :label: ex-size-fixed
#
# You may train six models from nothing and want to know whether *depth* moves the place of memory. What do you vary,
# what do you hold fixed, and what can you not hold fixed at the same time?
# ```
