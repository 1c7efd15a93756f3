"""Comparing the predictions of many models with each other."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from ..progress import progress
from .agreement import jensen_shannon_divergence, l2_distance, prediction_disagreement
from .predictions import Predictions

COLUMNS = [
    "dataset",
    "network",
    "condition_a",
    "seed_a",
    "condition_b",
    "seed_b",
    "view",
    "prediction_disagreement",
    "jensen_shannon_divergence",
    "l2_distance",
    "n",
]


def compare_models(models: Sequence[Predictions]) -> pd.DataFrame:
    """Return one row for each unordered pair of models of one network on one data set."""
    comparable = [
        (a, b)
        for a, b in combinations(models, 2)
        if all(a.run[key] == b.run[key] for key in ("dataset", "network"))
    ]
    rows = [
        (
            a.run["dataset"],
            a.run["network"],
            a.run["condition"],
            a.run["seed"],
            b.run["condition"],
            b.run["seed"],
            a.view,
            prediction_disagreement(a.logits.argmax(1), b.logits.argmax(1)),
            jensen_shannon_divergence(a.logits, b.logits),
            l2_distance(a.logits, b.logits),
            len(a.labels),
        )
        for a, b in progress(comparable, "disagreement", "pair")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
