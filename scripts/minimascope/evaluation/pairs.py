"""Comparing the predictions of many models with each other."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, groupby

import pandas as pd

from ..jobs.progress import progress
from .disagreement import distance, divergence, prediction_disagreement, probabilities
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


def compare_models(models: Iterable[Predictions]) -> pd.DataFrame:
    """Return one row for each unordered pair of models of one network on one data set.

    Args:
        models: those of a network on a data set one after the other, so that no more than these
            are held at a time.
    """
    networks = groupby(models, key=lambda model: (model.run["dataset"], model.run["network"]))
    rows = chain.from_iterable(_pairs(list(group)) for _, group in networks)
    return pd.DataFrame(progress(rows, "disagreement", "pair"), columns=COLUMNS)


def _pairs(models: Sequence[Predictions]) -> Iterator[tuple]:
    # Once for each model, not once for each pair.
    known = [(model, model.logits.argmax(1), probabilities(model.logits)) for model in models]
    for (a, labels_a, p), (b, labels_b, q) in combinations(known, 2):
        yield (
            a.run["dataset"],
            a.run["network"],
            a.run["condition"],
            a.run["seed"],
            b.run["condition"],
            b.run["seed"],
            a.view,
            prediction_disagreement(labels_a, labels_b),
            divergence(p, q),
            distance(p, q),
            len(a.labels),
        )
