"""Plausible wrong submissions to "gradients"."""

from __future__ import annotations

from tests.classroom.assignment_world import Wrong

LOGIT = "The objective is the raw logit of the given label"
GROUP = "The mean gradient of a group, layer by layer"
SINGLE = "A group of one example"
LEFT = "The model is left as it was"
SAMPLE = "As many clean examples as noisy ones, drawn at random"
FEW = "Fewer clean examples than noisy ones"
NORMS = "The norm of the difference, not the difference of norms"
WHOLE = "From a model to one value a layer"
WEIGHTS = "Weights are ratios to the frozen model and sum to 1"

PICK = "-logits[torch.arange(len(given)), given].mean()"
FOUND = "torch.autograd.grad(value, [parameter for layer in layers for parameter in layer])"

WRONG = (
    Wrong(
        "cross-entropy instead of the logit",
        (LOGIT, GROUP, SINGLE, LEFT, WHOLE),
        {"objective": {PICK: "torch.nn.functional.cross_entropy(logits, given)"}},
    ),
    Wrong("the sign is lost", (LOGIT, GROUP, SINGLE, LEFT), {"objective": {"return -logits": "return logits"}}),
    Wrong("a sum over the group", (LOGIT, GROUP, LEFT, WHOLE), {"objective": {".mean()": ".sum()"}}),
    Wrong(
        "the largest logit instead of the given label's",
        (LOGIT, GROUP, SINGLE, LEFT, WHOLE),
        {"objective": {PICK: "-logits.max(dim=1).values.mean()"}},
    ),
    Wrong(
        "gradients pile up in the model",
        (LEFT, WHOLE),
        {"mean_gradient": {FOUND: "(value.backward(), [p.grad.clone() for layer in layers for p in layer])[1]"}},
    ),
    Wrong(
        "a step is taken on the way",
        (LEFT, WHOLE),
        {
            "mean_gradient": {
                "    return [torch": "    for p, g in zip([p for layer in layers for p in layer], found):\n"
                "        p.data -= 1e-1 * g\n    return [torch"
            }
        },
    ),
    Wrong(
        "one example loses its dimension",
        (SINGLE,),
        {"objective": {PICK: "-(logits.squeeze()[torch.arange(len(given)), given]).mean()"}},
    ),
    Wrong("drawn with repetition", (SAMPLE, FEW, WHOLE), {"clean_sample": {"replace=False": "replace=True"}}),
    Wrong(
        "all clean examples",
        (SAMPLE,),
        {"clean_sample": {"size = min(int(noisy.sum()), len(clean))": "size = len(clean)"}},
    ),
    Wrong(
        "too few clean examples are not thought of",
        (FEW,),
        {"clean_sample": {"min(int(noisy.sum()), len(clean))": "int(noisy.sum())"}},
    ),
    Wrong(
        "the first clean examples",
        (SAMPLE,),
        {
            "clean_sample": {
                "np.sort(np.random.default_rng(seed).choice(clean, size=size, replace=False))": "clean[:size]"
            }
        },
    ),
    Wrong(
        "difference of norms",
        (NORMS, WHOLE),
        {"difference_norms": {"(noisy - clean).abs().sum()": "noisy.abs().sum() - clean.abs().sum()"}},
    ),
    Wrong(
        "the L2 norm", (NORMS, WHOLE), {"difference_norms": {"(noisy - clean).abs().sum()": "(noisy - clean).norm()"}}
    ),
    Wrong("a mean over weights", (NORMS, WHOLE), {"difference_norms": {".abs().sum()": ".abs().mean()"}}),
    Wrong(
        "noisy against all examples", (WHOLE,), {"forgetting": {"clean_sample(noisy, seed)": "np.arange(len(given))"}}
    ),
    Wrong("weights do not sum to 1", (WEIGHTS,), {"layer_weights": {"ratio / ratio.sum()": "ratio"}}),
    Wrong("the frozen model is subtracted", (WEIGHTS,), {"layer_weights": {"float) / np": "float) - np"}}),
)
