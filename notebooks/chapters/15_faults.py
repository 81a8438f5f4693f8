# %% [markdown]
# # What can go wrong
#
# *Machines stop, disks fill up, files come from strangers. What is lost, and what gets in?*
#
# A run of a day will be interrupted. So every chapter of this book stands on a promise: **the same command again ends
# in the same bytes**, whatever happened in between. And a book that loads checkpoints and texts from others must not
# run what is in them. No argument proves either; both can be tried.

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, tabulate, tabulate_faults
from memloc.publishing.style import use_style

use_style()
tried, fed = tabulate_faults.read_survival(), tabulate_faults.read_hostile()
facts.glue_all("faults", tabulate_faults.fault_facts(tried, fed), tabulate_faults.FILES)
Markdown(tabulate_faults.fault_facts(tried, fed)["told"])

# %% [markdown]
# ## How nothing is lost
#
# - What is computed lies in the **store**, a part of the *home* (`.memloc`, or the folder that `MEMLOC_HOME` names), as
#   an **artefact**: a folder that is named by the hash of its whole configuration. It is filled beside its place, under
#   a lock, and renamed when all its files and a list of their hashes, the **manifest**, are on the disk. A killed
#   process leaves a folder that is no artefact yet, and nothing else.
# - Long work leaves **resume points** in that folder, each one a whole file. The next run goes on from there, with the
#   same random numbers, so the result is the same to the last bit.
# - The lock is the system's, not the file's: it is free when its process ends, however it ends.
# - Every file is checked against the hash in its manifest before it is used. What does not match is made again.
#
# ## Tried
#
# A small cell is trained, analysed and released. Something happens in the middle. Then `memloc doctor` looks at what is
# left, the same command runs to its end, and all bytes of the store and of the released tables are compared with those
# of a run that nothing disturbed. *Left behind* counts files that no finished run leaves; *left to a person*, what the
# doctor found and could not mend.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_faults.survival_table(tried))

# %% [markdown]
# What the runs were at, or said:

# %% tags=["hide-input"]
tabulate.show_table(tabulate_faults.moments_table(tried))

# %% [markdown]
# With one seed and one number of threads, results are the same bit for bit on one processor; the tries above depend on
# it. Another number of threads, another processor or a GPU adds up in another order, and last digits differ. The lack
# of memory was simulated, for want of a GPU.
#
# ## The doctor
#
# ```
# memloc doctor --look   # says what is wrong with the home and with this book's folder
# memloc doctor          # says it and mends it
# ```
#
# It removes damaged artefacts and what killed processes left; it keeps resume points and whatever a running process has
# in its hands. What it cannot mend without losing something, it leaves to you, and says what to do: folders that are no
# artefacts, released runs that were altered, a full or read-only disk, packages of other versions than the lock's.
#
# ## How nothing gets in
#
# - Weights are read from safetensors files alone. Pickles are refused, and a Python file beside a checkpoint is never
#   imported.
# - Profiles, catalogues and parameters are plain YAML values, each checked against the type that is expected. They are
#   handed to a chapter as values and are never run.
# - Texts and class names are escaped wherever a page shows them.
# - Names that become part of a path are plain names; data files lie inside the data folder.
# - Hashes find damage and careless edits. They are no signature: who rewrites a table *and* its manifest is not
#   noticed. Take released runs from where you trust the author.
#
# What students hand in is code, and has to run: that is done {doc}`in a jail <12_teaching>`.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_faults.hostile_table(fed))

# %% [markdown]
# To try it yourself, in the project's folder with the environment active:
#
# ```
# python -m benchmarks.survival --faults killed --times 100
# python -m benchmarks.hostile
# ```
#
# ## Take-away
#
# - {glue:text}`faults-told`
# - No more is lost than the work since the last resume point, and the same command does it again.
# - What gets in is data: weights, numbers and texts that are shown and never run. Whether they are *true* no hash can
#   tell.

# %% [markdown]
# ## Exercises
#
# ```{exercise} How sure are we?
# :label: ex-faults-hundred
#
# Of 100 runs that were killed at random moments, 100 ended in the right bytes. How large could the share of bad moments
# still be? Use that the probability of no failure in $n$ tries is $(1-p)^n$, and ask for the $p$ at which it falls to
# five per cent.
# ```
#
# ```{exercise} Rename last
# :label: ex-faults-rename
#
# Suppose a program wrote its result straight into the final folder, the manifest first and the tables after it. Name a
# moment at which a kill leaves something that looks finished and is not. Why does writing the manifest last, and
# renaming after that, leave no such moment?
# ```
