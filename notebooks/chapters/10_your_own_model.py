# %% [markdown]
# # Your own model
#
# *Where does a classifier of mine keep the wrong labels of my data?*
#
# The other chapters train their own models. This one shows the same techniques on a model and a table that somebody
# else made: any sequence classifier of transformers with its own head, pooling, tokenizer and way of joining two texts,
# as long as its architecture is known: BERT, RoBERTa and XLM-R; OPT, GPT-2, GPT-Neo, GPT-NeoX; Llama, Mistral, Qwen 2
# and 3. For another one the command says which there are.

# %% tags=["parameters"]
profile = "mini"  # not used here: the example is the same at every size

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import HTML, Markdown

from memloc.publishing import facts, tabulate, tabulate_own
from memloc.publishing.own_example import example_rows, own_example
from memloc.publishing.style import show, use_style

use_style()
example = own_example()
found = example_rows(example)
facts.glue_all("own", tabulate_own.own_facts(example, found), example)
Markdown(f"The example: {tabulate_own.mark()}")

# %% [markdown]
# ## What you need
#
# | to run | beside the model and the table |
# |---|---|
# | gradients, probing, centroids | nothing; the first two are better with `--frozen`, where only the head was trained |
# | swapping | `--normal`: a twin trained on the right labels, in the same steps |
# | retraining | `--pretrained`: what the model started from |
# | gradient accounting; zero-out, activations, integrated gradients, slimming, hard concrete | nothing |
# | weight difference | `--normal`, or `--pretrained` under the name `weight_difference_pretrained` |
# | rewinding | `--pretrained` |
#
# The first three lines are what `--technique all` means, the default. The others come from the chapter on
# {doc}`planted memory <03c_planted>`; they are asked for by name, one at a time, such as `--technique zero_out` or
# `--technique integrated_gradients`, and tell one weight for each layer.
#
# The **table** is a parquet, CSV or JSON-lines file with a column `text` (or `text_a` and `text_b`), a column `given`
# with the labels the model was trained on, and either `label` with the right ones or a mask `noisy` (true or false).
# Labels are the model's class names, or numbers from 0. Without right labels the centroid analysis and the probes for
# the original label cannot run, and the command says so. A model is a folder that `save_pretrained` wrote, a name on
# the hub, or one that `memloc models` lists. With the environment active (`source .venv/bin/activate`):
#
# ```
# memloc localise --technique all --model my-model --normal my-twin --pretrained my-start \
#                 --data train.csv --out where
# ```
#
# `--estimate` in place of `--out` says how long it would take. Adapters (LoRA) are merged into their base first.
# Weights must be safetensors; a pickled checkpoint is refused together with the command that converts it.
#
# If your labels are all right, or nobody knows which are wrong, there is nothing to localise. Then let `prepare` make
# some wrong and train both {term}`twins <twin>`. It needs `text` and `label` alone:
#
# ```
# memloc prepare --model my-start --data clean.csv --out twins
# ```
#
# It ends by printing the `memloc localise` command for what it made. Interrupted, it goes on where it was when the same
# line is typed again. The learning rate and the number of epochs are the study's; where labels are not memorised with
# them, set `--lr` or `--epochs`. Small models need a higher rate. This line trains one that comes with the package, and
# takes some minutes for three hundred short texts on two cores:
#
# ```
# memloc prepare --model nano-opt --data clean.csv --out twins \
#                --lr 5e-4 --batch-size 16 --max-length 32
# ```
#
# ## An example
#
# A small RoBERTa with random weights and a tokenizer of its own, saved by `save_pretrained`, and a CSV file of
# {glue:text}`own-given` sentences. Its first rows:

# %% tags=["hide-input"]
tabulate.show_table(example.table)

# %% [markdown]
# `memloc prepare` keeps a tenth of them for validation, gives 15 % of the rest wrong labels, and trains. What became of
# each {term}`arm`:

# %% tags=["hide-input"]
tabulate.show_table(tabulate_own.arms_table(example))

# %% [markdown]
# `memloc localise --technique all` then tells of every technique that weighs layers where its centre of gravity is, and
# in which range it could be at all. How to read these numbers is said in the chapters from {doc}`04_swapping` to
# {doc}`08_agreement`.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_own.centres_table(found))

# %% tags=["hide-input"]
drawn = tabulate_own.weights_figure(found)
caption = f"Layer weights of the example's model by technique. {drawn.caption} {tabulate_own.ORIGIN}"
show(drawn.figure, "fig-own-weights", caption, alt=drawn.alt)

# %% [markdown]
# The output folder holds tidy tables in parquet and CSV and one report: a page that needs no other file and no
# network, shows no text of your data, and says what ran, with which settings, and what could not and why.

# %% tags=["hide-input"]
HTML(tabulate_own.folder_listing(example))

# %% [markdown]
# From Python the same is
#
# ```python
# import memloc
#
# found = memloc.localise("all", "my-model", "train.csv", normal="my-twin", pretrained="my-start", out="where")
# found.mcog, found.weights, found.rows, found.report
# ```
#
# ## Before you believe it
#
# - *Is there anything to find?* The share of wrong labels that the model gives back should be near one. Here it is
#   {glue:text}`own-memorised`. What was not memorised has no place.
# - *Is the twin a twin?* A normal model from another start, or of other steps, differs in more than the labels, and
#   swapping then measures all of it. Look at the accuracy on {term}`clean` examples under swapping.
# - *One model is one draw.* Repeat with two more seeds (`memloc prepare --seed 2`) before comparing
#   {term}`depths <depth>`.
# - *Would the technique find anything?* How far each can be trusted where the place is known, the chapter on
#   {doc}`planted memory <03c_planted>` has measured.
#
# ## Take-away
#
# - With a twin and the pre-trained start, all five techniques run on a classifier of your own. Gradients, probing and
#   centroids need neither.
# - The report says where each of them puts the weight, on its own scale. Where they disagree it does not say who is
#   right.
# - One model, one table and one seed are an anecdote.

# %% [markdown]
# ## Exercises
#
# ```{exercise} Only a suspicion
# :label: ex-own-labels
#
# A colleague has a classifier, its training table and a list of rows whose labels she knows to be wrong; the right
# labels are lost. What can she run? What would having the right labels add?
# ```
#
# ```{exercise} A twin that is none
# :label: ex-own-twin
#
# The normal model of a colleague was trained on right labels, but from another seed, with another head and in another
# order. Swapping a single layer, any layer, makes her model forget everything, and lose the clean labels too. What
# happened?
# ```
