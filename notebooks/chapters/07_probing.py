# %% [markdown]
# # Probing
#
# *After which layer can one see that a label is wrong?*
#
# A layer that does something special for {term}`noisy` examples leaves a trace in what it passes on. Probing looks for
# that trace: it takes the {term}`hidden states <hidden state>` after each layer and trains a small classifier, a
# **probe**, to tell noisy examples from {term}`clean` ones. Where this gets easier from one layer to the next, the
# later of them has added something. Like gradients, and unlike the other two techniques of
# {cite:t}`dankers-titov-2024-generalisation`, probing changes nothing in the model. What a probe can read, the model
# need not use.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_techniques, figures_centroids, figures_techniques, real, tabulate
from memloc.publishing.reading import open_study
from memloc.publishing.reading_techniques import read_told
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
probing, released = read_told(study, "probing"), real.open_told("probing")
real.glue_findings("probe", facts_techniques.probing_facts, probing, released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The method
#
# For each layer from 0, the output of the embeddings, to $L$: the state of the {term}`pooled token`, from which the
# model classifies. Three targets get probes of their own:
#
# - is the example **noisy or clean** ({term}`F1` of *noisy*: 1 if exactly the noisy ones are named, 0 if none is);
# - which label was it **given** (macro F1);
# - which label did it have **originally** (macro F1).
#
# The examples are split into training, validation and test sets of probes, in the same way for every layer and anew for
# every *probe seed*. All scores here are on test examples. The {term}`layer weight` is the rise of the first score,
#
# $$
# w_l = \max(0,\; F1_l - F1_{l-1}) ,
# $$
#
# where the score of layer 1 is compared with that of layer 1 of the frozen {term}`arm`, if there is one: what a probe
# finds there is in the texts and not in what the layers learnt. In this copy the comparison is with
# {glue:text}`probe-baseline`.
#
# Order matters in that formula. Scores are averaged over probe seeds *first*. Taking the maximum with 0 in every seed
# and averaging afterwards turns noise into weight, since rises count and falls do not. Both are shown below.
#
# ### An example to follow by hand
#
# F1 of two probe seeds after the layers of a made-up model; in the frozen arm it is {glue:text}`probe-hand-frozen`.
# Each weight is the mean less the mean above it, and 0 where that would be negative:

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import two_probes

by_hand, numbers = two_probes()
facts.glue_all("probe-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# At layer 3 the first seed rises and the second falls by more, {glue:text}`probe-hand-fall`: together they fall, and
# the layer has no weight. The mean of the rises sees the one and not the other. Over all layers it adds up to
# {glue:text}`probe-hand-sum-rises` where the rise of the mean has {glue:text}`probe-hand-sum`, and the M-CoG moves from
# {glue:text}`probe-hand-mcog` to {glue:text}`probe-hand-mcog-rises`.
#
# ## From one label to the other
#
# A model that has memorised a wrong label answers with it. {numref}`fig-probing-labels` shows where in the model the
# change happens: as long as the states know the original label of noisy examples better than the given one, the model
# treats them as what they are.

# %% tags=["hide-input"]
drawn = figures_techniques.f1_curves(probing)
caption = f"""Macro F1 of probes for the given and for the original label, on noisy and on clean test examples, by
layer; mean over probe seeds and seeds. Layer 0 is the embeddings' output. Dotted: shuffled labels. Empty panels:
labels not memorised. {study.made("made-probing")}"""
show(drawn.figure, "fig-probing-labels", caption, alt=drawn.alt)

# %% [markdown]
# ## Noisy or clean?
#
# In {numref}`fig-probing-noise` the line is the F1 of telling noisy examples from clean ones, and the bars are what it
# rises by. Filled bars are the layer weights. Where open bars stand beside no filled one, single seeds rose and their
# mean did not.

# %% tags=["hide-input"]
drawn = figures_techniques.noise_curves(probing)
caption = f"""F1 of probes that tell noisy from clean, by layer, mean over probe seeds and seeds; filled bars: rises of
that mean, the layer weights; open bars: means of the rises in every probe seed; diamond: layer 1 of the frozen arm.
{study.made("made-probing")}"""
show(drawn.figure, "fig-probing-noise", caption, alt=drawn.alt)

# %% tags=["hide-input"]
from memloc.publishing.tabulate_techniques import probing_table

tabulate.show_table(probing_table(probing))

# %% [markdown]
# The two events of the table, and of {numref}`fig-probing-events`: the given label is *known* from the first layer at
# which its F1 on noisy examples is more than .1 above that of the original label; classes *begin* at the first layer
# whose F1 for the original label of clean examples has come more than nine tenths of the way from chance (shuffled
# labels) to the best layer's. On its tasks the study's own layers stand in the table too, means over its four models,
# to look at and not to test. The figure calls the layer of the first event *layer of memorisation*. An event that does
# not happen stands at $L + 1$ in the figure and as *never* in the table.

# %% tags=["hide-input"]
drawn = figures_centroids.event_scatter(probing)
caption = f"""Layers of the two events of probing, means over seeds, a panel a model. On the line both happen at the
same layer; above it the given label is known before classes begin. Hollow: task not learnt.
{study.made("made-probing")}"""
show(drawn.figure, "fig-probing-events", caption, alt=drawn.alt)

# %% [markdown]
# With few noisy examples a test split holds only a handful of them, and F1 moves in large steps. The interval of the
# {term}`M-CoG` is over seeds, from three seeds up. There is none over examples, because which of them a probe got
# right is not kept, and none over probe seeds: these share their examples, so their spread would say too little.
#
# ## On real data
#
# {glue:text}`probe-real`

# %% tags=["hide-input"]
facts.glue_all("probe", real.run_facts(released, "probing"), released)
caption = """Real tasks, pre-trained models: F1 of telling noisy from clean by layer, its rises, and the means of rises
in every probe seed. Stars: BERT in the original study, digitised from a published figure."""
real.show_figure(released, figures_techniques.noise_beside_study, "fig-probing-real-noise", caption)

# %% tags=["hide-input"]
real.show_numbers(released, probing_table)

# %% [markdown]
# ## Which question should a probe be asked?
#
# Where the place of the memory is known, as in the {doc}`control <03b_control>`, the question can be put to the test.
# And so can another one, for which no further probes are needed: how well can the *given* label of noisy examples be
# read? Its weight is the rise of the macro F1 of given labels on noisy examples, with layer 0 below layer 1, since the
# frozen arm's probes are asked about noise alone. Control runs: {glue:text}`probe-known-runs`, of
# {glue:text}`probe-known-tasks` tasks (released run: {glue:text}`probe-known-run`). Accuracy@1 by the published
# question: {glue:text}`probe-known-noise`; by this one: {glue:text}`probe-known-given`.
#
# Why would the questions differ? To tell a noisy example from a clean one, a state has to hold *two* things, the given
# label and the original one. A model that has memorised everything answers with the given label, and nothing asks it
# to keep the other. There is a way around: wrong labels fall on classes by the size of the *other* classes, so a rare
# label is a wrong one more often than a common one is. Where classes differ in size, the given label alone tells some
# of the noise. The table has the best F1 that such an answer can have, from the sizes of the classes; with a share $r$
# of wrong labels and classes of one size it is what calling everything noisy has, $2r / (1 + r)$. If probes after the
# last layer do no better, then what they see of noise is no more than the given label. Over tasks, the rank correlation
# (Spearman's) of this F1 with the accuracy@1 of the published question is {glue:text}`probe-known-rho`.

# %% tags=["hide-input"]
from memloc.publishing import tabulate_control

known = real.open_control()
facts.glue_all("probe-known", tabulate_control.asked_facts(known), known)
real.show_tables(known, tabulate_control.asked_table, tabulate_control.probing_rules)

# %% [markdown]
# The second question was chosen on these very runs, so they are no test of it. The {doc}`benchmark <03c_planted>` is
# one of memory put elsewhere, though not of new tasks or models: there it was entered before anybody saw what it says
# of planted memory. For {doc}`a model of one's own
# <10_your_own_model>`, `memloc.analysis.weights.layer_weights(found.of("probing"), "rise_of_given")` has these weights.
#
# ## Take-away
#
# Combinations of task and model: {glue:text}`probe-end-places`, of which {glue:text}`probe-end-measured` memorised and
# {glue:text}`probe-end-counted` also learnt the task. {glue:text}`probe-end-note`:
#
# - *Depth.* The lowest M-CoG is {glue:text}`probe-end-lowest`, the highest {glue:text}`probe-end-highest`. It lies
#   below the middle layer in {glue:text}`probe-end-below`; in {glue:text}`probe-end-undefined` no layer has any weight
#   and there is none.
# - *The order of averaging.* Taking maxima by seed adds at most {glue:text}`probe-end-added` to the sum of weights, and
#   moves the M-CoG by at most {glue:text}`probe-end-shift` layers.
# - *Which comes first.* Of {glue:text}`probe-end-event-known` with both events, the given label is known before classes
#   begin in {glue:text}`probe-end-event-first`, at the same layer in {glue:text}`probe-end-event-same`, and later in
#   {glue:text}`probe-end-event-last`.
# - *The question.* Where the place is known, accuracy@1 is {glue:text}`probe-known-noise` if probes are asked whether
#   an example is noisy, and {glue:text}`probe-known-given` if they are asked for the given label of noisy ones
#   (released run: {glue:text}`probe-known-run`).
#
# **What they rest on: {glue:text}`probe-end-origin`**
#
# ### What would change our mind
#
# - Probes on the frozen arm that told noisy from clean as well would have found something in the texts.
# - Layers whose rise no swap and no retraining confirms would show where memory can be read, not where it is kept.
#
# ## The published findings
#
# Probing has a part in findings on models whose memory was forced into known layers, and in that on the agreement of
# techniques. Rules were fixed before the first run on real data, as the chapter on swapping says; numbers of few tasks
# are shown, and decide nothing.

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing.tabulate_claims import about, claims_tables

tabulate.show_table(*claims_tables(about("probing"), probing, released))

# %% [markdown]
# ## Exercises
#
# ```{exercise} Maximum and mean
# :label: ex-probe-order
#
# Two probe seeds have an F1 of .5 and .5 after layer 1, and of .6 and .4 after layer 2. What is the rise at layer 2
# if seeds are averaged first? If the maximum with 0 is taken first?
# ```
#
# ```{exercise} Readable is not used
# :label: ex-probe-use
#
# Probes on the frozen arm tell noisy from clean with an F1 of .45, those on the trained model's layer 9 with .50. How
# much of the .50 need training on wrong labels have put there? What would show that the model *uses* it?
# ```
#
# (made-probing)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, ("perturbed", "frozen", "probing")))
