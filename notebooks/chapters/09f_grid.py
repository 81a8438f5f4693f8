# %% [markdown]
# # The whole grid
#
# *Twelve tasks, four architectures: what does one see when everything stands on one page?*
#
# Every chapter so far looked at one technique. The study's figures put tasks and models in rows and columns, and some
# things can be seen only so: whether columns look more alike than rows, whether one model stands out everywhere. This
# page draws these figures from a released run on real data, and says of every figure and table of the study where in
# this book its counterpart is.

# %% tags=["parameters"]
run = "nano"  # a released run of many tasks and models

# %% tags=["hide-input", "remove-stderr"]
from memloc.publishing import facts, facts_grid, figures_beside, figures_centroids, figures_grid, real, tabulate_grid
from memloc.publishing.reading_grid import open_grid
from memloc.publishing.style import use_style

use_style()
grid = open_grid(run)
facts.glue_all("grid", facts_grid.grid_facts(grid) | real.run_facts(grid.first), grid.first)
real.show_numbers(grid.centroids, tabulate_grid.rows_table)

# %% [markdown]
# {glue:text}`grid-real` The first table has what each task is here: rows, wrong labels, and how many of these there are
# for a pair of classes. The second has what the run changed.
#
# ## Which figure is where
#
# | in the study | here |
# |---|---|
# | C1, C2, C3: accuracy on the control by technique, task, model | {doc}`03b_control` |
# | C4, C5: variants of gradients on the control | {doc}`06_gradients` |
# | H1: heatmaps of the memorisation error | {ref}`Heatmaps <grid-heatmaps>`; {doc}`atlas <../atlas/atlas>` |
# | H2: largest error from changing one layer | {ref}`One layer at a time <grid-single>` |
# | L1 to L4: layer weights by technique | {ref}`Groups of tasks <grid-groups>`; by task in each technique's chapter |
# | R1 to R4: agreement of techniques, of models | {ref}`Do techniques agree? <grid-agree>`, {doc}`08_agreement` |
# | M1: M-CoG by technique | {ref}`Depth by technique <grid-depths>` |
# | M2: M-CoG by model | {doc}`04_swapping` |
# | E1, E2: events of centroids and of probes | {ref}`Which comes first? <grid-first>` |
# | X1: positions between centroids; half-replaced models | {doc}`09_centroids`; {ref}`Half a model <grid-halves>` |
# | P1: probes for given and original labels | {ref}`Two labels <grid-labels>` |
# | T1: correlations with generalisation. MM: memorisation maps | {doc}`09b_maps` |
# | B1, B2: tasks with two classes | {doc}`09c_binarised` |
# | S1: a larger model, OPT with 1.3 billion parameters | not run here; {doc}`09d_size` asks with smaller ones |
#
# The letters are this book's. The larger model is in the catalogue as `opt-1.3b`, for whoever has the memory.
#
# In {glue:text}`grid-measured` of {glue:text}`grid-places` combinations of task and model the wrong labels were
# memorised; in {glue:text}`grid-counted` of those the task was learnt too. The others are drawn, hollow or marked *not
# learnt*: they show where labels are kept by a model that could do nothing but keep them. What is said of depth and of
# half a model is over all that memorised; agreement and the order of events only over those that learnt their task.
#
# (grid-heatmaps)=
# ## Heatmaps
#
# Read the next figure by row and by column. If the task decided where memory is, panels of a row would look
# alike; if the architecture did, those of a column would.

# %% tags=["hide-input"]
from memloc.publishing import figures_swapping
from memloc.publishing.reading_sensitivity import open_sensitivity

caption = """Real tasks, pre-trained models: memorisation error by layer and window length, mean over seeds. Triangles:
M-CoG. Dark: forgotten when the window is replaced. *No run*: not in the released results."""
real.show_figure(grid.swapping, figures_swapping.heatmaps, "fig-grid-heatmaps", caption)
varied = open_sensitivity()
facts.glue_all("grid-draws", facts_grid.draw_facts(varied), varied)

# %% [markdown]
# By swapping, two tasks of one model are {glue:text}`grid-tasks-apart` apart in depth on average, two models of one
# task {glue:text}`grid-models-apart`, where the whole attainable range is 1. That is little: on other tasks and
# settings two draws of the wrong labels alone lay up to {glue:text}`grid-draws-limit` apart in most cases
# ({doc}`09e_sensitivity`). So most of what differs between panels here may be chance.
#
# (grid-single)=
# ## One layer at a time
#
# The bottom rows of the heatmaps, once more: of every panel, the one layer whose replacement makes it forget most.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: the largest memorisation error from swapping one layer, by model and task.
Dotted: half of the noisy examples. Hollow: task not learnt."""
real.show_figure(grid.swapping, figures_grid.single_layers, "fig-grid-single", caption)

# %% [markdown]
# The errors are {glue:text}`grid-largest`. One layer forgets half of the noisy examples in: {glue:text}`grid-over`.
#
# (grid-groups)=
# ## Groups of tasks
#
# The study draws layer weights by group of tasks. Each row has a scale of its own meaning, so compare within rows.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: layer weights divided by their sum, mean over the tasks of a group that
were memorised. Thin: no task of the group was learnt by that model."""
real.show_figure(grid.beside, figures_grid.weights_by_group, "fig-grid-groups", caption)

# %% [markdown]
# (grid-depths)=
# ## Depth by technique
#
# All techniques on one axis, each along its own {term}`attainable range`, since their {term}`M-CoG` have different
# scales.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: depth along each technique's attainable range. Marks: mean over the models
that memorised. Lines: from the lowest model to the highest."""
real.show_figure(grid.beside, figures_grid.depths_by_technique, "fig-grid-depths", caption)

# %% [markdown]
# (grid-agree)=
# ## Do techniques agree, do models?
#
# Over the {glue:text}`grid-counted` places that count. The number of points stands under each correlation, and with a
# handful it can be almost anything.
#
# The second figure, like the study's, takes the points of all techniques together. Techniques have different scales,
# and any two models correlate for that alone, so the take-away tells correlations of models within each technique.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: Pearson correlations between techniques. Below the diagonal: this run, n
points. Above: the original study, as written in its figures."""
real.show_figure(grid.beside, figures_beside.agreement_triangles, "fig-grid-techniques", caption)

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: Spearman correlations between models over tasks and techniques. Below the
diagonal: this run, n points. Above: the study's models of the same architectures, as written in its figures."""
real.show_figure(grid.beside, figures_beside.agreement_of_models, "fig-grid-models", caption)

# %% [markdown]
# (grid-first)=
# ## Which comes first?
#
# Points above the line are tasks whose noisy examples cross over to the wrong class before the classes themselves are
# apart. At 0 they are nearer to the wrong class from layer 1 on: they crossed before it, or never were on the other
# side, so such a point says nothing of an order. The second figure asks the same of probes.
#
# The two questions that probes are asked are not alike. Memorisation begins once the given label is ahead by a margin,
# classes once nine tenths of the best F1 are reached, which may be anywhere. An order that is the same everywhere can
# come from that. And where probes tell noisy from clean hardly better than before fine-tuning (by less than
# {glue:text}`grid-probes-margin`, in {glue:text}`grid-probes-slight` places that count), their layer weights are mostly
# noise.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: crossing of noisy examples (across) and the layer from which classes are
apart (up). 0: below one half from layer 1 on. $L + 1$: never. Tasks at one point stand side by side. Hollow: not
learnt."""
real.show_figure(grid.centroids, figures_centroids.event_scatter, "fig-grid-events", caption)

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: the layer at which probes know the given label of noisy examples better
than the original one (across), and that at which they know the classes of clean ones (up). Otherwise as above."""
real.show_figure(grid.probing, figures_centroids.event_scatter, "fig-grid-probes", caption)

# %% [markdown]
# (grid-labels)=
# ## Two labels
#
# What the second figure is made of: how well probes know the label that was given and the one that was right.

# %% tags=["hide-input"]
from memloc.publishing import figures_techniques

caption = """Real tasks, pre-trained models: macro F1 of probes for given and original labels, on noisy and on clean
test examples. Layer 0 is the embeddings' output. Dotted: shuffled labels."""
real.show_figure(grid.probing, figures_techniques.f1_curves, "fig-grid-labels", caption)

# %% [markdown]
# (grid-halves)=
# ## Half a model
#
# Half of the layers come from the twin that never saw a wrong label. If noisy examples then stay above one half, they
# end with their original class. Either what was replaced had sent them away, or what was put in brings them back: the
# twin was trained on the right labels of just these examples, and may know them by heart. The figure cannot tell the
# two apart.

# %% tags=["hide-input"]
caption = """Real tasks, pre-trained models: mean position of noisy examples in the perturbed model, and with its lower
or its upper half from the normal model. 1: original class. 0: class of the wrong label."""
real.show_figure(grid.centroids, figures_centroids.halves, "fig-grid-halves", caption)

# %% [markdown]
# ## Take-away
#
# Combinations of task and model: {glue:text}`grid-places`, of which {glue:text}`grid-measured` memorised and
# {glue:text}`grid-counted` also learnt the task.
#
# - *Depth by technique*, means over models: {glue:text}`grid-depths`.
# - *Agreement of techniques* by M-CoG: {glue:text}`grid-techniques`.
# - *Agreement of models*, technique by technique: {glue:text}`grid-models` by M-CoG; {glue:text}`grid-models-weights`
#   by layer weights.
# - *Which comes first.* Of the places that count, noisy examples are nearer to the wrong class from layer 1 on in
#   {glue:text}`grid-events-before`. Of the {glue:text}`grid-events-known` with both events they cross before classes
#   are apart in {glue:text}`grid-events-first` and after it in {glue:text}`grid-events-last`. By probes it is
#   {glue:text}`grid-probes-first` and {glue:text}`grid-probes-last` of {glue:text}`grid-probes-known`.
# - *Half a model.* Of {glue:text}`grid-halved` places that memorised, noisy examples end nearer to their original class
#   in {glue:text}`grid-lower` with the lower half from the twin, in {glue:text}`grid-upper` with the upper half.
#
# **What they rest on: {glue:text}`grid-real`** Whether the findings of the study hold on it is not judged here, but in
# the {doc}`ledger <13_ledger>`.
#
# ### What would change our mind
#
# - Should panels of tasks that were learnt look otherwise than the hollow ones, then the hollow ones show where a model
#   memorises that can do nothing else, and say nothing of the others.
# - Where there is one seed, two panels can differ by what another seed would change as well.
#
# ## Exercises
#
# ```{exercise} Rows or columns?
# :label: ex-grid-rows
#
# Choose two heatmaps in one column and two in one row. Which pair looks more alike? What would you have to compute over
# the whole grid to turn the impression into a number, and which number would chance give?
# ```
#
# ```{exercise} Both halves
# :label: ex-grid-halves
#
# Suppose that noisy examples ended with their original class with either half replaced. What would that say about where
# the wrong labels are kept? And if they did with neither?
# ```
