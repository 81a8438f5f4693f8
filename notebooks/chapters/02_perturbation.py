# %% [markdown]
# # Wrong labels
#
# *How do we know what a model has memorised?*
#
# If a model answers correctly on an example it was trained on, it may have memorised the answer or it may have worked
# it out. From outside the two look alike. So we plant something that cannot be worked out: before training, a share
# of the training examples gets a **wrong label**. Whatever rule the model finds will speak against such a label, and
# if it gives the label back all the same, it remembers.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input"]
from IPython.display import Markdown

from memloc.publishing import facts, figures, tabulate, worked
from memloc.publishing.reading import open_study
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
facts.glue_all("noise", facts.study_facts(study), study)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## The rule
#
# Let class $c$ have $n_c$ training examples. A share $r$ of them becomes **{term}`noisy`**, rounded down,
#
# $$
# m_c = \lfloor r \, n_c \rfloor,
# $$
#
# and the others stay **clean**. Here $r$ is {glue:text}`noise-rate`. Which examples become noisy is drawn at random,
# class by class, so that rare classes are not spared. Each noisy example then gets a label drawn from the *other*
# classes, all with the same probability: with $C$ classes,
#
# $$
# P(\text{given} = c' \mid \text{original} = c) = \frac{1}{C - 1} \quad \text{for every } c' \neq c.
# $$
#
# The text never changes, and neither do validation and test examples. The draw depends on one number, the *data seed*
# ({glue:text}`noise-data-seed` here), and not on the model: every model and every repetition sees the same wrong
# labels.
#
# ## An example to follow by hand
#
# Take three kinds of fruit. Multiply, round down, and you have the number of noisy examples of each class. (Every class
# loses something by rounding, so the share over all classes comes out a little lower than $r$.)

# %% tags=["hide-input"]
counts, noisy = worked.perturbed_fruit(study.experiment.profile.data.noise_rate)
tabulate.show_table(counts)

# %% [markdown]
# These are the noisy examples that the package's own function draws from this basket. Every given label differs from
# the original one.

# %% tags=["hide-input"]
tabulate.show_table(noisy)

# %% [markdown]
# ## The wrong labels of this copy
#
# {numref}`fig-noise-pairs` counts the noisy examples by original and given label. Along a row the numbers should be
# alike up to chance, since labels are drawn evenly; between rows they follow the sizes of the classes. With two
# classes there is only one wrong answer, and so nothing to draw.

# %% tags=["hide-input"]
drawn = figures.noisy_pairs(study)
caption = f"""Noisy training examples by original label (down) and given label (across), one panel a task. The
diagonal is empty: no label is drawn to itself. {study.made("made-perturbation")}"""
show(drawn.figure, "fig-noise-pairs", caption, alt=drawn.alt)

# %% [markdown]
# The next table checks the data sets themselves rather than the program that made them. The two counts of noisy
# examples must agree, and the last three columns must be zero.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.perturbation_table(study))

# %% [markdown]
# ## The index table
#
# For every task an **index table** is stored that says which example has which label. It holds no texts, so it can be
# passed on even where the texts may not be. Here are its first {term}`clean` and its first noisy rows, for the first
# task:

# %% tags=["hide-input"]
tabulate.show_table(tabulate.index_table(study))

# %% [markdown]
# `idx` is the position of the example in its source, `label` the original and `given` the label used in training,
# both counted from 0. `group` says `noisy` where the two differ.
#
# ## Take-away
#
# - A wrong label that a model gives back is remembered, lucky guesses aside: it could not have been worked out.
# - {glue:text}`noise-rate` of each class have one, spread evenly over the other classes; held-out examples keep
#   theirs.
# - A wrong label is an artificial kind of thing to remember. Memory of rare but right examples may behave
#   differently.
#
# ### What would change our mind
#
# - One draw decides which labels are wrong. If {doc}`another draw <09e_sensitivity>` moved memory by as much as another
#   task does, differences between tasks would be differences between draws.
# - Wrong labels are drawn evenly here. People who err confuse classes that are alike. If labels that are wrong in that
#   way were kept in other layers, results would hold for random errors only.
#
# ## Exercises
#
# ```{exercise} How many are wrong?
# :label: ex-noise-count
#
# A task has two classes with 40 and 11 examples, and 15 % of the labels are to be wrong. How many noisy examples has
# each class, and which share of all labels is wrong?
# ```
#
# ```{exercise} Given back without memory
# :label: ex-noise-guess
#
# A model was never trained on the wrong labels. On a task with six classes it gets .90 of unseen texts right, and its
# errors are spread evenly over the other classes. On which share of noisy training examples will it agree with the
# *given* label? Why does that matter for what counts as memorised?
# ```
#
# (made-perturbation)=
# ## What made this chapter

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.data_keys(study))
