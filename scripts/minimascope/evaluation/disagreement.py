"""How much any two models differ in what they predict."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, groupby

import numpy as np
import pandas as pd
from scipy import special

from ..jobs.progress import progress
from .metrics import probabilities
from .predictions import Predictions, check_same_samples

COLUMNS = [
    *("dataset", "network", "condition_a", "seed_a", "condition_b", "seed_b", "view"),
    *("prediction_disagreement", "jensen_shannon_divergence", "l2_distance", "n"),
]


def compare_models(models: Iterable[Predictions]) -> pd.DataFrame:
    """Return one row for each unordered pair of models of one network on one data set.

    ``prediction_disagreement`` is the share of samples on which their most probable classes
    differ.

    Args:
        models: those of a network on a data set one after the other, so that no more than these
            are held at a time.

    Raises:
        InputError: two of them are not about the same samples, or a logit is not finite.
    """
    networks = groupby(models, key=lambda model: (model.run["dataset"], model.run["network"]))
    rows = chain.from_iterable(_pairs(list(group)) for _, group in networks)
    return pd.DataFrame(progress(rows, "disagreement", "pair"), columns=COLUMNS)


def _pairs(models: Sequence[Predictions]) -> Iterator[tuple]:
    check_same_samples(models)
    # Once for each model, not once for each pair.
    known = [(model, model.logits.argmax(1), probabilities(model.logits)) for model in models]
    for (a, labels_a, p), (b, labels_b, q) in combinations(known, 2):
        yield (
            *(a.run[key] for key in ("dataset", "network", "condition", "seed")),
            *(b.run[key] for key in ("condition", "seed")),
            a.view,
            float((labels_a != labels_b).mean()),
            jensen_shannon_divergence(p, q),
            l2_distance(p, q),
            len(a.labels),
        )


def jensen_shannon_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Return the Jensen–Shannon divergence of probabilities [n, classes] (Lin 1991).

    With m = (p + q) / 2, the mean over samples of KL(p ‖ m) / 2 + KL(q ‖ m) / 2, in nats; from
    0 to ln 2.
    """
    # Doubling both sides of p ln(p/m) keeps m from underflowing to zero where p does not.
    terms = special.rel_entr(2 * p, p + q) + special.rel_entr(2 * q, p + q)
    # The bounds hold exactly, the sum only up to rounding.
    return float((terms.sum(axis=1) / 4).clip(0, np.log(2)).mean())


def l2_distance(p: np.ndarray, q: np.ndarray) -> float:
    """Return the Euclidean distance of probabilities [n, classes], mean over samples.

    The papers call it activation distance; from 0 to √2.
    """
    return float(np.linalg.norm(p - q, axis=1).mean())
