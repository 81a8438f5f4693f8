"""Tables of layer retraining, forgetting gradients, probing and the centroid analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from memloc.analysis.layers import relative_depth
from memloc.analysis.study import event_by_task, published
from memloc.analysis.weights import variants
from memloc.errors import MemlocError
from memloc.models.catalogue import get_model
from memloc.publishing.figures import model_title, span
from memloc.publishing.figures_centroids import EVENTS, events_of
from memloc.publishing.figures_techniques import chance
from memloc.publishing.reading import CELL, ByPlace, Place, Study, Swapping
from memloc.publishing.reading_techniques import Told
from memloc.publishing.style import sort_tasks
from memloc.wording import DASH, number


def start(found: ByPlace, place: Place) -> dict[str, Any]:
    """Task, model and whether conclusions rest on them."""
    status = "not memorised" if place not in found.places else "" if place in found.counted else "not learnt"
    return {"task": place[0], "model": model_title(place[1]), "status": status}


def retraining_table(retraining: Swapping) -> pd.DataFrame:
    """Where each task and model memorises by retraining, what all layers forget, and what clean examples lose."""
    kept = retraining.rows.merge(retraining.status.loc[retraining.status["memorised"], CELL])
    rows = []
    for place in retraining.all_places:
        row = start(retraining, place)
        if place in retraining.places:
            found = retraining.places[place]
            here = kept[(kept["task"] == place[0]) & (kept["model"] == place[1])]
            whole = here[(here["window_length"] == here["window_length"].max()) & (here["group"] == "noisy")]
            clean = here[here["group"] == "clean"]["value"]
            row |= {
                "seeds": str(found.seeds),
                "noisy examples": str(found.noisy),
                "M-CoG [95 %]": str(found.mcog),
                "attainable": f"{found.bounds[0]:z.2f} to {found.bounds[1]:z.2f}",
                "depth, 0 to 1": number(float(relative_depth(found.mcog.value, found.bounds))),
                "M-CoG, k = 1": found.centre_k1,
                "noisy, all layers retrained (m)": number(float(whole["value"].mean()), 3),
                "held-out clean: mean": number(float(clean.mean()), 3),
                "lowest": number(found.clean, 3),
            }
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def variant_table(gradients: Told) -> pd.DataFrame:
    """All rules that make layer weights of gradients: where they put the weight of the places that count."""
    rows = []
    default = variants("gradients")[0]
    for variant in variants("gradients"):
        objective, norm, part, baseline = variant.split("_")
        row = {
            "objective": {"logit": "logit", "nll": "log-likelihood"}[objective],
            "norm": norm.upper(),
            "clean subtracted": "yes" if part == "difference" else "no",
            "frozen baseline": "yes" if baseline == "frozen" else "no",
        }
        found = [_weights(gradients, place, variant) for place in gradients.counted]
        reference = [_weights(gradients, place, default) for place in gradients.counted]
        mcog = [float(np.average(np.arange(1, len(w) + 1), weights=w)) / len(w) for w in found if w is not None]
        pairs = [(w, r) for w, r in zip(found, reference, strict=True) if w is not None and r is not None]
        row |= {
            "combinations": str(len(mcog)),
            "M-CoG / L: mean": number(float(np.mean(mcog)) if mcog else None),
            "lowest to highest": span(mcog) if mcog else DASH,
            "r with the first row": _correlation(pairs),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _weights(gradients: Told, place: Place, variant: str) -> np.ndarray | None:
    """None where the rule cannot be used: no frozen arm, or no gradient in it."""
    try:
        weight = gradients.weights_of(place, gradients.places[place], variant).weight
    except MemlocError:
        return None
    return weight if np.isfinite(weight).all() else None


def _correlation(pairs: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Pearson's r of layer weights, layers of all places together; each place is centred at its own mean first."""
    if not pairs:
        return DASH
    first, second = (np.concatenate([p[side] - p[side].mean() for p in pairs]) for side in (0, 1))
    room = np.sqrt((first**2).sum() * (second**2).sum())
    return number((first * second).sum() / room if room > 0 else None)


def _by_place(found: Told) -> dict[Place, dict[str, Any]]:
    """Events by task and model."""
    rows = events_of(found).to_dict("records")
    return {(row["task"], row["model"]): {str(name): value for name, value in row.items()} for row in rows}


def probing_table(probing: Told) -> pd.DataFrame:
    """Where probing puts the weight by both rules, and the layers of its events."""
    events = _by_place(probing)
    rows = []
    for place in probing.all_places:
        row = start(probing, place)
        if place in probing.places:
            means, by_seed = (
                probing.weights_of(place, probing.places[place], v) for v in ("rise_of_means", "rise_by_seed")
            )
            noise = probing.mean(place, "f1_noise", first=0)
            row |= {
                "seeds": str(probing.seeds(place)),
                "M-CoG, rise of means [95 %]": str(probing.centre(place)),
                "M-CoG, rises by seed": number(by_seed.mcog),
                "attainable": f"{means.bounds[0]:.0f} to {means.bounds[1]:.0f}",
                "sum of rises: of means": number(float(means.weight.sum())),
                "by seed": number(float(by_seed.weight.sum())),
                "highest F1 of noisy": f"{noise.max():z.2f} (layer {int(noise.argmax())})",
                "chance of labels": number(chance(probing, place)),
                "given label known from layer": _layer(events[place][EVENTS["probing"][0]], place),
                "classes from layer": _layer(events[place][EVENTS["probing"][1]], place),
                "layer 1 against": means.baseline,
            }
        row |= _by_study("probing_memorisation", place, "given label known from")
        row |= _by_study("probing_initiation", place, "classes from")
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _by_study(event: str, place: Place, what: str) -> dict[str, str]:
    """A column with the study's layer of an event on this task, the mean over its four models; none where not known."""
    numbers = event_by_task(event)
    if place[0] not in numbers:
        return {}
    layer, tolerance = numbers[place[0]]
    return {f"{what}: mean of the study's four (12 layers)": f"{layer:.1f} ± {tolerance:g}"}


def _layer(value: float, place: Place) -> str:
    """A layer, the mean over seeds, in words where it is one beyond."""
    if not np.isfinite(value):
        return DASH
    if value > get_model(place[1]).layers:
        return "never"
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


def centroid_table(centroids: Told) -> pd.DataFrame:
    """Events of the centroid analysis, and where noisy examples start and end."""
    events, bert = _by_place(centroids), published("centroids", "crossing")
    rows = []
    for place in centroids.all_places:
        row = start(centroids, place)
        if place in centroids.places:
            found = events[place]
            crossing = found["crossing"]
            words = "before layer 1" if crossing == 0 else _layer(crossing, place)
            row |= {
                "seeds": str(centroids.seeds(place)),
                "crossing": words,
                "initiation": _layer(found["initiation"], place),
                "the same, left out": _layer(found["initiation_left_out"], place),
                "noisy at layer 1": number(found.get("noisy_start_position", np.nan)),
                "at the last": number(found.get("noisy_end_position", np.nan)),
                "lower half normal": number(found.get("noisy_end_position_lower_from_normal", np.nan)),
                "upper half normal": number(found.get("noisy_end_position_upper_from_normal", np.nan)),
                "largest step": number(found.get("noisy_largest_step", np.nan)),
            }
        if place[0] in bert.tasks:
            row |= {f"crossing, {bert.title} ({bert.layers} layers)": f"{bert.tasks[place[0]]:g} ± {bert.tolerance:g}"}
        row |= _by_study("initiation", place, "initiation")
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def pair_table(study: Study) -> pd.DataFrame:
    """How many ordered pairs of classes have noisy examples enough to be pooled, by task."""
    least = study.numbers.asked(study.numbers.cells()[0], "centroids")["min_noisy"]
    rows = []
    for task in sort_tasks(study.profile.tasks):
        counts = [int(pair["n"]) for pair in study.experiment.dataset(task).report["noisy"]]
        classes = len(study.experiment.dataset(task).labels)
        rows.append(
            {
                "task": task,
                "ordered pairs of classes": classes * (classes - 1),
                f"pooled: {least} noisy examples or more": sum(count >= least for count in counts),
                "left out": classes * (classes - 1) - sum(count >= least for count in counts),
                "noisy examples pooled": sum(count for count in counts if count >= least),
                "of": sum(counts),
            }
        )
    return pd.DataFrame(rows)
