# %% [markdown]
# # Where the truth is known
#
# *Would a technique find memory if we had hidden it ourselves?*
#
# The chapters that follow look for memory in models that may keep it anywhere. Four techniques will each draw a curve
# over the layers, and nothing inside such a model says which curve is right. So before any of them is believed, it is
# tried on models in which no layers but two known ones *can* hold the memory. This is the control experiment of
# {cite:t}`dankers-titov-2024-generalisation`.
#
# The four, in one line each; their own chapters explain them:
#
# - {doc}`swapping <04_swapping>` puts layers of a model that never saw the wrong labels in place of the model's own;
# - {doc}`retraining <05_retraining>` puts layers back to their pre-trained state and trains them on right labels;
# - {doc}`gradients <06_gradients>` ask which layers would have to move for the wrong labels to lose their hold;
# - {doc}`probing <07_probing>` asks from which layer on wrong labels can be told from right ones.

# %% tags=["parameters"]
profile = "mini"  # not used here: control runs are shown from the released results stored with the book

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, figures_control, figures_control_parts, real, tabulate, tabulate_control
from memloc.publishing.style import show, use_style

use_style()
known = real.open_control()
facts.glue_all("known", real.run_facts(known, "control runs") | tabulate_control.control_facts(known), known)
Markdown(f"Numbers on this page: {real.run_facts(known, 'control runs')['real']}")

# %% [markdown]
# ## Hiding memory in a known place
#
# Two tasks are trained together, batch by batch in shuffled order. The **main task** has wrong labels, as everywhere
# in this book, but its batches may change only two layers: the first two, the middle two or the last two. The
# **second task** is learnt from right labels alone; it has a head of its own and may change every layer. Without it
# the layers would differ from the pre-trained ones just where the memory is, and a technique would only have to find
# what moved. With it every layer has moved, and only two of them because of wrong labels.
#
# {numref}`fig-known-arms` is drawn from the rule that the training itself follows. The main task's head learns wrong
# labels too (so does the last norm of decoders, the normalisation after the last layer of models that guess the next
# word), but it does so in all three settings and is no layer.

# %% tags=["hide-input"]
drawn = figures_control.arms_scheme()
caption = """Who may change what in a model of six layers, by the place where memory is put. *both*: the main and the
second task; *2nd*: the second task alone; *main*: the main task alone; a dash: nobody."""
show(drawn.figure, "fig-known-arms", caption, alt=drawn.alt)

# %% [markdown]
# Each of the three models has a {term}`twin`, trained in the same way on right labels, which swapping takes its layers
# from. Gradients and probing compare with one more model, in which the main task may change nothing but its head.
#
# ## Scores, and an example to follow by hand
#
# A technique gives every layer a weight. **Accuracy@1** asks whether the heaviest layer is one of the two true ones;
# **accuracy@2** asks it of the two heaviest layers and takes the mean. Both are averaged over the three places. The
# table has a made-up technique that is good at finding early layers and blind to late ones; *w1* to *w6* are the
# weights that it gives to six layers.

# %% tags=["hide-input"]
table, numbers = tabulate_control.three_places()
facts.glue_all("known-hand", numbers, table)
tabulate.show_table(table)

# %% [markdown]
# Where *first* is true, both of its top layers are right. Where *middle* is, the top layer is right and the second is
# not. Where *last* is, neither is. So accuracy@1 is {glue:text}`known-hand-at1` and accuracy@2 is
# {glue:text}`known-hand-at2`.
#
# Is that good? Somebody who always answers *layer 3*, whatever the model, is right in one place of three and scores
# {glue:text}`known-hand-constant`. That **best constant answer** is the bar to clear, and it is higher than the
# chance of a random layer as soon as a model has more than six layers. And three trials say little: the 95 % interval
# (Wilson's) of this accuracy@1 goes from {glue:text}`known-hand-low` to {glue:text}`known-hand-high`, on both sides of
# the bar. The rule used below was written down before the run: a technique finds the place *better than looking at
# nothing* if its whole interval lies above the best constant answer.
#
# ## What was trained
#
# {glue:text}`known-real` Control runs in it: {glue:text}`known-runs`, of {glue:text}`known-tasks`. The second task is
# RTE, as in the study. A run ends once nearly all given labels come back; epochs taken: {glue:text}`known-epochs`.
# Accuracy on {term}`noisy` examples at the end: {glue:text}`known-noisy`. The three runs of a task and seed
# count only if all of them memorised, for there is nothing to find where nothing was learnt. Runs that count:
# {glue:text}`known-counted` of {glue:text}`known-runs`.

# %% tags=["hide-input"]
real.show_tables(known, tabulate_control.runs_table)

# %% [markdown]
# ## The curves
#
# In the next figure a curve should be highest in the shaded layers, so the peak should move to the right from column to
# column. A curve that keeps its shape in all three columns tells about the technique, not about the model.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: layer weights divided by their sum, by technique (rows) and true place
(columns). Shaded: the layers that hold the memory. A line a task, model and seed."""
real.show_figure(known, figures_control.weight_curves, "fig-known-weights", caption)

# %% [markdown]
# ## Found or not
#
# Now only the heaviest layer counts, and the place it belongs to. In the squares of counts below, a technique that
# always finds the place has all its counts on the diagonal; one that always gives the same answer fills one column.
# Places whose layers tie share a count. The table after them has the two heaviest layers of every run.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: which place the heaviest layer belongs to (across), where each place was
true (down). Numbers: control runs."""
real.show_figure(known, figures_control.confusions, "fig-known-confusion", caption)

# %% tags=["hide-input"]
real.show_tables(known, tabulate_control.answers_table)

# %% [markdown]
# The two scores of each technique, with their intervals:

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: accuracy@1 and @2 with 95 % Wilson intervals, each control run one trial.
Dotted: the best constant answer. Stars: the study, its four models and nine of its tasks; digitised."""
real.show_figure(known, figures_control.scores, "fig-known-scores", caption)

# %% tags=["hide-input"]
real.show_numbers(known, tabulate_control.scores_table)

# %% [markdown]
# A mean over tasks and models can hide that a technique works on some of them and fails on others:

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: accuracy@1 by task and by model, over the control runs that count. Dotted:
the best constant answer."""
real.show_figure(known, figures_control_parts.by_task_and_model, "fig-known-parts", caption)

# %% [markdown]
# The intervals take every run for an independent trial. They are not: places share their examples, and seeds their
# task. So they speak of these tasks and models, and what others would give is open. TREC and MRPC are the study's
# *development pair*, on which it chose its variant of gradients; it reports the other nine tasks, without RTE. Besides,
# models, number of examples and length of training differ, and retraining was run for {term}`windows <window>` of
# length {glue:text}`known-windows` and all layers only. The stars are there to look at, and test nothing.
#
# ## Take-away
#
# - *Scores.* Accuracy@1: {glue:text}`known-at1`. Accuracy@2: {glue:text}`known-at2`.
# - *Better than looking at nothing*, by the rule above: {glue:text}`known-better`. Not shown to be:
#   {glue:text}`known-unclear`.
# - *Wrong answers at rank 1*, by technique and true place: {glue:text}`known-missed`.
#
# A technique that fails here may only have been asked the wrong question: the chapters on {doc}`gradients
# <06_gradients>` and {doc}`probing <07_probing>` try other rules on the same runs. It may also be right elsewhere, but
# it has to earn that trust in another way. One that succeeds has found memory that was forced into two layers. Memory
# that was free to spread is a harder question, and the one that the second part asks.
#
# ### What would change our mind
#
# - A technique that finds all places on these tasks and fails on others would show that these were too few. The
#   published finding is judged on at least five, TREC and MRPC not among them.
# - If the second task already used some layers more than others, a technique could follow *it*. Hiding memory with
#   another second task should not move the answers.
# - Techniques that find two neighbouring layers, but not single layers or layers far apart, would see blocks and not
#   memory.
#
# ## The published findings
#
# Two of the study's findings are about the control. Their rules were fixed before the first run on real data and leave
# TREC, MRPC and RTE out, the first two because the study chose settings on them, RTE because it is the second task. A
# run with fewer than five other tasks cannot tell, however clear its figures look.

# %% tags=["hide-input", "remove-stderr"]
real.show_tables(known, tabulate_control.claim_numbers, tabulate_control.claim_verdicts)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Always the same answer
# :label: ex-known-constant
#
# A model has twelve layers; memory was hidden in layers 1 and 2, then in 6 and 7, then in 11 and 12. What accuracy@1
# has somebody who draws a layer at random? Somebody who always answers 6?
# ```
#
# ```{exercise} Three out of three
# :label: ex-known-interval
#
# A technique is right in all three places of one task. Wilson's 95 % interval for three successes in three trials
# goes from .44 to 1. Is it better than looking at nothing? What if it had been right in two of three, with an
# interval from .21 to .94?
# ```
