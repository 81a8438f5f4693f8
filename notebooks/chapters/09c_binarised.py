# %% [markdown]
# # Is it the number of classes?
#
# *Do tasks keep their places when only two of their classes are left?*
#
# Tasks differ in where a model keeps wrong labels, but they differ in many things at once. One of them is as plain as
# can be: TREC has six classes and RTE has two. With six classes a wrong label can be one of five, the head has more to
# separate, and guessing helps less. If depth followed the number of classes, a ranking of tasks would be a ranking of
# label sets, and no word about language would be needed to explain it. The study asked by taking classes away.

# %% tags=["parameters"]
run = "binarised"  # a profile that lists tasks and their variants, released to results/

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_binarised, real, tabulate, tabulate_binarised, tabulate_claims, worked
from memloc.publishing.reading_binarised import open_binarised
from memloc.publishing.sources import STUDY
from memloc.publishing.style import use_style

use_style()
found = open_binarised(run)
told = tabulate_binarised.binarised_facts(found)
facts.glue_all("binarised", told, found, STUDY)
Markdown(told["state"])

# %% [markdown]
# ## The idea
#
# The **variant** of a task keeps the examples of its two most frequent classes and throws the others away. Texts,
# labels and the way they were collected stay; only the number of classes changes. Task and variant are then treated
# alike: wrong labels, training, layer swapping, centroids. Nobody expects the two to have the same {term}`M-CoG`. The
# question is whether the *order* of the tasks survives: if TREC lies deeper than SST-5 with all their classes, does it
# still with two each?
#
# Let $d_i$ be the difference of a task's two ranks, among $n$ tasks with all classes and among their $n$ variants.
# Where no two values are equal, Spearman's correlation is
#
# $$
# \rho = 1 - \frac{6 \sum_i d_i^2}{n (n^2 - 1)} .
# $$
#
# It is 1 where the order is the same, −1 where it is reversed. Chance is counted, not assumed: among all $n!$ orders of
# the variants, $p$ is the share of those that agree with the tasks at least as well as the one that was found.
#
# ## By hand
#
# Four made-up tasks. Two pairs of neighbours have changed places:

# %% tags=["hide-input"]
by_hand, numbers = worked.two_orders()
facts.glue_all("binarised-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# The squares add up to {glue:text}`binarised-hand-sum`, so $\rho = 1 - 6 \cdot 4 / (4 \cdot 15)$ =
# {glue:text}`binarised-hand-rho`. That sounds like agreement. But of the {glue:text}`binarised-hand-orders` orders that
# four things can have, {glue:text}`binarised-hand-close` agree as well or better, $p$ =
# {glue:text}`binarised-hand-p`: one of five random orders would have done.
#
# ## What the study found
#
# The study did this for its five tasks with more than two classes, on four models of twelve layers. It printed a
# correlation of {glue:text}`binarised-study-rho` over all models together, a mean difference of
# {glue:text}`binarised-study-difference` layers and a mean distance of {glue:text}`binarised-study-distance`, which
# forgets the sign of each difference. Its five tasks lie close together to begin with. The table is of
# {glue:text}`binarised-study-how`, exact to {glue:text}`binarised-study-tolerance` of a layer:

# %% tags=["hide-input"]
tabulate.show_table(tabulate_binarised.study_table())

# %% [markdown]
# ## What this run found
#
# {glue:text}`binarised-state`
#
# {glue:text}`binarised-sizes` A variant with as many rows as its task has far more of each class; one with fewer rows
# has fewer wrong labels. So more than the number of classes changes, whatever one chooses. And the two classes that
# stay are the most frequent ones; the hard ones may be among those that went.
#
# On the diagonal of the figure a task lies as deep with two classes as with all. What the finding asks is weaker: that
# marks rise from left to right.

# %% tags=["hide-input"]
caption = """Depth by layer swapping (M-CoG along its attainable range) of a task with all its classes, and with two, a
panel a model. Bars: 95 % over noisy examples. Hollow: task not learnt in one of its forms. Last panel: the study, means
over its four models."""
real.show_figure(found, figures_binarised.depths_of_both, "fig-binarised-depths", caption)

# %% tags=["hide-input"]
real.show_tables(found, tabulate_binarised.order_table, tabulate_binarised.difference_table)

# %% [markdown]
# In the first table intervals draw whole tasks, with all their models, and $p$ is two-sided: it counts orders of the
# tasks that are as far from 0 in either direction. Models share the texts and the wrong labels of a task, so a row of
# *all* models has more points than the rows of one but no more tasks. The second table is in layers. In both,
# {term}`initiation` is the layer from which classes are apart.
#
# ## Events
#
# The {doc}`centroid analysis <09_centroids>` follows examples from one class to another. Two classes make two ordered
# pairs, six make thirty, and pairs with too few {term}`noisy` examples are left out. So with two classes every wrong
# label counts, and with six only some do. A {term}`crossing` that moves may have moved for that reason.

# %% tags=["hide-input"]
caption = """Crossing of noisy examples and the layer from which classes are apart, in layers. A line leads from a task,
all its classes (circle), to its variant of two (triangle). 0: below one half from layer 1 on. $L + 1$: never. Hollow:
not learnt in one of its forms."""
real.show_figure(found, figures_binarised.events_of_both, "fig-binarised-events", caption)

# %% tags=["hide-input"]
real.show_numbers(found, tabulate_binarised.pair_table)

# %% [markdown]
# ## The published finding
#
# The rule was fixed before the first run on real data: the correlation over the study's five tasks within each model,
# averaged over models, has to be large enough, and a test has to exclude chance. It needs all five in both forms.

# %% tags=["hide-input", "remove-stderr"]
runs = {"released run": found.study} if found else {}
tabulate.show_table(*tabulate_claims.tables_of([tabulate_binarised.CLAIM], runs))

# %% [markdown]
# ## Take-away
#
# Of {glue:text}`binarised-places` combinations of task and model in the released run, {glue:text}`binarised-both`
# memorised their wrong labels in both forms.
#
# - *The order of tasks.* Correlation over all models: {glue:text}`binarised-rho`. Within a model it goes from
#   {glue:text}`binarised-within-lowest` to {glue:text}`binarised-within-highest`. The study has
#   {glue:text}`binarised-study-rho`.
# - *The layers.* Two classes less all, M-CoG by swapping: {glue:text}`binarised-difference`; distance:
#   {glue:text}`binarised-distance`. Crossing: {glue:text}`binarised-crossing`; initiation:
#   {glue:text}`binarised-initiation`.
# - *The verdict*: {glue:text}`binarised-verdict`. Reason: {glue:text}`binarised-reason`.
#
# **What they rest on: {glue:text}`binarised-state`**
#
# ### What would change our mind
#
# - If a task's variants of *other* pairs of classes lay as far apart as two tasks do, then which classes are left would
#   matter more than how many, and one variant a task could not tell.
# - If depth followed the number of rows, or of wrong labels, as closely, the comparison would be about those. A task
#   with all its classes, cut to the rows of its variant, would show it.
# - All depths could move by the same amount. Then the order would survive and the number of classes would matter all
#   the same: that is what the differences in layers are for.
#
# ## Exercises
#
# ```{exercise} How well must five agree?
# :label: ex-binarised-five
#
# The rule asks for $p \le .05$ over five tasks. In one model, which is the lowest $\rho$ that can pass? Count the
# orders in which no two tasks, one pair of neighbours, or two separate pairs have changed places.
# ```
#
# ```{exercise} Another explanation
# :label: ex-binarised-rows
#
# Somebody says: "variants lie nearer to the first layers because they have only two classes." What else changed with
# the number of classes in this run? Name a run that would tell the explanations apart.
# ```
