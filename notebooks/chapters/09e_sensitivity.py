# %% [markdown]
# # Would another draw say the same?
#
# *How much of an answer is the data that happened to be drawn?*
#
# Behind every number so far stand choices that nobody asked a question about: which rows were kept, which of them got
# a wrong label, how many there are, how fast the model learns. The original study made each of them once. Here one
# {term}`profile` is run again with one of them changed at a time; each such run is a **variant**. Most of all we draw
# the data anew, because a difference that another draw would make as well means nothing.

# %% tags=["parameters"]
run = "sensitivity"  # a profile with variants, released to results/

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_sensitivity, real, tabulate, tabulate_sensitivity, worked
from memloc.publishing.reading_sensitivity import open_sensitivity
from memloc.publishing.style import use_style

use_style()
found, retraining = open_sensitivity(run), real.open_retraining()
facts.glue_all("sens", tabulate_sensitivity.sensitivity_facts(found), found)
facts.glue_all("sens", tabulate_sensitivity.window_facts(retraining), retraining)
Markdown(tabulate_sensitivity.sensitivity_facts(found)["state"])

# %% [markdown]
# ## The idea
#
# Runs that differ in nothing but the **{term}`data seed`** are draws of the same thing. They keep other rows of the
# task, hold out others, and put wrong labels on others. How far their answers lie apart is the yardstick: another
# learning rate matters if it moves an answer by more than another draw does.
#
# What is compared is {term}`depth`, the {term}`M-CoG` of layer swapping along its {term}`attainable range`. Let
# $x_{pj}$ be the depth of a place $p$ (a task and a model) in draw $j$ of $n_p$, and $\bar x_p$ the mean of its draws.
# All places together give the standard deviation of one draw, and from it the limit $m$ beyond which two draws of one
# place rarely lie apart:
#
# $$
# s^2 = \frac{1}{f} \sum_p \sum_{j=1}^{n_p} (x_{pj} - \bar x_p)^2 , \qquad
# f = \sum_p (n_p - 1) , \qquad
# m = t_f\, \sqrt{2}\, s .
# $$
#
# $t_f$ is the quantile of Student's distribution that one of twenty cases exceeds, to either side. It is large where
# draws are few, since $s$ is then a guess itself. The formula takes draws to be normal and to spread alike in every
# place. A variant that keeps the rows of the first draw is likely to lie nearer to it than a new draw would, which
# makes $m$ careful.
#
# ## By hand
#
# Two made-up places, three draws each, and a variant that used the data of draw 1:

# %% tags=["hide-input"]
by_hand, numbers = worked.three_draws()
facts.glue_all("sens-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# The squared distances add up to {glue:text}`sens-hand-squares`, over $f$ = {glue:text}`sens-hand-freedom` degrees of
# freedom: $s$ = {glue:text}`sens-hand-deviation`. With $t$ = {glue:text}`sens-hand-quantile` the limit is
# {glue:text}`sens-hand-limit`. The first place moved by {glue:text}`sens-hand-change-1`, which another draw could have
# done; the second by {glue:text}`sens-hand-change-2`, which is more.
#
# ## How far draws differ
#
# {glue:text}`sens-draws`
#
# The other chapters have bootstrap intervals. With one seed these resample the noisy examples of *one* trained model:
# they say what other examples would have told about the same model, and not what a model trained on other examples
# would be. Drawing the data anew changes both. {glue:text}`sens-interval` Where that number, *times* in the table, is
# above 1, intervals over examples alone are too narrow to compare two runs with.

# %% tags=["hide-input"]
real.show_tables(found, tabulate_sensitivity.draw_table)

# %% [markdown]
# ## What moves the answer
#
# The first figure has every variant beside the profile as it is, in layers, with its bootstrap interval. The second has
# the changes of depth; the band goes from $-m$ to $m$, and a draw rarely lies outside of it.

# %% tags=["hide-input"]
caption = """M-CoG by variant with its 95 % bootstrap interval over noisy examples. The axis is the attainable range of
the M-CoG, and the grey line the profile as it is. Hollow: task not learnt."""
real.show_figure(found, figures_sensitivity.centres, "fig-sensitivity-centres", caption)

# %% tags=["hide-input"]
caption = """Change of depth against the profile as it is. Two draws of the data lie within the band in 19 of 20 cases;
combinations of task and model that do not count in both are left out."""
real.show_figure(found, figures_sensitivity.changes, "fig-sensitivity-changes", caption)

# %% [markdown]
# {glue:text}`sens-changes`
#
# Changes are not equally clean. Another learning rate sees the same rows with the same wrong labels. More rows contain
# those of fewer, but the wrong labels sit elsewhere. With another share of wrong labels the rows are the same, and a
# smaller share is a part of a larger one.

# %% tags=["hide-input"]
real.show_numbers(found, tabulate_sensitivity.variant_table)

# %% [markdown]
# ## Were the labels memorised?
#
# A label that was not memorised lies nowhere, so a variant under which memorising fails has no depth. That is a result
# of its own: the question cannot be asked there. {glue:text}`sens-memorised`
#
# ## Curves over one another
#
# An M-CoG can stay where it is while the curve behind it changes. Here are all curves.

# %% tags=["hide-input"]
caption = """Layer weight by swapping, all variants over one another; the thick line is the profile as it is. Empty
panels: labels not memorised. Variants that did not memorise have no line."""
real.show_figure(found, figures_sensitivity.curves, "fig-sensitivity-curves", caption)

# %% [markdown]
# ## Windows chosen otherwise
#
# One more choice lies in the technique: which {term}`windows <window>` count, and how much. The study's layer weight
# is a mean over window lengths in which every length counts the same. So the one window of all layers weighs as much as
# all single layers together, and layers at the ends are in fewer windows than those in the middle. One could as well
# count every window once. Retraining every window is expensive, so small runs choose a few lengths; swapping can tell
# what its own depth would have been with these. Each way has an attainable range of its own, and only depths are
# compared. {glue:text}`sens-windows`

# %% tags=["hide-input"]
real.show_tables(retraining, tabulate_sensitivity.window_table, tabulate_sensitivity.range_table)

# %% [markdown]
# ## Take-away
#
# - *Draws.* The distance in depth that two draws of the data rarely exceed: {glue:text}`sens-limit`.
# - *Intervals.* How many times as far draws lie apart as intervals over examples would expect:
#   {glue:text}`sens-times`.
# - *Other settings.* Changes that are larger than that distance: {glue:text}`sens-beyond`.
# - *Windows.* The depth of one and the same run depends on how its windows are weighed. Where two runs chose other
#   windows, a difference between their depths can be the choice.
#
# **What they rest on: {glue:text}`sens-state`**
#
# ### What would change our mind
#
# - More draws. With few of them $s$ can be far off, and a limit that is too wide hides real differences.
# - Another seed of the model on the same data. Other data also mean another course of training; if other seeds moved
#   depth as far, the data would not be to blame.
# - A place that spreads much more than the others. Then $s$, which is over all places, would be too small for it and
#   too large for the rest; the first table has every place by itself.
#
# ## Exercises
#
# ```{exercise} A fourth draw
# :label: ex-sens-fourth
#
# Three draws of the data have depths .40, .44 and .42. How likely is it that a fourth lies outside of .40 to .44, if
# nothing but chance is at work? What does that say about "it lies outside the range of our seeds"?
# ```
#
# ```{exercise} Many comparisons
# :label: ex-sens-many
#
# Six variants are compared with the profile in four places, and two of the 24 changes are larger than $m$. How many
# would you expect by chance? What would convince you that one of the two is real?
# ```
