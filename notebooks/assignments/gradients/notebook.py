# %% [markdown]
# # Forgetting gradients
#
# *Which layers would have to move for a model to forget?*
#
# Swapping needs a second model. Here is a question that one model can answer by itself: take the examples with wrong
# labels and ask which weights would have to change for those labels to become less likely. That is a gradient. Ask the
# same of examples with right labels, because any label pulls at the weights, and look at the difference.
#
# In this assignment you write
#
# 1. the objective, which is a logit and no loss,
# 2. the mean gradient of a group, layer by layer, in one backward pass,
# 3. a fair group of clean examples to compare with,
# 4. the size of the difference in every layer, and from it a weight for every layer.
#
# Plan for about 75 minutes. Layers count from 1. The checks you see are only a few: yours will be tried on other models
# and groups as well, at the edges too. So read what each function promises.
#
# Write your id below, so that you get models of your own.

# %% nbgrader={"grade_id": "student", "locked": false}
STUDENT = "your-id"

# %% nbgrader={"grade_id": "setup"}
import kit
import numpy as np
import torch

mine = kit.variant(STUDENT, "gradients")
data = kit.task(mine)
print(f"your task is {mine.task}: {len(data.texts)} sentences, {data.noisy.sum()} of them with a wrong label")

# %% [markdown]
# ## 1. The objective
#
# For forgetting, the **logit of the given label** should go down. So the objective of a group of $N$ examples is
#
# $$ J = -\frac{1}{N} \sum_{i} z_i[y_i], $$
#
# where $z_i$ are the logits of example $i$ and $y_i$ is its given label. There is no softmax in it: a model that has
# memorised a label is so sure of it that the gradient of its log-probability is nearly zero, and there would be
# nothing left to see.
#
# By hand: with logits (2, 0, 1) and (1, 5, 3), and given labels 0 and 2, the objective is -(2 + 3) / 2 = -2.5.
#
# `objective(logits, given)` gets a tensor [N, C] and N given labels, and returns a tensor with one number that can be
# differentiated.
#
# <details><summary>Hint: one number from every row</summary>
#
# `logits[rows, columns]` with two tensors of the same length picks one element for each pair.
#
# </details>


# %% nbgrader={"grade_id": "objective", "solution": true}
def objective(logits, given):
    """Minus the mean logit of the given label, as a tensor."""
    ### BEGIN SOLUTION
    given = torch.as_tensor(np.asarray(given))
    return -logits[torch.arange(len(given)), given].mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "objective_visible", "grade": true}
kit.expect("the example by hand", objective(torch.tensor([[2.0, 0.0, 1.0], [1.0, 5.0, 3.0]]), [0, 2]), -2.5)

# %% [markdown]
# ## 2. The mean gradient of a group
#
# `mean_gradient(model, ids, given)` returns a list with one tensor for every layer: the gradient of the objective with
# respect to all parameters of that layer, flattened and put together in the order of `layer.parameters()`. The gradient
# of a mean is the mean of the gradients, so one backward pass does for the whole group.
#
# The model is left as it was: no weight changes, and no gradient stays in its parameters. Somebody may call the
# function twice, for two groups, and must not find the first group in the second answer.
#
# By hand: a "model" with one weight $w = 3$, logit $w x$ and inputs 1 and 5 has the objective $-w (1 + 5) / 2$, so the
# gradient is -3, whatever $w$ is.
#
# <details><summary>Hint: gradients that stay nowhere</summary>
#
# `torch.autograd.grad(value, tensors)` returns gradients instead of storing them.
#
# </details>


# %% nbgrader={"grade_id": "mean_gradient", "solution": true}
def mean_gradient(model, ids, given):
    """For every layer, the gradient of the objective with respect to its parameters, as one flat tensor."""
    ### BEGIN SOLUTION
    layers = [list(layer.parameters()) for layer in model.layers]
    value = objective(model(ids), given)
    found = torch.autograd.grad(value, [parameter for layer in layers for parameter in layer])
    gradients = iter(found)
    return [torch.cat([next(gradients).flatten() for _ in layer]) for layer in layers]
    ### END SOLUTION


# %% nbgrader={"grade_id": "mean_gradient_visible", "grade": true}
small = kit.model(seed=1, layers=2, width=8)
gradients = mean_gradient(small, data.ids[:6], data.given[:6])
kit.expect("one tensor a layer", len(gradients), 2)
kit.expect("as long as a layer has parameters", len(gradients[0]), sum(p.numel() for p in small.layers[0].parameters()))
halves = [mean_gradient(small, data.ids[part], data.given[part])[1] for part in (slice(0, 3), slice(3, 6))]
kit.expect("two halves and the whole", (halves[0] + halves[1]) / 2, gradients[1], 1e-5)

# %% [markdown]
# ## 3. A group to compare with
#
# A mean over 18 examples is noisier, and longer, than a mean over 100. So the clean group must be as large as the
# noisy one. `clean_sample(noisy, seed)` gets a row of truth values, one for each example, and returns the *positions*
# of as many clean examples as there are noisy ones: drawn at random, none twice, in increasing order. If there are
# fewer clean examples than noisy ones, it returns all of them. The same seed gives the same sample.


# %% nbgrader={"grade_id": "clean_sample", "solution": true}
def clean_sample(noisy, seed):
    """Positions of as many clean examples as there are noisy ones, in increasing order."""
    ### BEGIN SOLUTION
    noisy = np.asarray(noisy, bool)
    clean = np.flatnonzero(~noisy)
    size = min(int(noisy.sum()), len(clean))
    return np.sort(np.random.default_rng(seed).choice(clean, size=size, replace=False))
    ### END SOLUTION


# %% nbgrader={"grade_id": "clean_sample_visible", "grade": true}
sample = clean_sample(data.noisy, 1)
kit.expect("as many as are noisy", len(sample), int(data.noisy.sum()))
kit.expect("none of them noisy", int(data.noisy[sample].sum()), 0)
kit.expect("nothing to choose", clean_sample([True, False, True, False], 1), [1, 3])

# %% [markdown]
# ## 4. How much would each layer move?
#
# For every layer, subtract the mean gradient of the clean group from that of the noisy group and add up the absolute
# values: the L1 norm of the difference. Mind the order of the two steps. By hand, for a layer with two weights, noisy
# gradient (3, -1) and clean gradient (1, 1): the difference is (2, -2), its norm is 4. The difference of the two norms
# would be 4 - 2 = 2, which says little, as two gradients of the same length can point in opposite directions.
#
# `difference_norms(noisy_gradient, clean_gradient)` gets two lists of tensors, one tensor a layer, and returns an
# array.


# %% nbgrader={"grade_id": "difference_norms", "solution": true}
def difference_norms(noisy_gradient, clean_gradient):
    """For every layer, the L1 norm of the difference of two gradients."""
    ### BEGIN SOLUTION
    pairs = zip(noisy_gradient, clean_gradient, strict=True)
    return np.array([float((noisy - clean).abs().sum()) for noisy, clean in pairs])
    ### END SOLUTION


# %% nbgrader={"grade_id": "difference_norms_visible", "grade": true}
kit.expect("by hand", difference_norms([torch.tensor([3.0, -1.0])], [torch.tensor([1.0, 1.0])]), [4.0])

# %% [markdown]
# Put the pieces together. `forgetting(model, ids, given, noisy, seed)` returns the norms of all layers for a model and
# its examples, of which `noisy` says which ones are wrong. `ids` is a tensor, `given` and `noisy` are arrays.


# %% nbgrader={"grade_id": "forgetting", "solution": true}
def forgetting(model, ids, given, noisy, seed):
    """Norm of the difference between the noisy and an equally large clean group, for every layer."""
    ### BEGIN SOLUTION
    groups = (np.flatnonzero(noisy), clean_sample(noisy, seed))
    noisy_gradient, clean_gradient = (mean_gradient(model, ids[rows], np.asarray(given)[rows]) for rows in groups)
    return difference_norms(noisy_gradient, clean_gradient)
    ### END SOLUTION


# %% nbgrader={"grade_id": "forgetting_visible", "grade": true}
twice = forgetting(small, torch.cat([data.ids[:5]] * 2), np.tile(data.given[:5], 2), np.arange(10) < 5, 1)
kit.expect("two groups of the same examples do not differ", twice, [0.0, 0.0], 1e-4)

# %% [markdown]
# ## 5. Against a model that cannot have memorised
#
# Some layers have large gradients in any model, memory or not. So the norms are divided by those of a **frozen** twin:
# the same start, trained on the same labels, but only its head was allowed to change. With $r_l$ the norm of layer $l$
# in the trained model over that in the frozen one, the weight of a layer is $w_l = r_l / \sum_m r_m$.
#
# By hand: trained (4, 6), frozen (1, 3) give ratios (4, 2) and weights (2/3, 1/3), though layer 2 has the larger norm.


# %% nbgrader={"grade_id": "layer_weights", "solution": true}
def layer_weights(trained, frozen):
    """Ratios of the trained model's norms to the frozen model's, scaled to sum to 1."""
    ### BEGIN SOLUTION
    ratio = np.asarray(trained, float) / np.asarray(frozen, float)
    return ratio / ratio.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "layer_weights_visible", "grade": true}
kit.expect("by hand", layer_weights([4.0, 6.0], [1.0, 3.0]), [2 / 3, 1 / 3])

# %% nbgrader={"grade_id": "own_result"}
weights = layer_weights([1.0], [1.0])  # before a few seconds of training: is everything there?
models = kit.trained(mine, data, "perturbed", "frozen")
norms = {
    name: forgetting(models[name], data.ids, data.given, data.noisy, mine.seed) for name in ("perturbed", "frozen")
}
weights = layer_weights(norms["perturbed"], norms["frozen"])
kit.plot_layers(norms, "Difference between noisy and clean gradients", "L1 norm")
kit.plot_layers({"weight": weights}, "Layer weights", "weight")
print("heaviest layer:", int(np.argmax(weights)) + 1)

# %% [markdown]
# ## To end with
#
# Which layer do the norms alone point to, and which the weights? One layer of your models learnt ten times as fast as
# all others: write down your guess, *then* call `kit.fast_layer(mine)`. Whether or not they agree: what exactly does a
# large forgetting gradient in a layer tell, and what does it not tell, about where a label is remembered? Bring two or
# three sentences to class.
