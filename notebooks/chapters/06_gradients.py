# %% [markdown]
# # Forgetting gradients
#
# *Which layers would have to move for a wrong label to lose its hold?*
#
# Swapping and retraining change a model and look at what is left. Gradients ask without changing anything: if we wanted
# the model to give up the labels of its {term}`noisy` examples, how strongly would each layer be pulled? A few backward
# passes over these and as many others are enough, which makes this by far the cheapest technique of
# {cite:t}`dankers-titov-2024-generalisation`, and leaves the most choices to whoever uses it.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_techniques, figures_techniques, real, tabulate, tabulate_techniques
from memloc.publishing.reading import open_study
from memloc.publishing.reading_techniques import read_told
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
gradients, released = read_told(study, "gradients"), real.open_told("gradients")
real.glue_findings("grad", facts_techniques.gradient_facts, gradients, released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# The head gives each class a score, its *logit*. The objective is minus the logit of the given label. (The minus sign
# does not matter below, where only sizes of gradients count.) Its gradient is averaged over the noisy examples,
# $g^\text{noisy}$, and over an equally large random group of {term}`clean` ones, $g^\text{clean}$. What pulls at noisy
# examples beyond what pulls at any example is their difference. Layer $l$ gets
#
# $$
# G_l = \sum_{\theta \in l} \lVert g^\text{noisy}_\theta - g^\text{clean}_\theta \rVert_1 ,
# \qquad r_l = \frac{G_l(\text{trained})}{G_l(\text{frozen arm})} ,
# \qquad w_l = \frac{r_l}{\sum_{l'} r_{l'}} ,
# $$
#
# where the sum is over the parameter tensors $\theta$ of the layer and $\lVert \cdot \rVert_1$, the L1 norm, adds up
# absolute values. The **frozen {term}`arm`** is a model of which only the head was trained on the same labels. Its
# layers hold nothing of them, so its gradients tell how strongly layers are pulled for other reasons, such as where
# they sit or how many parameters they have. The trained model is read at the first epoch at which macro-F1 on all given
# labels was nearly 1, if there was one, and otherwise at its last.
#
# The logit is the study's choice. The log-likelihood, $\log p$ of the given label, would be more usual, but it is
# nearly flat where a label is memorised: its gradient vanishes with the model's last doubt.
#
# ### An example to follow by hand
#
# A made-up model has two layers with two parameters each. In layer 1 the gradient of the noisy examples is (4, −1) and
# that of the clean ones (1, 2). Their difference is (3, −3), and $G$ adds up its absolute values, to
# {glue:text}`grad-hand-g`. The frozen arm has 3 there, so $r$ = 2.

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import two_pulls

by_hand, numbers = two_pulls()
facts.glue_all("grad-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# Layer 1 gets two thirds of the weight, {glue:text}`grad-hand-weight`. Each step of the rule had a part in that.
# Without the frozen arm layer 1 would have {glue:text}`grad-hand-bare`. Without subtracting clean examples either, it
# would have {glue:text}`grad-hand-alone`: noisy examples pull at both layers with {glue:text}`grad-hand-noisy`.
#
# ## Norms by layer
#
# {numref}`fig-gradients-norms` shows what goes into $G_l$. If the lines of noisy and clean examples lie close together
# while their difference lies far below, both are pulled in the same direction, and most of the pull has nothing to do
# with wrong labels.

# %% tags=["hide-input"]
drawn = figures_techniques.gradient_curves(gradients)
caption = f"""L1 norms of mean gradients by layer, mean over seeds: of noisy examples, of clean ones, of the difference
of the two, and of that difference in the frozen arm. Logarithmic; the largest value of a panel is 1. Empty panels:
labels not memorised. {study.made("made-gradients")}"""
show(drawn.figure, "fig-gradients-norms", caption, alt=drawn.alt)

# %% [markdown]
# ## Layer weights
#
# In {numref}`fig-gradients-weights` the solid line is the {term}`layer weight` as defined above. The other two change
# one choice each. Where the three disagree, the choice decides and not the model.

# %% tags=["hide-input"]
drawn = figures_techniques.gradient_weights(gradients)
caption = f"""Layer weights by gradients, mean over seeds: the default rule, the same without the frozen arm as
baseline, and with the negative log-likelihood as objective. Thin lines: the default rule for single seeds, where there
are several. {study.made("made-gradients")}"""
show(drawn.figure, "fig-gradients-weights", caption, alt=drawn.alt)

# %% [markdown]
# ## Sixteen rules
#
# Objective, norm, subtraction of clean examples and baseline can be combined in {glue:text}`grad-variants` ways. The
# table shows where each puts the weight, over the combinations of task and model that count. The {term}`M-CoG` is
# divided by the number of layers $L$, so that models of different depth share a column; equal weights would
# give $(L + 1) / 2L$, a little more than one half. The last column correlates the layer weights with those of the
# first row, after $1/L$, their mean, was subtracted.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_techniques.variant_table(gradients))

# %% [markdown]
# Which rule is best cannot be told from this table, for it does not know where the memory is. The
# {doc}`control <03b_control>` does.
#
# Here the {term}`attainable range` is all of $1$ to $L$, since no {term}`windows <window>` blur the weights. M-CoG of
# gradients must therefore not be compared with those of swapping in layers. The norms are of means over all noisy
# examples, and an interval over examples would take a backward pass for each of them. What can be had cheaply is one
# over seeds, from three seeds up; it stands in the table of all techniques side by side.
#
# ## On real data
#
# {glue:text}`grad-real`

# %% tags=["hide-input"]
facts.glue_all("grad", real.run_facts(released, "gradients"), released)
caption = """Real tasks, pre-trained models: layer weights by gradients, mean over seeds, by three rules. Thin lines:
the default rule for single seeds."""
real.show_figure(released, figures_techniques.gradient_weights, "fig-gradients-real-weights", caption)

# %% tags=["hide-input"]
real.show_numbers(released, tabulate_techniques.variant_table)

# %% [markdown]
# The control of {doc}`03b_control` tells rules apart, since there the place is known. Below, a rule is better if its
# curve rises in the shaded layers; in the table, if it finds more places. The study chose its rule on TREC and MRPC, so
# only other tasks are a test of it.

# %% tags=["hide-input"]
from memloc.publishing import figures_control_parts, tabulate_control

known = real.open_control()
caption = """Real tasks, pre-trained models, control runs: layer weights by gradients, by three rules; mean over the
runs that count, a panel a true place. Shaded: the layers that hold the memory."""
real.show_figure(known, figures_control_parts.rule_curves, "fig-gradients-control", caption)

# %% tags=["hide-input"]
real.show_tables(known, tabulate_control.gradient_rules)

# %% [markdown]
# Neither curves nor an M-CoG of the study for gradients alone are stored with its code, nor its own comparison of
# rules. Its agreement with the other techniques is; the {doc}`chapter on all techniques <08_agreement>` shows it.
#
# ## Take-away
#
# Combinations of task and model: {glue:text}`grad-end-places`, of which {glue:text}`grad-end-measured` memorised and
# {glue:text}`grad-end-counted` also learnt the task. {glue:text}`grad-end-note`:
#
# - *Depth.* The lowest M-CoG is {glue:text}`grad-end-lowest`, the highest {glue:text}`grad-end-highest`. It lies below
#   the middle layer in {glue:text}`grad-end-below` of them.
# - *Choices.* The largest distance between two rules' M-CoG for one model is {glue:text}`grad-end-moved`, in layers.
#
# **What they rest on: {glue:text}`grad-end-origin`**
#
# ### What would change our mind
#
# - A gradient says how the model would move first, not where it would end. If layers that are pulled hardest could be
#   swapped without forgetting, gradients would show sensitivity and not storage.
# - If the baseline decides where the weight lies, the result is about the frozen arm.
#
# ## The published findings
#
# Gradients have a part in findings on models whose memory was forced into known layers, and in that on the agreement of
# techniques. Rules were fixed before the first run on real data, as the chapter on swapping says; numbers of few tasks
# are shown, and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import about, claims_tables

tabulate.show_table(*claims_tables(about("gradients"), gradients, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} Mean first
# :label: ex-grad-mean
#
# Two noisy examples pull one parameter with gradients of $+1$ and $-1$. What is the norm of the mean gradient, and
# what the mean of the norms? Which does a forgetting gradient use, and what does it therefore not see?
# ```
#
# ```{exercise} Why not the likelihood?
# :label: ex-grad-nll
#
# With respect to the logit of the given label, the derivative of minus that logit is $-1$, and that of $-\log p$ is
# $p - 1$, where $p$ is the label's probability. A model gives memorised labels $p = .99$ and other labels of its
# training set $p = .9$. How strongly do the two groups pull under each objective?
# ```
#
# (made-gradients)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "frozen", "gradients")))
