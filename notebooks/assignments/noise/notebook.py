# %% [markdown]
# # Wrong labels, put in on purpose
#
# *How do you know that a model has memorised something? You make sure that there is something only memory can explain.*
#
# A model that answers "rain" to a sentence about drizzle may have understood it. A model that answers "snow", because
# that is the label the sentence happened to carry in training, has memorised it. So we write wrong labels into a
# training set, and note where. In this assignment you
#
# 1. write the function that makes labels wrong, exactly as many as asked for and without a favourite,
# 2. count which class was turned into which,
# 3. write a check that tells sound noise from unsound noise,
# 4. and read from real training runs when the wrong labels were learnt, compared with the right ones.
#
# Plan for about 75 minutes. Every function has a check straight after it. A check that passes prints `ok`; one that
# does not says what it expected. The checks you see are only a few: yours will be tried on other numbers as well, at
# the edges too. So read what each function promises.
#
# Write your id below, so that you get a task and a seed of your own.

# %% nbgrader={"grade_id": "student", "locked": false}
STUDENT = "your-id"

# %% nbgrader={"grade_id": "setup"}
import kit
import numpy as np
import pandas as pd

mine = kit.variant(STUDENT, "noise")
data = kit.task(mine, noise=False)
print(f"your task is {mine.task}, your noise rate {mine.rate}, your seed {mine.seed}")
for text, label in list(zip(data.texts, data.labels, strict=True))[:4]:
    print(f"  {data.names[label]:8} {text}")

# %% [markdown]
# ## An example by hand
#
# Seven examples of three classes, and a rate of 0.4. The number of wrong labels is `round(0.4 * 7)`, so 3. We draw
# three *different* rows, say 1, 4 and 6, and give each a label that is not its own:
#
# | row | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|---|
# | original | 0 | 0 | 1 | 1 | 1 | 2 | 2 |
# | given | 0 | **2** | 1 | 1 | **0** | 2 | **0** |
#
# Row 1 was a 0, so a fair choice lies between 1 and 2. It does *not* lie between 0, 1 and 2: if a row might draw its
# own label, some rows that we call noisy would be right, and nobody would notice until much later.
#
# ## 1. Make labels wrong
#
# `perturb(labels, classes, rate, seed)` returns new labels as an array of whole numbers:
#
# - exactly `round(rate * N)` rows differ from `labels` (Python's own `round`), drawn from all rows alike,
# - each of them has one of the *other* `classes - 1` labels, all equally likely,
# - `labels` itself is left alone, and the same seed gives the same answer.
#
# <details><summary>Hint: drawing rows</summary>
#
# A generator `rng = np.random.default_rng(seed)` has a method `choice`. With `replace=False` no row comes twice.
#
# </details>
#
# <details><summary>Hint: a label that is not the row's own</summary>
#
# Think of the labels on a ring. From any label, a step of 1 to `classes - 1` leads to another one, and each of the
# others is reached by exactly one step.
#
# </details>


# %% nbgrader={"grade_id": "perturb", "solution": true}
def perturb(labels, classes, rate, seed):
    """New labels: exactly ``round(rate * N)`` of them wrong, each uniformly one of the other classes."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    rows = rng.choice(len(labels), size=round(rate * len(labels)), replace=False)
    given = labels.copy()
    given[rows] = (labels[rows] + rng.integers(1, classes, size=len(rows))) % classes
    return given
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "perturb_visible"}
labels = np.array([0, 0, 1, 1, 1, 2, 2])
kit.expect("3 of 7 labels are wrong at a rate of 0.4", int((perturb(labels, 3, 0.4, 1) != labels).sum()), 3)
kit.expect("no label is wrong at a rate of 0", perturb(labels, 3, 0.0, 1), labels)
kit.expect("with two classes a wrong label is the other one", perturb([0, 1, 1], 2, 1.0, 1), [1, 0, 0])
kit.expect("the same seed gives the same labels", perturb(labels, 3, 0.4, 5), perturb(labels, 3, 0.4, 5))

# %% [markdown]
# ## 2. Count what became what
#
# `confusion(original, given, classes)` returns a table of whole numbers, `classes` by `classes`. Row `a`, column `b`
# holds how many examples of class `a` carry label `b`. Right labels stand on the diagonal. In the example above the
# first row is `[1, 0, 1]`: two examples are of class 0, one kept its label and one became a 2.
#
# A class without any example has a row of zeros; the table has its full size nevertheless.


# %% nbgrader={"grade_id": "confusion", "solution": true}
def confusion(original, given, classes):
    """How many examples of each class (row) carry each label (column)."""
    ### BEGIN SOLUTION
    table = np.zeros((classes, classes), int)
    np.add.at(table, (np.asarray(original, int), np.asarray(given, int)), 1)
    return table
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "confusion_visible"}
counted = confusion([0, 0, 1, 1, 1, 2, 2], [0, 2, 1, 1, 0, 2, 0], 3)
kit.expect("the example by hand, counted", counted, [[1, 0, 1], [1, 2, 0], [1, 0, 1]])

# %% [markdown]
# ## 3. Is it sound?
#
# Noise from somebody else's script has to be checked before a month of computing is built on it. Write
# `verify(original, given, classes, rate)`, which returns a dictionary:
#
# - `"wrong"`: how many labels are wrong,
# - `"exact"`: whether that is `round(rate * N)`, `True` or `False`,
# - `"furthest"`: how far the noise is from fair. For every class `a` that has wrong labels, and every *other* class
#   `b`, take the share of `a`'s wrong labels that became `b`. Fair would be `1 / (classes - 1)`. The largest distance
#   from that, over all such `a` and `b`, is the answer; `0.0` where no label is wrong.
#
# By hand: class 0 has one wrong label, which became a 2. Its shares are 0 for class 1 and 1 for class 2, fair would be
# 0.5, so the distance is 0.5. (With so few examples that is no reason to worry.)


# %% nbgrader={"grade_id": "verify", "solution": true}
def verify(original, given, classes, rate):
    """How many labels are wrong, whether that is exact, and how far from fair the wrong ones are."""
    ### BEGIN SOLUTION
    table = confusion(original, given, classes).astype(float)
    np.fill_diagonal(table, 0)
    wrong, furthest = table.sum(axis=1), 0.0
    for a in np.flatnonzero(wrong):
        shares = np.delete(table[a] / wrong[a], a)
        furthest = max(furthest, float(np.abs(shares - 1 / (classes - 1)).max()))
    return {"wrong": int(wrong.sum()), "exact": bool(wrong.sum() == round(rate * len(original))), "furthest": furthest}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "verify_visible"}
original, given = [0, 0, 1, 1, 1, 2, 2], [0, 2, 1, 1, 0, 2, 0]
kit.expect("the example", verify(original, given, 3, 0.4), {"wrong": 3, "exact": True, "furthest": 0.5})
kit.expect("one wrong label less than asked for", verify(original, given, 3, 0.6)["exact"], False)

# %% [markdown]
# Now your own task, with your rate and seed. With 120 sentences `furthest` is no zero; that is chance, not a mistake.

# %% nbgrader={"grade_id": "own_noise"}
own = perturb(data.labels, data.classes, mine.rate, mine.seed)
print(verify(data.labels, own, data.classes, mine.rate))
print(pd.DataFrame(confusion(data.labels, own, data.classes), data.names, data.names))

# %% [markdown]
# ## 4. When are wrong labels learnt?
#
# The file `traces.csv` comes from real runs: small pre-trained models, fine-tuned on tasks in which about 15 % of the
# training labels are wrong. After every epoch somebody noted the accuracy on the *given* labels, apart for noisy
# (wrongly labelled) and clean examples.
#
# `reached(curve, level)` answers: *from which epoch on* is the accuracy at or above `level`, for good? `curve` holds
# the accuracies of epoch 1, 2 and so on. A model may reach a level, fall below it again and come back; only when it
# stays does it count. If it never does, the answer is `None`.
#
# By hand: `[0.2, 0.9, 0.5, 0.9, 1.0]` and a level of 0.9 give 4, because of the fall in epoch 3.


# %% nbgrader={"grade_id": "reached", "solution": true}
def reached(curve, level):
    """The first epoch, from 1, from which on ``curve`` never is below ``level``; None if there is none."""
    ### BEGIN SOLUTION
    below = np.flatnonzero(np.asarray(curve) < level)
    first = int(below[-1]) + 2 if len(below) else 1
    return first if first <= len(curve) else None
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reached_visible"}
kit.expect("the example by hand", reached([0.2, 0.9, 0.5, 0.9, 1.0], 0.9), 4)
kit.expect("a level that is never reached", reached([0.2, 0.4], 0.9), None)

# %% [markdown]
# Last, `lags(traces, level)`: for every task, by how many epochs do the noisy examples come later than the clean ones?
# One run is one task, model and seed. Its lag is `reached` of its noisy curve minus `reached` of its clean curve. The
# answer is a dictionary from a task's name to the mean lag of its runs. A run in which either curve never reaches the
# level has no lag and is left out; a task without any lag is left out as well.
#
# Rows of the table come in no particular order.
#
# <details><summary>Hint: one run after the other</summary>
#
# `for (task, model, seed), run in traces.groupby(["task", "model", "seed"])` gives the rows of one run at a time.
# Sort them by `epoch` before you make a curve of them.
#
# </details>


# %% nbgrader={"grade_id": "lags", "solution": true}
def lags(traces, level):
    """Task to the mean number of epochs by which its noisy examples are learnt later than its clean ones."""
    ### BEGIN SOLUTION
    found = {}
    for (task, _, _), run in traces.groupby(["task", "model", "seed"]):
        run = run.sort_values("epoch")
        epochs = [reached(run.loc[run["group"] == group, "accuracy"].to_numpy(), level) for group in ("noisy", "clean")]
        if None not in epochs:
            found.setdefault(task, []).append(epochs[0] - epochs[1])
    return {task: float(np.mean(values)) for task, values in found.items()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "lags_visible"}
made_up = pd.DataFrame(
    [("a", "m", 1, epoch, group, accuracy) for group, curve in (("noisy", [0.1, 0.2, 0.9]), ("clean", [0.9, 1.0, 1.0]))
     for epoch, accuracy in enumerate(curve, start=1)],
    columns=["task", "model", "seed", "epoch", "group", "accuracy"],
)  # fmt: skip
kit.expect("noisy examples come two epochs later", lags(made_up, 0.9), {"a": 2.0})

# %% nbgrader={"grade_id": "own_lags"}
traces = pd.read_csv("traces.csv")
for level in (0.7, 0.9):
    print(level, {task: round(lag, 1) for task, lag in lags(traces, level).items()})

# %% [markdown]
# ## To end with
#
# In one of the four tasks the wrong labels are learnt no later than the right ones. Which is it, and what does the
# accuracy on *clean* examples in its first epochs say about why? If wrong and right labels are learnt at the same pace,
# what is the model doing with the right ones? Note two or three sentences, and bring them to class.
