# %% [markdown]
# # The tasks
#
# *What are the models asked to do, and why might the answer to "where is it memorised?" depend on that?*
#
# Every experiment in this book starts from a **classification task**: short texts, each with one label out of a small
# set. A film review is positive or negative; a question asks for a person, a place or a number. Tasks differ in what
# it takes to get a *new* example right. Sometimes one word gives the label away. Sometimes two words must be
# combined. Sometimes two sentences must be compared. A suspicion worth testing is that a model which has to work
# harder to generalise also stores its exceptions elsewhere.

# %% tags=["parameters"]
profile = "mini"  # which numbers: memloc profiles
source = None  # hub, files or generated; None: the profile's
tasks = None  # lists of names or numbers; None: the profile's
models = None
seeds = None
device = "auto"
show_warned_texts = False  # show example texts of tasks with a content warning

# %% tags=["hide-input"]
from IPython.display import Markdown

from memloc.publishing import facts, figures, tabulate
from memloc.publishing.reading import open_study
from memloc.publishing.style import show, use_style

use_style()
study = open_study(profile, source, tasks, models, seeds, device)
facts.glue_all("tasks", facts.study_facts(study), study)
Markdown(f"This copy: {study.origin} {study.mark}")

# %% [markdown]
# ## What this copy runs on
#
# The profile {glue:text}`tasks-profile` has {glue:text}`tasks-tasks` tasks, with {glue:text}`tasks-rows` training
# examples each. Rows were taken from the source *{glue:text}`tasks-source`*. Examples with the same text are kept
# once, and where a task is larger than the profile wants, a sample is drawn in proportion to its classes, of which only
# a rare one keeps more than its part.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.task_table(study))

# %% [markdown]
# {numref}`fig-tasks-classes` shows how the training examples are spread over the classes. It matters twice. A rare
# class has few wrong labels to look at, and a task with one large class can be half solved by always naming that
# class, so accuracy has to be read against the share of the largest one.

# %% tags=["hide-input"]
drawn = figures.class_sizes(study)
caption = f"Training examples of each class, one panel a task. {study.made('made-tasks')}"
show(drawn.figure, "fig-tasks-classes", caption, alt=drawn.alt)

# %% [markdown]
# Two examples of each task follow, with the parts of an example separated by a bar. Some real tasks are about hate
# speech. Their catalogue entry carries a content warning, and their texts are not printed unless `show_warned_texts`
# is set.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.example_table(study, show_warned_texts))

# %% [markdown]
# ## Generated tasks
#
# <span class="memloc-generated">generated</span> Real tasks differ in everything at once: length, vocabulary, number
# of classes, and difficulty. If memory sits deeper in one than in another, there is no telling why. The generated
# tasks, all of whose names begin with `gen-`, are built so that only one thing differs at a time. Nobody speaks like
# this, and results on them say nothing about English; they are a test bench.
#
# Each example is two texts of four words. The first contains a person, called the **cue**, and an adverb, the
# **operator**. The second contains a thing, the **partner**. All else is filler. There are six cues, six operators
# and six partners, and each has a number, its *class* in the table:

# %% tags=["hide-input"]
tabulate.show_table(tabulate.word_table())

# %% [markdown]
# The label is computed from these numbers by one of three rules, the task's *mechanism*:
#
# - **cue**: the number of the cue, $c$. Knowing one word is enough.
# - **composition**: the number of the cue plus that of the operator, $o$. Two words of one text are needed, and neither
#   alone says anything.
# - **relation**: the number of the partner, $p$, minus that of the cue. Two words of two different texts are needed.
#
# With $C$ classes the label is
#
# $$
# \begin{aligned}
# y_\text{cue} &= c \bmod C, \\
# y_\text{composition} &= (c + o) \bmod C, \\
# y_\text{relation} &= (p - c) \bmod C .
# \end{aligned}
# $$
#
# The counting wraps around like a clock. With six classes it starts again after 5. With two classes only even and odd
# matter: the operator "never", number 1, turns a label into its opposite, and "always", number 0, leaves it. Three
# mechanisms, two numbers of classes and two vocabularies (`a` and `b`, which share no content word) make twelve tasks.
# The six tasks of a vocabulary consist of the very same texts. Here is one example under all three rules with six
# classes, with the number of each word in brackets. To follow the arithmetic, read a row from left to right.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.rule_table(["gen-cue-6a", "gen-comp-6a", "gen-rel-6a"]))

# %% [markdown]
# The grammar makes every combination of cue, operator and partner equally frequent. So we know the best accuracy of any
# rule that sees only some of these words ({numref}`fig-tasks-best`). With the words a mechanism uses, everything can be
# solved; without them, nothing beats guessing. A model that does well on `gen-comp-6a` *must* have combined two words.

# %% tags=["hide-input"]
drawn = figures.best_accuracies()
caption = """Best possible accuracy on right labels by the words that a rule may see, known by construction. Three
generated tasks with six classes. Data: the grammar's own crossing of words, `memloc data describe gen-comp-6a`."""
show(drawn.figure, "fig-tasks-best", caption, alt=drawn.alt)

# %% [markdown]
# ## The twelve real tasks
#
# The study behind this book {cite:p}`dankers-titov-2024-generalisation` used the twelve tasks below, and the
# catalogue has them all. They can be read from the Hugging Face hub (`source="hub"`) or from a folder of files
# (`source="files"`). A source is always chosen and never silently replaced by another. *Group* is the study's; *nlu*
# stands for natural language understanding. *Licence* is what the authors of a data set state; where they state none,
# none is claimed here.

# %% tags=["hide-input"]
tabulate.show_table(tabulate.real_task_table())

# %% [markdown]
# ## Take-away
#
# - A task is texts and labels. What it takes to get new examples right differs from task to task, and where the
#   exceptions are stored might differ with it.
# - On real tasks that difference cannot be separated from length, vocabulary and class sizes. On generated tasks it
#   can, at the price that they are not natural language.
# - This copy runs on: {glue:text}`tasks-origin`
#
# ### What would change our mind
#
# - Generated tasks differ in their mechanism alone. If memory lay in the same layers in all of them, while real tasks
#   lie apart, then what sets real tasks apart is not the mechanism, or the generated ones lack what matters.
# - A model that beat the best possible accuracy of a rule without the mechanism's words would have found something else
#   in the texts that gives the label away, and the tasks would not be what they are said to be.
#
# ## Exercises
#
# ```{exercise} What a word can tell
# :label: ex-tasks-best
#
# A generated task has two words in every text, each drawn from six, and the label is the sum of their two numbers,
# modulo six. All 36 combinations are equally frequent. What is the best accuracy of a rule that sees only the first
# word? One that sees both? One that sees neither?
# ```
#
# ```{exercise} Two tasks differ
# :label: ex-tasks-compare
#
# Suppose memory lies deeper in a model trained on questions than in one trained on film reviews. Name three things
# besides *what has to be generalised* in which two such tasks differ, and say how a generated task takes them out of
# the comparison.
# ```
#
# (made-tasks)=
# ## What made this chapter
#
# The command in the captions fills the store; this chapter then reads it. Data sets are kept under a key, the hash of
# everything that decides their bytes.

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate.data_keys(study))
