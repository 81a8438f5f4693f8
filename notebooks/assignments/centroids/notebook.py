# %% [markdown]
# # From the true class to the wrong one
#
# *Where in the model does a wrongly labelled sentence leave the company of its true class?*
#
# A sentence about drizzle with the label "snow" has to end among the snow sentences if the model is to give the label
# back. But in the first layers nothing is known of labels; there it is a sentence about drizzle like any other. So
# somewhere on the way up it must change sides. In this assignment you find out where.
#
# 1. the centre of every class at a layer, from clean examples,
# 2. the position of an example on the line between two centres,
# 3. the mean way of all noisy examples, and the layer at which it crosses the middle,
# 4. the layer from which on the classes themselves keep apart.
#
# Plan for about 85 minutes. Layers count from 1. The checks you see are only a few: yours will be tried on other states
# and curves as well, at the edges too. So read what each function promises.
#
# Write your id below, so that you get a model of your own.

# %% nbgrader={"grade_id": "student", "locked": false}
STUDENT = "your-id"

# %% nbgrader={"grade_id": "setup"}
import kit
import numpy as np

mine = kit.variant(STUDENT, "centroids")
data = kit.task(mine)
print(f"your task is {mine.task}: {len(data.texts)} sentences, {data.noisy.sum()} of them with a wrong label")

# %% [markdown]
# ## 1. The centre of a class
#
# At one layer, every example has a **state**, a vector of $d$ numbers; together they are an array [N, d]. The centroid
# of a class is the mean state of the *clean* examples of that class. Noisy ones are left out: where they belong is the
# question.
#
# `centroids(states, labels, noisy, classes)` returns an array [classes, d]. `labels` are the true ones. A class without
# any clean example has no centroid: its row is `nan`.
#
# By hand: states (0, 0), (2, 0), (9, 9) of class 0, of which the last is noisy, have the centroid (1, 0).


# %% nbgrader={"grade_id": "centroids", "solution": true}
def centroids(states, labels, noisy, classes):
    """Mean state of the clean examples of each class, [classes, d]; nan for a class without any."""
    ### BEGIN SOLUTION
    found = np.full((classes, states.shape[1]), np.nan)
    for label in range(classes):
        members = (np.asarray(labels) == label) & ~np.asarray(noisy, bool)
        if members.any():
            found[label] = states[members].mean(axis=0)
    return found
    ### END SOLUTION


# %% nbgrader={"grade_id": "centroids_visible", "grade": true}
states = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0], [4.0, 2.0]])
by_hand = centroids(states, [0, 0, 0, 1], [False, False, True, False], 2)
kit.expect("two classes, a noisy example among them", by_hand, [[1.0, 0.0], [4.0, 2.0]])

# %% [markdown]
# ## 2. A position between two centres
#
# Draw a line from centroid $p_a$ to centroid $p_b$. The position of a state $h$ along it is
#
# $$ t(h) = \frac{(h - p_a) \cdot (p_b - p_a)}{\lVert p_b - p_a \rVert^2}, $$
#
# 0 at $p_a$, 1 at $p_b$, and whatever is at a right angle to the line does not count. By hand: with $p_a = (0, 0)$ and
# $p_b = (4, 0)$, the state (1, 7) is at $(1 \cdot 4 + 7 \cdot 0) / 16 = 0.25$.
#
# `position(states, p_a, p_b)` returns t for every row of `states`. Where the two centroids are equal there is no line,
# and every position is `nan`.


# %% nbgrader={"grade_id": "position", "solution": true}
def position(states, p_a, p_b):
    """t of every state on the line from ``p_a`` (0) to ``p_b`` (1); nan where the two are equal."""
    ### BEGIN SOLUTION
    line = np.asarray(p_b) - np.asarray(p_a)
    square = float(line @ line)
    return (np.asarray(states) - p_a) @ line / (square if square else np.nan)
    ### END SOLUTION


# %% nbgrader={"grade_id": "position_visible", "grade": true}
kit.expect("by hand", position(np.array([[1.0, 7.0], [4.0, -3.0]]), np.zeros(2), np.array([4.0, 0.0])), [0.25, 1.0])

# %% [markdown]
# ## 3. The way of the noisy examples
#
# A noisy example has a given label $a$ (wrong) and an original one $b$ (true). It is placed on the line of *its own*
# pair of classes, from the centroid of $a$ to that of $b$. So **1 is its true class, 0 the class of its wrong label**.
#
# `noisy_positions(states, labels, given, noisy, classes)` returns t for every noisy example, in the data's order.
#
# <details><summary>Hint: one example at a time is fine</summary>
#
# There are a few dozen of them. `states[[row]]` is an array with one row.
#
# </details>


# %% nbgrader={"grade_id": "noisy_positions", "solution": true}
def noisy_positions(states, labels, given, noisy, classes):
    """t of every noisy example between the class of its given label (0) and its true class (1)."""
    ### BEGIN SOLUTION
    centres = centroids(states, labels, noisy, classes)
    rows = np.flatnonzero(noisy)
    return np.array([position(states[[row]], centres[given[row]], centres[labels[row]])[0] for row in rows])
    ### END SOLUTION


# %% nbgrader={"grade_id": "noisy_positions_visible", "grade": true}
states = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 5.0], [6.0, 5.0], [3.0, 9.0]])
one = noisy_positions(states, np.array([0, 1, 2, 2, 0]), np.array([0, 1, 2, 2, 1]), np.arange(5) == 4, 3)
kit.expect("one noisy example, truly of class 0, given 1", one, [-0.5])

# %% [markdown]
# The mean position of all noisy examples, layer by layer, is a curve that falls from near 1 towards 0. The **crossing**
# is the last layer at which it has come from above to below one half.
#
# `crossing(curve)` gets the mean positions at layers 1 to L:
#
# - at exactly 0.5 a curve is not yet below,
# - the answer is the *first layer below* of the last such fall, between 2 and L,
# - 0, if it is below one half at all layers (it crossed before layer 1),
# - L + 1, if it is not below one half at the last layer.
#
# By hand: (0.9, 0.4, 0.6, 0.3) falls below at layer 2, comes back at 3 and falls again at 4. The answer is 4.


# %% nbgrader={"grade_id": "crossing", "solution": true}
def crossing(curve):
    """The last layer, from 1, at which the curve comes from above to below .5; 0 if before, L + 1 if never."""
    ### BEGIN SOLUTION
    below = np.asarray(curve) < 0.5
    if not below[-1]:
        return len(below) + 1
    above = np.flatnonzero(~below)
    return int(above[-1]) + 2 if len(above) else 0
    ### END SOLUTION


# %% nbgrader={"grade_id": "crossing_visible", "grade": true}
kit.expect("by hand", crossing([0.9, 0.4, 0.6, 0.3]), 4)
kit.expect("never", crossing([0.9, 0.8, 0.7]), 4)

# %% [markdown]
# ## 4. When do the classes themselves keep apart?
#
# A crossing means little by itself: perhaps the layers above it are simply those in which *anything* is told apart. So
# we ask the same of the clean examples. For every ordered pair (a, b) that **at least one noisy example has** (given
# a, original b), place the clean examples of class a and those of class b on the line from a to b. Put the positions
# of all such pairs together: those of the a's are the group A, those of the b's are B.
#
# `bands(states, labels, given, noisy, classes)` returns two numbers: the 87.5th percentile of A and the 12.5th
# percentile of B (`np.percentile`). As long as the first is below the second, seven eighths of each class are apart.
#
# <details><summary>Hint: which pairs</summary>
#
# `set(zip(given[noisy].tolist(), labels[noisy].tolist()))` holds each pair once, however many examples have it.
#
# </details>


# %% nbgrader={"grade_id": "bands", "solution": true}
def bands(states, labels, given, noisy, classes):
    """87.5th percentile of the clean examples of a, 12.5th of those of b, over all pairs (given a, original b)."""
    ### BEGIN SOLUTION
    centres, clean = centroids(states, labels, noisy, classes), ~noisy
    group_a, group_b = [], []
    for a, b in set(zip(given[noisy].tolist(), labels[noisy].tolist(), strict=True)):
        group_a.extend(position(states[clean & (labels == a)], centres[a], centres[b]))
        group_b.extend(position(states[clean & (labels == b)], centres[a], centres[b]))
    return float(np.percentile(group_a, 87.5)), float(np.percentile(group_b, 12.5))
    ### END SOLUTION


# %% nbgrader={"grade_id": "bands_visible", "grade": true}
states = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [10.0], [5.0]])
labels, given = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1, 0])
kit.expect("two classes", bands(states, labels, given, labels != given, 2), (0.09375, 0.90625))

# %% [markdown]
# **Initiation** is the first layer *from which on*, up to the last one, the first number stays below the second.
# `initiation(upper_a, lower_b)` gets both numbers at layers 1 to L and returns a layer from 1 to L, or L + 1 if the
# classes are not apart at the last layer. Equal numbers are not apart.
#
# By hand: A at (0.7, 0.3, 0.6, 0.2) and B at (0.4, 0.5, 0.5, 0.6): apart at layers 2 and 4, but not at 3. The answer
# is 4.


# %% nbgrader={"grade_id": "initiation", "solution": true}
def initiation(upper_a, lower_b):
    """The first layer, from 1, from which on A stays below B; L + 1 if there is none."""
    ### BEGIN SOLUTION
    mixed = np.flatnonzero(~(np.asarray(upper_a) < np.asarray(lower_b)))
    return int(mixed[-1]) + 2 if len(mixed) else 1
    ### END SOLUTION


# %% nbgrader={"grade_id": "initiation_visible", "grade": true}
kit.expect("by hand", initiation([0.7, 0.3, 0.6, 0.2], [0.4, 0.5, 0.5, 0.6]), 4)

# %% [markdown]
# Now your own model. The next cell trains it, which takes a few seconds, and looks at layers 1 to 6. (Layer 0, before
# the first layer, is left out: the state we read there is the same for all sentences. What would its centroids be?)

# %% nbgrader={"grade_id": "own_result"}
initiation([0.0], [1.0])  # before a few seconds of training: is everything there?
model = kit.trained(mine, data, "perturbed")["perturbed"]
layers = kit.states(model, data.ids)[1:]
what = (data.labels, data.given, data.noisy, data.classes)
curve = [float(noisy_positions(states, *what).mean()) for states in layers]
upper_a, lower_b = np.transpose([bands(states, *what) for states in layers])
kit.plot_layers(
    {"noisy examples, mean": curve, "class of the wrong label, 87.5 %": upper_a, "true class, 12.5 %": lower_b},
    "From the true class (1) to the wrong one (0)",
    "position",
)
print("crossing:", crossing(curve), " initiation:", initiation(upper_a, lower_b))

# %% [markdown]
# ## To end with
#
# Does the crossing of your model come before, with or after initiation? One layer of your model learnt ten times as
# fast as all others; write down which one you think it is, *then* call `kit.fast_layer(mine)`. A friend says: "the
# label is stored in the layer where the curve crosses." Name one thing that the curve shows, and one that it cannot
# show, about that sentence. Bring two or three sentences to class.
