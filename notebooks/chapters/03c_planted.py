# %% [markdown]
# # Who finds what was planted
#
# *Which techniques find memory wherever it was put, and should they be believed where nobody put it?*
#
# The {doc}`control <03b_control>` hides memory in three places, and an answer that never changes may be right about
# one. This chapter hides it in *every* layer in turn, asks every technique, and scores the answers so that nobody gains
# by always saying the same. Techniques that answer are called **localisers** here, whoever made them: the last section
# enters a new one in a few lines.

# %% tags=["parameters"]
profile = "mini"  # not used here: the benchmark has profiles of its own, and is shown from the released one if there is

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_planted, figures_planted, reading_planted, tabulate, tabulate_planted
from memloc.publishing.style import show, use_style

use_style()
board = reading_planted.open_board()
facts.glue_all("planted", facts_planted.benchmark_facts(board), board)
Markdown(f"Numbers on this page: {facts_planted.about(board)}")

# %% [markdown]
# ## Planting
#
# A classifier is first trained on right labels. Then some labels are made wrong, and *one place* of the model learns
# them while everything else stays as it is, to the last bit: one layer, a band of neighbouring layers, or a known
# share of feed-forward **units**, the neurons inside a layer. The head stays too, so planting puts nothing into it. A
# **spread** plant serves as a contrast: the wrong labels are cut into as many parts as there are layers, and each layer
# learns one part. On this page a *cell* is one planting: task, model, seed, amount of wrong labels and place.
#
# A place has learnt its labels if the model then gives back {glue:text}`planted-learnt` of the wrong ones and still
# {glue:text}`planted-kept` of the right ones. Some places cannot learn them, and that is a result of its own.
#
# Localisers meet the model in two **regimes**.
#
# - *Oracle*: the model as it was planted; and where a localiser asks for a model that never saw the wrong labels, it
#   gets the very one that the planting started from. Swapping layers between the two undoes the planting by
#   definition. This is an upper bound and a check of the machinery, not a contest, and is asked about the first seed
#   and {glue:text}`planted-noise` wrong labels alone.
# - *Blind*: after planting, the model *settles*: all layers go on training on all labels, wrong and right, and the
#   last state is kept that gives back {glue:text}`planted-still_learnt` of the wrong ones. Nobody has the start any
#   more. The model without wrong labels is a stranger, trained from another seed with another head. This is the
#   contest.
#
# Why not settle on right labels alone? At a rate at which layers move, the wrong ones are soon lost; at one at which
# they stay, nothing moves, and the start might as well be at hand. Planting moved the layer it was done in by
# {glue:text}`planted-moved-planting` of its norm, settling a layer by {glue:text}`planted-moved-settling`.
#
# Settling might move the memory, so it is tested afterwards: the place gets its old weights back, and the cell counts
# only if that undoes at least {glue:text}`planted-forgets` of what was planted: it then has **ground truth**. Otherwise
# pointing elsewhere may be right. Leaving such cells out favours techniques that put layers back, as this test does.
# Of spread memory all layers are put back, so it passes by definition; a table below has how much of its own part each
# layer holds.
#
# These four shares were fixed before the first run. The rates of planting and settling, and the strength of the two
# masks below, were tried on TREC, with the first seed. That the heaviest layer decides the order was settled after
# pilot runs. What the take-away asks of a localiser was fixed after SST-2 and TREC had been seen with the first seed.

# %% tags=["hide-input"]
drawn = figures_planted.fates(board)
caption = f"""What became of the wrong labels, by the layer they were planted into, over tasks, models, seeds and
amounts. Only cells with ground truth count in the blind regime. {board.made}"""
show(drawn.figure, "fig-planted-fates", caption, alt=drawn.alt)

# %% [markdown]
# Shares of cells with ground truth by layer: {glue:text}`planted-held`. Layers without any:
# {glue:text}`planted-lost`. A layer that never holds anything is missing from all scores below, for every localiser
# alike.
#
# ## Who is asked
#
# The four techniques of the {doc}`control <03b_control>`, and {doc}`centroids <09_centroids>`. Swapping answers twice:
# *single* takes layers one at a time, *windows* all {term}`windows <window>` of neighbouring layers. Retraining is run
# for single layers alone. Probing answers twice: as published, by telling noisy examples from clean ones, and by their
# *given label*, a question that was {doc}`chosen on control runs <07_probing>`, before what it says here was looked at.
# Those runs share tasks and models with these, so this tests it on memory put elsewhere, and not on new tasks or
# models.
#
# Others are from the literature. Two weigh layers after {cite:t}`maini-etal-2023-localized`, changed in that
# checkpoints within training are not kept here, and the third asks what is plain to see:
#
# - *gradient accounting*: how large its gradients are on {term}`noisy` examples, relative to clean ones;
# - *rewinding*: how many wrong labels go, beyond right ones, when the layer alone gets its pre-trained weights back;
# - *weight difference*: how far a layer's weights lie from those of the model without wrong labels, or from the
#   *pretrained* ones. It looks at no example.
#
# Five score single units. The best 1 % of the model's are taken, and a layer's weight is the sum of the scores of those
# that lie in it. The first three subtract what a unit does on clean examples:
#
# - *zero out*: how much the loss rises without the unit (slow, so where it is missing below it was not asked);
#   *activations*: how much the unit writes; *integrated gradients*: its part in the probability of the given label;
# - *slimming* and *hard concrete*: how far the unit is switched off by a mask that is trained to forget the wrong
#   labels and keep the right ones.
#
# ## Scores that a fixed answer cannot win
#
# An **answer** is a weight $w_l$ for each of the $L$ layers, together 1. A localiser that finds nothing has the same
# weight everywhere. The distance of an answer to the true layers $T$ is
#
# $$D = \sum_l w_l \, \min_{t \in T} |l - t|,$$
#
# in layers (as a share of $L - 1$ where models differ in depth). A place is here a layer or a band. Average $D$ over
# the cells of each place, then over places, each counting the same, and compare with the best **constant answer**:
#
# $$\text{skill} = 1 - \frac{D}{D_\text{const}}.$$
#
# $D_\text{const}$ is taken by hindsight: of all single layers, the one with the smallest mean distance. Mixing
# several constants is no better than the best of them. So whoever does not look at the model has no skill above 0 but
# by luck, as long as all tasks and models have the same places; *p*, below, shuffles within them and needs no such
# condition. A localiser that fails in a cell has found nothing there: the same weight for every layer. Below, a made-up
# localiser on a made-up model of four layers; *w1* to *w4* are its answers.

# %% tags=["hide-input"]
table, numbers = tabulate_planted.four_places()
facts.glue_all("planted-hand", numbers, table)
tabulate.show_table(table)

# %% [markdown]
# Its mean distance is {glue:text}`planted-hand-D`; always saying layer {glue:text}`planted-hand-layer` has
# {glue:text}`planted-hand-constant`. So its skill is 1 − {glue:text}`planted-hand-D` /
# {glue:text}`planted-hand-constant` = {glue:text}`planted-hand-skill`. The other scores:
#
# - *skill of the heaviest layer*: the same of the heaviest layer alone, here {glue:text}`planted-hand-top_skill`. It
#   decides who stands above whom. The skill of the whole answer rewards those that are sharp: one that has the true
#   layer in front everywhere, but hardly more weight on it than on the others, is below 0.
# - *top-1*: is the heaviest layer true? Here {glue:text}`planted-hand-top_1`. Layers that tie share the point.
# - *reciprocal rank*: 1 / rank of the best true layer, in the order of the weights.
# - *mass*: weight on the true layers, here {glue:text}`planted-hand-mass`. Averages over windows blur even a perfect
#   answer ({doc}`04_swapping`), so it is divided by the mass that a localiser of that kind has where each window undoes
#   just the share of the place that lies in it. Sharper answers exceed 1, and a flat one has a good part of it already:
#   compare it with the grey band of its own row.
# - *calibration*: how often is an answer flatter where memory is spread over all layers than where it is in one? Chance
#   is .5. (It is the area under a curve of hits against false alarms.) A localiser near .5 is as flat on one layer as
#   on all. One that has found nothing is flat too, and no cell here can tell that from "everywhere".
#
# To see what luck gives in this many cells, the places are also shuffled among the answers of a model,
# {glue:text}`planted-shuffles` times. That yields the grey bands below and *p*, the share of shuffles with at least
# this skill of the heaviest layer (the real order is counted as one of them, so it is never 0). A small *p* says that
# answers depend on the place, not that they are near it.
#
# Cells of one task are not independent, so 95 % intervals {glue:text}`planted-intervals`. Of few tasks such an interval
# is hardly more than the span from the lowest to the highest, and covers less than 95 %.
#
# ## The leaderboard
#
# {glue:text}`planted-cells` cells: {glue:text}`planted-models`, of {glue:text}`planted-depth` layers each, on
# {glue:text}`planted-tasks`, with {glue:text}`planted-examples` training examples, {glue:text}`planted-amounts` wrong
# labels, and seeds: {glue:text}`planted-seeds`. {glue:text}`planted-truth-oracle` have ground truth in the oracle
# regime, {glue:text}`planted-truth-blind` in the blind one. Other amounts than {glue:text}`planted-noise` are planted
# with the first seed alone, and scored in the last of the tables alone. Skill, top-1, rank and mass are over
# the cells of layers and bands: {glue:text}`planted-scored-blind` blind ones, {glue:text}`planted-scored-oracle` of the
# oracle. Calibration compares with {glue:text}`planted-spread` blind cells of spread memory, so luck goes far there.

# %% tags=["hide-input"]
drawn = figures_planted.scores(board)
caption = f"""Scores of every localiser, the best blind heaviest layers first; *random* draws its answers. Skills below
-1, and masses above 1, stand at the edge. {board.made}"""
show(drawn.figure, "fig-planted-scores", caption, alt=drawn.alt)

# %% [markdown]
# The tables have, in this order: what was planted, and why cells are left out; how far layers moved, and what is left
# when one alone is put back to where it started; the scores, blind and oracle; of localisers that score single units,
# how many of the planted units are among as many of their highest scores; and the blind skill of the heaviest layer by
# task, by model and by amount of wrong labels: does the order hold everywhere? *Cells* counts those with ground truth;
# *seconds* is the mean of a cell.

# %% tags=["hide-input"]
tabulate.show_table(*tabulate_planted.leaderboard_tables(board))

# %% [markdown]
# The second table says how hard the test is. If putting back any other single layer leaves the wrong labels where they
# are, no other layer is needed by itself, and whoever looks at what single layers do to the wrong labels has an easy
# task. And where planting moves its layer far beyond what settling and ordinary training move, *weight difference*
# finds it without a look at any example: it has a skill of {glue:text}`planted-weights`. That is a second bar beside
# the constant answers: a localiser no better may have seen no more than that one layer moved further than the others.
#
# A check of the scale itself: the best constant answer has a skill of {glue:text}`planted-constants`, and random
# answers have skill {glue:text}`planted-random-skill`, top-1 {glue:text}`planted-random-top_1` and calibration
# {glue:text}`planted-random-calibration`. Of so many scores, some lie outside their band by luck.
#
# ## Where the answers point
#
# A good localiser fills the diagonal. One that fills a column says the same whatever the model; one that fills a band
# around the diagonal is nearly right.

# %% tags=["hide-input"]
drawn = figures_planted.confusions(board, "blind")
caption = f"""Blind: the heaviest layer (across) where each layer was true (down). Further from the background: more
often. Empty rows have no ground truth. {board.made}"""
show(drawn.figure, "fig-planted-blind", caption, alt=drawn.alt)

# %% tags=["hide-input"]
drawn = figures_planted.confusions(board, "oracle")
caption = f"""Oracle: the same where localisers get the start itself. {board.made}"""
show(drawn.figure, "fig-planted-oracle", caption, alt=drawn.alt)

# %% [markdown]
# ## Does a flat answer mean "everywhere"?
#
# The *entropy* of an answer says how flat it is: 0 with all weight on one layer, 1 with the same weight on every layer.
# If flat answers mean something, entropy is higher where memory is in all layers.

# %% tags=["hide-input"]
drawn = figures_planted.calibration(board)
caption = f"""Blind: mean and range of the entropy of answers, where memory is in one layer and where it is in all; at
the right the area under the curve. {board.made}"""
show(drawn.figure, "fig-planted-calibration", caption, alt=drawn.alt)

# %% [markdown]
# ## Does pointing predict forgetting?
#
# Whoever looks for memory may want to remove it. So each localiser is shown *half* of the wrong labels. The layers it
# points to, as many as are true, get their pre-trained weights back (or the units it points to are silenced), and the
# other half is asked: how many wrong labels are forgotten, how many right ones lost? Beside it stand removals of the
# same size that look at nothing: all other layers, or random sets. Where memory was acquired, nobody knows how many
# layers are true, so more and more of the heaviest are taken out.

# %% tags=["hide-input"]
drawn = figures_planted.removals(board)
caption = f"""Left: how much of what each localiser points to is true, where layers were planted into (dots) and where
units were (squares). Middle: wrong labels forgotten that it never saw,
beyond what removals of equal size forget; mean over cells. Right: the same of memory acquired in ordinary training.
{board.made}"""
show(drawn.figure, "fig-planted-removals", caption, alt=drawn.alt)

# %% [markdown]
# Over {glue:text}`planted-removals` removals of planted memory ({glue:text}`planted-different` different ones:
# localisers often point to the same layers; of techniques that answer twice, the first answer), the rank correlation
# (Spearman's) of "the removed layers were true" with the gain in forgetting is {glue:text}`planted-rho`. Mean gain
# where all removed layers were true: {glue:text}`planted-right`; where none was: {glue:text}`planted-wrong`.
#
# That is a check of the machinery more than a finding. A cell has ground truth only if putting its place back forgets,
# so true layers must forget here too; new is that labels go which nobody was shown. And where no removed layer was
# true, some of the removals beside it were, so the gain falls below 0 although hardly anything
# ({glue:text}`planted-wrong_forgets`) is forgotten.
#
# ## Where the benchmark may mislead
#
# Planted memory is not memory that a model acquired by itself. One layer had to learn alone what training usually
# lets all layers share. So a localiser may be good at finding *what was forced* and say little about what grew. The
# first two tables have what taking out does to planted and to acquired memory. A removal that breaks the model forgets
# wrong labels too; so the third table has the difference in wrong labels forgotten, less the difference in right labels
# lost, as a mean over all sizes of removal, lest the size be chosen by what it yields. The last has answers about
# ordinary training, where nobody knows the truth, beside those about planted memory. If answers about acquired memory
# look like those about spread memory, a high place on the leaderboard says less about them.

# %% tags=["hide-input"]
tabulate.show_table(*tabulate_planted.mislead_tables(board))

# %% [markdown]
# ## Take-away
#
# - *Best heaviest layers, blind*: {glue:text}`planted-best-blind`. *Oracle*: {glue:text}`planted-best-oracle`.
# - *Better than every constant answer and than shuffled places* (skill of the heaviest layer above 0, with its whole
#   interval where there is one, and *p* at most .05 after Holm's correction for the number of localisers), blind:
#   {glue:text}`planted-above-blind`. Oracle: {glue:text}`planted-above-oracle`. The bar of *weight difference*, which
#   looks at no example, is {glue:text}`planted-weights`.
# - *Where nobody hid anything*: believe first those with skill here whose removals of acquired memory forget more wrong
#   labels than random ones do, beyond the right labels that they lose, with the whole interval where there is one. In
#   brackets how much more, as a share of the labels: {glue:text}`planted-believed`. Another localiser may still be
#   right, but it has to earn that trust in another way.
#
# ### What would change our mind
#
# - If a localiser's skill held for planted memory and its removals forgot no more acquired labels than random ones
#   do, damage set aside, planted memory would be the wrong test for it.
# - If settling for longer moved the memory out of its place in most cells, the blind regime would be about models
#   that hardly exist.
# - If the order of localisers turned round on other tasks or other families, there would be no order to speak of; the
#   last table of the leaderboard shows both.
#
# ## Enter a localiser of your own
#
# A localiser is a function from a cell to a weight for each layer. It may load the models of the cell by name:
# `perturbed`, the one with the wrong labels; `pretrained`; and `normal`, the one without. The decorator makes it
# known to the whole package. This one asks how far each layer lies from that of the model without wrong labels; below
# are its scores on the smallest benchmark (generated texts, models of two layers with random weights).

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import display

display(Markdown(reading_planted.entry_source()))
tabulate.show_table(reading_planted.entered())

# %% [markdown]
# To run it on real tasks, put the function into a file, say `mine.py`, and name it under `techniques` in a copy of a
# profile. If the benchmark was run on this machine before, only the new localiser is asked. Otherwise everything is
# planted and asked anew; `memloc benchmark --profile mine.yml --estimate` says how long that takes.
#
# ```
# python -c "import mine; from memloc.cli import main; main(['benchmark', '--profile', 'mine.yml'])"
# ```
#
# A small benchmark says little: with a handful of places, skill can be high by luck, and *p* says so.

# %% [markdown]
# ## Exercises
#
# ```{exercise} Saying nothing
# :label: ex-planted-flat
#
# A model has five layers, and each in turn holds what was planted. What is the mean distance $D$ of always answering
# layer 3? Of the flat answer, a fifth for every layer? Which skill has the flat answer?
# ```
#
# ```{exercise} Too good to be true
# :label: ex-planted-oracle
#
# In the oracle regime swapping with the start finds every layer. A friend concludes that swapping is the best
# technique. What do you answer?
# ```
