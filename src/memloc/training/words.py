"""The yardstick of every model: logistic regression on counts of words, fitted to the original labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from memloc import tables
from memloc.training.evaluate import macro_f1

if TYPE_CHECKING:
    from memloc.data.loaded import LoadedData

WORDS = 50_000  # the most frequent words and pairs of words at most


def bag_of_words(data: LoadedData) -> pd.DataFrame:
    """Scores of the fitted regression, as the one epoch of a trace (``tables.TRACE``).

    Words and pairs of words by log count times inverse document frequency; the parts of an example apart.
    Cost: linear in the number of words. The same data give the same numbers.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    columns = {split: pd.DataFrame(getattr(data, split)["parts"].tolist()) for split in ("train", "validation")}
    words = [
        (str(part), TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=WORDS), part)
        for part in columns["train"].columns
    ]
    model = make_pipeline(ColumnTransformer(words), LogisticRegression(C=10.0, max_iter=1000))
    model.fit(columns["train"], data.train["label"])
    rows = []
    for split, texts in columns.items():
        frame = getattr(data, split)
        true, predicted = frame["label"].to_numpy(), model.predict(texts)
        found = {"accuracy": float(np.mean(true == predicted)), "macro_f1": macro_f1(true, predicted)}
        rows += [
            {"epoch": 1, "split": split, "group": "all", "metric": metric, "value": value, "n": len(frame)}
            for metric, value in found.items()
        ]
    return pd.DataFrame(rows)


def write_bag_of_words(data: LoadedData, folder: Path) -> None:
    """The files of a trained arm that can be told without weights: its trace and summary."""
    tables.write(bag_of_words(data), tables.TRACE, folder / "trace.parquet")
    summary = {"epochs_run": 1, "memorised_epoch": None, "steps": 0}
    (folder / "summary.json").write_text(json.dumps(summary, sort_keys=True))
