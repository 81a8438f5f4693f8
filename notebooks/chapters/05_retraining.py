# %% [markdown]
# # Layer retraining
#
# *Which layers have to be started afresh for a model to forget?*
#
# Swapping needs a {term}`twin` of the model that never saw the wrong labels. Layer retraining needs none: it takes
# some layers back to where training began and lets them learn again, this time from {term}`clean` examples only. If
# the wrong labels do not come back, they were stored in what those layers had learnt.
# {cite:t}`maini-etal-2023-localized` asked vision models this question, {cite:t}`dankers-titov-2024-generalisation`
# language models.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_swapping, figures_techniques, real, tabulate, tabulate_techniques
from memloc.publishing.reading import open_study, read_swapping
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
retraining, released = read_swapping(study, "retraining"), real.open_retraining()
real.glue_findings("retrain", facts.swapping_facts, retraining, released)
facts.glue_all("retrain", real.run_facts(released, "layer retraining"), released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# For every {term}`window` $W$ of layers: the layers in $W$ go back to their pre-trained values, all other layers are
# frozen, and the model trains for a few epochs on clean examples. The head trains too, and so does the last norm of
# decoders (the normalisation after the last layer of models that guess the next word). As many clean examples as there
# are {term}`noisy` ones are **held out**: the model is not shown them again. Then it is asked for the given labels of
# the noisy examples, $a(W)$, and of the held-out clean ones.
#
# A retrained layer may guess a given label right without remembering it. Retraining *all* layers shows how often that
# happens, since nothing is left of what layers memorised: call that accuracy $m$. It becomes the new zero,
#
# $$
# a'(W) = \frac{a(W) - m}{1 - m},
# $$
#
# and memorisation error, {term}`layer weight` and {term}`M-CoG` follow from $a'$ as they do in the chapter on swapping.
# An error of 0 means that a window forgets nothing, 1 that it forgets as much as retraining everything does. Single
# windows may forget more than that. Errors then exceed 1, and an M-CoG can lie outside its attainable range.
#
# ### An example to follow by hand
#
# A made-up model has three layers. After all of them were retrained it still gets $m$ = {glue:text}`retrain-hand-whole`
# of the given labels right; that is luck. Take layer 2 alone, with an accuracy of {glue:text}`retrain-hand-single`. Of
# the .8 that can be forgotten it keeps .4, so $a'$ = (.6 − .2) / (1 − .2) = {glue:text}`retrain-hand-scaled`: half is
# forgotten.

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import three_retrained

by_hand, numbers = three_retrained()
facts.glue_all("retrain-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# Averaged over the windows that hold a layer, and then over lengths, the last column makes layer weights of
# {glue:text}`retrain-hand-w1`, {glue:text}`retrain-hand-w2` and {glue:text}`retrain-hand-w3`, and an M-CoG of
# {glue:text}`retrain-hand-mcog`, between {glue:text}`retrain-hand-low` and {glue:text}`retrain-hand-high`. Had we not
# rescaled, it would be {glue:text}`retrain-hand-plain`. That is no accident: rescaling makes all errors larger by the
# same factor, $1/(1 - m)$, and so it changes how high a curve is and not where its weight lies. (With several seeds,
# each with an $m$ of its own, the two may differ a little.)
#
# Training once for every window is the expensive part. A run may choose fewer window lengths; the window of all layers
# is always among them, because $m$ comes from it. With other lengths the {term}`attainable range` of the M-CoG is
# another one.
#
# ## Heatmaps
#
# {numref}`fig-retraining-heatmaps` shows the memorisation error by layer and window length, for the lengths that were
# run.

# %% tags=["hide-input"]
drawn = figures_swapping.heatmaps(retraining)
caption = f"""Memorisation error of retraining, rescaled, by layer and window length, mean over seeds. Shades end at 0
and 1. A triangle on the upper edge marks the M-CoG. Empty panels: labels not memorised, left out.
{study.made("made-retraining")}"""
show(drawn.figure, "fig-retraining-heatmaps", caption, alt=drawn.alt)

# %% [markdown]
# ## Layer weights
#
# {numref}`fig-retraining-weights` shows how heavy each layer is. As with swapping, the solid line is smooth by
# construction. Only the dashed line, from windows of one layer, could show a single place; a run without such windows
# has none.

# %% tags=["hide-input"]
drawn = figures_swapping.weight_curves(retraining)
caption = f"""Layer weight from all windows that were run, and from single layers. Bands: 95 % bootstrap intervals over
noisy examples, and over seeds from three seeds up. *Not learnt*: shown, but no conclusion rests on it.
{study.made("made-retraining")}"""
show(drawn.figure, "fig-retraining-weights", caption, alt=drawn.alt)

# %% [markdown]
# ## What else is lost?
#
# Each dot of {numref}`fig-retraining-clean` is a window. A dot at the right has forgotten nothing; one at the upper
# left has forgotten the wrong labels and kept the rest. Held-out clean examples were in the training of the model but
# not in the retraining, so a dot that lies low has lost knowledge that clean examples share, or had only memorised
# them too.

# %% tags=["hide-input"]
drawn = figures_techniques.side_effects(retraining)
caption = f"""Accuracy on the given labels of noisy and of held-out clean examples after retraining a window, mean over
seeds; a marker a window length. {study.made("made-retraining")}"""
show(drawn.figure, "fig-retraining-clean", caption, alt=drawn.alt)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_techniques.retraining_table(retraining))

# %% [markdown]
# Intervals come from {glue:text}`retrain-resamples` bootstrap draws of the noisy examples; $m$ is computed anew in
# every draw. They do not cover the chance in retraining itself: one seed gives its order of batches and its dropout.
#
# ## On real data
#
# {glue:text}`retrain-real`

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: layer weight by retraining, from the windows that were run and from single
layers. Bands: 95 % bootstrap intervals over noisy examples, and over seeds from three seeds up."""
real.show_figure(released, figures_swapping.weight_curves, "fig-retraining-real-weights", caption)

# %% tags=["hide-input"]
real.show_numbers(released, tabulate_techniques.retraining_table)

# %% [markdown]
# No curve or M-CoG of the original study for retraining alone is stored with its code, so none stands beside these. Its
# agreement with the other techniques is, and the {doc}`chapter on all techniques <08_agreement>` shows it.
#
# ## Take-away
#
# Combinations of task and model: {glue:text}`retrain-end-places`, of which {glue:text}`retrain-end-measured` memorised
# and {glue:text}`retrain-end-counted` also learnt the task. {glue:text}`retrain-end-note`:
#
# - *Depth.* The lowest M-CoG is {glue:text}`retrain-end-lowest`, the highest {glue:text}`retrain-end-highest`, of an
#   attainable {glue:text}`retrain-end-attainable`. Its interval lies wholly below the middle in
#   {glue:text}`retrain-end-below`, wholly above it in {glue:text}`retrain-end-above`, and on both sides in
#   {glue:text}`retrain-end-open`.
# - *Local or spread out.* The largest error from a single layer is {glue:text}`retrain-end-single`. Combinations where
#   it is more than half: {glue:text}`retrain-end-half`.
# - *Side effects.* The lowest accuracy on held-out clean examples under any window is {glue:text}`retrain-end-clean`.
#
# **What they rest on: {glue:text}`retrain-end-origin`**
#
# ### What would change our mind
#
# - If windows that forget noisy examples lost the held-out clean ones as well, retraining would measure how hard
#   layers are to train again and not where memory is.
# - If more epochs or another learning rate moved the M-CoG, the answer would be about retraining and not the model.
#
# ## The published findings
#
# Retraining has a part in findings on models whose memory was forced into known layers, and in that on the agreement of
# techniques. An M-CoG of chosen window lengths is on a scale of its own; the rule on agreement correlates it and
# compares it with none, so it takes chosen lengths too, if they are the same in every cell; so much was changed before
# the first run that retrained many tasks. Otherwise rules were fixed before the first run on real data, as the chapter
# on swapping says; numbers of few tasks are shown, and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import about, claims_tables

tabulate.show_table(*claims_tables(about("retraining"), retraining, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} The longest window
# :label: ex-retrain-all
#
# What do you expect of the window that contains all layers: of its accuracy on noisy examples, and on held-out clean
# ones? Does it say anything about where memory is?
# ```
#
# ```{exercise} What you have at hand
# :label: ex-retrain-need
#
# You find a published classifier and the pre-trained model that it was made from. You have its training data, some of
# whose labels are wrong. Nobody kept a twin. Which of swapping and retraining can you run, and what do you have to
# assume?
# ```
#
# (made-retraining)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "retraining")))
