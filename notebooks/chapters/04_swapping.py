# %% [markdown]
# # Layer swapping
#
# *Which layers does a model need in order to remember?*
#
# We have two versions of each model that differ in one respect: one remembers wrong labels and the other never saw
# them. So take some layers out of the first and put the second's in their place. If the wrong labels are gone, they
# needed those layers. If nothing happens, they did not. This is layer swapping, the first of four techniques in
# {cite:t}`dankers-titov-2024-generalisation`.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_swapping, real, sources, tabulate, tabulate_claims, tabulate_swapping
from memloc.publishing.reading import open_study, read_swapping
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
swapping, released = read_swapping(study), real.open_swapping()
real.glue_findings("swap", facts.swapping_facts, swapping, released)
facts.glue_all("swap", tabulate_claims.commits(), sources.CLAIMS)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# Layers are counted from 1 to $L$. A **{term}`window`** $W$ is a run of neighbouring layers; a model has $L(L+1)/2$ of
# them. For every window, the layers in it are taken from the normal model and all others, with the head, from the
# perturbed one. Let $a(W)$ be the share of {term}`noisy` training examples for which this mixed model still answers
# with the wrong label it was given.
#
# One layer is in many windows, so we average, first over the windows of one length $k$ and then over lengths. The
# **memorisation error** and the **{term}`layer weight`** of layer $l$ are
#
# $$
# \begin{aligned}
# E_{k,l} &= 1 - \operatorname*{mean}_{W \ni l,\; |W| = k} a(W), \\
# w_l &= \frac{1}{L} \sum_{k=1}^{L} E_{k,l}.
# \end{aligned}
# $$
#
# A layer is heavy if swapping it, alone or with its neighbours, makes the model forget. One number that says how deep
# the weight lies is the **memorisation centre of gravity**,
#
# $$
# \text{M-CoG} = \frac{\sum_{l} l \, w_l}{\sum_{l} w_l}.
# $$
#
# ### An example to follow by hand
#
# A made-up model has three layers and so six windows (first table). Most of its memory is in layer 2: swapping that
# layer alone leaves less than half of the wrong labels.
#
# Take layer 2 and windows of length 2. Two of them contain it, the layers 1, 2 and the layers 2, 3. Average their
# accuracies, subtract from 1, and you have {glue:text}`hand-middle`, the middle of the second table.

# %% tags=["hide-input"]
from memloc.publishing import worked

windows, weights, numbers = worked.three_layers()
facts.glue_all("hand", numbers, windows, weights)
tabulate.show_table(windows, weights)

# %% [markdown]
# The last row of the second table is the mean of the three above it. The centre of gravity is
# $(1 \times$ {glue:text}`hand-w1` $+\, 2 \times$ {glue:text}`hand-w2` $+\, 3 \times$ {glue:text}`hand-w3`$)$ divided by
# the sum of the three weights, which gives {glue:text}`hand-mcog`.
#
# Look at what the averaging does. Layer 1 alone made the model forget hardly anything, yet its weight is not near
# zero, because longer windows contain layer 1 *and* layer 2. Long windows blur everything towards the middle. If all
# memory sat in layer 1, the {term}`M-CoG` of three layers would be {glue:text}`hand-low`; in layer 3,
# {glue:text}`hand-high`. An M-CoG has to be read on this **{term}`attainable range`** and not from 1 to $L$.
#
# ## Heatmaps
#
# {numref}`fig-swapping-heatmaps` shows $E_{k,l}$ for each task and model: the bottom row of a panel is one layer
# swapped at a time, the top row all of them. The further a cell is from the background, the more was forgotten. At
# the top everything should be forgotten up to lucky guesses, since there all layers (but not the head) come from a
# model that never saw the wrong labels. What differs is how fast forgetting sets in on the way up, and on which side.

# %% tags=["hide-input"]
drawn = figures_swapping.heatmaps(swapping)
caption = f"""Memorisation error by layer and window length, mean over seeds. A triangle on the upper edge marks the
M-CoG. Empty panels: labels not memorised, left out. {study.made("made-swapping")}"""
show(drawn.figure, "fig-swapping-heatmaps", caption, alt=drawn.alt)

# %% [markdown]
# ## Layer weights
#
# In {numref}`fig-swapping-weights` the solid line is the layer weight. It is smooth *by construction*, and a smooth
# curve must not be taken for memory that is spread out: even memory in a single layer would give one. The dashed line
# uses only windows of one layer. If memory were in one layer, the dashed line would have a peak there that reaches
# high.

# %% tags=["hide-input"]
drawn = figures_swapping.weight_curves(swapping)
caption = f"""Layer weight from all windows and from single layers. Bands: 95 % bootstrap intervals over noisy
examples, and over seeds from three seeds up. *Not learnt*: shown, but no conclusion rests on it.
{study.made("made-swapping")}"""
show(drawn.figure, "fig-swapping-weights", caption, alt=drawn.alt)

# %% [markdown]
# ## How deep?
#
# {numref}`fig-swapping-centres` puts all centres of gravity side by side. The shaded band is the attainable range;
# the dotted line is the middle, where the centre lies if all layers weigh the same.

# %% tags=["hide-input"]
drawn = figures_swapping.centres(swapping)
caption = f"""M-CoG by task and model. Bars: 95 % bootstrap intervals. Shaded: attainable range. Dotted: the middle.
Hollow markers: task not learnt. Cells that were not memorised are left out. {study.made("made-swapping")}"""
show(drawn.figure, "fig-swapping-centres", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_swapping.swapping_table(swapping))

# %% [markdown]
# Where no single layer's swap forgets anything, there is no centre of gravity of single layers, and the table says so.
#
# The intervals come from {glue:text}`swap-resamples` bootstrap draws: the noisy examples are drawn anew from
# themselves, with replacement, and everything is computed again. They say how much would change if the same model were
# asked about other noisy examples and, from three seeds up, with other seeds. They do not say what another draw of the
# data, another task or model would give.
#
# The last column guards against a false reading. A mixed model could lose the wrong labels because it is broken, not
# because it has forgotten. Then it would lose the right ones too. *Lowest accuracy on clean* is that of the worst
# window; only where it stays near 1 does swapping remove memory and little else.
#
# ## On real data
#
# Everything above belongs to the run of this copy. The figures and the table of this section come from results on
# real data that are stored with the book, so that they can be read without the data, the models or a GPU.
# {glue:text}`swap-real` Which cells are missing and which settings are not the study's stands below the table.

# %% tags=["hide-input"]
facts.glue_all("swap", real.run_facts(released), released)
caption = """Real tasks, pre-trained models: M-CoG by task and model. Bars: 95 % bootstrap intervals, over noisy
examples and, from three seeds up, over seeds. Shaded: attainable range. Dotted: the middle. Hollow: task not learnt.
Stars: BERT in the original study, digitised from a published figure; shown where a model here has as many layers."""
real.show_figure(released, figures_swapping.centres_beside_study, "fig-swapping-real-centres", caption)

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: layer weight from all windows and from single layers. Bands: 95 % bootstrap
intervals over noisy examples, and over seeds from three seeds up. Stars: BERT in the original study, all windows,
digitised from a published figure; where a model here has as many layers. *No run*: not in the released results."""
real.show_figure(released, figures_swapping.weights_beside_study, "fig-swapping-real-weights", caption)

# %% tags=["hide-input"]
from memloc.publishing.tabulate_depth import depth_table

real.show_numbers(released, depth_table)

# %% [markdown]
# Models with different numbers of layers can be compared along their attainable ranges: a *{term}`depth`* of 0 is
# memory wholly in the first layer, 1 wholly in the last. Putting ours beside the study's BERT in this way tests
# nothing: model, number of examples, learning rate and length of training all differ, and the intervals cover neither
# these differences nor the study's own seeds.
#
# ## Take-away
#
# Combinations of task and model: {glue:text}`swap-end-places`, of which {glue:text}`swap-end-measured` memorised and
# {glue:text}`swap-end-counted` also learnt the task. {glue:text}`swap-end-note`:
#
# - *Depth.* The lowest M-CoG is {glue:text}`swap-end-lowest`, the highest {glue:text}`swap-end-highest`, of an
#   attainable {glue:text}`swap-end-attainable`. Its interval lies wholly below the middle in
#   {glue:text}`swap-end-below`, wholly above it in {glue:text}`swap-end-above`, and on both sides in
#   {glue:text}`swap-end-open`.
# - *Local or spread out.* The most that a single layer makes a model forget is {glue:text}`swap-end-single`, as a share
#   of the noisy examples. Combinations where it is more than half: {glue:text}`swap-end-half`.
# - *Side effects.* The lowest accuracy on {term}`clean` examples under any window is {glue:text}`swap-end-clean`.
#   Combinations where it stays at .98 or above: {glue:text}`swap-end-spared`.
# - *Task or model?* With depth measured from 0 to 1 along the attainable range: {glue:text}`swap-end-spread`. This
#   describes the run; it is no test.
#
# **What they rest on: {glue:text}`swap-end-origin`** With generated tasks or random initial weights they show that the
# method works and how to read it. They are then no evidence about language or pre-trained models.
#
# ### What would change our mind
#
# - A single layer whose swap forgets nearly all noisy examples, in most tasks, would speak against memory that is
#   spread out.
# - Clean accuracy that falls together with noisy accuracy would mean that swapping breaks models rather than finding
#   memory, and the M-CoG would measure fragility.
# - Depths whose order between tasks does not repeat with other seeds, another vocabulary (`a` and `b` of the
#   generated tasks) or another learning rate would be accidents of training.
# - Another technique that puts memory in other layers of the same models would mean that at least one of the two
#   measures something else.
#
# ## The published findings
#
# What the original study found was written down as rules before the first run on real data: which number decides, how
# much data it takes, and when the verdict is *holds*, *does not hold* or *cannot tell*. The rules were last changed
# in {glue:text}`swap-rule`. First results on real data: {glue:text}`swap-first-run`. Of a rule that was changed later
# the {doc}`ledger <13_ledger>` has both verdicts. Below are the findings in which swapping has a part, judged on the
# run of this copy and on the released run on real data, where there is one.
#
# In the first table, *rule asks* is the bound that a number has to reach, and numbers of runs are shown however few
# tasks they come from. Whether they decide anything, the second table says: rules get only real tasks and pre-trained
# models and most need at least five tasks, so that the verdict on a small run is *cannot tell*, whatever its numbers
# seem to suggest.

# %% tags=["hide-input", "remove-stderr"]
tabulate.show_table(*tabulate_claims.claims_tables(tabulate_claims.about("swapping"), swapping, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} The ends of the scale
# :label: ex-swap-range
#
# A model has two layers, and all memory is in layer 1: without it nothing is remembered, and layer 2 does not matter.
# Write down $a(W)$ of the three windows, the two layer weights and the M-CoG. What would it be if all memory were in
# layer 2?
# ```
#
# ```{exercise} Forgotten or broken?
# :label: ex-swap-broken
#
# Swapping layer 5 alone takes accuracy on noisy examples from 1.0 to .1, and on clean ones from 1.0 to .3. Does layer
# 5 hold the memory?
# ```
#
# (made-swapping)=
# ## What made this chapter
#
# Each cell's data set, its two {term}`arms <arm>` and its swapping, with the keys under which the store keeps them.

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study))
