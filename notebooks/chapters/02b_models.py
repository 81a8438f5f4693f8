# %% [markdown]
# # Four small models
#
# *How can architectures be compared when everything else about them differs?*
#
# The four models of the study differ in more than their architecture. Each was pre-trained on another corpus, with
# another vocabulary and another budget. When two of them disagree about where memory is, nobody can say which of these
# differences is the reason. They are also large, and have to be fetched from a hub.
#
# So this book makes its own four: **one corpus, one tokenizer, one order of batches, one budget**, and four
# architectures. They are small enough to come with the package, and where the other chapters compute something while
# the book is built, they compute it on these.

# %% tags=["parameters"]
profile = "mini"  # not used here: the models and the comparison come with the book

# %% tags=["hide-input"]
from memloc.publishing import facts, figures_pretraining, real, tabulate, tabulate_pretraining
from memloc.publishing.reading_pretraining import open_worth, shipped_models
from memloc.publishing.shipped_samples import said
from memloc.publishing.style import show, use_style

use_style()
models, worth = shipped_models(), open_worth()
facts.glue_all("nano", tabulate_pretraining.shipped_facts(models), models)
facts.glue_all("nano", tabulate_pretraining.worth_facts(worth), worth)
tabulate.show_table(tabulate_pretraining.models_table(models))

# %% [markdown]
# The *held-out loss* tells how surprised a model is by the words of a text that it has not read, in *nats*: a model
# that spreads its bets evenly over 100 words has a loss of 4.6, the natural logarithm of 100. The *perplexity* is that
# number of words.
#
# ## How they were made
#
# **The corpus** is English text that anybody may use, change and pass on: dictionaries with their examples, old novels
# and speeches, manuals of free programs. It was collected from Debian, npm and Python packages by name, cleaned to
# paragraphs of prose, and every paragraph was kept once. None of it may come from the tasks of this book, or the models
# would have seen the answers: every paragraph that shares thirteen words in a row with a text of the twelve tasks was
# left out. The list of packages, with licences, is in the model card beside the weights.
#
# **The tokenizer** has 8,192 entries, learnt from the same corpus, all in lower case.
#
# **The budget**: {glue:text}`nano-tokens` tokens, in the same order for all four. Each model has
# {glue:text}`nano-layers` layers of width {glue:text}`nano-hidden` and {glue:text}`nano-parameters` weights.
#
# **The objective** is where one of them has to differ. Three are *causal* models: they learn to guess the *next* word.
# BERT sees both sides of every word, so it learns to fill *gaps*: {glue:text}`nano-masked` of the words are hidden or
# changed and asked for. It is asked fewer questions in the same text, and other ones, so its loss in
# {numref}`fig-nano-loss` cannot be compared with the others'.

# %% tags=["hide-input"]
drawn = figures_pretraining.loss_curves(models)
caption = """Held-out loss of the shipped models while they were pretrained, against tokens seen. Left: the three that
guess the next word; right: the one that fills gaps. From `loss.parquet` beside the weights."""
show(drawn.figure, "fig-nano-loss", caption, alt=drawn.alt)

# %% [markdown]
# The curves drop once more at the end because the learning rate does. Final losses: {glue:text}`nano-losses`.
#
# ## What they learnt
#
# The loss is a number; the next two tables are what it means. First, the words that BERT would put into a gap, with
# their probabilities:

# %% tags=["hide-input", "remove-stderr"]
words = said(models)
tabulate.show_table(tabulate_pretraining.gaps_table(words))

# %% [markdown]
# They are frequent words and punctuation, whatever the sentence. BERT was asked about fewer words of the same text, and
# with this budget it has learnt what single words are like more than how they go together. What that is worth to a
# classifier is another question, which the next section answers. The others go on like this. These are samples, one for
# each beginning, not the best of many:

# %% tags=["hide-input", "remove-stderr"]
tabulate.show_table(tabulate_pretraining.samples_table(words))

# %% [markdown]
# This is English, and it is nonsense. These three learnt which words go together and how phrases are built. They know
# next to nothing about the world.
#
# ## What pretraining bought
#
# A classifier of this book starts from these weights. What are they worth? On {glue:text}`nano-tasks` tasks with
# {glue:text}`nano-rows` training examples each, everything was fine-tuned on the original labels, embeddings too, for
# a fixed number of epochs and from {glue:text}`nano-seeds` seeds: once from the shipped weights, once from random
# weights of the same shape, with the same tokenizer and the same settings.

# %% tags=["hide-input"]
caption = """Real tasks: validation accuracy after fine-tuning, from random weights (across) and from the shipped ones
(up). A dot a task, mean over seeds. Above the diagonal, pretraining helped."""
real.show_figure(worth, figures_pretraining.what_it_bought, "fig-nano-worth", caption)

# %% [markdown]
# Mean gain over the tasks, with its 95 % interval if the tasks were drawn anew: {glue:text}`nano-gains`. Tasks on which
# the pretrained start is better: {glue:text}`nano-wins`.
#
# Such a gain has two sources. Pretrained weights know words; and they can be trained at all. Random weights may not get
# off the ground: tasks on which they end up giving the most frequent class as the answer to everything:
# {glue:text}`nano-stuck`. A deep model of BERT's kind, whose norms come after its sums, is hard to train from nothing
# at the learning rate that suits the other three. The gain of such a model says less about reading than theirs.
#
# Random weights are an easy opponent. Two others say how far this goes. **MiniLM** has half as many layers, three times
# the width, and was made from a model that had read a great deal more. **Bag of words** is no network at all: a
# logistic regression on the words and pairs of words of a text, whose mean accuracy over the tasks is
# {glue:text}`nano-words`.

# %% tags=["hide-input"]
caption = """Real tasks: validation accuracy after fine-tuning on the same examples, by task. Means over seeds. Dotted:
what always answering the most frequent class gives."""
real.show_figure(worth, figures_pretraining.starts_by_task, "fig-nano-starts", caption)

# %% tags=["hide-input"]
real.show_tables(worth, tabulate_pretraining.worth_table)

# %% [markdown]
# Behind ± is half the range between seeds. Seeds of the larger model: {glue:text}`nano-yardsticks`. Tasks on which the
# pretrained models beat the bag of words: {glue:text}`nano-beaten`. Tasks on which no shipped model beats the most
# frequent class: {glue:text}`nano-unlearnt`. On tasks of this last kind, these models memorise without having learnt
# anything general first. The chapters that follow mark such cells and draw no conclusions from them.
#
# ## Take-away
#
# - *Alike in everything but architecture and objective*: where these four disagree, corpus, vocabulary and budget are
#   not the reason.
# - *Small*: what holds here need not hold for models a hundred times as large. The released results on larger
#   models stand beside them wherever there are some.
#
# ### What would change our mind
#
# - If the order of the four models changed with another seed of pretraining, differences between *architectures* would
#   be differences between *runs*. One pretraining run each cannot show that.
# - The three causal models are asked about every word and BERT about some of them. A larger budget for BERT alone could
#   change how it compares.
#
# ## Exercises
#
# ```{exercise} From nats to words
# :label: ex-models-nats
#
# A model that knows nothing bets evenly on all 8,192 entries of the vocabulary. What is its loss in nats? By how many
# nats does a loss have to fall for the model to hesitate between half as many words? Take the final loss of one of the
# causal models above: among how many words does it choose, as it were?
# ```
#
# ```{exercise} An equal budget of what?
# :label: ex-models-budget
#
# All four models read the same tokens. The original BERT was asked about 15 of 100 of them. How many times as many
# tokens would it have to read to be asked as many questions as the others? Name another budget that could be held equal
# instead, and say which of the four it would favour.
# ```
