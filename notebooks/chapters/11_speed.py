# %% [markdown]
# # Speed
#
# *How much faster is the package than a plain program, and how do we know that fast is still right?*
#
# Every technique here has two versions. The **plain** one is written straight from the method: batches of eight, one
# {term}`window`, one example, one layer and class pair, one probe at a time, nothing used twice. It is what a careful
# person would write first, and tests hold the package to it: same accuracies under every window, gradients and
# positions within rounding. The other is the package's. This chapter shows how much faster it is; what a whole run
# takes is said in {doc}`14_scale`.

# %% tags=["parameters"]
profile = "mini"  # not used here: measurements are made by hand and stored with the book

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, tabulate, tabulate_speed
from memloc.publishing.style import use_style

use_style()
measured = tabulate_speed.read_benchmarks()
facts.glue_all("speed", tabulate_speed.speed_facts(measured), "results/benchmarks/benchmarks.parquet")
Markdown(tabulate_speed.told(measured))

# %% [markdown]
# ## Where the time goes
#
# - **Swapping.** The plain version runs the layers before a window again for each window. Here windows with one start
#   share their prefix, the suffixes of all windows run as one batch, and after the last attention only the classified
#   token is computed.
# - **Retraining.** The plain version runs the frozen layers before the window in every epoch. Here their states are
#   computed once, gradients stop at the window, and the optimiser keeps state for the window alone.
# - **Gradients.** One backward pass a batch instead of one an example: the mean over a group is the gradient of a sum.
# - **Probing.** One pass gives the states of all layers, and the probes of all layers train side by side. The plain
#   version runs the model for each probe. *probe_training* leaves the states out on both sides, so it shows what is
#   gained by training probes together alone.
# - **Centroids.** One pass for all layers instead of one a layer and pair of classes; pairs by matrix products. The
#   plain version runs the examples of a pair alone, so with C classes each example is run for 2 (C - 1) pairs and
#   L + 1 layers: that many passes can be saved, and no more. The rest of the ratio is a faster pass.
# - **Training.** Batches of texts of similar length, and gradients only where something learns.
#
# ## Measured
#
# Both versions run in one process in turn, on the same weights and rows, and the best time of each counts. *Difference*
# is the largest between the two results, in the result's own unit. In *retraining* and *training* it is more than
# rounding, because the two versions take their batches in different orders here; the tests compare them in one order.
# Ratios depend on the machine, on how long texts are and on how busy the processor is: compare rows of one machine
# only.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_speed.speed_table(measured))

# %% [markdown]
# How both grow with the number of examples N, layers L and classes C, on generated texts and random weights. These
# take so little time that a single measurement can be off by half.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_speed.growth_table(measured))

# %% [markdown]
# ## Memory on many long examples
#
# Working memory must not grow with the number of windows or probes. Here each technique ran in a process of its own on
# random weights and random texts of one length. What is counted is the peak above a process that holds the examples
# and one untrained model: it includes the copies of the {term}`arms <arm>` that the technique loads. Runs that take
# hours were stopped early, which hides no peak: the largest batches, and all that is kept to the end, come first.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_speed.memory_table(tabulate_speed.read_memory()))

# %% [markdown]
# To measure on your own machine, in the project's folder:
#
# ```
# python -m benchmarks.run --model tiny-bert --rows 200,400,800
# python -m benchmarks.run --techniques swapping --layers 2,4,6 --classes 2,6 --out results/benchmarks
# python -m benchmarks.memory --rows 10000 --tokens 64 --seconds 300
# ```
#
# Rows, layers and classes may be lists, so that growth with each is seen.
#
# ## Take-away
#
# - The column *times as fast* answers the question for each technique ({glue:text}`speed-measured` measurements). Most
#   is gained where the plain version runs the model again for what one pass could give.
# - Fast is right as far as tests can tell: they hold each technique to its plain version on small models.
# - A ratio is of one machine, one model and one task.

# %% [markdown]
# ## Exercises
#
# ```{exercise} Counting layers
# :label: ex-speed-windows
#
# A model has twelve layers and 78 windows. How many times does the plain version of swapping run a layer for one
# batch? If windows that share a start share everything up to their end, layers after a window still have to be run
# for each: how many is that? Which speed-up does counting explain?
# ```
#
# ```{exercise} Passes saved
# :label: ex-speed-centroids
#
# The plain centroid analysis runs a pair's examples alone, once for every layer from 0 to 12. How many passes does an
# example take part in with two classes? With six? And in the package's version?
# ```
