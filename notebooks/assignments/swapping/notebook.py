# %% [markdown]
# # Layer swapping
#
# *Which layers does a model need in order to remember?*
#
# You get two models that started from the same weights and read the same sentences. One learnt the labels as they were
# given, wrong ones among them; call it *perturbed*. The other learnt the true labels; call it *normal*. Take some
# layers out of the first, put the second's in their place, and ask again. If the wrong labels are gone, the model
# needed those layers to remember them.
#
# In this assignment you write layer swapping from end to end:
#
# 1. a model with a window of layers from another one,
# 2. the share of labels it still gives back, for all windows,
# 3. from windows to layers: memorisation error, layer weights, and a centre of gravity with the range it can reach.
#
# Plan for about 80 minutes. Layers count from 1 throughout; `model.layers[0]` is layer 1, and forgetting that is the
# commonest mistake here. The checks you see are only a few: yours will be tried on other models and at the edges too.
#
# Write your id below, so that you get models of your own.

# %% nbgrader={"grade_id": "student", "locked": false}
STUDENT = "your-id"

# %% nbgrader={"grade_id": "setup"}
import copy

import kit
import numpy as np
import torch

mine = kit.variant(STUDENT, "swapping")
data = kit.task(mine)
print(f"your task is {mine.task}: {len(data.texts)} sentences, {data.noisy.sum()} of them with a wrong label, such as")
for row in np.flatnonzero(data.noisy)[:3]:
    print(f"  given {data.names[data.given[row]]}, truly {data.names[data.labels[row]]}: {data.texts[row]}")

# %% [markdown]
# ## 1. A window of layers from another model
#
# A **window** is a run of neighbouring layers, written as the layer it starts at and its length. The window (2, 3)
# holds the layers 2, 3 and 4.
#
# `swap_window(perturbed, normal, start, length)` returns a *new* model that has the layers of the window from
# `normal` and everything else (embeddings, other layers, norm, head) from `perturbed`. Both models you were given
# stay as they are, now and later: the new model shares no weights with them.
#
# <details><summary>Hint: a model of its own</summary>
#
# `copy.deepcopy(model)` copies everything. An element of `model.layers` can be assigned to.
#
# </details>


# %% nbgrader={"grade_id": "swap_window", "solution": true}
def swap_window(perturbed, normal, start, length):
    """A new model: layers ``start`` to ``start + length - 1`` (from 1) of ``normal``, the rest of ``perturbed``."""
    ### BEGIN SOLUTION
    mixed = copy.deepcopy(perturbed)
    for number in range(start, start + length):
        mixed.layers[number - 1] = copy.deepcopy(normal.layers[number - 1])
    return mixed
    ### END SOLUTION


# %% nbgrader={"grade_id": "swap_window_visible", "grade": true}
first, second = kit.model(seed=1, layers=3), kit.model(seed=2, layers=3)
mixed = swap_window(first, second, 2, 1)
kit.expect("layer 2 is the second model's", mixed.layers[1].up.weight, second.layers[1].up.weight)
kit.expect("layer 1 is the first model's", mixed.layers[0].up.weight, first.layers[0].up.weight)
kit.expect("the head is the first model's", mixed.head.weight, first.head.weight)

# %% [markdown]
# ## 2. What is still remembered
#
# `accuracies(model, ids, given, noisy)` returns two numbers: the share of **noisy** examples for which the model's
# answer is the *given* label, and the same share of the **clean** ones. The answer is the class with the largest logit;
# `model(ids)` gives logits of shape [N, C]. A group without examples has no share: return `nan` for it.
#
# By hand: the answers are 0, 2, 1, 1, the given labels 0, 2, 2, 1, and the first two examples are noisy. That makes
# 1.0 for noisy and 0.5 for clean.


# %% nbgrader={"grade_id": "accuracies", "solution": true}
def accuracies(model, ids, given, noisy):
    """Share of given labels the model answers with, (of noisy examples, of clean ones); nan for an empty group."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        right = model(ids).argmax(dim=1).numpy() == np.asarray(given)
    noisy = np.asarray(noisy, bool)
    return tuple(float(right[group].mean()) if group.any() else float("nan") for group in (noisy, ~noisy))
    ### END SOLUTION


# %% nbgrader={"grade_id": "accuracies_visible", "grade": true}
untrained = kit.model(seed=3)
answers = kit.logits(untrained, data.ids).argmax(axis=1)
everything, nothing = (
    accuracies(untrained, data.ids, answers, data.noisy),
    accuracies(untrained, data.ids, (answers + 1) % 3, data.noisy),
)
kit.expect("a model always agrees with its own answers", everything, (1.0, 1.0))
kit.expect("and never with others", nothing, (0.0, 0.0))

# %% [markdown]
# `all_windows(num_layers)` lists every window once, as pairs (start, length): first all of length 1 from left to right,
# then all of length 2, and so on. With three layers there are six: (1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3).


# %% nbgrader={"grade_id": "all_windows", "solution": true}
def all_windows(num_layers):
    """Every (start, length), shorter ones first, each length from left to right."""
    ### BEGIN SOLUTION
    return [(start, length) for length in range(1, num_layers + 1) for start in range(1, num_layers - length + 2)]
    ### END SOLUTION


# %% nbgrader={"grade_id": "all_windows_visible", "grade": true}
kit.expect("three layers", all_windows(3), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3)])
kit.expect("twelve layers have 78 windows", len(all_windows(12)), 78)

# %% [markdown]
# Time to use them. The next cell trains your two models, which takes a few seconds, and swaps every window.

# %% nbgrader={"grade_id": "own_windows"}
windows = all_windows(kit.LAYERS)
models = kit.trained(mine, data, "perturbed", "normal")
for name in ("perturbed", "normal"):
    print(name, "gives back (noisy, clean):", accuracies(models[name], data.ids, data.given, data.noisy))
swapped = [
    accuracies(swap_window(models["perturbed"], models["normal"], *window), data.ids, data.given, data.noisy)
    for window in windows
]
noisy_accuracy = [noisy for noisy, _ in swapped]
print("worst accuracy on clean examples over all windows:", round(min(clean for _, clean in swapped), 2))
kit.plot_layers({"noisy": noisy_accuracy[: kit.LAYERS]}, "One layer swapped", "accuracy on given labels")

# %% [markdown]
# ## 3. From windows to layers
#
# Let $a(W)$ be the accuracy on noisy examples after window $W$ was swapped. The **memorisation error** of layer $l$ at
# window length $k$ is
#
# $$ E_{k,l} = 1 - \operatorname{mean}_{W \ni l,\ |W| = k} a(W) $$
#
# : one minus the mean over all windows of length $k$ that contain layer $l$. By hand, for three layers:
#
# | window | (1, 1) | (2, 1) | (3, 1) | (1, 2) | (2, 2) | (1, 3) |
# |---|---|---|---|---|---|---|
# | accuracy | 0.9 | 0.4 | 0.8 | 0.2 | 0.1 | 0.0 |
#
# Take length 2 and layer 2: both (1, 2) and (2, 2) contain it, so $E_{2,2} = 1 - (0.2 + 0.1) / 2 = 0.85$. Layer 1 is in
# (1, 2) alone: $E_{2,1} = 0.8$.
#
# `memorisation_error(windows, accuracy, num_layers)` returns $E$ as an array with window length $k$ in row $k - 1$ and
# layer $l$ in column $l - 1$. The windows may come in any order.


# %% nbgrader={"grade_id": "memorisation_error", "solution": true}
def memorisation_error(windows, accuracy, num_layers):
    """E[k - 1, l - 1]: 1 - mean accuracy over the windows of length k that contain layer l."""
    ### BEGIN SOLUTION
    error = np.zeros((num_layers, num_layers))
    for k in range(1, num_layers + 1):
        for layer in range(1, num_layers + 1):
            holds = [a for (s, n), a in zip(windows, accuracy, strict=True) if n == k and s <= layer < s + n]
            error[k - 1, layer - 1] = 1 - np.mean(holds)
    return error
    ### END SOLUTION


# %% nbgrader={"grade_id": "memorisation_error_visible", "grade": true}
by_hand = memorisation_error(all_windows(3), [0.9, 0.4, 0.8, 0.2, 0.1, 0.0], 3)
kit.expect("windows of one layer", by_hand[0], [0.1, 0.6, 0.2])
kit.expect("windows of two layers", by_hand[1], [0.8, 0.85, 0.9])
kit.expect("the window of all layers", by_hand[2], [1.0, 1.0, 1.0])

# %% [markdown]
# The **layer weight** $w_l$ is the mean of $E_{k,l}$ over all lengths $k$: every window length counts the same. And one
# number that says how deep the weight lies is the **memorisation centre of gravity**,
#
# $$ \text{M-CoG} = \frac{\sum_l l\, w_l}{\sum_l w_l}. $$
#
# Write `layer_weights(error)` and `centre_of_gravity(weights)`. Where all weights are zero there is no centre: `nan`.


# %% nbgrader={"grade_id": "weights", "solution": true}
def layer_weights(error):
    """The mean over window lengths, one weight a layer."""
    ### BEGIN SOLUTION
    return np.asarray(error).mean(axis=0)
    ### END SOLUTION


def centre_of_gravity(weights):
    """The mean layer, from 1, under these weights; nan where all of them are 0."""
    ### BEGIN SOLUTION
    weights = np.asarray(weights, float)
    total = weights.sum()
    return float((np.arange(1, len(weights) + 1) * weights).sum() / total) if total else float("nan")
    ### END SOLUTION


# %% nbgrader={"grade_id": "weights_visible", "grade": true}
kit.expect("weights of two layers", layer_weights([[0.2, 0.4], [1.0, 1.0]]), [0.6, 0.7])
kit.expect("equal weights lie in the middle", centre_of_gravity([0.5, 0.5, 0.5]), 2.0)

# %% [markdown]
# Is 4.3 deep or shallow, with twelve layers? Suppose that all memory sits in layer 1: every window that contains it has
# an accuracy of 0, every other one of 1. Longer windows contain layer 1 *and others*, so the others get weight too and
# the centre moves to the middle. `attainable_range(num_layers)` returns the centre of gravity of memory wholly in layer
# 1, and of memory wholly in the last layer. An M-CoG can only be read on that range.


# %% nbgrader={"grade_id": "attainable_range", "solution": true}
def attainable_range(num_layers):
    """M-CoG of memory wholly in layer 1, and wholly in the last layer."""
    ### BEGIN SOLUTION
    windows, ends = all_windows(num_layers), []
    for layer in (1, num_layers):
        accuracy = [0.0 if start <= layer < start + length else 1.0 for start, length in windows]
        ends.append(centre_of_gravity(layer_weights(memorisation_error(windows, accuracy, num_layers))))
    return tuple(ends)
    ### END SOLUTION


# %% nbgrader={"grade_id": "attainable_range_visible", "grade": true}
kit.expect("twelve layers", np.round(attainable_range(12), 2), [4.29, 8.71])

# %% nbgrader={"grade_id": "own_result"}
low, high = attainable_range(kit.LAYERS)
weights = layer_weights(memorisation_error(windows, noisy_accuracy, kit.LAYERS))
print(f"M-CoG {centre_of_gravity(weights):.2f}, on a range from {low:.2f} to {high:.2f}")
single = memorisation_error(windows, noisy_accuracy, kit.LAYERS)[0]
kit.plot_layers({"all windows": weights, "one layer at a time": single}, "Layer weights", "weight")

# %% [markdown]
# ## To end with
#
# Compare the two curves. Which layer would you name as the place of the wrong labels, and which of the curves made you
# sure? Your models have a secret: one layer learnt ten times as fast as all others. Write down your guess, *then* call
# `kit.fast_layer(mine)`. If the two differ, what else might the single-layer curve have shown? Bring two or three
# sentences to class.
