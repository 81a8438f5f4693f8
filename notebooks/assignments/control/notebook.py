# %% [markdown]
# # A control experiment
#
# *Would your method find memory if somebody had hidden it?*
#
# You have met methods that draw a curve over layers. Nothing inside a trained model says which curve is right. So hide
# the memory yourself: train a model so that wrong labels *can* sit in two known layers only, and see whether the method
# points at them. That is a control experiment, and it is worth as much as its details. In this assignment you
#
# 1. write the plan, which parameters may change and which must not, as code,
# 2. prove after training that the plan was kept, bit for bit,
# 3. score methods on real control runs, against the best answer that looks at nothing,
# 4. say how sure one can be with so few trials,
# 5. and design a control of your own, in words.
#
# Plan for about 90 minutes, of which 25 are for the last part. Layers count from 1. The checks you see are only a few:
# yours will be tried on other models and scores as well, at the edges too.
#
# Write your id below, so that you get a model of your own.

# %% nbgrader={"grade_id": "student", "locked": false}
STUDENT = "your-id"

# %% nbgrader={"grade_id": "setup"}
import itertools

import kit
import numpy as np
import pandas as pd

mine = kit.variant(STUDENT, "control")
setting = ("first", "middle", "last")[mine.seed % 3]
data, other = kit.task(mine), kit.task(kit.variant(STUDENT, "second task"), noise=False)
print(
    f"your main task is {mine.task}, with {data.noisy.sum()} wrong labels; your own control: the {setting} two layers"
)

# %% [markdown]
# ## 1. The plan
#
# Two tasks are trained together, a step of one after a step of the other. The **main task** has wrong labels. The
# **second task** has right labels only. It is there so that *every* layer moves during training; without it, a method
# would only have to find the layers that changed at all.
#
# Who may change what:
#
# | | main task | second task |
# |---|---|---|
# | two layers, by setting | yes | yes |
# | other layers | no | yes |
# | its own head (`head.` / `second_head.`) | yes | yes |
# | everything else (embeddings, final norm, the other's head) | no | no |
#
# The settings of a model with L layers: `"first"` are layers 1 and 2, `"middle"` are L / 2 and L / 2 + 1, `"last"` are
# L - 1 and L. In the setting `"frozen"` the main task may change no layer at all. L is even.
#
# `plan(names, num_layers, setting)` gets the names of all parameters, such as `layers.0.up.weight`, and returns a
# dictionary with `"main"` and `"second"`: for each task the sorted list of the names it may change. Careful: the name
# `layers.0.` belongs to layer 1. And with twelve layers there are both `layers.1.` and `layers.10.`.
#
# <details><summary>Hint: which layer a name belongs to</summary>
#
# Split the name at its dots. If the first piece is `layers`, the second is the layer's number, from 0.
#
# </details>


# %% nbgrader={"grade_id": "plan", "solution": true}
def plan(names, num_layers, setting):
    """Names that each task may change: {"main": [...], "second": [...]}, sorted."""
    ### BEGIN SOLUTION
    middle = num_layers // 2
    targets = {"first": (1, 2), "middle": (middle, middle + 1), "last": (num_layers - 1, num_layers), "frozen": ()}
    main, second = [], []
    for name in sorted(names):
        part, *rest = name.split(".")
        if part == "layers":
            second.append(name)
            if int(rest[0]) + 1 in targets[setting]:
                main.append(name)
        elif part == "head":
            main.append(name)
        elif part == "second_head":
            second.append(name)
    return {"main": main, "second": second}
    ### END SOLUTION


# %% nbgrader={"grade_id": "plan_visible", "grade": true}
names = ["embed.weight", "layers.0.up.bias", "layers.1.up.bias", "layers.2.up.bias", "layers.3.up.bias", "norm.weight"]
names += ["head.weight", "second_head.weight"]
first = plan(names, 4, "first")
kit.expect("main, first two layers", first["main"], ["head.weight", "layers.0.up.bias", "layers.1.up.bias"])
kit.expect("the second task changes all layers", first["second"], [*names[1:5], "second_head.weight"])
kit.expect("frozen: the head alone", plan(names, 4, "frozen")["main"], ["head.weight"])

# %% [markdown]
# ## 2. Was it kept?
#
# A plan is a wish. After training, compare: `broken(before, after, allowed)` gets the parameters before and after
# (dictionaries from name to array) and the names that were allowed to change. It returns the sorted list of names that
# changed *and were not allowed to*. Changed means any bit: 0.1 that became 0.10000001 has changed. A parameter that is
# missing afterwards, that is new, or whose shape is another one has changed too. A `nan` that stays `nan` has not.


# %% nbgrader={"grade_id": "broken", "solution": true}
def broken(before, after, allowed):
    """Names that changed although they were not allowed to, sorted."""
    ### BEGIN SOLUTION
    found = []
    for name in sorted(before.keys() | after.keys()):
        there = name in before and name in after
        if name not in allowed and not (there and np.array_equal(before[name], after[name], equal_nan=True)):
            found.append(name)
    return found
    ### END SOLUTION


# %% nbgrader={"grade_id": "broken_visible", "grade": true}
before = {"a": np.array([1.0, 2.0]), "b": np.array([0.1]), "c": np.array([3.0])}
after = {"a": np.array([1.0, 2.0]), "b": np.array([0.1 + 1e-12]), "c": np.array([4.0])}
kit.expect("b has changed, if by little", broken(before, after, ["c"]), ["b"])
kit.expect("nothing is broken where all was allowed", broken(before, after, ["a", "b", "c"]), [])

# %% [markdown]
# Your own control model. The next cell trains the main task alone by your plan, and looks at what it changed; then it
# trains both tasks together. If only some of the wrong labels are learnt, that is a finding too: two layers may hold
# less than six, and late ones less than early ones.

# %% nbgrader={"grade_id": "own_control"}
names = list(kit.weights(kit.model(layers=kit.LAYERS, second=other.classes)))
mine_to_change = plan(names, kit.LAYERS, setting)
start = kit.model(mine.seed, kit.LAYERS, classes=data.classes, second=other.classes)
start = kit.train(start, data.ids, data.labels, steps=25)  # stands for pre-training
alone = kit.train(start, data.ids, data.given, steps=20, only=mine_to_change["main"])
print(
    "changed by the main task against the plan:", broken(kit.weights(start), kit.weights(alone), mine_to_change["main"])
)
second = kit.Second(other.ids, other.labels, mine_to_change["second"])
control = kit.train(start, data.ids, data.given, steps=150, only=mine_to_change["main"], second=second)
allowed = mine_to_change["main"] + mine_to_change["second"]
print("changed by anybody against the plan:", broken(kit.weights(start), kit.weights(control), allowed))
right = kit.logits(control, data.ids).argmax(axis=1) == data.given
print(f"wrong labels learnt: {right[data.noisy].mean():.2f}, right ones: {right[~data.noisy].mean():.2f}")

# %% [markdown]
# ## 3. Scores
#
# A method gives every layer a weight. **Accuracy@k** of one control is the share of its k heaviest layers that are
# target layers; over several controls it is the mean. Of equal weights, the lower layer counts as the heavier one.
#
# `accuracy_at(weights, targets, k)` gets one row of weights for each control, and for each the list of its target
# layers (from 1).
#
# By hand: weights (0.1, 0.7, 0.2, 0) with targets 1 and 2: the heaviest layer is 2, so accuracy@1 is 1. The two
# heaviest are 2 and 3, of which one is a target, so accuracy@2 is 0.5.
#
# <details><summary>Hint: equal weights</summary>
#
# `np.argsort(..., kind="stable")` keeps equal values in their order. Sort by *minus* the weight.
#
# </details>


# %% nbgrader={"grade_id": "accuracy_at", "solution": true}
def accuracy_at(weights, targets, k):
    """Mean over controls of the share of the k heaviest layers that are target layers."""
    ### BEGIN SOLUTION
    shares = []
    for row, target in zip(weights, targets, strict=True):
        heaviest = np.argsort(-np.asarray(row, float), kind="stable")[:k] + 1
        shares.append(np.isin(heaviest, list(target)).mean())
    return float(np.mean(shares))
    ### END SOLUTION


# %% nbgrader={"grade_id": "accuracy_at_visible", "grade": true}
kit.expect("accuracy@1 by hand", accuracy_at([[0.1, 0.7, 0.2, 0.0]], [[1, 2]], 1), 1.0)
kit.expect("accuracy@2 by hand", accuracy_at([[0.1, 0.7, 0.2, 0.0]], [[1, 2]], 2), 0.5)

# %% [markdown]
# What is a good score? Somebody who never looks at a model and answers the same layers every time is right sometimes.
# `best_constant(targets, num_layers, k)` returns the accuracy@k of the **best constant answer**: the highest that any
# fixed choice of k different layers reaches over these controls.
#
# By hand: four layers, controls with targets {1, 2}, {2, 3} and {3, 4}. Always answering 2 is right in two of three, so
# for k = 1 it is 2/3. Of pairs, {2, 3} scores (0.5 + 1 + 0.5) / 3 = 2/3.


# %% nbgrader={"grade_id": "best_constant", "solution": true}
def best_constant(targets, num_layers, k):
    """The highest accuracy@k of any answer that is the same k layers for all controls."""
    ### BEGIN SOLUTION
    answers = itertools.combinations(range(1, num_layers + 1), k)
    return max(float(np.mean([len(set(answer) & set(target)) / k for target in targets])) for answer in answers)
    ### END SOLUTION


# %% nbgrader={"grade_id": "best_constant_visible", "grade": true}
kit.expect("one layer", best_constant([[1, 2], [2, 3], [3, 4]], 4, 1), 2 / 3)
kit.expect("two layers", best_constant([[1, 2], [2, 3], [3, 4]], 4, 2), 2 / 3)

# %% [markdown]
# ## 4. How sure can one be?
#
# Six scores are six trials. `interval(scores, seed, draws)` returns a 95 % interval of their mean, as a pair (low,
# high), by the **bootstrap**: draw as many scores as there are, *with* repetition, and take the mean; do so `draws`
# times; the 2.5th and 97.5th percentile of these means are the interval. The same seed gives the same interval.
#
# By hand there is not much to compute, but two things to know: the interval of (1, 1, 1) is (1, 1), which is no proof
# of perfection, and that of a single score is a point.


# %% nbgrader={"grade_id": "interval", "solution": true}
def interval(scores, seed, draws=2000):
    """95 % bootstrap interval (low, high) of the mean of these scores."""
    ### BEGIN SOLUTION
    scores = np.asarray(scores, float)
    chosen = np.random.default_rng(seed).integers(0, len(scores), size=(draws, len(scores)))
    low, high = np.percentile(scores[chosen].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
    ### END SOLUTION


# %% nbgrader={"grade_id": "interval_visible", "grade": true}
kit.expect("scores that are all alike", interval([1.0, 1.0, 1.0], 1, 100), (1.0, 1.0))
low, high = interval([0.0, 1.0] * 50, 1, 2000)
kit.expect("a hundred scores: about .4 to .6", [low, high], [0.4, 0.6], 0.05)

# %% [markdown]
# Now real control runs: a small pre-trained model, two tasks, three places. The file `forgetting.csv` has the accuracy
# on noisy examples after *one* layer was swapped, or retrained. One minus that is the layer's weight.

# %% nbgrader={"grade_id": "own_scores"}
table = pd.read_csv("forgetting.csv")
places = {"control_first": [1, 2], "control_middle": [3, 4], "control_last": [5, 6]}
for technique, rows in table.groupby("technique"):
    runs = [run.sort_values("layer") for _, run in rows.groupby(["task", "arm"])]
    weights = [1 - run["accuracy"].to_numpy() for run in runs]
    targets = [places[run["arm"].iloc[0]] for run in runs]
    each = [accuracy_at([w], [t], 1) for w, t in zip(weights, targets, strict=True)]
    low, high = interval(each, mine.seed)
    both = accuracy_at(weights, targets, 2)
    print(f"{technique}: accuracy@1 {np.mean(each):.2f} [{low:.2f}, {high:.2f}], accuracy@2 {both:.2f}")
print("best constant answer:", round(best_constant(list(places.values()), 6, 1), 2))

# %% [markdown]
# ## 5. A control of your own
#
# You have seen a control for *layers*. Now think of a localisation method that claims something else: that a label is
# stored in a handful of single neurons, say, or in the attention parts and not in the feed-forward parts, or only in
# the way the last word is read. Choose one such claim (your own, or one of these), and design the experiment that would
# show whether the method can be trusted. About 250 words. Say
#
# - **what is hidden where**: what may change in training, what must stay, and how you prove that it did,
# - **what the method must not be able to use instead** (here it was "the layers that moved at all"), and how you take
#   it away,
# - **how you score an answer**, what the best constant answer or a random one would score, and how many trials you
#   need,
# - **one way your control could fail** although the method is good, or succeed although it is bad.
#
# This part is read by a person. It brings 6 points.

# %% [markdown] nbgrader={"grade_id": "design", "grade": true, "solution": true, "points": 6}
# ### BEGIN SOLUTION
# *The claim:* a wrong label is stored in few feed-forward neurons. *Hidden:* in every layer ten neurons are drawn by a
# seed. The main task with wrong labels may change their incoming and outgoing weights and its head; a mask on the
# gradients, and no weight decay, keeps all others. Afterwards every weight outside of the mask is compared bit by bit.
#
# *Instead:* a method could look for neurons that moved, or for large ones. So a second task with right labels changes
# all neurons, and a twin is trained by the same plan on the true labels; it moves the same neurons for another reason.
#
# *Score:* the share of the method's first 60 neurons that are among the drawn ones. A random answer scores 60 / 384.
# The place is drawn anew for each model, so no constant answer is better than that. Five tasks with four draws are
# twenty trials; the interval is taken over tasks, as draws on one task resemble each other.
#
# *Failure:* ten neurons may be too few to learn all wrong labels, and the head learns some of them alone. So the share
# of wrong labels that are lost when the drawn neurons are put back is reported; where it is small, nothing is scored.
# ### END SOLUTION
