"""Tables and sentences of memorisation maps and of the relation between depth and generalisation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from memloc.analysis.correlation import LEAST, correlation
from memloc.analysis.relation import ALL, RELATIVE
from memloc.analysis.study import told, told_names
from memloc.data.catalogue import get_task
from memloc.publishing.facts import NONE
from memloc.publishing.facts_techniques import count_facts, extreme
from memloc.publishing.figures import model_title, span
from memloc.publishing.figures_maps import depth_name
from memloc.publishing.reading import Place
from memloc.publishing.reading_maps import Mapped
from memloc.publishing.tabulate_techniques import start
from memloc.wording import DASH, brackets, number

SCORES = {"generalisation_score": "generalisation score", "validation_score_normalised": "validation score"}
REMEMBERED = 0.5  # counterfactual memorisation of an example that counts as remembered


def map_table(mapped: Mapped) -> pd.DataFrame:
    """Means of every map: by models that saw an example, by those that did not, and the distance, by group."""
    rows = []
    for place in mapped.all_places:
        row = start(mapped, place)
        if place in mapped.maps:
            frame, score = mapped.maps[place], mapped.mean(place, "generalisation", "clean")
            row["generalisation score [95 %]"] = str(score)
            for group in ("clean", "noisy"):
                values = [float(mapped.mean(place, name, group).value) for name in ("memorisation", "generalisation")]
                row[f"{group}: in, out"] = ", ".join(number(value) for value in values)
                row[f"{group}: counterfactual"] = number(float(mapped.mean(place, "counterfactual", group).value))
            row |= {
                "score as a median": number(float(frame.loc[frame["group"] == "clean", "generalisation"].median())),
                "score of all examples": number(float(frame["generalisation"].mean())),
                "score by frequency": number(by_frequency(mapped, place)),
                "models in, out": f"{frame['models_in'].mean():.1f}, {frame['models_out'].mean():.1f}",
            }
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def by_frequency(mapped: Mapped, place: Place) -> float:
    """The generalisation score of a model that knows how frequent labels are and nothing else: the sum of their squared
    shares, from the validation examples. Of tasks with two classes; NaN of others, whose shares are not kept."""
    if len(get_task(place[0]).labels) != 2:
        return np.nan
    most = mapped.majority[place]
    return most**2 + (1 - most) ** 2


def relation_table(mapped: Mapped) -> pd.DataFrame:
    """Spearman's correlation of every depth with every score, beside the study's; over all models and in each.

    A model has rows where it has points enough to correlate, and where there is more than one.
    """
    relation, rows = mapped.relation, []
    several = relation["model"].nunique() > 2  # with "all"
    shown = relation[(relation["model"] == ALL) | (relation["value"].notna() & several)]
    for found in shown.to_dict("records"):
        enough = found["tasks"] >= LEAST
        model = "all" if found["model"] == ALL else model_title(found["model"])
        rows.append(
            {
                "depth": depth_name(found["technique"], found["metric"]),
                "with": SCORES[found["score"]],
                "models": model,
                "rho": number(found["value"]),
                "study": _study(found["metric"], found["score"], found["model"]),
                "95 % over tasks": brackets(found["low"], found["high"]) if enough else DASH,
                "p": number(found["p_value"] if enough else None, 3),
                "orders": int(found["arrangements"]),
                "points": int(found["n"]),
                "tasks": int(found["tasks"]),
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"depth and generalisation": ["nothing to correlate"]})


def _study(metric: str, score: str, model: str) -> str:
    """The study's correlation; its M-CoG is the mean of four techniques."""
    name = f"relation of {'mcog' if metric == RELATIVE else metric} with {score}"
    value = told(name).values.get(model) if name in told_names() else None
    return number(value)


def map_facts(mapped: Mapped) -> dict[str, str]:
    """Numbers of the sentences about maps."""
    scores = {place: float(mapped.mean(place, "generalisation", "clean").value) for place in mapped.maps}
    noisy = {place: frame[frame["group"] == "noisy"] for place, frame in mapped.maps.items()}
    kept = {place: float((of["counterfactual"] >= REMEMBERED).mean()) for place, of in noisy.items()}
    members = [float((f["models_in"] + f["models_out"]).iloc[0]) for f in mapped.maps.values()]
    facts = count_facts(mapped) | {
        "members": span(members, 0),
        "rows": span([float(len(frame)) for frame in mapped.maps.values()], 0),
        "score-lowest": extreme(scores),
        "score-highest": extreme(scores, highest=True),
        "remembered": f"{REMEMBERED:g}",
        "share-lowest": extreme(kept),
        "share-highest": extreme(kept, highest=True),
    }
    for column in ("memorisation", "generalisation", "counterfactual"):
        for group in ("clean", "noisy"):
            values = [float(mapped.mean(place, column, group).value) for place in mapped.maps]
            facts[f"{group}-{column}"] = span(values)
    shares = mapped.majority
    both = [place for place in scores if place in shares.index]
    share, score = (np.array([float(of[place]) for place in both]) for of in (shares, scores))
    (rho,) = correlation(share, score, "spearman")
    facts["rho-majority"] = f"{rho:z.2f} ({len(both)} points)" if np.isfinite(rho) else NONE
    return facts | relation_facts(mapped)


def relation_facts(mapped: Mapped) -> dict[str, str]:
    """What can be said of depth by swapping and of crossing, and on how little it rests."""
    facts = {}
    for name, technique in (("mcog", "swapping"), ("crossing", "centroids")):
        rows = mapped.relation.query(
            f"technique == '{technique}' and score == 'generalisation_score' and model == '{ALL}'"
        )
        words = "not known: too few points"
        if len(rows) and np.isfinite(rows["value"].iloc[0]):
            row = rows.iloc[0]
            parts = [f"{row['n']} points of {row['tasks']} tasks"]
            if row["tasks"] >= LEAST:
                known = np.isfinite([row["low"], row["high"]]).all()
                parts += [f"95 % over tasks [{row['low']:z.2f}, {row['high']:z.2f}]"] if known else []
                parts += [f"p = {row['p_value']:z.2f}"]
            words = f"{row['value']:z.2f} ({', '.join(parts)})"
        facts[f"rho-{name}"] = words
    tasks = {task for task, _ in mapped.places}
    facts["tasks-compared"] = str(len(tasks)) if tasks else NONE
    return facts
