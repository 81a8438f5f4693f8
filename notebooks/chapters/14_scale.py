# %% [markdown]
# # What it costs
#
# *How does the work grow, and what would the whole study take?*
#
# Cost is counted here before it is measured. The unit is one *application*: one layer run on one example. A pass of a
# model of L layers over N examples is N L applications; learning costs two more for each layer, one for the gradient
# of its inputs and one for that of its weights. First the counts, then seconds beside them, then a run that nobody
# here has made: the {term}`profile` `paper`, the study's own grid, on GPUs that are assumed. **Measured** and
# **calculated** are kept apart throughout.

# %% tags=["parameters"]
# assumed, not measured: 10^12 operations a second of a GPU,
# and milliseconds that a layer's pass over a batch takes at least
tflops = [13.0, 33.0]
call_ms = 0.3

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, facts_scale, figures_scale, reading_scale, tabulate, tabulate_scale
from memloc.publishing.style import show, use_style

use_style()
growth, steps = reading_scale.read_growth(), reading_scale.read_steps()
calculated = reading_scale.calculate(tflops, call_ms)
told, files = facts_scale.growth_facts(growth) | facts_scale.steps_facts(steps), facts_scale.FILES
facts.glue_all("scale", told, files["growth"], files["steps"])
facts.glue_all("scale-flow", facts_scale.flow_facts(), files["flow"])
Markdown(facts_scale.about_growth(growth))

# %% [markdown]
# ## Counted
#
# N examples, V validation examples, L layers of width d, C classes; a {term}`window` starts at layer s and has k
# layers. The last columns divide the count by N L: passes of the whole model for each example, with the settings of
# the profile `paper`. A probe's own steps, and products of the centroid analysis, are not in them.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.formula_table())

# %% [markdown]
# Two techniques grow faster than the model. There are L (L + 1)/2 windows, and each is followed by layers that must be
# run again: swapping takes some L²/6 passes, and retraining grows in the same way, times its epochs. All others take
# the same number of passes at any depth. The number of classes matters only to the probes' last layer and the products
# of the centroid analysis. Seeds multiply everything.
#
# ## Measured
#
# One size is varied at a time, around 240 examples, four layers and four classes. The line is a + b times the formula;
# a and b are fitted once a technique, to all its points together.

# %% tags=["hide-input"]
drawn = figures_scale.growth_in_sizes(growth)
show(
    drawn.figure,
    "fig-scale-sizes",
    """Seconds of the processor against examples N, layers L and classes C (measured; dots), and one line a technique, a
    + b times its formula. Both axes are logarithmic; ticks name the least and the most seconds of a row.
    Random weights.""",
    drawn.alt,
)

# %% tags=["hide-input"]
drawn = figures_scale.growth_in_sets(growth)
show(
    drawn.figure,
    "fig-scale-sets",
    """The same against the number of windows (the shortest first), of seeds (training runs; probe seeds) and of members
    of a map's ensemble.""",
    drawn.alt,
)

# %% [markdown]
# The formula *holds* along an axis if no point is further from the line than {glue:text}`scale-holds`. That is so for
# {glue:text}`scale-hold` of {glue:text}`scale-axes` axes; where it is not: {glue:text}`scale-far`. Times are rough
# themselves: the slowest measurement of a point lies {glue:text}`scale-spread` above the best, in the median.
#
# The *exponent* in the next table is the slope of the logarithms: seconds grow as the size to that power. Its interval
# is Student's, over the points of the axis. Beside it stand the exponents of the formula alone and of the line, which
# has a fixed part too. That of the formula alone lies in the interval for {glue:text}`scale-covered` of the
# {glue:text}`scale-grown` axes other than C. On models as small as these the fixed cost of a call is not small beside
# what it computes, and makes the slope flatter. Against C exponents are {glue:text}`scale-classes`.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.exponent_table(growth))

# %% [markdown]
# ## Steps at the study's shape
#
# Random weights in the shape of the study's models, batches of eight as in the profile `paper`, the profile's own
# training step; single layers of the widths of larger models beside them. The speed counts six operations for each
# weight and token of a training step and two of a forward pass: {glue:text}`scale-slowest` to
# {glue:text}`scale-fastest` GFLOP/s in training steps of the study's width. Measured on one core of a processor: it
# says what the profile would take without a GPU, and nothing of a GPU.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.steps_table(steps))

# %% [markdown]
# ## The profile `paper`, calculated
#
# From here on nothing is measured. The profile's {glue:text}`scale-run-cells` cells ask for
# {glue:text}`scale-run-trainings` trainings and their analyses. Rows, classes and lengths of the tasks are those of
# the file copies that this project could read, as the profile prepares them, counted with MiniLM's tokenizer for all
# models (BoolQ's copy has fewer rows than the original). Every epoch is counted. What is assumed:
#
# - **Speed** (`tflops`). A GPU of type H100 (SXM) is said to do 66.9 × 10¹² operations a second in fp32 at best, and
#   fp32 is what the profile asks for. The two speeds assumed are a fifth and a half of that.
# - **Calls** (`call_ms`). A layer's pass over a batch takes 0.3 ms at least by default, however few examples there
#   are. With batches of eight short texts that decides more than speed does. Windows are counted as if each learnt
#   alone; on a GPU those with one start learn side by side, so retraining's calls are an upper bound.
# - **Jobs.** Each takes half a minute to start; one job at a time on a GPU.
#
# Change them with `-p tflops=20` or `-p call_ms=0.1`. A measurement is better: `memloc estimate --device cuda`.

# %% tags=["hide-input"]
facts.glue_all("scale-run", facts_scale.run_facts(calculated), files["run"])
tabulate.show_table(tabulate_scale.work_table(calculated))

# %% [markdown]
# Together {glue:text}`scale-run-operations` operations: {glue:text}`scale-run-one` days on one such GPU, or
# {glue:text}`scale-run-core-years` years of one core at the measured speed.
#
# ## On 1, 8 and 64 GPUs, simulated
#
# Jobs are cut as the {doc}`workflow <../cluster>` cuts them: one trains a cell's arms, one runs its techniques. A free
# GPU takes the ready job with the longest chain of work behind it. No order can take less than the longest chain, nor
# less than all work divided by the number of GPUs. The rows *split* ask what another way to cut would give, which the
# workflow cannot do: a job for each arm and for each technique in each setting. Maps then wait for nothing, and a
# technique for its own arms alone.

# %% tags=["hide-input"]
drawn = figures_scale.devices(calculated)
show(
    drawn.figure,
    "fig-scale-devices",
    """Hours of the profile `paper` against the number of GPUs (calculated and simulated; no such run was made), at two
    assumed speeds. Thin lines: what no order of these jobs can beat.""",
    drawn.alt,
)

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.devices_table(calculated))

# %% [markdown]
# **The bottleneck.** Eight GPUs take {glue:text}`scale-run-eight` hours and 64 take {glue:text}`scale-run-many`, of
# which they are at work for {glue:text}`scale-run-wait` (the lower speed first). The rest is waiting: the longest chain
# of jobs takes {glue:text}`scale-run-bound` hours; at the lower speed it is {glue:text}`scale-run-chain`. From
# {glue:text}`scale-run-from` GPUs on, more of them change little.
#
# Why is that chain so long? A first seed's cell also holds the {doc}`control <03b_control>`: seven more arms with a
# second task beside them and three more rounds of techniques, one after the other, though most of these wait for
# nothing but their own arms. Split, the same work takes {glue:text}`scale-run-split` hours on 64 GPUs, and the longest
# chain is {glue:text}`scale-run-largest`. On few GPUs splitting only costs more starts.
#
# The same cells are what the workflow's plan underestimates: it shares a model's hours evenly among its seeds, and a
# first seed's job takes up to {glue:text}`scale-run-first` times as long as the mean. The workflow asks for twice the
# estimate at first; a job that takes longer is sent again with twice as much and goes on where it was.
#
# ## What the workflow adds
#
# Jobs have to start, and somebody has to plan them. {glue:text}`scale-flow-told`
#
# ## Larger models, calculated
#
# GPU hours for all tasks once: one seed, no control, the same settings, as if one device held the model. They go from
# the higher assumed speed to the lower. Depth costs twice in the window techniques: there are more windows, and each
# has more layers behind it.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.larger_table(calculated))

# %% [markdown]
# Memory of one device, in fp32: weights, gradients and two moments of what learns, and what the backward pass of eight
# examples of 512 tokens keeps (about 18 numbers a token, layer and width, attention's scores left out). A device has
# 80 GB.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_scale.memory_table())

# %% [markdown]
# These are upper bounds where few layers learn. What is too much for one device would have to be spread over several,
# which this package does not do. The study itself ran swapping and centroids alone on its model of 1.3 B.
#
# ## Take-away
#
# - *How does it grow?* In proportion to examples and layers; swapping and retraining towards the cube of the number of
#   layers. Measured seconds bear the formulas out on {glue:text}`scale-hold` of {glue:text}`scale-axes` axes.
# - *What would the study take?* Calculated: {glue:text}`scale-run-one` days of one GPU at the assumed speeds, or
#   {glue:text}`scale-run-core-years` years of one core. Most of it is training and retraining.
# - *How many GPUs?* From {glue:text}`scale-run-from` on, another one helps little, because of the longest chain.
#
# ## Measure it yourself
#
# In the project's folder, with the environment active:
#
# ```
# python -m benchmarks.scale grid --out results/benchmarks
# python -m benchmarks.scale steps --out results/benchmarks
# python -m benchmarks.scale tokens --data FOLDER --out results/benchmarks
# python -m benchmarks.workflow --out results/benchmarks
# memloc book execute --only 14_scale -p tflops=20
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise} Twice as deep
# :label: ex-scale-depth
#
# A model of 24 layers has as many weights a layer as one of twelve. By how much do a pass of the model, swapping and
# training an arm cost more? Use the formulas; which part of swapping's cost is responsible?
# ```
#
# ```{exercise} How many GPUs?
# :label: ex-scale-gpus
#
# Ten independent jobs take an hour each, and one more takes four hours. What is the shortest time on two, on four and
# on eleven GPUs? From which number on is another GPU of no use? What if the long job is cut into four that wait for
# nothing?
# ```
