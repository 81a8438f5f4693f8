# %% [markdown]
# # Training to memorise
#
# *Do the models really remember the wrong labels, and what does it cost them?*
#
# We train each model on all examples, wrong labels included, until it gives the wrong ones back. Only then is there
# something to search for. This chapter watches it happen and decides which models may be used in the chapters that
# follow.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_training, real, tabulate
from memloc.publishing.reading import open_study, read_training
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
training, released = read_training(study), real.open_training()
facts.glue_all("training", facts.study_facts(study) | facts.training_facts(training), training)
facts.glue_all("training", real.run_facts(released), released)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## Three ways of training
#
# A transformer turns a text into numbers layer by layer. On top sits a small **head** that reads the last layer at
# one position and chooses a class. Each model ({glue:text}`training-models`) is trained up to three times from the
# same starting point. (Figures and tables write *GPT-N* for GPT-Neo and *Pythia* for GPT-NeoX; *nano* are those of the
# {doc}`chapter before <02b_models>`.) We call these ways of training its **{term}`arms <arm>`**:
#
# - **perturbed**: trained on the given labels, with the wrong ones among them;
# - **normal**: its {term}`twin`, with the same examples in the same order for the same number of steps, but every label
#   right;
# - **frozen**: trained on the given labels, but only the head may change.
#
# Whatever differs between the first two is owed to the wrong labels. The third shows how many wrong labels come back
# without changing any layer. A task, a model and a seed (the number from which the order of examples is drawn)
# together make a **cell**; this copy has {glue:text}`training-cells` of them.
#
# ## Wrong labels take longer
#
# {numref}`fig-training-memory` shows how often the model answers with the label it was given. Compare the
# {term}`noisy` and the {term}`clean` examples: where a model learns the task at all, clean labels come first, because
# one rule serves many of them. A wrong label serves itself alone. While the rule is being learnt, accuracy on noisy
# examples can even fall: the model answers them with the right label, which is not the one they were given.

# %% tags=["hide-input"]
drawn = figures_training.memorisation_curves(training)
caption = f"""Accuracy on the given labels after each epoch (one pass through the training data), one line a seed.
The thin horizontal line is the threshold for *memorised*. {study.made("made-training")}"""
show(drawn.figure, "fig-training-memory", caption, alt=drawn.alt)

# %% [markdown]
# We say that a cell has **memorised** when the perturbed arm gives back at least {glue:text}`training-threshold` of
# the wrong labels (a share) at the end of training. That holds for {glue:text}`training-memorised` of
# {glue:text}`training-cells` cells. Training took {glue:text}`training-epochs` epochs. If the profile says so, it ends
# once {term}`macro-F1 <F1>` on all given labels, right and wrong, is nearly 1, and else after a fixed number. Cells
# that have not memorised are left out of every measurement of where memory sits: one cannot look for something that is
# not there.
#
# The frozen arm tells how far the head gets alone: {glue:text}`training-frozen`.
#
# ## What it costs
#
# Validation examples were never trained on and their labels are right, so accuracy on them measures generalisation
# ({numref}`fig-training-validation`). At the end, accuracy of the normal arm minus accuracy of the perturbed one is
# {glue:text}`training-cost` percentage points on average over cells. The bars in the figure are 95 % intervals
# (Wilson's, for a share counted in so many examples): how far the accuracy might be off because others were not asked.

# %% tags=["hide-input"]
drawn = figures_training.validation_curves(training)
caption = f"""Accuracy on validation examples after each epoch, one line a seed. Vertical bars at the end: 95 %
Wilson intervals of the first seed, over validation examples. Dotted: always naming the most frequent class.
{study.made("made-training")}"""
show(drawn.figure, "fig-training-validation", caption, alt=drawn.alt)

# %% [markdown]
# A model can memorise a task without having understood it. We call a cell **learnt** if its normal arm does better on
# validation than always naming the most frequent class. How much better is more than luck? If the model were only as
# good as that constant answer, the number of right answers would follow a binomial distribution, and we ask how
# likely it would be to get at least as many as were observed. With $n$ examples, of which the constant answer gets a
# share $q$ right, $x$ right answers or more have the probability
#
# $$
# p = \sum_{k=x}^{n} \binom{n}{k} \, q^k (1 - q)^{n-k} .
# $$
#
# *Learnt* means that this $p$ is at most {glue:text}`training-alpha`. *Not learnt* does not mean that nothing was
# learnt; it means that these validation examples do not show it.
#
# ### An example to follow by hand
#
# A made-up task has {glue:text}`training-hand-asked` validation examples, {glue:text}`training-hand-frequent` of them
# of one class: $q$ = {glue:text}`training-hand-rate`. How many right answers are more than luck?

# %% tags=["hide-input"]
from memloc.publishing.worked_techniques import lucky_answers

by_hand, numbers = lucky_answers()
facts.glue_all("training-hand", numbers, by_hand)
tabulate.show_table(by_hand)

# %% [markdown]
# For 18 right answers the sum has three terms, 18, 19 and 20, and comes to {glue:text}`training-hand-p-18`: learnt. One
# less, an accuracy of .85 where the constant answer has .60, comes about by luck in one of sixty runs
# ({glue:text}`training-hand-p-17`). A run of tens of cells would have some of those, so it does not pass. Few examples
# ask for much.
#
# {glue:text}`training-learnt` of {glue:text}`training-cells` cells learnt their task. Tasks with at least one cell
# that did not: {glue:text}`training-not-learnt-tasks`. Such cells are still shown in later chapters, with a mark, but
# no conclusion rests on them: how generalising shapes memory cannot be asked of a model that does not generalise.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.status_table(training))

# %% [markdown]
# All accuracies in the table are shares at the last epoch. *Noisy* and *clean* are training examples of the perturbed
# arm, judged by the label they were given.
#
# ## On real data
#
# Beside the run of this copy, the book has results on real data that were computed earlier and stored with it, the
# {term}`released runs <released run>`. This is how the cells of one were trained. {glue:text}`training-real`

# %% tags=["hide-input"]
real.show_numbers(released, tabulate.status_table)

# %% [markdown]
# ## Take-away
#
# - {glue:text}`training-memorised` of {glue:text}`training-cells` cells memorised their wrong labels, and
#   {glue:text}`training-both` of these learnt their task too. These {glue:text}`training-both` carry the conclusions.
# - Wrong labels cost {glue:text}`training-cost` percentage points of accuracy on validation examples, on average.
# - The normal twin differs from the perturbed model in its labels and in nothing else, which makes the two comparable
#   layer by layer. {doc}`Layer swapping <04_swapping>` does that.
# - Made from: {glue:text}`training-origin`
#
# ### What would change our mind
#
# - Wrong labels that the *normal* twin gave back as often, though it never saw them, would not be remembered but easy
#   to guess.
# - If accuracy of the frozen arm on wrong labels came near that of the perturbed one, the head would hold the memory,
#   and asking for its layer would make no sense.
# - Cells that learnt by this rule and fail on other examples of the task would have been lucky in which ones were
#   asked.
#
# ## Exercises
#
# ```{exercise} Stopping early
# :label: ex-training-stop
#
# A curve shows clean training examples at 1.0 after five epochs, while noisy ones are at .05; after thirty epochs
# both are at 1.0. Which model would you ship, the one of epoch 5 or that of epoch 30? Which one do the later chapters
# need, and why?
# ```
#
# ```{exercise} Learnt, or lucky?
# :label: ex-training-luck
#
# Two classes of equal size, 40 validation examples, 26 right answers. The probability of 26 or more by guessing is
# .040. Has the model learnt the task by a rule that asks for .01? By one that asks for .05? What would you do if you
# liked the second answer better?
# ```
#
# (made-training)=
# ## What made this chapter
#
# Each cell's data set and arms, with the key under which the store keeps them.

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.made_table(study, dict.fromkeys(training.traces["arm"])))
