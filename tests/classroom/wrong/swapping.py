"""Plausible wrong submissions to "swapping"."""

from __future__ import annotations

from tests.classroom.assignment_world import Wrong

MIDDLE = "The window comes from the other model, the rest stays"
ENDS = "Windows at the first and at the last layer"
STAY = "Both models stay as they are, also later"
GROUPS = "Accuracy on given labels, noisy and clean apart"
EMPTY = "A group without examples"
WINDOWS = "Every window once, in order"
ERROR = "Memorisation error for windows in any order"
WEIGHTS = "Layer weights are the mean over lengths"
CENTRE = "The centre of gravity counts layers from 1"
RANGE = "The range a centre of gravity can reach"

WRONG = (
    Wrong("layers counted from 0", (MIDDLE, ENDS), {"swap_window": {"number - 1": "number % len(mixed.layers)"}}),
    Wrong(
        "the window ends one layer early",
        (MIDDLE, ENDS),
        {"swap_window": {"range(start, start + length)": "range(start, start + length - 1)"}},
    ),
    Wrong(
        "a window that never takes the last layer",
        (ENDS,),
        {"swap_window": {"start + length)": "min(start + length, len(mixed.layers)))"}},
    ),
    Wrong(
        "the models are exchanged",
        (MIDDLE, ENDS),
        {"swap_window": {"deepcopy(perturbed)": "deepcopy(normal)", "(normal.layers": "(perturbed.layers"}},
    ),
    Wrong("swapped in place", (STAY,), {"swap_window": {"copy.deepcopy(perturbed)": "perturbed"}}),
    Wrong(
        "weights shared with the normal model",
        (STAY,),
        {"swap_window": {"copy.deepcopy(normal.layers[number - 1])": "normal.layers[number - 1]"}},
    ),
    Wrong("clean first", (GROUPS, EMPTY), {"accuracies": {"(noisy, ~noisy)": "(~noisy, noisy)"}}),
    Wrong(
        "shares of all examples",
        (GROUPS,),
        {"accuracies": {"right[group].mean()": "(right & group).sum() / len(right)"}},
    ),
    Wrong("an empty group has accuracy 0", (EMPTY,), {"accuracies": {'float("nan")': "0.0"}}),
    Wrong(
        "the window of all layers is missing",
        (WINDOWS, RANGE),
        {"all_windows": {"range(1, num_layers + 1) for": "range(1, num_layers) for"}},
    ),
    Wrong("rows and columns exchanged", (ERROR, RANGE), {"memorisation_error": {"return error": "return error.T"}}),
    Wrong("accuracy instead of error", (ERROR, RANGE), {"memorisation_error": {"1 - np.mean": "np.mean"}}),
    Wrong(
        "windows are thought to be in order",
        (ERROR,),
        {"memorisation_error": {"error = np": "windows = all_windows(num_layers)\n    error = np"}},
    ),
    Wrong("the mean over layers", (WEIGHTS, RANGE), {"weights": {"mean(axis=0)": "mean(axis=1)"}}),
    Wrong("the sum over lengths", (WEIGHTS,), {"weights": {"mean(axis=0)": "sum(axis=0)"}}),
    Wrong(
        "layers from 0 in the centre",
        (CENTRE, RANGE),
        {"weights": {"np.arange(1, len(weights) + 1)": "np.arange(len(weights))"}},
    ),
    Wrong(
        "the range is thought to be 1 to L",
        (RANGE,),
        {"attainable_range": {"return tuple(ends)": "return (1.0, float(num_layers))"}},
    ),
)
